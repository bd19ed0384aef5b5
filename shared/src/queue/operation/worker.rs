//! What workers say of themselves and of their pools.

use std::{sync::PoisonError, time::Duration};

use redis::{cmd, pipe};
use serde::{Deserialize, Serialize};

use super::{Queue, keys, millis, script};
use crate::{
    model::{PoolName, WorkerName},
    queue::QueueError,
};

/// What a worker says of itself with every beat.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Announcement {
    /// How many runners it may have at once.
    pub capacity: u64,
    /// How many it has.
    pub runners: u64,
    /// The pools that it serves.
    pub pools: Vec<PoolName>,
    /// What keeps it from starting any runner, such as that its engine is away.
    #[serde(default)]
    pub problem: Option<String>,
}

/// An announcement with its time, by the store's clock, in milliseconds.
#[derive(Debug, Deserialize, Serialize)]
pub(super) struct Announced {
    pub(super) at: u64,
    #[serde(flatten)]
    pub(super) said: Announcement,
}

/// Goes through pools.
pub(super) struct PoolSearch<'a> {
    queue: &'a Queue,
    first: PoolName,
    begun: bool,
    /// Those that come after the first, once somebody asks for them.
    others: Option<std::vec::IntoIter<PoolName>>,
}

impl PoolSearch<'_> {
    /// The next pool.
    pub(super) async fn next(&mut self) -> Result<Option<PoolName>, QueueError> {
        if !self.begun {
            self.begun = true;
            return Ok(Some(self.first.clone()));
        }
        let others = match &mut self.others {
            Some(others) => others,
            none => none.insert(self.queue.pools().await?.into_iter()),
        };
        Ok(others.find(|other| *other != self.first))
    }
}

impl Queue {
    /// Lets no job of `pools` start for `pause`, because GitHub told one worker to wait. A longer pause stays.
    ///
    /// # Errors
    ///
    /// Those that [are transient](QueueError::is_transient).
    pub async fn pause(&self, pools: &[PoolName], pause: Duration, reason: &str) -> Result<(), QueueError> {
        for pool in pools {
            let mut script = script::PAUSE.key(&keys::prefix(pool));
            script.arg(millis(pause).max(1)).arg(reason);
            let _counts: bool = self.store.script(&script).await?;
        }
        Ok(())
    }

    /// Stops a pool whose runners cannot work, and says why: of its jobs only one is started now and then, `again` after the last,
    /// and once that one's runner has taken a job, the others as well. May be repeated.
    ///
    /// # Errors
    ///
    /// Those that [are transient](QueueError::is_transient).
    pub async fn stop(&self, pool: &PoolName, again: Duration, why: &str) -> Result<(), QueueError> {
        let mut script = script::STOP.key(&keys::prefix(pool));
        script.arg(millis(again).max(1)).arg(why);
        let _stopped: bool = self.store.script(&script).await?;
        Ok(())
    }

    /// Has those of `pools` that are stopped tried again now, each by one job.
    ///
    /// # Errors
    ///
    /// Those that [are transient](QueueError::is_transient).
    pub async fn try_again(&self, pools: &[PoolName]) -> Result<(), QueueError> {
        for pool in pools {
            let _was_stopped: bool = self.store.script(&script::TRY.key(&keys::prefix(pool))).await?;
        }
        Ok(())
    }

    /// Says that a worker is there, and which pools are.
    ///
    /// # Errors
    ///
    /// Those that [are transient](QueueError::is_transient).
    pub async fn announce(&self, worker: &WorkerName, said: Announcement) -> Result<(), QueueError> {
        // A store that has lost the list of pools would not find the jobs in them.
        self.list_again(&said.pools).await?;
        let announced = Announced { at: self.time().await?, said };
        let text = serde_json::to_string(&announced).map_err(QueueError::store)?;
        let command = cmd("HSET").arg(keys::WORKERS).arg(worker.as_str()).arg(text).to_owned();
        let _new: u32 = self.store.query(&command).await?;
        Ok(())
    }

    /// Takes a worker that stops off the list.
    ///
    /// # Errors
    ///
    /// Those that [are transient](QueueError::is_transient).
    pub async fn retire(&self, worker: &WorkerName) -> Result<(), QueueError> {
        let command = cmd("HDEL").arg(keys::WORKERS).arg(worker.as_str()).to_owned();
        let _gone: u32 = self.store.query(&command).await?;
        Ok(())
    }

    /// The store's clock, in milliseconds since 1970.
    ///
    /// # Errors
    ///
    /// Those that [are transient](QueueError::is_transient).
    pub async fn time(&self) -> Result<u64, QueueError> {
        let (seconds, micros): (u64, u64) = self.store.query(&cmd("TIME")).await?;
        Ok(seconds * 1000 + micros / 1000)
    }

    /// Puts a pool on the list of pools, once in a process.
    pub(super) async fn list_pool(&self, pool: &PoolName) -> Result<(), QueueError> {
        if self.listed.lock().unwrap_or_else(PoisonError::into_inner).contains(pool) {
            return Ok(());
        }
        self.list_again(std::slice::from_ref(pool)).await?;
        self.listed.lock().unwrap_or_else(PoisonError::into_inner).insert(pool.clone());
        Ok(())
    }

    /// The same each time, for a store may lose the list.
    ///
    /// Whoever moves the jobs to another store closes this one and then looks which pools there are: a pool that is put on the
    /// list meanwhile is found there, or it is found out here that the store was closed.
    pub(super) async fn list_again(&self, pools: &[PoolName]) -> Result<(), QueueError> {
        let names: Vec<&str> = pools.iter().map(PoolName::as_str).collect();
        if names.is_empty() {
            return Ok(());
        }
        let mut commands = pipe();
        commands.sadd(keys::POOLS, names).exists(keys::MOVED);
        let (_added, moved): (u32, bool) = self.store.pipeline(&commands).await?;
        if moved { Err(QueueError::moved()) } else { Ok(()) }
    }

    /// Goes through every pool that the queue knows, `first` before the others: only whoever does not find there what is
    /// looked for needs to know which others there are.
    pub(super) fn pools_from(&self, first: &PoolName) -> PoolSearch<'_> {
        PoolSearch { queue: self, first: first.clone(), others: None, begun: false }
    }

    /// Every pool that the queue knows, by name.
    pub(super) async fn pools(&self) -> Result<Vec<PoolName>, QueueError> {
        let names: Vec<String> = self.store.query(cmd("SMEMBERS").arg(keys::POOLS)).await?;
        let mut pools: Vec<PoolName> = names.iter().filter_map(|name| name.parse().ok()).collect();
        pools.sort();
        Ok(pools)
    }
}
