//! What every provider promises. A new provider adds a line to each list of tests at the end.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use bollard::{
    models::{ContainerCreateBody, NetworkCreateRequest, VolumeCreateRequest},
    query_parameters::{
        CreateContainerOptionsBuilder, InspectContainerOptions, RemoveContainerOptionsBuilder, RemoveVolumeOptions,
    },
};
use futures_util::TryStreamExt as _;
use shared::model::{Bytes, DockerAccess, PullPolicy, RunnerId};
use tokio::time::{sleep, timeout};
use worker::provider::{Found, Provider, ProviderError, RunnerState};

use super::{
    images,
    world::{IMAGE, World, docker, stand_in},
};

/// How long a test waits for what should take a moment.
const PATIENCE: Duration = Duration::from_secs(30);

async fn a_runner_is_found_by_its_job_from_its_making_to_its_removal<P: Provider>(world: World<P>) {
    let provider = &world.provider;
    let spec = world.spec("sleep 60");
    let found = async || provider.find(spec.job.unwrap()).await.unwrap();
    assert_eq!(found().await, []);

    let runner = provider.create(&spec).await.unwrap();
    let created = Found {
        runner: runner.clone(),
        job: spec.job.unwrap(),
        pool: spec.pool.clone(),
        worker: spec.worker.clone(),
        scope: spec.scope.clone(),
        runner_id: Some(RunnerId(23)),
        state: RunnerState::Created,
    };
    assert_eq!(found().await, std::slice::from_ref(&created));

    provider.start(&runner).await.unwrap();
    provider.start(&runner).await.unwrap(); // may be repeated
    let running = Found { state: RunnerState::Running, ..created.clone() };
    assert_eq!(found().await, std::slice::from_ref(&running));
    assert!(provider.list().await.unwrap().contains(&running));

    provider.stop(&runner, Duration::ZERO).await.unwrap();
    provider.stop(&runner, Duration::ZERO).await.unwrap(); // may be repeated
    assert_eq!(found().await, [Found { state: RunnerState::Exited, ..created }]);

    provider.remove(&runner).await.unwrap();
    provider.remove(&runner).await.unwrap(); // may be repeated
    assert_eq!(found().await, []);
}

async fn a_runner_that_was_removed_is_gone<P: Provider>(world: World<P>) {
    let provider = &world.provider;
    let runner = world.started(&world.spec("sleep 60")).await;
    provider.remove(&runner).await.unwrap(); // though it runs

    assert!(matches!(provider.start(&runner).await, Err(ProviderError::Gone)));
    assert!(matches!(provider.wait(&runner).await, Err(ProviderError::Gone)));
    assert!(matches!(provider.stop(&runner, Duration::ZERO).await, Err(ProviderError::Gone)));
    assert!(matches!(provider.tail(&runner, 10).await, Err(ProviderError::Gone)));
    let followed = provider.follow(&runner).try_collect::<Vec<String>>().await;
    assert!(matches!(followed, Err(ProviderError::Gone)));
}

async fn the_output_of_a_runner_that_runs_is_followed_from_its_first_line<P: Provider>(world: World<P>) {
    let runner = world
        .started(&world.spec("echo zero; echo one; sleep 2; echo two; echo three >&2; echo; echo end; sleep 1"))
        .await;
    let mut early = world.provider.follow(&runner);
    assert_eq!(timeout(PATIENCE, early.try_next()).await.unwrap().unwrap().as_deref(), Some("zero"));
    assert_eq!(timeout(PATIENCE, early.try_next()).await.unwrap().unwrap().as_deref(), Some("one"));

    let late = timeout(PATIENCE, world.provider.follow(&runner).try_collect::<Vec<String>>()).await.unwrap().unwrap();
    let stdout: Vec<&str> = late.iter().map(String::as_str).filter(|line| *line != "three").collect();
    assert_eq!(stdout, ["zero", "one", "two", "", "end"]);
    assert!(late.contains(&"three".to_owned()));
    assert_eq!(timeout(PATIENCE, early.try_collect::<Vec<String>>()).await.unwrap().unwrap(), late[2..]);
}

