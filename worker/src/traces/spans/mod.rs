//! The spans of a job, made of its record. Pure.
//!
//! ```text
//! delivery                            from its head until the job is stored
//! └─ job                              until it has ended; what else happened is an event of it
//!    ├─ reserve                       waits for a worker and a slot, or for its next attempt
//!    └─ attempt
//!       ├─ register, create, start    at GitHub, and the container
//!       ├─ listen, assign             the runner boots, and waits for a job
//!       ├─ run                        until the container has ended
//!       └─ finish                     until it is removed and the job settled
//! ```
//!
//! A span's id follows from what it is: told of twice, it is one.

mod data;

use std::time::Duration;

use shared::{
    model::{JobMessage, JobTrace},
    queue::{Event, JobRecord},
};
use time::OffsetDateTime;

/// What a span stands for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Kind {
    Server,
    Consumer,
    Internal,
}

/// A part of a trace.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Span {
    pub(super) trace: u128,
    pub(super) id: u64,
    /// Nothing, if it has none.
    pub(super) parent: u64,
    pub(super) kind: Kind,
    pub(super) name: &'static str,
    pub(super) start: OffsetDateTime,
    pub(super) end: OffsetDateTime,
    pub(super) attributes: Vec<(&'static str, String)>,
    pub(super) events: Vec<Event>,
    pub(super) error: Option<String>,
}

/// What a job's record begins again with.
const BEGINS: [&str; 3] = ["delivered", "reopened", "replayed"];

/// What ends it.
const ENDS: [&str; 4] = ["done", "dead", "cancelled", "dropped"];

/// What ends an attempt, after which another follows.
const RETRIES: [&str; 3] = ["retrying", "waiting", "rate_limited"];

/// What is reached by which stage of an attempt.
const STAGES: [(&str, &str); 5] = [
    ("registered", "register"),
    ("created", "create"),
    ("started", "start"),
    ("listening", "listen"),
    ("running", "assign"),
];

/// The spans of a job from when it was delivered, reopened or replayed last until it ended; none if it has not.
pub(super) fn of(trace: &JobTrace, message: &JobMessage, record: &JobRecord) -> Vec<Span> {
    let life = last_life(&record.events);
    let ([first, ..], [.., last]) = (life, life) else { return Vec::new() };
    let mut spans = Spans::new(trace);
    if first.what == "delivered" {
        spans.delivery(trace, message, first.at);
    }
    let job = spans.job(message, record, (first, last));
    spans.attempts(job, life);
    spans.all
}

/// What happened to a job since it came, or came again, until it ended.
fn last_life(events: &[Event]) -> &[Event] {
    let ends = |event: &Event| ENDS.contains(&event.what.as_str());
    let begins = |event: &Event| BEGINS.contains(&event.what.as_str());
    let last = events.iter().rposition(ends).unwrap_or(events.len().saturating_sub(1));
    let before = events.iter().take(last).rposition(ends).map_or(0, |end| end + 1);
    let first = (before..last).find(|at| begins(&events[*at])).unwrap_or(before);
    events.get(first..=last).unwrap_or_default()
}

struct Spans {
    trace: u128,
    /// The delivery's.
    root: u64,
    all: Vec<Span>,
}

/// An attempt that is under way.
struct Attempt {
    id: u64,
    start: OffsetDateTime,
    /// When its last stage was reached.
    since: OffsetDateTime,
    reached: Vec<String>,
    attributes: Vec<(&'static str, String)>,
}

impl Spans {
    fn new(trace: &JobTrace) -> Self {
        let hex = |digits: &str| u128::from_str_radix(digits, 16).unwrap_or_default();
        let root = hex(trace.traceparent.span_id());
        let root = u64::try_from(root).unwrap_or_default();
        Self { trace: hex(trace.traceparent.trace_id()), root, all: Vec::new() }
    }

    fn add(&mut self, name: &'static str, parent: u64, start: OffsetDateTime, end: OffsetDateTime) -> &mut Span {
        let span = Span {
            trace: self.trace,
            id: self.id(name, parent, start),
            parent,
            kind: Kind::Internal,
            name,
            start,
            end,
            attributes: Vec::new(),
            events: Vec::new(),
            error: None,
        };
        self.all.push(span);
        let last = self.all.len() - 1;
        &mut self.all[last]
    }

