//! The one state that the API, the containers and the owner of a stand-in all look at, behind its lock.

use std::{
    collections::BTreeMap,
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::sync::watch;

use super::{
    Config, Image,
    answer::Refusal,
    beside::Named,
    container::{Container, Creation, Status},
    counts::Counts,
    log::Stream,
    program,
};
use crate::github::Faults;

/// Everything that changes.
#[derive(Debug, Default)]
pub(super) struct Inner {
    pub(super) containers: BTreeMap<String, Container>,
    pub(super) networks: BTreeMap<String, Named>,
    pub(super) volumes: BTreeMap<String, Named>,
    pub(super) faults: Faults,
    pub(super) counts: Counts,
    /// How often each call was made, by its method and route.
    pub(super) calls: BTreeMap<(String, String), u64>,
    /// How many calls are under way that make, fill and start containers.
    pub(super) starts: usize,
    /// How often each image was built anew.
    pub(super) builds: BTreeMap<String, u64>,
    /// Whether runners print the files that make them one of GitHub's.
    pub(super) indiscreet: bool,
    /// How long runners take from now on until they begin.
    pub(super) boot: Duration,
    next: u64,
}

/// The state, and those who wait for it to change.
#[derive(Debug)]
pub(super) struct Hub {
    inner: Mutex<Inner>,
    changed: watch::Sender<()>,
    config: Config,
}

impl Hub {
    pub(super) fn new(config: Config) -> Self {
        Self { inner: Mutex::default(), changed: watch::Sender::new(()), config }
    }

    /// Looks at everything.
    pub(super) fn look<T>(&self, look: impl FnOnce(&mut Inner) -> T) -> T {
        look(&mut self.lock())
    }

    /// Looks at a container, by its id or name.
    pub(super) fn with<T>(&self, id: &str, look: impl FnOnce(&mut Container) -> T) -> Result<T, Refusal> {
        self.lock().container(id).map(look)
    }

    /// Sees every change from now on.
    pub(super) fn changes(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }

    pub(super) fn image(&self, name: &str) -> Option<&Image> {
        self.config.images.iter().find(|image| image.name == name)
    }

    /// Makes a container, and returns its id.
    pub(super) fn create(&self, name: &str, asked: Creation) -> Result<String, Refusal> {
        let image = self.image(&asked.image).ok_or_else(|| Refusal::no_image(&asked.image))?.clone();
        let home = tempfile::Builder::new().prefix("container-").tempdir().map_err(Refusal::failed)?;
        let mut inner = self.lock();
        if let Some(other) = inner.containers.values().find(|container| container.name == name) {
            return Err(Refusal::name_taken(name, &other.id));
        }
        inner.next += 1;
        let id = format!("{:016x}{:048x}", fastrand::u64(..), inner.next);
        let image_id = inner.image_id(&image.name);
        let container = Container::new((id.clone(), name.to_owned()), asked, (image, image_id), home);
        inner.containers.insert(id.clone(), container);
        inner.counts.created += 1;
        Ok(id)
    }

    /// Gives a container another name.
    pub(super) fn rename(&self, id: &str, name: &str) -> Result<(), Refusal> {
        let mut inner = self.lock();
        let id = inner.container(id)?.id.clone();
        match inner.containers.values().find(|container| container.name == name) {
            Some(same) if same.id == id => {
                return Err(Refusal::odd("Renaming a container with the same name as its current name"));
            }
            Some(other) => return Err(Refusal::name_taken(name, &other.id)),
            None => {}
        }
        name.clone_into(&mut inner.container(&id)?.name);
        Ok(())
    }

    /// Starts a container. Returns whether it did not run before.
    pub(super) fn start(self: &Arc<Self>, id: &str) -> Result<bool, Refusal> {
        let mut inner = self.lock();
        let manner = program::Manner { indiscreet: inner.indiscreet, boot: inner.boot };
        let container = inner.container(id)?;
        if container.status == Status::Running {
            return Ok(false);
        }
        let (id, image, home) = (container.id.clone(), container.image.program, container.home());
        let started = program::start(self, &id, (image, manner), home, &container.asked.env);
        container.start(started.map_err(Refusal::failed)?);
        let Inner { containers, counts, .. } = &mut *inner;
        if let Some(container) = containers.get(&id) {
            counts.start(container, containers.values());
        }
        drop(inner);
        self.wake();
        Ok(true)
    }

    /// Asks a container to end. Returns whether it ran.
    pub(super) fn stop(&self, id: &str) -> Result<bool, Refusal> {
        let handle = self.with(id, |container| container.handle.clone())?;
        Ok(handle.inspect(program::Handle::stop).is_some())
    }

    /// Ends a container. Returns whether it ran.
    pub(super) fn kill(&self, id: &str) -> Result<bool, Refusal> {
        let handle = self.with(id, |container| container.handle.clone())?;
        Ok(handle.inspect(program::Handle::kill).is_some())
    }

    /// Removes a container that does not run.
    pub(super) fn remove(&self, id: &str) -> Result<(), Refusal> {
        let mut inner = self.lock();
        let container = inner.container(id)?;
        if container.status == Status::Running {
            return Err(Refusal::runs(id));
        }
        let id = container.id.clone();
        let removed = inner.containers.remove(&id);
        drop(inner);
        drop(removed); // and its home, which takes a moment
        self.wake();
        Ok(())
    }

    /// Writes files into a container.
    pub(super) fn unpack(&self, id: &str, archive: &[u8]) -> Result<(), Refusal> {
        let home = self.with(id, |container| container.home())?;
        program::unpack(archive, home.path()).map_err(|error: io::Error| Refusal::odd(error))
    }

    /// A container has printed something.
    pub(super) fn printed(&self, id: &str, stream: Stream, piece: &[u8]) {
        self.of_program(id, |container| container.log.push(stream, piece));
    }

    /// A container's runner has taken a job.
    pub(super) fn took(&self, id: &str, job: u64) {
        let mut inner = self.lock();
        let Ok(container) = inner.container(id) else { return };
        container.took = Some(job);
        let name = container.name.clone();
        inner.counts.took(&name, job);
    }

    /// A container's program has ended.
    pub(super) fn ended(&self, id: &str, code: i64) {
        self.of_program(id, |container| container.end(code));
    }

    fn of_program(&self, id: &str, change: impl FnOnce(&mut Container)) {
        drop(self.with(id, change)); // one that is removed has nothing to say
        self.wake();
    }

    fn wake(&self) {
        self.changed.send_replace(());
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn container(&mut self, id: &str) -> Result<&mut Container, Refusal> {
        let found = self.containers.values_mut().find(|container| container.id == id || container.name == id);
        found.ok_or_else(|| Refusal::no_container(id))
    }

    /// What the content of an image is called.
    pub(super) fn image_id(&self, name: &str) -> String {
        format!("sha256:{:064x}", self.builds.get(name).copied().unwrap_or_default() + 1)
    }

    /// The name of the container of that id.
    pub(super) fn name(&self, id: &str) -> Option<&str> {
        self.containers.get(id).map(|container| container.name.as_str())
    }
}
