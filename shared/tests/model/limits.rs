//! The limits that the model knows.

use super::operation::Limit;

/// Two settings of the pools, as workers have them.
pub(crate) const SETTINGS: [&str; 2] = [
    "[[pool]]\nname = \"default\"\nmax_runners = 3\nmax_per_scope = 2\n\
     [[pool]]\nname = \"gpu\"\nlabels = [\"gpu\"]\nmax_runners = 2",
    "[[pool]]\nname = \"default\"\nmax_runners = 5\n\
     [[pool]]\nname = \"gpu\"\nlabels = [\"gpu\"]\nmax_runners = 3\nmax_per_scope = 1",
];

/// The same, for each pool: how many runners, and for each scope.
const CONFIGURED: [[(u32, Option<u32>); 2]; 2] = [[(3, Some(2)), (2, None)], [(5, None), (3, Some(1))]];

/// A pool's limits.
#[derive(Clone, Debug, Default)]
pub(crate) struct Limits {
    configured: (u32, Option<u32>),
    pool: Option<u32>,
    each: Option<u32>,
    own: [Option<u32>; 3],
}

impl Limits {
    pub(crate) fn configure(&mut self, which: usize, pool: usize) {
        self.configured = CONFIGURED[which][pool];
    }

    pub(crate) fn change(&mut self, limit: Limit, most: Option<u32>) {
        match limit {
            Limit::Pool => self.pool = most,
            Limit::EachScope => self.each = most,
            Limit::Scope(scope) => self.own[scope] = most,
        }
    }

    pub(crate) fn of_pool(&self) -> usize {
        self.pool.unwrap_or(self.configured.0) as usize
    }

    pub(crate) fn of_scope(&self, scope: usize) -> usize {
        self.own[scope].or(self.each).or(self.configured.1).map_or(usize::MAX, |most| most as usize)
    }
}
