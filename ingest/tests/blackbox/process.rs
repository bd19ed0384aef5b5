//! The program itself: exit codes, and what it says.

use std::{
    ffi::OsString,
    fs::Permissions,
    os::unix::{fs::PermissionsExt as _, process::CommandExt as _},
    process::{Command, Output, Stdio},
    time::Duration,
};

use devstack::harness::{Process, ProcessSpec, RedisServer, Signal, free_port};

use super::{
    app::{Delivery, SECRET, event},
    client,
};

/// How long the program may take to start.
const START: Duration = Duration::from_secs(10);

/// How long it may take to stop, with nothing to do: `docker stop` kills after ten seconds.
const STOP: Duration = Duration::from_secs(8);

fn ingest() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ingest"));
    command.env_clear().current_dir(std::env::temp_dir()).stdin(Stdio::null());
    command
}

fn said(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

#[test]
fn all_problems_of_the_settings_are_told_at_once_with_exit_code_2() {
    let output = ingest()
        .env("AUTOSCALER_SECRET_TOKEN_PREVIOUS", "short")
        .env("AUTOSCALER_DEBUG", "perhaps")
        .env("AUTOSCALER_POOLS", "/nowhere/pools.toml")
        .env("INGEST_BIND", "5000")
        .env("INGEST_MAX_BODY_BYTES", "lots")
        .env("INGEST_BINDD", "0.0.0.0:1")
        .env("QUEUE_URL", "http://user:hunter2@queue")
        .env("RUNNER_LABELS", "a,,b")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    let said = said(&output);
    for variable in [
        "AUTOSCALER_SECRET_TOKEN: ",
        "AUTOSCALER_SECRET_TOKEN_PREVIOUS: ",
        "AUTOSCALER_DEBUG: ",
        "AUTOSCALER_POOLS: ",
        "INGEST_BIND: ",
        "INGEST_MAX_BODY_BYTES: ",
        "INGEST_BINDD: ",
        "QUEUE_URL: ",
        "RUNNER_LABELS: ",
    ] {
        assert!(said.lines().any(|line| line.trim_start().starts_with(variable)), "{variable} is not in\n{said}");
    }
    assert!(!said.contains("hunter2") && !said.contains("short\n"), "{said}");
}

#[test]
fn a_wrong_command_line_is_exit_code_2_and_help_and_version_are_0() {
    assert_eq!(ingest().arg("--nonsense").output().unwrap().status.code(), Some(2));
    assert_eq!(ingest().arg("--help").output().unwrap().status.code(), Some(0));
    let version = ingest().arg("--version").output().unwrap();
    assert_eq!(String::from_utf8(version.stdout).unwrap().trim(), format!("ingest {}", shared::version::FULL));
}

#[test]
fn an_address_that_is_taken_is_exit_code_1_and_named() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let output = ingest()
        .env("AUTOSCALER_SECRET_TOKEN", SECRET)
        .env("INGEST_BIND", taken.local_addr().unwrap().to_string())
        .env("INGEST_ADMIN_BIND", "127.0.0.1:0")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(said(&output).contains("INGEST_BIND"), "{}", said(&output));
}

/// Starts it with this queue, and returns its two ports as well.
async fn with_queue(url: String) -> (Process, u16, u16) {
    with("QUEUE_URL", url).await
}

/// The same with a variable, and no queue unless it is that.
async fn with(variable: &str, value: impl Into<OsString>) -> (Process, u16, u16) {
    let (port, admin_port) = (free_port().unwrap(), free_port().unwrap());
    let spec = ProcessSpec::new(env!("CARGO_BIN_EXE_ingest"))
        .env("AUTOSCALER_SECRET_TOKEN", SECRET)
        .env("INGEST_BIND", format!("127.0.0.1:{port}"))
        .env("INGEST_ADMIN_BIND", format!("127.0.0.1:{admin_port}"))
        .env(variable, value);
    let mut process = Process::start(&spec).unwrap();
    process.wait_for_line("Waiting for deliveries", START).await.unwrap();
    (process, port, admin_port)
}

#[tokio::test]
async fn a_queue_that_may_lose_jobs_is_used_and_told_of_on_a_line_for_each_reason() {
    let redis = RedisServer::start_with(["--appendonly", "no", "--maxmemory-policy", "allkeys-lru"]).await.unwrap();
    let (mut process, _, admin_port) = with_queue(redis.url()).await;
    for reason in
        ["WARN The queue's store: maxmemory-policy is allkeys-lru", "WARN The queue's store: appendonly is off"]
    {
        process.wait_for_line(reason, START).await.unwrap();
    }
    assert_eq!(client::request(admin_port, "GET", "/readyz").await.code, 200);
}

