//! Faults on demand.

use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// What goes wrong, how often, and with which calls.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Fault {
    /// `GET`, `POST`, …; every method without.
    #[serde(default)]
    pub method: Option<String>,
    /// The calls' path, below the base of the API: `/orgs/octo/actions/runners`. `*` stands for any text.
    pub path: String,
    /// How many calls it befalls.
    #[serde(default = "once")]
    pub times: u32,
    /// What it does.
    pub effect: Effect,
}

fn once() -> u32 {
    1
}

/// What a fault does to a call.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// The call is not carried out; this is the answer.
    Answer {
        /// The status.
        status: u16,
        /// The body.
        #[serde(default)]
        body: Value,
        /// Headers besides those that every answer has, in place of those of the same name.
        #[serde(default)]
        headers: BTreeMap<String, String>,
    },
    /// The call is carried out after this many milliseconds.
    Delay(u64),
    /// The call is carried out at once, and answered after this many milliseconds.
    Late(u64),
    /// The call is carried out, and the connection closed without an answer.
    Lost,
    /// The call is not carried out and never answered.
    Hang,
}

impl Fault {
    /// A fault that befalls the next call of this method and path.
    pub fn once(method: &str, path: impl Into<String>, effect: Effect) -> Self {
        Self { method: Some(method.to_owned()), path: path.into(), times: 1, effect }
    }

    /// The same, for so many calls.
    #[must_use]
    pub fn times(mut self, times: u32) -> Self {
        self.times = times;
        self
    }

    fn fits(&self, method: &str, path: &str) -> bool {
        self.method.as_ref().is_none_or(|fault| fault.eq_ignore_ascii_case(method)) && matches(&self.path, path)
    }
}

impl Effect {
    /// GitHub's error of this status in these words.
    #[must_use]
    pub fn status(status: u16, message: &str) -> Self {
        Self::answer(status, message, [])
    }

    /// GitHub is out of order.
    #[must_use]
    pub fn server_error() -> Self {
        Self::status(500, "Server Error")
    }

    /// The secondary limit is reached: 403, with a `retry-after` if one is given.
    #[must_use]
    pub fn secondary_limit(retry_after: Option<Duration>) -> Self {
        let message = "You have exceeded a secondary rate limit. Please wait a few minutes before you try again.";
        let retry = retry_after.map(|after| ("retry-after", after.as_secs().to_string()));
        Self::answer(403, message, retry)
    }

    /// Too many requests: 429, with a `retry-after`.
    #[must_use]
    pub fn too_many_requests(retry_after: Duration) -> Self {
        Self::answer(429, "Too many requests", [("retry-after", retry_after.as_secs().to_string())])
    }

    /// The primary limit is reached: 403, until `reset` in seconds since 1970.
    #[must_use]
    pub fn primary_limit(reset: i64) -> Self {
        let headers = [("x-ratelimit-remaining", "0".to_owned()), ("x-ratelimit-reset", reset.to_string())];
        Self::answer(403, "API rate limit exceeded for user ID 1.", headers)
    }

    /// The call is carried out after this long.
    #[must_use]
    pub fn delay(delay: Duration) -> Self {
        Self::Delay(u64::try_from(delay.as_millis()).unwrap_or(u64::MAX))
    }

    fn answer<'a>(status: u16, message: &str, headers: impl IntoIterator<Item = (&'a str, String)>) -> Self {
        let headers = headers.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        let body = json!({ "message": message, "documentation_url": super::http::DOCUMENTATION, "status": status.to_string() });
        Self::Answer { status, body, headers }
    }
}

/// The faults that are still to come. Of several that fit a call, the first that was asked for befalls it.
#[derive(Debug, Default)]
pub(crate) struct Faults(VecDeque<Fault>);

impl Faults {
    pub(crate) fn add(&mut self, fault: Fault) {
        self.0.push_back(fault);
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    /// How many calls will still be befallen.
    pub(crate) fn left(&self) -> u32 {
        self.0.iter().map(|fault| fault.times).sum()
    }

    /// What befalls this call, if anything does.
    pub(crate) fn take(&mut self, method: &str, path: &str) -> Option<Effect> {
        self.0.retain(|fault| fault.times > 0);
        let fault = self.0.iter_mut().find(|fault| fault.fits(method, path))?;
        fault.times -= 1;
        Some(fault.effect.clone())
    }
}

/// Whether `text` is `pattern`, in which `*` stands for any text.
fn matches(pattern: &str, text: &str) -> bool {
    let Some((before, after)) = pattern.split_once('*') else { return pattern == text };
    let Some(rest) = text.strip_prefix(before) else { return false };
    (0..=rest.len()).filter(|&at| rest.is_char_boundary(at)).any(|at| matches(after, &rest[at..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_text() {
        assert!(matches("*", "/a") && matches("/a/*/c", "/a/b/c") && matches("*/c", "/a/c") && matches("/a*", "/a"));
        assert!(!matches("/a", "/a/b") && !matches("/a/*/c", "/a/c") && !matches("/a/*", "/b/"));
    }

    #[test]
    fn a_fault_befalls_as_many_calls_as_were_asked_for_in_order() {
        let mut faults = Faults::default();
        faults.add(Fault::once("post", "/orgs/*", Effect::Lost).times(2));
        faults.add(Fault::once("POST", "/orgs/*", Effect::Hang));
        assert_eq!(faults.left(), 3);
        assert!(faults.take("GET", "/orgs/o").is_none());
        assert!(faults.take("POST", "/repos/o").is_none());
        assert!(matches!(faults.take("POST", "/orgs/o"), Some(Effect::Lost)));
        assert!(matches!(faults.take("POST", "/orgs/o"), Some(Effect::Lost)));
        assert!(matches!(faults.take("POST", "/orgs/o"), Some(Effect::Hang)));
        assert!(faults.take("POST", "/orgs/o").is_none());
    }
}
