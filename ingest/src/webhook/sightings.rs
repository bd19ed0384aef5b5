//! What this process has told the queue of where jobs come from: each is told rarely, for deliveries are many.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use shared::model::{Origin, RepositoryName};

/// How long what was told goes without being told again. A store may lose it.
const KNOWN_FOR: Duration = Duration::from_hours(1);

/// How many repositories are kept in mind; with more, all are told anew.
const REPOSITORIES_MAX: usize = 10_000;

/// What was told of each repository last, and when.
#[derive(Debug, Default)]
pub(super) struct Sightings(Mutex<HashMap<RepositoryName, (Origin, Instant)>>);

impl Sightings {
    /// Whether the queue is to be told.
    pub(super) fn is_news(&self, origin: &Origin) -> bool {
        let told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        !told.get(&origin.repository).is_some_and(|(known, at)| known == origin && at.elapsed() < KNOWN_FOR)
    }

    /// The queue was told.
    pub(super) fn told(&self, origin: &Origin) {
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if told.len() >= REPOSITORIES_MAX {
            told.clear();
        }
        told.insert(origin.repository.clone(), (origin.clone(), Instant::now()));
    }
}
