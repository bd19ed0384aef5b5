//! The containers of this stack's runners.

use std::collections::HashMap;

use bollard::{
    Docker,
    models::ContainerSummary,
    query_parameters::{
        ListContainersOptionsBuilder, RemoveContainerOptionsBuilder, RemoveImageOptions, StopContainerOptionsBuilder,
    },
};
use futures_util::future::join_all;
use shared::{
    github::{Github, GithubConfig},
    model::{RunnerId, Scope},
};
use tokio::time::sleep;

/// How long a runner that is left may take to cancel its job, in seconds.
const GRACE: i32 = 20;

/// How often it is looked for containers: one that a worker was making when it was killed may come yet.
const ROUNDS: u32 = 3;

/// Between those looks.
const PAUSE: std::time::Duration = std::time::Duration::from_millis(300);

/// The runners of one worker on an engine.
#[derive(Clone, Debug)]
pub(crate) struct Containers {
    pub(crate) docker: Docker,
    /// The worker's name, which each container carries.
    pub(super) worker: String,
}

impl Containers {
    /// All that there are, whatever they do.
    pub(crate) async fn list(&self) -> Result<Vec<ContainerSummary>, bollard::errors::Error> {
        let label = vec![format!("autoscaler.worker={}", self.worker)];
        let filters = HashMap::from([("label".to_owned(), label)]);
        let options = ListContainersOptionsBuilder::default().all(true).filters(&filters).build();
        self.docker.list_containers(Some(options)).await
    }

    /// Removes all. They are asked to end first, and so cancel their jobs in an orderly way; then their registrations are
    /// deleted at `github`, if that goes on without this stack. To be called when the worker has ended.
    pub(super) async fn remove(&self, github: Option<&GithubConfig>) -> anyhow::Result<()> {
        let github = github.map(Github::new).transpose()?;
        for round in 0..ROUNDS {
            if round > 0 {
                sleep(PAUSE).await;
            }
            let removals = self.list().await?.into_iter().map(|container| self.remove_one(container, github.as_ref()));
            join_all(removals).await.into_iter().collect::<Result<Vec<()>, _>>()?;
        }
        Ok(())
    }

    async fn remove_one(&self, container: ContainerSummary, github: Option<&Github>) -> anyhow::Result<()> {
        let id = container.id.unwrap_or_default();
        let stop = StopContainerOptionsBuilder::default().t(GRACE).build();
        // Whether it does so or not, it is removed.
        self.docker.stop_container(&id, Some(stop)).await.unwrap_or_default();
        let remove = RemoveContainerOptionsBuilder::default().force(true).v(true).build();
        self.docker.remove_container(&id, Some(remove)).await?;
        let labels = container.labels.unwrap_or_default();
        let registration = || -> Option<(Scope, RunnerId)> {
            let id = labels.get("autoscaler.runner_id")?.parse().map(RunnerId).ok()?;
            Some((labels.get("autoscaler.scope")?.parse().ok()?, id))
        };
        if let (Some(github), Some((scope, id))) = (github, registration()) {
            github.delete_runner(&scope, id).await?; // it is gone, if the runner had a job to cancel
        }
        Ok(())
    }

    /// Removes an image that only this stack has used.
    pub(super) async fn remove_image(&self, image: &str) -> Result<(), bollard::errors::Error> {
        self.docker.remove_image(image, None::<RemoveImageOptions>, None).await.map(drop)
    }
}
