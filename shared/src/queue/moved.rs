//! What was moved to another store.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::model::{JobState, PoolName};

/// What was moved to another store. Its JSON is what `worker queue move` prints.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize)]
pub struct Moved {
    /// Every pool that the queue knows, by name.
    pub pools: Vec<MovedPool>,
    /// Records of jobs that no pool takes.
    pub unmatched: u64,
}

/// How many jobs of a pool were moved.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct MovedPool {
    /// The pool.
    pub name: PoolName,
    /// By the state that they are in; all that a job of a pool can be in.
    pub jobs: BTreeMap<JobState, u64>,
}

impl MovedPool {
    pub(super) fn new(name: PoolName) -> Self {
        let states = JobState::ALL.into_iter().filter(|state| *state != JobState::Unmatched);
        Self { name, jobs: states.map(|state| (state, 0)).collect() }
    }
}
