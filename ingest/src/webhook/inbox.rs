//! What the public listener works with, and how a decision is carried out.

use std::{future::Future, sync::Arc, time::Duration};

use shared::{
    model::{DeliveryId, JobState, Origin, RunnerNamePrefix},
    pools::LivePools,
    queue::{CancelOutcome, Enqueued, Noted, Queue},
    telemetry::chain,
    workflow_job::Decision,
};
use tokio::time::timeout;
use tracing::warn;

use super::{
    answer::{Answer, Verdict},
    body::BodyLimits,
    error::ReceiveError,
    intake::Intake,
    refusals::Refusals,
    sightings::Sightings,
    signature::Signatures,
};
use crate::metrics::DeliveryMetrics;

/// How long the queue may take, so that the answer is out within two seconds.
const QUEUE_DEADLINE: Duration = Duration::from_millis(1900);

/// What the public listener works with. Clones share all of it.
#[derive(Clone)]
pub(crate) struct Inbox {
    pub(super) signatures: Arc<Signatures>,
    pub(super) limits: BodyLimits,
    pub(super) pools: LivePools,
    pub(super) prefix: RunnerNamePrefix,
    pub(super) metrics: DeliveryMetrics,
    pub(super) refusals: Refusals,
    queue: Queue,
    intake: Intake,
    sightings: Arc<Sightings>,
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
        let (refusals, sightings) = (Refusals::new(queue.clone()), Arc::default());
        let (signatures, intake) = (Arc::new(signatures), Intake::new(queue.clone()));
        Self { signatures, limits, pools, prefix, metrics, refusals, queue, intake, sightings }
    }

    /// The same for a thread of its own, which then waits for no other when it speaks to the queue.
    pub(crate) fn apart(&self) -> Self {
        let queue = self.queue.apart();
        Self { intake: Intake::new(queue.clone()), queue, ..self.clone() }
    }

    /// Does what was decided about the delivery. What it answers with success is stored.
    ///
    /// # Errors
    ///
    /// When the decision is a refusal, or the queue does not do its part.
    pub(super) async fn carry_out(&self, decision: Decision, delivery: &DeliveryId) -> Result<Answer, ReceiveError> {
        match decision {
            Decision::Enqueue(message) => {
                let (job, pool) = (message.job_id, message.pool.clone());
                let enqueued = self.ask(self.intake.enqueue(message)).await?;
                Ok(match enqueued {
                    Enqueued::Stored => Answer::new(Verdict::Queued, format!("job {job} is queued in pool {pool}")),
                    Enqueued::DuplicateDelivery => seen(),
                    Enqueued::DuplicateJob(JobState::Cancelled) => {
                        Answer::new(Verdict::Duplicate, format!("job {job} was cancelled before"))
                    }
                    Enqueued::DuplicateJob(state) => {
                        Answer::new(Verdict::Duplicate, format!("job {job} came before and is {state}"))
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
            Decision::Note(note) => {
                let (noted, job) = (self.ask(note.take_down(&self.queue, delivery)).await?, note.job);
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

    /// Has the queue remember where jobs of ours come from, for whoever looks for those of which no webhook came. A failure is no
    /// reason to refuse the delivery, for the next one tells.
    pub(super) async fn remember(&self, origin: &Origin) {
        match timeout(QUEUE_DEADLINE, self.queue.remember(origin)).await {
            Ok(Ok(())) => self.sightings.told(origin),
            Ok(Err(error)) => {
                warn!(repository = %origin.repository, error = %chain(&error), "Cannot have the repository remembered yet");
            }
            Err(_elapsed) => warn!(repository = %origin.repository, "Cannot have the repository remembered yet"),
        }
    }

    /// Whether the queue is to remember where the job comes from: told of late, it is not told again.
    pub(super) fn is_news(&self, decision: &Decision, origin: &Origin) -> bool {
        let is_ours = matches!(decision, Decision::Enqueue(_) | Decision::Cancel { .. } | Decision::Note(_));
        is_ours && self.sightings.is_news(origin)
    }

    /// Waits for the queue, within bounds. A call that is given up may still have its effect: a redelivery finds out.
    async fn ask<T, E: Into<ReceiveError>>(&self, call: impl Future<Output = Result<T, E>>) -> Result<T, ReceiveError> {
        match timeout(QUEUE_DEADLINE, call).await {
            Ok(answer) => answer.map_err(Into::into),
            Err(_) => Err(ReceiveError::QueueTooSlow(QUEUE_DEADLINE)),
        }
    }
}

fn seen() -> Answer {
    Answer::new(Verdict::Duplicate, "this delivery came before")
}
