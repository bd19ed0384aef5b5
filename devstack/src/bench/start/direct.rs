//! The same calls to the engine that the worker makes, without a worker.

use std::collections::BTreeMap;

use anyhow::Context as _;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use bollard::{
    Docker, body_full,
    models::{ContainerCreateBody, ContainerInspectResponse},
    query_parameters::{
        CreateContainerOptionsBuilder, RemoveContainerOptionsBuilder, UploadToContainerOptionsBuilder,
        WaitContainerOptions,
    },
};
use futures_util::StreamExt as _;
use secrecy::ExposeSecret as _;
use shared::{
    github::{Github, GithubConfig, JitRequest},
    model::{RunnerId, Scope},
    settings::Environment,
};
use time::OffsetDateTime;

use super::timeline::Timeline;
use crate::{github::StandIn, runner::RUNNER, up::stack::TOKEN};

/// Where the files go, as with the worker.
const HOME: &str = "/home/runner";

/// Who may read them.
const MODE: u32 = 0o600;

/// A container as the worker makes it, with the files that it writes into it.
pub(super) struct Twin {
    body: ContainerCreateBody,
    files: Vec<u8>,
    github: Github,
    scope: Scope,
}

/// One direct start.
#[derive(Clone, Copy, Debug)]
pub(super) struct Direct {
    pub(super) begun: OffsetDateTime,
    pub(super) engine: Timeline,
    /// The call that starts it was answered.
    pub(super) answered: OffsetDateTime,
}

impl Twin {
    /// What is needed to make the container of a runner once more, that of `made`.
    pub(super) async fn of(made: ContainerInspectResponse, github: &StandIn, scope: &Scope) -> anyhow::Result<Self> {
        let config = made.config.context("the engine does not tell how a container was made")?;
        let body = ContainerCreateBody {
            image: config.image,
            entrypoint: config.entrypoint,
            cmd: config.cmd,
            env: config.env,
            // As many labels; but a container with that of a job is one that the worker would look after.
            labels: config.labels.map(|labels| {
                labels.into_iter().map(|(name, value)| (name.replace("autoscaler.job", "bench.job"), value)).collect()
            }),
            user: config.user,
            stop_timeout: config.stop_timeout,
            host_config: made.host_config,
            ..ContainerCreateBody::default()
        };
        let github = client(github)?;
        let (id, files) = register(&github, scope, "bench").await?;
        github.delete_runner(scope, id).await?;
        Ok(Self { body, files, github, scope: scope.clone() })
    }

    /// Registers a runner of that name, which takes a job; its files.
    pub(super) async fn register(&self, name: &str) -> anyhow::Result<Vec<u8>> {
        Ok(register(&self.github, &self.scope, name).await?.1)
    }

    /// Makes it, fills it and starts it, and takes it away again. Its runner ends by itself: nobody knows it.
    pub(super) async fn start(&self, docker: &Docker, name: &str) -> anyhow::Result<Direct> {
        let (begun, answered) = self.run(docker, name, self.files.clone()).await?;
        Ok(Direct { begun, engine: Timeline::of(docker, name, begun).await?, answered })
    }

    /// Makes it, fills it with those files and starts it, waits for its end and takes it away. Returns when it was begun, and when the
    /// call was answered that starts it.
    pub(super) async fn run(
        &self,
        docker: &Docker,
        name: &str,
        files: Vec<u8>,
    ) -> anyhow::Result<(OffsetDateTime, OffsetDateTime)> {
        let body = self.body.clone();
        let create = CreateContainerOptionsBuilder::new().name(name).build();
        let upload = UploadToContainerOptionsBuilder::new().path(HOME).build();
        let begun = OffsetDateTime::now_utc();
        let id = docker.create_container(Some(create), body).await?.id;
        docker.upload_to_container(&id, Some(upload), body_full(files.into())).await?;
        docker.start_container(&id, None).await?;
        let answered = OffsetDateTime::now_utc();
        // Its exit code says nothing, and any but 0 is an error to the client.
        drop(docker.wait_container(&id, None::<WaitContainerOptions>).next().await);
        let remove = RemoveContainerOptionsBuilder::new().force(true).v(true).build();
        docker.remove_container(&id, Some(remove)).await?;
        Ok((begun, answered))
    }
}

/// A client of the stand-in's API, as the worker is.
fn client(stand_in: &StandIn) -> anyhow::Result<Github> {
    let mut environment =
        Environment::of([("AUTOSCALER_GITHUB_PAT", TOKEN), ("AUTOSCALER_GITHUB_URL", stand_in.url())]);
    let config = GithubConfig::load(&mut environment);
    environment.finish()?;
    Ok(Github::new(&config)?)
}

/// Registers a runner. Returns its id, and its files as the archive that the worker makes of them.
async fn register(github: &Github, scope: &Scope, name: &str) -> anyhow::Result<(RunnerId, Vec<u8>)> {
    let request = JitRequest { name: &name.parse()?, group: "Default", labels: &"self-hosted,linux".parse()? };
    let registered = github.jit_config(scope, &request).await?;
    let json = STANDARD.decode(registered.encoded_jit_config.expose_secret())?;
    let files: BTreeMap<String, String> = serde_json::from_slice(&json)?;
    let mut archive = tar::Builder::new(Vec::new());
    for (name, text) in files {
        let content = STANDARD.decode(text)?;
        let mut header = tar::Header::new_ustar();
        header.set_size(content.len().try_into()?);
        header.set_mode(MODE);
        header.set_uid(RUNNER);
        header.set_gid(RUNNER);
        archive.append_data(&mut header, name, &content[..])?;
    }
    Ok((registered.id, archive.into_inner()?))
}
