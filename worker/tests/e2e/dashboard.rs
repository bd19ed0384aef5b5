//! The dashboard in a browser, while real jobs go their way.

use std::path::PathBuf;

use devstack::{
    github::{Effect, Fault, JobSpec},
    harness::Browser,
};
use redis::cmd;
use serde_json::{Value, json};
use shared::model::JobState;

use crate::world::{Options, World};

const JIT: &str = "/repos/octocat/hello/actions/runners/generate-jitconfig";

/// Names the folder that pictures for `docs/` are written to.
const PICTURES: &str = "DASHBOARD_PICTURES";

fn job(name: &str, script: &str) -> JobSpec {
    let (name, script) = (name.to_owned(), script.to_owned());
    JobSpec { name, script, ..JobSpec::of("octocat/hello".parse().unwrap()) }
}

/// A browser that looks at a world's dashboard.
struct Visitor<'a> {
    world: &'a World,
    browser: Browser,
}

impl<'a> Visitor<'a> {
    async fn of(world: &'a World) -> Self {
        Self { world, browser: Browser::start().await.unwrap() }
    }

    async fn go(&self, path: &str) {
        self.browser.go(&format!("http://127.0.0.1:{}{path}", self.world.ingest_admin_port)).await.unwrap();
    }

    async fn run(&self, script: &str) -> Value {
        self.browser.run(script, &json!([])).await.unwrap()
    }

    /// Waits until a part of the page has this text in it, without loading the page again.
    async fn sees(&self, selector: &str, text: &str) {
        self.world
            .until(&format!("{selector} says {text:?}"), async || {
                let seen = self.browser.text(selector).await.unwrap_or_default();
                seen.is_some_and(|seen| seen.contains(text))
            })
            .await;
    }

    /// Waits until there is no such part.
    async fn sees_go(&self, selector: &str) {
        self.world
            .until(&format!("{selector} is gone"), async || matches!(self.browser.text(selector).await, Ok(None)))
            .await;
    }

    /// Goes from part to part with the tabulator until that one has the focus.
    async fn tab_to(&self, selector: &str) {
        for _ in 0..60 {
            self.browser.press(Browser::TAB).await.unwrap();
            let here = format!("return document.activeElement.matches({selector:?})");
            if self.run(&here).await == json!(true) {
                return;
            }
        }
        panic!("{selector} cannot be reached with the keyboard");
    }

    /// Asserts that nothing was asked for elsewhere, and that nothing went wrong.
    async fn asserts_order(&self) {
        let here = format!("http://127.0.0.1:{}/", self.world.ingest_admin_port);
        let of_the_net = |address: &String| !["data:", "chrome", "about:"].iter().any(|own| address.starts_with(own));
        let requests = self.browser.requests().await.unwrap();
        let elsewhere: Vec<&String> =
            requests.iter().filter(|address| of_the_net(address) && !address.starts_with(&here)).collect();
        assert!(elsewhere.is_empty() && !requests.is_empty(), "{elsewhere:?} of {} requests", requests.len());
        // A store that does not answer in time, on a busy machine, is told on the page; it is nothing wrong with it.
        let mut console = self.browser.console().await.unwrap();
        console.retain(|line| !line.contains("status of 503"));
        assert!(console.is_empty(), "{console:#?}");
    }

    /// Writes a picture for `docs/`, if that is asked for.
    async fn picture(&self, name: &str, height: u32, dark: bool) {
        let Some(folder) = std::env::var_os(PICTURES) else { return };
        let scheme =
            json!({ "features": [{ "name": "prefers-color-scheme", "value": if dark { "dark" } else { "light" } }] });
        self.browser.command("Emulation.setEmulatedMedia", &scheme).await.unwrap();
        let size = json!({ "width": 1180, "height": height, "deviceScaleFactor": 1, "mobile": false });
        self.browser.command("Emulation.setDeviceMetricsOverride", &size).await.unwrap();
        self.run("document.activeElement.blur(); scrollTo(0, 0);").await;
        self.browser.picture(&PathBuf::from(folder).join(name)).await.unwrap();
    }
}

