//! Our two processes.

use std::{collections::HashMap, path::PathBuf, time::Duration};

use anyhow::{Context as _, bail};

use crate::harness::{Process, ProcessSpec, program_beside};

/// How long a process may take to start, and to stop.
const PATIENCE: Duration = Duration::from_mins(1);

/// How many of its last lines are shown of a process that has ended.
const SHOWN: usize = 20;

/// The processes, in the order in which they are started.
#[derive(Debug, Default)]
pub(super) struct Processes(Vec<(&'static str, Process)>);

/// How they are started.
#[derive(Debug)]
pub(super) struct Start {
    pub(super) settings: HashMap<String, String>,
    /// Where they look for `.env`.
    pub(super) folder: PathBuf,
    /// Whether what they print is shown.
    pub(super) echo: bool,
}

impl Processes {
    /// Starts both.
    pub(super) fn start(&mut self, start: &Start) -> anyhow::Result<()> {
        for name in ["ingest", "worker"] {
            let spec = ProcessSpec::new(program_beside(name)?).envs(start.settings.clone()).folder(&start.folder);
            self.0.push((name, Process::start(&if start.echo { spec.echo() } else { spec })?));
        }
        Ok(())
    }

    /// Waits until both are up. Cancel-safe.
    pub(super) async fn up(&mut self) -> anyhow::Result<()> {
        for (name, process) in &mut self.0 {
            let ready = if *name == "ingest" { "Waiting for deliveries" } else { "The worker is up" };
            let up = process.wait_for_line(ready, PATIENCE).await;
            up.with_context(|| format!("{name} does not start"))?;
        }
        Ok(())
    }

    /// Fails when one has ended.
    pub(super) fn check(&mut self) -> anyhow::Result<()> {
        for (name, process) in &mut self.0 {
            if let Some(status) = process.ended() {
                let lines = process.lines();
                let last = lines[lines.len().saturating_sub(SHOWN)..].join("\n");
                bail!("{name} has ended ({status}); it said last:\n{last}");
            }
        }
        Ok(())
    }

    /// What they have said.
    pub(super) fn said(&self) -> String {
        self.0.iter().flat_map(|(_, process)| process.lines()).collect::<Vec<_>>().join("\n")
    }

    /// Stops them in an orderly way, or at once when they do not.
    pub(super) async fn stop(&mut self) -> anyhow::Result<()> {
        let mut stopped = Ok(());
        for (name, mut process) in self.0.drain(..) {
            if process.ended().is_none()
                && let Err(error) = process.stop(PATIENCE).await
            {
                stopped = Err(error).with_context(|| format!("{name} did not stop"));
            }
        }
        stopped
    }
}
