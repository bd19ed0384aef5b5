//! GitHub's limits: what each call takes of them, and the seam to whoever keeps count for all processes.

use std::{fmt, time::Duration};

use futures_util::future::BoxFuture;
use reqwest::{Method, StatusCode};
use sha2::{Digest as _, Sha256};
use time::OffsetDateTime;

use super::{
    BaseUrl, Credential, GithubConfig, GithubError,
    answer::Answer,
    auth::{Bearer, Holder},
    call::Call,
    rate_limit,
};
use crate::model::{Caller, CallerKind, Demand, Heard, Hold, Pace, Scope, Ticket, Verdict};

/// What github.com allows of one endpoint in a minute, in points.
const POINTS: u32 = 900;
const POINTS_PERIOD: Duration = Duration::from_mins(1);
/// What a call costs that only reads, and one that changes something.
const READ_POINTS: u32 = 1;
const WRITE_POINTS: u32 = 5;
/// What github.com allows at one repository, organization or enterprise in five minutes.
const REGISTRATIONS: u32 = 1500;
const REGISTRATIONS_PERIOD: Duration = Duration::from_mins(5);

/// Decides when calls are made, for all who call with the same credentials.
pub trait Governor: fmt::Debug + Send + Sync {
    /// Waits for a call's turn, if it is not long; otherwise says why it has to wait. A call without a ticket was let through
    /// uncounted.
    fn admit<'a>(&'a self, demand: &'a Demand) -> BoxFuture<'a, Result<Option<Ticket>, Hold>>;

    /// Takes in how a call was answered that had its turn.
    fn heard(&self, caller: &Caller, ticket: Option<Ticket>, heard: Heard);
}

/// The limits that GitHub does not tell of before they are reached; none where it has none.
#[derive(Clone, Copy, Debug)]
pub(super) struct Untold {
    points: Option<u32>,
    registrations: Option<u32>,
}

impl Untold {
    /// Those of github.com, unless they are set; a server of one's own has none, unless they are set.
    pub(super) fn new(config: &GithubConfig) -> Self {
        let hosted = config.site().is_hosted();
        let limit = |set: Option<u32>, usual| set.or(hosted.then_some(usual)).filter(|most| *most > 0);
        Self {
            points: limit(config.github_points, POINTS),
            registrations: limit(config.github_registrations, REGISTRATIONS),
        }
    }

    /// What a call takes.
    pub(super) fn of_call(self, call: &Call, caller: Caller, holder: Holder) -> Demand {
        let endpoint = call.endpoint();
        let cost = if call.method == Method::GET { READ_POINTS } else { WRITE_POINTS };
        let name = format!("points a minute of {endpoint}");
        let points = self.points.map(|most| Pace { name, cost, most, period: POINTS_PERIOD });
        let registration = call.registers().and_then(|scope| self.registration(scope));
        let paces = points.into_iter().chain(registration).collect();
        let urgent = call.method == Method::DELETE || holder == Holder::App;
        Demand { caller, endpoint: Some(endpoint), urgent, paces }
    }

    /// What a runner takes that registers itself, with a token.
    pub(super) fn of_registration(self, scope: &Scope, caller: Caller) -> Option<Demand> {
        let paces = vec![self.registration(scope)?];
        Some(Demand { caller, endpoint: None, urgent: false, paces })
    }

    fn registration(self, scope: &Scope) -> Option<Pace> {
        let name = format!("registrations at {scope}");
        self.registrations.map(|most| Pace { name, cost: 1, most, period: REGISTRATIONS_PERIOD })
    }
}

/// Who makes a call, by a digest that does not lead back to a credential.
pub(super) fn caller(api: &BaseUrl, credential: &Credential, call: &Call, holder: Holder) -> Caller {
    let api = api.to_string();
    let (kind, digest) = match (credential, holder) {
        (Credential::PersonalAccessToken(token), _) => (CallerKind::Token, token.digest(&api)),
        (Credential::App(app), Holder::App) => (CallerKind::App, digest(&[&api, "app", &app.id.to_string()])),
        (Credential::App(app), _) => {
            (CallerKind::Installation, digest(&[&api, "installation", &app.id.to_string(), &call.account()]))
        }
    };
    Caller::new(kind, digest)
}

/// A digest of words, in hexadecimal: long enough to tell callers apart.
pub(super) fn digest(words: &[&str]) -> String {
    let mut sha = Sha256::new();
    for word in words {
        sha.update(word.as_bytes());
        sha.update([0]);
    }
    let first = sha.finalize().first_chunk().map_or(0, |bytes| u64::from_be_bytes(*bytes));
    format!("{first:016x}")
}

