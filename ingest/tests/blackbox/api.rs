//! `/api/v1` of the private listener, with the queue in either store.

use std::time::Duration;

use devstack::harness::{Process, ProcessSpec, RedisServer, free_port};
use secrecy::SecretString;
use serde_json::{Value, json};
use shared::{
    model::PoolName,
    queue::{Queue, QueueConfig, Reserved, Settlement},
    settings::Environment,
};

use super::{
    app::{Delivery, SECRET, event, event_with},
    client::{self, Response, request_with},
};

const TOKEN: &str = "the-token-of-the-private-listener";
const START: Duration = Duration::from_secs(20);

/// The program with a queue in this store, in which one job is dead (7), one waits (8) and one fits no pool (9).
struct World {
    queue: Queue,
    port: u16,
    _process: Process,
}

impl World {
    async fn on(url: &str) -> Self {
        let (public, port) = (free_port().unwrap(), free_port().unwrap());
        let spec = ProcessSpec::new(env!("CARGO_BIN_EXE_ingest"))
            .env("AUTOSCALER_SECRET_TOKEN", SECRET)
            .env("INGEST_BIND", format!("127.0.0.1:{public}"))
            .env("INGEST_ADMIN_BIND", format!("127.0.0.1:{port}"))
            .env("INGEST_ADMIN_TOKEN", TOKEN)
            .env("QUEUE_URL", url);
        let mut process = Process::start(&spec).unwrap();
        process.wait_for_line("Waiting for deliveries", START).await.unwrap();
        let queue = Queue::new(&QueueConfig { url: SecretString::from(url), ..QueueConfig::default() }).unwrap();
        let deliver = async |event: &Value| client::send(public, &Delivery::of(event).request()).await.code;

        assert_eq!(deliver(&event("queued", 7)).await, 202);
        let (_, pools) = shared::pools::load(&mut Environment::of::<String, String>([]));
        queue.set_limits(&pools.now()).await.unwrap();
        let Reserved::Job(lease) =
            queue.reserve(&PoolName::default_pool(), &"somebody".parse().unwrap()).await.unwrap()
        else {
            panic!("there is no job");
        };
        queue.settle(*lease, Settlement::Dead { error: "the image is gone".to_owned() }).await.unwrap();
        assert_eq!(deliver(&event("queued", 8)).await, 202);
        assert_eq!(deliver(&event_with("queued", 9, &json!({"labels": ["solaris"]}))).await, 200);
        Self { queue, port, _process: process }
    }

    async fn get(&self, path: &str) -> (u16, Value) {
        answer(&request_with(self.port, "GET", path, &[("Authorization", &format!("Bearer {TOKEN}"))]).await)
    }

    async fn ids(&self, path: &str) -> Vec<u64> {
        let (code, jobs) = self.get(path).await;
        assert_eq!(code, 200, "{path}: {jobs}");
        jobs.as_array().unwrap().iter().map(|job| job["id"].as_u64().unwrap()).collect()
    }

    /// Asks for a change, as a program does, with these headers.
    async fn post_with(&self, path: &str, body: &str, headers: &[(&str, &str)]) -> (u16, Value) {
        let first =
            format!("POST {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-length: {}", body.len());
        let headers = headers.iter().map(|(name, value)| format!("{name}: {value}"));
        let head = std::iter::once(first).chain(headers).collect::<Vec<_>>().join("\r\n");
        answer(&client::send(self.port, format!("{head}\r\n\r\n{body}").as_bytes()).await)
    }

    async fn post(&self, path: &str, body: &Value) -> (u16, Value) {
        let headers = [("Authorization", format!("Bearer {TOKEN}")), ("Content-Type", "application/json".to_owned())];
        self.post_with(path, &body.to_string(), &headers.each_ref().map(|(name, value)| (*name, value.as_str()))).await
    }
}

fn answer(response: &Response) -> (u16, Value) {
    assert_eq!(response.header("content-type"), Some("application/json"), "{response:?}");
    (response.code, serde_json::from_str(&response.body).unwrap_or_else(|_| panic!("no JSON: {response:?}")))
}

/// An error's code and word.
fn outcome((code, body): (u16, Value)) -> (u16, String) {
    assert!(body["msg"].as_str().is_some_and(|msg| !msg.is_empty()), "{body}");
    (code, body["status"].as_str().unwrap().to_owned())
}

