//! Warm runners: how many a pool keeps listening, for whom, and when.

use std::str::FromStr;

use serde::Deserialize;
use time::OffsetDateTime;

use super::{Allowed, Invalid, Pool, Scope, ScopeKind};

/// The minutes of a day.
const DAY: u16 = 24 * 60;

/// The days of the week, as they are written.
const DAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];

/// The runners that a pool keeps listening before there is a job for them.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Warm {
    /// `warm`: how many for each of the scopes.
    pub runners: u32,
    /// `warm_scopes`: where they register.
    pub scopes: Vec<Scope>,
    /// `warm_hours`: when.
    pub hours: WarmHours,
}

impl Warm {
    /// How many are wanted for `scope`, at a time.
    #[must_use]
    pub fn wanted(&self, scope: &Scope, now: OffsetDateTime) -> u32 {
        if self.scopes.contains(scope) && self.hours.include(now) { self.runners } else { 0 }
    }

    /// What makes no sense about them in `pool`, by its key in `pools.toml`.
    pub(super) fn contradiction(&self, pool: &Pool) -> Option<String> {
        if self.runners == 0 {
            let lonely = [("warm_scopes", !self.scopes.is_empty()), ("warm_hours", self.hours != WarmHours::default())];
            return lonely.iter().find(|(_, set)| *set).map(|(key, _)| format!("{key} is set, but warm is not"));
        }
        if self.scopes.is_empty() {
            return Some("warm_scopes is empty; warm needs to know where the idle runners register".to_owned());
        }
        for (number, scope) in self.scopes.iter().enumerate() {
            if self.scopes[..number].contains(scope) {
                return Some(format!("warm_scopes has {scope} twice"));
            }
            if pool.scope.is_some_and(|kind| kind != kind_of(scope)) {
                return Some(format!(
                    "warm_scopes has {scope}, but by the key scope no runner of the pool registers there"
                ));
            }
            if !serves(pool, scope) {
                return Some(format!("warm_scopes has {scope}, which is not among the pool's scopes"));
            }
        }
        let all = u64::from(self.runners) * self.scopes.len() as u64;
        if all > pool.max_runners.into() {
            return Some(format!(
                "warm wants {all} runners in all of warm_scopes; max_runners is {}",
                pool.max_runners
            ));
        }
        let most = pool.max_per_scope.filter(|most| self.runners > *most)?;
        Some(format!("warm wants {} runners in each of warm_scopes; max_per_scope is {most}", self.runners))
    }
}

fn kind_of(scope: &Scope) -> ScopeKind {
    match scope {
        Scope::Repository(_) => ScopeKind::Repository,
        Scope::Organization(_) => ScopeKind::Organization,
        Scope::Enterprise(_) => ScopeKind::Enterprise,
    }
}

/// Whether the pool serves a job of the scope. Which organizations belong to an enterprise is not known.
fn serves(pool: &Pool, scope: &Scope) -> bool {
    match scope {
        Scope::Repository(repository) => pool.serves(repository),
        Scope::Organization(login) => {
            let owner = |allowed: &Allowed| match allowed {
                Allowed::Owner(owner) => owner.eq_ignore_ascii_case(login),
                Allowed::Repository(repository) => repository.owner().eq_ignore_ascii_case(login),
            };
            pool.scopes.is_empty() || pool.scopes.iter().any(owner)
        }
        Scope::Enterprise(_) => true,
    }
}

/// When warm runners are kept, in UTC; always, by default.
///
/// Written `Mon-Fri 07:00-19:00`, or several of that with commas between. Without days it is each day. Hours that end before
/// they begin end the day after; so do days.
#[derive(Clone, Debug, Default, Eq, PartialEq, Deserialize)]
#[serde(try_from = "String")]
pub struct WarmHours(Vec<Hours>);

/// Hours of some days, in minutes from midnight.
#[derive(Clone, Debug, Eq, PartialEq)]
struct Hours {
    days: [bool; 7],
    from: u16,
    to: u16,
}

