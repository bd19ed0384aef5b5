//! How a worker waits for jobs.

use std::{
    collections::{HashMap, hash_map::Entry},
    sync::Arc,
    time::Duration,
};

use redis::{Cmd, Value, cmd};
use tokio::{sync::Mutex, task::JoinSet, time::timeout};

use super::{connection::Connection, server::Server};
use crate::queue::{
    QueueError,
    store::{RESPONSE_TIMEOUT, WAIT_MAX},
};

/// The connections that block.
#[derive(Debug)]
pub(super) struct Waiting {
    server: Server,
    all: Arc<Connection>,
    each: Mutex<Each>,
}

/// Waits for markers that are on different servers: a call for each, on a connection of its own.
#[derive(Debug, Default)]
struct Each {
    markers: HashMap<String, Marker>,
    /// They go on when the wait that began them has ended by another: a call that is given up half-way would take a
    /// marker that nobody hears of.
    calls: JoinSet<(String, Result<Option<Value>, QueueError>)>,
}

#[derive(Debug)]
struct Marker {
    connection: Arc<Connection>,
    called: bool,
}

fn connection(server: &Server) -> Connection {
    Connection::new(server.clone(), WAIT_MAX + RESPONSE_TIMEOUT)
}

/// Takes one of the markers, of which there is one for each pool that has work.
fn take(markers: &[String], at_most: Duration) -> Cmd {
    cmd("BZPOPMIN").arg(markers).arg(at_most.max(Duration::from_millis(1)).as_secs_f64()).to_owned()
}

impl Each {
    /// Sees to it that each of the markers is waited for.
    fn call(&mut self, markers: &[String], server: &Server) {
        for marker in markers {
            let entry = match self.markers.entry(marker.clone()) {
                Entry::Occupied(entry) => entry.into_mut(),
                Entry::Vacant(entry) => {
                    entry.insert(Marker { connection: Arc::new(connection(server)), called: false })
                }
            };
            if !std::mem::replace(&mut entry.called, true) {
                let (marker, connection) = (marker.clone(), Arc::clone(&entry.connection));
                self.calls.spawn(async move {
                    let taken = connection.query(&take(std::slice::from_ref(&marker), WAIT_MAX)).await;
                    (marker, taken)
                });
            }
        }
    }

    /// Waits until one of the calls has ended, and says whether it has taken a marker. Cancel-safe.
    async fn ended(&mut self) -> Result<bool, QueueError> {
        let Some(Ok((marker, taken))) = self.calls.join_next().await else {
            // There is nothing in a call that could panic; were it so, all would be called anew.
            *self = Self::default();
            return Ok(true);
        };
        if let Some(marker) = self.markers.get_mut(&marker) {
            marker.called = false;
        }
        taken.map(|taken| taken.is_some())
    }
}

impl Waiting {
    pub(super) fn new(server: Server) -> Self {
        Self { all: Arc::new(connection(&server)), server, each: Mutex::default() }
    }

    /// Waits until one of the markers is there, and takes it.
    pub(super) async fn wait(&self, markers: &[String], at_most: Duration) -> Result<(), QueueError> {
        if markers.len() < 2 || !self.server.is_cluster() {
            let _taken: Value = self.all.query(&take(markers, at_most)).await?;
            return Ok(());
        }
        let one = async {
            let mut each = self.each.lock().await;
            loop {
                each.call(markers, &self.server);
                if each.ended().await? {
                    return Ok(());
                }
            }
        };
        timeout(at_most, one).await.unwrap_or(Ok(()))
    }
}
