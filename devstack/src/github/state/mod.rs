//! What the stand-in knows, and every change to it. Nothing here does I/O: the time is an argument, and the webhooks
//! that follow a change are left in the outbox.

mod assign;
mod cancel;
mod group;
mod job;
mod names;
mod register;
mod registration;
mod rest;
mod runner;
mod serve;
mod session;
mod spec;
mod tick;

use std::collections::BTreeMap;

use fastrand::Rng;

pub use group::GroupId;
pub use job::{Conclusion, JobStatus, JobView, TakenBy};
pub use runner::RunnerView;
pub use spec::{JobSpec, OddPayload};

pub(crate) use names::Refusal;
pub(crate) use register::{JitRequest, TokenRequest};
pub(crate) use registration::{Grant, Purpose};
pub(crate) use runner::{Key, Runner, guid};
pub(crate) use serve::{Finished, Gone};
pub(crate) use session::{NoSession, Polled};
pub(crate) use spec::moment;

use super::{Choice, Config, Timings};
use group::Groups;
use job::Job;
use registration::Grants;
use spec::document;

/// The first id of each kind: as long as GitHub's, and none of one kind is one of another.
const FIRST_RUN: u64 = 18_000_000_001;
const FIRST_RUNNER: u64 = 101;

/// A webhook that is to be sent.
#[derive(Clone, Debug)]
pub(crate) struct Event {
    /// What it is called: `workflow_job`, `ping`.
    pub(crate) name: &'static str,
    /// The only webhook that it goes to; those that cover its repository, unless set.
    pub(crate) hook: Option<u64>,
    /// The job that it is about; none of a ping.
    pub(crate) job: u64,
    /// `queued`, `in_progress`, `completed`.
    pub(crate) action: &'static str,
    /// What the hook was most likely set up for.
    pub(crate) target: super::HookTarget,
    /// The body, as JSON.
    pub(crate) body: Vec<u8>,
    /// The job's repository.
    pub(crate) repository: String,
    /// Its GUID, if it has one before it is sent.
    pub(crate) guid: Option<String>,
    /// Whether it was sent before.
    pub(crate) again: bool,
    /// How long it is held back.
    pub(crate) late: std::time::Duration,
}

impl Event {
    /// The ping of a webhook.
    pub(crate) fn ping(hook: u64, body: Vec<u8>) -> Self {
        Self {
            name: "ping",
            hook: Some(hook),
            job: 0,
            action: "",
            target: super::HookTarget::Repository,
            body,
            repository: String::new(),
            guid: None,
            again: false,
            late: std::time::Duration::ZERO,
        }
    }
}

/// Runners, jobs and tokens.
pub(crate) struct State {
    timings: Timings,
    choice: Choice,
    rng: Rng,
    /// Where runners reach the stand-in.
    public_url: String,
    runners: BTreeMap<u64, Runner>,
    jobs: BTreeMap<u64, Job>,
    /// The queued jobs that no runner has, in order.
    waiting: Vec<u64>,
    groups: Groups,
    grants: Grants,
    outbox: Vec<Event>,
    next_job: u64,
    next_run: u64,
    next_runner: u64,
}

impl State {
    pub(crate) fn new(config: &Config, public_url: String) -> Self {
        Self {
            timings: config.timings,
            choice: config.choice,
            rng: match config.choice {
                Choice::Longest => Rng::new(),
                Choice::Random(seed) => Rng::with_seed(seed),
            },
            public_url,
            runners: BTreeMap::new(),
            jobs: BTreeMap::new(),
            waiting: Vec::new(),
            groups: Groups::default(),
            grants: Grants::default(),
            outbox: Vec::new(),
            next_job: config.first_job,
            next_run: FIRST_RUN,
            next_runner: FIRST_RUNNER,
        }
    }

    /// The webhooks that have to be sent, each once.
    pub(crate) fn take_events(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.outbox)
    }

    pub(crate) fn runner_views(&self) -> Vec<RunnerView> {
        self.runners.values().map(Runner::view).collect()
    }

    pub(crate) fn job_views(&self) -> Vec<JobView> {
        self.jobs.values().map(Job::view).collect()
    }

    pub(crate) fn job_view(&self, id: u64) -> Option<JobView> {
        self.jobs.get(&id).map(Job::view)
    }

    /// Leaves a webhook about the job, as it stands now, in the outbox.
    fn announce(&mut self, id: u64) {
        let Some(job) = self.jobs.get(&id) else { return };
        let action = job.status.as_str();
        let body = serde_json::to_vec(&document(job, action)).unwrap_or_default();
        self.outbox.push(Event {
            name: "workflow_job",
            hook: None,
            job: id,
            action,
            target: job.target(),
            body,
            repository: job.repository.clone(),
            guid: None,
            again: false,
            late: std::time::Duration::ZERO,
        });
    }
}

#[cfg(test)]
mod tests;
