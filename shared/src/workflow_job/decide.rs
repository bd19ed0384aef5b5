//! What a delivery asks for. Values in, values out: nothing here waits or fails.

use super::{
    Note,
    event::{Action, WorkflowJob, WorkflowJobEvent},
    note::GivenTo,
    text::cut,
};
use crate::{
    model::{DeliveryId, JobId, JobMessage, Origin, Pool, PoolName, Pools, RunnerName, RunnerNamePrefix, Scope},
    queue::{ServedBy, Unmatched},
};

/// The most characters of a name that are kept.
const NAME_CHARS_MAX: usize = 256;
/// The most characters of what GitHub says of a runner or of a result that are kept.
const WORD_CHARS_MAX: usize = 64;
/// The most characters of a reason that are kept.
const REASON_CHARS_MAX: usize = 1000;
/// The longest address of a job's page that is kept.
const URL_BYTES_MAX: usize = 2048;

/// What is to be done about an event.
#[derive(Debug, Eq, PartialEq)]
pub enum Decision {
    /// Put the job into the queue.
    Enqueue(Box<JobMessage>),
    /// Cancel the job, wherever it is.
    Cancel {
        /// The pool that it is looked for in first.
        pool: PoolName,
        /// The job.
        job: JobId,
        /// Why, for its record.
        reason: String,
    },
    /// Put it on the job's record; and with a runner, see to what follows from its being that one.
    Note(Note),
    /// Keep a record of a job that no pool takes.
    Unmatched(Unmatched),
    /// Nothing, for this reason.
    Ignore(String),
    /// Tell the sender that it cannot be.
    Refuse(String),
}

/// Decides what is to be done about `event`, which `delivery` brought from `origin`.
#[must_use]
pub fn decide(
    event: &WorkflowJobEvent<'_>,
    origin: &Origin,
    delivery: &DeliveryId,
    pools: &Pools,
    prefix: &RunnerNamePrefix,
) -> Decision {
    match event.action {
        Action::Queued => queued(event, origin, delivery, pools),
        Action::Waiting => Decision::Ignore("the job waits for an approval".to_owned()),
        Action::InProgress | Action::Completed => progress(event, pools, prefix),
        Action::Other => Decision::Ignore("nothing is done about this action".to_owned()),
    }
}

fn queued(event: &WorkflowJobEvent<'_>, origin: &Origin, delivery: &DeliveryId, pools: &Pools) -> Decision {
    let job = &event.workflow_job;
    let routed = pools.route(&job.labels, &event.repository.full_name);
    // Before the pool is looked at: a hook on the wrong route is refused even if no pool takes its job.
    let scope = match origin.scope(routed.as_ref().ok().copied()) {
        Ok(scope) => scope,
        Err(refusal) => return Decision::Refuse(refusal),
    };
    match routed {
        Ok(pool) => Decision::Enqueue(Box::new(message(event, delivery, pool, scope))),
        Err(unrouted) => Decision::Unmatched(Unmatched {
            job_id: job.id,
            repository: event.repository.full_name.clone(),
            labels: job.labels.clone(),
            delivery: delivery.clone(),
            reason: unrouted.reason(),
            detail: cut(&unrouted.to_string(), REASON_CHARS_MAX),
        }),
    }
}

