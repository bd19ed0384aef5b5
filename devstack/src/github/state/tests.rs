//! What the state promises.

use std::collections::BTreeSet;

use serde_json::Value;
use shared::model::Scope;
use time::{Duration, OffsetDateTime};

use super::*;

const NOW: OffsetDateTime = OffsetDateTime::UNIX_EPOCH;

fn state() -> State {
    State::new(&Config::default(), "http://stand-in".to_owned())
}

fn scope(text: &str) -> Scope {
    text.parse().unwrap()
}

fn spec() -> JobSpec {
    JobSpec::of("octo/repo".parse().unwrap())
}

fn jit(name: &str, labels: &[&str]) -> JitRequest {
    let labels = labels.iter().map(|&label| label.to_owned()).collect();
    JitRequest { name: name.to_owned(), runner_group_id: 1, labels, work_folder: None }
}

/// A runner that is registered at `at`, connected, and waits for a job.
fn listener(state: &mut State, at: &str, name: &str, labels: &[&str], now: OffsetDateTime) -> (u64, Key, String) {
    let (runner, _) = state.register_jit(&scope(at), jit(name, labels)).unwrap();
    let session = state.open_session(&runner.key, now).unwrap();
    state.begin_poll(&runner.key, &session, now).unwrap();
    (runner.id, runner.key, session)
}

fn job_of(state: &mut State, key: &Key, session: &str, now: OffsetDateTime) -> Option<u64> {
    match state.poll(key, session, now).unwrap() {
        Polled::Job(job) => Some(job.id),
        Polled::Nothing => None,
    }
}

fn actions(state: &mut State) -> Vec<&'static str> {
    state.take_events().into_iter().map(|event| event.action).collect()
}

#[test]
fn a_job_goes_to_a_runner_that_covers_its_labels_whatever_their_case() {
    let mut state = state();
    let (_, narrow, narrow_session) = listener(&mut state, "octo/repo", "narrow", &["self-hosted"], NOW);
    let (_, wide, wide_session) = listener(&mut state, "octo/repo", "wide", &["SELF-HOSTED", "Linux", "gpu"], NOW);
    let job = state.add_job(spec(), NOW);
    assert_eq!(job_of(&mut state, &narrow, &narrow_session, NOW), None);
    assert_eq!(job_of(&mut state, &wide, &wide_session, NOW), Some(job));
}

#[test]
fn a_job_goes_to_runners_of_its_repository_organization_or_enterprise_only() {
    let labels = ["self-hosted", "linux"];
    for (at, takes) in [
        ("Octo/Repo", true),
        ("octo/other", false),
        ("octo", true),
        ("other", false),
        ("enterprises/octo-inc", true),
        ("enterprises/other", false),
    ] {
        let mut state = state();
        let (_, key, session) = listener(&mut state, at, "r", &labels, NOW);
        let (organization, enterprise) = (Some("octo".to_owned()), Some("octo-inc".to_owned()));
        state.add_job(JobSpec { organization, enterprise, ..spec() }, NOW);
        assert_eq!(job_of(&mut state, &key, &session, NOW).is_some(), takes, "{at}");
    }
}

#[test]
fn a_group_that_is_for_other_repositories_takes_no_job() {
    let mut state = state();
    let group = state.add_group(&scope("octo"), "others", Some(vec!["octo/other".to_owned()]));
    let request = JitRequest { runner_group_id: group, ..jit("r", &["self-hosted", "linux"]) };
    let (runner, _) = state.register_jit(&scope("octo"), request).unwrap();
    let session = state.open_session(&runner.key, NOW).unwrap();
    state.begin_poll(&runner.key, &session, NOW).unwrap();
    state.add_job(spec(), NOW);
    assert_eq!(job_of(&mut state, &runner.key, &session, NOW), None);
}

#[test]
fn the_oldest_job_goes_to_the_runner_that_has_listened_longest() {
    let mut state = state();
    let labels = ["self-hosted", "linux"];
    let (_, late, late_session) = listener(&mut state, "octo", "a", &labels, NOW + Duration::SECOND);
    let (_, early, early_session) = listener(&mut state, "octo", "b", &labels, NOW);
    let first = state.add_job(spec(), NOW);
    let second = state.add_job(spec(), NOW);
    assert_eq!(job_of(&mut state, &early, &early_session, NOW), Some(first));
    assert_eq!(job_of(&mut state, &late, &late_session, NOW), Some(second));
}

#[test]
fn a_random_choice_gives_jobs_to_any_runner() {
    let chosen: BTreeSet<u64> = (0..20)
        .map(|seed| {
            let config = Config { choice: Choice::Random(seed), ..Config::default() };
            let mut state = State::new(&config, String::new());
            for name in ["a", "b"] {
                listener(&mut state, "octo", name, &["self-hosted", "linux"], NOW);
            }
            let job = state.add_job(spec(), NOW);
            state.jobs[&job].assigned.as_ref().unwrap().runner
        })
        .collect();
    assert_eq!(chosen.len(), 2);
}

