//! Ages, as they are written on the command line and in the API.

use std::{str::FromStr, time::Duration};

use serde::Deserialize;

use super::Invalid;

/// How long ago something was: a number with `s`, `m`, `h` or `d` behind it, such as `12h`.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Deserialize)]
#[serde(try_from = "String")]
pub struct Age(Duration);

impl Age {
    /// As a duration.
    #[must_use]
    pub const fn duration(self) -> Duration {
        self.0
    }
}

impl FromStr for Age {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let wrong =
            || Invalid::new("an age", format!("is a number with s, m, h or d behind it, such as 12h, not {text:?}"));
        let (number, unit) = text.split_at_checked(text.len().saturating_sub(1)).ok_or_else(wrong)?;
        let seconds = match unit {
            "s" => 1,
            "m" => 60,
            "h" => 3600,
            "d" => 86_400,
            _ => return Err(wrong()),
        };
        let number: u32 = number.parse().map_err(|_| wrong())?;
        Ok(Self(Duration::from_secs(u64::from(number) * seconds)))
    }
}

impl TryFrom<String> for Age {
    type Error = Invalid;

    fn try_from(text: String) -> Result<Self, Invalid> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_age_is_read_with_its_unit() {
        let age = |text: &str| text.parse().map(Age::duration);
        assert_eq!(age("90s"), Ok(Duration::from_secs(90)));
        assert_eq!(age("2m"), Ok(Duration::from_mins(2)));
        assert_eq!(age("12h"), Ok(Duration::from_hours(12)));
        assert_eq!(age("3d"), Ok(Duration::from_hours(72)));
        for odd in ["", "s", "12", "-1s", "1.5h", "1 h", "3ä", "9999999999d"] {
            assert!(age(odd).is_err(), "{odd:?}");
        }
    }
}
