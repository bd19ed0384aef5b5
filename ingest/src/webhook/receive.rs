//! The handler of deliveries.

use std::time::Instant;

use actix_web::{HttpRequest, HttpResponse, dev::Payload};
use shared::{
    model::{DeliveryId, JobId, JobTrace, Origin, RegisterAt, Traceparent},
    telemetry::chain,
    workflow_job::{Decision, WorkflowJobEvent, decide},
};
use tracing::{field::display, info, warn};

use super::{
    answer::{Answer, Verdict},
    delivery::{Delivery, EventKind, claimed_id},
    error::ReceiveError,
    inbox::Inbox,
};
use shared::admin::Answer as Body;

/// Receives one delivery from GitHub, and answers it.
///
/// Answers 2xx only when what the delivery asks for is stored. After any error GitHub shows the delivery as failed, and
/// it can be delivered again.
#[utoipa::path(
    post, path = "/webhook", tag = "public", security(()), operation_id = "deliver",
    params(
        ("X-GitHub-Event" = String, Header, description = "The event; only `workflow_job` and `ping` lead to anything"),
        ("X-GitHub-Delivery" = String, Header, description = "The delivery's GUID"),
        ("X-Hub-Signature-256" = String, Header, description = "`sha256=` and the HMAC of the body, with the webhook's secret"),
    ),
    request_body(content(
        (serde_json::Value = "application/json"),
        (serde_json::Value = "application/x-www-form-urlencoded"),
    ), description = "GitHub's event, as JSON or in a form's field `payload`"),
    responses(
        (status = 200, body = Body<'static>, description = "`duplicate`, `ignored` or `pong`: there is nothing to store"),
        (status = 202, body = Body<'static>, description = "`queued`, `cancelled` or `noted`: what it asks for is stored"),
        (status = 400, body = Body<'static>, description = "It is signed, but no JSON, or a header is missing"),
        (status = 401, body = Body<'static>, description = "The signature is missing, malformed or wrong"),
        (status = 408, body = Body<'static>, description = "The body did not arrive in time"),
        (status = 413, body = Body<'static>, description = "The body is larger than `INGEST_MAX_BODY_BYTES`"),
        (status = 415, body = Body<'static>, description = "The body is neither JSON nor a form"),
        (status = 503, body = Body<'static>, description = "It cannot be stored now: deliver it again"),
    ),
)]
pub(crate) async fn receive(
    register_at: RegisterAt,
    request: HttpRequest,
    payload: Payload,
    inbox: &Inbox,
) -> HttpResponse {
    let started = Instant::now();
    let mut told = Told { started, id: None, job: None, trace: None };
    let result = process(register_at, &request, payload, inbox, &mut told).await;
    let Told { id, job, trace, .. } = told;
    let delivery = id.or_else(|| claimed_id(&request));
    let answer = result.unwrap_or_else(|error| {
        log_failure(&error, delivery.as_ref(), job);
        Answer::from(&error)
    });
    if answer.verdict.code().is_success() {
        // As text: a line is written with every delivery, and what must be formatted costs more.
        let (delivery, job) = (delivery.as_ref().map(DeliveryId::as_str), job.map(|job| job.to_string()));
        // A job that came before has the trace of the delivery that brought it.
        let trace = trace.as_ref().filter(|_| answer.verdict == Verdict::Queued).map(Traceparent::trace_id);
        let decision = answer.verdict.word();
        info!(delivery.id = delivery, job.id = job.as_deref(), trace_id = trace, decision, "Delivery: {}", answer.msg);
    }
    if answer.verdict == Verdict::Unauthorized {
        inbox.refusals.count();
    }
    inbox.metrics.answered(answer.verdict, started.elapsed());
    answer.into()
}

/// What is known of a delivery so far.
struct Told {
    /// When its head was there.
    started: Instant,
    /// Its GUID.
    id: Option<DeliveryId>,
    job: Option<JobId>,
    /// Its span.
    trace: Option<Traceparent>,
}

/// From bytes to a decision that is carried out. What it is about is `told` as soon as it is known.
async fn process(
    register_at: RegisterAt,
    request: &HttpRequest,
    payload: Payload,
    inbox: &Inbox,
    told: &mut Told,
) -> Result<Answer, ReceiveError> {
    let delivery = Delivery::receive(request, payload, &inbox.signatures, &inbox.limits).await?;
    match delivery.event() {
        EventKind::Ping => Ok(Answer::new(Verdict::Pong, "the hook works")),
        EventKind::Other(_) => Ok(Answer::new(Verdict::Ignored, "nothing is done about this event")),
        EventKind::WorkflowJob => {
            let (decision, origin) = decided(register_at, &delivery, inbox, told)?;
            let id = told.id.insert(delivery.into_id()); // what is waited for now may take long, and the body with it much memory
            if !inbox.is_news(&decision, &origin) {
                return inbox.carry_out(decision, id).await;
            }
            // Beside each other, so that together they take no longer.
            let (answer, ()) = tokio::join!(inbox.carry_out(decision, id), inbox.remember(&origin));
            answer
        }
    }
}

/// What is to be done, and where the job comes from.
fn decided(
    register_at: RegisterAt,
    delivery: &Delivery,
    inbox: &Inbox,
    told: &mut Told,
) -> Result<(Decision, Origin), ReceiveError> {
    let json = delivery.json()?;
    let event = WorkflowJobEvent::parse(&json)?;
    told.job = Some(event.workflow_job.id);
    let origin = event.origin(delivery.target(), delivery.hook(), register_at);
    let mut decision = decide(&event, &origin, delivery.id(), &inbox.pools.now(), &inbox.prefix);
    if let Decision::Enqueue(message) = &mut decision {
        let trace = JobTrace::begin(delivery.traceparent().cloned(), told.started.elapsed());
        told.trace = Some(trace.traceparent.clone());
        message.trace = Some(trace);
    }
    Ok((decision, origin))
}

fn log_failure(error: &ReceiveError, delivery: Option<&DeliveryId>, job: Option<JobId>) {
    let (delivery, job, decision) = (delivery.map(display), job.map(display), error.verdict().word());
    warn!(delivery.id = delivery, job.id = job, decision, error = %chain(error), "Delivery not taken");
}
