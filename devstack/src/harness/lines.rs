//! What a process prints.

use std::{
    io::{self, BufRead as _, BufReader, Read, Write as _},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

/// How many of the last lines an error shows.
const SHOWN: usize = 20;

/// The lines that a process has printed so far, on standard output and standard error.
#[derive(Clone, Debug, Default)]
pub(super) struct Lines {
    all: Arc<Mutex<Vec<String>>>,
    /// How many of its streams are open yet.
    open: Arc<AtomicUsize>,
}

impl Lines {
    /// Reads `stream` to its end, in a thread of its own: a process is never held up by a full pipe. With `echo`, each
    /// line is shown on standard error as well, behind that name.
    pub(super) fn read(&self, stream: impl Read + Send + 'static, echo: Option<String>) {
        let lines = self.clone();
        lines.open.fetch_add(1, Ordering::SeqCst);
        thread::spawn(move || {
            let mut stream = BufReader::new(stream);
            let mut line = Vec::new();
            while stream.read_until(b'\n', &mut line).is_ok_and(|length| length > 0) {
                let text = String::from_utf8_lossy(&line).trim_end().to_owned();
                if let Some(name) = &echo {
                    // A terminal that is gone is no reason to stop reading.
                    writeln!(io::stderr(), "{name} | {text}").unwrap_or_default();
                }
                lines.get().push(text);
                line.clear();
            }
            lines.open.fetch_sub(1, Ordering::SeqCst);
        });
    }

    /// Whether there may be more to come.
    pub(super) fn are_open(&self) -> bool {
        self.open.load(Ordering::SeqCst) > 0
    }

    /// All lines.
    pub(super) fn all(&self) -> Vec<String> {
        self.get().clone()
    }

    /// The last lines, for an error.
    pub(super) fn last(&self) -> String {
        let lines = self.get();
        lines[lines.len().saturating_sub(SHOWN)..].join("\n")
    }

    /// The first line that contains `text`.
    pub(super) fn find(&self, text: &str) -> Option<String> {
        self.get().iter().find(|line| line.contains(text)).cloned()
    }

    fn get(&self) -> MutexGuard<'_, Vec<String>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
