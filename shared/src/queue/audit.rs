//! What an audit found.

use std::collections::BTreeMap;

/// What an audit did.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct AuditReport {
    /// What was repaired, and how often.
    pub repairs: BTreeMap<String, u64>,
    /// How many jobs were given up because they had waited for too long.
    pub given_up: u64,
    /// How many dead letters there are.
    pub dead: u64,
}

impl AuditReport {
    /// Adds what a script says it did: words and numbers, by turns.
    pub(super) fn add(&mut self, did: &[String]) {
        for pair in did.chunks_exact(2) {
            let times: u64 = pair[1].parse().unwrap_or_default();
            match pair[0].as_str() {
                "given_up" => self.given_up += times,
                "dead" => self.dead = times,
                repair => *self.repairs.entry(repair.to_owned()).or_default() += times,
            }
        }
    }

    /// How many repairs were made.
    #[must_use]
    pub fn repaired(&self) -> u64 {
        self.repairs.values().sum()
    }
}
