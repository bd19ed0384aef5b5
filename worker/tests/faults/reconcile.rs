//! Row 14: webhooks that never came, and what they left.

use std::time::Duration;

use devstack::github::{Effect, Fault, HookTarget, JobSpec, JobStatus};
use serde_json::{Value, json};
use shared::model::JobState;
use tokio::time::sleep;

use crate::{
    counts::Counts,
    spec::{AppOptions, Options, job},
    webhooks::deliver,
    world::{PATIENCE, TOKEN, World, turn},
};

/// How often workers compare the queue with GitHub here, and how long something counts as under way.
const EVERY: u64 = 1;

const RUNS: &str = "/repos/*/actions/runs";
const RUNNERS: &str = "/repos/{owner}/{repo}/actions/runners";

/// More than any test makes.
const ALWAYS: u32 = 100_000;

fn options() -> Options {
    Options { env: [("WORKER_RECONCILE_SECONDS", EVERY.to_string())].into(), ..Options::default() }
}

/// Has a job of the repository come and go, so that it is known.
async fn make_known(world: &mut World, spec: JobSpec) {
    let id = world.github.queue_job(spec);
    world.github.wait_for_job(id, JobStatus::Completed, PATIENCE).await.unwrap();
    world.until("it is settled", async || world.open() == Some(0)).await;
    // Whoever stops an ingest now breaks off no webhook of this one.
    let told = |world: &World| world.github.deliveries().iter().any(|it| it.job == id && it.action == "completed");
    world.until("its end was told", async || told(world)).await;
}

async fn state(world: &World, id: u64) -> Option<JobState> {
    world.record(id).await.map(|record| record.state)
}

/// Registers a runner that nobody starts.
async fn register(world: &World, name: &str) {
    let url = format!("{}/api/v3/repos/octocat/one/actions/runners/generate-jitconfig", world.github.url());
    let body = json!({ "name": name, "runner_group_id": 1, "labels": ["self-hosted"], "work_folder": "_work" });
    let request = world.http.post(url).bearer_auth(TOKEN).header("User-Agent", "a test").json(&body);
    assert_eq!(request.send().await.unwrap().status(), 201, "{name}");
}

fn registered(world: &World) -> Vec<String> {
    let mut names: Vec<String> = world.github.runners().into_iter().map(|runner| runner.name).collect();
    names.sort();
    names
}

async fn reconcile(world: &World, arguments: &[&str]) -> Value {
    let said = world.command(&[&["reconcile", "--json"], arguments].concat()).await;
    let line = said.lines().find(|line| line.starts_with('{')).unwrap_or_else(|| panic!("no JSON in {said}"));
    serde_json::from_str(line).unwrap()
}

fn counts(report: &Value) -> [usize; 4] {
    ["redelivered", "enqueued", "closed", "deregistered"].map(|what| report[what].as_array().unwrap().len())
}

#[tokio::test]
async fn a_job_of_which_no_webhook_came_gets_its_runner() {
    let _turn = turn().await;
    let mut world = World::start(options()).await;
    make_known(&mut world, job("octocat/one", "default", "true")).await;
    let missed = world.github.add_job(job("octocat/one", "default", "true"));
    let elsewhere = world.github.add_job(JobSpec {
        labels: vec!["self-hosted".to_owned(), "elsewhere".to_owned()],
        ..job("octocat/one", "default", "true")
    });
    world.github.wait_for_job(missed, JobStatus::Completed, PATIENCE).await.unwrap();
    world.until("it is done", async || state(&world, missed).await == Some(JobState::Done)).await;
    world
        .until("why the other one waits is on record", async || {
            state(&world, elsewhere).await == Some(JobState::Unmatched)
        })
        .await;
    let events = world.record(elsewhere).await.unwrap().events;
    sleep(Duration::from_secs(3 * EVERY)).await;
    assert_eq!(world.record(elsewhere).await.unwrap().events, events, "it is said once");
    assert!(world.github.cancel_job(elsewhere));
    world.rest(PATIENCE).await;
    Counts::of(&world).hold("no webhook came");
}

/// What is on record is that the job's runner has ended its work; the other job, which it had, is on no record at all.
#[tokio::test]
async fn a_job_whose_runner_had_one_that_was_never_heard_of_gets_another_runner() {
    let _turn = turn().await;
    let mut world = World::still(Options { workers: 1, ..options() }).await;
    world.github.fault(Fault::once("GET", RUNS, Effect::status(404, "Not Found")).times(ALWAYS));
    let unheard = world.github.add_job(job("octocat/one", "default", "true"));
    let id = world.github.queue_job(job("octocat/one", "default", "true"));
    world.until("the other one is queued", async || world.store.count("default", "queued") == Some(1)).await;
    world.github.set_webhook(None);
    world.workers[0].start();
    world.github.wait_for_job(unheard, JobStatus::Completed, PATIENCE).await.unwrap();
    world.until("the runner has ended", async || state(&world, id).await == Some(JobState::Done)).await;
    world.next_ingest();
    world.github.clear_faults();
    world.github.wait_for_job(id, JobStatus::Completed, PATIENCE).await.unwrap();
    world.rest(PATIENCE).await;
    assert_eq!(state(&world, id).await, Some(JobState::Done));
    Counts::of(&world).hold("a job that was never heard of");
}

