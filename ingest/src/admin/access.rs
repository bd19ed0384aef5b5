//! The queue, for whoever looks at it or changes it on the private listener: few at a time, and none for long. Deliveries use the same
//! queue, and go before.

use std::time::Duration;

use shared::{
    queue::{Queue, QueueError},
    telemetry::chain,
};
use tokio::{sync::Semaphore, time::timeout};
use tracing::warn;

use super::api::ApiError;

/// How many look at once; more wait for their turn.
const LOOKS_MAX: usize = 4;

/// How long a look may take, with the wait for its turn.
const LOOK_DEADLINE: Duration = Duration::from_secs(2);

/// How long a change of many jobs may take. It is made job by job, so that one which is broken off has been made for some.
const CHANGE_DEADLINE: Duration = Duration::from_secs(30);

/// The queue, and who uses it now.
pub(crate) struct Access {
    queue: Queue,
    looks: Semaphore,
    changes: Semaphore,
}

impl Access {
    /// To this queue.
    pub(crate) fn new(queue: Queue) -> Self {
        Self { queue, looks: Semaphore::new(LOOKS_MAX), changes: Semaphore::new(1) }
    }

    /// The queue, for what does not ask its store.
    pub(crate) fn queue(&self) -> &Queue {
        &self.queue
    }

    /// Looks at the queue.
    ///
    /// # Errors
    ///
    /// [`ApiError::Queue`], [`ApiError::Late`].
    pub(crate) async fn look<T>(&self, look: impl AsyncFnOnce(&Queue) -> Result<T, QueueError>) -> Result<T, ApiError> {
        self.bounded(&self.looks, LOOK_DEADLINE, look).await
    }

    /// Changes something in it.
    ///
    /// # Errors
    ///
    /// [`ApiError::Queue`], [`ApiError::Late`]: it may have been made for some of the jobs, and may be repeated.
    pub(crate) async fn change<T>(
        &self,
        change: impl AsyncFnOnce(&Queue) -> Result<T, QueueError>,
    ) -> Result<T, ApiError> {
        self.bounded(&self.changes, CHANGE_DEADLINE, change).await
    }

    async fn bounded<T>(
        &self,
        turns: &Semaphore,
        deadline: Duration,
        act: impl AsyncFnOnce(&Queue) -> Result<T, QueueError>,
    ) -> Result<T, ApiError> {
        let acting = async {
            let _turn = turns.acquire().await.ok(); // never closed
            act(&self.queue).await
        };
        let done = match timeout(deadline, acting).await {
            Ok(done) => done.map_err(ApiError::from),
            Err(_elapsed) => Err(ApiError::Late(deadline)),
        };
        done.inspect_err(|error| warn!(error = %chain(error), "The private listener cannot use the queue"))
    }
}

#[cfg(test)]
mod tests {
    use std::{cell::Cell, future::pending};

    use futures_util::future::{join_all, select};
    use shared::queue::QueueConfig;

    use super::*;

    fn access() -> Access {
        Access::new(Queue::new(&QueueConfig::default()).unwrap()) // nobody connects to it
    }

    #[tokio::test]
    async fn few_look_at_once_and_none_for_long() {
        let (access, begun) = (access(), Cell::new(0));
        let look = async |_: &Queue| {
            begun.set(begun.get() + 1);
            pending::<Result<(), QueueError>>().await
        };
        let looks = join_all((0..=LOOKS_MAX).map(|_| access.look(look)));
        let (ended, ()) =
            tokio::join!(looks, async { assert_eq!(begun.get(), LOOKS_MAX, "the last waits for its turn") });
        assert!(ended.iter().all(|it| matches!(it, Err(ApiError::Late(LOOK_DEADLINE)))), "{ended:?}");
    }

    #[tokio::test]
    async fn one_changes_something_at_a_time_and_others_may_look_meanwhile() {
        let (access, begun) = (access(), Cell::new(0));
        let change = async |_: &Queue| {
            begun.set(begun.get() + 1);
            pending::<Result<(), QueueError>>().await
        };
        let changes = join_all((0..2).map(|_| access.change(change)));
        let looks = Box::pin(async {
            assert_eq!(begun.get(), 1);
            access.look(async |_| Ok(())).await.unwrap();
        });
        select(Box::pin(changes), looks).await;
    }
}
