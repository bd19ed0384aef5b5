//! Whether the store is there and keeps what it is given.

use redis::cmd;
use tokio::time::sleep;
use tracing::{error, warn};

use super::{Queue, keys};
use crate::{
    backoff::Backoff,
    queue::{QueueError, StoreFacts},
    telemetry::chain,
};

impl Queue {
    /// What is wrong with the store's own settings, a line each: what it is given may not be there later.
    ///
    /// # Errors
    ///
    /// Those that [are transient](QueueError::is_transient). [`QueueError::Unsuitable`]: it is too old, or none of a kind
    /// that the address says, or the jobs were moved to another.
    pub async fn check(&self) -> Result<Vec<String>, QueueError> {
        let warnings = self.store.check().await?;
        self.still_here().await?;
        Ok(warnings)
    }

    /// What keeps the queue. Of a file, this makes none and opens none.
    ///
    /// # Errors
    ///
    /// Those that [are transient](QueueError::is_transient).
    pub async fn store_facts(&self) -> Result<StoreFacts, QueueError> {
        self.store.facts().await
    }

    /// Fails if the jobs were moved to another store.
    pub(super) async fn still_here(&self) -> Result<(), QueueError> {
        let moved: bool = self.store.query(cmd("EXISTS").arg(keys::MOVED)).await?;
        if moved { Err(QueueError::moved()) } else { Ok(()) }
    }

    /// Waits until the store is there, and says in the log what is wrong with it: once, however long it takes. Cancel-safe.
    pub async fn reached(&self) {
        let (mut failures, mut said) = (0, String::new());
        loop {
            match self.check().await {
                Ok(warnings) => {
                    for warning in warnings {
                        warn!("The queue's store: {warning}");
                    }
                    return;
                }
                Err(problem) => {
                    let text = chain(&problem);
                    if text != said {
                        if let QueueError::Unsuitable(_) = &problem {
                            error!(error = text, "Cannot use the queue");
                        } else {
                            warn!(error = text, "Cannot reach the queue yet");
                        }
                        said = text;
                    }
                }
            }
            sleep(Backoff::RECONNECT.jittered(failures).max(Backoff::RECONNECT.base)).await;
            failures += 1;
        }
    }
}
