//! Whether scopes take turns.

use std::collections::BTreeMap;

use proptest::{prelude::*, test_runner::TestCaseError};

/// How often each other scope was served while one could have been. By pool and scope.
#[derive(Debug, Default)]
pub(crate) struct Turns {
    passed_over: BTreeMap<(usize, usize), BTreeMap<usize, u32>>,
}

impl Turns {
    /// Scopes that cannot be served any more wait for nothing.
    pub(crate) fn retain(&mut self, eligible: impl Fn(usize, usize) -> bool) {
        self.passed_over.retain(|(pool, scope), _| eligible(*pool, *scope));
    }

    /// A scope is served, while `eligible` could have been.
    pub(crate) fn served(&mut self, pool: usize, scope: usize, eligible: &[usize]) -> Result<(), TestCaseError> {
        self.passed_over.remove(&(pool, scope));
        for other in eligible.iter().filter(|other| **other != scope) {
            let times = self.passed_over.entry((pool, *other)).or_default().entry(scope).or_default();
            *times += 1;
            prop_assert!(*times <= 1, "scope {scope} was served {times} times before {other} had its turn");
        }
        Ok(())
    }
}
