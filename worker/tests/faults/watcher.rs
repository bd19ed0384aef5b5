//! Looks again and again whether the queue's state is one that it may be in.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use crate::store::Way;

/// How often it looks.
const LOOK: Duration = Duration::from_millis(50);

/// A thread that looks until it is dropped.
#[derive(Debug)]
pub(crate) struct Watcher {
    seen: Arc<Mutex<Seen>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

/// What was seen.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seen {
    /// How often it was looked.
    pub(crate) looks: u64,
    /// The most leases at once, by pool.
    pub(crate) most: BTreeMap<String, u64>,
    /// How often an entry was in two places.
    pub(crate) bad: u64,
}

impl Watcher {
    pub(crate) fn start(store: Way, pools: Vec<String>, scopes: Vec<String>) -> Self {
        let (seen, stop) = (Arc::<Mutex<Seen>>::default(), Arc::<AtomicBool>::default());
        let thread = thread::spawn({
            let (seen, stop) = (Arc::clone(&seen), Arc::clone(&stop));
            move || {
                let mut probe = None;
                while !stop.load(Ordering::Relaxed) {
                    thread::sleep(LOOK);
                    probe = probe.or_else(|| store.probe().ok());
                    for pool in &pools {
                        // It is away: that is what the test is for.
                        let Some(Ok((leased, bad))) = probe.as_mut().map(|probe| probe.look(pool, &scopes)) else {
                            probe = None;
                            break;
                        };
                        let mut seen = seen.lock().unwrap();
                        seen.looks += 1;
                        seen.bad += bad;
                        let most = seen.most.entry(pool.clone()).or_default();
                        *most = (*most).max(leased);
                    }
                }
            }
        });
        Self { seen, stop, thread: Some(thread) }
    }

    pub(crate) fn seen(&self) -> Seen {
        self.seen.lock().unwrap().clone()
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap_or_default();
        }
    }
}
