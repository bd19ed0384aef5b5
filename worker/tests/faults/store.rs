//! What keeps the queue.

use std::{collections::BTreeMap, io, path::PathBuf};

use devstack::harness::{Clock, RedisServer};
use tempfile::TempDir;

use crate::{probe::Probe, spec::Options};

/// Which of the stores.
#[allow(dead_code, reason = "each of the programs that share this has one of them")]
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Kind {
    Redis,
    Sqlite,
}

/// A store of a world's own.
pub(crate) enum Store {
    Redis(RedisServer),
    /// A file; and the clock of the machine on which all processes run, if it is to be set.
    Sqlite(TempDir, Option<Clock>),
}

impl Store {
    pub(crate) async fn start(options: &Options) -> Self {
        let arguments = options.redis.clone();
        match (crate::STORE, options.clock) {
            (Kind::Redis, true) => Self::Redis(RedisServer::start_with_clock(arguments).await.unwrap()),
            (Kind::Redis, false) => Self::Redis(RedisServer::start_with(arguments).await.unwrap()),
            (Kind::Sqlite, clock) => Self::Sqlite(tempfile::tempdir().unwrap(), clock.then(|| Clock::make().unwrap())),
        }
    }

    /// Its address, for `QUEUE_URL`.
    pub(crate) fn url(&self) -> String {
        match self {
            Self::Redis(redis) => redis.url(),
            Self::Sqlite(folder, _) => format!("sqlite:{}", file(folder).display()),
        }
    }

    pub(crate) fn redis(&mut self) -> &mut RedisServer {
        let Self::Redis(redis) = self else { panic!("it is no Redis") };
        redis
    }

    /// Sets the clock that the queue goes by.
    pub(crate) fn set_clock(&self, ahead: i64) {
        match self {
            Self::Redis(redis) => redis.set_clock(ahead).unwrap(),
            Self::Sqlite(_, clock) => clock.as_ref().unwrap().set(ahead).unwrap(),
        }
    }

    /// What the processes need that use it.
    pub(crate) fn variables(&self) -> BTreeMap<String, String> {
        let Self::Sqlite(_, Some(clock)) = self else { return BTreeMap::new() };
        clock.variables().map(|(name, path)| (name.to_owned(), path.display().to_string())).into()
    }

    /// Connects to it past the queue; not while it is away.
    pub(crate) fn probe(&self) -> io::Result<Probe> {
        self.way().probe()
    }

    /// The same later, in another thread.
    pub(crate) fn way(&self) -> Way {
        match self {
            Self::Redis(redis) => Way::Redis(redis.port()),
            Self::Sqlite(folder, _) => Way::Sqlite(file(folder)),
        }
    }

    /// How many there are in a sorted set of a pool; nothing while the store is away.
    pub(crate) fn count(&self, pool: &str, set: &str) -> Option<u64> {
        self.count_together(pool, &[set])
    }

    /// The same of several, at one moment.
    pub(crate) fn count_together(&self, pool: &str, sets: &[&str]) -> Option<u64> {
        let keys: Vec<String> = sets.iter().map(|set| format!("gha:{{{pool}}}:{set}")).collect();
        self.probe().ok()?.count(&keys).ok()
    }
}

/// How a store is reached past the queue.
#[derive(Clone, Debug)]
pub(crate) enum Way {
    Redis(u16),
    Sqlite(PathBuf),
}

impl Way {
    pub(crate) fn probe(&self) -> io::Result<Probe> {
        match self {
            Self::Redis(port) => Probe::redis(*port),
            Self::Sqlite(file) => Probe::file(file),
        }
    }
}

fn file(folder: &TempDir) -> PathBuf {
    folder.path().join("queue.db")
}