async fn the_tail_is_the_last_lines_of_bounded_length<P: Provider>(world: World<P>) {
    let script = "for n in 1 2 3 4 5; do echo $n; done; dd if=/dev/zero bs=20000 count=1 2>/dev/null; echo; echo end";
    let runner = world.started(&world.spec(script)).await;
    world.provider.wait(&runner).await.unwrap();
    let tail = world.provider.tail(&runner, 200).await.unwrap();
    assert_eq!(&tail[..5], ["1", "2", "3", "4", "5"]);
    assert!(tail.iter().any(|line| line.len() == 4096) && tail.iter().all(|line| line.len() <= 4096));
    assert_eq!(world.provider.tail(&runner, 1).await.unwrap(), ["end"]);
}

async fn the_end_of_a_runner_is_told_with_its_exit_code<P: Provider>(world: World<P>) {
    let runner = world.started(&world.spec("sleep 2; exit 7")).await;
    let exit = timeout(PATIENCE, world.provider.wait(&runner)).await.unwrap().unwrap();
    assert_eq!((exit.code, exit.oom_killed, &exit.error), (7, false, &None));
    let ran = exit.finished_at.unwrap() - exit.started_at.unwrap();
    assert!(ran >= Duration::from_secs(1) && ran < PATIENCE, "{ran}"); // the engine's clock reads a little late
    assert_eq!(world.provider.wait(&runner).await.unwrap(), exit);
}

async fn a_runner_that_used_up_its_memory_is_told_to_have<P: Provider>(world: World<P>) {
    // Not in its first moment: Docker begins to watch a container's memory a little after it began to run.
    let mut spec = world.spec("sleep 2; dd if=/dev/zero of=/dev/null bs=100M count=1; sleep 1");
    spec.docker.memory = Some(Bytes(8 << 20));
    let runner = world.started(&spec).await;
    let exit = timeout(PATIENCE, world.provider.wait(&runner)).await.unwrap().unwrap();
    assert!(exit.oom_killed, "{exit:?}");
}

async fn a_runner_may_end_its_work_when_it_is_stopped_and_is_killed_when_it_does_not<P: Provider>(world: World<P>) {
    const GRACE: Duration = Duration::from_secs(20);
    let spec = world.spec("trap 'echo stopping; exit 3' TERM; echo ready; while :; do sleep 0.1; done");
    let orderly = world.started(&spec).await;
    assert_eq!(world.provider.follow(&orderly).try_next().await.unwrap().as_deref(), Some("ready"));
    let began = Instant::now();
    world.provider.stop(&orderly, GRACE).await.unwrap();
    assert!(began.elapsed() < GRACE);
    assert_eq!(world.provider.wait(&orderly).await.unwrap().code, 3);
    assert_eq!(world.provider.tail(&orderly, 1).await.unwrap(), ["stopping"]);

    let stubborn = world.started(&world.spec("trap '' TERM; echo ready; while :; do sleep 0.1; done")).await;
    assert_eq!(world.provider.follow(&stubborn).try_next().await.unwrap().as_deref(), Some("ready"));
    world.provider.stop(&stubborn, Duration::from_secs(1)).await.unwrap();
    assert_eq!(world.provider.wait(&stubborn).await.unwrap().code, 137);
}

async fn an_absent_image_is_named_and_nothing_is_left<P: Provider>(world: World<P>) {
    for (pull, problem) in [(PullPolicy::Never, "pull is never"), (PullPolicy::Missing, "it cannot be pulled")] {
        let mut spec = world.spec("");
        "127.0.0.1:1/no/such:image".clone_into(&mut spec.image);
        spec.docker.pull = pull;
        for error in [
            world.provider.create(&spec).await.unwrap_err(),
            world.provider.prepare(&spec.image, pull).await.unwrap_err(),
        ] {
            assert!(matches!(error, ProviderError::ImageAbsent { .. }), "{error}");
            let error = error.to_string();
            assert!(error.contains(&spec.image) && error.contains(problem), "{error}");
        }
        assert_eq!(world.provider.find(spec.job.unwrap()).await.unwrap(), []);
    }
}

async fn a_name_that_is_taken_is_refused<P: Provider>(world: World<P>) {
    let spec = world.spec("");
    world.provider.create(&spec).await.unwrap();
    let error = world.provider.create(&spec).await.unwrap_err();
    assert!(matches!(error, ProviderError::Refused { .. }), "{error}");
    assert!(error.to_string().contains(spec.name.as_str()), "{error}");
    assert_eq!(world.provider.find(spec.job.unwrap()).await.unwrap().len(), 1);
}