fn progress(event: &WorkflowJobEvent<'_>, pools: &Pools, prefix: &RunnerNamePrefix) -> Decision {
    let job = &event.workflow_job;
    let completed = event.action == Action::Completed;
    let runner =
        job.runner().map(|name| GivenTo { by: whose(&name, job, prefix), name: cut(&name, WORD_CHARS_MAX), completed });
    let pool = match pools.route(&job.labels, &event.repository.full_name) {
        Ok(pool) => pool.name.clone(),
        // Pools may have changed since one of our runners was started: who it was started for waits in any of them.
        Err(_) if runner.as_ref().is_some_and(|runner| runner.by != ServedBy::Foreign) => {
            pools.iter().next().map_or_else(PoolName::default_pool, |pool| pool.name.clone())
        }
        Err(unrouted) => return Decision::Ignore(cut(&unrouted.to_string(), REASON_CHARS_MAX)),
    };
    if completed
        && runner.is_none()
        && let Some(conclusion @ ("cancelled" | "skipped")) = job.conclusion.as_deref()
    {
        return Decision::Cancel { pool, job: job.id, reason: format!("GitHub: {conclusion} before it started") };
    }
    let on = match &runner {
        None => "on no runner".to_owned(),
        Some(GivenTo { name, by: ServedBy::Other { job, .. }, .. }) if job.is_warm() => {
            format!("on runner {name}, which was warm")
        }
        Some(GivenTo { name, by: ServedBy::Other { job, .. }, .. }) => {
            format!("on runner {name}, which was started for job {job}")
        }
        Some(GivenTo { name, .. }) => format!("on runner {name}"),
    };
    let detail = if completed {
        let conclusion = cut(job.conclusion.as_deref().unwrap_or("no conclusion"), WORD_CHARS_MAX);
        format!("GitHub: completed, {conclusion}, {on}")
    } else {
        format!("GitHub: in progress {on}")
    };
    Decision::Note(Note { pool, job: job.id, runner, detail })
}

/// Whose runner it is, by its name.
fn whose(runner: &str, job: &WorkflowJob<'_>, prefix: &RunnerNamePrefix) -> ServedBy {
    match runner.parse::<RunnerName>().ok().and_then(|runner| runner.started_for(prefix)) {
        Some((own, attempt)) if own == job.id => ServedBy::Own { attempt },
        Some((other, attempt)) => ServedBy::Other { job: other, attempt },
        None => ServedBy::Foreign,
    }
}

