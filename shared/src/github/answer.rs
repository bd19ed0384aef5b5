//! GitHub's answers.

use std::{fmt, time::Duration};

use reqwest::{StatusCode, header::HeaderMap};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, error::Category};
use time::OffsetDateTime;

use super::{
    GithubError, Lack,
    auth::{Bearer, Holder},
    call::Call,
    permission, rate_limit,
};

/// The most characters of GitHub's message that are repeated.
const MESSAGE_CHARS_MAX: usize = 300;

/// An answer, whole and of bounded size.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
    /// What the call was authorized with.
    pub(super) bearer: Bearer,
}

impl Answer {
    /// Reads the body as what the call promises.
    pub(super) fn read<T: DeserializeOwned>(&self, call: &Call) -> Result<T, GithubError> {
        serde_json::from_slice(&self.body)
            .map_err(|error| GithubError::Malformed { call: call.to_string(), problem: problem(&error) })
    }

    /// What it says, if it says that a limit is reached.
    pub(super) fn limit(&self, now: OffsetDateTime) -> Option<String> {
        let message = self.message();
        rate_limit::wait(self.status, &self.headers, message.as_deref().unwrap_or_default(), now)?;
        let said = message.map(|message| format!(": {message}")).unwrap_or_default();
        Some(format!("{}{said}", self.status))
    }

    fn message(&self) -> Option<String> {
        message(&self.body).map(|message| bounded(&self.bearer.token.redact(&message)))
    }

    /// The error that this answer is.
    pub(super) fn refused(&self, call: &Call) -> GithubError {
        self.refusal(call, OffsetDateTime::now_utc())
    }

    /// The same. `now` is the time here.
    fn refusal(&self, call: &Call, now: OffsetDateTime) -> GithubError {
        let (message, holder) = (self.message(), &self.bearer.holder);
        let wait = rate_limit::wait(self.status, &self.headers, message.as_deref().unwrap_or_default(), now);
        let missing = matches!(self.status, StatusCode::FORBIDDEN | StatusCode::NOT_FOUND) && wait.is_none();
        let lack = missing.then(|| permission::lack(&self.headers, call.permission, *holder));
        let refusal = Refusal { status: self.status, message, wait, lack, holder: *holder };
        GithubError::Refused { call: call.to_string(), refusal: Box::new(refusal) }
    }
}

/// An answer that is an error.
#[derive(Clone, Debug)]
pub struct Refusal {
    status: StatusCode,
    message: Option<String>,
    wait: Option<Duration>,
    lack: Option<Lack>,
    /// Whose token it was.
    holder: Holder,
}

impl Refusal {
    pub(super) fn status(&self) -> StatusCode {
        self.status
    }

    pub(super) fn wait(&self) -> Option<Duration> {
        self.wait
    }

    pub(super) fn lack(&self) -> Option<&Lack> {
        self.lack.as_ref()
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.status.fmt(f)?;
        if let Some(message) =
            self.message.as_deref().filter(|message| Some(*message) != self.status.canonical_reason())
        {
            write!(f, ", \"{message}\"")?;
        }
        match (self.status, self.wait, &self.lack) {
            (_, Some(wait), _) => write!(f, "; it wants no calls for {} s", wait.as_secs()),
            (StatusCode::UNAUTHORIZED, ..) => {
                write!(f, "; {}", self.holder.advice())
            }
            (StatusCode::NOT_FOUND, _, Some(lack)) => write!(f, "; either it does not exist, or {lack}"),
            (_, _, Some(Lack::OwnersRights)) => write!(f, "; perhaps {}", Lack::OwnersRights),
            (_, _, Some(lack)) => write!(f, "; {lack}"),
            _ => Ok(()),
        }
    }
}

/// What GitHub says in the body of an error.
fn message(body: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct Body {
        message: String,
        #[serde(default)]
        errors: Value,
    }
    let body: Body = serde_json::from_slice(body).ok()?;
    let mut message = body.message;
    let errors = match &body.errors {
        Value::Array(errors) => errors.as_slice(),
        Value::Null => &[],
        error => std::slice::from_ref(error),
    };
    for error in errors {
        let word = |name: &str| error.get(name).and_then(Value::as_str);
        let detail = error.as_str().or_else(|| word("message")).map_or_else(
            || ["resource", "field", "code"].into_iter().filter_map(word).collect::<Vec<_>>().join(" "),
            str::to_owned,
        );
        if !detail.is_empty() {
            message = format!("{message}: {detail}");
        }
    }
    Some(message)
}

/// On one line, and not too long.
fn bounded(text: &str) -> String {
    text.trim().chars().map(|c| if c.is_control() { ' ' } else { c }).take(MESSAGE_CHARS_MAX).collect()
}