/// Has the store be as if jobs had run all day, for a picture.
async fn a_day_of_waits(world: &World) {
    let now = world.queue.time().await.unwrap() / 900_000;
    for ago in 1..97_u64 {
        let mut count = cmd("HSET");
        count.arg(format!("gha:{{default}}:waits:{}", now - ago));
        // It takes longer around noon.
        let busy = 8 - ago.abs_diff(48) / 6;
        for bucket in 14..22 + busy {
            count.arg(bucket).arg(1 + (ago * 7 + bucket * 5) % 9);
        }
        let _set: u32 = world.queue.command(&count).await.unwrap();
    }
}

#[tokio::test]
async fn a_job_is_seen_to_wait_and_why_to_run_and_to_end_without_loading_the_page_again() {
    let world = World::start(Options { max_runners: 1, ..Options::default() }).await;
    let visitor = Visitor::of(&world).await;
    let first = world.github.queue_job(job("first", "sleep 6"));
    world.record_when(first, JobState::Running).await;
    let second = world.github.queue_job(job("second", "sleep 4"));
    world.record_when(second, JobState::Pending).await;

    visitor.go("/jobs").await;
    visitor.sees(&format!("#job-{second} .why"), "waiting for a slot: pool default has 1 of 1 runners").await;
    visitor.run("window.loaded = 'once'; document.querySelector('input[name=text]').focus()").await;
    visitor.browser.press("typed").await.unwrap();
    visitor.sees(&format!("#job-{second} .state"), "running").await;
    let kept = "return [window.loaded, document.activeElement.name, document.activeElement.value]";
    assert_eq!(visitor.run(kept).await, json!(["once", "text", "typed"]), "nothing was lost by what changed");

    visitor.go(&format!("/jobs/{second}")).await;
    visitor.run("window.loaded = 'once'").await;
    visitor.sees("#why", &format!("It runs on gha-{second}")).await;
    visitor.sees("#timeline svg", "runs").await;
    visitor.sees("#why", "It has ended").await;
    visitor.sees("#live-state", "Live").await;
    assert_eq!(visitor.run("return window.loaded").await, json!("once"));
    visitor.picture("dashboard-job.png", 900, true).await;

    visitor.go("/").await;
    visitor.sees("#waits-told", "2 jobs began to run").await;
    if std::env::var_os(PICTURES).is_some() {
        a_day_of_waits(&world).await;
        for name in ["third", "fourth", "fifth"] {
            world.github.queue_job(job(name, "sleep 9"));
        }
        visitor.sees("#waits .legend", "median").await;
        world
            .until("the day is there", async || {
                visitor
                    .browser
                    .text("#waits-told")
                    .await
                    .is_ok_and(|told| told.is_some_and(|told| !told.starts_with("2 jobs")))
            })
            .await;
        visitor.sees("#pools", "1 of 1").await;
    }
    visitor.picture("dashboard-overview.png", 860, false).await;
    visitor.asserts_order().await;
    world.end().await;
}

#[tokio::test]
async fn what_is_typed_stays_when_an_alert_goes_and_while_the_store_is_away() {
    let mut world = World::without_worker(Options::default()).await;
    let id = world.github.queue_job(job("first", "true"));
    world.record_when(id, JobState::Pending).await;
    let visitor = Visitor::of(&world).await;
    visitor.go("/jobs").await;
    visitor.sees("#alerts", "No worker serves pool default").await;
    visitor.run("document.querySelector('input[name=text]').focus()").await;
    visitor.browser.press("typed").await.unwrap();
    let kept = "return [document.activeElement.name, document.activeElement.value]";

    let browser = visitor.browser;
    world.start_worker().await;
    let visitor = Visitor { world: &world, browser };
    visitor.sees_go("#alerts").await;
    visitor.sees(&format!("#job-{id} .state"), "done").await;
    assert_eq!(visitor.run(kept).await, json!(["text", "typed"]), "with one alert less");

    let browser = visitor.browser;
    world.redis().freeze().unwrap();
    let visitor = Visitor { world: &world, browser };
    visitor.sees("#away", "The queue's store does not answer").await;
    visitor.sees(&format!("#job-{id} .state"), "done").await;
    assert_eq!(visitor.run(kept).await, json!(["text", "typed"]), "with the store away");

    let browser = visitor.browser;
    world.redis().thaw().unwrap();
    let visitor = Visitor { world: &world, browser };
    visitor.sees_go("#away").await;
    assert_eq!(visitor.run(kept).await, json!(["text", "typed"]), "with the store back");
    visitor.asserts_order().await;
    world.end().await;
}