fn message(event: &WorkflowJobEvent<'_>, delivery: &DeliveryId, pool: &Pool, scope: Scope) -> JobMessage {
    let job = &event.workflow_job;
    // It becomes a link on a page.
    let is_page = |url: &&str| url.starts_with("https://") || url.starts_with("http://");
    JobMessage {
        job_id: job.id,
        run_id: job.run_id,
        run_attempt: job.run_attempt,
        name: cut(&job.name, NAME_CHARS_MAX),
        workflow: job.workflow_name.as_ref().map(|name| cut(name, NAME_CHARS_MAX)),
        html_url: job.html_url.as_deref().filter(|url| url.len() <= URL_BYTES_MAX).filter(is_page).map(str::to_owned),
        repository: Some(event.repository.full_name.clone()),
        scope,
        labels: job.labels.clone(),
        pool: pool.name.clone(),
        installation_id: event.installation.as_ref().map(|installation| installation.id),
        delivery: delivery.clone(),
        trace: None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::{
        model::{HookTarget, RegisterAt},
        pools,
        settings::Environment,
    };

    const REPOSITORY: &str = "octo-org/octo-repo";

    /// The default pool, which every label but `absent` and `override-*` leads to, and one for each override.
    fn pools() -> Pools {
        let (_, default) = pools::load(&mut Environment::of([("RUNNER_LABELS", "self-hosted,linux")]));
        let default = default.now();
        let text = r#"
            [[pool]]
            name = "default"
            [[pool]]
            name = "repository"
            labels = ["override-repository"]
            scope = "repository"
            [[pool]]
            name = "organization"
            labels = ["override-organization"]
            scope = "organization"
            [[pool]]
            name = "enterprise"
            labels = ["override-enterprise"]
            scope = "enterprise"
        "#;
        Pools::parse(text, default.iter().next().unwrap()).unwrap()
    }

    /// An event with `job` merged into its job and `more` into itself.
    fn event(action: &str, job: Value, more: Value) -> Value {
        let mut event = json!({
            "action": action,
            "workflow_job": { "id": 7, "run_id": 5, "name": "build", "labels": ["linux"] },
            "repository": { "full_name": REPOSITORY },
        });
        for (into, from) in [("/workflow_job", job), ("", more)] {
            let into = event.pointer_mut(into).unwrap().as_object_mut().unwrap();
            into.extend(from.as_object().unwrap().clone());
        }
        event
    }

    fn decided(event: &Value, target: HookTarget, register_at: RegisterAt) -> Decision {
        let text = event.to_string();
        let event = WorkflowJobEvent::parse(text.as_bytes()).unwrap();
        let origin = event.origin(target, None, register_at);
        decide(&event, &origin, &"guid".parse().unwrap(), &pools(), &RunnerNamePrefix::default())
    }

    fn by_hook(event: &Value) -> Decision {
        decided(event, HookTarget::Repository, RegisterAt::HookTarget)
    }

    /// The scope that a queued job gets, or the refusal.
    fn scope_of(target: HookTarget, register_at: RegisterAt, labels: &str, more: Value) -> Result<String, String> {
        match decided(&event("queued", json!({ "labels": [labels] }), more), target, register_at) {
            Decision::Enqueue(message) => Ok(message.scope.to_string()),
            Decision::Refuse(reason) => Err(reason),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_queued_job_becomes_a_message_with_all_that_a_worker_needs() {
        let job = json!({
            "run_attempt": 2, "workflow_name": "w", "html_url": "https://github.com/x", "name": "n\n".repeat(300),
            "labels": ["Linux", "SELF-HOSTED"],
        });
        let Decision::Enqueue(message) = by_hook(&event("queued", job, json!({ "installation": { "id": 9 } }))) else {
            panic!("it is not enqueued")
        };
        assert_eq!((message.job_id.get(), message.run_id, message.run_attempt), (7, 5, 2));
        assert_eq!(message.name, "n ".repeat(128));
        assert_eq!(
            (message.workflow.as_deref(), message.html_url.as_deref()),
            (Some("w"), Some("https://github.com/x"))
        );
        assert_eq!((message.pool.as_str(), message.installation_id), ("default", Some(9)));
        assert_eq!((message.labels.to_string(), message.delivery.as_str()), ("Linux,SELF-HOSTED".to_owned(), "guid"));

        let script = event("queued", json!({ "html_url": "javascript:alert(1)" }), json!({}));
        assert!(matches!(by_hook(&script), Decision::Enqueue(message) if message.html_url.is_none()));
    }

    #[test]
    fn a_runner_registers_where_the_hook_belongs() {
        let hook = |target, more| scope_of(target, RegisterAt::HookTarget, "linux", more);
        let organization = || json!({ "organization": { "login": "Octo" } });
        assert_eq!(hook(HookTarget::Repository, organization()).unwrap(), REPOSITORY);
        assert_eq!(hook(HookTarget::Organization, organization()).unwrap(), "Octo");
        assert_eq!(hook(HookTarget::Organization, json!({})).unwrap(), "octo-org");
        assert_eq!(hook(HookTarget::App, organization()).unwrap(), "Octo");
        assert_eq!(hook(HookTarget::App, json!({})).unwrap(), REPOSITORY);
        assert_eq!(hook(HookTarget::Enterprise, json!({ "enterprise": { "slug": "e" } })).unwrap(), "enterprises/e");
        assert!(hook(HookTarget::Enterprise, organization()).unwrap_err().contains("no enterprise"));
        assert!(hook(HookTarget::App, json!({ "organization": { "login": "a/.." } })).is_err());
    }

    #[test]
    fn the_route_beats_the_hook_and_the_pool_beats_both() {
        let organization = || json!({ "organization": { "login": "octo" } });
        let at = |register_at, labels, more| scope_of(HookTarget::Organization, register_at, labels, more);
        assert_eq!(at(RegisterAt::Repository, "linux", organization()).unwrap(), REPOSITORY);
        assert_eq!(at(RegisterAt::Organization, "linux", organization()).unwrap(), "octo");
        assert!(at(RegisterAt::Organization, "linux", json!({})).unwrap_err().contains("organization"));

        assert_eq!(at(RegisterAt::Organization, "override-repository", json!({})).unwrap(), REPOSITORY);
        assert_eq!(at(RegisterAt::Repository, "override-organization", organization()).unwrap(), "octo");
        for (labels, says) in
            [("override-organization", "pool organization"), ("override-enterprise", "pool enterprise")]
        {
            let refusal = at(RegisterAt::Repository, labels, json!({})).unwrap_err();
            assert!(refusal.contains(says), "{refusal}");
        }
    }

    #[test]
    fn a_hook_on_the_wrong_route_is_refused_even_if_no_pool_takes_its_job() {
        let absent = event("queued", json!({ "labels": ["absent"] }), json!({}));
        let refused = decided(&absent, HookTarget::Repository, RegisterAt::Organization);
        assert!(matches!(refused, Decision::Refuse(_)), "{refused:?}");
    }

    #[test]
    fn a_job_that_no_pool_takes_is_kept_with_the_reason() {
        let Decision::Unmatched(unmatched) = by_hook(&event("queued", json!({ "labels": ["absent"] }), json!({})))
        else {
            panic!("it is matched")
        };
        assert_eq!((unmatched.job_id.get(), unmatched.reason), (7, "no_matching_pool"));
        assert!(unmatched.detail.contains("absent"));
    }

    #[test]
    fn what_never_had_a_runner_is_cancelled_and_what_had_one_is_noted() {
        let completed = |job| by_hook(&event("completed", job, json!({})));
        for job in [
            json!({ "conclusion": "cancelled", "runner_id": 0, "runner_name": "" }),
            json!({ "conclusion": "cancelled", "runner_id": null, "runner_name": null }),
            json!({ "conclusion": "cancelled" }),
            json!({ "conclusion": "skipped" }),
        ] {
            let decision = completed(job.clone());
            assert!(
                matches!(&decision, Decision::Cancel { reason, .. } if reason.contains("before it started")),
                "{job}"
            );
        }
        for (job, says) in [
            (json!({ "conclusion": "cancelled", "runner_id": 3 }), "GitHub: completed, cancelled, on runner number 3"),
            (json!({ "conclusion": "cancelled", "runner_name": "r" }), "GitHub: completed, cancelled, on runner r"),
            (
                json!({ "conclusion": "success", "runner_name": "gha-7-1" }),
                "GitHub: completed, success, on runner gha-7-1",
            ),
            (json!({ "conclusion": "failure" }), "GitHub: completed, failure, on no runner"),
            (json!({}), "GitHub: completed, no conclusion, on no runner"),
        ] {
            let decision = completed(job.clone());
            assert!(
                matches!(&decision, Decision::Note(Note { detail, .. }) if detail == says),
                "{job} gave {decision:?}"
            );
        }
    }

    #[test]
    fn a_note_says_when_the_runner_was_started_for_another_job() {
        let noted = by_hook(&event("in_progress", json!({ "runner_name": "gha-8-2" }), json!({})));
        let says = "GitHub: in progress on runner gha-8-2, which was started for job 8";
        assert!(matches!(&noted, Decision::Note(Note { detail, .. }) if detail == says), "{noted:?}");
    }

    #[test]
    fn what_asks_for_nothing_is_ignored() {
        for action in ["waiting", "teleported"] {
            assert!(matches!(by_hook(&event(action, json!({}), json!({}))), Decision::Ignore(_)), "{action}");
        }
        for action in ["in_progress", "completed"] {
            let elsewhere = event(action, json!({ "labels": ["ubuntu-latest"] }), json!({}));
            assert!(matches!(by_hook(&elsewhere), Decision::Ignore(_)), "{action}");
        }
    }
}