#[test]
fn webhooks_tell_of_each_step_and_who_took_the_job() {
    let mut state = state();
    let job = state.add_job(spec(), NOW);
    state.tell(job);
    let (id, key, session) = listener(&mut state, "octo/repo", "r", &["self-hosted", "linux"], NOW);
    state.accept(&key, &session, job, NOW).unwrap();
    state
        .finish(&key, &session, job, &Finished { conclusion: Conclusion::Success, log: "ok".to_owned() }, NOW)
        .unwrap();

    let events: Vec<Value> =
        state.take_events().iter().map(|event| serde_json::from_slice(&event.body).unwrap()).collect();
    let told = |key: &str| -> Vec<Value> { events.iter().map(|event| event["workflow_job"][key].clone()).collect() };
    assert_eq!(told("status"), ["queued", "in_progress", "completed"]);
    assert_eq!(told("runner_id"), [Value::Null, id.into(), id.into()]);
    assert_eq!(told("conclusion"), [Value::Null, Value::Null, "success".into()]);
    assert_eq!(events[2]["workflow_job"]["runner_name"], "r");
    assert_eq!(events[2]["workflow_job"]["runner_group_name"], "Default");
    assert_eq!(state.job_view(job).unwrap().log, "ok");
    assert!(state.runner_views().is_empty(), "an ephemeral runner is gone after its job");
}

#[test]
fn a_job_cancelled_before_it_started_has_no_runner() {
    let mut state = state();
    let job = state.add_job(spec(), NOW);
    assert!(state.cancel_job(job, NOW));
    assert!(!state.cancel_job(job, NOW));
    let event = state.take_events().pop().unwrap();
    let told: Value = serde_json::from_slice(&event.body).unwrap();
    assert_eq!(told["action"], "completed");
    assert_eq!(told["workflow_job"]["conclusion"], "cancelled");
    assert_eq!(told["workflow_job"]["runner_id"], 0);
    assert_eq!(told["workflow_job"]["runner_name"], "");
}

#[test]
fn a_running_job_that_is_cancelled_ends_when_its_runner_says_so() {
    let mut state = state();
    let job = state.add_job(spec(), NOW);
    let (_, key, session) = listener(&mut state, "octo/repo", "r", &["self-hosted", "linux"], NOW);
    state.accept(&key, &session, job, NOW).unwrap();
    assert_eq!(state.renew(&key, &session, job, NOW), Ok(false));
    assert!(state.cancel_job(job, NOW));
    assert_eq!(state.job_view(job).unwrap().status, JobStatus::InProgress);
    assert_eq!(state.renew(&key, &session, job, NOW), Ok(true));
}

#[test]
fn a_job_that_is_not_picked_up_in_a_minute_goes_to_another_runner() {
    let mut state = state();
    let job = state.add_job(spec(), NOW);
    let labels = ["self-hosted", "linux"];
    let (_, slow, slow_session) = listener(&mut state, "octo", "slow", &labels, NOW);
    assert_eq!(job_of(&mut state, &slow, &slow_session, NOW), Some(job));
    state.end_poll(&slow, &slow_session, NOW);
    let (_, quick, quick_session) = listener(&mut state, "octo", "quick", &labels, NOW);

    state.tick(NOW + Duration::seconds(59));
    assert_eq!(job_of(&mut state, &quick, &quick_session, NOW), None);
    assert!(state.tick(NOW + Duration::seconds(60)));
    assert_eq!(job_of(&mut state, &quick, &quick_session, NOW), Some(job));
    assert_eq!(state.accept(&slow, &slow_session, job, NOW), Err(Gone));
    assert_eq!(actions(&mut state), [""; 0], "no webhook tells of a job that is queued again");
}

#[test]
fn a_runner_that_falls_silent_is_offline_and_its_job_has_failed() {
    let mut state = state();
    let job = state.add_job(spec(), NOW);
    let (id, key, session) = listener(&mut state, "octo", "r", &["self-hosted", "linux"], NOW);
    state.accept(&key, &session, job, NOW).unwrap();
    state.tick(NOW + Duration::HOUR);
    assert_eq!(state.job_view(job).unwrap().status, JobStatus::InProgress, "a runner that waits is not silent");
    state.end_poll(&key, &session, NOW);
    state.tick(NOW + Duration::seconds(30));
    assert_eq!(state.job_view(job).unwrap().conclusion, Some(Conclusion::Failure));
    let runner = state.runner_at(&scope("octo"), id).unwrap().document();
    assert_eq!((&runner["status"], &runner["busy"]), (&"offline".into(), &false.into()));
    assert_eq!(state.renew(&key, &session, job, NOW), Err(Gone));
}

