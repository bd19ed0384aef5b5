//! The client: it makes calls, one attempt each, and bounds them.

use std::{
    fmt,
    sync::{Arc, Mutex},
    time::Duration,
};

use reqwest::{
    Method, Response,
    header::{ACCEPT, AUTHORIZATION, CONTENT_LENGTH, HeaderMap, HeaderName, HeaderValue, LOCATION},
};
use serde::de::DeserializeOwned;
use time::OffsetDateTime;
use tokio::{
    sync::Semaphore,
    time::{Instant, timeout},
};
use tracing::debug;

use super::{
    Credential, GithubConfig, GithubError, Loss, Site, answer::Answer, auth, call::Call, group::Groups, redirect,
};
use crate::{model::Scope, tls};

/// How long a connection may take to stand, TLS included.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a call may take from the first byte sent to the last received, redirects included.
const CALL_TIMEOUT: Duration = Duration::from_secs(20);
/// How long an unused connection is kept.
const IDLE_TIMEOUT: Duration = Duration::from_mins(1);
/// How often an HTTP/2 connection is probed, and how long it may take to show life: one that died without a word would
/// otherwise take every further call with it.
const PROBE_INTERVAL: Duration = Duration::from_secs(10);
const PROBE_TIMEOUT: Duration = Duration::from_secs(5);
/// The most calls at one time: half of what GitHub allows, for the token may have other users.
const IN_FLIGHT_MAX: usize = 50;
/// The most bytes of an answer.
const BODY_BYTES_MAX: usize = 4 * 1024 * 1024;
/// The most characters of a redirect's address that are repeated in an error.
const LOCATION_CHARS_MAX: usize = 200;

const USER_AGENT: &str = concat!("autoscaler/", env!("CARGO_PKG_VERSION"));
const MEDIA_TYPE: HeaderValue = HeaderValue::from_static("application/vnd.github+json");
const API_VERSION: (HeaderName, HeaderValue) =
    (HeaderName::from_static("x-github-api-version"), HeaderValue::from_static("2022-11-28"));

/// How long calls may take.
#[derive(Clone, Copy, Debug)]
pub struct Timeouts {
    /// Until a connection stands; default 5 s.
    pub connect: Duration,
    /// The whole call, and before it the wait for other calls to end; default 20 s each.
    pub call: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self { connect: CONNECT_TIMEOUT, call: CALL_TIMEOUT }
    }
}

/// A client of GitHub's REST API. Clones share its connections and its bound on calls at one time.
///
/// Every call is one attempt. A call that is dropped half-way may be carried out all the same.
#[derive(Clone)]
pub struct Github(Arc<Inner>);

struct Inner {
    site: Site,
    credential: Credential,
    timeouts: Timeouts,
    http: reqwest::Client,
    slots: Semaphore,
    groups: Mutex<Groups>,
}

impl Github {
    /// A client after the settings. Makes no call yet.
    ///
    /// # Errors
    ///
    /// [`GithubError::NoCredential`] without a token, and [`GithubError::Setup`] without CA certificates.
    pub fn new(config: &GithubConfig) -> Result<Self, GithubError> {
        Self::with_timeouts(config, Timeouts::default())
    }

    /// A client with time limits of its own.
    ///
    /// # Errors
    ///
    /// Those of [`new`](Self::new).
    pub fn with_timeouts(config: &GithubConfig, timeouts: Timeouts) -> Result<Self, GithubError> {
        let credential = config.credential().ok_or(GithubError::NoCredential)?;
        let site = config.site();
        let http = connections(&site, timeouts).map_err(GithubError::Setup)?;
        let (slots, groups) = (Semaphore::new(IN_FLIGHT_MAX), Mutex::default());
        Ok(Self(Arc::new(Inner { site, credential, timeouts, http, slots, groups })))
    }

    /// The GitHub that is called.
    #[must_use]
    pub fn site(&self) -> &Site {
        &self.0.site
    }

    /// The page of a scope, which is what a runner is configured with (`config.sh --url`).
    #[must_use]
    pub fn page(&self, scope: &Scope) -> String {
        self.0.site.page(scope)
    }

    /// Makes a call and reads what it promises.
    pub(super) async fn fetch<T: DeserializeOwned>(&self, call: &Call) -> Result<T, GithubError> {
        let answer = self.send(call).await?;
        if answer.status.is_success() { answer.read(call) } else { Err(self.refused(call, &answer)) }
    }

    /// The error that an answer is.
    pub(super) fn refused(&self, call: &Call, answer: &Answer) -> GithubError {
        answer.refusal(call, &self.0.credential, OffsetDateTime::now_utc())
    }

    pub(super) fn groups(&self) -> &Mutex<Groups> {
        &self.0.groups
    }

