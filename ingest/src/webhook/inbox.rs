//! What the public listener works with, and how a decision is carried out.

use std::{future::Future, time::Duration};

use shared::{
    model::{JobState, RunnerNamePrefix},
    pools::LivePools,
    queue::{CancelOutcome, Enqueued, Noted, Queue, QueueError, Served},
};
use tokio::{sync::Semaphore, time::timeout};

use super::{
    answer::{Answer, Verdict},
    body::BodyLimits,
    decide::{Decision, GivenTo},
    error::ReceiveError,
    signature::Signatures,
};
use crate::metrics::DeliveryMetrics;

/// How long the queue may take, so that the answer is out within two seconds.
const QUEUE_DEADLINE: Duration = Duration::from_millis(1900);

/// How many deliveries may wait for the queue at once; more are turned away, for they would only wait in vain.
const WAITING_MAX: usize = 256;

/// What the public listener works with.
pub(crate) struct Inbox {
    pub(super) signatures: Signatures,
    pub(super) limits: BodyLimits,
    pub(super) pools: LivePools,
    pub(super) prefix: RunnerNamePrefix,
    pub(super) metrics: DeliveryMetrics,
    queue: Queue,
    waiting: Semaphore,
}

impl Inbox {
    pub(crate) fn new(
        signatures: Signatures,
        limits: BodyLimits,
        pools: LivePools,
        prefix: RunnerNamePrefix,
        metrics: DeliveryMetrics,
        queue: Queue,
    ) -> Self {
        Self { signatures, limits, pools, prefix, metrics, queue, waiting: Semaphore::new(WAITING_MAX) }
    }

    /// Does what was decided about the delivery. What it answers with success is stored.
    ///
    /// # Errors
    ///
    /// When the decision is a refusal, or the queue does not do its part.
    pub(super) async fn carry_out(
        &self,
        decision: Decision,
        delivery: &shared::model::DeliveryId,
    ) -> Result<Answer, ReceiveError> {
        match decision {
            Decision::Enqueue(message) => {
                let enqueued = self.ask(self.queue.enqueue(&message)).await?;
                Ok(match enqueued {
                    Enqueued::Stored => Answer::new(
                        Verdict::Queued,
                        format!("job {} is queued in pool {}", message.job_id, message.pool),
                    ),
                    Enqueued::DuplicateDelivery => seen(),
                    Enqueued::DuplicateJob(JobState::Cancelled) => {
                        Answer::new(Verdict::Duplicate, format!("job {} was cancelled before", message.job_id))
                    }
                    Enqueued::DuplicateJob(state) => {
                        Answer::new(Verdict::Duplicate, format!("job {} came before and is {state}", message.job_id))
                    }
                })
            }
            Decision::Cancel { pool, job, reason } => {
                let cancelled = self.ask(self.queue.cancel(&pool, job, Some(delivery), &reason)).await?;
                Ok(match cancelled {
                    CancelOutcome::Cancelled | CancelOutcome::Flagged | CancelOutcome::Tombstone => {
                        Answer::new(Verdict::Cancelled, format!("job {job} is cancelled"))
                    }
                    CancelOutcome::Ended(state) => {
                        Answer::new(Verdict::Duplicate, format!("job {job} has ended before and is {state}"))
                    }
                    CancelOutcome::DuplicateDelivery => seen(),
                })
            }
            Decision::Note { pool, job, runner, detail } => {
                let noted = match &runner {
                    None => self.ask(self.queue.note(&pool, job, delivery, &detail)).await?,
                    Some(GivenTo { name, by, completed }) => {
                        let (by, completed) = (*by, *completed);
                        let served = Served { job, runner: name, by, completed, delivery, detail: &detail };
                        self.ask(self.queue.served(&pool, &served)).await?
                    }
                };
                Ok(match noted {
                    Noted::Recorded => Answer::new(Verdict::Noted, format!("it is on the record of job {job}")),
                    Noted::Unknown => Answer::new(Verdict::Ignored, format!("job {job} did not come through here")),
                    Noted::DuplicateDelivery => seen(),
                })
            }
            Decision::Unmatched(unmatched) => {
                self.ask(self.queue.record_unmatched(&unmatched)).await?;
                Ok(Answer::new(Verdict::Ignored, unmatched.detail))
            }
            Decision::Ignore(reason) => Ok(Answer::new(Verdict::Ignored, reason)),
            Decision::Refuse(reason) => Err(ReceiveError::Refused(reason)),
        }
    }

    /// Waits for the queue, within bounds. A call that is given up may still have its effect: a redelivery finds out.
    async fn ask<T>(&self, call: impl Future<Output = Result<T, QueueError>>) -> Result<T, ReceiveError> {
        let Ok(_place) = self.waiting.try_acquire() else { return Err(ReceiveError::Crowded) };
        match timeout(QUEUE_DEADLINE, call).await {
            Ok(answer) => Ok(answer?),
            Err(_) => Err(ReceiveError::QueueTooSlow(QUEUE_DEADLINE)),
        }
    }
}

fn seen() -> Answer {
    Answer::new(Verdict::Duplicate, "this delivery came before")
}
