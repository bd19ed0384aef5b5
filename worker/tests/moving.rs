//! `worker queue move`, as it is used: with the real programs, from a file to a Redis that asks for a password.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::{path::Path, time::Duration};

use devstack::{
    deliver::{self, Answer, ContentType, Delivery, HOOK_ID},
    github::HookTarget,
    harness::{Process, ProcessSpec, RedisServer, free_port},
};
use secrecy::SecretString;
use serde_json::{Value, json};
use shared::queue::{Queue, QueueConfig};

const SECRET: &str = "a secret of at least sixteen bytes";
const PASSWORD: &str = "hush-hush";
const START: Duration = Duration::from_secs(20);

fn program(name: &str) -> std::path::PathBuf {
    // Cargo puts the workspace's programs beside this test's own folder.
    let tests = std::env::current_exe().unwrap();
    tests.parent().and_then(Path::parent).unwrap().join(name)
}

struct World {
    redis: RedisServer,
    folder: tempfile::TempDir,
    http: reqwest::Client,
}

impl World {
    async fn start() -> Self {
        let redis = RedisServer::start_with(["--requirepass", PASSWORD]).await.unwrap();
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("new"), redis.url().replace("://", &format!("://:{PASSWORD}@"))).unwrap();
        Self { redis, folder, http: deliver::client().unwrap() }
    }

    fn old(&self) -> String {
        format!("sqlite:{}/queue.db", self.folder.path().display())
    }

    /// `ingest` on either store, with its two ports.
    async fn ingest(&self, variable: &str, value: String) -> (Process, u16, u16) {
        let (port, admin_port) = (free_port().unwrap(), free_port().unwrap());
        let spec = ProcessSpec::new(program("ingest"))
            .env("AUTOSCALER_SECRET_TOKEN", SECRET)
            .env("INGEST_BIND", format!("127.0.0.1:{port}"))
            .env("INGEST_ADMIN_BIND", format!("127.0.0.1:{admin_port}"))
            .env(variable, value);
        let mut process = Process::start(&spec).unwrap();
        process.wait_for_line("Waiting for deliveries", START).await.unwrap();
        (process, port, admin_port)
    }

    /// Delivers a job.
    async fn deliver(&self, port: u16, id: u64) -> Answer {
        let payload = json!({
            "action": "queued",
            "workflow_job": {
                "id": id, "run_id": 5, "run_attempt": 1, "name": "build", "workflow_name": "CI",
                "labels": ["self-hosted", "linux"], "conclusion": null, "runner_id": null, "runner_name": null,
            },
            "repository": { "full_name": "octo/repo", "owner": { "login": "octo" } },
        });
        let delivery = Delivery {
            url: format!("http://127.0.0.1:{port}/webhook"),
            event: "workflow_job".to_owned(),
            guid: format!("{id:032x}"),
            hook: HOOK_ID,
            target: HookTarget::Repository,
            content_type: ContentType::Json,
            payload: payload.to_string().into_bytes(),
        };
        delivery.send(&self.http, &SecretString::from(SECRET)).await.unwrap()
    }

    /// Runs a command, and returns its exit code and what it printed.
    async fn command(&self, arguments: &[&str]) -> (Option<i32>, String) {
        let spec = ProcessSpec::new(env!("CARGO_BIN_EXE_worker")).env("QUEUE_URL", self.old());
        let spec = arguments.iter().fold(spec, |spec, argument| spec.arg(*argument));
        let mut process = Process::start(&spec).unwrap();
        let status = process.wait(START).await.unwrap();
        (status.code(), process.lines().join("\n"))
    }
}

#[tokio::test]
async fn after_the_move_deliveries_are_refused_until_ingest_is_told_of_the_new_store() {
    let world = World::start().await;
    let new = world.folder.path().join("new").display().to_string();
    let (_old, port, admin_port) = world.ingest("QUEUE_URL", world.old()).await;
    assert_eq!(world.deliver(port, 1).await.status, 202);

    let (code, said) = world.command(&["queue", "move", "--to-file", &new, "--json"]).await;
    assert_eq!(code, Some(0), "{said}");
    let moved: Value = serde_json::from_str(said.lines().find(|line| line.starts_with('{')).unwrap()).unwrap();
    assert_eq!((&moved["pools"][0]["name"], &moved["pools"][0]["jobs"]["pending"]), (&json!("default"), &json!(1)));
    assert_eq!((&moved["pools"][0]["jobs"]["dead"], &moved["unmatched"]), (&json!(0), &json!(0)));

    assert_eq!(world.deliver(port, 2).await.status, 503);
    let ready = world.http.get(format!("http://127.0.0.1:{admin_port}/readyz")).send().await.unwrap();
    assert_eq!(ready.status(), 503);
    let lack = ready.text().await.unwrap();
    assert!(lack.contains("set QUEUE_URL to that one"), "{lack}");

    let (_new, port, _) = world.ingest("QUEUE_URL_FILE", new.clone()).await;
    assert_eq!(world.deliver(port, 1).await.status, 200, "it is known there");
    assert_eq!(world.deliver(port, 2).await.status, 202);
    let url = SecretString::from(std::fs::read_to_string(new).unwrap());
    let queue = Queue::new(&QueueConfig { url, ..QueueConfig::default() }).unwrap();
    assert_eq!(queue.status().await.unwrap().pools[0].pending, 2);
}

#[tokio::test]
async fn the_command_says_what_it_did_and_what_to_do_and_no_password() {
    let world = World::start().await;
    let new = world.folder.path().join("new").display().to_string();
    let (_old, port, _) = world.ingest("QUEUE_URL", world.old()).await;
    assert_eq!(world.deliver(port, 1).await.status, 202);
    let wrong = world.redis.url().replace("://", "://:wrong-hush@");
    for (arguments, expected, text) in [
        (vec!["queue", "move"], 2, "--to"),
        (vec!["queue", "move", "--to", "sqlite:x", "--to-file", &new], 2, "--to"),
        (vec!["queue", "move", "--to-file", "/nowhere"], 1, "--to-file: cannot read /nowhere"),
        (vec!["queue", "move", "--to", "htp://u:hush@h"], 1, "--to: "),
        (vec!["queue", "move", "--to", &world.old()], 1, "--to: is the store that the jobs are in"),
        (vec!["queue", "move", "--to", &wrong], 1, "repeat it"),
    ] {
        let (code, said) = world.command(&arguments).await;
        assert_eq!(code, Some(expected), "{arguments:?}: {said}");
        assert!(said.contains(text) && !said.contains("hush"), "{arguments:?}: {said}");
    }
    assert_eq!(world.deliver(port, 2).await.status, 202, "nothing was moved yet");

    let (code, said) = world.command(&["queue", "move", "--from", &world.old(), "--to-file", &new]).await;
    assert_eq!(code, Some(0), "{said}");
    let mut lines = said.lines();
    assert!(lines.next().unwrap().starts_with("POOL     PENDING"), "{said}");
    assert!(lines.next().unwrap().starts_with("default        2"), "{said}");
    assert!(lines.next().unwrap().starts_with("Now set QUEUE_URL to the new store"), "{said}");
    assert!(!said.contains(PASSWORD), "{said}");
    let (code, said) = world.command(&["jobs"]).await;
    assert_eq!((code, said.lines().count()), (Some(0), 1), "{said}");
}
