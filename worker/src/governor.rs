//! Keeps the calls of all workers within GitHub's limits: the queue's store counts for all of them.
//!
//! While the store is away calls are made uncounted, but for what this worker has itself heard: when GitHub wants no calls, it
//! makes none. The store is asked again some seconds later, so that calls do not wait for it one by one.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use futures_util::{FutureExt as _, future::BoxFuture};
use shared::{
    backoff::Backoff,
    github::Governor,
    model::{Admission, Caller, Demand, Heard, Hold, Ticket, Verdict},
    queue::{Queue, QueueError},
    telemetry::chain,
};
use tokio::{
    sync::Notify,
    time::{Instant, sleep, timeout},
};
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use crate::metrics::Metrics;

/// The longest that a call waits in place; a job whose call has to wait for longer is given back.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long the store may take to say whether a call may be made.
const STORE_PATIENCE: Duration = Duration::from_secs(2);

/// For so long a store that did not say is not asked again.
const AWAY: Duration = Duration::from_secs(5);

/// How long no calls are made after a limit that GitHub gave no time for; the store knows if it was one of several.
const UNTOLD: Duration = Duration::from_mins(1);

/// The most answers that are kept for a store that is away: the oldest are worth the least.
const KEPT: usize = 1000;

/// Decides about this worker's calls, together with all other workers.
#[derive(Debug)]
pub struct QueueGovernor {
    queue: Queue,
    metrics: Metrics,
    local: Mutex<Local>,
    /// There is something to tell the store.
    news: Notify,
}

/// What this worker knows by itself.
#[derive(Debug, Default)]
struct Local {
    stops: HashMap<Stopped, Stop>,
    /// Until when the store is not asked.
    away: Option<Instant>,
    /// What the store was not told yet.
    untold: VecDeque<(Caller, Ticket, Heard)>,
}

/// Whose calls are not made: of one kind, or all.
type Stopped = (Caller, Option<String>);

/// Until when no calls are made, and what GitHub said.
#[derive(Clone, Debug)]
struct Stop {
    until: Instant,
    said: String,
}

impl QueueGovernor {
    /// A governor that counts in `queue`.
    #[must_use]
    pub fn new(queue: Queue, metrics: Metrics) -> Self {
        Self { queue, metrics, local: Mutex::default(), news: Notify::new() }
    }

    /// Tells the store how calls were answered, until `stop`. It is away from no call's way: whoever called goes on meanwhile.
    pub async fn run(&self, stop: CancellationToken) {
        let mut failures = 0;
        loop {
            let told = self.tell().await;
            if let Err(error) = &told {
                debug!(error = %chain(error), "Cannot tell the other workers how GitHub answers yet");
            }
            failures = if told.is_ok() { 0 } else { failures + 1 };
            let next = async {
                match told {
                    Ok(()) => self.news.notified().await,
                    Err(_) => sleep(Backoff::RECONNECT.jittered(failures).max(Backoff::RECONNECT.base)).await,
                }
            };
            if stop.run_until_cancelled(next).await.is_none() {
                return;
            }
        }
    }

    async fn tell(&self) -> Result<(), QueueError> {
        loop {
            let Some((caller, ticket, heard)) = self.local().untold.pop_front() else { return Ok(()) };
            match self.queue.heard(&caller, ticket, &heard).await {
                Ok(wait) => self.local().learn(&caller, &heard, Some(wait), Instant::now()),
                Err(error) => {
                    self.local().untold.push_front((caller, ticket, heard));
                    return Err(error);
                }
            }
        }
    }

    /// Waits for a call's turn, in place if it is not long.
    async fn turn(&self, demand: &Demand) -> Result<Option<Ticket>, Hold> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let hold = match self.admission(demand, deadline).await {
                None => return Ok(None),
                Some(Admission::Wait(hold)) => hold,
                Some(Admission::Go { delay, ticket }) => {
                    sleep(delay).await;
                    let Some(hold) = self.stop(demand) else { return Ok(Some(ticket)) };
                    // GitHub has said meanwhile that it wants no calls.
                    self.keep(&demand.caller, ticket, not_made(demand));
                    hold
                }
            };
            if hold.wait > deadline.saturating_duration_since(Instant::now()) {
                return Err(hold);
            }
            sleep(hold.wait).await;
        }
    }

    /// Whether a call may be made before `deadline`; nothing while the store is away that counts.
    async fn admission(&self, demand: &Demand, deadline: Instant) -> Option<Admission> {
        match self.stop(demand) {
            Some(hold) => Some(Admission::Wait(hold)),
            None => self.ask(demand, deadline.saturating_duration_since(Instant::now())).await,
        }
    }

    /// Why a call has to wait, by what this worker has heard itself.
    fn stop(&self, demand: &Demand) -> Option<Hold> {
        self.local().stop(demand, Instant::now())
    }

    async fn ask(&self, demand: &Demand, longest: Duration) -> Option<Admission> {
        if self.local().away.is_some_and(|until| Instant::now() < until) {
            return None;
        }
        let problem = match timeout(STORE_PATIENCE, self.queue.admit(demand, longest)).await {
            Ok(Ok(admission)) => return Some(admission),
            Ok(Err(error)) => chain(&error),
            Err(_elapsed) => "it does not answer".to_owned(),
        };
        warn!(error = problem, "Cannot ask the queue whether GitHub's limits leave room; calling without");
        self.local().away = Some(Instant::now() + AWAY);
        None
    }

    fn keep(&self, caller: &Caller, ticket: Ticket, heard: Heard) {
        let mut local = self.local();
        if local.untold.len() == KEPT {
            local.untold.pop_front();
        }
        local.untold.push_back((caller.clone(), ticket, heard));
        drop(local);
        self.news.notify_one();
    }

    fn local(&self) -> MutexGuard<'_, Local> {
        self.local.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Governor for QueueGovernor {
    fn admit<'a>(&'a self, demand: &'a Demand) -> BoxFuture<'a, Result<Option<Ticket>, Hold>> {
        let turn = async {
            let turn = self.turn(demand).await;
            if let Err(hold) = &turn {
                debug!(limit = hold.limit, seconds = hold.wait.as_secs(), "A call has to wait for GitHub's rate limit");
                self.metrics.held_back(demand.endpoint.as_deref().unwrap_or_default());
            }
            turn
        };
        turn.boxed()
    }

    fn heard(&self, caller: &Caller, ticket: Option<Ticket>, heard: Heard) {
        self.metrics.called_github(caller, &heard);
        if let Verdict::Limited { said, .. } = &heard.verdict {
            warn!(said, "GitHub's rate limit is reached");
        }
        self.local().learn(caller, &heard, None, Instant::now());
        self.keep(caller, ticket.unwrap_or(Ticket(0)), heard);
    }
}

