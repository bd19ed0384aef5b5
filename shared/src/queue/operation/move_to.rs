//! How all that there is goes to another store.

use std::collections::{BTreeSet, HashMap};

use redis::{Value, cmd, pipe};

use super::{Queue, keys, millis, script};
use crate::{
    model::{JobState, PoolName},
    queue::{Moved, MovedPool, QueueError},
};

/// How many jobs are moved at once.
const PAGE: usize = 100;

/// How long a store is told from others by what was written into it.
const IDENTITY_MEMORY: std::time::Duration = std::time::Duration::from_secs(10);

/// What stands next in a list or a set, and all that there is to say of each job: its id, its state, and more that only the
/// scripts understand.
type Page = (Vec<String>, Vec<Vec<Vec<u8>>>);

impl Queue {
    /// Moves all jobs and records to `target`, with the pools' limits and what is remembered of where jobs come from, and closes this
    /// store for good: whoever goes on using it is refused from the first moment on, with an error that
    /// [is transient](QueueError::is_transient) and says what to do.
    ///
    /// Jobs that wait stay in their order within a scope, and have waited since when they did. Those that a worker holds keep their slot,
    /// and their worker has one lease's time to adopt them, from its first call to `target` on. Records expire when they would have. Of a
    /// job that `target` knows already, its own record counts; of limits, those that were set there.
    ///
    /// Not moved are the GUIDs of deliveries (jobs are known by their ids), counters, what workers said of themselves, what is
    /// counted of calls to GitHub, and pauses that it asked for.
    ///
    /// May be repeated after an error, or after it was interrupted anywhere, and goes on from there; this store stays closed until
    /// then. If `target` was moved away from before, it is opened again.
    ///
    /// # Errors
    ///
    /// [`QueueError::SameStore`], before anything has happened. Those that [are transient](QueueError::is_transient), of either store.
    pub async fn move_to(&self, target: &Self) -> Result<Moved, QueueError> {
        if self.is_same_store(target).await? {
            return Err(QueueError::SameStore);
        }
        let pools = self.close().await?;
        target.open(&pools).await?;
        target.list_again(&pools).await?;
        let mut moved = Moved::default();
        for pool in pools {
            moved.pools.push(self.move_pool(target, pool).await?);
        }
        self.move_jobs(target, keys::UNMATCHED, "ended", |_| moved.unmatched += 1).await?;
        self.move_seen(target).await?;
        Ok(moved)
    }

    /// Whether what is written here can be read there: addresses may differ that lead to the same store.
    async fn is_same_store(&self, other: &Self) -> Result<bool, QueueError> {
        let ours = format!("{:032x}", fastrand::u128(..));
        let write = cmd("SET").arg(keys::IDENTITY).arg(&ours).arg("PX").arg(millis(IDENTITY_MEMORY)).to_owned();
        let _ok: String = self.store.query(&write).await?;
        let theirs: Option<String> = other.store.query(cmd("GET").arg(keys::IDENTITY)).await?;
        Ok(theirs == Some(ours))
    }

    /// Closes the store, and returns the pools that it has. One that is put on the list later is found out by whoever did
    /// that (`list_again`), so there will be nothing in it.
    async fn close(&self) -> Result<Vec<PoolName>, QueueError> {
        self.mark(keys::MOVED).await?;
        let pools = self.pools().await?;
        for prefix in prefixes(&pools) {
            self.mark(&keys::moved(&prefix)).await?;
        }
        Ok(pools)
    }

    async fn mark(&self, key: &str) -> Result<(), QueueError> {
        let _ok: String = self.store.query(cmd("SET").arg(key).arg(1)).await?;
        Ok(())
    }

