//! How a worker waits for jobs.

use std::{
    collections::{HashMap, hash_map::Entry},
    sync::Arc,
    time::Duration,
};

use redis::{Cmd, Value, cmd};
use tokio::{sync::Mutex, task::JoinSet, time::timeout};

use super::{RESPONSE_TIMEOUT, RedisQueue, connection::Connection, keys, server::Server};
use crate::{model::PoolName, queue::QueueError};

/// The longest single wait for a wake-up. A wake-up that got lost costs at most this, never a job.
const WAIT_MAX: Duration = Duration::from_secs(5);

/// The connections that block.
#[derive(Debug)]
pub(super) struct Waiting {
    server: Server,
    all: Arc<Connection>,
    each: Mutex<Each>,
}

/// Waits for pools whose markers are on different servers: a call for each, on a connection of its own.
#[derive(Debug, Default)]
struct Each {
    pools: HashMap<PoolName, Pool>,
    /// They go on when the wait that began them has ended by another: a call that is given up half-way would take a
    /// marker that nobody hears of.
    calls: JoinSet<(PoolName, Result<Option<Value>, QueueError>)>,
}

#[derive(Debug)]
struct Pool {
    connection: Arc<Connection>,
    called: bool,
}

impl Waiting {
    pub(super) fn new(server: Server) -> Self {
        Self { all: Arc::new(connection(&server)), server, each: Mutex::default() }
    }
}

fn connection(server: &Server) -> Connection {
    Connection::new(server.clone(), WAIT_MAX + RESPONSE_TIMEOUT)
}

/// Takes a marker, of which there is one for each pool that has work.
fn take_marker(pools: &[PoolName], at_most: Duration) -> Cmd {
    let mut command = cmd("BZPOPMIN");
    for pool in pools {
        command.arg(keys::wake(pool));
    }
    command.arg(at_most.max(Duration::from_millis(1)).as_secs_f64()).to_owned()
}

impl Each {
    /// Sees to it that each of the pools is waited for.
    fn call(&mut self, pools: &[PoolName], server: &Server) {
        for pool in pools {
            let entry = match self.pools.entry(pool.clone()) {
                Entry::Occupied(entry) => entry.into_mut(),
                Entry::Vacant(entry) => entry.insert(Pool { connection: Arc::new(connection(server)), called: false }),
            };
            if !std::mem::replace(&mut entry.called, true) {
                let (pool, connection) = (pool.clone(), Arc::clone(&entry.connection));
                self.calls.spawn(async move {
                    let marker = connection.query(&take_marker(std::slice::from_ref(&pool), WAIT_MAX)).await;
                    (pool, marker)
                });
            }
        }
    }

    /// Waits until one of the calls has ended, and says whether it has taken a marker. Cancel-safe.
    async fn ended(&mut self) -> Result<bool, QueueError> {
        let Some(Ok((pool, result))) = self.calls.join_next().await else {
            // There is nothing in a call that could panic; were it so, all would be called anew.
            *self = Self::default();
            return Ok(true);
        };
        if let Some(pool) = self.pools.get_mut(&pool) {
            pool.called = false;
        }
        result.map(|marker| marker.is_some())
    }
}

impl RedisQueue {
    /// Waits until there may be work in one of `pools`, for `at_most` or five seconds, whichever is less.
    ///
    /// Cancel-safe: what it takes from the store is only a marker, which every change of the queue sets again.
    ///
    /// # Errors
    ///
    /// Those that [are transient](QueueError::is_transient): pause, for it did not wait.
    pub async fn wait(&self, pools: &[PoolName], at_most: Duration) -> Result<(), QueueError> {
        let at_most = at_most.min(WAIT_MAX);
        let waiting = &self.waiting;
        if pools.len() < 2 || !waiting.server.is_cluster() {
            let _marker: Value = waiting.all.query(&take_marker(pools, at_most)).await?;
            return Ok(());
        }
        let one = async {
            let mut each = waiting.each.lock().await;
            loop {
                each.call(pools, &waiting.server);
                if each.ended().await? {
                    return Ok(());
                }
            }
        };
        timeout(at_most, one).await.unwrap_or(Ok(()))
    }
}
