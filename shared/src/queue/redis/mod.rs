//! Redis 7 or later, or Valkey: one server, one that sentinels name, or a cluster.

mod check;
mod connection;
mod sentinel;
mod server;
mod tls;
mod wait;
mod wire;

use std::{sync::Arc, time::Duration};

use redis::{Cmd, FromRedisValue, Pipeline};
use secrecy::ExposeSecret as _;

use self::{connection::Connection, server::Server, tls::Files, wait::Waiting};
use super::{QueueConfig, QueueError, ServerFacts, script::Call, store::RESPONSE_TIMEOUT};

/// A Redis. Clones share its connections.
#[derive(Clone, Debug)]
pub(super) struct Redis {
    /// For everything but waiting.
    commands: Arc<Connection>,
    /// For [`wait`](Self::wait) alone: a command that blocks holds up all that come after it.
    waiting: Arc<Waiting>,
}

impl Redis {
    pub(super) fn new(config: &QueueConfig) -> Result<Self, QueueError> {
        let server = Server::parse(config.url.expose_secret(), Files::new(config)?)?;
        Ok(Self {
            commands: Arc::new(Connection::new(server.clone(), RESPONSE_TIMEOUT)),
            waiting: Arc::new(Waiting::new(server)),
        })
    }

    /// The same over another connection for commands; who waits shares one.
    pub(super) fn apart(&self) -> Self {
        Self { commands: Arc::new(self.commands.another()), waiting: Arc::clone(&self.waiting) }
    }

    pub(super) async fn query<T: FromRedisValue>(&self, command: &Cmd) -> Result<T, QueueError> {
        self.commands.query(command).await
    }

    /// Sends several commands at once. Their keys are of one pool.
    pub(super) async fn pipeline<T: FromRedisValue>(&self, commands: &Pipeline) -> Result<T, QueueError> {
        self.commands.pipeline(commands).await
    }

    pub(super) async fn script<T: FromRedisValue>(&self, call: &Call) -> Result<T, QueueError> {
        self.commands.script(call).await
    }

    pub(super) async fn wait(&self, markers: &[String], at_most: Duration) -> Result<(), QueueError> {
        self.waiting.wait(markers, at_most).await
    }

    /// What each primary says of itself.
    pub(super) async fn facts(&self) -> Result<Vec<ServerFacts>, QueueError> {
        let told = self.commands.info().await?;
        Ok(told.into_iter().map(|(node, info)| check::facts(node, &info)).collect())
    }

    /// What is wrong with the settings of each primary.
    pub(super) async fn check(&self) -> Result<Vec<String>, QueueError> {
        let told = self.commands.info().await?;
        Ok(told.iter().flat_map(|(node, info)| check::warnings(node, info)).collect())
    }
}
