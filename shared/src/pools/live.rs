//! The pools while the process runs: `pools.toml` is read again on SIGHUP.

use std::{fs, path::PathBuf, sync::Arc};

use tokio::{
    signal::unix::{SignalKind, signal},
    sync::watch,
};
use tokio_util::sync::CancellationToken;
use tracing::{error, info};

use crate::model::{Pool, Pools};

/// The pools as they are now. Clones share them.
#[derive(Clone, Debug)]
pub struct LivePools {
    source: Option<Arc<Source>>,
    pools: Arc<watch::Sender<Arc<Pools>>>,
}

/// Where they are written down, and what is theirs that leave something out.
#[derive(Debug)]
struct Source {
    path: PathBuf,
    default: Pool,
}

impl LivePools {
    /// Pools that stay as they are.
    #[must_use]
    pub fn fixed(pools: Pools) -> Self {
        Self { source: None, pools: Arc::new(watch::Sender::new(Arc::new(pools))) }
    }

    /// Those of a file.
    ///
    /// # Errors
    ///
    /// What is wrong with the file, with its path and the place in it.
    pub(super) fn of_file(path: PathBuf, default: Pool) -> Result<Self, String> {
        let source = Source { path, default };
        let pools = source.read()?;
        Ok(Self { source: Some(Arc::new(source)), ..Self::fixed(pools) })
    }

    /// The pools as they are at this moment.
    #[must_use]
    pub fn now(&self) -> Arc<Pools> {
        Arc::clone(&self.pools.borrow())
    }

    /// Hears from now on of each change, and of each SIGHUP.
    #[must_use]
    pub fn changes(&self) -> watch::Receiver<Arc<Pools>> {
        self.pools.subscribe()
    }

    /// Reads the file again with each SIGHUP, until `stop`. One with a mistake in it is told in the log, and changes nothing.
    ///
    /// # Errors
    ///
    /// When the signal cannot be listened for.
    pub async fn follow(&self, stop: CancellationToken) -> std::io::Result<()> {
        let mut hangup = signal(SignalKind::hangup())?;
        while stop.run_until_cancelled(hangup.recv()).await.is_some() {
            match self.read_again() {
                Ok(changed) => {
                    info!("Read the pools again on SIGHUP: {changed}");
                    self.pools.send_modify(|_| {}); // what was said of them may have changed all the same, such as their images
                }
                Err(problem) => error!(error = problem, "SIGHUP: the pools stay as they were"),
            }
        }
        Ok(())
    }

    fn read_again(&self) -> Result<String, String> {
        let Some(source) = &self.source else {
            return Ok("there is no file to read, for AUTOSCALER_POOLS is not set".to_owned());
        };
        let old = self.now();
        let new = source.read()?.instead_of(&old);
        let said = changes(&old, &new);
        if *old != new {
            self.pools.send_replace(Arc::new(new));
        }
        Ok(said)
    }
}

impl Source {
    fn read(&self) -> Result<Pools, String> {
        let path = self.path.display();
        let text = fs::read_to_string(&self.path).map_err(|error| format!("cannot read {path}: {error}"))?;
        Pools::parse(&text, &self.default).map_err(|error| format!("{path}: {error}"))
    }
}

/// What is different, for people.
fn changes(old: &Pools, new: &Pools) -> String {
    let names = |what: &str, pools: Vec<&Pool>| {
        let names: Vec<&str> = pools.iter().map(|pool| pool.name.as_str()).collect();
        (!names.is_empty()).then(|| format!("{what} {}", names.join(", ")))
    };
    let there = |pool: &&Pool| old.iter().any(|before| before.name == pool.name);
    let added = new.iter().filter(|pool| !there(pool)).collect();
    let removed = old.iter().filter(|pool| new.removed().contains(pool)).collect();
    let changed = new.iter().filter(|pool| there(pool) && !old.iter().any(|before| before == *pool)).collect();
    let parts = [names("new:", added), names("changed:", changed), names("removed:", removed)];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    if parts.is_empty() { "nothing has changed".to_owned() } else { parts.join("; ") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Environment;

    fn pools(text: &str) -> (tempfile::NamedTempFile, LivePools) {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(&file, text).unwrap();
        let mut environment = Environment::of([("AUTOSCALER_POOLS", file.path().to_str().unwrap())]);
        let (_, pools) = super::super::load(&mut environment);
        environment.finish().unwrap();
        (file, pools)
    }

    #[test]
    fn a_file_that_was_changed_is_read_again_and_what_changed_is_told() {
        let (file, pools) = pools("[[pool]]\nname = \"a\"\n[[pool]]\nname = \"b\"");
        let mut heard = pools.changes();
        assert_eq!(pools.read_again().unwrap(), "nothing has changed");
        assert!(!heard.has_changed().unwrap());
        fs::write(&file, "[[pool]]\nname = \"b\"\nmax_runners = 7\n[[pool]]\nname = \"c\"").unwrap();
        assert_eq!(pools.read_again().unwrap(), "new: c; changed: b; removed: a");
        assert_eq!(heard.borrow_and_update().iter().count(), 2);
        assert_eq!(pools.now().get(&"b".parse().unwrap()).unwrap().max_runners, 7);
    }

    #[test]
    fn a_file_with_a_mistake_changes_nothing_and_is_told_with_its_place() {
        let (file, pools) = pools("[[pool]]\nname = \"a\"");
        fs::write(&file, "[[pool]]\nname = \"a\"\nmax_runers = 7").unwrap();
        let problem = pools.read_again().unwrap_err();
        assert!(problem.contains(file.path().to_str().unwrap()) && problem.contains("line 3"), "{problem}");
        assert!(problem.contains("max_runers"), "{problem}");
        fs::remove_file(&file).unwrap();
        assert!(pools.read_again().unwrap_err().contains("cannot read"));
        assert_eq!(pools.now().iter().count(), 1);
    }
}
