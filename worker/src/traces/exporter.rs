//! Sends spans to a collector, by OTLP over HTTP, through OpenTelemetry's exporter.

use std::fmt;

use anyhow::Context as _;
use opentelemetry::KeyValue;
use opentelemetry_otlp::{Protocol, RetryPolicy, SpanExporter, WithExportConfig as _, WithHttpConfig as _};
use opentelemetry_sdk::{
    Resource,
    error::OTelSdkError,
    trace::{SpanData, SpanExporter as _},
};
use reqwest::StatusCode;
use shared::{model::WorkerName, version};

use super::{
    Sampler, TracesConfig,
    client::{Client, PATIENCE},
    spans::Span,
};

/// Where a collector takes traces.
const PATH: &str = "/v1/traces";

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
    /// There was no request.
    #[error("nothing was sent")]
    Unsent(#[source] OTelSdkError),
}

/// Sends spans to a collector.
pub struct Exporter {
    client: Client,
    otlp: SpanExporter,
    sampler: Sampler,
}

impl fmt::Debug for Exporter {
    /// Without what OpenTelemetry's exporter has read from the environment, which may hold a key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Exporter").field("client", &self.client).field("sampler", &self.sampler).finish_non_exhaustive()
    }
}

impl Exporter {
    /// After the settings; none where they name no collector. Nothing is sent yet.
    ///
    /// # Errors
    ///
    /// When the client cannot be set up.
    pub fn new(config: &TracesConfig, worker: &WorkerName) -> anyhow::Result<Option<Self>> {
        let Some(endpoint) = &config.exporter_otlp_endpoint else { return Ok(None) };
        let client = Client::new(config, endpoint)?;
        // What is given here goes before what the exporter reads from the environment itself.
        let mut otlp = SpanExporter::builder()
            .with_http()
            .with_http_client(client.clone())
            .with_protocol(Protocol::HttpBinary)
            .with_endpoint(format!("{endpoint}{PATH}"))
            .with_timeout(PATIENCE)
            .with_retry_policy(RetryPolicy::disabled())
            .with_max_request_body_size(usize::MAX)
            .build()
            .ok() // its words may quote the address
            .context("OTEL_EXPORTER_OTLP_ENDPOINT cannot be used")?;
        otlp.set_resource(&resource(config, worker));
        Ok(Some(Self { client, otlp, sampler: config.sampler() }))
    }

    /// Which traces are to be sent.
    #[must_use]
    pub fn sampler(&self) -> Sampler {
        self.sampler
    }

    /// Sends spans, and waits until they are taken, for some seconds at the most.
    pub(super) async fn send(&self, spans: Vec<Span>) -> Result<(), ExportError> {
        if spans.is_empty() {
            return Ok(());
        }
        let sent = self.otlp.export(spans.into_iter().map(SpanData::from).collect()).await;
        let answer = self.client.answer();
        sent.map_err(|error| match answer {
            Some(Ok(status @ (StatusCode::BAD_REQUEST | StatusCode::PAYLOAD_TOO_LARGE))) => ExportError::Never(status),
            Some(Ok(status)) => ExportError::Later(status),
            Some(Err(error)) => ExportError::Lost(error),
            None => ExportError::Unsent(error),
        })
    }
}

/// What all spans say.
fn resource(config: &TracesConfig, worker: &WorkerName) -> Resource {
    let mut all = config.resource_attributes.clone().unwrap_or_default().into_map();
    all.insert("service.name".to_owned(), config.service_name.clone());
    all.entry("service.version".to_owned()).or_insert_with(|| version::NUMBER.to_owned());
    all.entry("service.instance.id".to_owned()).or_insert_with(|| worker.to_string());
    Resource::builder_empty().with_attributes(all.into_iter().map(|(name, value)| KeyValue::new(name, value))).build()
}

#[cfg(test)]
mod tests {
    use std::{
        io::{Read as _, Write as _},
        net::TcpListener,
        thread::{self, JoinHandle},
    };

    use opentelemetry_proto::tonic::{
        collector::trace::v1::ExportTraceServiceRequest,
        common::v1::{KeyValue, any_value::Value},
    };
    use prost::Message as _;
    use shared::{queue::Event, settings::Environment, telemetry::chain};
    use time::OffsetDateTime;

    use super::{super::spans::Kind, *};

