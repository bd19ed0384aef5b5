//! Remembers in the queue that deliveries were refused for their signature: whoever asks why a job never came is told.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use shared::{queue::Queue, telemetry::chain};
use tokio::{sync::Semaphore, time::sleep};
use tracing::warn;

/// How often the queue is told at the most: anybody can send deliveries that are refused.
const PAUSE: Duration = Duration::from_secs(5);

/// Counts refused deliveries. Clones count together.
#[derive(Clone)]
pub(super) struct Refusals {
    queue: Queue,
    untold: Arc<AtomicU64>,
    /// Held by the one task that tells the queue.
    telling: Arc<Semaphore>,
}

impl Refusals {
    pub(super) fn new(queue: Queue) -> Self {
        Self { queue, untold: Arc::default(), telling: Arc::new(Semaphore::new(1)) }
    }

    /// Counts one, and has the queue told of it. Waits for nothing.
    pub(super) fn count(&self) {
        self.untold.fetch_add(1, Ordering::Relaxed);
        let Ok(turn) = Arc::clone(&self.telling).try_acquire_owned() else { return };
        let (queue, untold) = (self.queue.clone(), Arc::clone(&self.untold));
        actix_web::rt::spawn(async move {
            // Once more after the pause, if others came meanwhile.
            for pause in [PAUSE, Duration::ZERO] {
                let deliveries = untold.swap(0, Ordering::Relaxed);
                if deliveries > 0
                    && let Err(error) = queue.count_refused(deliveries).await
                {
                    warn!(deliveries, error = %chain(&error), "Cannot remember that deliveries were refused");
                }
                sleep(pause).await;
            }
            drop(turn);
        });
    }
}
