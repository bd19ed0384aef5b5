//! Whether GitHub refused a call because there were too many, and for how long it wants none.

use std::time::Duration;

use reqwest::{
    StatusCode,
    header::{DATE, HeaderMap, RETRY_AFTER},
};
use time::{OffsetDateTime, format_description::well_known::Rfc2822};

use crate::model::Bucket;

/// The wait when GitHub does not say how long: its documentation asks for a minute at least.
const UNTOLD_WAIT: Duration = Duration::from_mins(1);
/// The shortest wait, so that nobody insists.
const SHORTEST_WAIT: Duration = Duration::from_secs(1);
/// The longest wait: a primary limit is full again after an hour, and clocks differ a little.
const LONGEST_WAIT: Duration = Duration::from_mins(65);
/// Added to the time of a reset, which is given in whole seconds.
const RESET_MARGIN: Duration = Duration::from_secs(1);

/// How long to make no calls, if this answer says that a limit is reached; `None` when it says something else.
///
/// `local` is the time here, for answers without a `Date`: the end of a limit is given by GitHub's clock.
pub(super) fn wait(status: StatusCode, headers: &HeaderMap, message: &str, local: OffsetDateTime) -> Option<Duration> {
    let now = date(headers).unwrap_or(local);
    let told = retry_after(headers, now);
    let spent = number(headers, "x-ratelimit-remaining") == Some(0);
    let limited = match status {
        StatusCode::TOO_MANY_REQUESTS => true,
        StatusCode::FORBIDDEN => told.is_some() || spent || names_a_limit(message),
        _ => false,
    };
    if !limited {
        return None;
    }
    let reset = || number(headers, "x-ratelimit-reset").filter(|_| spent).and_then(|reset| until_reset(reset, now));
    Some(told.or_else(reset).unwrap_or(UNTOLD_WAIT).clamp(SHORTEST_WAIT, LONGEST_WAIT))
}

/// How long an answer says that no calls are to be made, if it does.
pub(super) fn told(headers: &HeaderMap, local: OffsetDateTime) -> Option<Duration> {
    let told = retry_after(headers, date(headers).unwrap_or(local))?;
    Some(told.clamp(SHORTEST_WAIT, LONGEST_WAIT))
}

/// The caller's bucket that a call was counted in, if all is said of it.
///
/// A call whose token is refused is counted as one of nobody's, of whom GitHub takes 60 an hour: taken for the caller's, what
/// is left of those would stop it for an hour.
pub(super) fn bucket(status: StatusCode, headers: &HeaderMap, local: OffsetDateTime) -> Option<Bucket> {
    if status == StatusCode::UNAUTHORIZED {
        return None;
    }
    let now = date(headers).unwrap_or(local);
    let resource = headers.get("x-ratelimit-resource").and_then(|value| value.to_str().ok()).unwrap_or("core");
    Some(Bucket {
        resource: resource.to_owned(),
        limit: number(headers, "x-ratelimit-limit")?,
        remaining: number(headers, "x-ratelimit-remaining")?,
        reset: until_reset(number(headers, "x-ratelimit-reset")?, now)?.min(LONGEST_WAIT),
    })
}

/// The time of an answer, by GitHub's clock.
pub(super) fn date(headers: &HeaderMap) -> Option<OffsetDateTime> {
    moment(headers.get(DATE)?.to_str().ok()?)
}

/// Reads `Retry-After`: seconds, or a time.
fn retry_after(headers: &HeaderMap, now: OffsetDateTime) -> Option<Duration> {
    let value = headers.get(RETRY_AFTER)?.to_str().ok()?;
    match value.trim().parse() {
        Ok(seconds) => Some(Duration::from_secs(seconds)),
        Err(_) => Some(from_now(moment(value)?, now)),
    }
}

fn until_reset(reset: u64, now: OffsetDateTime) -> Option<Duration> {
    let reset = OffsetDateTime::from_unix_timestamp(i64::try_from(reset).ok()?).ok()?;
    Some(from_now(reset, now) + RESET_MARGIN)
}

fn from_now(then: OffsetDateTime, now: OffsetDateTime) -> Duration {
    Duration::try_from(then - now).unwrap_or_default() // in the past: no wait
}

/// A time as HTTP writes it.
fn moment(text: &str) -> Option<OffsetDateTime> {
    OffsetDateTime::parse(text.trim(), &Rfc2822).ok()
}

fn number(headers: &HeaderMap, name: &str) -> Option<u64> {
    headers.get(name)?.to_str().ok()?.trim().parse().ok()
}

