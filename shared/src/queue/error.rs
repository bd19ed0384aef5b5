//! Why a queue operation did not happen.

use std::{error::Error, sync::Arc};

use crate::model::JobId;

/// Why a queue operation did not happen. Calls that were sent together fail together: each has a clone.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum QueueError {
    /// The store refused or did not understand; the operation may have been carried out. It is safe to try again.
    #[error("the queue's store failed")]
    Store(#[source] Arc<dyn Error + Send + Sync>),

    /// The store did not answer in time; the operation may have been carried out. It is safe to try again.
    #[error("the queue's store did not answer in {0:?}")]
    Timeout(std::time::Duration),

    /// The lease ended before this call, and another worker may hold the job: stop working on it, and do not try
    /// again.
    #[error("the lease on job {job_id} was lost")]
    LeaseLost {
        /// The job whose lease it was.
        job_id: JobId,
    },

    /// A job's message could not be read. The job has become a dead letter that says so: go on with the next.
    #[error("the message of job {id} cannot be read")]
    Corrupt {
        /// The job's id as it is stored.
        id: String,
        /// What is wrong with it.
        #[source]
        source: Arc<dyn Error + Send + Sync>,
    },

    /// The store is there and is none that the queue can use, until it is replaced by another.
    #[error("the queue's store cannot be used: {0}")]
    Unsuitable(String),

    /// Jobs were to be moved from a store to itself.
    #[error("both addresses lead to the same store")]
    SameStore,

    /// A setting cannot be used.
    #[error("{setting}: {problem}")]
    Setting {
        /// The variable's name.
        setting: &'static str,
        /// What is wrong with it. Does not quote it, for it may hold a password.
        problem: String,
    },
}

impl QueueError {
    /// The first word of a script that refuses, because the jobs were [moved](super::Queue::move_to) to another store.
    pub(super) const ELSEWHERE: &str = "ELSEWHERE";

    /// A failure of the store, or of what is told to it or by it.
    pub(super) fn store(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Store(error.into().into())
    }

    /// What such a refusal means.
    pub(super) fn moved() -> Self {
        Self::Unsuitable(
            "its jobs were moved to another store with `worker queue move`; set QUEUE_URL to that one, for ingest and \
             worker, and start them anew (should the move have been interrupted, repeat it)"
                .to_owned(),
        )
    }

    /// An answer that does not fit the question: the store's scripts are of another version, or it is something else than it should be.
    pub(super) fn unexpected(answer: &impl std::fmt::Debug) -> Self {
        let mut text = format!("an unexpected answer: {answer:?}");
        text.truncate(text.floor_char_boundary(200));
        Self::store(text)
    }

    /// Whether the same call may succeed later.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Store(_) | Self::Timeout(_) | Self::Unsuitable(_))
    }
}