#[tokio::test]
async fn a_mistyped_label_is_told_of_in_one_look_also_without_javascript() {
    let world = World::start(Options::default()).await;
    let labels = ["self-hosted", "linus"].map(str::to_owned).to_vec();
    let id = world.github.queue_job(JobSpec { labels, ..job("mistyped", "true") });
    world.record_when(id, JobState::Unmatched).await;
    let visitor = Visitor::of(&world).await;
    visitor.go(&format!("/jobs/{id}")).await;
    visitor.sees("#why", "the nearest, default, lacks linus").await;
    visitor.asserts_order().await;

    visitor.browser.command("Emulation.setScriptExecutionDisabled", &json!({ "value": true })).await.unwrap();
    for (path, text) in [
        ("/", "default".to_owned()),
        ("/jobs", "lacks linus".to_owned()),
        (&format!("/jobs/{id}"), "lacks linus".to_owned()),
        ("/dead", "There is none".to_owned()),
        ("/workers", world.name.clone()),
    ] {
        visitor.go(path).await;
        let source = visitor.browser.source().await.unwrap();
        assert!(source.contains(&text) && source.contains("Not live"), "{path}: {source}");
    }
    world.end().await;
}

#[tokio::test]
async fn a_dead_letter_is_replayed_by_a_click_and_another_is_dropped_by_the_keyboard_alone() {
    let world = World::start(Options::default()).await;
    let refusal = Effect::status(403, "Resource not accessible by personal access token");
    world.github.fault(Fault::once("POST", JIT, refusal).times(3));
    let [first, second, third] =
        ["unit tests", "lint", "release"].map(|name| world.github.queue_job(job(name, "true")));
    for id in [first, second, third] {
        world.record_when(id, JobState::Dead).await;
    }
    let visitor = Visitor::of(&world).await;
    visitor.go("/dead").await;
    visitor.sees(&format!("#job-{first} .why"), "not accessible").await;
    visitor.sees("#dead-told", "Jobs that were given up: 3").await;
    visitor.picture("dashboard-dead.png", 620, false).await;
    visitor.browser.click(&format!("#job-{first} button[name=replay]")).await.unwrap();
    visitor.sees("#done", "1 dead letter was replayed").await;
    visitor.sees_go(&format!("#job-{first}")).await;
    world.record_when(first, JobState::Done).await;

    visitor.go("/dead").await;
    visitor.tab_to(&format!("#job-{second} button[name=drop]")).await;
    visitor.browser.press(Browser::ENTER).await.unwrap();
    visitor.sees("#done", "1 dead letter was dropped").await;
    visitor.sees_go(&format!("#job-{second}")).await;
    world.record_when(second, JobState::Cancelled).await;

    // One that leaves by another hand goes without the page being loaded again.
    visitor.go("/dead").await;
    visitor.sees(&format!("#job-{third} .why"), "not accessible").await;
    let (code, said) = world.command(&["dead", "replay", &third.to_string()]).await;
    assert_eq!(code, Some(0), "{said}");
    visitor.sees_go(&format!("#job-{third}")).await;
    visitor.asserts_order().await;
    world.record_when(third, JobState::Done).await;
    world.end().await;
}
