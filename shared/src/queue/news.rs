//! What has happened to a job and is not on its record yet.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::{
    sync::{Mutex as Turn, OwnedMutexGuard},
    time::Instant,
};

use super::What;

/// Something that happened to a job, by this process's monotonic clock.
#[derive(Clone, Debug)]
pub(super) struct Happened {
    pub(super) at: Instant,
    pub(super) what: What,
    pub(super) detail: String,
}

/// What has happened to a job and is not on its record yet: its lease takes note of it, and the next call tells it that is made for the
/// lease, be it a [beat](super::Queue::beat). Clones are of one lease.
#[derive(Clone, Debug, Default)]
pub struct News {
    untold: Arc<Mutex<Vec<Happened>>>,
    /// Held while it is told, so that nothing is told twice.
    turn: Arc<Turn<()>>,
}

/// News that a call is telling. Dropped before it [was told](Self::were_told), they are told by the next call.
#[derive(Debug)]
pub(super) struct Telling {
    news: News,
    pub(super) events: Vec<Happened>,
    _turn: OwnedMutexGuard<()>,
}

impl News {
    /// Whether there is nothing to tell.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.untold().is_empty()
    }

    pub(super) fn add(&self, what: What, detail: String) {
        self.untold().push(Happened { at: Instant::now(), what, detail });
    }

    /// Begins to tell them, once nobody else does.
    pub(super) async fn tell(&self) -> Telling {
        let turn = Arc::clone(&self.turn).lock_owned().await;
        self.telling(turn)
    }

    /// The same, unless somebody does just now.
    pub(super) fn try_tell(&self) -> Option<Telling> {
        let turn = Arc::clone(&self.turn).try_lock_owned().ok()?;
        Some(self.telling(turn))
    }

    fn telling(&self, turn: OwnedMutexGuard<()>) -> Telling {
        Telling { news: self.clone(), events: self.untold().clone(), _turn: turn }
    }

    fn untold(&self) -> MutexGuard<'_, Vec<Happened>> {
        self.untold.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Telling {
    /// They are on the record.
    pub(super) fn were_told(self) {
        self.news.untold().drain(..self.events.len());
    }
}