/// Of a repository's hook, and of an organization's.
#[tokio::test]
async fn a_delivery_that_failed_is_asked_for_again_once() {
    let _turn = turn().await;
    let mut world = World::start(options()).await;
    let owned =
        |script| JobSpec { organization: Some("octo-org".to_owned()), ..job("octo-org/two", "default", script) };
    make_known(&mut world, job("octocat/one", "default", "true")).await;
    make_known(&mut world, owned("true")).await;
    // So that nobody finds the jobs in another way.
    world.github.fault(Fault::once("GET", RUNS, Effect::status(404, "Not Found")).times(ALWAYS));
    world.ingests[0].kill();
    let jobs = [world.github.queue_job(job("octocat/one", "default", "true")), world.github.queue_job(owned("true"))];
    let failed = |world: &World| world.github.deliveries().iter().filter(|it| it.status.is_none()).count();
    world.until("their webhooks have failed", async || failed(&world) >= 2).await;
    world.ingests[0].start();
    world.ingest_is_up(0).await;
    for id in jobs {
        world.github.wait_for_job(id, JobStatus::Completed, PATIENCE).await.unwrap();
        let deliveries = world.github.deliveries();
        let again: Vec<_> =
            deliveries.iter().filter(|it| it.job == id && it.redelivery && it.action == "queued").collect();
        assert!(again.iter().filter(|it| it.status == Some(202)).count() == 1, "{again:?}");
    }
    sleep(Duration::from_secs(3 * EVERY)).await;
    let asked = |place: &str| {
        world.github.count("POST", &format!("{place}/hooks/{{hook_id}}/deliveries/{{delivery_id}}/attempts"))
    };
    // While ingest was away, one that failed again may have been asked for again.
    let (of_repositories, of_organizations) = (asked("/repos/{owner}/{repo}"), asked("/orgs/{org}"));
    let again = world.github.deliveries().iter().filter(|it| it.redelivery).count();
    assert_eq!(u64::try_from(again).unwrap(), of_repositories + of_organizations);
    assert!(of_repositories >= 1 && of_organizations >= 1, "{of_repositories} {of_organizations}");
    world.rest(PATIENCE).await;
    Counts::of(&world).hold("deliveries that failed");
}

#[tokio::test]
async fn an_app_asks_for_its_own_hooks_deliveries_again() {
    let _turn = turn().await;
    let app = Some(AppOptions { id: "4711", token: Duration::from_hours(1) });
    let mut world = World::start(Options { app, hook: Some(HookTarget::Integration), ..options() }).await;
    let of_app = || JobSpec { installation: Some(1), ..job("octocat/one", "default", "true") };
    make_known(&mut world, of_app()).await;
    world.github.fault(Fault::once("GET", RUNS, Effect::status(404, "Not Found")).times(ALWAYS));
    world.ingests[0].kill();
    let id = world.github.queue_job(of_app());
    let failed = |world: &World| world.github.deliveries().iter().any(|it| it.job == id && it.status.is_none());
    world.until("its webhook has failed", async || failed(&world)).await;
    world.ingests[0].start();
    world.ingest_is_up(0).await;
    world.github.wait_for_job(id, JobStatus::Completed, PATIENCE).await.unwrap();
    assert!(world.github.count("POST", "/app/hook/deliveries/{delivery_id}/attempts") >= 1);
    world.rest(PATIENCE).await;
    Counts::of(&world).hold("an app's deliveries that failed");
}

#[tokio::test]
async fn of_several_workers_one_at_a_time_compares_and_another_one_does_once_it_is_gone() {
    let _turn = turn().await;
    let mut world = World::start(Options { workers: 3, ..options() }).await;
    make_known(&mut world, job("octocat/one", "default", "true")).await;
    let looks = |world: &World| {
        let calls = world.github.calls().into_iter().filter(|call| call.method == "GET" && call.route == RUNNERS);
        calls.map(|call| call.at).collect::<Vec<_>>()
    };
    let before = looks(&world).len();
    world.until("there were some rounds", async || looks(&world).len() >= before + 4).await;
    // A pause, by the store's clock, is between them; stand-ins note the time when a call comes in.
    let pauses: Vec<_> = looks(&world).windows(2).map(|pair| (pair[1] - pair[0]).as_seconds_f64()).collect();
    assert!(pauses.iter().all(|pause| *pause > 0.8), "{pauses:?}");

    for worker in [1, 2] {
        world.workers[worker].kill();
    }
    world.github.fault(Fault::once("GET", "/repos/*/actions/runners", Effect::Hang));
    world.until("it is in the midst of one", async || world.github.faults_left() == 0).await;
    world.workers[0].kill();
    let before = looks(&world).len();
    world.workers[1].start();
    world.until("another worker goes on", async || looks(&world).len() > before).await;
}

