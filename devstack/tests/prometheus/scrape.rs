//! A Prometheus with the settings of `prometheus.yml` scrapes an `ingest` whose private listener asks for a token.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use devstack::harness::{Process, ProcessSpec, free_port};
use serde_json::Value;
use tempfile::TempDir;
use tokio::time::{Instant, sleep};

const TOKEN: &str = "what-the-private-listener-asks-for";
const PATIENCE: Duration = Duration::from_mins(1);
const SETTINGS: &str = include_str!("../../prometheus.yml");

/// The files that Prometheus reads as they lie in a checkout, and the token's beside them; `change` is made to its settings.
pub(crate) fn checkout(change: impl Fn(String) -> String) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for name in ["devstack", "secrets"] {
        fs::create_dir(folder.path().join(name)).unwrap();
    }
    for (file, text) in [
        ("devstack/prometheus.yml", change(SETTINGS.to_owned())),
        ("devstack/alerts.yml", super::ALERTS.to_owned()),
        ("secrets/admin_token", format!("{TOKEN}\n")),
    ] {
        fs::write(folder.path().join(file), text).unwrap();
    }
    folder
}

#[tokio::test]
async fn prometheus_scrapes_ingest_with_the_token() {
    let (admin_port, port) = (free_port().unwrap(), free_port().unwrap());
    let checkout = checkout(|settings| settings.replace(":5001", &format!(":{admin_port}")).replace("15s", "1s"));
    let _ingest = ingest(checkout.path(), admin_port);

    let spec = ProcessSpec::new("prometheus")
        .arg(format!("--config.file={}", checkout.path().join("devstack/prometheus.yml").display()))
        .arg(format!("--storage.tsdb.path={}", checkout.path().join("data").display()))
        .arg(format!("--web.listen-address=127.0.0.1:{port}"));
    let prometheus = Process::start(&spec).unwrap();

    let client = devstack::deliver::client().unwrap();
    let deadline = Instant::now() + PATIENCE;
    let up =
        |seen: &Value| seen["data"]["result"].as_array().is_some_and(|it| it.iter().any(|it| it["value"][1] == "1"));
    let mut seen = Value::Null;
    while !up(&seen) {
        assert!(Instant::now() < deadline, "{seen}: {:?}", prometheus.lines());
        sleep(Duration::from_millis(100)).await;
        let query =
            format!(r#"http://127.0.0.1:{port}/api/v1/query?query=autoscaler_queue_up{{job="autoscaler-ingest"}}"#);
        let Ok(answer) = client.get(query).send().await else { continue };
        seen = serde_json::from_str(&answer.text().await.unwrap()).unwrap_or_default();
    }
}

/// Cargo puts the workspace's programs beside this test's own folder.
fn ingest(folder: &Path, admin_port: u16) -> Process {
    let tests = std::env::current_exe().unwrap();
    let program: PathBuf = tests.parent().and_then(Path::parent).unwrap().join("ingest");
    assert!(program.exists(), "there is no program ingest: cargo build --workspace --bins");
    let spec = ProcessSpec::new(program)
        .env("AUTOSCALER_SECRET_TOKEN", "a webhook secret for tests")
        .env("INGEST_BIND", "127.0.0.1:0")
        .env("INGEST_ADMIN_BIND", format!("127.0.0.1:{admin_port}"))
        .env("INGEST_ADMIN_TOKEN_FILE", folder.join("secrets/admin_token"))
        .env("QUEUE_URL", format!("sqlite:{}", folder.join("queue.db").display()));
    Process::start(&spec).unwrap()
}
