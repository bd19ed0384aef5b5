//! Calls to GitHub, as its limits see them: who makes them, what they take, and what GitHub says of what is left.

use std::{fmt, time::Duration};

/// The part of what a [`Pace`] allows that may be used at once; the rest is spread over its period.
const AT_ONCE: u32 = 3;

/// Whose limits a call is counted against: those of a person's token, of an App, or of one of an App's installations.
/// Says nothing of the credential.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct Caller {
    kind: CallerKind,
    name: String,
}

/// What a caller is to GitHub.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum CallerKind {
    /// A person, by a token.
    Token,
    /// An App, for itself.
    App,
    /// One of an App's installations.
    Installation,
}

impl CallerKind {
    /// The word for it, in metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Token => "token",
            Self::App => "app",
            Self::Installation => "installation",
        }
    }
}

impl Caller {
    /// Names a caller by what tells it from others and is no secret.
    #[must_use]
    pub const fn new(kind: CallerKind, name: String) -> Self {
        Self { kind, name }
    }

    /// What it is to GitHub.
    #[must_use]
    pub const fn kind(&self) -> CallerKind {
        self.kind
    }
}

impl fmt::Display for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

/// A limit that GitHub does not tell of before it is reached: so many in a period. A third of them may follow each other
/// at once, and the others are spread over the period: no period, wherever it begins, has more.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Pace {
    /// What is counted, for people; paces of one name are one.
    pub name: String,
    /// How many of them the call is.
    pub cost: u32,
    /// The most in a period.
    pub most: u32,
    /// The period.
    pub period: Duration,
}

impl Pace {
    /// How many may follow each other at once.
    fn at_once(&self) -> u32 {
        (self.most / AT_ONCE).max(self.cost)
    }

    /// The time that one of them takes up.
    #[must_use]
    pub fn each(&self) -> Duration {
        self.period / self.most.saturating_sub(self.at_once()).max(1)
    }

    /// How far the calls that were made may be ahead of this pace when another is made.
    #[must_use]
    pub fn ahead(&self) -> Duration {
        self.each() * (self.at_once() - self.cost)
    }
}

/// What a call takes of the limits.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Demand {
    /// Who makes it.
    pub caller: Caller,
    /// What kind of call it is, without names and numbers. None: only what it takes of the paces is to be counted.
    pub endpoint: Option<String>,
    /// Whether it ends something that was begun, such as a registration: then what is kept in reserve is there for it.
    pub urgent: bool,
    /// What it takes of limits that GitHub does not tell of.
    pub paces: Vec<Pace>,
}

/// Whether a call may be made.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Admission {
    /// It may, in this time, and is counted.
    Go {
        /// How long to wait before.
        delay: Duration,
        /// What it is known by while it is under way.
        ticket: Ticket,
    },
    /// It may not, and is not counted.
    Wait(Hold),
}

/// What a call is known by while it is under way.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Ticket(pub u64);

/// Why a call has to wait.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Hold {
    /// How long; then it may be asked for again.
    pub wait: Duration,
    /// Which limit it is, for people.
    pub limit: String,
    /// Whether all of the caller's calls have to wait for as long.
    pub all: bool,
}

/// How GitHub answered a call.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Heard {
    /// What kind of call it was.
    pub endpoint: String,
    /// The answer's status; none where no answer came.
    pub status: Option<u16>,
    /// The bucket that it was counted in, if GitHub said so.
    pub bucket: Option<Bucket>,
    /// What came of it.
    pub verdict: Verdict,
}

/// A limit that GitHub tells of with each answer: so many requests until a time.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Bucket {
    /// Its name: `x-ratelimit-resource`.
    pub resource: String,
    /// The requests in a period.
    pub limit: u64,
    /// Those that are left.
    pub remaining: u64,
    /// How soon all of them are there again.
    pub reset: Duration,
}

/// What came of a call.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Verdict {
    /// It was carried out.
    Done,
    /// It was refused, and not because of a limit.
    Refused,
    /// No answer came, or one that says nothing but that GitHub is out of order.
    Failed,
    /// There were too many calls.
    Limited {
        /// How long GitHub wants no calls at all, if it said so. Of a bucket that is empty, its reset says until when.
        wait: Option<Duration>,
        /// What it said, for people.
        said: String,
    },
}

impl Verdict {
    /// The word for it, in metrics and for the queue's store.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Done => "ok",
            Self::Refused => "refused",
            Self::Failed => "failed",
            Self::Limited { .. } => "limited",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The most that a pace lets through in any period, when each call is made as soon as it may be.
    fn most_in_a_period(pace: &Pace) -> usize {
        let (each, ahead) = (pace.each() * pace.cost, pace.ahead());
        let (mut now, mut paid_until) = (Duration::ZERO, Duration::ZERO);
        let mut made = Vec::new();
        while now < 3 * pace.period {
            now = now.max(paid_until.saturating_sub(ahead));
            paid_until = paid_until.max(now) + each;
            made.push(now);
        }
        let within = |begin: Duration| made.iter().filter(|at| **at >= begin && **at < begin + pace.period).count();
        made.iter().map(|begin| within(*begin)).max().unwrap() * usize::try_from(pace.cost).unwrap()
    }

    #[test]
    fn no_period_has_more_than_the_limit_wherever_it_begins_and_few_less() {
        for (cost, most, seconds) in [(5, 900, 60), (1, 900, 60), (1, 1500, 300), (1, 9, 300), (5, 20, 60)] {
            let pace = Pace { name: "calls".to_owned(), cost, most, period: Duration::from_secs(seconds) };
            let made = most_in_a_period(&pace);
            let least = usize::try_from(most - cost).unwrap();
            assert!((least..=usize::try_from(most).unwrap()).contains(&made), "{made} of {most} at {cost} each");
        }
    }

    #[test]
    fn a_third_may_be_made_at_once() {
        let pace = Pace { name: "points".to_owned(), cost: 5, most: 900, period: Duration::from_mins(1) };
        assert_eq!((pace.each(), pace.ahead()), (Duration::from_millis(100), Duration::from_millis(29_500)));
    }

    #[test]
    fn a_limit_that_is_smaller_than_one_call_lets_one_through_after_the_other() {
        let pace = Pace { name: "points".to_owned(), cost: 5, most: 1, period: Duration::from_mins(1) };
        assert_eq!((pace.each(), pace.ahead()), (Duration::from_mins(1), Duration::ZERO));
    }
}
