//! What a run comes to.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use devstack::{docker, github::JobStatus};

use crate::world::World;

/// What a run comes to, once it is at rest.
#[derive(Clone, Debug, Default)]
pub(crate) struct Counts {
    /// Jobs of which `ingest` said that they are stored.
    pub(crate) accepted: usize,
    /// Runners that were started.
    pub(crate) runners: usize,
    /// Jobs by what became of them in the queue.
    pub(crate) done: usize,
    pub(crate) dead: usize,
    pub(crate) cancelled: usize,
    /// Accepted jobs that still wait at GitHub while the queue has neither a live entry nor a dead letter for them: nobody
    /// will ever start a runner for them, and nobody can see it.
    pub(crate) lost: BTreeSet<u64>,
    /// Runners that were started for a job that had one. See [`devstack::docker::Counts::doubled`].
    pub(crate) doubled: Vec<String>,
    /// Starts by which more runners ran than a limit allows, and leases above it. See
    /// [`devstack::docker::Counts::exceeded`].
    pub(crate) exceeded: Vec<String>,
    /// Runners that were started and took no job.
    pub(crate) idle: usize,
}

/// Runners that were started for one job on several hosts, and came to nothing else: no engine sees that by itself.
fn across(engines: &[docker::Counts]) -> Vec<String> {
    let mut before: BTreeMap<Option<u64>, &str> = BTreeMap::new();
    let mut doubled = Vec::new();
    for engine in engines {
        let own = engine.started.iter().filter(|it| it.job.is_some() && (it.took.is_none() || it.took == it.job));
        let own: Vec<_> = own.collect();
        doubled.extend(own.iter().filter_map(|it| {
            before.get(&it.job).map(|other| format!("{}, though {other} was started on another host", it.name))
        }));
        before.extend(own.iter().map(|it| (it.job, it.name.as_str())));
    }
    doubled
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "accepted={} runners={} done={} dead={} cancelled={} lost={} doubled={} limit_exceeded={} idle={}",
            self.accepted,
            self.runners,
            self.done,
            self.dead,
            self.cancelled,
            self.lost.len(),
            self.doubled.len(),
            self.exceeded.len(),
            self.idle
        )
    }
}

impl Counts {
    /// Counts, in a world at rest.
    pub(crate) fn of(world: &World) -> Self {
        let deliveries = world.github.deliveries();
        let accepted: BTreeSet<u64> = deliveries
            .iter()
            .filter(|delivered| delivered.action == "queued" && delivered.status.is_some_and(|status| status < 300))
            .map(|delivered| delivered.job)
            .collect();
        let states = world.states(&accepted);
        let waiting = world.github.jobs().into_iter().filter(|job| job.status == JobStatus::Queued);
        let lost = waiting.map(|job| job.id).filter(|job| {
            let visible = ["pending", "delayed", "starting", "running", "orphaned", "dead"];
            accepted.contains(job) && !states.get(job).is_some_and(|state| visible.contains(&state.as_str()))
        });
        let engines: Vec<docker::Counts> = world.engines().map(docker::StandIn::counts).collect();
        let mut by_state: BTreeMap<&str, usize> = BTreeMap::new();
        for state in states.values() {
            *by_state.entry(state).or_default() += 1;
        }
        let of = |state: &str| by_state.get(state).copied().unwrap_or_default();
        Self {
            accepted: accepted.len(),
            runners: engines.iter().map(|engine| engine.started.len()).sum(),
            done: of("done"),
            dead: of("dead"),
            cancelled: of("cancelled"),
            lost: lost.collect(),
            idle: engines.iter().map(docker::Counts::idle).sum(),
            doubled: engines.iter().flat_map(|engine| engine.doubled.clone()).chain(across(&engines)).collect(),
            exceeded: engines.into_iter().flat_map(|engine| engine.exceeded).collect(),
        }
    }

    /// Prints them behind the run's name, and fails if anything was lost, doubled or exceeded.
    pub(crate) fn hold(&self, run: &str) {
        println!("{run}: {self}");
        assert!(self.lost.is_empty(), "{run}: lost {:?}", self.lost);
        assert!(self.doubled.is_empty(), "{run}: doubled {:?}", self.doubled);
        assert!(self.exceeded.is_empty(), "{run}: exceeded {:?}", self.exceeded);
    }
}
