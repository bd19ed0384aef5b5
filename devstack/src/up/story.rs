//! The way of one job, line by line.
#![allow(clippy::print_stdout, reason = "it is told on the command's output")]

use std::time::Duration;

use anyhow::bail;
use shared::model::{JobId, JobState};
use tokio::time::{Instant, sleep};

use super::stack::Stack;

/// How long the job may take.
const PATIENCE: Duration = Duration::from_mins(2);

/// How often its record is read.
const LOOK: Duration = Duration::from_millis(50);

/// Prints each event of the job's record with its time since the first, until the job's runner is gone.
pub(super) async fn tell(stack: &mut Stack, job: u64) -> anyhow::Result<()> {
    let id: JobId = job.to_string().parse()?;
    let deadline = Instant::now() + PATIENCE;
    let mut told = 0;
    loop {
        stack.check()?;
        if let Some(record) = stack.queue().job(id).await? {
            let begun = record.events.first().map(|event| event.at);
            for event in record.events.iter().skip(told) {
                let since = begun.map_or(0.0, |begun| (event.at - begun).as_seconds_f64());
                println!("{since:9.3} s  {:<11} {}", event.what, event.detail);
            }
            told = record.events.len();
            match record.state {
                JobState::Done if stack.containers().await?.is_empty() => {
                    println!("\nThe job is done and its runner is gone. Job {id} was shown from its record.");
                    return Ok(());
                }
                JobState::Dead | JobState::Cancelled => bail!("job {id} is {}: {}", record.state, record.reason),
                _ => {}
            }
        }
        if Instant::now() > deadline {
            bail!("job {id} has not come to its end within {PATIENCE:?}");
        }
        sleep(LOOK).await;
    }
}