async fn what_stands_beside_a_runner_goes_with_it<P: Provider>(world: World<P>) {
    images::get_ready(world.engine.is_some()).await;
    let spec = world.with_daemon("sleep 60");
    let runner = world.started(&spec).await;
    let name = &spec.name;
    let expected =
        [format!("/{name}.docker"), format!("{name}.externals"), format!("{name}.socket"), format!("{name}.work")];
    let mut beside = world.beside(name).await;
    beside.sort();
    assert_eq!(beside, expected);
    let found = world.provider.find(spec.job.unwrap()).await.unwrap();
    assert_eq!(found.iter().map(|found| &found.runner).collect::<Vec<_>>(), [&runner], "the daemon is no runner");

    world.provider.remove(&found[0].runner).await.unwrap();
    world.provider.remove(&runner).await.unwrap(); // may be repeated
    assert_eq!(world.beside(name).await, Vec::<String>::new());
}

async fn what_stands_beside_no_runner_is_removed_after_a_while<P: Provider>(world: World<P>) {
    images::get_ready(world.engine.is_some()).await;
    let (left, kept) = (world.with_daemon("sleep 60"), world.with_daemon("sleep 60"));
    let runner = world.started(&left).await;
    world.started(&kept).await;
    let force = RemoveContainerOptionsBuilder::new().force(true).build();
    world.client().remove_container(&runner.id, Some(force)).await.unwrap();

    world.provider.tidy().await.unwrap();
    assert_eq!(world.beside(&left.name).await.len(), 4, "it may be in the making");
    let deadline = Instant::now() + PATIENCE;
    while !world.beside(&left.name).await.is_empty() {
        assert!(Instant::now() < deadline);
        sleep(Duration::from_millis(500)).await;
        world.provider.tidy().await.unwrap();
    }
    assert_eq!(world.beside(&kept.name).await.len(), 4);
}

async fn a_runner_that_failed_is_kept_for_a_while_and_is_none_any_more<P: Provider>(world: World<P>) {
    images::get_ready(world.engine.is_some()).await;
    let mut spec = world.with_daemon("exit 3");
    spec.keep_failed = Some(Duration::from_secs(4));
    let runner = world.started(&spec).await;
    assert_eq!(runner.keep_failed, spec.keep_failed);
    world.provider.wait(&runner).await.unwrap();
    let kept = world.provider.keep(&runner).await.unwrap();
    assert_eq!(world.provider.keep(&runner).await.unwrap(), kept); // may be repeated
    assert_eq!(world.provider.find(spec.job.unwrap()).await.unwrap(), []);
    assert!(world.provider.list().await.unwrap().iter().all(|found| found.runner.id != runner.id));

    for _ in 0..2 {
        world.provider.tidy().await.unwrap();
        sleep(Duration::from_millis(10)).await;
    }
    let inspect = async || world.client().inspect_container(&kept, None::<InspectContainerOptions>).await;
    assert_eq!(inspect().await.unwrap().id.as_deref(), Some(runner.id.as_str()));
    let mut beside = world.beside(&spec.name).await;
    beside.sort();
    assert_eq!(beside, ["externals", "socket", "work"].map(|part| format!("{}.{part}", spec.name)), "but its daemon");

    let deadline = Instant::now() + PATIENCE;
    while inspect().await.is_ok() {
        assert!(Instant::now() < deadline);
        sleep(Duration::from_millis(500)).await;
        world.provider.tidy().await.unwrap();
    }
    assert_eq!(world.beside(&spec.name).await, Vec::<String>::new());
}

