//! The Docker provider: thin actions, whose decisions are made in the files beside it.

use std::{sync::Arc, time::Duration};

use bollard::{
    Docker,
    query_parameters::{
        CreateContainerOptionsBuilder, RemoveContainerOptionsBuilder, StartContainerOptions,
        StopContainerOptionsBuilder,
    },
};
use futures_util::Stream;
use shared::{
    model::{JobId, PullPolicy},
    telemetry::chain,
};
use tokio::sync::Mutex;
use tracing::warn;

use super::{
    DockerConfig, build,
    connect::{CHANGE_TIMEOUT, Engine, bounded},
    container, files,
    image::{self, ImageFacts},
    logs,
    owner::Owners,
    state,
};
use crate::{
    provider::{Exit, Found, Provider, ProviderError, RunnerHandle},
    runner::{Credentials, Remains, RunnerSpec, label},
};

/// Makes runners in Docker.
#[derive(Debug)]
pub struct DockerProvider {
    engine: Arc<Engine>,
    owners: Owners,
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
            default_image: default_image.into(),
            building: Mutex::new(()),
        }
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

    /// Writes what the runner needs into its container.
    async fn fill(
        &self,
        client: &Docker,
        id: &str,
        spec: &RunnerSpec,
        image: &ImageFacts,
    ) -> Result<(), ProviderError> {
        let Credentials::Jit(files) = &spec.credentials else { return Ok(()) };
        let user = spec.docker.user.as_deref().unwrap_or(&image.user);
        let owner = self.owners.find(client, id, &image.id, user).await?;
        files::write(client, id, files, owner).await
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
        let options = CreateContainerOptionsBuilder::new().name(spec.name.as_str()).build();
        let creating = client.create_container(Some(options), container::body(spec, &image));
        let created = bounded("create a container", CHANGE_TIMEOUT, creating).await?;
        let runner = RunnerHandle { id: created.id, name: spec.name.clone() };
        if let Err(error) = self.fill(&client, &runner.id, spec, &image).await {
            if let Err(error) = self.remove(&runner).await {
                warn!(runner.name = %runner.name, error = %chain(&error), "Cannot remove an unfilled container");
            }
            return Err(error);
        }
        Ok(runner)
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
        let (image, environment) = state::made_of(&self.engine, &runner.id).await?;
        Ok(Remains { image, environment, log: self.tail(runner, lines).await? })
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
        let options = RemoveContainerOptionsBuilder::new().force(true).v(true).build();
        let removing = client.remove_container(&runner.id, Some(options));
        match bounded("remove a container", CHANGE_TIMEOUT, removing).await {
            Err(ProviderError::Gone) => Ok(()),
            removed => removed,
        }
    }

    async fn find(&self, job: JobId) -> Result<Vec<Found>, ProviderError> {
        state::list(&self.engine, &format!("{}={job}", label::JOB)).await
    }

    async fn list(&self) -> Result<Vec<Found>, ProviderError> {
        state::list(&self.engine, label::JOB).await
    }
}