#[tokio::test]
async fn the_record_of_a_job_is_closed_though_no_webhook_came_of_its_end() {
    let _turn = turn().await;
    let mut world = World::start(Options { workers: 1, ..options() }).await;
    make_known(&mut world, job("octocat/one", "default", "true")).await;
    world.command(&["limits", "set", "--max-runners", "0"]).await;
    let id = world.github.queue_job(job("octocat/one", "default", "true"));
    world.until("it waits", async || state(&world, id).await == Some(JobState::Pending)).await;
    sleep(Duration::from_secs(2 * EVERY)).await;
    assert_eq!(state(&world, id).await, Some(JobState::Pending), "it waits at GitHub as well");
    world.github.set_webhook(None);
    assert!(world.github.cancel_job(id));
    world.until("its record is closed", async || state(&world, id).await == Some(JobState::Cancelled)).await;
}

/// The slot of a runner whose host is gone would be held for ten minutes, for its worker's return.
#[tokio::test]
async fn the_slot_of_a_runner_is_freed_that_has_ended_unheard_on_a_host_that_is_gone() {
    let _turn = turn().await;
    let mut world = World::still(Options { workers: 2, hosts: 2, ..options() }).await;
    world.workers[0].start();
    make_known(&mut world, job("octocat/one", "default", "true")).await;
    let id = world.github.queue_job(job("octocat/one", "default", "sleep 1"));
    world.github.wait_for_job(id, JobStatus::InProgress, PATIENCE).await.unwrap();
    world
        .until("its runner works", async || {
            world.record(id).await.is_some_and(|record| record.events.iter().any(|event| event.what == "running"))
        })
        .await;
    world.workers[0].kill();
    world.github.set_webhook(None);
    world.github.wait_for_job(id, JobStatus::Completed, PATIENCE).await.unwrap();
    world.workers[1].start();
    world.until("it is done", async || state(&world, id).await == Some(JobState::Done)).await;
}

/// B's runner takes A, and B is cancelled: A's own runner, which was made meanwhile, finds nothing. It would wait for five minutes.
#[tokio::test]
async fn a_runner_is_retired_whose_job_has_ended_on_another_one_while_nothing_waits() {
    let _turn = turn().await;
    let mut world = World::start(options()).await;
    make_known(&mut world, job("octocat/one", "default", "true")).await;
    world.github.set_webhook(None);
    // Until then nobody finds them in another way.
    world.github.fault(Fault::once("GET", RUNS, Effect::status(404, "Not Found")).times(ALWAYS));
    let [a, b] = ["sleep 3", "true"].map(|script| world.github.add_job(job("octocat/one", "default", script)));
    let [of_a, of_b] = [a, b].map(|id| world.github.payload(id).unwrap());
    deliver(&world, 0, "of-b", &of_b).await;
    world.github.wait_for_job(a, JobStatus::InProgress, PATIENCE).await.unwrap();
    assert!(world.github.cancel_job(b));
    deliver(&world, 0, "of-a", &of_a).await;
    world.github.clear_faults();
    world.github.wait_for_job(a, JobStatus::Completed, PATIENCE).await.unwrap();
    world.until("no runner is left", async || world.docker.containers().is_empty()).await;
    world.until("no job is left", async || world.open() == Some(0)).await;
    Counts::of(&world).hold("a surplus runner");
}

#[tokio::test]
async fn registrations_that_no_runner_will_use_are_deleted_and_no_others() {
    let _turn = turn().await;
    let mut world = World::start(options()).await;
    make_known(&mut world, job("octocat/one", "default", "true")).await;
    let others = ["gha-2-41-1", "arc-runner", "gha-x", "ghal-41-1"];
    for name in others.into_iter().chain(["gha-41-1", "gha-by-hand-1764000000"]) {
        register(&world, name).await;
    }
    // It is registered and not started for longer than it takes to be held for left over.
    world.docker.fault(Fault::once("POST", "/containers/*/create", Effect::Delay(6000 * EVERY)));
    let slow = world.github.queue_job(job("octocat/one", "default", "true"));
    let fresh = format!("gha-{slow}-1");
    world.until("its runner is registered", async || registered(&world).contains(&fresh)).await;
    world
        .until("ours are gone", async || {
            let left = registered(&world);
            !left.iter().any(|name| name == "gha-41-1" || name.starts_with("gha-by-hand"))
        })
        .await;
    world.github.wait_for_job(slow, JobStatus::Completed, PATIENCE).await.unwrap();
    assert_eq!(world.github.job(slow).unwrap().taken_by.unwrap().name, fresh);
    world.rest(PATIENCE).await;
    let mut others = others.map(str::to_owned);
    others.sort();
    assert_eq!(registered(&world), others);
}

