//! What GitHub says of a job that a runner has, or had.

use crate::{
    model::{DeliveryId, JobId, PoolName},
    queue::{Noted, Queue, QueueError, Served, ServedBy},
};

/// What is to be put on a job's record.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Note {
    /// The pool that the job is looked for in first.
    pub pool: PoolName,
    /// The job.
    pub job: JobId,
    /// The runner that has it, or had it, if GitHub names one.
    pub runner: Option<GivenTo>,
    /// What GitHub says, for people.
    pub detail: String,
}

/// The runner that GitHub gave a job to.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct GivenTo {
    /// Its name, cut.
    pub name: String,
    /// Whose it is.
    pub by: ServedBy,
    /// Whether it is done with the job.
    pub completed: bool,
}

impl Note {
    /// Puts it on the record, and sees to what follows from the runner's being that one. May be repeated.
    ///
    /// # Errors
    ///
    /// Those that [are transient](QueueError::is_transient).
    pub async fn take_down(&self, queue: &Queue, delivery: &DeliveryId) -> Result<Noted, QueueError> {
        let Self { pool, job, runner, detail } = self;
        match runner {
            None => queue.note(pool, *job, delivery, detail).await,
            Some(GivenTo { name, by, completed }) => {
                let (by, completed) = (*by, *completed);
                queue.served(pool, &Served { job: *job, runner: name, by, completed, delivery, detail }).await
            }
        }
    }
}
