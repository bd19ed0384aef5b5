//! The Docker provider: thin actions, whose decisions are made in the files beside it.

use std::{sync::Arc, time::Duration};

use bollard::{
    Docker,
    query_parameters::{CreateContainerOptionsBuilder, StartContainerOptions, StopContainerOptionsBuilder},
};
use futures_util::Stream;
use shared::{
    model::{DockerAccess, JobId, PullPolicy},
    telemetry::chain,
};
use tokio::sync::Mutex;
use tracing::{info, warn};

use super::{
    DockerConfig,
    beside::{self, Beside},
    build,
    connect::{CHANGE_TIMEOUT, Engine, bounded},
    container, files,
    image::{self, ImageFacts},
    kept, leftovers, logs,
    network::Networks,
    orphans::{ALONE_FOR, Orphans},
    owner::Owners,
    sidecar, state,
    survey::{self, EngineFacts, ImageState},
};
use crate::{
    provider::{Exit, Found, Provider, ProviderError, RunnerHandle},
    runner::{Command, Credentials, RUNNER_HOME, Remains, RunnerSpec, label},
};

/// Makes runners in Docker.
#[derive(Debug)]
pub struct DockerProvider {
    engine: Arc<Engine>,
    owners: Owners,
    networks: Networks,
    orphans: Orphans,
    alone_for: Duration,
    /// The default pool's image, which may be built.
    default_image: String,
    /// Held while an image is built: all jobs need the same one.
    building: Mutex<()>,
}

impl DockerProvider {
    /// A provider that connects when it is first needed. `default_image` is the image that `DOCKER_BUILD_IMAGE` builds.
    #[must_use]
    pub fn new(config: DockerConfig, default_image: impl Into<String>) -> Self {
        Self {
            engine: Arc::new(Engine::new(config)),
            owners: Owners::default(),
            networks: Networks::default(),
            orphans: Orphans::default(),
            alone_for: ALONE_FOR,
            default_image: default_image.into(),
            building: Mutex::new(()),
        }
    }

    /// Has [`tidy`](Provider::tidy) remove what stood alone for so long, in place of ten minutes: for tests.
    #[must_use]
    pub fn alone_for(self, alone_for: Duration) -> Self {
        Self { alone_for, ..self }
    }

    /// What the engine says of itself.
    ///
    /// # Errors
    ///
    /// [`ProviderError::Unavailable`] when it does not answer, [`ProviderError::Refused`] when it is too old.
    pub async fn survey(&self) -> Result<EngineFacts, ProviderError> {
        survey::engine(&self.engine).await
    }

    /// Whether a runner could have an image. Changes nothing: what is absent is only asked for.
    ///
    /// # Errors
    ///
    /// [`ProviderError`], when the engine does not answer.
    pub async fn image_state(&self, image: &str, pull: PullPolicy) -> Result<ImageState, ProviderError> {
        if self.builds(image) {
            return Ok(ImageState::IsBuilt);
        }
        survey::image(&self.engine.client().await?, image, pull).await
    }

    fn builds(&self, image: &str) -> bool {
        self.engine.config().build_image && image == self.default_image
    }

    /// What is in an image, which is got if it is absent and may be.
    async fn image(&self, client: &Docker, image: &str, pull: PullPolicy) -> Result<ImageFacts, ProviderError> {
        if let Some(facts) = image::inspect(client, image).await? {
            return Ok(facts);
        }
        if self.builds(image) {
            let _one_at_a_time = self.building.lock().await;
            if image::inspect(client, image).await?.is_none() {
                build::build(client, self.engine.config(), image).await?;
            }
        } else if pull == PullPolicy::Never {
            return Err(image::absent(image, "the engine does not have it, and pull is never"));
        } else {
            image::pull(client, image).await?;
        }
        image::inspect(client, image).await?.ok_or_else(|| image::absent(image, "it was there, and is gone again"))
    }

