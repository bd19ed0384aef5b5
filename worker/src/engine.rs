//! Whether the container engine is there. While it is not, the worker reserves nothing and is not ready.

use std::time::Duration;

use shared::{backoff::Backoff, telemetry::chain};
use tokio::{
    sync::{Notify, watch},
    time::sleep,
};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::provider::{Provider, ProviderError};

/// How often an engine that is there is asked.
const PROBE_INTERVAL: Duration = Duration::from_secs(5);

/// What is known of the engine.
#[derive(Debug)]
pub struct EngineHealth {
    problem: watch::Sender<Option<String>>,
    suspected: Notify,
}

impl Default for EngineHealth {
    fn default() -> Self {
        Self {
            problem: watch::Sender::new(Some("the container engine was not asked yet".to_owned())),
            suspected: Notify::new(),
        }
    }
}

impl EngineHealth {
    /// What is wrong with the engine; `None` when it is there.
    #[must_use]
    pub fn problem(&self) -> Option<String> {
        self.problem.borrow().clone()
    }

    /// Takes note of an error that a call to the engine met with.
    pub fn report(&self, error: &ProviderError) {
        if error.is_unavailable() {
            self.set(Some(chain(error)));
            self.suspected.notify_one();
        }
    }

    /// Waits until the engine is there. Cancel-safe.
    pub async fn up(&self) {
        // The sender is in `self`, so the channel cannot close.
        drop(self.problem.subscribe().wait_for(Option::is_none).await);
    }

    /// Asks the engine again and again, until `stop`.
    pub async fn run(&self, provider: &impl Provider, stop: CancellationToken) {
        let mut failures = 0;
        loop {
            let pause = match provider.ping().await {
                Ok(()) => {
                    failures = 0;
                    self.set(None);
                    PROBE_INTERVAL
                }
                Err(error) => {
                    self.set(Some(chain(&error)));
                    failures += 1;
                    Backoff::RECONNECT.jittered(failures).max(Backoff::RECONNECT.base)
                }
            };
            tokio::select! {
                () = stop.cancelled() => return,
                () = self.suspected.notified(), if failures == 0 => {}
                () = sleep(pause) => {}
            }
        }
    }

    /// Keeps what is known, and logs when it changes.
    fn set(&self, problem: Option<String>) {
        self.problem.send_if_modified(|known| {
            let changed = known.is_some() != problem.is_some();
            match (&problem, changed) {
                (Some(problem), true) => warn!(error = problem, "The container engine is away; no job is started"),
                (None, true) => info!("The container engine is there"),
                _ => {}
            }
            *known = problem;
            changed
        });
    }
}