    /// A collector that answers one request so, and then is gone; where it is, and what it gets.
    fn collector(status: u16) -> (String, JoinHandle<(String, Vec<u8>)>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/base", listener.local_addr().unwrap());
        let serves = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            drop(listener);
            let (mut head, mut byte) = (Vec::new(), [0]);
            while !head.ends_with(b"\r\n\r\n") {
                stream.read_exact(&mut byte).unwrap();
                head.push(byte[0]);
            }
            let head = String::from_utf8(head).unwrap();
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
            let mut body = vec![0; length.unwrap()];
            stream.read_exact(&mut body).unwrap();
            write!(stream, "HTTP/1.1 {status} x\r\nlocation: /\r\ncontent-length: 0\r\n\r\n").unwrap();
            (head, body)
        });
        (url, serves)
    }

    fn exporter(url: &str) -> Exporter {
        let variables = [
            ("OTEL_EXPORTER_OTLP_ENDPOINT", url),
            ("OTEL_EXPORTER_OTLP_HEADERS", "api-key=hush"),
            ("OTEL_RESOURCE_ATTRIBUTES", "place=here,service.instance.id=mine"),
        ];
        let config = TracesConfig::load(&mut Environment::of(variables));
        Exporter::new(&config, &"host".parse().unwrap()).unwrap().unwrap()
    }

    fn at(seconds: i64) -> OffsetDateTime {
        OffsetDateTime::from_unix_timestamp(seconds).unwrap()
    }

    fn span(kind: Kind, parent: u64, error: Option<&str>) -> Span {
        Span {
            trace: 0xab,
            id: 0xcd,
            parent,
            kind,
            name: "job",
            start: at(7),
            end: at(9),
            attributes: vec![("pool", "default".to_owned())],
            events: vec![Event { at: at(8), what: "adopted".to_owned(), detail: "by b".to_owned() }],
            error: error.map(str::to_owned),
        }
    }

    fn pairs(attributes: &[KeyValue]) -> Vec<String> {
        let value = |pair: &KeyValue| match pair.value.clone().and_then(|value| value.value) {
            Some(Value::StringValue(value)) => value,
            other => panic!("{other:?}"),
        };
        let mut pairs: Vec<String> = attributes.iter().map(|pair| format!("{}={}", pair.key, value(pair))).collect();
        pairs.sort();
        pairs
    }

    #[tokio::test]
    async fn what_is_refused_for_good_is_left_out_and_all_else_may_be_sent_again() {
        for (status, outcome) in [
            (200, "Ok(())"),
            (202, "Ok(())"),
            (302, "Err(Later(302))"),
            (400, "Err(Never(400))"),
            (401, "Err(Later(401))"),
            (404, "Err(Later(404))"),
            (413, "Err(Never(413))"),
            (429, "Err(Later(429))"),
            (503, "Err(Later(503))"),
        ] {
            let (url, serves) = collector(status);
            let sent = exporter(&url).send(vec![span(Kind::Internal, 1, None)]).await;
            assert_eq!(format!("{sent:?}"), outcome);
            serves.join().unwrap();
        }
    }

    #[tokio::test]
    async fn a_collector_that_is_not_there_may_get_it_later_and_nothing_says_where_it_is_or_with_which_key() {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let exporter = exporter(&format!("http://127.0.0.1:{port}/secret-path"));
        assert!(exporter.send(Vec::new()).await.is_ok(), "nothing is nothing to send");
        let error = exporter.send(vec![span(Kind::Internal, 1, None)]).await.unwrap_err();
        assert!(matches!(error, ExportError::Lost(_)), "{error:?}");
        for said in [format!("{error:?}"), chain(&error), format!("{exporter:?}")] {
            assert!(!said.contains("hush") && !said.contains("secret-path"), "{said}");
        }
    }

    #[tokio::test]
    async fn what_is_sent_is_otlp() {
        let (url, serves) = collector(200);
        let spans = vec![
            span(Kind::Server, 0, None),
            span(Kind::Consumer, 0xef, Some("it failed")),
            span(Kind::Internal, 0xef, None),
            Span { end: at(5), ..span(Kind::Server, 0xef, None) },
        ];
        exporter(&url).send(spans).await.unwrap();
        let (head, body) = serves.join().unwrap();
        assert!(head.starts_with("POST /base/v1/traces HTTP/1.1\r\n"), "{head}");
        assert!(
            head.contains("api-key: hush\r\n") && head.contains("content-type: application/x-protobuf\r\n"),
            "{head}"
        );

        let request = ExportTraceServiceRequest::decode(&body[..]).unwrap();
        let [of] = &request.resource_spans[..] else { panic!("{request:?}") };
        let version = format!("service.version={}", version::NUMBER);
        let expected = ["place=here", "service.instance.id=mine", "service.name=autoscaler", &version];
        assert_eq!(pairs(&of.resource.as_ref().unwrap().attributes), expected);
        let [of] = &of.scope_spans[..] else { panic!("{of:?}") };
        assert_eq!(of.scope.as_ref().unwrap().name, "autoscaler");
        let remote = |flags: u32| flags & 0x200 != 0;
        let told: Vec<_> = of.spans.iter().map(|it| (it.kind, it.parent_span_id.len(), remote(it.flags))).collect();
        assert_eq!(told, [(2, 0, false), (5, 8, true), (1, 8, false), (2, 8, true)]);
        let status = |at: usize| of.spans[at].status.clone().map(|status| (status.code, status.message)).unwrap();
        assert_eq!((status(0), status(1)), ((0, String::new()), (2, "it failed".to_owned())));
        let job = &of.spans[1];
        assert_eq!(job.trace_id, 0xab_u128.to_be_bytes());
        assert_eq!(
            (&job.span_id[..], &job.parent_span_id[..]),
            (&0xcd_u64.to_be_bytes()[..], &0xef_u64.to_be_bytes()[..])
        );
        assert_eq!(
            (job.name.as_str(), job.start_time_unix_nano, job.end_time_unix_nano),
            ("job", 7_000_000_000, 9_000_000_000)
        );
        assert_eq!(of.spans[3].end_time_unix_nano, 7_000_000_000, "none ends before it begins");
        assert_eq!(pairs(&job.attributes), ["pool=default"]);
        let [event] = &job.events[..] else { panic!("{job:?}") };
        assert_eq!(
            (event.name.as_str(), event.time_unix_nano, pairs(&event.attributes)),
            ("adopted", 8_000_000_000, vec!["detail=by b".to_owned()])
        );
    }
}