    /// Opens the store, for `pools` and for its own.
    async fn open(&self, pools: &[PoolName]) -> Result<(), QueueError> {
        let all: BTreeSet<PoolName> = self.pools().await?.into_iter().chain(pools.iter().cloned()).collect();
        let marks = prefixes(&all).map(|prefix| keys::moved(&prefix));
        for mark in marks.chain([keys::MOVED.to_owned()]) {
            let _gone: u32 = self.store.query(cmd("DEL").arg(mark)).await?;
        }
        Ok(())
    }

    async fn move_pool(&self, target: &Self, pool: PoolName) -> Result<MovedPool, QueueError> {
        let prefix = keys::prefix(&pool);
        // First the slots that are taken, then how many there may be, and then who waits for one: workers may be at `target` already.
        let mut from = vec!["lease".to_owned()];
        from.extend(self.scopes(&prefix).await?.iter().map(|scope| format!("pending:{scope}")));
        from.extend(["queued", "delayed", "dead", "ended"].map(str::to_owned));
        let mut moved = MovedPool::new(pool);
        for (number, from) in from.iter().enumerate() {
            self.move_jobs(target, &prefix, from, |state| *moved.jobs.entry(state).or_default() += 1).await?;
            if number == 0 {
                self.move_limits(target, &moved.name).await?;
            }
        }
        Ok(moved)
    }

    /// The scopes of jobs that wait.
    async fn scopes(&self, prefix: &str) -> Result<Vec<String>, QueueError> {
        let ring = cmd("ZRANGE").arg(format!("{prefix}ring")).arg(0).arg(-1).to_owned();
        let mut scopes: Vec<String> = self.store.query(&ring).await?;
        let parked: Vec<String> = self.store.query(cmd("SMEMBERS").arg(format!("{prefix}parked"))).await?;
        scopes.extend(parked);
        Ok(scopes)
    }

    /// Moves the jobs of a list or a set, and tells `count` the state of each.
    async fn move_jobs(
        &self,
        target: &Self,
        prefix: &str,
        from: &str,
        mut count: impl FnMut(JobState),
    ) -> Result<(), QueueError> {
        loop {
            let (entries, jobs): Page = self.store.script(script::EXPORT.key(prefix).arg(from).arg(PAGE)).await?;
            if entries.is_empty() {
                return Ok(());
            }
            let mut import = script::IMPORT.key(prefix);
            import.arg(self.lease_ms());
            for job in &jobs {
                import.arg(job);
            }
            let _taken: Value = target.store.script(&import).await?;
            let _gone: Value = self.store.script(script::REMOVE.key(prefix).arg(from).arg(entries)).await?;
            for job in &jobs {
                let state = job.get(1).and_then(|state| std::str::from_utf8(state).ok()?.parse().ok());
                count(state.ok_or_else(|| QueueError::unexpected(&job.get(1)))?);
            }
        }
    }

    /// Moves the limits that `target` does not have: those that an operator has set, and, if no worker has told it any, those of the settings.
    async fn move_limits(&self, target: &Self, pool: &PoolName) -> Result<(), QueueError> {
        let key = keys::limits(pool);
        let fields: HashMap<String, String> = self.store.query(cmd("HGETALL").arg(&key)).await?;
        let told: bool = target.store.query(cmd("HEXISTS").arg(&key).arg("pool")).await?;
        let mut commands = pipe();
        for (field, value) in fields.iter().filter(|(field, _)| field.starts_with("set:") || !told) {
            commands.hset_nx(&key, field, value);
        }
        if !commands.is_empty() {
            let _new: Vec<bool> = target.store.pipeline(&commands).await?;
        }
        // Should the jobs come back one day, it is the limits of then that count.
        let _gone: u32 = self.store.query(cmd("DEL").arg(&key)).await?;
        Ok(())
    }
}

/// The prefixes of pools, and of jobs that no pool takes.
fn prefixes<'a>(pools: impl IntoIterator<Item = &'a PoolName>) -> impl Iterator<Item = String> {
    pools.into_iter().map(keys::prefix).chain([keys::UNMATCHED.to_owned()])
}