    /// Makes what stands beside a runner, but for its container: that begins to run when the runner's is filled.
    async fn beside(&self, client: &Docker, spec: &RunnerSpec, keeps_command: bool) -> Result<Beside, ProviderError> {
        let network = match &spec.docker.network {
            Some(network) => network.clone(),
            None => self.networks.ensure(client, &spec.worker).await?,
        };
        match (spec.docker.docker, spec.docker.daemon_image()) {
            (DockerAccess::Socket, _) => {
                beside::socket(client, self.engine.config(), spec, network, keeps_command).await
            }
            (_, Some(image)) => {
                self.image(client, image, spec.docker.pull).await?;
                sidecar::create(&self.engine, spec, image, network, self.engine.cpus().await?).await?;
                Ok(Beside::daemon(&spec.name))
            }
            (_, None) => Ok(Beside::nothing(network)),
        }
    }

    /// Makes the runner's container, ready to be started.
    async fn make(
        &self,
        client: &Docker,
        spec: &RunnerSpec,
        image: &ImageFacts,
        beside: &Beside,
    ) -> Result<RunnerHandle, ProviderError> {
        let command = spec.command(&image.entrypoint, &image.cmd, &beside.home);
        let options = CreateContainerOptionsBuilder::new().name(spec.name.as_str()).build();
        let body = container::body(spec, command, beside, self.engine.cpus().await?);
        let created =
            bounded("create a container", CHANGE_TIMEOUT, client.create_container(Some(options), body)).await?;
        let runner = RunnerHandle {
            id: created.id,
            name: spec.name.clone(),
            docker: spec.docker.docker,
            keep_failed: spec.keep_failed,
        };
        let filled = async {
            self.fill(client, &runner.id, spec, image, beside).await?;
            if spec.docker.docker == DockerAccess::Dind { sidecar::start(&self.engine, spec).await } else { Ok(()) }
        };
        if let Err(error) = filled.await {
            if let Err(error) = self.remove(&runner).await {
                warn!(runner.name = %runner.name, error = %chain(&error), "Cannot remove an unfilled container");
            }
            return Err(error);
        }
        Ok(runner)
    }

    /// Writes what the runner needs into its container.
    async fn fill(
        &self,
        client: &Docker,
        id: &str,
        spec: &RunnerSpec,
        image: &ImageFacts,
        beside: &Beside,
    ) -> Result<(), ProviderError> {
        let files = match &spec.credentials {
            Credentials::Jit(files) => Some(files),
            Credentials::Token { .. } if beside.folders.is_empty() => return Ok(()),
            Credentials::Token { .. } => None,
        };
        let user = spec.docker.user.as_deref().unwrap_or(&image.user);
        let owner = self.owners.find(client, id, &image.id, user).await?;
        files::write(client, id, files, beside.folders, owner).await
    }

    /// Removes what runs beside a runner: before its container, in which it is written down.
    async fn remove_running(&self, client: &Docker, runner: &RunnerHandle) -> Result<(), ProviderError> {
        match runner.docker {
            DockerAccess::None => Ok(()),
            DockerAccess::Socket => leftovers::remove(client, runner).await,
            DockerAccess::Dind => beside::remove_daemon(client, &beside::daemon(&runner.name)).await,
        }
    }
}

impl Provider for DockerProvider {
    async fn ping(&self) -> Result<(), ProviderError> {
        self.engine.ping().await
    }

    async fn prepare(&self, image: &str, pull: PullPolicy) -> Result<(), ProviderError> {
        let client = self.engine.client().await?;
        if self.builds(image) {
            let _one_at_a_time = self.building.lock().await;
            return build::build(&client, self.engine.config(), image).await;
        }
        if pull == PullPolicy::Always {
            return image::pull(&client, image).await;
        }
        self.image(&client, image, pull).await.map(drop)
    }