/// What there is to be heard of a call.
pub(super) fn heard(call: &Call, result: &Result<Answer, GithubError>, now: OffsetDateTime) -> Heard {
    let endpoint = call.endpoint();
    let Ok(answer) = result else { return Heard { endpoint, status: None, bucket: None, verdict: Verdict::Failed } };
    let bucket = rate_limit::bucket(answer.status, &answer.headers, now);
    let verdict = match answer.status {
        status if status.is_success() => Verdict::Done,
        status if status.is_server_error() || status == StatusCode::REQUEST_TIMEOUT => Verdict::Failed,
        _ => match answer.limit(now) {
            Some(said) => Verdict::Limited { wait: rate_limit::told(&answer.headers, now), said },
            None => Verdict::Refused,
        },
    };
    Heard { endpoint, status: Some(answer.status.as_u16()), bucket, verdict }
}

/// The bearer's caller is asked for with its call: this is what both come to.
pub(super) fn demand(untold: Untold, api: &BaseUrl, credential: &Credential, call: &Call, bearer: &Bearer) -> Demand {
    untold.of_call(call, caller(api, credential, call, bearer.holder), bearer.holder)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Environment;

    fn untold(variables: &[(&str, &str)]) -> Untold {
        let token = [("AUTOSCALER_GITHUB_PAT", "ghp_hush")];
        Untold::new(&GithubConfig::load(&mut Environment::of(token.iter().chain(variables).copied())))
    }

    fn call(method: Method, scope: &str, below: &str) -> Call {
        Call::about_runners(method, "do something", &scope.parse().unwrap(), below)
    }

    fn demand_of(untold: Untold, call: &Call) -> Demand {
        untold.of_call(call, Caller::new(CallerKind::Token, "me".to_owned()), Holder::PersonalAccessToken)
    }

    #[test]
    fn a_registration_costs_five_points_and_counts_at_its_scope() {
        let demand = demand_of(untold(&[]), &call(Method::POST, "octo/repo", "runners/generate-jitconfig"));
        assert_eq!(demand.endpoint.as_deref(), Some("POST actions/runners/generate-jitconfig"));
        let paces: Vec<_> = demand.paces.iter().map(|pace| (pace.name.as_str(), pace.cost, pace.most)).collect();
        let points = "points a minute of POST actions/runners/generate-jitconfig";
        assert_eq!(paces, [(points, 5, 900), ("registrations at octo/repo", 1, 1500)]);
        assert!(!demand.urgent);
    }

    #[test]
    fn calls_of_one_kind_are_counted_together_whatever_they_are_about() {
        let of = |scope, below| demand_of(untold(&[]), &call(Method::DELETE, scope, below));
        let (one, other) = (of("octo/repo", "runners/1"), of("enterprises/octo", "runners/22"));
        assert_eq!(one.endpoint.as_deref(), Some("DELETE actions/runners/*"));
        assert_eq!((&one.endpoint, &one.paces), (&other.endpoint, &other.paces));
        assert!(one.urgent);
    }

    #[test]
    fn a_server_of_ones_own_has_the_limits_that_are_set_and_no_others() {
        let jit = call(Method::POST, "octo", "runners/generate-jitconfig");
        let most = |variables: &[(&str, &str)]| -> Vec<u32> {
            demand_of(untold(variables), &jit).paces.iter().map(|pace| pace.most).collect()
        };
        let url = ("AUTOSCALER_GITHUB_URL", "https://github.example.com");
        assert_eq!(most(&[url]), [] as [u32; 0]);
        assert_eq!(most(&[url, ("AUTOSCALER_GITHUB_REGISTRATIONS", "9")]), [9]);
        assert_eq!(most(&[("AUTOSCALER_GITHUB_POINTS", "0")]), [1500]);
        assert_eq!(most(&[("AUTOSCALER_GITHUB_URL", "https://octo.ghe.com")]), [900, 1500]);
    }

    #[test]
    fn a_caller_is_told_from_others_and_does_not_tell_its_token() {
        let credential = |token: &str| Credential::PersonalAccessToken(token.parse().unwrap());
        let api: BaseUrl = "https://api.github.com".parse().unwrap();
        let call = call(Method::GET, "octo", "runners");
        let name = |token| caller(&api, &credential(token), &call, Holder::PersonalAccessToken).to_string();
        assert_eq!(name("ghp_hush"), name("ghp_hush"));
        assert_ne!(name("ghp_hush"), name("ghp_other"));
        assert!(name("ghp_hush").len() == 16 && !name("ghp_hush").contains("hush"));
    }
}
