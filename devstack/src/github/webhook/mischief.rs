//! What befalls webhooks on their way: a hook is no promise.

use std::time::Duration;

use fastrand::Rng;

use crate::{deliver, github::state::Event};

/// How long a webhook that comes late is held back, in milliseconds.
const LATE_MILLIS: std::ops::Range<u64> = 200..3000;

/// What befalls webhooks, each in so many of a hundred, by a generator of random numbers that begins with the seed.
#[derive(Clone, Copy, Debug)]
pub struct Mischief {
    /// Where the random numbers begin.
    pub seed: u64,
    /// Never sent: GitHub knows nothing of them, either.
    pub lost: u8,
    /// Sent twice.
    pub twice: u8,
    /// Held back, so that later ones overtake them.
    pub late: u8,
}

/// What befell webhooks.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Befallen {
    /// All of them.
    pub webhooks: usize,
    /// Those that were never sent.
    pub lost: usize,
    /// Those that were sent twice.
    pub twice: usize,
    /// Those that were held back.
    pub late: usize,
}

/// Mischief at work.
#[derive(Debug)]
pub(in crate::github) struct Imp {
    mischief: Mischief,
    rng: Rng,
    pub(in crate::github) befallen: Befallen,
}

impl Imp {
    pub(in crate::github) fn new(mischief: Mischief) -> Self {
        Self { mischief, rng: Rng::with_seed(mischief.seed), befallen: Befallen::default() }
    }

    /// What is sent in place of `event`.
    pub(in crate::github) fn meddle(&mut self, mut event: Event) -> Vec<Event> {
        let Mischief { lost, twice, late, .. } = self.mischief;
        let fate = self.rng.u8(..100);
        self.befallen.webhooks += 1;
        if fate < lost {
            self.befallen.lost += 1;
            return Vec::new();
        }
        event.guid = Some(deliver::guid());
        if fate < lost + twice {
            self.befallen.twice += 1;
            return vec![event.clone(), event];
        }
        if fate < lost + twice + late {
            self.befallen.late += 1;
            event.late = Duration::from_millis(self.rng.u64(LATE_MILLIS));
        }
        vec![event]
    }
}
