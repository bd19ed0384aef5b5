//! A part that dies.

use rustix::process::{Pid, Signal, kill_process};

use crate::world::{Options, Up};

#[tokio::test]
async fn the_end_of_a_part_ends_it_with_an_error_that_names_the_part() {
    for part in ["worker", "ingest"] {
        let mut up = Up::start(&["--script", "true"], Options::on_the_machines_engine().await);
        up.says("Ctrl-C ends it").await;
        let running = up.runs(part).await;
        kill_process(Pid::from_raw(running.pid.try_into().unwrap()).unwrap(), Signal::KILL).unwrap();
        let (code, said) = up.ends().await;
        assert_eq!(code, Some(1), "{said}");
        assert!(said.contains(&format!("{part} has ended (signal: 9")), "{said}");
    }
}
