//! How who waits hears of a change, in whatever process it was made: by a file that is written to.

use std::{
    fs::{File, OpenOptions},
    os::unix::fs::OpenOptionsExt as _,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher as _, event::ModifyKind};
use redis::{Value, cmd};
use tokio::{
    sync::{Mutex, Notify},
    time::timeout,
};

use super::{connection::Connection, failure::Failure, place::Place, transaction::Work};
use crate::queue::{QueueError, script};

/// Opens the file that is written to when a marker was set.
pub(super) fn bell(place: &Place) -> Result<File, Failure> {
    let path = place.beside("-wake");
    let bell = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&path);
    bell.map_err(|error| Failure::Passing(format!("cannot open {}: {error}", path.display())))
}

/// Who waits.
#[derive(Debug)]
pub(super) struct Waiting {
    place: Place,
    rung: Arc<Notify>,
    /// Begins with the first wait.
    watcher: Mutex<Option<RecommendedWatcher>>,
    /// Whether something else befell the file than to be written to: then another may have taken its place.
    gone: Arc<AtomicBool>,
}

impl Waiting {
    pub(super) fn new(place: Place) -> Self {
        Self { place, rung: Arc::default(), watcher: Mutex::default(), gone: Arc::default() }
    }

    /// Waits until one of the markers is there, and takes it. Cancel-safe, as markers are.
    pub(super) async fn wait(
        &self,
        writing: &Connection,
        markers: &[String],
        at_most: Duration,
    ) -> Result<(), QueueError> {
        self.watch().await?;
        let taken = async {
            loop {
                // Before the look: what changes after it is heard.
                let rung = self.rung.notified();
                let take = cmd("BZPOPMIN").arg(markers).arg(0).to_owned();
                if writing.perform(Work::Command(script::bytes(&take))).await? != Value::Nil {
                    return Ok(());
                }
                rung.await;
            }
        };
        timeout(at_most, taken).await.unwrap_or(Ok(()))
    }

    async fn watch(&self) -> Result<(), QueueError> {
        let mut watcher = self.watcher.lock().await;
        if watcher.is_some() && !self.gone.swap(false, Ordering::Relaxed) {
            return Ok(());
        }
        self.place.make()?;
        bell(&self.place)?;
        let (rung, gone) = (Arc::clone(&self.rung), Arc::clone(&self.gone));
        let heard = move |event: notify::Result<Event>| {
            let usual =
                matches!(event, Ok(Event { kind: EventKind::Modify(ModifyKind::Data(_)) | EventKind::Access(_), .. }));
            gone.fetch_or(!usual, Ordering::Relaxed);
            rung.notify_waiters();
        };
        let begun = notify::recommended_watcher(heard).and_then(|mut watcher| {
            watcher.watch(&self.place.beside("-wake"), RecursiveMode::NonRecursive)?;
            Ok(watcher)
        });
        *watcher = Some(begun.map_err(QueueError::store)?);
        Ok(())
    }
}
