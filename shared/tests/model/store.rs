//! The store as it is, and the passing of time in it.

use std::{
    cell::Cell,
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use redis::{Cmd, cmd};
use secrecy::SecretString;
use serde::Deserialize;
use shared::queue::{Queue, QueueConfig};

use super::{
    look::{Kept, Look},
    model::{ATTEMPTS_MAX, Entry},
    world::job_id,
};

/// The pools' names.
pub(crate) const POOLS: [&str; 2] = ["default", "gpu"];

/// The scopes' names.
pub(crate) const SCOPES: [&str; 3] = ["octo/a", "octo/b", "octo"];

/// The keys of a pool, by name: members, fields or places, and what belongs to each.
#[derive(Debug, Default, Deserialize)]
#[serde(transparent)]
pub(crate) struct Keys(pub(crate) BTreeMap<String, serde_json::Value>);

impl Keys {
    pub(crate) fn get(&self, name: &str, member: &str) -> Option<&str> {
        self.0.get(name)?.get(member)?.as_str()
    }

    pub(crate) fn members(&self, name: &str) -> BTreeSet<&str> {
        let members = self.0.get(name).and_then(|value| value.as_object());
        members.into_iter().flatten().map(|(member, _)| member.as_str()).collect()
    }

    /// A list's ids, the next one in front.
    pub(crate) fn list(&self, name: &str) -> Vec<&str> {
        let length = self.members(name).len();
        (1..=length).rev().map(|place| self.get(name, &format!("#{place}")).unwrap()).collect()
    }

    /// The rest of the names that begin so.
    pub(crate) fn names(&self, prefix: &str) -> Vec<&str> {
        self.0.iter().filter(|(_, value)| value.is_object()).filter_map(|(name, _)| name.strip_prefix(prefix)).collect()
    }

    pub(crate) fn count(&self, what: &str) -> u64 {
        self.get("stats", what).map_or(0, |number| number.parse().unwrap())
    }
}

pub(crate) struct Store {
    pub(crate) queue: Queue,
    look: Look,
    /// A time long past, later than all that were given out.
    past: Cell<u64>,
}

impl Store {
    /// An empty store.
    pub(crate) async fn connect(kept: &Kept) -> Self {
        let config = QueueConfig {
            url: SecretString::from(kept.empty()),
            lease_seconds: Duration::from_hours(1), // that it does not run out by itself, however slow this machine is
            max_attempts: ATTEMPTS_MAX,
            ..QueueConfig::default()
        };
        let queue = Queue::new(&config).unwrap();
        queue.ping().await.unwrap();
        Self { queue, look: Look::into(kept).await, past: Cell::new(1) }
    }

    /// The keys of each pool.
    pub(crate) async fn read(&self) -> [Keys; 2] {
        self.look.read([&prefix(0), &prefix(1)]).await
    }

    /// Lets an entry's time in one of the sets be over.
    pub(crate) async fn past(&self, pool: usize, set: &str, entry: &str) {
        self.past.set(self.past.get() + 1);
        self.run(cmd("ZADD").arg(key(pool, set)).arg("XX").arg(self.past.get()).arg(entry)).await;
    }

    /// Lets time pass until a key is gone.
    pub(crate) async fn gone(&self, pool: usize, name: &str) {
        self.run(cmd("DEL").arg(key(pool, name))).await;
    }

    /// Writes a key.
    pub(crate) async fn set(&self, pool: usize, name: &str, value: &str) {
        self.run(cmd("SET").arg(key(pool, name)).arg(value)).await;
    }

    /// Lets a pool have been out of everybody's reach.
    pub(crate) async fn away(&self, pool: usize) {
        self.run(cmd("SET").arg(key(pool, "alive")).arg(1)).await;
    }

    /// What a waiting worker takes when it wakes.
    pub(crate) async fn take_marker(&self, pool: usize) {
        self.run(cmd("DEL").arg(key(pool, "wake"))).await;
    }

    /// What a worker does that was told of a pause, when that is over: it asks, woken or not.
    pub(crate) async fn set_marker(&self, pool: usize) {
        self.run(cmd("ZADD").arg(key(pool, "wake")).arg(0).arg("w")).await;
    }

    async fn run(&self, command: &mut Cmd) {
        let _answer: redis::Value = self.queue.command(command).await.unwrap();
    }
}

fn prefix(pool: usize) -> String {
    format!("gha:{{{}}}:", POOLS[pool])
}

fn key(pool: usize, name: &str) -> String {
    format!("{}{name}", prefix(pool))
}

/// What an entry is called in the store.
pub(crate) fn stored(entry: Entry) -> String {
    match entry {
        Entry::Own(job) => job_id(job).to_string(),
        Entry::Lent((job, attempt)) => format!("{job}~{attempt}"),
    }
}