async fn shows_what_the_commands_show(world: &World) {
    let queue = &world.queue;
    let same = async |path: &str, shown: Value| assert_eq!(world.get(path).await, (200, shown), "{path}");
    let record =
        async |id: u64| serde_json::to_value(queue.job(super::app::job_id(id)).await.unwrap().unwrap()).unwrap();
    same("/api/v1/status", serde_json::to_value(queue.status().await.unwrap()).unwrap()).await;
    same("/api/v1/runners", json!([])).await;
    same("/api/v1/jobs", serde_json::to_value(queue.jobs(None, 100).await.unwrap()).unwrap()).await;
    for id in [7, 8, 9] {
        same(&format!("/api/v1/jobs/{id}"), record(id).await).await;
        let explained = serde_json::to_value(queue.explain(super::app::job_id(id)).await.unwrap()).unwrap();
        same(&format!("/api/v1/jobs/{id}/explain"), explained).await;
    }
    assert_eq!(world.get("/api/v1/jobs/7/explain").await.1["reason"], "dead");
    assert_eq!(world.get("/api/v1/jobs/6/explain").await.1["reason"], "unknown_job");

    assert_eq!(world.ids("/api/v1/jobs?state=dead").await, [7]);
    assert_eq!(world.ids("/api/v1/jobs?state=unmatched").await, [9]);
    assert_eq!(world.ids("/api/v1/jobs?limit=2").await.len(), 2);
    assert_eq!(world.ids("/api/v1/dead").await, [7]);
    assert_eq!(world.ids("/api/v1/dead?error=IMAGE&scope=octo-org/octo-repo&newer_than=1h").await, [7]);
    for none in ["error=disk", "scope=octo-org", "older_than=1d"] {
        assert_eq!(world.ids(&format!("/api/v1/dead?{none}")).await, [] as [u64; 0], "{none}");
    }
}

async fn says_what_is_wrong_with_a_request(world: &World) {
    for path in [
        "/api/v1/jobs?state=waiting",
        "/api/v1/jobs?limit=0",
        "/api/v1/jobs?limit=1001",
        "/api/v1/jobs?limit=",
        "/api/v1/jobs?limit=1&limit=2",
        "/api/v1/jobs?stat=dead",
        "/api/v1/jobs/x",
        "/api/v1/jobs/0",
        "/api/v1/jobs/-1/explain",
        "/api/v1/dead?older_than=1",
        "/api/v1/dead?scope=a/b/c",
    ] {
        assert_eq!(outcome(world.get(path).await), (400, "invalid".to_owned()), "{path}");
    }
    assert_eq!(outcome(world.get("/api/v1/jobs/6").await), (404, "not_found".to_owned()));
    assert_eq!(outcome(world.get("/api/v1/nothing").await), (404, "not_found".to_owned()));
    assert_eq!(outcome(world.get("/api/v1/dead/replay").await), (405, "method_not_allowed".to_owned()));
    for body in [
        json!({}),
        json!({"jobs": []}),
        json!({"jobs": "some"}),
        json!({"jobs": 7}),
        json!({"jobs": ["7"]}),
        json!({"jobs": (1..=1001).collect::<Vec<u32>>()}),
        json!({"jobs": "all", "eror": "x"}),
        json!({"jobs": "all", "scope": "a/b/c"}),
        json!([]),
    ] {
        assert_eq!(outcome(world.post("/api/v1/dead/drop", &body).await), (400, "invalid".to_owned()), "{body}");
    }
    let large = json!({"jobs": "all", "error": "x".repeat(65 * 1024)});
    assert_eq!(outcome(world.post("/api/v1/dead/drop", &large).await), (413, "too_large".to_owned()));
    assert_eq!(world.ids("/api/v1/dead").await, [7], "nothing was done");
}

async fn changes_nothing_for_other_sites(world: &World) {
    use base64::{Engine as _, prelude::BASE64_STANDARD};

    let drop =
        async |headers: &[(&str, &str)]| world.post_with("/api/v1/dead/drop", r#"{"jobs":"all"}"#, headers).await;
    let (bearer, basic) =
        (format!("Bearer {TOKEN}"), format!("Basic {}", BASE64_STANDARD.encode(format!("me:{TOKEN}"))));
    let (bearer, basic) = (("Authorization", bearer.as_str()), ("Authorization", basic.as_str()));
    let json = ("Content-Type", "application/json");
    assert_eq!(outcome(drop(&[json]).await), (401, "unauthorized".to_owned()));
    assert_eq!(outcome(drop(&[bearer]).await), (415, "unsupported".to_owned()));
    for form in ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data"] {
        assert_eq!(outcome(drop(&[bearer, ("Content-Type", form)]).await), (415, "unsupported".to_owned()), "{form}");
    }
    assert_eq!(outcome(drop(&[basic, json]).await), (403, "forbidden".to_owned()), "a browser sends it by itself");
    assert_eq!(outcome(drop(&[basic, json, ("X-CSRF-Token", "1.00")]).await), (403, "forbidden".to_owned()));
    assert_eq!(outcome(drop(&[bearer, json, ("Origin", "http://evil.example")]).await), (403, "forbidden".to_owned()));
    assert_eq!(outcome(drop(&[bearer, json, ("Sec-Fetch-Site", "cross-site")]).await), (403, "forbidden".to_owned()));
    assert_eq!(world.ids("/api/v1/dead").await, [7], "nothing was done");
}

