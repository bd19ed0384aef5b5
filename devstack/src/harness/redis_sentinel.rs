//! A primary, a replica of it, and a sentinel that watches over them.

use std::{
    fs, io,
    process::Command,
    time::{Duration, Instant},
};

use tempfile::TempDir;
use tokio::time::sleep;

use super::{
    HarnessError, RedisServer,
    child::OwnedChild,
    port::free_port,
    redis::{AT_ONCE, ask, spawn},
};

/// What the sentinel calls the primary.
const NAME: &str = "main";

/// How long the parts may take to find each other.
const PATIENCE: Duration = Duration::from_secs(20);

/// How soon they are asked again.
const LOOK: Duration = Duration::from_millis(50);

/// A primary and its replica under a sentinel, which takes half a second of silence for death.
#[derive(Debug)]
pub struct RedisSentinel {
    /// The primary at the start.
    pub primary: RedisServer,
    /// Its replica at the start.
    pub replica: RedisServer,
    port: u16,
    _sentinel: OwnedChild,
    _folder: TempDir,
}

impl RedisSentinel {
    /// Starts all three, the servers with `arguments` besides those of every [`RedisServer`], and waits until a failover is possible.
    ///
    /// # Errors
    ///
    /// Those of [`RedisServer::start`]; when the three do not find each other.
    pub async fn start_with(arguments: &[&str]) -> Result<Self, HarnessError> {
        let primary = RedisServer::start_with([&AT_ONCE[..], arguments].concat()).await?;
        let of = primary.port().to_string();
        let own = ["--replicaof", "127.0.0.1", &of];
        let replica = RedisServer::start_with([&own, &AT_ONCE[..], arguments].concat()).await?;

        // The sentinel asks for replicas at its start, and then only every ten seconds.
        let deadline = Instant::now() + PATIENCE;
        while !primary.is_replicated()? {
            if Instant::now() > deadline {
                let (name, what) = ("a replica".to_owned(), "come into sync".to_owned());
                return Err(HarnessError::TooSlow { name, what, within: PATIENCE, said: String::new() });
            }
            sleep(LOOK).await;
        }

        let port = free_port().map_err(HarnessError::system("find a free port"))?;
        let folder = tempfile::Builder::new().prefix("sentinel-").tempdir();
        let folder = folder.map_err(HarnessError::system("make a folder for the sentinel"))?;
        let path = folder.path().join("sentinel.conf"); // it writes there what it learns
        let settings = format!(
            "port {port}\nbind 127.0.0.1\nsentinel monitor {NAME} 127.0.0.1 {of} 1\n\
             sentinel down-after-milliseconds {NAME} 500\nsentinel failover-timeout {NAME} 3000\n"
        );
        fs::write(&path, settings).map_err(HarnessError::system("write the sentinel's settings"))?;
        let mut command = Command::new("redis-server");
        command.arg(&path).arg("--sentinel").current_dir(folder.path());
        let mut sentinel = spawn(&mut command)?;
        sentinel.printed("+slave", PATIENCE).await?;

        Ok(Self { primary, replica, port, _sentinel: sentinel, _folder: folder })
    }

    /// Its address, for `QUEUE_URL`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("redis+sentinel://127.0.0.1:{}/{NAME}", self.port)
    }

    /// Has the sentinel make the replica the primary, though nothing is wrong with the one there is.
    ///
    /// # Errors
    ///
    /// When it has not begun to after some time.
    pub async fn fail_over(&self) -> Result<(), HarnessError> {
        let deadline = Instant::now() + PATIENCE;
        let command = format!("SENTINEL FAILOVER {NAME}");
        loop {
            // It has to be sure of the replica first.
            let answer = self.command(&command)?;
            if answer == "+OK" {
                return Ok(());
            }
            if Instant::now() > deadline {
                return Err(HarnessError::system(format!("run {command}"))(io::Error::other(answer)));
            }
            sleep(LOOK).await;
        }
    }

    /// Sends one command to the sentinel, as a line of text, and returns the first line of the answer.
    ///
    /// # Errors
    ///
    /// When it does not answer.
    pub fn command(&self, line: &str) -> Result<String, HarnessError> {
        ask(self.port, line).map(|[first, _]| first).map_err(HarnessError::system(format!("run {line} on a sentinel")))
    }

    /// The sentinel's port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }
}
