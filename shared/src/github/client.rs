//! The client: it makes calls, one attempt each, and bounds them.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex},
    time::Duration,
};

use reqwest::{
    Method, Response, StatusCode,
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
    AccessToken, Authorities, Credential, GithubConfig, GithubError, Governor, Loss, RegistrationToken, Site,
    answer::Answer,
    auth::{self, Bearer, Holder},
    cache::Cache,
    call::Call,
    clock::Clock,
    governor::{self, Untold},
    group::Groups,
    redirect,
};
use crate::{
    model::{Demand, Scope, Ticket},
    tls,
};

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
/// How long a call may wait for its token, in times that a call may take.
const TURNS_MAX: u32 = 2;
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
pub struct Github {
    inner: Arc<Inner>,
    governor: Option<Arc<dyn Governor>>,
}

struct Inner {
    site: Site,
    credential: Credential,
    timeouts: Timeouts,
    http: reqwest::Client,
    slots: Semaphore,
    groups: Mutex<Groups>,
    clock: Clock,
    /// The installations of a GitHub App, by the account where each is.
    installations: Mutex<HashMap<String, u64>>,
    /// Their tokens.
    installation_tokens: Cache<String, AccessToken>,
    registration_tokens: Cache<Scope, RegistrationToken>,
    untold: Untold,
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
        let http = connections(&site, config.github_ca_file.as_ref(), timeouts).map_err(GithubError::Setup)?;
        let inner = Arc::new(Inner {
            site,
            credential,
            timeouts,
            http,
            slots: Semaphore::new(IN_FLIGHT_MAX),
            groups: Mutex::default(),
            clock: Clock::default(),
            installations: Mutex::default(),
            installation_tokens: Cache::default(),
            registration_tokens: Cache::default(),
            untold: Untold::new(config),
        });
        Ok(Self { inner, governor: None })
    }

    /// The same client, whose calls `governor` decides about.
    #[must_use]
    pub fn governed(self, governor: Arc<dyn Governor>) -> Self {
        Self { governor: Some(governor), ..self }
    }

    /// Whether all calls are made with one credential, so that one limit holds for all of them.
    #[must_use]
    pub fn has_one_caller(&self) -> bool {
        matches!(self.inner.credential, Credential::PersonalAccessToken(_))
    }

    /// The GitHub that is called.
    #[must_use]
    pub fn site(&self) -> &Site {
        &self.inner.site
    }

    /// The page of a scope, which is what a runner is configured with (`config.sh --url`).
    #[must_use]
    pub fn page(&self, scope: &Scope) -> String {
        self.inner.site.page(scope)
    }

    /// Makes a call and reads what it promises.
    pub(super) async fn fetch<T: DeserializeOwned>(&self, call: &Call) -> Result<T, GithubError> {
        let answer = self.send(call).await?;
        if answer.status.is_success() { answer.read(call) } else { Err(answer.refused(call)) }
    }

    pub(super) fn groups(&self) -> &Mutex<Groups> {
        &self.inner.groups
    }

    pub(super) fn credential(&self) -> &Credential {
        &self.inner.credential
    }

    pub(super) fn clock(&self) -> &Clock {
        &self.inner.clock
    }

    pub(super) fn installations(&self) -> &Mutex<HashMap<String, u64>> {
        &self.inner.installations
    }

    pub(super) fn installation_tokens(&self) -> &Cache<String, AccessToken> {
        &self.inner.installation_tokens
    }

    pub(super) fn registration_tokens(&self) -> &Cache<Scope, RegistrationToken> {
        &self.inner.registration_tokens
    }

    /// Waits for a token that others may be asking for: one after the other, if none of them gets it.
    pub(super) async fn in_turn<T>(
        &self,
        call: &Call,
        token: impl Future<Output = Result<T, GithubError>>,
    ) -> Result<T, GithubError> {
        let overloaded = |_| GithubError::Overloaded { call: call.to_string(), in_flight: 1 };
        timeout(TURNS_MAX * self.inner.timeouts.call, token).await.map_err(overloaded)?
    }

    /// Makes a call. Any answer that is no redirect is returned, whatever its status. A token that an App holds, and that
    /// GitHub refuses, is replaced once.
    pub(super) async fn send(&self, call: &Call) -> Result<Answer, GithubError> {
        let bearer = self.bearer(call).await?;
        let answer = self.send_with(call, &bearer).await?;
        if answer.status == StatusCode::UNAUTHORIZED && self.forget_token(call, &bearer).await? {
            return self.send_with(call, &self.bearer(call).await?).await;
        }
        Ok(answer)
    }

    /// Makes a call with this token.
    pub(super) async fn send_with(&self, call: &Call, bearer: &Bearer) -> Result<Answer, GithubError> {
        let Ok(Ok(_slot)) = timeout(self.inner.timeouts.call, self.inner.slots.acquire()).await else {
            return Err(GithubError::Overloaded { call: call.to_string(), in_flight: IN_FLIGHT_MAX });
        };
        let demand = governor::demand(self.inner.untold, self.inner.site.api(), &self.inner.credential, call, bearer);
        let ticket = self.admit(call, &demand).await?;
        let answer = self.follow(call, bearer).await;
        if let Some(governor) = &self.governor {
            governor.heard(&demand.caller, ticket, governor::heard(call, &answer, OffsetDateTime::now_utc()));
        }
        answer
    }

    /// Waits for a call's turn.
    async fn admit(&self, call: &Call, demand: &Demand) -> Result<Option<Ticket>, GithubError> {
        let Some(governor) = &self.governor else { return Ok(None) };
        governor.admit(demand).await.map_err(|hold| GithubError::Held { call: call.to_string(), hold })
    }

    /// Counts a runner that will register itself at `scope`, as `call` has it do.
    pub(super) async fn admit_registration(&self, call: &Call, scope: &Scope) -> Result<(), GithubError> {
        let holder = if self.has_one_caller() { Holder::PersonalAccessToken } else { Holder::Installation };
        let caller = governor::caller(self.inner.site.api(), &self.inner.credential, call, holder);
        match self.inner.untold.of_registration(scope, caller) {
            Some(demand) => self.admit(call, &demand).await.map(drop),
            None => Ok(()),
        }
    }

    /// Makes a call, following redirects.
    async fn follow(&self, call: &Call, bearer: &Bearer) -> Result<Answer, GithubError> {
        let deadline = Instant::now() + self.inner.timeouts.call;
        let api = self.inner.site.api();
        let mut url = call.url(api);
        let mut redirects = 0;
        loop {
            let (from, answer) = self.exchange(call, bearer, &url, deadline).await?;
            if !answer.status.is_redirection() {
                return Ok(answer);
            }
            let location = answer.headers.get(LOCATION).and_then(|value| value.to_str().ok()).unwrap_or_default();
            match redirect::follow(&call.method, answer.status, &from, location) {
                Some(next) if redirects < redirect::REDIRECTS_MAX => url = next.into(),
                _ => {
                    let to = if location.is_empty() { "nowhere" } else { location };
                    let to = bearer.token.redact(to).chars().take(LOCATION_CHARS_MAX).collect();
                    return Err(GithubError::Redirected { call: call.to_string(), api: api.to_string(), to });
                }
            }
            redirects += 1;
        }
    }

    /// Sends one request and reads its answer, until `deadline`. Returns the address that answered as well.
    async fn exchange(
        &self,
        call: &Call,
        bearer: &Bearer,
        url: &str,
        deadline: Instant,
    ) -> Result<(reqwest::Url, Answer), GithubError> {
        let lost = |error: reqwest::Error| self.lost(call, error);
        let mut request = self.inner.http.request(call.method.clone(), url);
        request = request.timeout(deadline.saturating_duration_since(Instant::now()));
        if let Some(value) = auth::header(&bearer.token) {
            request = request.header(AUTHORIZATION, value);
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
        self.inner.clock.learn(&headers);
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
        Ok((from, Answer { status, headers, body, bearer: bearer.clone() }))
    }

    fn lost(&self, call: &Call, error: reqwest::Error) -> GithubError {
        let loss = if error.is_connect() {
            Loss::NotConnected
        } else if error.is_timeout() {
            Loss::TimedOut(self.inner.timeouts.call)
        } else {
            Loss::Broken
        };
        let (call, api) = (call.to_string(), self.inner.site.api().to_string());
        GithubError::Lost { call, api, loss, source: error.without_url() }
    }
}

impl fmt::Debug for Github {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Github").field("site", &self.inner.site).finish_non_exhaustive()
    }
}

/// The connections, kept alive between calls. A proxy is used as `HTTPS_PROXY` and its family say.
fn connections(site: &Site, authorities: Option<&Authorities>, timeouts: Timeouts) -> reqwest::Result<reqwest::Client> {
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
    } else if let Some(authorities) = authorities {
        builder = builder.tls_certs_only(authorities.certificates()?);
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
