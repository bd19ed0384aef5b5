//! How a worker keeps its jobs.

use tokio::time::Instant;

use super::{CRASHES_MAX, ORPHAN_HOLD, Queue, keys, millis, script};
use crate::{
    model::PoolName,
    queue::{Beat, LeaseId, News, QueueError, news::Happened},
};

impl Queue {
    /// Extends the leases that a worker holds in a pool, and brings back what is due there. To be called every third of a
    /// lease, even with no lease, so that somebody looks after the pool.
    ///
    /// # Errors
    ///
    /// Those that [are transient](QueueError::is_transient): call again soon; nothing is lost before the lease ends.
    pub async fn beat(&self, pool: &PoolName, leases: &[LeaseId]) -> Result<Beat, QueueError> {
        let leases: Vec<(LeaseId, News)> = leases.iter().map(|lease| (*lease, News::default())).collect();
        self.beat_with_news(pool, &leases).await
    }

    /// The same, with what has happened to the leases' jobs: it comes onto their records. What is being told of just now is left to
    /// whoever tells it.
    ///
    /// # Errors
    ///
    /// Those that [are transient](QueueError::is_transient): call again soon; the news are told then.
    pub async fn beat_with_news(&self, pool: &PoolName, leases: &[(LeaseId, News)]) -> Result<Beat, QueueError> {
        let mut script = script::BEAT.key(&keys::prefix(pool));
        script.arg(self.lease_ms()).arg(CRASHES_MAX).arg(millis(ORPHAN_HOLD)).arg(self.keep_ms());
        let mut tellings = Vec::new();
        for (number, (lease, news)) in leases.iter().enumerate() {
            let telling = news.try_tell();
            let events = telling.as_ref().map(|telling| telling.events.as_slice()).unwrap_or_default();
            script.arg(lease.job.to_string()).arg(lease.attempt).arg(lease.epoch).arg(events.len());
            add_events(&mut script, events);
            tellings.extend(telling.map(|telling| (number, telling)));
        }
        let (lost, cancelled, limit_known): (Vec<usize>, Vec<usize>, bool) = self.store.script(&script).await?;
        for (_, telling) in tellings.into_iter().filter(|(number, _)| !lost.contains(number)) {
            telling.were_told();
        }
        let named = |numbers: Vec<usize>| {
            numbers.into_iter().filter_map(|number| leases.get(number).map(|(lease, _)| *lease)).collect()
        };
        Ok(Beat { lost: named(lost), cancelled: named(cancelled), limit_known })
    }
}

/// Adds events as the scripts take them. Workers' clocks do not decide: each event says how long ago it was.
pub(super) fn add_events(script: &mut script::Call, events: &[Happened]) {
    let now = Instant::now();
    for event in events {
        script.arg(millis(now.duration_since(event.at))).arg(event.what.as_str()).arg(&event.detail);
    }
}