#[tokio::test]
async fn its_container_says_whether_it_is_ready_and_what_it_lacks() {
    let mut redis = RedisServer::start().await.unwrap();
    let (process, _, admin_port) = with_queue(redis.url()).await;
    // What keeps the process from starting does not keep anybody from asking.
    let check =
        || ingest().env("INGEST_ADMIN_BIND", format!("0.0.0.0:{admin_port}")).arg("healthcheck").output().unwrap();
    assert_eq!(check().status.code(), Some(0), "{}", said(&check()));
    redis.kill();
    let lacking = check();
    assert_eq!(lacking.status.code(), Some(1));
    assert!(said(&lacking).contains("not ready: {") && said(&lacking).contains("queue"), "{}", said(&lacking));
    drop(process);
    let gone = check();
    assert_eq!(gone.status.code(), Some(1));
    assert!(
        said(&gone).contains(&format!("nothing answers on the private listener, 127.0.0.1:{admin_port}")),
        "{}",
        said(&gone)
    );
}

#[tokio::test]
async fn a_queue_that_cannot_be_used_is_told_of_once_and_whoever_asks_whether_it_is_ready() {
    let redis = RedisServer::start_with(["--cluster-enabled", "yes"]).await.unwrap();
    let (mut process, _, admin_port) = with_queue(redis.url()).await;
    process.wait_for_line("ERROR Cannot use the queue", START).await.unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await; // it goes on trying
    assert_eq!(process.lines().iter().filter(|line| line.contains("Cannot use the queue")).count(), 1);
    let ready = client::request(admin_port, "GET", "/readyz").await;
    assert_eq!(ready.code, 503);
    assert!(ready.msg().contains("QUEUE_URL begins with redis-cluster"), "{}", ready.msg());
}

#[tokio::test]
async fn it_starts_without_a_queue_and_ends_in_an_orderly_way_when_told() {
    for signal in [Signal::TERM, Signal::INT] {
        let nobody = free_port().unwrap();
        let (mut process, port, admin_port) = with_queue(format!("redis://127.0.0.1:{nobody}")).await;
        assert_eq!(client::request(port, "GET", "/heartbeat").await.code, 200);
        assert_eq!(client::request(admin_port, "GET", "/readyz").await.code, 503);

        process.signal(signal).unwrap();
        let status = process.wait(STOP).await.unwrap();
        let said = process.lines().join("\n");
        assert_eq!(status.code(), Some(0), "{said}");
        assert!(said.contains("Stopped") && !said.contains(SECRET), "{said}");
    }
}

#[tokio::test]
async fn without_a_queue_in_the_settings_jobs_are_kept_where_the_users_state_is() {
    let state = tempfile::tempdir().unwrap();
    let (mut process, port, admin_port) = with("XDG_STATE_HOME", state.path()).await;
    assert_eq!(client::send(port, &Delivery::of(&event("queued", 7)).request()).await.code, 202);
    assert_eq!(client::request(admin_port, "GET", "/readyz").await.code, 200);
    process.stop(STOP).await.unwrap();

    let folder = state.path().join("autoscaler");
    for (path, mode) in [(folder.clone(), 0o700), (folder.join("queue.db"), 0o600)] {
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, mode, "{}", path.display());
    }
    assert!(!folder.join("queue.db-wal").exists(), "all of it is in the one file");
}

#[tokio::test]
async fn a_folder_that_cannot_be_made_is_named_with_the_setting_that_names_another() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let (mut process, port, admin_port) = with("HOME", file.path()).await;
    let said = process.wait_for_line("WARN Cannot reach the queue yet", START).await.unwrap();
    let folder = file.path().join(".local/state/autoscaler").display().to_string();
    let why = format!("cannot make {folder}: Not a directory (os error 20); QUEUE_URL=sqlite:PATH names another place");
    assert!(said.contains(&why), "{said}");
    assert!(client::request(admin_port, "GET", "/readyz").await.msg().contains(&why));
    assert_eq!(client::send(port, &Delivery::of(&event("queued", 7)).request()).await.code, 503);
}

#[test]
fn who_has_no_home_is_told_what_to_set() {
    // The build's folder may be out of that user's reach.
    let programs = tempfile::Builder::new().permissions(Permissions::from_mode(0o755)).tempdir().unwrap();
    let program = programs.path().join("ingest");
    std::fs::copy(env!("CARGO_BIN_EXE_ingest"), &program).unwrap();
    // Without the variable, a user's home is the one that the system knows, and it knows no user of this number.
    let mut command = Command::new(program);
    command.env_clear().current_dir(programs.path()).uid(54_321).env("AUTOSCALER_SECRET_TOKEN", SECRET);
    let output = command.env("INGEST_BIND", "nowhere").output().unwrap(); // so that it ends in any case
    let said = said(&output);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("QUEUE_URL: names no file, and without HOME there is no usual place for one"), "{said}");
}
