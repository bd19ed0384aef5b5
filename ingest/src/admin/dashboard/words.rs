//! Times and states, as people read them. Pure.

use std::time::Duration;

use shared::{
    model::JobState,
    queue::{Event, What},
};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

/// A duration in its two largest units, such as `1 min 5 s`.
pub(super) fn duration(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let two = |large: u64, name: &str, small: u64, others: &str| match small {
        0 => format!("{large} {name}"),
        small => format!("{large} {name} {small} {others}"),
    };
    match seconds {
        0 if duration.as_millis() == 0 => "0 s".to_owned(),
        0 => format!("{} ms", duration.as_millis()),
        1..10 => format!("{:.1} s", duration.as_secs_f64()).replace(".0 s", " s"),
        10..60 => format!("{seconds} s"),
        60..3600 => two(seconds / 60, "min", seconds % 60, "s"),
        3600..86_400 => two(seconds / 3600, "h", seconds % 3600 / 60, "min"),
        _ => two(seconds / 86_400, "d", seconds % 86_400 / 3600, "h"),
    }
}

/// The same of whole seconds.
pub(super) fn seconds(seconds: u64) -> String {
    duration(Duration::from_secs(seconds))
}

/// How long ago a moment is; nothing, if it is none.
pub(super) fn ago(at: Option<OffsetDateTime>, now: OffsetDateTime) -> String {
    let since = |at| Duration::try_from(now - at).unwrap_or_default().as_secs();
    at.map(|at| seconds(since(at))).unwrap_or_default()
}

/// A moment in UTC, to the second.
pub(super) fn moment(at: OffsetDateTime) -> String {
    at.truncate_to_second().format(&Rfc3339).unwrap_or_default().replace('T', " ").replace('Z', " UTC")
}

/// The time of the day of a moment in UTC, to the minute.
pub(super) fn time_of_day(at: OffsetDateTime) -> String {
    format!("{:02}:{:02}", at.hour(), at.minute())
}

/// A sign that stands before a state, so that it is told by more than its colour.
pub(super) fn sign(state: JobState) -> &'static str {
    match state {
        JobState::Pending => "◌",
        JobState::Delayed => "◷",
        JobState::Starting => "◔",
        JobState::Running => "▶",
        JobState::Orphaned => "◐",
        JobState::Dead => "✕",
        JobState::Done => "✓",
        JobState::Cancelled => "⊘",
        JobState::Unmatched => "∅",
    }
}

/// When a job began to wait, for whoever asks how long it has: when it came, or was replayed.
pub(super) fn waits_since(events: &[Event], came: Option<OffsetDateTime>) -> Option<OffsetDateTime> {
    events.iter().rfind(|event| event.what == What::Replayed.as_str()).map(|event| event.at).or(came)
}

/// A text that is no longer than so many characters.
pub(super) fn cut(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// A number of things.
pub(super) fn count(number: u64, one: &str, several: &str) -> String {
    if number == 1 { format!("1 {one}") } else { format!("{number} {several}") }
}

/// An address, if it is one that a browser may be led to.
pub(super) fn web_address(text: Option<&String>) -> Option<String> {
    text.filter(|text| text.starts_with("https://") || text.starts_with("http://")).cloned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_told_in_two_units() {
        for (milliseconds, told) in [
            (0, "0 s"),
            (250, "250 ms"),
            (1000, "1 s"),
            (1500, "1.5 s"),
            (59_999, "59 s"),
            (60_000, "1 min"),
            (65_000, "1 min 5 s"),
            (3_600_000, "1 h"),
            (3_720_000, "1 h 2 min"),
            (90_000_000, "1 d 1 h"),
        ] {
            assert_eq!(duration(Duration::from_millis(milliseconds)), told);
        }
    }

    #[test]
    fn a_browser_is_led_to_web_pages_only() {
        let address = |text: &str| web_address(Some(&text.to_owned()));
        assert!(address("https://github.com/o/r/actions/runs/1/job/2").is_some());
        for odd in ["javascript:alert(1)", " https://x", "data:text/html,x", "//x", ""] {
            assert_eq!(address(odd), None, "{odd}");
        }
    }

    #[test]
    fn a_text_is_cut_between_characters() {
        assert_eq!(cut("äöü", 3), "äöü");
        assert_eq!(cut("äöüß", 3), "äöü…");
    }
}