/// What becomes of the ticket of a call that was not made.
fn not_made(demand: &Demand) -> Heard {
    Heard {
        endpoint: demand.endpoint.clone().unwrap_or_default(),
        status: None,
        bucket: None,
        verdict: Verdict::Failed,
    }
}

impl Local {
    /// Takes in that GitHub wants no calls, if that is what was heard: for as long as `told` by the store, or as the answer
    /// says. A longer stop stays.
    fn learn(&mut self, caller: &Caller, heard: &Heard, told: Option<Duration>, now: Instant) {
        let Verdict::Limited { wait, said } = &heard.verdict else { return };
        let empty = heard.bucket.as_ref().filter(|bucket| bucket.remaining == 0 && wait.is_none());
        let (of, wait) = match empty {
            Some(bucket) => (Some(heard.endpoint.clone()), bucket.reset),
            None => (None, told.or(*wait).unwrap_or(UNTOLD)),
        };
        self.stops.retain(|_, stop| stop.until > now);
        let stop = Stop { until: now + wait, said: said.clone() };
        let known = self.stops.entry((caller.clone(), of)).or_insert_with(|| stop.clone());
        if known.until < stop.until {
            *known = stop;
        }
    }

    /// Why a call has to wait, by what this worker has heard itself.
    fn stop(&self, demand: &Demand, now: Instant) -> Option<Hold> {
        let kinds = [None, Some(demand.endpoint.clone().unwrap_or_default())];
        let stops = kinds.into_iter().filter_map(|kind| self.stops.get(&(demand.caller.clone(), kind)));
        let stop = stops.filter(|stop| stop.until > now).max_by_key(|stop| stop.until)?;
        Some(Hold { wait: stop.until - now, limit: stop.said.clone(), all: true })
    }
}

#[cfg(test)]
mod tests {
    use shared::model::{Bucket, CallerKind};

    use super::*;

    fn demand(caller: &str, endpoint: &str) -> Demand {
        let caller = Caller::new(CallerKind::Token, caller.to_owned());
        Demand { caller, endpoint: Some(endpoint.to_owned()), urgent: false, paces: Vec::new() }
    }

    fn limited(wait: Option<u64>, bucket: Option<Bucket>) -> Heard {
        let verdict = Verdict::Limited { wait: wait.map(Duration::from_secs), said: "too many".to_owned() };
        Heard { endpoint: "GET a".to_owned(), status: Some(403), bucket, verdict }
    }

    /// How long calls have to wait, so many seconds after the beginning.
    struct Clock(Local, Instant);

    impl Clock {
        fn start() -> Self {
            Self(Local::default(), Instant::now())
        }

        fn at(&self, seconds: u64) -> Instant {
            self.1 + Duration::from_secs(seconds)
        }

        fn learn(&mut self, seconds: u64, heard: &Heard, told: Option<u64>) {
            let (now, me) = (self.at(seconds), Caller::new(CallerKind::Token, "me".to_owned()));
            self.0.learn(&me, heard, told.map(Duration::from_secs), now);
        }

        fn wait(&self, seconds: u64, caller: &str, endpoint: &str) -> Option<u64> {
            self.0.stop(&demand(caller, endpoint), self.at(seconds)).map(|hold| hold.wait.as_secs())
        }
    }

    #[test]
    fn when_github_wants_no_calls_this_worker_makes_none_until_it_is_over() {
        let mut clock = Clock::start();
        clock.learn(0, &limited(Some(10), None), None);
        assert_eq!((clock.wait(0, "me", "GET b"), clock.wait(0, "you", "GET b")), (Some(10), None));
        clock.learn(1, &limited(Some(3), None), None);
        assert_eq!(clock.wait(1, "me", "GET b"), Some(9), "a longer stop stays");
        clock.learn(1, &limited(None, None), Some(120));
        assert_eq!(clock.wait(1, "me", "GET b"), Some(120), "the store knows that it is not the first");
        assert_eq!(clock.wait(121, "me", "GET b"), None);
        clock.learn(121, &limited(None, None), None);
        assert_eq!(clock.wait(121, "me", "GET b"), Some(60));
    }

    #[test]
    fn a_bucket_that_is_empty_stops_calls_that_are_counted_in_it() {
        let mut clock = Clock::start();
        let bucket = Bucket { resource: "core".to_owned(), limit: 5000, remaining: 0, reset: Duration::from_mins(10) };
        clock.learn(0, &limited(None, Some(bucket)), None);
        assert_eq!((clock.wait(0, "me", "GET a"), clock.wait(0, "me", "GET b")), (Some(600), None));
    }
}
