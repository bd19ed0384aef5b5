//! How jobs come into the queue together. Those that come while others are being stored follow in one call: who comes alone waits for
//! nothing, and the more come at once, the less of the store's time each takes.

use std::{
    collections::HashMap,
    mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use shared::{
    model::{JobMessage, PoolName},
    queue::{Enqueued, Queue, QueueError},
};
use tokio::{sync::oneshot, task::yield_now};

use super::error::ReceiveError;

/// How many jobs a call takes. With more, the store has all that are under way while this thread has nothing to do, and the other way
/// round.
const JOBS_MAX: usize = 8;

/// How many calls are under way for a pool at the most: while the store works on one, it has the next.
const CALLS_MAX: usize = 8;

/// Who comes in, pool by pool. Clones share it.
#[derive(Clone)]
pub(super) struct Intake {
    queue: Queue,
    lines: Arc<Mutex<HashMap<PoolName, Line>>>,
}

/// Who waits for one of a pool's next calls, and how many see to it that there is one.
#[derive(Default)]
struct Line {
    waiting: Vec<Coming>,
    callers: usize,
}

/// A job, and who waits to hear what became of it.
struct Coming {
    message: Box<JobMessage>,
    answer: oneshot::Sender<Result<Enqueued, QueueError>>,
}

impl Intake {
    pub(super) fn new(queue: Queue) -> Self {
        Self { queue, lines: Arc::default() }
    }

    /// Stores a job, as [`Queue::enqueue`] does. Who gives up is left out, if that is soon enough.
    pub(super) async fn enqueue(&self, message: Box<JobMessage>) -> Result<Enqueued, ReceiveError> {
        let (answer, answered) = oneshot::channel();
        self.line_up(Coming { message, answer });
        Ok(answered.await.map_err(|_| ReceiveError::BrokenOff)??)
    }

    fn line_up(&self, coming: Coming) {
        let mut lines = self.lines();
        let pool = &coming.message.pool;
        let line = lines.entry(pool.clone()).or_default();
        if line.callers < CALLS_MAX {
            line.callers += 1;
            actix_web::rt::spawn(Caller { intake: self.clone(), pool: pool.clone(), has_ended: false }.call());
        }
        line.waiting.push(coming);
    }

    fn lines(&self) -> MutexGuard<'_, HashMap<PoolName, Line>> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Sees to a pool's calls, one after the other, for as long as somebody waits.
struct Caller {
    intake: Intake,
    pool: PoolName,
    has_ended: bool,
}

impl Caller {
    async fn call(mut self) {
        yield_now().await; // those that are as far come along
        while let Some(line) = self.next() {
            let (messages, waiting): (Vec<_>, Vec<_>) = line.into_iter().map(|it| (it.message, it.answer)).unzip();
            match self.intake.queue.enqueue_all(&self.pool, messages.iter().map(AsRef::as_ref)).await {
                Ok(became) => {
                    for (answer, became) in waiting.into_iter().zip(became) {
                        drop(answer.send(Ok(became)));
                    }
                }
                Err(error) => {
                    for answer in waiting {
                        drop(answer.send(Err(error.clone())));
                    }
                }
            }
        }
    }

    /// Who comes next, but for those who have given up; `None`, and this is no caller any more, when nobody waits.
    fn next(&mut self) -> Option<Vec<Coming>> {
        let mut lines = self.intake.lines();
        let line = lines.get_mut(&self.pool)?;
        line.waiting.retain(|coming| !coming.answer.is_closed());
        if line.waiting.is_empty() {
            line.callers -= 1;
            self.has_ended = true;
            return None;
        }
        let more = line.waiting.split_off(line.waiting.len().min(JOBS_MAX));
        Some(mem::replace(&mut line.waiting, more))
    }
}

impl Drop for Caller {
    /// When it is broken off, another takes its place.
    fn drop(&mut self) {
        if !self.has_ended
            && let Some(line) = self.intake.lines().get_mut(&self.pool)
        {
            line.callers -= 1;
        }
    }
}