/// What is wrong with JSON, without quoting it: a token may stand where something else is expected.
fn problem(error: &serde_json::Error) -> String {
    let text = error.to_string();
    match error.classify() {
        Category::Data if text.starts_with("missing field") => format!("is incomplete: {text}"),
        Category::Data => {
            format!("has a value of a wrong kind at line {} column {}", error.line(), error.column())
        }
        Category::Eof | Category::Syntax | Category::Io => format!("is not JSON: {text}"),
    }
}

#[cfg(test)]
mod tests {
    use reqwest::Method;

    use super::*;
    use crate::github::Kind;

    fn call() -> Call {
        Call::about_runners(Method::POST, "make a JIT config", &"octo".parse().unwrap(), "runners/generate-jitconfig")
    }

    fn answer(status: u16, body: &str) -> Answer {
        let status = StatusCode::from_u16(status).unwrap();
        let bearer = Bearer { token: "ghp_hush".parse().unwrap(), holder: Holder::PersonalAccessToken };
        Answer { status, headers: HeaderMap::new(), body: body.as_bytes().to_vec(), bearer }
    }

    fn refused(answer: &Answer) -> GithubError {
        answer.refusal(&call(), OffsetDateTime::UNIX_EPOCH)
    }

    #[test]
    fn each_status_leads_to_what_the_design_says() {
        let minute = Kind::RateLimited { wait: Duration::from_mins(1) };
        for (status, kind, may_have_happened) in [
            (400, Kind::Permanent, false),
            (401, Kind::Permanent, false),
            (403, Kind::Permanent, false),
            (404, Kind::Permanent, false),
            (408, Kind::Transient, false),
            (409, Kind::NameTaken, false),
            (422, Kind::Permanent, false),
            (429, minute, false),
            (500, Kind::Transient, true),
            (502, Kind::Transient, true),
            (503, Kind::Transient, true),
            (504, Kind::Transient, true),
        ] {
            let error = refused(&answer(status, ""));
            assert_eq!(error.kind(), kind, "{status}");
            assert_eq!(error.may_have_happened(), may_have_happened, "{status}");
            assert_eq!(error.status(), Some(status));
        }
        let limited = refused(&answer(403, r#"{"message":"You have exceeded a secondary rate limit."}"#));
        assert_eq!(limited.kind(), minute);
        assert!(limited.lack().is_none());
    }

    #[test]
    fn an_error_says_what_was_asked_what_github_said_and_what_to_do() {
        let said = |status, body| refused(&answer(status, body)).to_string();
        assert_eq!(
            said(401, r#"{"message":"Bad credentials"}"#),
            "cannot make a JIT config at octo: GitHub answered 401 Unauthorized, \"Bad credentials\"; \
             the token of AUTOSCALER_GITHUB_PAT is wrong or has expired: make a new one"
        );
        assert_eq!(
            said(404, r#"{"message":"Not Found"}"#),
            "cannot make a JIT config at octo: GitHub answered 404 Not Found; either it does not exist, or the token \
             needs the scope admin:org (classic) or the permission \"Self-hosted runners: write\" (fine-grained)"
        );
        assert!(
            said(422, r#"{"message":"Invalid","errors":["no labels",{"field":"name","code":"bad"}]}"#)
                .ends_with("422 Unprocessable Entity, \"Invalid: no labels: name bad\"")
        );
        assert!(said(429, "").ends_with("it wants no calls for 60 s"));
        assert!(said(502, "<html>Bad</html>").ends_with("502 Bad Gateway"));
    }

    #[test]
    fn a_message_is_bounded_and_never_holds_the_token() {
        let body = format!(r#"{{"message":"no ghp_hush\nhere {}"}}"#, "x".repeat(10_000));
        let said = refused(&answer(422, &body)).to_string();
        assert!(said.contains("no [token] here xxx"), "{said}");
        assert!(!said.contains("hush") && said.len() < 500, "{said}");
    }

    #[test]
    fn an_answer_that_cannot_be_read_is_described_but_not_quoted() {
        #[derive(Debug, Deserialize)]
        struct Token {
            #[serde(rename = "token")]
            _token: u64,
        }
        let said = |body| {
            let error = answer(201, body).read::<Token>(&call()).unwrap_err();
            assert!(error.kind() == Kind::Transient && error.may_have_happened());
            error.to_string()
        };
        assert!(said("{}").contains("the answer is incomplete: missing field `token` at line 1 column 2"));
        assert!(said("<html>").contains("the answer is not JSON: expected value at line 1 column 1"));
        assert!(said("").contains("the answer is not JSON: EOF"));
        let wrong = said(r#"{"token":"ghs_hush"}"#);
        assert!(wrong.contains("a value of a wrong kind at line 1") && !wrong.contains("hush"), "{wrong}");
    }
}
