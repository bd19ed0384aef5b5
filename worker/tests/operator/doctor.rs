//! `worker doctor`

use std::{path::Path, time::Duration};

use devstack::{
    github::{App, ClassicScope, Config, Effect, Fault, FineGrained, Permissions},
    harness::RedisServer,
};
use serde_json::{Value, json};

use crate::world::{IMAGE, SECRET, TOKEN, World};

/// What a check came to.
#[derive(Debug)]
struct Report(Value);

impl Report {
    /// Looks, and returns the exit code as well.
    async fn of(world: &World, arguments: &[&str]) -> (Option<i32>, Self) {
        let (code, report) = world.json(&[&["doctor"], arguments].concat()).await;
        (code, Self(report))
    }

    /// The findings of a check.
    fn all(&self, check: &str) -> Vec<&Value> {
        self.0["findings"].as_array().unwrap().iter().filter(|it| it["check"] == check).collect()
    }

    fn one(&self, check: &str) -> &Value {
        let all = self.all(check);
        assert_eq!(all.len(), 1, "{check}: {self:#?}");
        all[0]
    }

    /// What it is of that check that is as `verdict` says.
    fn is(&self, check: &str, verdict: &str) -> String {
        let one = self.one(check);
        assert_eq!(one["verdict"], verdict, "{one:#}");
        format!("{} {}", one["found"].as_str().unwrap(), one["advice"].as_str().unwrap_or_default())
    }
}

/// A machine on which everything is as it should be, but that GitHub reaches it in clear text.
async fn sound() -> (World, crate::world::Ingest) {
    let world = World::new();
    let ingest = world.ingest(SECRET).await;
    let (code, _) = world.json(&["hook", "add", "--repo", "octo/hello", "--url", &ingest.url]).await;
    assert_eq!(code, Some(0));
    (world, ingest)
}

#[tokio::test]
async fn where_everything_is_there_it_says_so_and_ends_with_0() {
    let (world, ingest) = sound().await;
    let (code, report) = Report::of(&world, &["--repo", "octo/hello"]).await;
    assert_eq!((code, &report.0["failures"]), (Some(0), &json!(0)), "{report:#?}");
    assert!(report.is("pools", "ok").contains("default (self-hosted,linux)"), "{report:?}");
    assert!(report.is("file", "ok").contains("queue.db"));
    for check in ["AUTOSCALER_SECRET_TOKEN", "permissions", "durability", "latency"] {
        report.is(check, "ok");
    }
    assert!(report.is("credential", "ok").contains("classic token with the scopes repo"));
    assert!(report.is("rate limit", "ok").contains("of 5000 calls are left"));
    report.is("runners at octo/hello", "ok");
    report.is("jobs of octo/hello", "ok");
    assert!(report.is("engine", "ok").contains("API 1.41"));
    report.is(&format!("image {IMAGE}"), "ok");
    let settings = report.all("settings of hook 512345679 of octo/hello");
    assert_eq!(settings[0]["found"], "it delivers in clear text", "{settings:?}");
    assert!(
        report.is("deliveries of hook 512345679 of octo/hello", "ok").contains("the last (ping) was answered with 200")
    );

    let said = world.run(&["doctor", "--repo", "octo/hello"]).await;
    assert_eq!(said.code, Some(0), "{said:?}");
    assert!(
        said.out.lines().any(|line| line.starts_with("ok       github    runners at octo/hello: may be")),
        "{said:?}"
    );
    drop(ingest);
}

#[tokio::test]
async fn all_that_is_wrong_with_the_settings_is_said_at_once() {
    let mut world = World::new();
    world.set("QUEUE_LEASE_SECONDS", "x");
    world.set("WORKER_CAPACITY", "0");
    world.set("WORKER_CAPACITI", "1");
    let (code, report) = Report::of(&world, &[]).await;
    assert_eq!((code, &report.0["failures"]), (Some(1), &json!(3)), "{report:?}");
    assert!(report.is("WORKER_CAPACITI", "failure").contains("no such setting"));
    report.is("QUEUE_LEASE_SECONDS", "failure");
    report.is("everything else", "skipped");
    let said = world.run(&["doctor"]).await;
    assert!(said.out.contains("failure  settings  WORKER_CAPACITY: "), "{said:?}");
    assert!(said.err.contains("3 of 4 checks failed"), "{said:?}");
}

