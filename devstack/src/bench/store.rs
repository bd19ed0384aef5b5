//! The stores that are measured side by side.

use std::{fs, path::PathBuf};

use anyhow::Context as _;
use secrecy::SecretString;
use shared::queue::{Queue, QueueConfig};
use tempfile::TempDir;

use crate::harness::RedisServer;

/// A store of its own, and the queue in it.
#[derive(Debug)]
pub(super) struct Store {
    pub(super) name: String,
    pub(super) queue: Queue,
    /// Its address, as `QUEUE_URL` has it.
    pub(super) url: String,
    kept: Kept,
}

#[derive(Debug)]
enum Kept {
    Redis(RedisServer),
    File(TempDir),
}

impl Store {
    pub(super) async fn redis(fsync: &str) -> anyhow::Result<Self> {
        // Rewriting the file of a million jobs takes a core of two.
        let options = ["--appendfsync", fsync, "--auto-aof-rewrite-percentage", "0"];
        let redis = RedisServer::start_with(options).await?;
        let (url, queue) = queue(redis.url())?;
        Ok(Self { name: format!("Redis, appendfsync {fsync}"), queue, url, kept: Kept::Redis(redis) })
    }

    pub(super) fn file() -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let (url, queue) = queue(format!("sqlite:{}", file(&folder).display()))?;
        Ok(Self { name: "SQLite, synchronous full".to_owned(), queue, url, kept: Kept::File(folder) })
    }

    /// How many bytes it takes: of Redis' memory, or of the disk.
    pub(super) fn used(&self) -> anyhow::Result<u64> {
        match &self.kept {
            Kept::Redis(redis) => {
                let ask = "EVAL \"return tonumber(string.match(redis.call('INFO','memory'),'used_memory:(%d+)'))\" 0";
                let answer = redis.command(ask)?;
                let bytes = answer.trim_start_matches(':').parse();
                bytes.with_context(|| format!("the memory that Redis uses is {answer:?}"))
            }
            Kept::File(folder) => Ok(fs::metadata(file(folder)).map_or(0, |file| file.len())),
        }
    }
}

fn file(folder: &TempDir) -> PathBuf {
    folder.path().join("queue.db")
}

fn queue(url: String) -> anyhow::Result<(String, Queue)> {
    let queue = Queue::new(&QueueConfig { url: SecretString::from(url.as_str()), ..QueueConfig::default() })?;
    Ok((url, queue))
}
