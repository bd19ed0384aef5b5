//! The trace of a job: what ties together all that is said of it, from its delivery to its result.

use std::{str::FromStr, time::Duration};

use serde::{Deserialize, Deserializer, Serialize};

use super::{Invalid, text_type};

/// The flag of a trace that is to be kept.
const SAMPLED: u8 = 1;

/// How many characters a `traceparent` of version 00 has.
const CHARS: usize = 55;

/// Which span of which trace something belongs to, as W3C's `traceparent` says it: `00-TRACE-SPAN-FLAGS`.
#[derive(Clone, Debug, Eq, PartialEq, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct Traceparent(String);

impl FromStr for Traceparent {
    type Err = Invalid;

    /// Of a later version, only what this one knows is taken.
    fn from_str(text: &str) -> Result<Self, Invalid> {
        let parts: Vec<&str> = text.get(..CHARS).unwrap_or_default().split('-').collect();
        let lengths = parts.iter().map(|part| part.len()).collect::<Vec<_>>() == [2, 32, 16, 2];
        let hex = |part: &&str| part.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
        let something = |part: &str| part.bytes().any(|byte| byte != b'0');
        let rest = text.get(CHARS..).unwrap_or_default();
        let whole = rest.is_empty() || (rest.starts_with('-') && parts[0] != "00");
        if !lengths
            || !parts.iter().all(hex)
            || parts[0] == "ff"
            || !whole
            || !parts[1..3].iter().all(|it| something(it))
        {
            return Err(Invalid::new("a traceparent", "is 00-, 32 digits, -, 16 digits, -, 2 digits"));
        }
        Ok(Self(format!("00-{}", &text[3..CHARS])))
    }
}

text_type!(Traceparent);

impl Traceparent {
    /// A new trace, which is to be kept.
    #[must_use]
    pub fn random() -> Self {
        Self::of(&format!("{:032x}", fastrand::u128(1..)), SAMPLED)
    }

    fn of(trace: &str, flags: u8) -> Self {
        Self(format!("00-{trace}-{:016x}-{flags:02x}", fastrand::u64(1..)))
    }

    /// The trace's id: 32 hexadecimal digits.
    #[must_use]
    pub fn trace_id(&self) -> &str {
        &self.0[3..35]
    }

    /// The span's id: 16 hexadecimal digits.
    #[must_use]
    pub fn span_id(&self) -> &str {
        &self.0[36..52]
    }

    /// Whether the trace is to be kept, as whoever began it has decided.
    #[must_use]
    pub fn is_sampled(&self) -> bool {
        u8::from_str_radix(&self.0[53..], 16).is_ok_and(|flags| flags & SAMPLED != 0)
    }

    /// Another span of the same trace.
    fn another(&self) -> Self {
        Self::of(self.trace_id(), u8::from(self.is_sampled()))
    }
}

/// Where a job's trace begins: with the delivery that brought it. Replays keep it.
#[derive(Clone, Debug, Eq, PartialEq, Deserialize, Serialize)]
pub struct JobTrace {
    /// The delivery's span.
    pub traceparent: Traceparent,
    /// The span that it belongs to, if what passed the delivery on told of one.
    #[serde(default)]
    pub parent: Option<Traceparent>,
    /// How long it had taken, in milliseconds, when the job was about to be stored.
    #[serde(default)]
    pub ms: u64,
}

impl JobTrace {
    /// Of a delivery that took so long, within the trace that is told of or else a new one.
    #[must_use]
    pub fn begin(parent: Option<Traceparent>, took: Duration) -> Self {
        let traceparent = parent.as_ref().map_or_else(Traceparent::random, Traceparent::another);
        Self { traceparent, parent, ms: u64::try_from(took.as_millis()).unwrap_or(u64::MAX) }
    }
}

/// Reads a trace; one that cannot be read is none: a job is not lost for it.
pub(super) fn readable<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<JobTrace>, D::Error> {
    let value = serde_json::Value::deserialize(deserializer)?;
    Ok(serde_json::from_value(value).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXAMPLE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn a_traceparent_is_read_as_w3c_has_it() {
        let read: Traceparent = EXAMPLE.parse().unwrap();
        assert_eq!(read.to_string(), EXAMPLE);
        assert_eq!((read.trace_id(), read.span_id()), ("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"));
        assert!(read.is_sampled());
        let later = EXAMPLE.replacen("00", "cc", 1) + "-what-comes";
        assert_eq!(later.parse::<Traceparent>(), Ok(read.clone()));
        assert!(!EXAMPLE.replace("-01", "-02").parse::<Traceparent>().unwrap().is_sampled());
        for odd in [
            String::new(),
            EXAMPLE.to_uppercase(),
            EXAMPLE.replacen("00", "ff", 1),
            EXAMPLE.replace("4bf92f3577b34da6a3ce929d0e0e4736", &"0".repeat(32)),
            EXAMPLE.replace("00f067aa0ba902b7", &"0".repeat(16)),
            format!("{EXAMPLE}-00"),
            EXAMPLE[..54].to_owned(),
            format!("é{}", &EXAMPLE[2..]),
        ] {
            assert!(odd.parse::<Traceparent>().is_err(), "{odd}");
        }
    }

    #[test]
    fn a_delivery_has_a_span_of_its_own_in_the_trace_that_is_told_of() {
        let parent: Traceparent = EXAMPLE.parse().unwrap();
        let within = JobTrace::begin(Some(parent.clone()), Duration::from_millis(7));
        assert_eq!(within.traceparent.trace_id(), parent.trace_id());
        assert_ne!(within.traceparent.span_id(), parent.span_id());
        assert_eq!((within.parent, within.ms), (Some(parent), 7));
        let (one, other) = (JobTrace::begin(None, Duration::ZERO), JobTrace::begin(None, Duration::ZERO));
        assert_ne!(one.traceparent.trace_id(), other.traceparent.trace_id());
        assert!(one.traceparent.is_sampled() && one.traceparent.as_str().parse::<Traceparent>().is_ok());
    }
}
