//! Measures starts through webhook, queue and worker, and direct ones, in turns.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use secrecy::SecretString;
use shared::model::{JobId, JobState, Scope};
use time::OffsetDateTime;
use tokio::time::{Instant, sleep};

use super::{
    direct::{Direct, Twin},
    timeline::Timeline,
};
use crate::{
    deliver::{self, ContentType, Delivery, HOOK_ID},
    github::{HookTarget, JobSpec, JobStatus},
    up::{
        containers::Containers,
        stack::{SECRET, Shown, Stack},
    },
};

const REPOSITORY: &str = "octocat/bench";

/// So many rounds before the first that counts: connections stand and scripts are loaded then.
const WARM_UP: u32 = 2;

/// How long one job may take to its end.
const PATIENCE: Duration = Duration::from_mins(1);

/// How often it is looked whether it has ended.
const LOOK: Duration = Duration::from_millis(50);

/// A pause after each start: the engine tidies up for a moment after it has answered.
const QUIET: Duration = Duration::from_millis(250);

/// A start through the worker.
#[derive(Clone, Copy, Debug)]
pub(super) struct Served {
    /// The answer 202 was received.
    pub(super) accepted: OffsetDateTime,
    /// The queue gave the job to the worker. By the queue's clock, to the millisecond.
    pub(super) reserved: OffsetDateTime,
    /// The stand-in for GitHub was asked.
    pub(super) asked: OffsetDateTime,
    /// How long the stand-in took.
    pub(super) github: Duration,
    pub(super) engine: Timeline,
    /// The engine's answer to the call that starts it was there, as the record has it.
    pub(super) answered: OffsetDateTime,
}

/// Everything that was measured.
#[derive(Debug, Default)]
pub(super) struct Measured {
    pub(super) served: Vec<Served>,
    pub(super) direct: Vec<Direct>,
}

/// What it is measured with.
pub(super) struct Bench<'a> {
    pub(super) shown: &'a Shown,
    pub(super) containers: &'a Containers,
    http: reqwest::Client,
    secret: SecretString,
}

/// Measures that many starts of each kind. No two are there at the same time.
pub(super) async fn measure(bench: &Bench<'_>, twin: &Twin, rounds: u32) -> anyhow::Result<Measured> {
    let mut measured = Measured::default();
    for round in 0..WARM_UP + rounds {
        // The second of a round may find the machine warmer, so they take turns with that as well.
        let direct_first = round % 2 == 0;
        let name = format!("bench-{}-{round}", std::process::id());
        let mut direct = None;
        if direct_first {
            direct = Some(bench.direct(twin, &name).await?);
        }
        let served = bench.serve().await?;
        let direct = match direct {
            Some(direct) => direct,
            None => bench.direct(twin, &name).await?,
        };
        if round >= WARM_UP {
            measured.served.push(served);
            measured.direct.push(direct);
        }
    }
    Ok(measured)
}

impl<'a> Bench<'a> {
    /// On a stack that is up.
    pub(super) fn on(stack: &'a Stack) -> anyhow::Result<Self> {
        let (shown, containers) = (stack.shown().context("there is no stand-in for GitHub")?, stack.containers());
        Ok(Self { shown, containers, http: deliver::client()?, secret: SecretString::from(SECRET) })
    }

    /// Has the worker make a runner, and looks at its container.
    pub(super) async fn twin(&self) -> anyhow::Result<Twin> {
        let github = &self.shown.stand_in;
        let (id, _) = self.deliver("sleep 2").await?;
        github.wait_for_job(id, JobStatus::InProgress, PATIENCE).await?;
        let made = self.containers.docker.inspect_container(&format!("gha-{id}-1"), None).await?;
        self.ended(id).await?;
        let scope: Scope = REPOSITORY.parse()?;
        Twin::of(made, github, &scope).await
    }

    async fn direct(&self, twin: &Twin, name: &str) -> anyhow::Result<Direct> {
        let direct = twin.start(&self.containers.docker, name).await.context("a direct start failed")?;
        sleep(QUIET).await;
        Ok(direct)
    }

    /// One job, from its webhook until nothing is left of its runner.
    async fn serve(&self) -> anyhow::Result<Served> {
        let github = &self.shown.stand_in;
        let sent = OffsetDateTime::now_utc();
        let (id, accepted) = self.deliver("true").await?;
        let [reserved, answered] = self.ended(id).await?;
        let engine = Timeline::of(&self.containers.docker, &format!("gha-{id}-1"), sent).await?;
        let mut calls = github.calls();
        calls.retain(|call| call.at >= sent && call.at <= engine.created);
        let asked = calls.first().context("GitHub was not asked for a runner")?.at;
        let took = calls.iter().map(|call| call.took).sum();
        sleep(QUIET).await;
        Ok(Served { accepted, reserved, asked, github: took, engine, answered })
    }

    /// Delivers a new job, and returns its id and when the answer came.
    pub(super) async fn deliver(&self, script: &str) -> anyhow::Result<(u64, OffsetDateTime)> {
        let github = &self.shown.stand_in;
        let id = github.add_job(spec(script)?);
        let delivery = Delivery {
            url: self.shown.webhook.clone(),
            event: "workflow_job".to_owned(),
            guid: deliver::guid(),
            hook: HOOK_ID,
            target: HookTarget::Repository,
            content_type: ContentType::Json,
            payload: github.payload(id).context("the stand-in does not know its job")?,
        };
        let answer = delivery.send(&self.http, &self.secret).await?;
        let accepted = OffsetDateTime::now_utc();
        ensure!(answer.status == 202, "the delivery was answered {} {}", answer.status, answer.body);
        Ok((id, accepted))
    }

    /// Waits until a job is done and its container gone. Returns when it was reserved, and when its runner was started.
    async fn ended(&self, id: u64) -> anyhow::Result<[OffsetDateTime; 2]> {
        let job: JobId = id.to_string().parse()?;
        let deadline = Instant::now() + PATIENCE;
        loop {
            let record = self.shown.queue.job(job).await?.context("a job has no record")?;
            if record.state == JobState::Done && self.containers.list().await?.is_empty() {
                let at = |what| record.events.iter().find(|event| event.what == what).map(|event| event.at);
                let [reserved, started] = ["reserved", "started"].map(at);
                return Ok([reserved.context("a job was never reserved")?, started.context("no runner was started")?]);
            }
            ensure!(Instant::now() < deadline, "job {id} does not end: it is {}, {}", record.state, record.reason);
            sleep(LOOK).await;
        }
    }
}

/// A job that runs this script.
pub(super) fn spec(script: &str) -> anyhow::Result<JobSpec> {
    Ok(JobSpec { script: script.to_owned(), ..JobSpec::of(REPOSITORY.parse()?) })
}
