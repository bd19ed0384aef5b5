//! What the parts of a delivery cost that need neither a socket nor the queue.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a benchmark that cannot be set up is none")]

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use devstack::github::{Config, JobSpec, StandIn};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use shared::{
    model::{DeliveryId, HookTarget, Pools, RegisterAt, RunnerNamePrefix},
    pools,
    settings::Environment,
    workflow_job::{Decision, WorkflowJobEvent, decide},
};

/// GitHub's own example of a queued job is as long.
const BODY_BYTES: usize = 7_900;

/// As many pools as the benchmark of `ingest` has; the last one takes the job.
const POOLS: usize = 20;

/// A queued job, made as long as GitHub's by what nobody reads.
fn body() -> Vec<u8> {
    let github = StandIn::start(Config::default()).unwrap();
    let mut body = github.payload(github.add_job(JobSpec::of("octocat/bench".parse().unwrap()))).unwrap();
    let padding = BODY_BYTES.saturating_sub(body.len() + r#","unread":"""#.len());
    body.truncate(body.len() - 1);
    body.extend(format!(r#","unread":"{}"}}"#, "x".repeat(padding)).bytes());
    body
}

fn twenty_pools(event: &WorkflowJobEvent<'_>) -> Pools {
    let others =
        (1..POOLS).map(|number| format!("[[pool]]\nname = \"pool-{number}\"\nlabels = [\"label-{number}\"]\n"));
    let labels = event.workflow_job.labels.to_string();
    let last = format!("[[pool]]\nname = \"last\"\nlabels = {:?}\n", labels.split(',').collect::<Vec<_>>());
    let (_, default) = pools::load(&mut Environment::of::<String, String>([]));
    Pools::parse(&others.chain([last]).collect::<String>(), default.now().iter().next().unwrap()).unwrap()
}

fn parts(criterion: &mut Criterion) {
    let body = body();
    let mut group = criterion.benchmark_group("delivery");
    group.throughput(Throughput::Bytes(body.len() as u64));

    let key: Hmac<Sha256> = Hmac::new_from_slice(b"the secret of a benchmark").unwrap();
    let tag = key.clone().chain_update(&body).finalize().into_bytes();
    group.bench_function("HMAC-SHA256, compared in constant time", |bencher| {
        bencher.iter(|| key.clone().chain_update(black_box(&body)).verify(&tag).unwrap());
    });
    group.bench_function("parse the fields that are needed", |bencher| {
        bencher.iter(|| WorkflowJobEvent::parse(black_box(&body)).unwrap());
    });

    group.finish();

    let mut group = criterion.benchmark_group("job");
    let event = WorkflowJobEvent::parse(&body).unwrap();
    let (pools, prefix) = (twenty_pools(&event), RunnerNamePrefix::default());
    let delivery: DeliveryId = "72d3162e-cc78-11e3-81ab-4c9367dc0958".parse().unwrap();
    let decided = || {
        let origin = event.origin(HookTarget::Repository, None, RegisterAt::HookTarget);
        decide(black_box(&event), &origin, &delivery, &pools, &prefix)
    };
    group.bench_function("find the pool among twenty", |bencher| bencher.iter(decided));

    let Decision::Enqueue(message) = decided() else { panic!("no pool takes the job") };
    group.bench_function("write the message", |bencher| {
        bencher.iter(|| serde_json::to_string(black_box(&message)).unwrap());
    });
    group.finish();
}

criterion_group!(benches, parts);
criterion_main!(benches);