    async fn create(&self, spec: &RunnerSpec) -> Result<RunnerHandle, ProviderError> {
        let client = self.engine.client().await?;
        let image = self.image(&client, &spec.image, spec.docker.pull).await?;
        let keeps_command = spec.command(&image.entrypoint, &image.cmd, RUNNER_HOME) == Command::default();
        let beside = self.beside(&client, spec, keeps_command).await?;
        let made = self.make(&client, spec, &image, &beside).await;
        if made.is_err() && spec.docker.docker != DockerAccess::None {
            // What the engine still refuses to remove is in the hands of a runner of that name, or goes when the engine is tidied.
            let removed = beside::remove(&client, &spec.name, spec.docker.docker).await;
            if let Err(error) = removed {
                warn!(runner.name = %spec.name, error = %chain(&error), "Cannot remove what stood beside a runner");
            }
        }
        made
    }

    async fn start(&self, runner: &RunnerHandle) -> Result<(), ProviderError> {
        let client = self.engine.client().await?;
        let starting = client.start_container(&runner.id, None::<StartContainerOptions>);
        bounded("start a container", CHANGE_TIMEOUT, starting).await
    }

    fn follow(
        &self,
        runner: &RunnerHandle,
    ) -> impl Stream<Item = Result<String, ProviderError>> + Send + Unpin + 'static + use<> {
        logs::follow(Arc::clone(&self.engine), runner.id.clone())
    }

    async fn wait(&self, runner: &RunnerHandle) -> Result<Exit, ProviderError> {
        state::wait(&self.engine, &runner.id).await
    }

    async fn tail(&self, runner: &RunnerHandle, lines: usize) -> Result<Vec<String>, ProviderError> {
        logs::tail(&self.engine, &runner.id, lines).await
    }

    async fn remains(&self, runner: &RunnerHandle, lines: usize) -> Result<Remains, ProviderError> {
        let made_of = state::made_of(&self.engine, &runner.id).await?;
        let log = self.tail(runner, lines).await?;
        Ok(Remains { image: made_of.image, environment: made_of.environment, log })
    }

    async fn is_of(&self, runner: &RunnerHandle, image: &str) -> Result<bool, ProviderError> {
        let made_of = state::made_of(&self.engine, &runner.id).await?;
        let facts = image::inspect(&self.engine.client().await?, image).await?;
        Ok(made_of.name.as_deref() == Some(image) && facts.is_none_or(|facts| made_of.image == Some(facts.id)))
    }

    async fn stop(&self, runner: &RunnerHandle, grace: Duration) -> Result<(), ProviderError> {
        let client = self.engine.client().await?;
        let seconds = i32::try_from(grace.as_secs()).unwrap_or(i32::MAX);
        let options = StopContainerOptionsBuilder::new().t(seconds).build();
        let stopping = client.stop_container(&runner.id, Some(options));
        bounded("stop a container", grace.saturating_add(CHANGE_TIMEOUT), stopping).await
    }

    async fn remove(&self, runner: &RunnerHandle) -> Result<(), ProviderError> {
        let client = self.engine.client().await?;
        self.remove_running(&client, runner).await?;
        beside::remove_container(&client, &runner.id, "remove a container").await?;
        beside::remove_volumes(&client, &runner.name, runner.docker).await
    }

    async fn keep(&self, runner: &RunnerHandle) -> Result<String, ProviderError> {
        let client = self.engine.client().await?;
        self.remove_running(&client, runner).await?;
        kept::rename(&client, &runner.id, &runner.name).await
    }

    async fn find(&self, job: JobId) -> Result<Vec<Found>, ProviderError> {
        state::list(&self.engine, &format!("{}={job}", label::JOB)).await
    }

    async fn list(&self) -> Result<Vec<Found>, ProviderError> {
        state::list(&self.engine, label::JOB).await
    }

    async fn tidy(&self) -> Result<(), ProviderError> {
        let client = self.engine.client().await?;
        for runner in kept::due(&client).await? {
            self.remove(&runner).await?;
            info!(runner.name = %runner.name, "Removed the container of a runner that failed: it was kept for long enough");
        }
        self.orphans.remove(&client, &self.networks, self.alone_for).await
    }

    async fn close(&self) -> Result<(), ProviderError> {
        self.networks.close(&self.engine.client().await?).await
    }
}
