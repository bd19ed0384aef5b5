//! A connection to Redis that is made anew after every failure.
//!
//! The library's own reconnecting connection does not notice a peer that has stopped answering, and may take many
//! seconds to give up. Here one rule serves all cases: whatever fails drops the connection, and the next call makes another.

use std::time::{Duration, Instant};

use redis::{
    AsyncConnectionConfig, Client, Cmd, ConnectionInfo, ErrorKind, FromRedisValue, IntoConnectionInfo as _, Pipeline,
    RedisError, ScriptInvocation, aio::MultiplexedConnection, io::tcp::TcpSettings,
};
use tokio::sync::Mutex;

use super::super::QueueError;

/// How long connecting may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);

/// After a failure to connect, callers are told at once for this long, rather than each knocking in turn.
const CONNECT_PAUSE: Duration = Duration::from_millis(100);

/// How long sent bytes may go unacknowledged before the kernel ends the connection.
const UNACKNOWLEDGED_MAX: Duration = Duration::from_secs(3);

/// What is sent to the store.
#[derive(Clone, Copy)]
enum Request<'a> {
    Command(&'a Cmd),
    Pipeline(&'a Pipeline),
    Script(&'a ScriptInvocation<'a>),
}

/// A connection that many callers share.
pub(super) struct Connection {
    client: Client,
    response_timeout: Duration,
    link: Mutex<Link>,
}

/// What there is of the connection.
#[derive(Default)]
struct Link {
    connection: Option<MultiplexedConnection>,
    /// Rises with each connection, so that a failure of an old one does not end the new one.
    generation: u64,
    /// The last failure to connect.
    failure: Option<(Instant, RedisError)>,
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connection").finish_non_exhaustive()
    }
}

/// Reads the URL. The error never quotes it, for it may hold a password.
pub(super) fn client(url: &str) -> Result<Client, QueueError> {
    let invalid = |error: RedisError| QueueError::Url(error.to_string());
    let info: ConnectionInfo = url.into_connection_info().map_err(invalid)?;
    let tcp = TcpSettings::default().set_nodelay(true).set_user_timeout(UNACKNOWLEDGED_MAX);
    Client::open(info.set_tcp_settings(tcp)).map_err(invalid)
}

impl Connection {
    pub(super) fn new(client: Client, response_timeout: Duration) -> Self {
        Self { client, response_timeout, link: Mutex::default() }
    }

    /// Sends a command.
    pub(super) async fn query<T: FromRedisValue>(&self, command: &Cmd) -> Result<T, QueueError> {
        self.call(Request::Command(command)).await
    }

    /// Sends several commands at once.
    pub(super) async fn pipeline<T: FromRedisValue>(&self, commands: &Pipeline) -> Result<T, QueueError> {
        self.call(Request::Pipeline(commands)).await
    }

    /// Runs a script, which is loaded if the store does not have it.
    pub(super) async fn script<T: FromRedisValue>(&self, script: &ScriptInvocation<'_>) -> Result<T, QueueError> {
        self.call(Request::Script(script)).await
    }

    /// Sends `request`, once more on a new connection if the old one turns out to be broken: the first call after the
    /// store came back always finds it so. Every request that is sent here may be repeated.
    async fn call<T: FromRedisValue>(&self, request: Request<'_>) -> Result<T, QueueError> {
        let mut repeated = false;
        loop {
            let (mut connection, generation) = self.connection().await.map_err(|error| self.failed(error))?;
            let sent = match request {
                Request::Command(command) => command.query_async(&mut connection).await,
                Request::Pipeline(commands) => commands.query_async(&mut connection).await,
                Request::Script(script) => script.invoke_async(&mut connection).await,
            };
            let error: RedisError = match sent {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            if breaks_connection(&error) {
                self.end(generation).await;
            }
            if !error.is_io_error() || error.is_timeout() || repeated {
                return Err(self.failed(error));
            }
            repeated = true;
        }
    }

    /// The connection there is, or a new one.
    async fn connection(&self) -> Result<(MultiplexedConnection, u64), RedisError> {
        let mut link = self.link.lock().await;
        if let Some(connection) = &link.connection {
            return Ok((connection.clone(), link.generation));
        }
        if let Some((at, error)) = &link.failure
            && at.elapsed() < CONNECT_PAUSE
        {
            return Err(error.clone());
        }
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(CONNECT_TIMEOUT))
            .set_response_timeout(Some(self.response_timeout));
        match self.client.get_multiplexed_async_connection_with_config(&config).await {
            Ok(connection) => {
                link.connection = Some(connection.clone());
                link.generation += 1;
                link.failure = None;
                Ok((connection, link.generation))
            }
            Err(error) => {
                link.failure = Some((Instant::now(), error.clone()));
                Err(error)
            }
        }
    }

    async fn end(&self, generation: u64) {
        let mut link = self.link.lock().await;
        if link.generation == generation {
            link.connection = None;
        }
    }

    fn failed(&self, error: RedisError) -> QueueError {
        if error.is_timeout() { QueueError::Timeout(self.response_timeout) } else { QueueError::Store(Box::new(error)) }
    }
}

/// Whether another connection may fare better: this one is broken, silent, or leads to a store that cannot serve.
fn breaks_connection(error: &RedisError) -> bool {
    error.is_io_error()
        || error.is_timeout()
        || error.is_unrecoverable_error()
        || error.code() == Some("READONLY")
        || matches!(error.kind(), ErrorKind::Parse | ErrorKind::AuthenticationFailed)
}
