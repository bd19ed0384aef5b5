//! A stand-in, as its owner has it.

use std::{
    collections::BTreeSet,
    io,
    os::unix::net::UnixListener,
    sync::{Arc, mpsc::sync_channel},
    thread::{self, JoinHandle},
    time::Duration,
};

use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use super::{Config, ContainerView, Counts, hub::Hub, server};
use crate::github::Fault;

/// How long what still runs may take to end with its engine.
const LAST: Duration = Duration::from_millis(10);

/// An engine, in a thread of its own. Dropped, it stops, and what runs in its containers with it.
#[derive(Debug)]
pub struct StandIn {
    hub: Arc<Hub>,
    host: String,
    shutdown: CancellationToken,
    thread: Option<JoinHandle<()>>,
    _folder: TempDir,
}

/// Why there is no stand-in.
#[derive(Debug, thiserror::Error)]
#[error("the stand-in for Docker cannot listen")]
pub struct StandInError(#[from] io::Error);

impl StandIn {
    /// Starts a stand-in. When this returns, it answers.
    ///
    /// # Errors
    ///
    /// [`StandInError`], when it cannot make its socket.
    pub fn start(config: Config) -> Result<Self, StandInError> {
        let folder = tempfile::Builder::new().prefix("docker-").tempdir()?;
        let socket = folder.path().join("docker.sock");
        let listener = UnixListener::bind(&socket)?;
        listener.set_nonblocking(true)?;
        let hub = Arc::new(Hub::new(config));
        let shutdown = CancellationToken::new();
        let (ready, started) = sync_channel(1);
        let thread = thread::Builder::new().name("docker".to_owned()).spawn({
            let (hub, shutdown) = (Arc::clone(&hub), shutdown.clone());
            move || server::run(hub, listener, &shutdown, &ready)
        })?;
        started.recv().map_err(io::Error::other)??;
        let host = format!("unix://{}", socket.display());
        Ok(Self { hub, host, shutdown, thread: Some(thread), _folder: folder })
    }

    /// Its address, for `DOCKER_HOST`.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Asks for a fault. The path of a call has the container's name where the API has its id:
    /// `/containers/gha-7-1/start`, and `/containers/gha-7-1/create` as well.
    pub fn fault(&self, fault: Fault) {
        self.hub.look(|inner| inner.faults.add(fault));
    }

    /// How many calls will still be befallen by a fault.
    #[must_use]
    pub fn faults_left(&self) -> u32 {
        self.hub.look(|inner| inner.faults.left())
    }

    /// Takes back every fault that is still to come.
    pub fn clear_faults(&self) {
        self.hub.look(|inner| inner.faults.clear());
    }

    /// Builds an image anew: its content is another one from now on.
    pub fn rebuild(&self, image: &str) {
        self.hub.look(|inner| *inner.builds.entry(image.to_owned()).or_default() += 1);
    }

    /// Whether runners print, from now on, the files that make them one of GitHub's.
    pub fn prints_credentials(&self, indiscreet: bool) {
        self.hub.look(|inner| inner.indiscreet = indiscreet);
    }

    /// Lets runners take so long, from now on, from the start of their container until they connect.
    pub fn boots_in(&self, boot: Duration) {
        self.hub.look(|inner| inner.boot = boot);
    }

    /// How many runners of a pool, and of one scope in it, may run at once from now on.
    pub fn limit(&self, pool: &str, most: usize, per_scope: usize) {
        self.hub.look(|inner| inner.counts.limit(pool, most, per_scope));
    }

    /// What was done so far.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.hub.look(|inner| inner.counts.clone())
    }

    /// How often this call was made: `POST`, `/containers/{id}/start`.
    #[must_use]
    pub fn count(&self, method: &str, route: &str) -> u64 {
        let key = (method.to_owned(), route.to_owned());
        self.hub.look(|inner| inner.calls.get(&key).copied().unwrap_or_default())
    }

    /// Every call that was made: method and route.
    #[must_use]
    pub fn calls(&self) -> BTreeSet<(String, String)> {
        self.hub.look(|inner| inner.calls.keys().cloned().collect())
    }

    /// The names of the networks and of the volumes that are there.
    #[must_use]
    pub fn beside(&self) -> Vec<String> {
        self.hub.look(|inner| inner.networks.keys().chain(inner.volumes.keys()).cloned().collect())
    }

    /// The containers that are there.
    #[must_use]
    pub fn containers(&self) -> Vec<ContainerView> {
        self.hub.look(|inner| inner.containers.values().map(super::container::Container::view).collect())
    }
}

impl Drop for StandIn {
    fn drop(&mut self) {
        self.shutdown.cancel();
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap_or_default(); // it has reported what made it panic
        }
        let handles = self.hub.look(|inner| {
            inner.containers.values().filter_map(|container| container.handle.clone()).collect::<Vec<_>>()
        });
        for handle in handles {
            handle.kill();
        }
        thread::sleep(LAST);
    }
}