impl WarmHours {
    /// Whether `now` is one of them.
    #[must_use]
    pub fn include(&self, now: OffsetDateTime) -> bool {
        let now = now.to_offset(time::UtcOffset::UTC);
        let day = usize::from(now.weekday().number_days_from_monday());
        let minute = u16::from(now.hour()) * 60 + u16::from(now.minute());
        self.0.is_empty() || self.0.iter().any(|hours| hours.include(day, minute))
    }

    /// Whether they are all hours.
    #[must_use]
    pub fn are_all(&self) -> bool {
        self.0.is_empty()
    }
}

impl Hours {
    fn include(&self, day: usize, minute: u16) -> bool {
        if self.from < self.to {
            return self.days[day] && (self.from..self.to).contains(&minute);
        }
        let yesterday = (day + DAYS.len() - 1) % DAYS.len();
        (self.days[day] && minute >= self.from) || (self.days[yesterday] && minute < self.to)
    }

    fn read(text: &str) -> Option<Self> {
        let (days, hours) = text.split_once(' ').unwrap_or(("Mon-Sun", text));
        let (first, last) = days.split_once('-').unwrap_or((days, days));
        let number = |day: &str| DAYS.iter().position(|name| name.eq_ignore_ascii_case(day));
        let (mut day, last) = (number(first)?, number(last)?);
        let mut days = [false; 7];
        days[day] = true;
        while day != last {
            day = (day + 1) % DAYS.len();
            days[day] = true;
        }
        let (from, to) = hours.trim_start().split_once('-')?;
        let (from, to) = (minutes(from)?, minutes(to)?);
        (from < DAY && from != to).then_some(Self { days, from, to })
    }
}

/// `07:30` in minutes from midnight.
fn minutes(text: &str) -> Option<u16> {
    let (hours, minutes) = text.split_once(':')?;
    let number = |text: &str, most: u16| {
        let digits = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse().ok().filter(|number: &u16| digits && *number <= most)
    };
    let time = number(hours, 24)? * 60 + number(minutes, 59)?;
    (time <= DAY).then_some(time)
}

impl FromStr for WarmHours {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let read = |part: &str| {
            let part = part.trim();
            let form = "are like `Mon-Fri 07:00-19:00`, in UTC, several with commas between";
            Hours::read(part).ok_or_else(|| Invalid::new("warm_hours", format!("{form}, not {part:?}")))
        };
        text.split(',').map(read).collect::<Result<_, _>>().map(Self)
    }
}

impl TryFrom<String> for WarmHours {
    type Error = Invalid;

    fn try_from(text: String) -> Result<Self, Invalid> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use time::format_description::well_known::Rfc3339;

    use super::*;
    use crate::{model::Pools, settings::Environment};

    fn at(time: &str) -> OffsetDateTime {
        OffsetDateTime::parse(time, &Rfc3339).unwrap()
    }

    fn hours(text: &str) -> WarmHours {
        text.parse().unwrap()
    }

    #[test]
    fn hours_are_of_their_days_and_in_utc() {
        let working = hours("Mon-Fri 07:00-19:00, Sat 08:30-12:00");
        assert!(working.include(at("2026-11-27T07:00:00Z")), "a Friday");
        assert!(!working.include(at("2026-11-27T19:00:00Z")));
        assert!(working.include(at("2026-11-27T20:59:00+02:00")));
        assert!(working.include(at("2026-11-28T11:59:00Z")), "a Saturday");
        assert!(!working.include(at("2026-11-29T11:59:00Z")), "a Sunday");
        assert!(hours("00:00-24:00").include(at("2026-11-29T23:59:00Z")));
        assert!(WarmHours::default().include(at("2026-11-29T23:59:00Z")));
    }

