//! What keys are called. A pool's keys share its name as their hash tag, and so a slot of a cluster.

use crate::{
    model::{Caller, DeliveryId, JobId, PoolName},
    queue::Memo,
};

/// The set of all pools that ever had a job or a worker.
pub(super) const POOLS: &str = "gha:pools";

/// There once the jobs were moved to another store, or are being moved. It has the slot of [`POOLS`]: on a cluster no other node is
/// needed to tell.
pub(super) const MOVED: &str = "gha:{gha:pools}:moved";

/// What tells the store from others, for a moment.
pub(super) const IDENTITY: &str = "gha:identity";

/// The hash of workers: name to what it said last, as JSON.
pub(super) const WORKERS: &str = "gha:workers";

/// The hash of where jobs come from: repository to what a delivery said last, as JSON.
pub(super) const SEEN: &str = "gha:{gha:reconcile}:seen";

/// Who compares the queue with GitHub, or did so last, while nobody else is to.
pub(super) const TURN: &str = "gha:{gha:reconcile}:turn";

/// The hash of deliveries that were refused for their signature: how many, and when the last one was.
pub(super) const REFUSED: &str = "gha:refused";

/// The prefix of the records of jobs that no pool takes. No pool can be called so.
pub(super) const UNMATCHED: &str = "gha:{*}:";

/// The prefix of a pool's keys.
pub(super) fn prefix(pool: &PoolName) -> String {
    format!("gha:{{{pool}}}:")
}

/// The prefix of what is counted of a caller's calls to GitHub. No pool can be called so.
pub(super) fn caller(caller: &Caller) -> String {
    format!("gha:{{github:{caller}}}:")
}

/// There once the jobs under a prefix were moved to another store, or are being moved.
pub(super) fn moved(prefix: &str) -> String {
    format!("{prefix}moved")
}

/// The hash of a job.
pub(super) fn job(prefix: &str, job: JobId) -> String {
    format!("{prefix}job:{job}")
}

/// The list of what happened to a job.
pub(super) fn events(prefix: &str, job: JobId) -> String {
    format!("{prefix}events:{job}")
}

/// The zset of a pool's dead letters, by the time at which they died.
pub(super) fn dead(pool: &PoolName) -> String {
    format!("{}dead", prefix(pool))
}

/// The hash of a pool's limits.
pub(super) fn limits(pool: &PoolName) -> String {
    format!("{}limits", prefix(pool))
}

/// The hash of why a pool is stopped, and when it is tried again.
pub(super) fn stopped(pool: &PoolName) -> String {
    format!("{}stopped", prefix(pool))
}

/// Why no job of a pool is started, for as long as it is there.
pub(super) fn paused(pool: &PoolName) -> String {
    format!("{}paused", prefix(pool))
}

/// The hash of how long jobs of a pool had waited that began to run in a quarter of an hour, counted from 1970 on.
pub(super) fn waits(pool: &PoolName, quarter: u64) -> String {
    format!("{}waits:{quarter}", prefix(pool))
}

/// There while a pool was audited of late.
pub(super) fn audit(pool: &PoolName) -> String {
    format!("{}audit", prefix(pool))
}

/// The time until which others were told of the jobs that ended in a pool.
pub(super) fn told(pool: &PoolName) -> String {
    format!("{}told", prefix(pool))
}

/// Who tells of them.
pub(super) fn telling(pool: &PoolName) -> String {
    format!("{}telling", prefix(pool))
}

/// The zset that holds one member while there may be work.
pub(super) fn wake(pool: &PoolName) -> String {
    format!("{}wake", prefix(pool))
}

/// The hash of what is kept in mind from one comparison with GitHub to the next.
pub(super) fn memo(memo: Memo) -> String {
    format!("gha:{{gha:reconcile}}:{}", memo.as_str())
}

/// There while it is remembered that a delivery was asked for again.
pub(super) fn redelivery(delivery: &DeliveryId) -> String {
    format!("gha:{{gha:reconcile}}:redelivery:{delivery}")
}