    /// By FNV-1a, which is the same in every version.
    fn id(&self, name: &str, parent: u64, start: OffsetDateTime) -> u64 {
        let words = [&self.trace.to_be_bytes()[..], &parent.to_be_bytes(), name.as_bytes()];
        let at = start.unix_timestamp_nanos().to_be_bytes();
        let bytes = words.into_iter().flatten().chain(&at);
        let hash = bytes
            .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3));
        hash.max(1)
    }

    fn delivery(&mut self, trace: &JobTrace, message: &JobMessage, stored: OffsetDateTime) {
        let (root, start) = (self.root, stored - Duration::from_millis(trace.ms));
        let parent = trace.parent.as_ref().and_then(|parent| u64::from_str_radix(parent.span_id(), 16).ok());
        let span = self.add("delivery", parent.unwrap_or_default(), start, stored);
        span.id = root;
        span.kind = Kind::Server;
        span.attributes = vec![("delivery.id", message.delivery.to_string()), ("job.id", message.job_id.to_string())];
    }

    fn job(&mut self, message: &JobMessage, record: &JobRecord, (first, last): (&Event, &Event)) -> u64 {
        let root = self.root;
        let mut attributes = vec![
            ("job.id", message.job_id.to_string()),
            ("job.name", message.name.clone()),
            ("job.state", record.state.to_string()),
            ("job.attempts", record.attempts.to_string()),
            ("job.replays", record.replays.to_string()),
            ("run.id", message.run_id.to_string()),
            ("pool", message.pool.to_string()),
            ("scope", message.scope.to_string()),
        ];
        let known = [
            ("repository", message.repository.as_ref().map(ToString::to_string)),
            ("workflow", message.workflow.clone()),
            ("url", message.html_url.clone()),
            ("runner.name", record.runner.as_ref().map(ToString::to_string)),
            ("worker.name", record.worker.as_ref().map(ToString::to_string)),
        ];
        attributes.extend(known.into_iter().filter_map(|(name, value)| Some((name, value?))));
        let span = self.add("job", root, first.at, last.at);
        span.kind = Kind::Consumer;
        span.attributes = attributes;
        span.attributes.push(("result", last.detail.clone()));
        span.error = (last.what == "dead").then(|| last.detail.clone());
        span.id
    }

    fn attempts(&mut self, job: u64, life: &[Event]) {
        let [first, rest @ ..] = life else { return };
        let (mut waits, mut attempt, mut aside) = (Some(first.at), None::<Attempt>, Vec::new());
        let mut before = first.at;
        for event in rest {
            let what = event.what.as_str();
            let stage = STAGES.iter().find(|(reached, _)| *reached == what).map(|(_, name)| *name);
            if what == "reserved" {
                // Its worker fell silent, and did not end it.
                self.end(job, attempt.take(), before, None);
                let start = waits.take().unwrap_or(before);
                self.add("reserve", job, start, event.at);
                attempt = Some(self.begin(job, event));
            } else if let (Some(name), Some(attempt)) = (stage, &mut attempt) {
                self.reach(attempt, name, event);
            } else if let ("exited", Some(attempt)) = (what, &mut attempt) {
                let ran = attempt.reached.iter().any(|reached| reached == "running");
                self.reach(attempt, if ran { "run" } else { "idle" }, event);
            } else if RETRIES.contains(&what) {
                self.end(job, attempt.take(), event.at, Some(event.detail.clone()));
                waits = Some(event.at);
            } else if ENDS.contains(&what) {
                let error = (what == "dead").then(|| event.detail.clone());
                self.end(job, attempt.take(), event.at, error);
            } else {
                aside.push(event.clone());
            }
            before = event.at;
        }
        self.end(job, attempt, before, None);
        if let Some(span) = self.all.iter_mut().find(|span| span.id == job) {
            span.events = aside;
        }
    }

    fn begin(&self, job: u64, reserved: &Event) -> Attempt {
        let worker = reserved.detail.trim_start_matches("by worker ").to_owned();
        Attempt {
            id: self.id("attempt", job, reserved.at),
            start: reserved.at,
            since: reserved.at,
            reached: Vec::new(),
            attributes: vec![("worker.name", worker)],
        }
    }

    /// A stage is reached. One that the attempt had reached before is told of again by a worker that adopted the runner.
    fn reach(&mut self, attempt: &mut Attempt, name: &'static str, event: &Event) {
        if attempt.reached.contains(&event.what) {
            return;
        }
        self.add(name, attempt.id, attempt.since, event.at).attributes = vec![("detail", event.detail.clone())];
        attempt.since = event.at;
        attempt.reached.push(event.what.clone());
    }

    fn end(&mut self, job: u64, attempt: Option<Attempt>, at: OffsetDateTime, error: Option<String>) {
        let Some(attempt) = attempt else { return };
        if attempt.reached.iter().any(|reached| reached == "exited") {
            self.add("finish", attempt.id, attempt.since, at);
        }
        let span = self.add("attempt", job, attempt.start, at);
        span.attributes = attempt.attributes;
        span.error = error;
    }
}

#[cfg(test)]
mod tests;
