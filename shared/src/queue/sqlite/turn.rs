//! Lets processes write by turns. SQLite alone would let the one that writes without a pause go on for ever: when it has ended
//! one transaction, it has begun the next before another process looks again.

use std::{
    fs::File,
    thread::sleep,
    time::{Duration, Instant},
};

/// How often one looks whether its turn has come.
const LOOK: Duration = Duration::from_micros(500);

/// How long one waits for the turn. Then it is taken without: whoever has it may stand still.
const LONGEST: Duration = Duration::from_millis(250);

/// Does something that waits for SQLite's lock, before all who come later: for that long, it holds the lock on `file`, so that
/// whoever has just ended a transaction comes behind.
pub(super) fn in_turn<T>(file: &File, begin: impl FnOnce() -> T) -> T {
    let start = Instant::now();
    let mut held = file.try_lock().is_ok();
    while !held && start.elapsed() < LONGEST {
        sleep(LOOK);
        held = file.try_lock().is_ok();
    }
    let done = begin();
    if held {
        // It fails for no file that could be locked; if it did, the others would do without.
        drop(file.unlock());
    }
    done
}
