//! Which pools there are: those of the file that `AUTOSCALER_POOLS` names, or one made of variables.

mod live;

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

pub use live::LivePools;
use serde::Deserialize;

use crate::{
    model::{DockerOptions, Labels, Pool, Pools, Registration, RunnerNamePrefix, Warm},
    settings::{self, Environment},
};

/// The default pool's settings, from the variables that begin with `RUNNER_`.
#[derive(Clone, Debug, Deserialize)]
#[serde(default)]
pub struct RunnerConfig {
    /// `RUNNER_MAX_RUNNERS`, 1 to 10000, default 5. How many runners may be up at once, over all workers.
    #[serde(deserialize_with = "settings::number::<_, 1, 10_000>")]
    pub max_runners: u32,
    /// `RUNNER_LABELS`, separated by commas; default `self-hosted,linux,<arch>`. A job that demands others is not run.
    #[serde(deserialize_with = "settings::parsed")]
    pub labels: Labels,
    /// `RUNNER_GROUP`, default `Default`. Organizations and enterprises have runner groups, repositories have not.
    pub group: String,
    /// `RUNNER_AUTOSCALE_TIMEOUT`, in seconds, 60 to 86400, default 82800. A job that waited longer becomes a dead letter:
    /// GitHub fails a job that was queued for 24 hours.
    #[serde(deserialize_with = "settings::seconds::<_, 60, 86_400>")]
    pub autoscale_timeout: Duration,
    /// `RUNNER_REGISTRATION`, `jit` (default) or `token`.
    pub registration: Registration,
    /// `RUNNER_NAME_PREFIX`, default `gha`. Installations that share a scope need different ones.
    #[serde(deserialize_with = "settings::parsed")]
    pub name_prefix: RunnerNamePrefix,
}

impl Default for RunnerConfig {
    fn default() -> Self {
        Self {
            max_runners: 5,
            labels: default_labels(),
            group: "Default".to_owned(),
            autoscale_timeout: Duration::from_hours(23),
            registration: Registration::Jit,
            name_prefix: RunnerNamePrefix::default(),
        }
    }
}

/// `self-hosted`, the system and the architecture, by GitHub's names for them.
fn default_labels() -> Labels {
    let arch = match std::env::consts::ARCH {
        "x86_64" => "x64",
        "aarch64" => "arm64",
        other => other,
    };
    format!("self-hosted,linux,{arch}").parse().unwrap_or_default() // three labels always parse
}

/// The default pool's image, from variables that begin with `DOCKER_RUNNER_`.
#[derive(Clone, Debug, Deserialize)]
#[serde(default)]
pub struct RunnerImageConfig {
    /// `DOCKER_RUNNER_IMAGE`, default `ghcr.io/actions/actions-runner`.
    pub image: String,
    /// `DOCKER_RUNNER_TAG`, default `latest`.
    pub tag: String,
}

impl Default for RunnerImageConfig {
    fn default() -> Self {
        Self { image: "ghcr.io/actions/actions-runner".to_owned(), tag: "latest".to_owned() }
    }
}

impl RunnerImageConfig {
    /// The image with its tag.
    #[must_use]
    pub fn reference(&self) -> String {
        format!("{}:{}", self.image, self.tag)
    }
}

/// Where the pools are written down, from a variable that begins with `AUTOSCALER_`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct PoolsConfig {
    /// `AUTOSCALER_POOLS`: path of `pools.toml`, which is read again on SIGHUP. Without it there is one pool, `default`.
    pub pools: Option<PathBuf>,
}

/// Reads the pools; what is wrong with them is added to the environment's problems, and the default pool returned.
pub fn load(environment: &mut Environment) -> (RunnerConfig, LivePools) {
    let runner: RunnerConfig = environment.section("RUNNER_");
    let image: RunnerImageConfig = environment.section("DOCKER_RUNNER_");
    let config: PoolsConfig = environment.section("AUTOSCALER_");
    let default = default_pool(&runner, &image);
    let Some(path) = config.pools else { return (runner, LivePools::fixed(Pools::single(default))) };
    let pools = LivePools::of_file(path, default.clone()).unwrap_or_else(|problem| {
        environment.problem("AUTOSCALER_POOLS", problem);
        LivePools::fixed(Pools::single(default))
    });
    (runner, pools)
}

fn default_pool(runner: &RunnerConfig, image: &RunnerImageConfig) -> Pool {
    Pool {
        name: crate::model::PoolName::default_pool(),
        labels: runner.labels.clone(),
        image: image.reference(),
        max_runners: runner.max_runners,
        max_per_scope: None,
        runner_group: runner.group.clone(),
        scopes: Vec::new(),
        scope: None,
        registration: runner.registration,
        env: BTreeMap::new(),
        timeout: None,
        keep_failed: None,
        docker: DockerOptions::default(),
        warm: Warm::default(),
    }
}