#[tokio::test]
async fn looking_makes_no_queue_and_a_missing_credential_hides_nothing_else() {
    let mut world = World::new();
    world.settings.remove("AUTOSCALER_GITHUB_PAT");
    let (code, report) = Report::of(&world, &[]).await;
    assert_eq!(code, Some(1));
    assert!(report.is("credential", "failure").contains("AUTOSCALER_GITHUB_PAT"));
    assert!(report.is("file", "ok").contains("is not there yet"));
    report.is(&format!("image {IMAGE}"), "ok");
    assert!(!world.folder.path().join("queue.db").exists());
}

#[tokio::test]
async fn a_redis_that_may_lose_jobs_is_told_and_so_is_one_that_is_away() {
    let redis = RedisServer::start().await.unwrap();
    let mut world = World::new();
    world.set("QUEUE_URL", &redis.url());
    let (_, report) = Report::of(&world, &[]).await;
    let version = report.is("version", "ok");
    assert!(version.starts_with("Redis 7") || version.starts_with("Valkey"), "{version}");
    report.is("latency", "ok");
    assert!(report.all("clock").iter().any(|it| it["subject"] == "queue" && it["verdict"] == "ok"), "{report:?}");
    let client = redis::Client::open(redis.url()).unwrap();
    let mut connection = client.get_connection().unwrap();
    for (setting, value) in [("maxmemory-policy", "allkeys-lru"), ("appendonly", "no")] {
        let _ok: String = redis::cmd("CONFIG").arg("SET").arg(setting).arg(value).query(&mut connection).unwrap();
    }
    let said = Report::of(&world, &[]).await.1.is("durability", "warning");
    assert!(said.contains("allkeys-lru") && said.contains("set it to noeviction; set it to yes"), "{said}");

    drop(connection);
    drop(redis);
    let (code, report) = Report::of(&world, &[]).await;
    assert_eq!(code, Some(1));
    report.is("reachable", "failure");
    report.is(&format!("image {IMAGE}"), "ok");
}

#[tokio::test]
async fn a_queue_that_others_may_read_is_told() {
    use std::os::unix::fs::PermissionsExt as _;
    let (world, _ingest) = sound().await;
    let file = world.folder.path().join("queue.db");
    std::fs::set_permissions(Path::new(&file), std::fs::Permissions::from_mode(0o644)).unwrap();
    let (_, report) = Report::of(&world, &["--repo", "octo/hello"]).await;
    assert!(report.is("permissions", "warning").contains("chmod 600"), "{report:?}");
}

#[tokio::test]
async fn rights_that_are_missing_are_named_for_each_place() {
    let world = World::with(Config::default().token(TOKEN, Permissions::classic([ClassicScope::Repo])));
    let world = world.pools(
        "[[pool]]\nname = 'a'\nimage = 'runner:1'\nscopes = ['octo/hello']\n\
         [[pool]]\nname = 'b'\nimage = 'runner:1'\nscopes = ['acme']\nscope = 'organization'\n",
    );
    let (code, report) = Report::of(&world, &[]).await;
    assert_eq!(code, Some(1));
    report.is("runners at octo/hello", "ok");
    assert!(report.is("runners at acme", "failure").contains("admin:org"), "{report:?}");
    assert!(report.is("webhook of octo/hello", "failure").contains("worker hook add --repo octo/hello"));
    assert!(report.is("webhook of acme", "skipped").contains("admin:org_hook"));

    // Whether an owner is a user is found out by asking; an organization that is named as one has to be there.
    let world = world.pools(
        "[[pool]]\nname = 'a'\nimage = 'runner:1'\nscopes = ['perhaps']\n\
         [[pool]]\nname = 'b'\nimage = 'runner:1'\nscopes = ['gone']\nscope = 'organization'\n",
    );
    for owner in ["perhaps", "gone"] {
        for (method, path) in [("POST", "actions/runners/registration-token"), ("GET", "hooks")] {
            world.github.fault(Fault::once(method, format!("/orgs/{owner}/{path}"), Effect::status(404, "Not Found")));
        }
    }
    let (_, report) = Report::of(&world, &[]).await;
    assert!(report.is("runners at perhaps", "warning").contains("if perhaps is a user"), "{report:?}");
    assert!(report.all("webhook of perhaps").is_empty(), "{report:?}");
    report.is("runners at gone", "failure");
    report.is("webhook of gone", "skipped");

    world.github.fault(Fault::once("GET", "/rate_limit", Effect::status(401, "Bad credentials")));
    let (_, report) = Report::of(&world, &[]).await;
    assert!(report.is("credential", "failure").contains("AUTOSCALER_GITHUB_PAT is wrong or has expired"));
}

