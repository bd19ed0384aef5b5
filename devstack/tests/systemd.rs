//! The units of systemd: what it says of them itself, and what they give to which process.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use secrecy::ExposeSecret as _;
use shared::settings::Environment;

const INGEST: (&str, &str) = ("ingest", include_str!("../systemd/autoscaler-ingest.service"));
const WORKER: (&str, &str) = ("worker", include_str!("../systemd/autoscaler-worker.service"));

/// How exposed a unit may be by systemd's own reckoning, in tenths; 100 is without any protection.
const EXPOSED_MAX: &str = "--threshold=25";

/// What stands behind `key=`, line by line.
fn values<'a>(unit: &'a str, key: &str) -> Vec<&'a str> {
    unit.lines().filter_map(|line| line.strip_prefix(key)?.strip_prefix('=')).collect()
}

/// The settings that a unit gives to its process, with copies of its credentials in `folder`.
fn settings(unit: &str, folder: &Path) -> Environment {
    for credential in values(unit, "LoadCredential") {
        let (name, _at) = credential.split_once(':').unwrap();
        fs::write(folder.join(name), "of_at_least_sixteen_bytes").unwrap();
    }
    let folder = folder.to_str().unwrap();
    Environment::of(values(unit, "Environment").into_iter().map(|line| {
        let (name, value) = line.split_once('=').unwrap();
        (name, value.replace("%d", folder))
    }))
}

/// The workspace's programs: cargo puts them beside this test's own folder.
fn programs() -> PathBuf {
    let tests = std::env::current_exe().unwrap();
    tests.parent().and_then(Path::parent).unwrap().to_owned()
}

#[test]
fn systemd_finds_nothing_wrong_with_the_units_and_little_exposed() {
    for (name, unit) in [INGEST, WORKER] {
        assert!(programs().join(name).exists(), "there is no program {name}: cargo build --workspace --bins");
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join(format!("autoscaler-{name}.service"));
        // It looks whether the program is there.
        fs::write(&file, unit.replace("/usr/local/bin", programs().to_str().unwrap())).unwrap();
        for question in [&["security", "--offline=true", "--no-pager", EXPOSED_MAX][..], &["verify", "--man=no"]] {
            let answer = Command::new("systemd-analyze").args(question).arg(&file).output();
            let answer = answer.expect("systemd-analyze is missing: run ./devstack/test");
            let said = [answer.stdout, answer.stderr].map(|said| String::from_utf8(said).unwrap()).concat();
            assert!(answer.status.success(), "{question:?} {name}: {said}");
            assert!(question[0] == "security" || said.is_empty(), "{name}: {said}");
        }
    }
}

#[test]
fn both_processes_start_with_what_their_units_give_them_and_have_time_to_stop() {
    let folder = tempfile::tempdir().unwrap();
    let ingest = ingest::config::Settings::read(settings(INGEST.1, folder.path())).unwrap();
    let worker = worker::config::Settings::load(settings(WORKER.1, folder.path())).unwrap();
    for queue in [&ingest.queue, worker.queue.config()] {
        assert_eq!(queue.url.expose_secret(), "sqlite:/var/lib/autoscaler/queue.db");
    }
    for (name, unit) in [INGEST, WORKER] {
        assert_eq!(values(unit, "User"), ["autoscaler"], "{name}");
        assert_eq!(values(unit, "StateDirectory"), ["autoscaler"], "{name}");
        assert_eq!(values(unit, "StateDirectoryMode"), ["0700"], "{name}");
    }
    let stop: u64 = values(WORKER.1, "TimeoutStopSec")[0].parse().unwrap();
    assert!(stop > worker.worker.drain_seconds.as_secs() + 30, "{stop}");
}

#[test]
fn neither_process_is_given_what_is_the_others() {
    let (ingest, worker) = (INGEST.1.to_lowercase(), WORKER.1.to_lowercase());
    for others in ["github_pat", "worker.env", "supplementarygroups", "addressfamilies=af_unix"] {
        assert!(worker.contains(others) && !ingest.contains(others), "{others}");
    }
    for others in ["secret", "ingest.env"] {
        assert!(ingest.contains(others) && !worker.contains(others), "{others}");
    }
    // Of one user, they would otherwise see into each other; and the queue must tell this machine from others.
    for (name, unit) in [INGEST, WORKER] {
        assert_eq!(values(unit, "PrivateUsers"), ["yes"], "{name}");
        assert!(values(unit, "ProcSubset").is_empty(), "{name}");
    }
}