#[tokio::test]
async fn by_hand_it_says_what_there_is_to_do_and_does_it() {
    let _turn = turn().await;
    let mut world =
        World::start(Options { workers: 1, env: [("WORKER_RECONCILE_SECONDS", "0".to_owned())].into(), ..options() })
            .await;
    make_known(&mut world, job("octocat/one", "default", "true")).await;
    world.workers[0].kill();
    // For commands, what is under way is so for this long.
    world.workers[0].spec = world.workers[0].spec.clone().env("WORKER_RECONCILE_SECONDS", EVERY.to_string());
    let ended = world.github.queue_job(job("octocat/one", "default", "true"));
    world.until("one waits", async || state(&world, ended).await.is_some()).await;
    world.ingests[0].kill();
    assert!(world.github.cancel_job(ended));
    world
        .until("its webhook has failed", async || world.github.deliveries().iter().any(|it| it.status.is_none()))
        .await;
    let missed = world.github.add_job(job("octocat/one", "default", "true"));
    register(&world, "gha-41-1").await;
    sleep(Duration::from_secs(2 * EVERY)).await;

    for _ in 0..2 {
        let report = reconcile(&world, &["--dry-run"]).await;
        assert_eq!((counts(&report), report["dry_run"].as_bool()), ([1, 1, 1, 0], Some(true)), "{report}");
    }
    assert_eq!((state(&world, missed).await, state(&world, ended).await), (None, Some(JobState::Pending)));
    let report = reconcile(&world, &[]).await;
    assert_eq!(counts(&report), [1, 1, 1, 0], "one look alone says nothing of a registration: {report}");
    assert_eq!(
        (state(&world, missed).await, state(&world, ended).await),
        (Some(JobState::Pending), Some(JobState::Cancelled))
    );
    world.until("it was sent again", async || world.github.deliveries().iter().any(|it| it.redelivery)).await;
    sleep(Duration::from_secs(2 * EVERY)).await;
    let dry = reconcile(&world, &["--dry-run"]).await;
    assert_eq!((counts(&dry)[3], registered(&world).len()), (1, 1), "{dry}");
    let report = reconcile(&world, &[]).await;
    assert_eq!((counts(&report)[1..].to_vec(), registered(&world).len()), (vec![0, 0, 1], 0), "{report}");
    let table = world.command(&["reconcile"]).await;
    assert!(table.contains("WHAT"), "{table}");
}

#[tokio::test]
async fn a_right_that_is_missing_is_named_once_and_the_rest_is_done() {
    let _turn = turn().await;
    let mut world = World::start(Options { workers: 1, ..options() }).await;
    let refused = Effect::status(403, "Resource not accessible by personal access token");
    world.github.fault(Fault::once("GET", "/repos/*/hooks/*", refused).times(ALWAYS));
    for repository in ["octocat/one", "octocat/two"] {
        make_known(&mut world, job(repository, "default", "true")).await;
    }
    let missed = world.github.add_job(job("octocat/two", "default", "true"));
    world.github.wait_for_job(missed, JobStatus::Completed, PATIENCE).await.unwrap();
    sleep(Duration::from_secs(3 * EVERY)).await;
    let said: Vec<String> =
        world.workers[0].lines().into_iter().filter(|line| line.contains("Cannot compare all with GitHub")).collect();
    assert_eq!(said.len(), 1, "{said:#?}");
    assert!(said[0].contains("the scope admin:repo_hook"), "{said:#?}");
    world.rest(PATIENCE).await;
}

/// A limit is obeyed, and what was not looked at is the next time.
#[tokio::test]
async fn a_rate_limit_ends_the_round_and_the_next_one_goes_on() {
    let _turn = turn().await;
    let mut world = World::start(Options { workers: 1, ..options() }).await;
    make_known(&mut world, job("octocat/one", "default", "true")).await;
    world.github.fault(Fault::once("GET", RUNS, Effect::too_many_requests(Duration::from_secs(1))));
    let missed = world.github.add_job(job("octocat/one", "default", "true"));
    world.github.wait_for_job(missed, JobStatus::Completed, PATIENCE).await.unwrap();
    assert!(world.workers[0].lines().iter().any(|line| line.contains("ended early")), "{}", world.story());
    world.rest(PATIENCE).await;
}