    #[test]
    fn hours_and_days_may_reach_into_the_next() {
        let night = hours("Fri-Sun 22:00-06:00");
        assert!(night.include(at("2026-11-27T22:00:00Z")), "Friday night");
        assert!(night.include(at("2026-11-30T05:59:00Z")), "what is left of Sunday's");
        assert!(!night.include(at("2026-11-27T05:59:00Z")), "Thursday has none");
        assert!(hours("sun-mon 00:00-01:00").include(at("2026-11-30T00:30:00Z")));
        assert!(!hours("sun-mon 00:00-01:00").include(at("2026-12-01T00:30:00Z")));
    }

    #[test]
    fn odd_hours_are_told_how_they_are_written() {
        for odd in [
            "",
            "Mon",
            "Mon-Fri",
            "Mo 07:00-19:00",
            "7:00-19:00",
            "07:00-24:01",
            "24:00-01:00",
            "07:00-07:00",
            "07:60-08:00",
        ] {
            let error = odd.parse::<WarmHours>().unwrap_err().to_string();
            assert!(error.contains("Mon-Fri 07:00-19:00") && error.contains(&format!("{odd:?}")), "{error}");
        }
    }

    fn pool(keys: &str) -> Result<Pool, String> {
        let (_, default) = crate::pools::load(&mut Environment::of::<String, String>([]));
        let pools = Pools::parse(&format!("[[pool]]\nname = \"a\"\n{keys}"), default.now().iter().next().unwrap());
        pools.map(|pools| pools.iter().next().unwrap().clone()).map_err(|error| error.to_string())
    }

    #[test]
    fn so_many_are_wanted_in_each_scope_and_at_its_hours() {
        let pool = pool("warm = 2\nwarm_scopes = [\"octo\", \"o/r\"]\nwarm_hours = \"Mon 07:00-19:00\"").unwrap();
        let wanted = |scope: &str, time| pool.warm.wanted(&scope.parse().unwrap(), at(time));
        assert_eq!(wanted("octo", "2026-11-30T07:00:00Z"), 2);
        assert_eq!(wanted("o/r", "2026-11-30T07:00:00Z"), 2);
        assert_eq!(wanted("octo", "2026-12-01T07:00:00Z"), 0);
        assert_eq!(wanted("octo/r", "2026-11-30T07:00:00Z"), 0);
    }

    #[test]
    fn what_does_not_make_sense_is_told_by_its_key() {
        for (keys, says) in [
            ("warm_scopes = [\"o\"]", "line 1: pool \"a\": warm_scopes is set, but warm is not"),
            ("warm_hours = \"07:00-19:00\"", "warm_hours is set, but warm is not"),
            ("warm = 1", "warm_scopes is empty"),
            ("warm = 1\nwarm_scopes = [\"o\", \"p\", \"o\"]", "warm_scopes has o twice"),
            ("warm = 1\nwarm_scopes = [\"o\"]\nscope = \"repository\"", "no runner of the pool registers there"),
            ("warm = 1\nwarm_scopes = [\"o/r\"]\nscopes = [\"o/s\"]", "o/r, which is not among the pool's scopes"),
            ("warm = 1\nwarm_scopes = [\"o\"]\nscopes = [\"p\"]", "o, which is not among the pool's scopes"),
            ("warm = 3\nwarm_scopes = [\"o\", \"p\"]", "warm wants 6 runners in all of warm_scopes; max_runners is 5"),
            ("warm = 3\nwarm_scopes = [\"o\"]\nmax_per_scope = 2", "max_per_scope is 2"),
            ("warm = 1\nwarm_scopes = [\"o/../r\"]", "line 4"),
            ("warm = 1\nwarm_hours = \"always\"", "line 4"),
        ] {
            let error = pool(keys).unwrap_err();
            assert!(error.contains(says), "{keys:?} gave {error:?}");
        }
        assert!(pool("warm = 1\nwarm_scopes = [\"o\"]\nscopes = [\"O/r\"]\nscope = \"organization\"").is_ok());
    }
}
