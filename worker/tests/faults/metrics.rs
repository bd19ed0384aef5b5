//! What the processes count while they work, and what the alerts and the dashboard ask of it.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use devstack::{
    github::{Effect, Fault},
    harness::Signal,
};
use serde_json::Value;
use tokio::time::sleep;

use crate::{
    counts::Counts,
    spec::{LEASE, Options, PoolOptions, job},
    world::{PATIENCE, World, turn},
};

/// So long after the beat that told of something, a worker holds no lock on a file: frozen, it would keep it.
const BETWEEN_BEATS: Duration = Duration::from_millis(300 * LEASE / 3);

const JIT: &str = "/repos/*/generate-jitconfig";

/// What Prometheus adds.
const ADDED: [&str; 2] = ["instance", "job"];

const ALERTS: &str = include_str!("../../../devstack/alerts.yml");
const DASHBOARD: &str = include_str!("../../../devstack/grafana.json");

type Labels = BTreeMap<String, String>;

/// All series of some processes.
struct Served(Vec<(String, Labels, f64)>);

impl Served {
    async fn by<'a>(world: &World, programs: impl Iterator<Item = &'a crate::program::Program>) -> Self {
        let mut series = Vec::new();
        for program in programs {
            let text = world.metrics(program).await;
            series.extend(text.lines().filter(|line| !line.starts_with('#')).map(|line| {
                let (name, value) = line.rsplit_once(' ').unwrap();
                let (name, labels) = name.split_once('{').unwrap_or((name, "}"));
                (name.to_owned(), pairs(labels).map(|(name, _, value)| (name, value)).collect(), value.parse().unwrap())
            }));
        }
        Self(series)
    }

    fn of<'a>(&'a self, name: &'a str) -> impl Iterator<Item = (&'a Labels, f64)> {
        self.0.iter().filter(move |(of, ..)| of == name).map(|(_, labels, value)| (labels, *value))
    }

    /// The sum of those that have these labels; none if there are none.
    fn sum(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        let has = |all: &&Labels| labels.iter().all(|(label, value)| all.get(*label).is_some_and(|it| it == value));
        let values: Vec<f64> = self.of(name).filter(|(all, _)| has(all)).map(|(_, value)| value).collect();
        (!values.is_empty()).then(|| values.iter().sum())
    }
}

/// Labels in braces, with what stands between name and value.
fn pairs(text: &str) -> impl Iterator<Item = (String, String, String)> {
    let inner = text.split_once('}').unwrap().0.to_owned();
    let mut parts: Vec<String> = inner.split('"').map(str::to_owned).collect();
    parts.truncate(parts.len() / 2 * 2);
    let each = parts.chunks_exact(2).map(|pair| {
        let of = pair[0].trim_start_matches(',').trim();
        let at = of.find(['=', '!']).unwrap();
        (of[..at].to_owned(), of[at..].to_owned(), pair[1].clone())
    });
    each.collect::<Vec<_>>().into_iter()
}

/// What an expression asks for that nobody serves.
fn unserved(expression: &str, served: &Served) -> Vec<String> {
    let mut missing = Vec::new();
    let mut labels: BTreeSet<&str> = ADDED.into();
    for (at, _) in expression.match_indices("autoscaler_") {
        let rest = &expression[at..];
        let name = &rest[..rest.find(|it: char| !it.is_ascii_alphanumeric() && it != '_').unwrap_or(rest.len())];
        if served.of(name).next().is_none() {
            missing.push(name.to_owned());
        }
        labels.extend(served.of(name).flat_map(|(labels, _)| labels.keys().map(String::as_str)));
        let Some(selector) = rest[name.len()..].strip_prefix('{') else { continue };
        for (label, _, values) in pairs(selector) {
            for value in values.split('|').filter(|value| !value.starts_with('$')) {
                if served.sum(name, &[(&label, value)]).is_none() {
                    missing.push(format!("{name}{{{label}={value}}}"));
                }
            }
        }
    }
    for by in expression.split("by (").skip(1) {
        let by = by.split(')').next().unwrap().split(',').map(str::trim);
        missing.extend(by.filter(|label| !labels.contains(label)).map(|label| format!("by {label}")));
    }
    missing
}

fn expressions() -> Vec<String> {
    let alerts = ALERTS.split("expr: ").skip(1).map(|alert| {
        let lines =
            alert.lines().take_while(|line| !["for:", "labels:"].iter().any(|key| line.trim().starts_with(key)));
        lines.map(|line| line.trim().trim_start_matches(">-")).collect::<Vec<_>>().join(" ")
    });
    let dashboard: Value = serde_json::from_str(DASHBOARD).unwrap();
    let targets = dashboard["panels"].as_array().unwrap().iter().flat_map(|it| it["targets"].as_array().unwrap());
    alerts.chain(targets.map(|target| target["expr"].as_str().unwrap().to_owned())).collect()
}

