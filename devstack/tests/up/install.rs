//! The script that installs what is missing, or says how.

use std::process::{Command, Output};

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/install");

/// Runs it as somebody who may install nothing, and whose path does not lead to root's programs.
fn install(pairs: &[&str]) -> Output {
    let script = std::fs::read(SCRIPT).unwrap(); // where it is may be out of that user's reach
    let script = String::from_utf8(script).unwrap();
    let mut command = Command::new("setpriv");
    command.args(["--reuid=65534", "--regid=65534", "--clear-groups", "--", "bash", "-c", &script, "install"]);
    command.args(pairs).env("PATH", "/usr/bin:/bin").current_dir("/").output().unwrap()
}

#[test]
fn who_may_not_install_what_is_missing_is_told_the_command() {
    let output = install(&["bash=bash", "no-such-program=one", "/no/such/file=two", "dockerd=docker.io"]);
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8(output.stderr).unwrap();
    let command = "sudo apt-get update && sudo apt-get install -y --no-install-recommends one two\n";
    assert!(said.ends_with(command), "{said}");
}

#[test]
fn a_first_look_asks_for_no_redis() {
    let script = include_str!("../../up");
    assert!(script.contains("devstack/install") && !script.contains("redis"), "{script}");
}

#[test]
fn nothing_is_said_when_nothing_is_missing() {
    let output = install(&["dockerd=docker.io", "iptables=iptables", "redis-server=redis-server", "bash=bash"]);
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
}