/// Secondary limits are often told by words only.
fn names_a_limit(message: &str) -> bool {
    let message = message.to_ascii_lowercase();
    message.contains("rate limit") || message.contains("abuse detection")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-01-02 03:04:05 UTC, in seconds since 1970.
    const NOW: i64 = 1_767_323_045;

    fn waits(status: u16, headers: &[(&'static str, &str)], message: &str) -> Option<u64> {
        let headers = headers.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect();
        let now = OffsetDateTime::from_unix_timestamp(NOW).unwrap();
        wait(StatusCode::from_u16(status).unwrap(), &headers, message, now).map(|wait| wait.as_secs())
    }

    #[test]
    fn retry_after_is_obeyed_before_everything_else() {
        let reset = (NOW + 600).to_string();
        let both = [("retry-after", "17"), ("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", &reset)];
        for status in [403, 429] {
            assert_eq!(waits(status, &both, ""), Some(17));
            assert_eq!(waits(status, &[("retry-after", "Fri, 02 Jan 2026 03:04:25 GMT")], ""), Some(20));
        }
    }

    #[test]
    fn a_spent_limit_is_waited_for_until_its_reset() {
        let reset = (NOW + 600).to_string();
        let spent = [("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", &*reset)];
        assert_eq!(waits(403, &spent, "API rate limit exceeded"), Some(601));
        assert_eq!(waits(429, &spent, ""), Some(601));
    }

    #[test]
    fn the_reset_is_measured_by_githubs_clock() {
        let reset = (NOW + 600).to_string();
        let late = [
            ("date", "Fri, 02 Jan 2026 03:13:05 GMT"), // this machine's clock is 9 minutes behind
            ("x-ratelimit-remaining", "0"),
            ("x-ratelimit-reset", &*reset),
        ];
        assert_eq!(waits(403, &late, ""), Some(61));
    }

    #[test]
    fn a_limit_without_a_time_is_waited_for_a_minute() {
        assert_eq!(waits(429, &[], ""), Some(60));
        assert_eq!(waits(403, &[], "You have exceeded a secondary rate limit. Please wait a few minutes"), Some(60));
        assert_eq!(waits(403, &[], "You have triggered an abuse detection mechanism"), Some(60));
        // The reset belongs to the primary limit, which is not the one that was reached.
        let reset = (NOW + 600).to_string();
        let primary = [("x-ratelimit-remaining", "4999"), ("x-ratelimit-reset", &*reset)];
        assert_eq!(waits(403, &primary, "secondary rate limit"), Some(60));
        assert_eq!(waits(429, &[("retry-after", "soon")], ""), Some(60));
    }

    #[test]
    fn a_wait_is_neither_nothing_nor_without_end() {
        assert_eq!(waits(429, &[("retry-after", "0")], ""), Some(1));
        assert_eq!(waits(429, &[("retry-after", "999999999999")], ""), Some(65 * 60));
        let past = [("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "1")];
        assert_eq!(waits(429, &past, ""), Some(1));
        let never = [("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "18446744073709551615")];
        assert_eq!(waits(429, &never, ""), Some(60));
    }

    #[test]
    fn the_bucket_of_a_call_is_read_from_any_answer_to_a_good_token() {
        let reset = (NOW + 600).to_string();
        let told = [
            ("x-ratelimit-limit", "5000"),
            ("x-ratelimit-remaining", "4990"),
            ("x-ratelimit-reset", &*reset),
            ("x-ratelimit-resource", "actions_runner_registration"),
        ];
        let answered = |status: StatusCode, headers: &[(&'static str, &str)]| {
            let headers = headers.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect();
            bucket(status, &headers, OffsetDateTime::from_unix_timestamp(NOW).unwrap())
        };
        let read = |headers: &[(&'static str, &str)]| answered(StatusCode::OK, headers);
        let resource = "actions_runner_registration".to_owned();
        let reset = Duration::from_secs(601);
        assert_eq!(read(&told), Some(Bucket { resource, limit: 5000, remaining: 4990, reset }));
        assert_eq!(answered(StatusCode::FORBIDDEN, &told), read(&told));
        assert_eq!(answered(StatusCode::UNAUTHORIZED, &told), None, "it is nobody's");
        assert_eq!(read(&told[..3]).unwrap().resource, "core");
        assert_eq!(read(&told[..2]), None);
        assert_eq!(read(&[]), None, "a server without limits");
    }

    #[test]
    fn other_refusals_are_no_limit() {
        let many = [("x-ratelimit-remaining", "4999"), ("x-ratelimit-reset", "1")];
        assert_eq!(waits(403, &many, "Resource not accessible by personal access token"), None);
        assert_eq!(waits(404, &[("x-ratelimit-remaining", "0")], "rate limit"), None);
        assert_eq!(waits(503, &[("retry-after", "5")], ""), None);
    }
}