#[test]
fn a_runner_with_a_job_cannot_be_deleted_and_a_deleted_one_is_told_so() {
    let mut state = state();
    let job = state.add_job(spec(), NOW);
    let (id, key, session) = listener(&mut state, "octo", "r", &["self-hosted", "linux"], NOW);
    assert!(matches!(state.delete_runner(&scope("octo"), id), Err(Refusal::Invalid(_))));
    state.cancel_job(job, NOW);
    assert_eq!(state.delete_runner(&scope("other"), id), Err(Refusal::NotFound));
    assert_eq!(state.delete_runner(&scope("octo"), id), Ok(()));
    assert_eq!(state.poll(&key, &session, NOW).unwrap_err(), NoSession::Deleted);
    assert_eq!(state.open_session(&key, NOW).unwrap_err(), NoSession::Deleted);
}

#[test]
fn the_same_runner_started_twice_has_one_session() {
    let mut state = state();
    let (_, key, session) = listener(&mut state, "octo", "r", &["a"], NOW);
    assert_eq!(state.open_session(&key, NOW), Err(NoSession::Conflict));
    state.close_session(&key, &session, NOW).unwrap();
    assert!(state.open_session(&key, NOW).is_ok());
}

#[test]
fn a_registration_token_is_good_for_an_hour_and_where_it_was_asked_for() {
    let mut state = state();
    let request = |name: &str| TokenRequest {
        name: name.to_owned(),
        labels: vec!["gpu".to_owned()],
        group: None,
        work: None,
        ephemeral: true,
        replace: false,
    };
    let token = state.grant(Purpose::Register, &scope("octo"), NOW).token;
    let (runner, _) = state.register_by_token(&scope("Octo"), &token, request("r"), NOW).unwrap();
    assert_eq!(runner.labels.last().unwrap(), "gpu");
    assert_eq!(runner.labels[0], "self-hosted");
    let again = state.register_by_token(&scope("octo"), &token, request("r"), NOW);
    assert!(matches!(again, Err(Refusal::Exists(_))));
    let replacing = TokenRequest { replace: true, ..request("r") };
    assert!(state.register_by_token(&scope("octo"), &token, replacing, NOW).is_ok());

    let mut refused = |at: &str, token: &str, now| state.register_by_token(&scope(at), token, request("s"), now).err();
    assert_eq!(refused("octo/repo", &token, NOW), Some(Refusal::NotFound));
    assert_eq!(refused("octo", "A", NOW), Some(Refusal::NotFound));
    assert_eq!(refused("octo", &token, NOW + Duration::HOUR), Some(Refusal::NotFound));
    let remove = state.grant(Purpose::Remove, &scope("octo"), NOW).token;
    assert_eq!(state.register_by_token(&scope("octo"), &remove, request("s"), NOW).unwrap_err(), Refusal::NotFound);
}

#[test]
fn odd_names_labels_and_groups_are_refused() {
    let mut state = state();
    let mut refused = |request| state.register_jit(&scope("octo"), request).unwrap_err();
    let many: Vec<&str> = vec!["l"; 101];
    let long = "l".repeat(257);
    for request in [
        jit("a/b", &["l"]),
        jit("", &["l"]),
        jit(&"n".repeat(65), &["l"]),
        jit("n", &[]),
        jit("n", &many),
        jit("n", &[&long]),
    ] {
        assert!(matches!(refused(request), Refusal::Invalid(_)));
    }
    assert_eq!(refused(JitRequest { runner_group_id: 9, ..jit("n", &["l"]) }), Refusal::NotFound);
    state.register_jit(&scope("octo"), jit("n", &["l"])).unwrap();
    assert!(matches!(state.register_jit(&scope("octo"), jit("N", &["l"])), Err(Refusal::Exists(_))));
    assert!(state.register_jit(&scope("octo/repo"), jit("n", &["l"])).is_ok(), "names are unique within a scope");
}

#[test]
fn a_job_of_a_given_payload_keeps_what_the_payload_says() {
    let mut state = state();
    let body = br#"{"action":"queued","workflow_job":{"id":7,"run_id":8,"name":"n","labels":["x"],"odd":1},
        "repository":{"full_name":"o/r"},"organization":{"login":"org"}}"#;
    assert_eq!(state.adopt_job(body, "true", NOW).unwrap(), 7);
    let (_, key, session) = listener(&mut state, "org", "r", &["x"], NOW);
    assert_eq!(job_of(&mut state, &key, &session, NOW), Some(7));
    state.accept(&key, &session, 7, NOW).unwrap();
    let event = state.take_events().pop().unwrap();
    let told: Value = serde_json::from_slice(&event.body).unwrap();
    assert_eq!((event.target, &told["workflow_job"]["odd"]), (crate::github::HookTarget::Organization, &1.into()));
    assert!(state.adopt_job(b"{}", "true", NOW).is_err());
}

#[test]
fn a_payload_is_as_large_as_githubs_and_has_its_keys() {
    let mut state = state();
    let job = state.add_job(spec(), NOW);
    let body = state.payload(job).unwrap();
    assert!((6_000..12_000).contains(&body.len()), "{} bytes", body.len());
    let told: Value = serde_json::from_slice(&body).unwrap();
    let keys: Vec<&String> = told.as_object().unwrap().keys().collect();
    assert_eq!(keys, ["action", "repository", "sender", "workflow_job"]);
    assert_eq!(told["repository"]["owner"]["type"], "User");
}
