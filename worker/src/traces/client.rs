//! The way to a collector, as OpenTelemetry's exporter takes it.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use anyhow::Context as _;
use async_trait::async_trait;
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use reqwest::{
    StatusCode,
    header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue},
};
use shared::{github::BaseUrl, tls};

use super::TracesConfig;

/// How long a collector may take for what is sent at once.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);

/// What came of a request: how the collector answered, or why it did not.
pub(super) type Answer = Result<StatusCode, reqwest::Error>;

/// The way to a collector. The exporter tells in words alone what became of a request, so it is kept here besides.
#[derive(Clone, Debug)]
pub(super) struct Client {
    http: reqwest::Client,
    answer: Arc<Mutex<Option<Answer>>>,
}

impl Client {
    /// To the collector at `endpoint`, with the headers of the settings.
    ///
    /// # Errors
    ///
    /// When it cannot be set up.
    pub(super) fn new(config: &TracesConfig, endpoint: &BaseUrl) -> anyhow::Result<Self> {
        tls::choose_cryptography();
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
        Ok(Self { http, answer: Arc::default() })
    }

    /// What came of the last request, once.
    pub(super) fn answer(&self) -> Option<Answer> {
        self.answer.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn keep(&self, answer: Answer) {
        *self.answer.lock().unwrap_or_else(PoisonError::into_inner) = Some(answer);
    }
}

#[async_trait]
impl HttpClient for Client {
    /// Sends a request's body; of its headers only those that say what it is: the exporter reads others from the environment, where
    /// ours come from the settings. The body of the answer is left where it is.
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let mut post = self.http.post(request.uri().to_string());
        for name in [CONTENT_TYPE, CONTENT_ENCODING] {
            if let Some(value) = request.headers().get(&name) {
                post = post.header(name, value);
            }
        }
        let answer = post.body(request.into_body()).send().await;
        let answer = answer.map(|answer| answer.status()).map_err(reqwest::Error::without_url);
        let response = match &answer {
            Ok(status) => {
                let mut response = Response::new(Bytes::new());
                *response.status_mut() = *status;
                Ok(response)
            }
            Err(_) => Err("no answer".into()),
        };
        self.keep(answer);
        response
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