#[tokio::test]
async fn an_app_is_looked_at_with_its_installation_and_its_own_webhook() {
    let permissions = Permissions::app("octo", [FineGrained::ActionsRead, FineGrained::Administration]);
    let app = App::new(4711).installed(1, "octo", permissions);
    let mut world = World::with(Config::default().app(app));
    world.as_app(4711);
    let ingest = world.ingest(SECRET).await;
    world.json(&["hook", "add", "--app", "--url", &ingest.url]).await;
    let (code, report) = Report::of(&world, &["--repo", "octo/hello"]).await;
    assert_eq!(code, Some(0), "{report:#?}");
    assert!(report.is("credential", "ok").contains("administration: write"), "{report:?}");
    report.is("rate limit", "ok");
    report.is("runners at octo/hello", "ok");
    report.is("settings of the GitHub App's hook", "warning");
    assert!(report.is("deliveries of the GitHub App's hook", "skipped").contains("cannot be pinged"));
    let (_, report) = Report::of(&world, &["--repo", "elsewhere/hello"]).await;
    assert!(report.is("runners at elsewhere/hello", "failure").contains("must be installed there"), "{report:?}");
}

#[tokio::test]
async fn a_wrong_secret_is_told_by_the_last_delivery() {
    let world = World::new();
    let ingest = world.ingest("another secret than the webhook's").await;
    world.json(&["hook", "add", "--repo", "octo/hello", "--url", &ingest.url]).await;
    let refused = async || world.github.deliveries().iter().any(|it| it.status == Some(401));
    assert!(crate::world::until(refused).await);
    let (code, report) = Report::of(&world, &["--repo", "octo/hello"]).await;
    assert_eq!(code, Some(1));
    let said = report.is("deliveries of hook 512345679 of octo/hello", "failure");
    assert!(said.contains("401") && said.contains("AUTOSCALER_SECRET_TOKEN"), "{said}");
}

#[tokio::test]
async fn an_engine_that_lacks_what_a_pool_wants_is_told_by_pool_and_image() {
    let world = World::new().pools(
        "[[pool]]\nname = 'a'\nimage = 'absent:1'\n[pool.docker]\nruntime = 'runsc'\n\
         [[pool]]\nname = 'b'\nimage = 'never:1'\n[pool.docker]\npull = 'never'\n\
         [[pool]]\nname = 'c'\nimage = 'pullable:1'\n",
    );
    world.docker.fault(Fault::once(
        "GET",
        "/distribution/pullable:1/json",
        Effect::Answer {
            status: 200,
            body: json!({ "Descriptor": { "digest": "sha256:00", "size": 1 }, "Platforms": [] }),
            headers: std::collections::BTreeMap::default(),
        },
    ));
    let (code, report) = Report::of(&world, &["--repo", "octo/hello"]).await;
    assert_eq!(code, Some(1));
    assert!(report.is("runtime of pool a", "failure").contains("no runtime runsc, but runc"));
    assert!(report.is("image absent:1", "failure").contains("manifest for absent:1 not found"), "{report:?}");
    assert!(report.is("image never:1", "failure").contains("docker pull never:1"));
    assert!(report.is("image pullable:1", "ok").contains("the worker pulls it"));
}

#[tokio::test]
async fn what_hangs_hides_nothing_else() {
    let mut world = World::new();
    let mut redis = RedisServer::start().await.unwrap();
    world.set("QUEUE_URL", &redis.url());
    redis.freeze().unwrap();
    world.docker.fault(Fault::once("GET", "/info", Effect::Hang));
    world.github.fault(Fault::once("GET", "/repos/octo/hello/actions/runs", Effect::Hang));
    let begun = std::time::Instant::now();
    let (code, report) = Report::of(&world, &["--repo", "octo/hello"]).await;
    assert_eq!(code, Some(1));
    assert!(begun.elapsed() < Duration::from_secs(40), "each has its bound");
    report.is("reachable", "failure");
    report.is("engine", "failure");
    report.is("rights at octo/hello", "failure");
    report.is("credential", "ok");
    report.is("pools", "ok");
}
