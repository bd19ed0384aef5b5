//! What a variable's value may be; for `#[serde(deserialize_with)]`. Each error says what would be right.

use std::{fmt::Display, str::FromStr, time::Duration};

use serde::{Deserialize, Deserializer, de::Error as _};

/// Reads a value by its `FromStr`; for `#[serde(deserialize_with)]`.
///
/// # Errors
///
/// What `FromStr` says.
pub fn parsed<'de, D: Deserializer<'de>, T: FromStr<Err: Display>>(deserializer: D) -> Result<T, D::Error> {
    String::deserialize(deserializer)?.trim().parse().map_err(D::Error::custom)
}

/// The same for a setting without a default.
///
/// # Errors
///
/// What `FromStr` says.
pub fn parsed_some<'de, D: Deserializer<'de>, T: FromStr<Err: Display>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    parsed(deserializer).map(Some)
}

/// Reads values separated by commas.
///
/// # Errors
///
/// What `FromStr` says of the first that it refuses.
pub fn list<'de, D: Deserializer<'de>, T: FromStr<Err: Display>>(deserializer: D) -> Result<Vec<T>, D::Error> {
    let text = String::deserialize(deserializer)?;
    text.split(',').map(|item| item.trim().parse().map_err(D::Error::custom)).collect()
}

/// The same as [`number`] for a setting without a default.
///
/// # Errors
///
/// When it is something else.
pub fn number_some<'de, D, const LEAST: u32, const MOST: u32>(deserializer: D) -> Result<Option<u32>, D::Error>
where
    D: Deserializer<'de>,
{
    number::<D, LEAST, MOST>(deserializer).map(Some)
}

/// Reads a whole number from `LEAST` to `MOST`.
///
/// # Errors
///
/// When it is something else.
pub fn number<'de, D, const LEAST: u32, const MOST: u32>(deserializer: D) -> Result<u32, D::Error>
where
    D: Deserializer<'de>,
{
    let text = String::deserialize(deserializer)?;
    let number = text.trim().parse().ok().filter(|number| (LEAST..=MOST).contains(number));
    number.ok_or_else(|| D::Error::custom(format!("is a whole number from {LEAST} to {MOST}, not {text:?}")))
}

/// Reads a whole number of seconds from `LEAST` to `MOST`.
///
/// # Errors
///
/// When it is something else.
pub fn seconds<'de, D, const LEAST: u32, const MOST: u32>(deserializer: D) -> Result<Duration, D::Error>
where
    D: Deserializer<'de>,
{
    number::<D, LEAST, MOST>(deserializer).map(|seconds| Duration::from_secs(seconds.into()))
}

/// Reads a whole number of days from `LEAST` to `MOST`.
///
/// # Errors
///
/// When it is something else.
pub fn days<'de, D, const LEAST: u32, const MOST: u32>(deserializer: D) -> Result<Duration, D::Error>
where
    D: Deserializer<'de>,
{
    number::<D, LEAST, MOST>(deserializer).map(|days| Duration::from_hours(u64::from(days) * 24))
}

/// Reads `true`, `yes`, `on`, `1` or their opposites, in any case.
///
/// # Errors
///
/// When it is something else.
pub fn switch<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    let text = String::deserialize(deserializer)?;
    match text.trim().to_ascii_lowercase().as_str() {
        "true" | "yes" | "on" | "1" => Ok(true),
        "false" | "no" | "off" | "0" => Ok(false),
        _ => Err(D::Error::custom(format!("is true or false, not {text:?}"))),
    }
}
