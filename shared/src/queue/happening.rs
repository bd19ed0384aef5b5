//! What is counted of a pool's jobs.

/// Something that happens to jobs, and is counted in the store.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Happening {
    /// It was put into the queue.
    Accepted,
    /// Its runner has ended, or another one took it.
    Done,
    /// It was done, and is in the queue again: its runner had taken another job.
    Reopened,
    /// GitHub wanted it no more.
    Cancelled,
    /// It became a dead letter.
    Died,
    /// A dead letter was put back.
    Replayed,
    /// A dead letter was taken out.
    Dropped,
    /// A lease of it ended because its worker fell silent.
    WorkerLost,
}

impl Happening {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Accepted,
        Self::Done,
        Self::Reopened,
        Self::Cancelled,
        Self::Died,
        Self::Replayed,
        Self::Dropped,
        Self::WorkerLost,
    ];

    /// A word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Done => "done",
            Self::Reopened => "reopened",
            Self::Cancelled => "cancelled",
            Self::Died => "died",
            Self::Replayed => "replayed",
            Self::Dropped => "dropped",
            Self::WorkerLost => "worker_lost",
        }
    }
}
