//! `worker explain` of a job that never came, and of one that ended only by its record.

use devstack::github::JobSpec;
use serde_json::json;
use shared::queue::{Queue, QueueConfig, Reserved, Settlement};

use crate::world::{Ingest, SECRET, World, until};

fn job(repository: &str) -> JobSpec {
    JobSpec::of(repository.parse().unwrap())
}

/// What `explain` says of a job that is not known.
async fn text(world: &World, which: &str) -> String {
    let (code, explained) = world.json(&["explain", which]).await;
    assert_eq!((code, &explained["reason"]), (Some(0), &json!("unknown_job")), "{explained}");
    explained["text"].as_str().unwrap().to_owned()
}

fn page(repository: &str, id: u64) -> String {
    format!("https://github.com/{repository}/actions/runs/1/job/{id}")
}

/// Makes a webhook of octo/hello, and has a job of it delivered.
async fn delivered(world: &World, ingest: &Ingest) -> u64 {
    world.json(&["hook", "add", "--repo", "octo/hello", "--url", &ingest.url]).await;
    let id = world.github.queue_job(job("octo/hello"));
    let taken = async || world.run(&["job", &id.to_string()]).await.code == Some(0);
    assert!(until(taken).await, "{:?}", world.github.deliveries());
    id
}

#[tokio::test]
async fn github_says_whether_it_waits_and_the_queue_whether_anybody_looks() {
    let mut world = World::new();
    let ingest = world.ingest(SECRET).await;
    let elsewhere = world.github.add_job(job("octo/never"));
    let said = text(&world, &page("octo/never", elsewhere)).await;
    assert!(
        said.contains("At GitHub it is queued since 2") && said.contains("pool default covers its labels"),
        "{said}"
    );
    assert!(said.contains("does not look at octo/never") && said.contains("worker doctor --repo octo/never"), "{said}");

    // Once a webhook has come of it, a repository is looked at, and its jobs are found by their ids.
    delivered(&world, &ingest).await;
    let first = world.github.add_job(JobSpec { labels: vec!["linus".to_owned()], ..job("octo/hello") });
    let said = text(&world, &first.to_string()).await;
    assert!(said.contains("It is one of octo/hello.") && said.contains("lacks linus"), "{said}");
    assert!(said.contains("has not looked at octo/hello yet; the next look follows 300 s after"), "{said}");

    assert_eq!(world.run(&["reconcile"]).await.code, Some(0));
    let later = world.github.add_job(job("octo/hello"));
    let said = text(&world, &page("octo/hello", later)).await;
    assert!(said.contains("looked at octo/hello last at 2"), "{said}");
    assert_eq!(
        world.json(&["explain", &first.to_string()]).await.1["reason"],
        "no_matching_pool",
        "the sweep has seen it"
    );

    let said = text(&world, &page("octo/never", elsewhere)).await;
    assert!(said.contains("does not look at octo/never"), "{said}");
    let said = text(&world, "7").await;
    assert!(said.contains("None of the 1 repositories") && said.contains("Give the address of its page"), "{said}");
    world.set("WORKER_RECONCILE_SECONDS", "0");
    assert!(text(&world, &page("octo/hello", later)).await.contains("no worker looks again"));

    world.settings.remove("AUTOSCALER_GITHUB_PAT");
    let said = text(&world, &page("octo/hello", later)).await;
    assert!(said.contains("set AUTOSCALER_GITHUB_PAT, with the scope repo"), "{said}");
    assert!(said.contains("looked at octo/hello last at 2"), "the queue knows that without: {said}");
}

/// Has the one job in the queue of `world` end, as if its runner had done some work.
async fn end(world: &World) {
    let url = world.settings["QUEUE_URL"].as_str().into();
    let queue = Queue::new(&QueueConfig { url, ..QueueConfig::default() }).unwrap();
    // As a worker does when it starts; by default there is the one pool, of this name.
    let (_, pools) = shared::pools::load(&mut shared::settings::Environment::of::<String, String>([]));
    queue.set_limits(&pools.now()).await.unwrap();
    let reserved = queue.reserve(&"default".parse().unwrap(), &"host".parse().unwrap()).await.unwrap();
    let Reserved::Job(lease) = reserved else { panic!("no job: {reserved:?}") };
    queue.settle(*lease, Settlement::Done { detail: "its runner ran a job and ended".to_owned() }).await.unwrap();
}

#[tokio::test]
async fn a_job_that_waits_at_github_though_it_has_ended_by_its_record_is_told_of() {
    let mut world = World::new();
    let ingest = world.ingest(SECRET).await;
    let id = delivered(&world, &ingest).await;
    end(&world).await;
    let text = async |world: &World| {
        let (_, explained) = world.json(&["explain", &id.to_string()]).await;
        assert_eq!(explained["reason"], "done", "{explained}");
        explained["text"].as_str().unwrap().to_owned()
    };
    let said = text(&world).await;
    assert!(
        said.contains("But GitHub has it in its queue")
            && said.contains("GitHub opens it again once its end is 300 s ago"),
        "{said}"
    );
    world.set("WORKER_RECONCILE_SECONDS", "0");
    let said = text(&world).await;
    assert!(said.contains("No worker compares") && said.contains("worker reconcile opens it again"), "{said}");

    let credential = world.settings.remove("AUTOSCALER_GITHUB_PAT").unwrap();
    assert!(!text(&world).await.contains("GitHub"), "nobody was asked");
    world.set("AUTOSCALER_GITHUB_PAT", "ghp_ofNobody");
    let said = text(&world).await;
    assert!(said.contains("Whether GitHub agrees is not known: ") && said.contains("401"), "{said}");
    world.set("AUTOSCALER_GITHUB_PAT", &credential);
    world.github.cancel_job(id);
    assert!(!text(&world).await.contains("GitHub"), "both agree");
}
