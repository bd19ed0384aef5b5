//! A connection to the store that is made anew after every failure.
//!
//! The library's own reconnecting connection does not notice a peer that has stopped answering, and may take many
//! seconds to give up. Here one rule serves all cases, and all kinds of servers: whatever fails drops the connection, and the
//! next call makes another, which asks anew where the store is.

use std::time::{Duration, Instant};

use redis::{Cmd, ErrorKind, FromRedisValue, Pipeline, RedisError, RedisResult, ServerErrorKind, cmd};
use tokio::sync::Mutex;

use super::{check, server::Server, wire::Wire};
use crate::queue::{QueueError, script::Call};

/// After a failure to connect, callers are told at once for this long, rather than each knocking in turn.
const CONNECT_PAUSE: Duration = Duration::from_millis(100);

/// What a server answers that cannot serve now, and may not be the one to ask: it was the primary, or will be, or the keys are
/// elsewhere.
const CANNOT_SERVE: [&str; 9] =
    ["READONLY", "LOADING", "MASTERDOWN", "NOREPLICAS", "UNBLOCKED", "TRYAGAIN", "CLUSTERDOWN", "MOVED", "ASK"];

/// What is sent to the store.
#[derive(Clone, Copy)]
enum Request<'a> {
    Command(&'a Cmd),
    Pipeline(&'a Pipeline),
    Script(&'a Call),
}

/// A connection that many callers share.
pub(super) struct Connection {
    server: Server,
    response_timeout: Duration,
    link: Mutex<Link>,
}

/// What there is of the connection.
#[derive(Default)]
struct Link {
    wire: Option<Wire>,
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

impl Connection {
    pub(super) fn new(server: Server, response_timeout: Duration) -> Self {
        Self { server, response_timeout, link: Mutex::default() }
    }

    /// One more, to the same server.
    pub(super) fn another(&self) -> Self {
        Self::new(self.server.clone(), self.response_timeout)
    }

    /// Sends a command.
    pub(super) async fn query<T: FromRedisValue>(&self, command: &Cmd) -> Result<T, QueueError> {
        self.call(Request::Command(command)).await.map_err(|error| self.failed(error))
    }

    /// Sends several commands at once. Their keys are of one pool.
    pub(super) async fn pipeline<T: FromRedisValue>(&self, commands: &Pipeline) -> Result<T, QueueError> {
        self.call(Request::Pipeline(commands)).await.map_err(|error| self.failed(error))
    }

    /// Runs a script, which is sent along if the store does not have it.
    pub(super) async fn script<T: FromRedisValue>(&self, call: &Call) -> Result<T, QueueError> {
        self.call(Request::Script(call)).await.map_err(|error| self.failed(error))
    }

    /// What each primary says of itself, by its name.
    pub(super) async fn info(&self) -> Result<Vec<(String, String)>, QueueError> {
        check::told(self.call(Request::Command(&cmd("INFO"))).await).map_err(|error| self.failed(error))
    }

    /// Sends `request`, once more on a new connection if the old one turns out to be broken: the first call after the
    /// store came back always finds it so. Every request that is sent here may be repeated.
    async fn call<T: FromRedisValue>(&self, request: Request<'_>) -> RedisResult<T> {
        let mut repeated = false;
        loop {
            let (mut wire, generation) = self.wire().await?;
            let sent = match request {
                Request::Command(command) => command.query_async(&mut wire).await,
                Request::Pipeline(commands) => commands.query_async(&mut wire).await,
                Request::Script(call) => match call.by_hash().query_async(&mut wire).await {
                    Err(error) if error.kind() == ErrorKind::Server(ServerErrorKind::NoScript) => {
                        call.in_full().query_async(&mut wire).await
                    }
                    sent => sent,
                },
            };
            let error: RedisError = match sent {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            let broken = breaks_connection(&error);
            if broken {
                self.end(generation).await;
            }
            if !broken || error.is_timeout() || repeated {
                return Err(error);
            }
            repeated = true;
        }
    }

    /// The connection there is, or a new one.
    async fn wire(&self) -> RedisResult<(Wire, u64)> {
        let mut link = self.link.lock().await;
        if let Some(wire) = &link.wire {
            return Ok((wire.clone(), link.generation));
        }
        if let Some((at, error)) = &link.failure
            && at.elapsed() < CONNECT_PAUSE
        {
            return Err(error.clone());
        }
        // Boxed: it is rarely needed, and every call would be as large.
        match Box::pin(self.connect()).await {
            Ok(wire) => {
                link.wire = Some(wire.clone());
                link.generation += 1;
                link.failure = None;
                Ok((wire, link.generation))
            }
            Err(error) => {
                link.failure = Some((Instant::now(), error.clone()));
                Err(error)
            }
        }
    }

    async fn connect(&self) -> RedisResult<Wire> {
        let mut wire = self.server.connect(self.response_timeout).await?;
        check::admit(&mut wire).await?;
        Ok(wire)
    }

    async fn end(&self, generation: u64) {
        let mut link = self.link.lock().await;
        if link.generation == generation {
            link.wire = None;
        }
    }

    fn failed(&self, error: RedisError) -> QueueError {
        if error.is_timeout() {
            QueueError::Timeout(self.response_timeout)
        } else if error.kind() == ErrorKind::InvalidClientConfig {
            QueueError::Unsuitable(error.detail().map_or_else(|| error.to_string(), str::to_owned))
        } else if error.code() == Some(QueueError::ELSEWHERE) {
            QueueError::moved()
        } else {
            QueueError::store(error)
        }
    }
}

/// Whether another connection may fare better: this one is broken, silent, or leads to a store that cannot serve.
fn breaks_connection(error: &RedisError) -> bool {
    error.is_io_error()
        || error.is_timeout()
        || error.is_unrecoverable_error()
        || error.code().is_some_and(|code| CANNOT_SERVE.contains(&code))
        || matches!(error.kind(), ErrorKind::Parse | ErrorKind::AuthenticationFailed)
}
