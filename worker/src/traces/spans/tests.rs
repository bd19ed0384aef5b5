use serde_json::json;
use shared::model::JobState;

use super::*;

/// A job to which these things happened, one second after the other.
fn spans(events: &[&str]) -> Vec<Span> {
    let message: JobMessage = serde_json::from_value(json!({
        "job_id": 7, "run_id": 5, "run_attempt": 1, "name": "build", "scope": "octo/repo", "labels": ["linux"],
        "pool": "default", "delivery": "guid",
    }))
    .unwrap();
    let at = |second: usize| OffsetDateTime::UNIX_EPOCH + Duration::from_secs(u64::try_from(second).unwrap());
    let event = |(second, what): (usize, &&str)| {
        let (what, detail) = what.split_once(' ').unwrap_or((what, ""));
        Event { at: at(second), what: what.to_owned(), detail: detail.to_owned() }
    };
    let record = JobRecord {
        id: message.job_id,
        state: JobState::Done,
        reason: String::new(),
        pool: Some(message.pool.clone()),
        scope: None,
        repository: None,
        name: None,
        workflow: None,
        html_url: None,
        labels: message.labels.clone(),
        attempts: 0,
        replays: 0,
        error: None,
        first_error: None,
        runner: None,
        worker: None,
        enqueued_at: None,
        ended_at: None,
        events: events.iter().enumerate().map(event).collect(),
        post_mortem: None,
    };
    let parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".parse().unwrap();
    let mut trace = JobTrace::begin(Some(parent), Duration::from_millis(500));
    trace.traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00000000000000ab-01".parse().unwrap();
    of(&trace, &message, &record)
}

/// What each is called, within which it is, and from which second to which.
fn told(spans: &[Span]) -> Vec<String> {
    let name = |id| spans.iter().find(|span| span.id == id).map_or("-", |span| span.name);
    let line = |span: &Span| {
        let (start, end) = (span.start.unix_timestamp(), span.end.unix_timestamp());
        let error = span.error.as_ref().map(|error| format!(" {error}")).unwrap_or_default();
        format!("{} in {} {start}-{end}{error}", span.name, name(span.parent))
    };
    spans.iter().map(line).collect()
}

#[test]
fn the_usual_way_of_a_job() {
    let events = [
        "delivered",
        "reserved by worker a",
        "registered",
        "created",
        "started",
        "listening",
        "running",
        "exited",
        "removed",
        "done well",
    ];
    let spans = spans(&events);
    assert_eq!(
        told(&spans),
        [
            "delivery in - -1-0",
            "job in delivery 0-9",
            "reserve in job 0-1",
            "register in attempt 1-2",
            "create in attempt 2-3",
            "start in attempt 3-4",
            "listen in attempt 4-5",
            "assign in attempt 5-6",
            "run in attempt 6-7",
            "finish in attempt 7-9",
            "attempt in job 1-9",
        ]
    );
    assert_eq!((spans[0].id, spans[0].parent), (0xab, 0x00f0_67aa_0ba9_02b7), "within what passed it on");
    assert_eq!(spans[0].start, OffsetDateTime::UNIX_EPOCH - Duration::from_millis(500));
    assert_eq!(self::spans(&events), spans, "told of twice, they are the same");
}

#[test]
fn an_adopted_runner_has_run_since_it_first_said_so() {
    let spans = spans(&[
        "delivered",
        "reserved",
        "registered",
        "created",
        "started",
        "listening",
        "running",
        "worker_lost",
        "adopted",
        "listening",
        "running",
        "exited",
        "done",
    ]);
    let told = told(&spans);
    assert!(told.contains(&"run in attempt 6-11".to_owned()), "{told:#?}");
    assert_eq!(told.iter().filter(|it| it.starts_with("listen ") || it.starts_with("assign ")).count(), 2, "{told:#?}");
    let aside: Vec<&str> = spans[1].events.iter().map(|event| event.what.as_str()).collect();
    assert_eq!(aside, ["worker_lost", "adopted"]);
}

#[test]
fn attempts_that_fail_and_those_whose_worker_died_have_an_end() {
    let spans = spans(&[
        "delivered",
        "reserved",
        "retrying it failed",
        "reserved",
        "registered",
        "worker_lost",
        "reserved",
        "dead for good",
    ]);
    assert_eq!(
        told(&spans),
        [
            "delivery in - -1-0",
            "job in delivery 0-7 for good",
            "reserve in job 0-1",
            "attempt in job 1-2 it failed",
            "reserve in job 2-3",
            "register in attempt 3-4",
            "attempt in job 3-5",
            "reserve in job 5-6",
            "attempt in job 6-7 for good",
        ]
    );
}

#[test]
fn a_job_that_came_again_is_told_of_from_then_on() {
    let spans = spans(&["delivered", "reserved", "dead no", "noted", "replayed", "reserved", "done yes", "noted"]);
    let told = told(&spans);
    assert_eq!(told, ["job in - 4-6", "reserve in job 4-5", "attempt in job 5-6"]);
    assert_eq!(self::spans(&["delivered", "cancelled"]).len(), 2);
    assert_eq!(self::spans(&[]), []);
}
