//! Sentinels: they watch over a primary and its replicas, and say which one is the primary now.

use std::time::Duration;

use futures_util::future::select_ok;
use redis::{ConnectionAddr, ConnectionInfo, ErrorKind, RedisError, RedisResult, aio::MultiplexedConnection, cmd};

use super::{server::open, tls::Files};

/// How long a sentinel may take to answer.
const ANSWER: Duration = Duration::from_millis(500);

/// The sentinels that `QUEUE_URL` names.
#[derive(Clone, Debug)]
pub(super) struct Sentinels {
    pub(super) nodes: Vec<ConnectionInfo>,
    /// What they call the primary.
    pub(super) name: String,
    /// How to connect to the primary, but for its address.
    pub(super) primary: ConnectionInfo,
}

impl Sentinels {
    /// Asks all of them at once, and connects to the primary that the first of them names which is one.
    pub(super) async fn primary(
        &self,
        files: Option<&Files>,
        response_timeout: Duration,
    ) -> RedisResult<MultiplexedConnection> {
        let ask = |node: &ConnectionInfo| Box::pin(self.ask(node.clone(), files, response_timeout));
        select_ok(self.nodes.iter().map(ask)).await.map(|(connection, _others)| connection)
    }

    async fn ask(
        &self,
        node: ConnectionInfo,
        files: Option<&Files>,
        response_timeout: Duration,
    ) -> RedisResult<MultiplexedConnection> {
        let mut sentinel = open(node, files, ANSWER).await?;
        let question = cmd("SENTINEL").arg("get-master-addr-by-name").arg(&self.name).to_owned();
        let address: Option<(String, u16)> = question.query_async(&mut sentinel).await?;
        let (host, port) = address.ok_or_else(|| {
            RedisError::from((ErrorKind::MasterNameNotFoundBySentinel, "a sentinel knows no primary of that name"))
        })?;
        let address = match self.primary.addr() {
            ConnectionAddr::TcpTls { .. } => ConnectionAddr::TcpTls { host, port, insecure: false, tls_params: None },
            _ => ConnectionAddr::Tcp(host, port),
        };
        let mut primary = open(self.primary.clone().set_addr(address), files, response_timeout).await?;
        // A sentinel may be slow to learn of a failover, and the old primary comes back as a replica.
        let role: Vec<redis::Value> = cmd("ROLE").query_async(&mut primary).await?;
        match role.first() {
            Some(redis::Value::BulkString(word)) if word == b"master" => Ok(primary),
            _ => Err((ErrorKind::Io, "the server that a sentinel names is no primary").into()),
        }
    }
}
