//! A job is one trace, from its delivery to its result, whatever befalls its worker.

use std::{collections::BTreeMap, time::Duration};

use devstack::{
    github::{Effect, Fault},
    harness::{Signal, free_port},
};
use opentelemetry_proto::tonic::trace::v1::{span::SpanKind, status::StatusCode};
use serde_json::Value;
use tokio::time::Instant;

use crate::{
    collector::{Collector, Span},
    counts::Counts,
    program::Program,
    spec::{Options, job},
    world::{PATIENCE, SECRET, TOKEN, World, turn},
};

fn options(url: &str) -> Options {
    let env = [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", url.to_owned()),
        ("OTEL_EXPORTER_OTLP_HEADERS", "api-key=hush".to_owned()),
        ("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment=tests".to_owned()),
        ("AUTOSCALER_LOG", "json".to_owned()),
        // These mean nothing here, though OpenTelemetry's own libraries read them.
        ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://127.0.0.1:1/elsewhere".to_owned()),
        ("OTEL_EXPORTER_OTLP_TRACES_HEADERS", "api-key=another".to_owned()),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json".to_owned()),
        ("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip".to_owned()),
    ];
    Options { workers: 1, env: env.into(), ..Options::default() }
}

/// The spans of a job, each with the names of those that it is part of, the outermost in front.
fn paths(spans: &[Span]) -> BTreeMap<String, usize> {
    let by_id: BTreeMap<&[u8], &Span> = spans.iter().map(|span| (&span.span_id[..], span)).collect();
    let mut paths = BTreeMap::new();
    for span in spans {
        let (mut path, mut at) = (span.name.clone(), span);
        while !at.parent_span_id.is_empty() {
            at = by_id.get(&at.parent_span_id[..]).unwrap_or_else(|| panic!("{} has no parent", at.name));
            path = format!("{}/{path}", at.name);
        }
        *paths.entry(path).or_default() += 1;
    }
    paths
}

/// The trace of a job once all of it was sent.
async fn trace(world: &World, collector: &Collector, id: u64) -> Vec<Span> {
    let of = |span: &Span| format!("{:?}", span.attributes).contains(&format!("\"{id}\""));
    let job = |span: &&Span| span.name == "job" && of(span);
    world.until("its trace is there", async || collector.spans().iter().any(|span| job(&span))).await;
    let trace = collector.spans().iter().find(job).unwrap().trace_id.clone();
    collector.spans().into_iter().filter(|span| span.trace_id == trace).collect()
}

/// The traces that the lines of a process name which are about a job.
fn logged(program: &Program, id: u64) -> Vec<String> {
    let lines = program.past.iter().cloned().chain(program.lines());
    let parsed = lines.filter_map(|line| serde_json::from_str::<Value>(&line).ok());
    let ours = parsed.filter_map(|line| {
        let span = &line["span"];
        let of = [&line["job.id"], &span["job.id"]].iter().any(|of| of.as_str() == Some(&id.to_string()));
        let trace = [&line["trace_id"], &span["trace_id"]].iter().find_map(|trace| trace.as_str().map(str::to_owned));
        trace.filter(|_| of)
    });
    ours.collect()
}

fn check_logs(world: &World, id: u64, trace: &[u8]) {
    let trace = format!("{:032x}", u128::from_be_bytes(trace.try_into().unwrap()));
    for program in world.ingests.iter().chain(&world.workers) {
        let logged = logged(program, id);
        assert!(!logged.is_empty() && logged.iter().all(|it| *it == trace), "{}: {logged:?}", program.name);
    }
}

const OF_ATTEMPT: [&str; 7] = ["register", "create", "start", "listen", "assign", "run", "finish"];

