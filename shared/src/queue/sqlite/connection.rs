//! A file that is opened on a thread of its own, and anew after every failure.

use std::{
    sync::{Mutex, PoisonError},
    thread,
    time::Duration,
};

use redis::Value;
use tokio::{
    sync::{mpsc, oneshot},
    time::timeout,
};

use super::{
    failure::Failure,
    place::Place,
    transaction::{Asker, Transactions, Work, answer},
};
use crate::queue::{QueueError, store::RESPONSE_TIMEOUT};

/// How many requests may wait. Whoever comes then waits for a place, as long as for an answer.
const WAITING_MAX: usize = 1024;

/// How many requests share a transaction: so many take about as long as the write to the disk on which all of them wait.
const TOGETHER_MAX: usize = 64;

/// How long is waited at the end until the file is closed.
const CLOSE_MAX: Duration = Duration::from_secs(1);

/// What a connection is for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Use {
    /// To change something: one at a time, of all processes.
    Write,
    /// To look: at one moment, whatever is written meanwhile.
    Read,
}

/// A connection that many callers share.
#[derive(Debug)]
pub(super) struct Connection {
    place: Place,
    what_for: Use,
    thread: Mutex<Option<Thread>>,
}

/// The thread that has the file open.
#[derive(Debug)]
struct Thread {
    /// Where it takes its requests from. It ends when this is dropped.
    requests: mpsc::Sender<(Work, Asker)>,
    /// Closed once it has ended.
    ended: std::sync::mpsc::Receiver<()>,
}

impl Connection {
    pub(super) fn new(place: Place, what_for: Use) -> Self {
        Self { place, what_for, thread: Mutex::default() }
    }

    /// Has something done. It may be done even if it was not answered in time.
    pub(super) async fn perform(&self, work: Work) -> Result<Value, QueueError> {
        let (asker, answered) = oneshot::channel();
        let call = async {
            self.thread()?.send((work, asker)).await.map_err(|_closed| ended())?;
            answered.await.map_err(|_dropped| ended())?
        };
        match timeout(RESPONSE_TIMEOUT, call).await {
            Ok(answered) => answered.map_err(QueueError::from),
            Err(_elapsed) => Err(QueueError::Timeout(RESPONSE_TIMEOUT)),
        }
    }

    /// Closes the file, once what was asked for is done. The last of the connections that is closed leaves all in one file, which then
    /// can be copied.
    pub(super) fn close(&self) {
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(Thread { requests, ended }) = thread {
            drop(requests);
            // It says nothing: it ends, or the disk does not answer.
            let _ended = ended.recv_timeout(CLOSE_MAX);
        }
    }

    /// The thread that has the file open, or a new one.
    fn thread(&self) -> Result<mpsc::Sender<(Work, Asker)>, Failure> {
        let mut thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(thread) = thread.as_ref().filter(|thread| !thread.requests.is_closed()) {
            return Ok(thread.requests.clone());
        }
        let (requests, receiver) = mpsc::channel(WAITING_MAX);
        let (ends, ended) = std::sync::mpsc::channel();
        let (place, what_for) = (self.place.clone(), self.what_for);
        let name = if what_for == Use::Write { "queue-write" } else { "queue-read" };
        thread::Builder::new()
            .name(name.to_owned())
            .spawn(move || {
                serve(&place, what_for, receiver);
                drop(ends);
            })
            .map_err(|error| Failure::Passing(format!("cannot begin a thread: {error}")))?;
        *thread = Some(Thread { requests: requests.clone(), ended });
        Ok(requests)
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.close();
    }
}

fn ended() -> Failure {
    Failure::Passing("the thread that has the file has ended; the next call begins another".to_owned())
}

/// Serves requests until nobody can make any. The file is opened for the first of them, and anew after every failure, and when
/// another has taken its place.
fn serve(place: &Place, what_for: Use, mut requests: mpsc::Receiver<(Work, Asker)>) {
    let mut open: Option<Transactions> = None;
    let mut batch = Vec::with_capacity(TOGETHER_MAX);
    while requests.blocking_recv_many(&mut batch, TOGETHER_MAX) > 0 {
        let current = open.take().filter(Transactions::are_of_the_file_there);
        match current.map_or_else(|| Transactions::open(place, what_for), Ok) {
            Ok(mut transactions) => {
                if transactions.together(batch.drain(..).unzip()) {
                    open = Some(transactions);
                }
            }
            Err(failure) => {
                for (_work, asker) in batch.drain(..) {
                    answer(asker, Err(failure.clone()));
                }
            }
        }
    }
}
