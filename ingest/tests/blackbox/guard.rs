//! Who may use the private listener.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use devstack::harness::{Process, ProcessSpec, free_port};
use std::time::Duration;

use super::{
    app::SECRET,
    client::{self, Response, request_with},
};

const TOKEN: &str = "the-token-of-the-private-listener";
const START: Duration = Duration::from_secs(20);

/// The program with that token in a file, its private listener open to other machines, and that listener's port.
async fn guarded() -> (Process, u16, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    std::fs::write(&file, format!("{TOKEN}\n")).unwrap();
    let admin_port = free_port().unwrap();
    let spec = ProcessSpec::new(env!("CARGO_BIN_EXE_ingest"))
        .env("AUTOSCALER_SECRET_TOKEN", SECRET)
        .env("AUTOSCALER_DEBUG", "true")
        .env("INGEST_BIND", "127.0.0.1:0")
        .env("INGEST_ADMIN_BIND", format!("0.0.0.0:{admin_port}"))
        .env("INGEST_ADMIN_TOKEN_FILE", file)
        .env("QUEUE_URL", format!("sqlite:{}", folder.path().join("queue.db").display()));
    let mut process = Process::start(&spec).unwrap();
    process.wait_for_line("Waiting for deliveries", START).await.unwrap();
    (process, admin_port, folder)
}

async fn asked(port: u16, path: &str, authorization: &str) -> Response {
    request_with(port, "GET", path, &[("Authorization", authorization)]).await
}

#[tokio::test]
async fn whoever_knows_the_token_is_answered_and_everybody_is_told_whether_it_is_up() {
    let (process, port, _folder) = guarded().await;
    for path in ["/livez", "/readyz"] {
        assert_eq!(client::request(port, "GET", path).await.code, 200, "{path}");
    }
    for path in ["/metrics", "/", "/nowhere", "/livez/", "//livez", "/%6civez", "/metrics?/livez"] {
        let answer = client::request(port, "GET", path).await;
        assert_eq!(answer.outcome(), (401, "unauthorized".to_owned()), "{path}");
        assert!(answer.header("www-authenticate").unwrap().starts_with("Basic realm="), "{answer:?}");
        assert!(answer.msg().contains("send INGEST_ADMIN_TOKEN as Authorization: Bearer"), "{answer:?}");
    }
    for right in [format!("Bearer {TOKEN}"), format!("Basic {}", BASE64_STANDARD.encode(format!("me:{TOKEN}")))] {
        assert_eq!(asked(port, "/metrics", &right).await.code, 200, "{right}");
    }
    for wrong in [format!("Bearer {TOKEN}-"), format!("Basic {}", BASE64_STANDARD.encode(TOKEN))] {
        assert_eq!(asked(port, "/metrics", &wrong).await.code, 401, "{wrong}");
    }

    let metrics = asked(port, "/metrics", &format!("Bearer {TOKEN}")).await.body;
    for counted in [r#"reason="missing"} 7"#, r#"reason="wrong"} 2"#, r#"reason="host"} 0"#] {
        assert!(metrics.contains(&format!("autoscaler_admin_refused_total{{{counted}")), "{counted}: {metrics}");
    }
    let said = process.lines().join("\n");
    assert!(said.contains("Not answered on the private listener: the token is wrong"), "{said}");
    assert!(!said.contains(TOKEN), "{said}");
}

#[tokio::test]
async fn without_a_token_it_is_answered_to_this_machine_under_no_other_name() {
    let app = super::app::App::start().await;
    assert_eq!(client::request(app.admin_port, "GET", "/metrics").await.code, 200);
    let request = "GET /metrics HTTP/1.1\r\nhost: rebound.example\r\nconnection: close\r\n\r\n";
    let answer = client::send(app.admin_port, request.as_bytes()).await;
    assert_eq!(answer.outcome(), (421, "misdirected".to_owned()));
    assert_eq!(app.metric(r#"autoscaler_admin_refused_total{reason="host"}"#).await, Some(1.0));
    app.stop().await;
}

#[test]
fn it_does_not_start_open_to_other_machines_without_a_token() {
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_ingest"))
        .env_clear()
        .current_dir(std::env::temp_dir())
        .env("AUTOSCALER_SECRET_TOKEN", SECRET)
        .env("INGEST_BIND", "127.0.0.1:0")
        .env("INGEST_ADMIN_BIND", "0.0.0.0:0")
        .env("QUEUE_URL", "sqlite:/nowhere/queue.db")
        .output()
        .unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("INGEST_ADMIN_TOKEN: is required, for INGEST_ADMIN_BIND=0.0.0.0:0 lets"), "{said}");
}
