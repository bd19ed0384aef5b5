//! The seam between the queue and what keeps it: a store runs scripts and commands, wakes who waits, and says what it is.
//!
//! The language is Redis' own, for both stores: a transition of the queue is written once.

use std::time::Duration;

use redis::{Cmd, FromRedisValue, Pipeline};
use secrecy::ExposeSecret as _;

use super::{QueueConfig, QueueError, StoreFacts, redis::Redis, script::Call, sqlite::Sqlite};

/// How long one command may take, so that a request that also had to connect is over within two seconds.
pub(super) const RESPONSE_TIMEOUT: Duration = Duration::from_millis(1500);

/// The longest single wait for a wake-up. A wake-up that got lost costs at most this, never a job.
pub(super) const WAIT_MAX: Duration = Duration::from_secs(5);

/// What keeps the queue.
#[derive(Clone, Debug)]
pub(super) enum Store {
    Redis(Redis),
    Sqlite(Sqlite),
}

impl Store {
    /// The store that `QUEUE_URL` names. Nothing is connected or opened yet.
    pub(super) fn new(config: &QueueConfig) -> Result<Self, QueueError> {
        match config.url.expose_secret().strip_prefix("sqlite:") {
            Some(path) => Sqlite::new(path).map(Self::Sqlite),
            None => Redis::new(config).map(Self::Redis),
        }
    }

    /// The same store over other connections. What one process has of a file is one already.
    pub(super) fn apart(&self) -> Self {
        match self {
            Self::Redis(redis) => Self::Redis(redis.apart()),
            Self::Sqlite(sqlite) => Self::Sqlite(sqlite.clone()),
        }
    }

    /// Sends a command.
    pub(super) async fn query<T: FromRedisValue>(&self, command: &Cmd) -> Result<T, QueueError> {
        match self {
            Self::Redis(redis) => redis.query(command).await,
            Self::Sqlite(sqlite) => sqlite.query(command).await,
        }
    }

    /// Sends several commands at once. Their keys are of one pool.
    pub(super) async fn pipeline<T: FromRedisValue>(&self, commands: &Pipeline) -> Result<T, QueueError> {
        match self {
            Self::Redis(redis) => redis.pipeline(commands).await,
            Self::Sqlite(sqlite) => sqlite.pipeline(commands).await,
        }
    }

    /// Runs a script, as a whole or not at all.
    pub(super) async fn script<T: FromRedisValue>(&self, call: &Call) -> Result<T, QueueError> {
        match self {
            Self::Redis(redis) => redis.script(call).await,
            Self::Sqlite(sqlite) => sqlite.script(call).await,
        }
    }

    /// Lets go of it in an orderly way.
    pub(super) fn close(&self) {
        match self {
            Self::Redis(_) => {} // a server sees for itself that somebody is gone
            Self::Sqlite(sqlite) => sqlite.close(),
        }
    }

    /// Waits until one of the markers is there, and takes it. Cancel-safe: a marker that nobody hears of is set again by the
    /// next change.
    pub(super) async fn wait(&self, markers: &[String], at_most: Duration) -> Result<(), QueueError> {
        match self {
            Self::Redis(redis) => redis.wait(markers, at_most).await,
            Self::Sqlite(sqlite) => sqlite.wait(markers, at_most).await,
        }
    }

    /// What it is.
    pub(super) async fn facts(&self) -> Result<StoreFacts, QueueError> {
        match self {
            Self::Redis(redis) => redis.facts().await.map(StoreFacts::Servers),
            Self::Sqlite(sqlite) => sqlite.facts().map(StoreFacts::File),
        }
    }

    /// What may lose jobs, a line each.
    pub(super) async fn check(&self) -> Result<Vec<String>, QueueError> {
        match self {
            Self::Redis(redis) => redis.check().await,
            Self::Sqlite(sqlite) => sqlite.check().await,
        }
    }
}