async fn replays_and_drops(world: &World) {
    let meant = json!({"jobs": [7, 8], "error": "image", "dry_run": true});
    assert_eq!(world.post("/api/v1/dead/replay", &meant).await, (200, json!([7])));
    assert_eq!(world.ids("/api/v1/dead").await, [7], "it was only asked which");
    assert_eq!(world.post("/api/v1/dead/replay", &json!({"jobs": "all", "scope": "octo-org"})).await, (200, json!([])));
    assert_eq!(world.post("/api/v1/dead/replay", &json!({"jobs": [7]})).await, (200, json!([7])));
    assert_eq!(world.get("/api/v1/jobs/7").await.1["state"], "pending");

    for id in [7, 8] {
        let reserved = world.queue.reserve(&PoolName::default_pool(), &"somebody".parse().unwrap()).await.unwrap();
        let Reserved::Job(lease) = reserved else { panic!("there is no job for {id}: {reserved:?}") };
        world.queue.settle(*lease, Settlement::Dead { error: "again".to_owned() }).await.unwrap();
    }
    assert_eq!(world.post("/api/v1/dead/drop", &json!({"jobs": [8, 12]})).await, (200, json!([8])));
    assert_eq!(world.post("/api/v1/dead/drop", &json!({"jobs": "all"})).await, (200, json!([7])));
    assert_eq!(world.get("/api/v1/jobs/7").await.1["state"], "cancelled");
}

async fn all_of_it(world: &World) {
    shows_what_the_commands_show(world).await;
    says_what_is_wrong_with_a_request(world).await;
    changes_nothing_for_other_sites(world).await;
    replays_and_drops(world).await;
}

#[tokio::test]
async fn a_queue_in_a_file_is_shown_and_changed_as_by_the_commands() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::on(&format!("sqlite:{}", folder.path().join("queue.db").display())).await;
    all_of_it(&world).await;
}

#[tokio::test]
async fn a_queue_in_redis_is_shown_and_changed_as_by_the_commands_and_503_while_it_is_away() {
    let mut redis = RedisServer::start().await.unwrap();
    let world = World::on(&redis.url()).await;
    all_of_it(&world).await;

    redis.stop().await.unwrap();
    for path in ["/api/v1/status", "/api/v1/jobs", "/api/v1/jobs/7", "/api/v1/jobs/7/explain", "/api/v1/dead"] {
        assert_eq!(outcome(world.get(path).await), (503, "unavailable".to_owned()), "{path}");
    }
    let drop = world.post("/api/v1/dead/drop", &json!({"jobs": "all"})).await;
    assert!(drop.1["msg"].as_str().unwrap().contains("GET /readyz"), "{drop:?}");
    assert_eq!(outcome(drop), (503, "unavailable".to_owned()));
}

#[tokio::test]
async fn every_path_that_is_described_is_served_with_the_methods_that_are_described() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::on(&format!("sqlite:{}", folder.path().join("queue.db").display())).await;
    let (code, description) = world.get("/api/v1/openapi.json").await;
    assert_eq!(code, 200);
    let mut compared = 0;
    for (path, item) in description["paths"].as_object().unwrap() {
        if item.as_object().unwrap().values().any(|operation| operation["tags"] == json!(["public"])) {
            continue;
        }
        let at = path.replace("{id}", "7");
        for method in ["GET", "POST", "PUT", "PATCH", "DELETE"] {
            let asked = request_with(world.port, method, &at, &[("Authorization", &format!("Bearer {TOKEN}"))]).await;
            let described = item.get(method.to_lowercase()).is_some();
            assert_eq!(asked.code != 405, described, "{method} {path}: {asked:?}");
            assert!(asked.code != 404 && asked.code < 500, "{method} {path}: {asked:?}");
            compared += 1;
        }
    }
    assert_eq!(compared, 12 * 5, "{description}");
}
