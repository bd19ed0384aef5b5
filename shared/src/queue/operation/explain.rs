//! Why a job is where it is.

use redis::{cmd, pipe};

use super::{Queue, keys, read::moment};
use crate::{
    model::{JobId, JobState, PoolName, Scope},
    queue::{
        Explanation, JobRecord, QueueError, Reason,
        explanation::{self, Facts, Place},
    },
};

/// How many of those that have a pool's slots are named.
const HOLDERS_MAX: usize = 10;

/// The pool's leases, why the pool is paused and for how many ms, why it is stopped.
type Slots = (u32, Option<String>, i64, Option<String>);

/// The place of a job in its scope's list, counted from the end that is served last, the list's length, how many scopes take turns,
/// how many of them wait at their limit, and some leases.
type Line = (Option<u64>, u64, u64, u64, Vec<String>);

impl Queue {
    /// Says why a job is where it is; of one that is not known, that it is not.
    ///
    /// # Errors
    ///
    /// Those that [are transient](QueueError::is_transient).
    pub async fn explain(&self, id: JobId) -> Result<Explanation, QueueError> {
        let Some(job) = self.job(id).await? else {
            let days = self.config().keep_days.as_secs() / 86_400;
            let mut text = format!(
                "Nothing is known of it: GitHub's delivery of it never came, or it ended more than {days} days ago."
            );
            if let Some((deliveries, last)) = self.refused().await? {
                text += &explanation::refused(deliveries, last);
            }
            return Ok(Explanation { id, state: None, reason: Reason::UnknownJob, text, events: Vec::new() });
        };
        let facts = self.facts(&job).await?;
        let (reason, text) = explanation::explain(&job, &facts);
        Ok(Explanation { id, state: Some(job.state), reason, text, events: job.events })
    }

    async fn facts(&self, job: &JobRecord) -> Result<Facts, QueueError> {
        let mut facts = Facts { attempts_max: self.config().max_attempts, ..Facts::default() };
        let prefix = job.pool.as_ref().map_or_else(|| keys::UNMATCHED.to_owned(), keys::prefix);
        let fields = cmd("HMGET").arg(keys::job(&prefix, job.id)).arg("why").arg("served_by").to_owned();
        (facts.unmatched, facts.served_by) = self.store.query(&fields).await?;
        if let (JobState::Pending, Some(pool), Some(scope)) = (job.state, &job.pool, &job.scope) {
            facts.place = self.places(pool, std::slice::from_ref(scope)).await?.remove(0);
            self.line(&mut facts.place, (pool, scope, job.id)).await?;
        }
        if job.state == JobState::Delayed {
            let score = cmd("ZSCORE").arg(format!("{prefix}delayed")).arg(job.id.get()).to_owned();
            let due: Option<f64> = self.store.query(&score).await?;
            #[allow(clippy::cast_possible_truncation, reason = "it is a whole number of milliseconds")]
            let due = due.map(|due| due as i64);
            facts.due = due.and_then(moment);
        }
        Ok(facts)
    }

    /// What the pending jobs of each of these scopes wait for.
    pub(super) async fn why_pending(&self, pool: &PoolName, scopes: &[Scope]) -> Result<Vec<String>, QueueError> {
        let places = self.places(pool, scopes).await?;
        let why = |(scope, place)| explanation::pending(pool, scope, place).1;
        Ok(scopes.iter().zip(&places).map(why).collect())
    }

    /// What stands between the jobs of each of these scopes and their runners.
    async fn places(&self, pool: &PoolName, scopes: &[Scope]) -> Result<Vec<Place>, QueueError> {
        let prefix = keys::prefix(pool);
        let limits = self.limits_of(pool).await?;
        let mut commands = pipe();
        commands.zcard(format!("{prefix}lease")).get(keys::paused(pool)).pttl(keys::paused(pool));
        commands.hget(keys::stopped(pool), "why");
        let (taken, paused, left, stopped): Slots = self.store.pipeline(&commands).await?;
        let mut commands = pipe();
        for scope in scopes {
            commands.scard(format!("{prefix}active:{scope}"));
        }
        let active: Vec<u32> = self.store.pipeline(&commands).await?;
        let now = self.time().await?;
        let until = moment(i64::try_from(now).unwrap_or(i64::MAX).saturating_add(left.max(0)));
        let mut workers = self.announced().await?;
        workers
            .retain(|(_, worker)| worker.said.pools.contains(pool) && now.saturating_sub(worker.at) < self.lease_ms());
        let workers: Vec<_> = workers.into_iter().map(|(name, worker)| (name, worker.said.problem)).collect();
        let places = scopes.iter().zip(active).map(|(scope, active)| Place {
            stopped: stopped.clone(),
            paused: paused.clone().map(|reason| (reason, until)),
            pool: (taken, limits.max_runners),
            scope: (active, limits.of_scope(scope)),
            workers: workers.clone(),
            ..Place::default()
        });
        Ok(places.collect())
    }

    /// Who is before a job, and who has the slots.
    async fn line(&self, place: &mut Place, (pool, scope, job): (&PoolName, &Scope, JobId)) -> Result<(), QueueError> {
        let prefix = keys::prefix(pool);
        let pending = format!("{prefix}pending:{scope}");
        let mut commands = pipe();
        commands.cmd("LPOS").arg(&pending).arg(job.get()).arg("RANK").arg(-1);
        commands.llen(&pending).zcard(format!("{prefix}ring")).scard(format!("{prefix}parked"));
        commands.cmd("ZRANGE").arg(format!("{prefix}lease")).arg(0).arg(HOLDERS_MAX - 1);
        let (at, waiting, ring, parked, leases): Line = self.store.pipeline(&commands).await?;
        // The list is served from its end. What was withdrawn may stand in it yet, so there may be fewer.
        place.ahead = at.map_or(0, |at| waiting.saturating_sub(at + 1));
        place.scopes = ring + parked;
        // A runner that took another job than its own stands there by its own job and its attempt.
        place.holders = leases.iter().filter_map(|entry| entry.split('~').next()?.parse().ok()).collect();
        Ok(())
    }
}