    /// Makes a call. Any answer that is no redirect is returned, whatever its status.
    pub(super) async fn send(&self, call: &Call) -> Result<Answer, GithubError> {
        let Ok(Ok(_slot)) = timeout(self.0.timeouts.call, self.0.slots.acquire()).await else {
            return Err(GithubError::Overloaded { call: call.to_string(), in_flight: IN_FLIGHT_MAX });
        };
        let deadline = Instant::now() + self.0.timeouts.call;
        let api = self.0.site.api();
        let mut url = call.url(api);
        let mut redirects = 0;
        loop {
            let (from, answer) = self.exchange(call, &url, deadline).await?;
            if !answer.status.is_redirection() {
                return Ok(answer);
            }
            let location = answer.headers.get(LOCATION).and_then(|value| value.to_str().ok()).unwrap_or_default();
            match redirect::follow(&call.method, answer.status, &from, location) {
                Some(next) if redirects < redirect::REDIRECTS_MAX => url = next.into(),
                _ => {
                    let to = if location.is_empty() { "nowhere" } else { location };
                    let to = self.0.credential.token().redact(to).chars().take(LOCATION_CHARS_MAX).collect();
                    return Err(GithubError::Redirected { call: call.to_string(), api: api.to_string(), to });
                }
            }
            redirects += 1;
        }
    }

    /// Sends one request and reads its answer, until `deadline`. Returns the address that answered as well.
    async fn exchange(&self, call: &Call, url: &str, deadline: Instant) -> Result<(reqwest::Url, Answer), GithubError> {
        let lost = |error: reqwest::Error| self.lost(call, error);
        let mut request = self.0.http.request(call.method.clone(), url);
        request = request.timeout(deadline.saturating_duration_since(Instant::now()));
        if let Some(bearer) = auth::bearer(self.0.credential.token()) {
            request = request.header(AUTHORIZATION, bearer);
        }
        request = match &call.body {
            Some(body) => request.json(body),
            // Not left out, as it would be: servers and proxies may demand it of a POST (411).
            None if call.method == Method::POST => request.header(CONTENT_LENGTH, HeaderValue::from_static("0")),
            None => request,
        };
        let started = Instant::now();
        let response = request.send().await.map_err(lost)?;
        let (from, status, headers) = (response.url().clone(), response.status(), response.headers().clone());
        let body = match body(response).await {
            Ok(Some(body)) => body,
            // The status of an error says enough.
            _ if !status.is_success() => Vec::new(),
            Ok(None) => {
                let problem = format!("is larger than {BODY_BYTES_MAX} bytes");
                return Err(GithubError::Malformed { call: call.to_string(), problem });
            }
            Err(error) => return Err(lost(error)),
        };
        debug!(
            github.status = status.as_u16(),
            github.ms = started.elapsed().as_millis(),
            "GitHub was asked to {call}"
        );
        Ok((from, Answer { status, headers, body }))
    }

    fn lost(&self, call: &Call, error: reqwest::Error) -> GithubError {
        let loss = if error.is_connect() {
            Loss::NotConnected
        } else if error.is_timeout() {
            Loss::TimedOut(self.0.timeouts.call)
        } else {
            Loss::Broken
        };
        let (call, api) = (call.to_string(), self.0.site.api().to_string());
        GithubError::Lost { call, api, loss, source: error.without_url() }
    }
}

impl fmt::Debug for Github {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Github").field("site", &self.0.site).finish_non_exhaustive()
    }
}

/// The connections, kept alive between calls. A proxy is used as `HTTPS_PROXY` and its family say.
fn connections(site: &Site, timeouts: Timeouts) -> reqwest::Result<reqwest::Client> {
    tls::choose_cryptography();
    let headers: HeaderMap = [(ACCEPT, MEDIA_TYPE), API_VERSION].into_iter().collect();
    let mut builder = reqwest::Client::builder()
        .user_agent(USER_AGENT)
        .default_headers(headers)
        .redirect(reqwest::redirect::Policy::none()) // followed by `send`, which knows the method
        .connect_timeout(timeouts.connect)
        .pool_idle_timeout(IDLE_TIMEOUT)
        .http2_keep_alive_interval(PROBE_INTERVAL)
        .http2_keep_alive_timeout(PROBE_TIMEOUT)
        .http2_keep_alive_while_idle(true);
    if site.api().is_loopback() {
        builder = builder.no_proxy();
    }
    if !site.api().is_https() {
        // Without this a machine that has no CA certificates could not even call a stand-in.
        builder = builder.tls_certs_only([]);
    }
    builder.build()
}

/// Reads a body; `None` when it is too large.
async fn body(mut response: Response) -> reqwest::Result<Option<Vec<u8>>> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        if body.len() + chunk.len() > BODY_BYTES_MAX {
            return Ok(None);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Some(body))
}