async fn served(world: &World) -> Served {
    Served::by(world, world.ingests.iter().chain(&world.workers)).await
}

#[tokio::test]
async fn what_happens_on_the_way_to_a_runner_is_counted_and_alerts_ask_for_what_is_served() {
    let _turn = turn().await;
    let pools = ["default", "unused"].map(|name| PoolOptions { name, most: 4, per_scope: 4 }).into();
    let mut world = World::start(Options { pools, ..Options::default() }).await;
    let before = served(&world).await;
    let stages = ["reserved", "registered", "started", "listening", "running"];
    for (pool, stage) in ["default", "unused"].into_iter().flat_map(|pool| stages.map(|stage| (pool, stage))) {
        let count = before.sum("autoscaler_stage_seconds_count", &[("pool", pool), ("stage", stage)]);
        assert_eq!(count, Some(0.0), "{stage} of {pool}");
    }
    for (name, label) in [
        ("autoscaler_queue_jobs", ("pool", "unused")),
        ("autoscaler_queue_oldest_seconds", ("pool", "unused")),
        ("autoscaler_jobs_total", ("what", "worker_lost")),
        ("autoscaler_retries_total", ("cause", "github_failed")),
        ("autoscaler_github_calls_total", ("status", "401")),
    ] {
        assert_eq!(before.sum(name, &[label]), Some(0.0), "{name}");
    }

    world.github.fault(Fault::once("POST", JIT, Effect::status(502, "Bad Gateway")));
    for _ in 0..3 {
        world.github.queue_job(job("octocat/one", "default", "true"));
    }
    world.rest(PATIENCE).await;
    let after = served(&world).await;
    let stage = |stage| after.sum("autoscaler_stage_seconds_count", &[("pool", "default"), ("stage", stage)]);
    assert_eq!(stages.map(stage), [3.0, 3.0, 3.0, 3.0, 3.0].map(Some));
    assert_eq!(after.sum("autoscaler_stage_seconds_count", &[("pool", "unused")]), Some(0.0));
    let retries = after.of("autoscaler_retries_total").filter(|(_, count)| *count > 0.0);
    assert_eq!(retries.map(|(labels, _)| labels["cause"].as_str()).collect::<Vec<_>>(), ["github_failed"]);
    let calls = |status| {
        let labels = [("endpoint", "POST actions/runners/generate-jitconfig"), ("status", status)];
        after.sum("autoscaler_github_calls_total", &labels)
    };
    assert_eq!((calls("2xx"), calls("5xx"), calls("403")), (Some(3.0), Some(1.0), Some(0.0)));
    assert_eq!(after.sum("autoscaler_github_calls_total", &[("endpoint", "other")]), None, "an endpoint is not known");
    assert!(
        after.sum("autoscaler_github_rate_limit_remaining", &[("caller", "token"), ("resource", "core")]) > Some(0.0)
    );
    // Drained, the pool's figures are there, at nothing.
    assert_eq!(after.sum("autoscaler_queue_jobs", &[("pool", "default")]), Some(0.0));

    let expressions = expressions();
    assert!(expressions.len() > 30, "{expressions:#?}");
    for expression in expressions {
        assert_eq!(unserved(&expression, &after), Vec::<String>::new(), "{expression}");
    }
    Counts::of(&world).hold("counted");
}

#[tokio::test]
async fn a_lease_that_its_worker_lost_is_counted_and_its_runners_stages_are_not_measured_twice() {
    let _turn = turn().await;
    let mut world = World::start(Options { workers: 1, ..Options::default() }).await;
    let id = world.github.queue_job(job("octocat/one", "default", "sleep 9"));
    let running = async || world.record(id).await.is_some_and(|it| it.events.iter().any(|it| it.what == "running"));
    world.until("it runs", running).await;
    sleep(BETWEEN_BEATS).await;
    world.workers[0].process().signal(Signal::STOP).unwrap();
    let lost = [("pool", "default"), ("what", "worker_lost")];
    // Nobody looks after the pool but its worker.
    let mut beat = world.queue.clone();
    let pool = "default".parse().unwrap();
    let counted = async || {
        beat = beat.clone();
        drop(beat.beat(&pool, &[]).await);
        Served::by(&world, world.ingests.iter()).await.sum("autoscaler_jobs_total", &lost) == Some(1.0)
    };
    world.until("it is counted", counted).await;
    world.workers[0].kill();
    world.workers[0].start();
    world.worker_is_up(0).await;
    world.rest(PATIENCE).await;
    let after = served(&world).await;
    assert_eq!(
        after.sum("autoscaler_stage_seconds_count", &[]),
        Some(0.0),
        "the new process has seen none of it begin"
    );
    Counts::of(&world).hold("a worker that was lost");
}
