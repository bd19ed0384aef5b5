//! The webhook: whether there is one, what it delivers and how, and whether its deliveries are taken, which tells whether its secret
//! is the right one.

use std::time::Duration;

use shared::{
    github::{AppFacts, Github, GithubError, Hook, HookChange, HookDelivery, Webhook, WebhookConfig},
    model::Scope,
    telemetry::chain,
};
use time::format_description::well_known::Rfc3339;
use tokio::time::sleep;

use super::{Finding, Subject::Hook as SUBJECT, Verdict, scopes::Place};

/// The events whose deliveries tell something.
const OF_INTEREST: [&str; 2] = ["workflow_job", "ping"];
/// How often, and how long apart, the deliveries are looked at for a ping.
const LOOKS: usize = 10;
const BETWEEN_LOOKS: Duration = Duration::from_millis(700);

/// Looks at the GitHub App's own webhook; nothing if there is none of use, and the places have to have theirs.
pub(super) async fn look_at_app(github: &Github) -> Option<Vec<Finding>> {
    let (app, config) = (github.app_facts().await.ok()?, github.app_webhook().await.ok()??);
    let mut findings = vec![of_app(&app, &config)];
    findings.push(deliveries(github, &Hook::App).await);
    Some(findings)
}

/// Looks at the webhooks of a place: a repository's own, or those of its organization.
pub(super) async fn look_at(github: &Github, Place { scope, is_guess }: &Place) -> Vec<Finding> {
    let check = format!("webhook of {scope}");
    let own = match github.webhooks(scope).await {
        Ok(webhooks) => webhooks,
        Err(error) => return unseen(check, &error, *is_guess).into_iter().collect(),
    };
    let mut at = scope.clone();
    let mut webhooks = with_jobs(own);
    if let (Scope::Repository(repository), true) = (scope, webhooks.is_empty())
        && let Ok(organization) = Scope::organization(repository.owner())
        && let Ok(of_organization) = github.webhooks(&organization).await
    {
        (at, webhooks) = (organization, with_jobs(of_organization));
    }
    if webhooks.is_empty() {
        let option = if matches!(scope, Scope::Repository(_)) { "repo" } else { "org" };
        return vec![
            Finding::failure(SUBJECT, check, "there is none that delivers workflow jobs: no job is heard of")
                .advise(format!("worker hook add --{option} {scope} --url https://YOUR-HOST/webhook")),
        ];
    }
    let mut findings = Vec::new();
    for webhook in webhooks {
        let Some(hook) = Hook::at(&at, webhook.id) else { continue };
        findings.push(of_webhook(&hook, &webhook));
        if webhook.active {
            findings.push(deliveries(github, &hook).await);
        }
    }
    findings
}

fn with_jobs(webhooks: Vec<Webhook>) -> Vec<Webhook> {
    webhooks.into_iter().filter(Webhook::has_jobs).collect()
}

/// The webhooks cannot be seen: runners do not need that. Nothing is said of an organization that there may not be.
fn unseen(check: String, error: &GithubError, is_guess: bool) -> Option<Finding> {
    if is_guess && error.status() == Some(404) {
        return None;
    }
    let finding = Finding::skipped(SUBJECT, check, chain(error));
    Some(match error {
        GithubError::NoHooksOfEnterprises { .. } => finding,
        _ => finding.advise("look at Recent Deliveries at GitHub by hand, or give the credential that permission"),
    })
}

fn of_webhook(hook: &Hook, webhook: &Webhook) -> Finding {
    let wrong = webhook.wrong();
    judged(hook, &webhook.config, &wrong, &webhook.events)
        .unless_ok(&format!("worker hook add for its URL corrects it: {}", webhook.config.url))
}

fn of_app(app: &AppFacts, config: &WebhookConfig) -> Finding {
    let mut wrong = config.wrong();
    // Other events than these do no harm: an App may have them for other uses.
    let has_jobs = app.events.iter().any(|event| event == OF_INTEREST[0]);
    wrong.extend((!has_jobs).then_some(HookChange::Active));
    judged(&Hook::App, config, &wrong, &app.events).unless_ok(
        "worker hook add --app corrects all but its events: subscribe to \"Workflow job\" in the App's settings",
    )
}

/// What is wrong about a webhook, by how bad it is.
fn judged(hook: &Hook, config: &WebhookConfig, wrong: &[HookChange], events: &[String]) -> Finding {
    let check = format!("settings of {hook}");
    let said = wrong.iter().map(|what| match what {
        HookChange::Active => "it delivers no workflow jobs".to_owned(),
        HookChange::Events => format!("it has the events {}, and only workflow_job is of use", events.join(", ")),
        HookChange::ContentType => "its content type is not JSON".to_owned(),
        HookChange::InsecureSsl => "it delivers to whoever has any certificate".to_owned(),
        HookChange::Secret => "it has no secret, so its deliveries are refused (401)".to_owned(),
        HookChange::Url => "it delivers elsewhere".to_owned(),
    });
    let mut said: Vec<String> = said.collect();
    let is_plain = config.url.starts_with("http://");
    said.extend(is_plain.then(|| "it delivers in clear text".to_owned()));
    let fatal = [HookChange::Active, HookChange::Secret, HookChange::Url];
    let verdict = match (wrong.iter().any(|what| fatal.contains(what)), said.is_empty()) {
        (true, _) => Verdict::Failure,
        (false, false) => Verdict::Warning,
        (false, true) => Verdict::Ok,
    };
    if said.is_empty() {
        return Finding::ok(SUBJECT, check, format!("active, JSON, only workflow_job, to {}", config.url));
    }
    Finding::new(verdict, SUBJECT, check, said.join("; "))
}

