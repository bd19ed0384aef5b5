//! The client of GitHub's API and who decides when it calls, against the stand-in for GitHub.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::{
    collections::HashSet,
    sync::{Arc, Mutex},
    time::Duration,
};

use devstack::github::{APP_KEY, App, Config, Effect, Fault, FineGrained, Permissions, StandIn};
use futures_util::{FutureExt as _, future::BoxFuture};
use shared::{
    github::{Github, GithubConfig, Governor, JitRequest, Kind},
    model::{Caller, Demand, Heard, Hold, Labels, RunnerName, Scope, Ticket, Verdict},
    settings::Environment,
};

const TOKEN: &str = "ghp_hush";
const WAIT: Duration = Duration::from_secs(77);

/// Lets every call through, or none, and remembers what was asked and heard.
#[derive(Debug, Default)]
struct Recorder {
    hold: Mutex<Option<Hold>>,
    asked: Mutex<Vec<Demand>>,
    heard: Mutex<Vec<(Caller, Option<Ticket>, Heard)>>,
}

impl Governor for Recorder {
    fn admit<'a>(&'a self, demand: &'a Demand) -> BoxFuture<'a, Result<Option<Ticket>, Hold>> {
        self.asked.lock().unwrap().push(demand.clone());
        let hold = self.hold.lock().unwrap().clone();
        async { hold.map_or(Ok(Some(Ticket(7))), Err) }.boxed()
    }

    fn heard(&self, caller: &Caller, ticket: Option<Ticket>, heard: Heard) {
        self.heard.lock().unwrap().push((caller.clone(), ticket, heard));
    }
}

impl Recorder {
    fn asked(&self) -> Vec<Demand> {
        std::mem::take(&mut self.asked.lock().unwrap())
    }

    /// What was heard last.
    fn heard(&self) -> Heard {
        let (_, ticket, heard) = self.heard.lock().unwrap().pop().unwrap();
        assert_eq!(ticket, Some(Ticket(7)));
        heard
    }
}

fn client(stand_in: &StandIn, credential: &[(&str, &str)]) -> (Arc<Recorder>, Github) {
    let usual = [("AUTOSCALER_GITHUB_URL", stand_in.url()), ("AUTOSCALER_GITHUB_REGISTRATIONS", "9")];
    let config = GithubConfig::load(&mut Environment::of(usual.iter().chain(credential).copied()));
    let recorder = Arc::<Recorder>::default();
    (Arc::clone(&recorder), Github::new(&config).unwrap().governed(recorder))
}

fn person() -> (StandIn, Arc<Recorder>, Github) {
    let stand_in = StandIn::start(Config::default().token(TOKEN, Permissions::all())).unwrap();
    let (recorder, github) = client(&stand_in, &[("AUTOSCALER_GITHUB_PAT", TOKEN)]);
    (stand_in, recorder, github)
}

fn octo() -> Scope {
    "octo".parse().unwrap()
}

#[tokio::test]
async fn a_call_that_is_held_back_is_not_made_and_says_for_how_long() {
    let (stand_in, recorder, github) = person();
    let limit = "registrations at octo".to_owned();
    *recorder.hold.lock().unwrap() = Some(Hold { wait: WAIT, limit, all: false });
    let (name, labels): (RunnerName, Labels) = ("gha-1-1".parse().unwrap(), "linux".parse().unwrap());
    let error = github.jit_config(&octo(), &JitRequest { name: &name, group: "Default", labels: &labels }).await;
    let error = error.unwrap_err();
    assert_eq!((error.kind(), error.stop()), (Kind::RateLimited { wait: WAIT }, None));
    assert!(!error.may_have_happened());
    let said = "cannot get a JIT config for runner gha-1-1 at octo yet: GitHub's rate limit leaves no room (registrations at octo)";
    assert_eq!(error.to_string(), said);
    assert!(stand_in.calls().is_empty() && recorder.heard.lock().unwrap().is_empty());
    let asked: Vec<String> = recorder.asked()[0].paces.iter().map(|pace| pace.name.clone()).collect();
    assert_eq!(asked, ["registrations at octo"]);

    *recorder.hold.lock().unwrap() = Some(Hold { wait: WAIT, limit: "too many".to_owned(), all: true });
    assert_eq!(github.list_runners(&octo()).await.unwrap_err().stop(), Some(WAIT));
}

#[tokio::test]
async fn each_answer_is_heard_with_what_it_says_of_limits() {
    let (stand_in, recorder, github) = person();
    github.list_runners(&octo()).await.unwrap();
    let heard = recorder.heard();
    let bucket = heard.bucket.unwrap();
    assert_eq!((heard.endpoint.as_str(), heard.verdict), ("GET actions/runners", Verdict::Done));
    assert_eq!((bucket.resource.as_str(), bucket.limit, bucket.remaining), ("core", 5000, 4999));
    assert!(bucket.reset > Duration::from_mins(59), "{bucket:?}");

    for (effect, verdict) in [
        (Effect::server_error(), "failed"),
        (Effect::Lost, "failed"),
        (Effect::status(404, "Not Found"), "refused"),
        (Effect::secondary_limit(None), "limited"),
    ] {
        stand_in.fault(Fault::once("GET", "/orgs/octo/actions/runners", effect));
        github.list_runners(&octo()).await.unwrap_err();
        assert_eq!(recorder.heard().verdict.as_str(), verdict);
    }
    stand_in.limit_calls(Duration::from_mins(1));
    github.list_runners(&octo()).await.unwrap_err();
    let Verdict::Limited { wait: Some(wait), said } = recorder.heard().verdict else { panic!("it is limited") };
    assert!(wait > Duration::from_secs(58) && wait <= Duration::from_mins(1), "{wait:?}");
    assert!(said.starts_with("403 Forbidden: You have exceeded a secondary rate limit"), "{said}");
}

#[tokio::test]
async fn a_runner_that_registers_itself_is_counted_though_its_token_is_there() {
    let (stand_in, recorder, github) = person();
    for _ in 0..3 {
        github.registration_token(&octo()).await.unwrap();
    }
    let registrations = |demand: &&Demand| demand.paces.iter().any(|pace| pace.name == "registrations at octo");
    assert_eq!(recorder.asked().iter().filter(registrations).count(), 3);
    assert_eq!(stand_in.calls().len(), 1);
}

#[tokio::test]
async fn an_app_and_each_of_its_installations_are_counted_by_themselves() {
    let permissions = |account| Permissions::app(account, [FineGrained::SelfHostedRunners]);
    let app = App::new(4711).installed(1, "octo", permissions("octo")).installed(2, "other", permissions("other"));
    let stand_in = StandIn::start(Config::default().app(app)).unwrap();
    let credential = [("AUTOSCALER_GITHUB_APP_ID", "4711"), ("AUTOSCALER_GITHUB_APP_PRIVATE_KEY", APP_KEY)];
    let (recorder, github) = client(&stand_in, &credential);
    assert!(!github.has_one_caller());
    for account in ["octo", "other", "octo"] {
        github.list_runners(&account.parse().unwrap()).await.unwrap();
    }
    let asked = recorder.asked();
    let callers: HashSet<&Caller> = asked.iter().map(|demand| &demand.caller).collect();
    assert_eq!((asked.len(), callers.len()), (7, 3), "two tokens and where they come from, and three lists");
}
