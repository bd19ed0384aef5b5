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

use crate::probe::Probe;

/// How often it looks.
const LOOK: Duration = Duration::from_millis(50);

/// Answers `LEASED BAD`: how many leases there are, and of how many entries it is not clear where they are: each is in one
/// place of `queued`, `delayed`, `lease` and `dead`, and each lease is counted with its scope.
const LOOK_LUA: &str = "local P=KEYS[1] local bad=0 \
    local function at(id) local n=0 for _,k in ipairs({'queued','delayed','lease','dead'}) do \
        if redis.call('ZSCORE',P..k,id) then n=n+1 end end return n end \
    for _,k in ipairs({'delayed','lease','dead'}) do for _,id in ipairs(redis.call('ZRANGE',P..k,0,-1)) do \
        if at(id)>1 then bad=bad+1 end end end \
    local active=0 for _,s in ipairs(ARGV) do active=active+redis.call('SCARD',P..'active:'..s) end \
    local leased=redis.call('ZCARD',P..'lease') if active~=leased then bad=bad+1 end \
    return redis.status_reply(leased..' '..bad)";

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
    pub(crate) fn start(port: u16, pools: Vec<String>, scopes: &[String]) -> Self {
        let (seen, stop) = (Arc::<Mutex<Seen>>::default(), Arc::<AtomicBool>::default());
        let scopes = scopes.join(" ");
        let thread = thread::spawn({
            let (seen, stop) = (Arc::clone(&seen), Arc::clone(&stop));
            move || {
                let mut probe = None;
                while !stop.load(Ordering::Relaxed) {
                    thread::sleep(LOOK);
                    probe = probe.or_else(|| Probe::connect(port).ok());
                    for pool in &pools {
                        let look = format!("EVAL \"{LOOK_LUA}\" 1 gha:{{{pool}}}: {scopes}");
                        // It is away: that is what the test is for.
                        let Some(Ok(Some(answer))) = probe.as_mut().map(|probe| probe.one(&look)) else {
                            probe = None;
                            break;
                        };
                        let mut numbers = answer.split(' ').map(|number| number.parse::<u64>().unwrap());
                        let (leased, bad) = (numbers.next().unwrap(), numbers.next().unwrap());
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
