//! A signal at any moment.

use std::time::Duration;

use devstack::harness::Signal;

use crate::world::{Options, Up};

/// The exit code of a shell for a command that was ended by signal N is this and N.
const SIGNALLED: i32 = 128;

#[tokio::test]
async fn nothing_is_left_when_it_is_interrupted_while_its_engine_starts() {
    let mut up = Up::start(&["--own-engine"], Options::default());
    up.runs("dockerd").await;
    up.press_ctrl_c();
    let (code, said) = up.ends().await;
    assert_eq!(code, Some(SIGNALLED + 2), "{said}");
    assert!(!said.contains("Building") && said.contains("Nothing is left."), "{said}");
}

#[tokio::test]
async fn nothing_is_left_when_it_is_interrupted_while_the_runner_is_compiled() {
    let target = tempfile::tempdir().unwrap();
    let mut options = Options::on_the_machines_engine().await;
    options.environment.push(("CARGO_TARGET_DIR", target.path().display().to_string()));
    let mut up = Up::start(&[], options);
    up.runs("--emit=dep-info").await; // not one of cargo's questions to the compiler
    up.process.signal(Signal::TERM).unwrap();
    let (code, said) = up.ends().await;
    assert_eq!(code, Some(SIGNALLED + 15), "{said}");
}

#[tokio::test]
async fn nothing_is_left_when_it_is_interrupted_again_and_again_while_a_job_runs() {
    let mut up = Up::start(&["--script", "sleep 600"], Options::on_the_machines_engine().await);
    up.says(" running ").await;
    up.look();
    up.press_ctrl_c();
    up.says("Stopping").await;
    up.press_ctrl_c();
    up.says("Still removing").await;
    let _ended = up.process.signal(Signal::TERM); // it may have
    let (code, said) = up.ends().await;
    assert_eq!(code, Some(SIGNALLED + 2), "{said}");
}

#[tokio::test]
async fn nothing_is_left_when_its_terminal_is_closed_while_a_job_runs() {
    // A reader that ends stands in for the terminal: what is printed from then on is refused.
    let reader = "while read -r line; do case $line in *' running '*) exit;; esac; done";
    let shell = ["bash", "-c", "reader=$1; shift; exec \"$@\" > >(bash -c \"$reader\") 2>&1", "bash", reader];
    let options = Options { through: shell.to_vec(), ..Options::default() };
    let mut up = Up::start(&["--own-engine", "--script", "sleep 600; true"], options);
    up.runs("-c sleep 600").await;
    tokio::time::sleep(Duration::from_millis(500)).await; // for the reader to end
    up.look();
    up.process.signal(Signal::HUP).unwrap();
    let (code, said) = up.ends().await;
    assert_eq!(code, Some(SIGNALLED + 1), "{said}");
}

#[tokio::test]
async fn nothing_is_left_when_it_is_interrupted_at_any_moment_of_its_start() {
    for moment in [300, 700, 1500] {
        let mut up = Up::start(&["--script", "sleep 600"], Options::on_the_machines_engine().await);
        tokio::time::sleep(Duration::from_millis(moment)).await;
        up.look();
        up.press_ctrl_c();
        let (code, said) = up.ends().await;
        assert_eq!(code, Some(SIGNALLED + 2), "{said}");
    }
}
