//! `worker init` at a terminal.

use std::{
    fs::File,
    io::{Read as _, Write as _},
    os::unix::ffi::OsStrExt as _,
    process::{Command, Stdio},
};

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

/// A terminal, by both of its ends: what a person has, and what a program has.
fn terminal() -> (File, File) {
    let person = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&person).unwrap();
    unlockpt(&person).unwrap();
    let name = ptsname(&person, Vec::new()).unwrap();
    let path = std::ffi::OsStr::from_bytes(name.to_bytes());
    let program = File::options().read(true).write(true).open(path).unwrap();
    (File::from(person), program)
}

/// What stands on the terminal once `until` does.
fn shown(person: &mut File, so_far: &mut String, until: &str) {
    let mut bytes = [0; 1024];
    while !so_far.contains(until) {
        let count = person.read(&mut bytes).unwrap();
        so_far.push_str(&String::from_utf8_lossy(&bytes[..count]));
    }
}

#[test]
fn a_token_that_is_typed_is_not_shown_and_a_wrong_answer_is_asked_for_again() {
    let folder = tempfile::tempdir().unwrap();
    let (mut person, program) = terminal();
    let end = || Stdio::from(program.try_clone().unwrap());
    let mut worker = Command::new(env!("CARGO_BIN_EXE_worker"))
        .args(["init", "--github-url", "http://127.0.0.1:1"])
        .env_clear()
        .env("HOME", folder.path())
        .current_dir(folder.path())
        .stdin(end())
        .stdout(end())
        .stderr(end())
        .spawn()
        .unwrap();
    drop(program); // with the worker's end the terminal ends as well
    let mut text = String::new();
    for (question, answer) in [
        ("(token, app) [token]: ", "neither\n"),
        ("is token or app\r\nA personal access token", "token\n"),
        ("The token, which is not shown: ", "ghp hush\n"),
        ("without blanks\r\nThe token, which is not shown: ", "ghp_hush\n"),
        ("(OWNER/REPO or ORG): ", "\u{4}"),
    ] {
        shown(&mut person, &mut text, question);
        person.write_all(answer.as_bytes()).unwrap();
    }
    shown(&mut person, &mut text, "no answer to");
    assert_eq!(worker.wait().unwrap().code(), Some(1));
    assert!(!text.contains("hush") && text.contains("neither"), "{text}");
}