#[tokio::test]
async fn a_job_is_one_trace_from_delivery_to_result_though_its_worker_is_killed_and_its_runner_adopted() {
    let _turn = turn().await;
    let collector = Collector::start().await;
    let mut world = World::start(options(&collector.url())).await;
    world.github.fault(Fault::once("POST", "/repos/*/generate-jitconfig", Effect::status(502, "Bad Gateway")));
    let id = world.github.queue_job(job("octocat/one", "default", "sleep 2"));
    let running = async || world.record(id).await.is_some_and(|it| it.events.iter().any(|it| it.what == "running"));
    world.until("it runs", running).await;
    world.workers[0].kill();
    world.workers[0].start();
    world.worker_is_up(0).await;
    world.rest(PATIENCE).await;

    let spans = trace(&world, &collector, id).await;
    let mut expected: BTreeMap<String, usize> =
        OF_ATTEMPT.iter().map(|stage| (format!("delivery/job/attempt/{stage}"), 1)).collect();
    let outer = [("delivery", 1), ("delivery/job", 1), ("delivery/job/reserve", 2), ("delivery/job/attempt", 2)];
    expected.extend(outer.map(|(path, times)| (path.to_owned(), times)));
    assert_eq!(paths(&spans), expected);

    let span = |name: &str| spans.iter().find(|span| span.name == name).unwrap();
    let took = |name| span(name).end_time_unix_nano - span(name).start_time_unix_nano;
    assert!(took("run") >= 1_500_000_000, "{} ns, though a worker was killed meanwhile", took("run"));
    assert_eq!(span("delivery").kind(), SpanKind::Server);
    assert_eq!(span("job").kind(), SpanKind::Consumer);
    let job = span("job");
    let events: Vec<&str> = job.events.iter().map(|event| event.name.as_str()).collect();
    assert!(events.contains(&"adopted"), "{events:?}");
    for inner in &spans {
        let begins = job.start_time_unix_nano <= inner.start_time_unix_nano || inner.name == "delivery";
        assert!(begins && inner.end_time_unix_nano <= job.end_time_unix_nano, "{inner:?}");
    }
    let failed: Vec<bool> = spans.iter().filter(|it| it.name == "attempt").map(is_error).collect();
    assert_eq!(failed.iter().filter(|failed| **failed).count(), 1, "the first one failed");

    check_logs(&world, id, &span("job").trace_id);
    let said = format!("{spans:?} {:?}", collector.resources());
    assert!(said.contains("deployment.environment") && said.contains("\"autoscaler\""), "{said}");
    for secret in [SECRET, TOKEN, "hush"] {
        assert!(!said.contains(secret) && !world.story().contains(secret), "{secret} is told");
    }
    assert!(
        collector.heads().iter().all(|head| head.starts_with("post /v1/traces ") && head.contains("api-key: hush"))
    );
    Counts::of(&world).hold("a trace over a kill");
}

fn is_error(span: &Span) -> bool {
    span.status.as_ref().is_some_and(|status| status.code() == StatusCode::Error)
}

#[tokio::test]
async fn a_collector_that_is_away_holds_up_nothing_and_gets_all_of_it_later() {
    let _turn = turn().await;
    let port = free_port().unwrap();
    let mut world = World::start(options(&format!("http://127.0.0.1:{port}"))).await;
    let ids: Vec<u64> = (0..4).map(|_| world.github.queue_job(job("octocat/one", "default", "true"))).collect();
    world.rest(PATIENCE).await;
    let said = |world: &World| {
        let lines = world.workers[0].past.iter().cloned().chain(world.workers[0].lines());
        lines.filter(|line| line.contains("Cannot send traces")).count()
    };
    world.until("it is told", async || said(&world) == 1).await;
    let begun = Instant::now();
    world.workers[0].process().signal(Signal::TERM).unwrap();
    let status = world.workers[0].process().wait(PATIENCE).await.unwrap();
    assert!(status.success() && begun.elapsed() < Duration::from_secs(30), "{status:?} {:?}", begun.elapsed());
    assert_eq!(said(&world), 1, "{}", world.story());
    world.workers[0].kill();

    // Another worker tells of what the first one could not.
    let collector = Collector::at(port).await;
    world.workers[0].start();
    world.worker_is_up(0).await;
    for id in ids {
        let spans = trace(&world, &collector, id).await;
        assert_eq!(spans.iter().filter(|span| span.name == "job").count(), 1);
        check_logs(&world, id, &spans[0].trace_id);
    }
    Counts::of(&world).hold("a collector that was away");
}