async fn what_a_runners_job_left_on_the_hosts_engine_goes_with_it_and_nothing_else<P: Provider>(world: World<P>) {
    let mut spec = world.spec("sleep 60");
    spec.docker.docker = DockerAccess::Socket;
    let runner = world.started(&spec).await;
    let (name, client) = (&spec.name, world.client());
    // The first is what the runner labels its jobs' things with, by its `.runner`, which is `{}`.
    let labels = [("44136f", ""), ("44136f", "x"), ("44136f0", ""), ("44136", ""), ("other", "44136f"), ("44136F", "")];
    for (number, (key, value)) in labels.into_iter().enumerate() {
        let (thing, labels) = (format!("{name}.left{number}"), HashMap::from([(key.to_owned(), value.to_owned())]));
        let body = ContainerCreateBody {
            image: Some(IMAGE.to_owned()),
            cmd: Some(vec!["/bin/true".to_owned()]),
            labels: Some(labels.clone()),
            ..ContainerCreateBody::default()
        };
        let options = CreateContainerOptionsBuilder::new().name(&thing).build();
        client.create_container(Some(options), body).await.unwrap();
        let network = NetworkCreateRequest { name: thing.clone(), labels: Some(labels.clone()), ..Default::default() };
        client.create_network(network).await.unwrap();
        let volume = VolumeCreateRequest { name: Some(thing), labels: Some(labels), ..Default::default() };
        client.create_volume(volume).await.unwrap();
    }
    world.provider.remove(&runner).await.unwrap();

    let mut left = Vec::new();
    for number in 0..labels.len() {
        let thing = format!("{name}.left{number}");
        let force = RemoveContainerOptionsBuilder::new().force(true).build();
        let container = client.remove_container(&thing, Some(force)).await.is_ok();
        let network = client.remove_network(&thing).await.is_ok();
        let volume = client.remove_volume(&thing, None::<RemoveVolumeOptions>).await.is_ok();
        left.push((container, network, volume));
    }
    assert_eq!(left[0], (false, false, false), "{left:?}");
    assert_eq!(left[1..], [(true, true, true); 5], "{left:?}");
}

async fn the_network_of_a_workers_runners_is_there_until_it_ends<P: Provider>(world: World<P>) {
    let networks = async || world.networks().await.len();
    let runners = [world.started(&world.spec("sleep 60")).await, world.started(&world.spec("sleep 60")).await];
    assert_eq!(networks().await, 1);
    for _ in 0..2 {
        world.provider.tidy().await.unwrap();
        sleep(Duration::from_millis(10)).await;
    }
    world.provider.close().await.unwrap();
    assert_eq!(networks().await, 1, "runners are in it");

    for runner in runners {
        world.provider.remove(&runner).await.unwrap();
    }
    world.provider.close().await.unwrap();
    assert_eq!(networks().await, 0);
    world.started(&world.spec("sleep 60")).await; // however it has gone
    assert_eq!(networks().await, 1);
}

/// Runs the promises against a provider.
macro_rules! promises {
    ($provider:ident: $($promise:ident)*) => {
        mod $provider {
            $(#[tokio::test]
            async fn $promise() {
                super::$promise(super::$provider().await).await;
            })*
        }
    };
}

promises! { docker:
    a_runner_is_found_by_its_job_from_its_making_to_its_removal
    a_runner_that_was_removed_is_gone
    the_output_of_a_runner_that_runs_is_followed_from_its_first_line
    the_tail_is_the_last_lines_of_bounded_length
    the_end_of_a_runner_is_told_with_its_exit_code
    a_runner_that_used_up_its_memory_is_told_to_have
    a_runner_may_end_its_work_when_it_is_stopped_and_is_killed_when_it_does_not
    an_absent_image_is_named_and_nothing_is_left
    a_name_that_is_taken_is_refused
    what_stands_beside_a_runner_goes_with_it
    what_stands_beside_no_runner_is_removed_after_a_while
    a_runner_that_failed_is_kept_for_a_while_and_is_none_any_more
    what_a_runners_job_left_on_the_hosts_engine_goes_with_it_and_nothing_else
    the_network_of_a_workers_runners_is_there_until_it_ends
}

// But for memory, of which the stand-in knows nothing.
promises! { stand_in:
    a_runner_is_found_by_its_job_from_its_making_to_its_removal
    a_runner_that_was_removed_is_gone
    the_output_of_a_runner_that_runs_is_followed_from_its_first_line
    the_tail_is_the_last_lines_of_bounded_length
    the_end_of_a_runner_is_told_with_its_exit_code
    a_runner_may_end_its_work_when_it_is_stopped_and_is_killed_when_it_does_not
    an_absent_image_is_named_and_nothing_is_left
    a_name_that_is_taken_is_refused
    what_stands_beside_a_runner_goes_with_it
    what_stands_beside_no_runner_is_removed_after_a_while
    a_runner_that_failed_is_kept_for_a_while_and_is_none_any_more
    what_a_runners_job_left_on_the_hosts_engine_goes_with_it_and_nothing_else
    the_network_of_a_workers_runners_is_there_until_it_ends
}