/// Looks at how the last delivery was answered; has one made, if there was none of late.
async fn deliveries(github: &Github, hook: &Hook) -> Finding {
    let check = format!("deliveries of {hook}");
    let refused = |error: GithubError| {
        Finding::skipped(SUBJECT, check.clone(), chain(&error)).advise("see Recent Deliveries at GitHub by hand")
    };
    match last(github, hook).await {
        Ok(Some(last)) => return of_delivery(check, &last),
        Ok(None) => {}
        Err(error) => return refused(error),
    }
    if *hook == Hook::App {
        return Finding::skipped(SUBJECT, check, "there was none in three days, and an App's hook cannot be pinged");
    }
    if let Err(error) = github.ping_webhook(hook).await {
        return refused(error);
    }
    for _ in 0..LOOKS {
        sleep(BETWEEN_LOOKS).await;
        if let Ok(Some(last)) = last(github, hook).await {
            return of_delivery(check, &last);
        }
    }
    Finding::skipped(SUBJECT, check, "there was none in three days, and what became of a ping is not known yet")
        .advise("look again in a minute")
}

/// The last delivery that tells something.
async fn last(github: &Github, hook: &Hook) -> Result<Option<HookDelivery>, GithubError> {
    let (attempts, _next) = github.deliveries(hook, None).await?;
    Ok(attempts.into_iter().find(|attempt| OF_INTEREST.contains(&attempt.event.as_str())))
}

fn of_delivery(check: String, attempt: &HookDelivery) -> Finding {
    let at = attempt.delivered_at.format(&Rfc3339).unwrap_or_default();
    let (event, status) = (&attempt.event, attempt.status_code);
    if attempt.succeeded() {
        return Finding::ok(SUBJECT, check, format!("the last ({event}) was answered with {status} at {at}"));
    }
    let (found, advice) = match status {
        0 => (
            format!("the last ({event}) was not answered, at {at}"),
            "does ingest run, and can GitHub reach its URL (DNS, certificate, firewall, tunnel)? See Recent Deliveries there",
        ),
        401 => (
            format!("the last ({event}) was refused with 401 at {at}: the secret is another than ingest's"),
            "set both to one: AUTOSCALER_SECRET_TOKEN of ingest, and worker hook add, which sets it at GitHub",
        ),
        404 | 405 => (
            format!("the last ({event}) was answered with {status} at {at}"),
            "the URL leads past ingest: its path is /webhook",
        ),
        503 => (
            format!("the last ({event}) was answered with 503 at {at}"),
            "ingest cannot reach its queue: see its log; a worker asks for what failed again",
        ),
        status => (
            format!("the last ({event}) was answered with {status} at {at}"),
            "see the answer's text under Recent Deliveries at GitHub, and ingest's log",
        ),
    };
    Finding::failure(SUBJECT, check, found).advise(advice)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn verdict(changed: &Value) -> Verdict {
        let mut hook = json!({
            "id": 7, "active": true, "events": ["workflow_job"],
            "config": { "content_type": "json", "insecure_ssl": "0", "url": "https://h/webhook", "secret": "********" },
        });
        for (key, value) in changed.as_object().unwrap() {
            match value {
                Value::Object(inner) => hook[key].as_object_mut().unwrap().extend(inner.clone()),
                value => hook[key] = value.clone(),
            }
        }
        of_webhook(&Hook::Organization("octo".to_owned(), 7), &serde_json::from_value(hook).unwrap()).verdict
    }

    #[test]
    fn what_keeps_jobs_away_is_a_failure_and_what_does_harm_a_warning() {
        assert_eq!(verdict(&json!({})), Verdict::Ok);
        for harm in [
            json!({ "events": ["workflow_job", "push"] }),
            json!({ "config": { "content_type": "form" } }),
            json!({ "config": { "insecure_ssl": "1" } }),
            json!({ "config": { "url": "http://h/webhook" } }),
        ] {
            assert_eq!(verdict(&harm), Verdict::Warning, "{harm}");
        }
        for away in [json!({ "active": false }), json!({ "config": { "secret": null } })] {
            assert_eq!(verdict(&away), Verdict::Failure, "{away}");
        }
    }

    #[test]
    fn an_app_is_to_be_told_of_workflow_jobs() {
        let config: WebhookConfig =
            serde_json::from_value(json!({ "content_type": "json", "url": "https://h/webhook", "secret": "********" }))
                .unwrap();
        let of = |events: &[&str]| {
            let events = events.iter().map(|event| (*event).to_owned()).collect();
            of_app(&AppFacts { name: String::new(), permissions: [].into(), events }, &config).verdict
        };
        assert_eq!((of(&["push", "workflow_job"]), of(&["push"])), (Verdict::Ok, Verdict::Failure));
    }

    #[test]
    fn a_delivery_that_failed_says_what_to_look_at() {
        let of = |status: u16| {
            let attempt = json!({
                "id": 1, "guid": "a", "delivered_at": "2026-01-01T00:00:00Z", "event": "ping", "status_code": status,
            });
            of_delivery(String::new(), &serde_json::from_value(attempt).unwrap())
        };
        assert_eq!(of(202).verdict, Verdict::Ok);
        for (status, word) in
            [(0, "reach its URL"), (401, "AUTOSCALER_SECRET_TOKEN"), (404, "/webhook"), (503, "queue")]
        {
            let finding = of(status);
            assert_eq!(finding.verdict, Verdict::Failure, "{status}");
            assert!(finding.advice.as_deref().is_some_and(|advice| advice.contains(word)), "{finding:?}");
        }
    }
}
