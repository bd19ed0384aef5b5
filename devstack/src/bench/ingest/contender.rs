//! Who is measured.

use std::{fmt, path::Path};

use serde::Serialize;
use tempfile::TempDir;

use super::{
    deliveries::SECRET,
    minimal::Step,
    pinned::{Pinned, pin},
};
use crate::harness::{RedisServer, free_port, program_beside};

/// The core that a server has to itself, and the one that whoever sends shares with Redis.
pub(super) const SERVER_CORE: usize = 0;
/// See [`SERVER_CORE`].
pub(super) const OTHER_CORE: usize = 1;

/// How many pools `ingest` has; the one that takes the jobs is the last.
const POOLS: usize = 20;

/// Who is measured.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
pub(in crate::bench) enum Contender {
    /// A minimal server that answers GET with 204.
    Get,
    /// A minimal server.
    Minimal(Step),
    /// `ingest`, with everything on.
    Ingest,
    /// The same, sent deliveries that are not signed by who knows the secret.
    Forged,
}

impl Contender {
    pub(super) const ALL: [Self; 8] = [
        Self::Get,
        Self::Minimal(Step::Body),
        Self::Minimal(Step::Hmac),
        Self::Minimal(Step::Parse),
        Self::Minimal(Step::Push),
        Self::Minimal(Step::Enqueue),
        Self::Ingest,
        Self::Forged,
    ];

    /// What it answers when all is well.
    pub(super) fn status(self) -> u16 {
        match self {
            Self::Get => 204,
            Self::Forged => 401,
            _ => 202,
        }
    }
}

impl fmt::Display for Contender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Get => "actix-web: GET, 204",
            Self::Minimal(Step::Body) => "POST, reads the body",
            Self::Minimal(Step::Hmac) => "+ HMAC-SHA256",
            Self::Minimal(Step::Parse) => "+ parses, finds the pool",
            Self::Minimal(Step::Push) => "+ GUID dedup and LPUSH, one script",
            Self::Minimal(Step::Enqueue) => "+ the queue's own script instead",
            Self::Ingest => "ingest, everything on",
            Self::Forged => "ingest, forged deliveries",
        })
    }
}

/// A contender that runs, with a Redis of its own.
#[derive(Debug)]
pub(in crate::bench) struct Running {
    pub(in crate::bench) server: Pinned,
    pub(super) redis: RedisServer,
    pub(super) port: u16,
    /// Its settings and its log.
    _folder: TempDir,
}

impl Running {
    /// With the program `ingest` beside this one, if it takes part.
    pub(super) async fn start(contender: Contender, labels: &[String]) -> anyhow::Result<Self> {
        Self::start_by(contender, (&program_beside("ingest")?, &[]), labels).await
    }

    /// The same with the command by which `ingest` is started.
    pub(in crate::bench) async fn start_by(
        contender: Contender,
        command: (&Path, &[String]),
        labels: &[String],
    ) -> anyhow::Result<Self> {
        // Rewriting the file of a million jobs takes a core.
        let redis = RedisServer::start_with(["--auto-aof-rewrite-percentage", "0"]).await?;
        pin(OTHER_CORE, redis.pid()).await?;
        let (folder, port) = (tempfile::tempdir()?, free_port()?);
        let log = folder.path().join("log");
        let server = match contender {
            Contender::Ingest | Contender::Forged => {
                let environment = ingest(folder.path(), &redis, port, labels)?;
                let (program, arguments) = command;
                Pinned::start(SERVER_CORE, program, arguments, &environment, port, &log).await?
            }
            Contender::Get => minimal(Step::Body, &redis, port, labels, &log).await?,
            Contender::Minimal(step) => minimal(step, &redis, port, labels, &log).await?,
        };
        Ok(Self { server, redis, port, _folder: folder })
    }
}

async fn minimal(step: Step, redis: &RedisServer, port: u16, labels: &[String], log: &Path) -> anyhow::Result<Pinned> {
    let step = format!("--step={}", step.word());
    let (at, redis) = (format!("--port={port}"), format!("--redis={}", redis.url()));
    let labels = format!("--labels={}", labels.join(","));
    let arguments = ["bench".to_owned(), "minimal".to_owned(), at, step, redis, labels];
    Pinned::start(SERVER_CORE, &std::env::current_exe()?, &arguments, &[], port, log).await
}

fn ingest(
    folder: &Path,
    redis: &RedisServer,
    port: u16,
    labels: &[String],
) -> anyhow::Result<Vec<(&'static str, String)>> {
    let others = (1..POOLS)
        .map(|number| format!("[[pool]]\nname = \"pool-{number}\"\nlabels = [\"label-{number}\", \"linux\"]\n\n"));
    let pools = others.chain([format!("[[pool]]\nname = \"last\"\nlabels = {labels:?}\n")]).collect::<String>();
    let file = folder.join("pools.toml");
    std::fs::write(&file, pools)?;
    let listen = |port: u16| format!("127.0.0.1:{port}");
    Ok(vec![
        ("AUTOSCALER_SECRET_TOKEN", SECRET.to_owned()),
        ("AUTOSCALER_POOLS", file.display().to_string()),
        ("AUTOSCALER_LOG", "json".to_owned()),
        ("INGEST_BIND", listen(port)),
        ("INGEST_ADMIN_BIND", listen(free_port()?)),
        ("QUEUE_URL", redis.url()),
    ])
}
