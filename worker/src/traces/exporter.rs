//! Sends spans to a collector, by OTLP over HTTP, as JSON.
//!
//! What is sent is made after the fact, so nothing of OpenTelemetry's own library is needed but the form of its messages.

use std::time::Duration;

use anyhow::Context as _;
use reqwest::{
    StatusCode,
    header::{HeaderMap, HeaderName, HeaderValue},
};
use serde_json::{Value, json};
use shared::{model::WorkerName, version};
use time::OffsetDateTime;

use super::{
    Sampler, TracesConfig,
    spans::{Kind, Span},
};

/// How long a collector may take for what is sent at once.
const PATIENCE: Duration = Duration::from_secs(5);

/// Where a collector takes traces.
const PATH: &str = "/v1/traces";

/// What OTLP calls the status of what failed.
const STATUS_ERROR: u8 = 2;

/// Why spans did not get to the collector.
#[derive(Debug, thiserror::Error)]
pub(super) enum ExportError {
    /// It could not be reached, or did not answer.
    #[error("it does not answer")]
    Lost(#[source] reqwest::Error),
    /// It may take them later.
    #[error("it answers {0}")]
    Later(StatusCode),
    /// It will never take these.
    #[error("it answers {0} to some of them, which are left out")]
    Never(StatusCode),
}

/// Sends spans to a collector.
#[derive(Debug)]
pub struct Exporter {
    http: reqwest::Client,
    url: String,
    sampler: Sampler,
    /// What all spans say.
    resource: Value,
}

impl Exporter {
    /// After the settings; none where they name no collector. Nothing is sent yet. The client of GitHub is made before, for it chooses
    /// the cryptography of TLS.
    ///
    /// # Errors
    ///
    /// When the client cannot be set up.
    pub fn new(config: &TracesConfig, worker: &WorkerName) -> anyhow::Result<Option<Self>> {
        let Some(endpoint) = &config.exporter_otlp_endpoint else { return Ok(None) };
        let mut http = reqwest::Client::builder()
            .timeout(PATIENCE)
            .redirect(reqwest::redirect::Policy::none())
            .default_headers(headers(config).context("OTEL_EXPORTER_OTLP_HEADERS cannot be used")?);
        if endpoint.is_loopback() {
            http = http.no_proxy();
        }
        if !endpoint.is_https() {
            http = http.tls_certs_only([]); // a machine need have no CA certificates for it
        }
        let http = http.build().context("cannot set up the way to OTEL_EXPORTER_OTLP_ENDPOINT")?;
        let url = format!("{endpoint}{PATH}");
        Ok(Some(Self { http, url, sampler: config.sampler(), resource: resource(config, worker) }))
    }

    /// Which traces are to be sent.
    #[must_use]
    pub fn sampler(&self) -> Sampler {
        self.sampler
    }

    /// Sends spans, and waits until they are taken, for some seconds at the most.
    pub(super) async fn send(&self, spans: &[Span]) -> Result<(), ExportError> {
        if spans.is_empty() {
            return Ok(());
        }
        let spans: Vec<Value> = spans.iter().map(span).collect();
        let scope = json!({"name": "autoscaler", "version": version::NUMBER});
        let body = json!({
            "resourceSpans": [{"resource": self.resource, "scopeSpans": [{"scope": scope, "spans": spans}]}],
        });
        let sent = self.http.post(&self.url).json(&body).send().await;
        let status = sent.map_err(|error| ExportError::Lost(error.without_url()))?.status();
        match status {
            status if status.is_success() => Ok(()),
            StatusCode::BAD_REQUEST | StatusCode::PAYLOAD_TOO_LARGE => Err(ExportError::Never(status)),
            status => Err(ExportError::Later(status)),
        }
    }
}

fn headers(config: &TracesConfig) -> anyhow::Result<HeaderMap> {
    let pairs = config.headers().map_err(anyhow::Error::msg)?.into_map();
    let header = |(name, value): (String, String)| {
        let mut value: HeaderValue = value.parse()?;
        value.set_sensitive(true);
        Ok((name.parse::<HeaderName>()?, value))
    };
    pairs.into_iter().map(header).collect()
}

fn resource(config: &TracesConfig, worker: &WorkerName) -> Value {
    let mut all = config.resource_attributes.clone().unwrap_or_default().into_map();
    all.insert("service.name".to_owned(), config.service_name.clone());
    all.entry("service.version".to_owned()).or_insert_with(|| version::NUMBER.to_owned());
    all.entry("service.instance.id".to_owned()).or_insert_with(|| worker.to_string());
    json!({"attributes": attributes(all.iter().map(|(name, value)| (name.as_str(), value.as_str())))})
}

fn attributes<'a>(pairs: impl Iterator<Item = (&'a str, &'a str)>) -> Vec<Value> {
    pairs.map(|(name, value)| json!({"key": name, "value": {"stringValue": value}})).collect()
}

/// A span as OTLP has it: ids in hexadecimal, times in nanoseconds as text.
fn span(span: &Span) -> Value {
    let events = span.events.iter().map(|event| {
        let attributes = attributes([("detail", event.detail.as_str())].into_iter());
        json!({"name": event.what, "timeUnixNano": nanoseconds(event.at), "attributes": attributes})
    });
    let mut told = json!({
        "traceId": format!("{:032x}", span.trace),
        "spanId": format!("{:016x}", span.id),
        "name": span.name,
        "kind": match span.kind {
            Kind::Internal => 1,
            Kind::Server => 2,
            Kind::Consumer => 5,
        },
        "startTimeUnixNano": nanoseconds(span.start),
        "endTimeUnixNano": nanoseconds(span.end.max(span.start)),
        "attributes": attributes(span.attributes.iter().map(|(name, value)| (*name, value.as_str()))),
        "events": events.collect::<Vec<_>>(),
    });
    if span.parent != 0 {
        told["parentSpanId"] = format!("{:016x}", span.parent).into();
    }
    if let Some(error) = &span.error {
        told["status"] = json!({"code": STATUS_ERROR, "message": error});
    }
    told
}

fn nanoseconds(at: OffsetDateTime) -> String {
    at.unix_timestamp_nanos().to_string()
}
