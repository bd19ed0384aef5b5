//! A first look.

use std::{path::Path, process::Command, time::Duration};

use crate::world::{Options, Up};

#[tokio::test]
async fn the_way_of_a_first_job_is_told_from_its_delivery_to_a_removed_runner() {
    let mut up = Up::start(&["--once", "--own-engine", "--script", "sleep 3; true"], Options::default());
    for part in ["-c sleep 3", "dockerd", "containerd-shim", "/ingest", "/worker"] {
        up.runs(part).await; // so that it is seen to be gone
    }
    assert!(!up.look().iter().any(|process| process.command.contains("redis")), "a first look needs no Redis");
    let (code, said) = up.ends().await;
    assert_eq!(code, Some(0), "{said}");
    let mut rest = said.as_str();
    for what in [
        "Building",
        "up.",
        "queue    sqlite:",
        "ingest   http://127.0.0.1:",
        "0.000 s  delivered",
        " reserved ",
        " registered ",
        " created ",
        " started ",
        " listening ",
        " running ",
        " exited ",
        " removed ",
        " done ",
        "Its runner was started",
        "Nothing is left.",
    ] {
        rest =
            rest.split_once(what).unwrap_or_else(|| panic!("{what:?} is missing, or not in its place, in:\n{said}")).1;
    }
    assert!(!said.contains("starting service"), "a library's log is in the story:\n{said}");
}

#[tokio::test]
async fn a_job_that_is_queued_by_hand_is_told_as_well_and_ctrl_c_ends_it_all() {
    let mut up = Up::start(&["--script", "true"], Options::on_the_machines_engine().await);
    let line = up.says("curl http").await;
    let url = line.split_whitespace().find(|word| word.starts_with("http")).unwrap();
    let job = r#"{"repository": "octocat/hello", "labels": ["self-hosted"], "script": "exit 1"}"#;
    let answer = devstack::deliver::client().unwrap().post(url).body(job).send().await.unwrap();
    assert_eq!(answer.status(), 201);
    let queued: serde_json::Value = answer.json().await.unwrap();
    let ask = up.says(" explain ID").await.replace(" ID", &format!(" {}", queued["id"]));
    up.says("Failed").await;
    let told = Command::new("sh").args(["-c", ask.trim()]).output().unwrap();
    let is_done = format!("Job {} is done. It has ended", queued["id"]);
    assert!(String::from_utf8_lossy(&told.stdout).starts_with(&is_done), "{ask}: {told:?}");
    up.look();
    up.press_ctrl_c();
    let (code, said) = up.ends().await;
    assert_eq!(code, Some(0), "it had nothing more to do:\n{said}");
    for address in said.split_whitespace().filter_map(|word| word.strip_prefix("http://")) {
        let address = address.split('/').next().unwrap();
        assert!(std::net::TcpStream::connect(address).is_err(), "something listens at {address}\n{said}");
    }
}

#[tokio::test]
async fn who_may_not_start_an_engine_is_told_the_command_for_one() {
    // The build's folder may be out of that user's reach.
    let programs = tempfile::Builder::new().permissions(world_readable()).tempdir().unwrap();
    let program = programs.path().join("devstack");
    std::fs::copy(env!("CARGO_BIN_EXE_devstack"), &program).unwrap();
    let mut up = Up::start(
        &["--own-engine"],
        Options {
            through: vec!["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--"],
            program: Some(program),
            folder: Some(Path::new("/").to_owned()),
            ..Options::default()
        },
    );
    assert!(up.process.wait(Duration::from_secs(20)).await.is_ok());
    let (code, said) = up.ends().await;
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("sudo service docker start"), "{said}");
}

fn world_readable() -> std::fs::Permissions {
    std::os::unix::fs::PermissionsExt::from_mode(0o755)
}
