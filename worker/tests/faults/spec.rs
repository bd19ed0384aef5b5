//! How a world is set up.

use std::{collections::BTreeMap, fmt::Write as _, time::Duration};

use devstack::github::{Choice, HookTarget, JobSpec};

/// The image of all runners.
pub(crate) const IMAGE: &str = "stand-in-runner:faults";

/// A lease: as short as it may be, so that tests of what happens when it expires are short.
pub(crate) const LEASE: u64 = 3;

/// How a world differs from the usual one.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    pub(crate) ingests: usize,
    pub(crate) workers: usize,
    /// How many hosts there are, each with an engine of its own that only its own workers reach. Workers are spread over them in
    /// turn.
    pub(crate) hosts: usize,
    /// How many runners each worker may have.
    pub(crate) capacity: u32,
    pub(crate) pools: Vec<PoolOptions>,
    /// Arguments of `redis-server`.
    pub(crate) redis: Vec<String>,
    /// Whether its clock is to be set.
    pub(crate) clock: bool,
    /// Whether each process reaches Redis through a proxy of its own.
    pub(crate) proxied: bool,
    pub(crate) choice: Choice,
    /// How many calls of GitHub's API the token has, and for how long; any number without.
    pub(crate) rate: Option<(u32, Duration)>,
    /// The App that workers are, in place of a person with a token.
    pub(crate) app: Option<AppOptions>,
    /// What the hook was set up for; what each job belongs to, unless given.
    pub(crate) hook: Option<HookTarget>,
    /// Variables of workers and ingests.
    pub(crate) env: BTreeMap<&'static str, String>,
}

/// A GitHub App, as the workers have it; GitHub knows it as 4711, with the installation 1 at `octocat` and 2 at `monalisa`.
#[derive(Clone, Debug)]
pub(crate) struct AppOptions {
    /// The id that workers take it to have.
    pub(crate) id: &'static str,
    /// How long a token of an installation is good for.
    pub(crate) token: Duration,
}

/// A pool. Its jobs demand its name as a label.
#[derive(Clone, Debug)]
pub(crate) struct PoolOptions {
    pub(crate) name: &'static str,
    pub(crate) most: usize,
    pub(crate) per_scope: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            ingests: 1,
            workers: 2,
            hosts: 1,
            capacity: 8,
            pools: vec![PoolOptions { name: "default", most: 4, per_scope: 4 }],
            redis: Vec::new(),
            clock: false,
            proxied: false,
            choice: Choice::Random(7),
            rate: None,
            app: None,
            hook: None,
            env: BTreeMap::new(),
        }
    }
}

impl Options {
    /// The text of `pools.toml`.
    pub(crate) fn pools_toml(&self) -> String {
        let mut text = String::new();
        for PoolOptions { name, most, per_scope } in &self.pools {
            writeln!(
                text,
                "[[pool]]\nname = {name:?}\nlabels = [\"self-hosted\", \"linux\", {name:?}]\nimage = {IMAGE:?}\n\
                 max_runners = {most}\nmax_per_scope = {per_scope}\n[pool.docker]\npull = \"never\""
            )
            .unwrap();
        }
        text
    }
}

/// A job of a repository in a pool, whose step takes so long.
pub(crate) fn job(repository: &str, pool: &str, script: &str) -> JobSpec {
    JobSpec {
        labels: vec!["self-hosted".to_owned(), pool.to_owned()],
        script: script.to_owned(),
        ..JobSpec::of(repository.parse().unwrap())
    }
}
