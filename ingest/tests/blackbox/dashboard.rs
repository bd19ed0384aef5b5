//! The dashboard's pages, as they come.

use std::time::Duration;

use serde_json::json;
use shared::{
    model::{JobState, WorkerName},
    queue::{Announcement, Reserved, Settlement},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};

use super::{
    app::{App, event, event_with},
    client::{self, PATIENCE, Response},
};

const HOSTILE: &str = "</td><script>alert(\"x\")</script><img src=x onerror='alert(1)'>&";

async fn page(app: &App, path: &str) -> Response {
    client::request(app.admin_port, "GET", path).await
}

/// Asserts that a page is there and has all of these in it.
async fn assert_shows(app: &App, path: &str, parts: &[&str]) -> String {
    let answer = page(app, path).await;
    assert_eq!(answer.code, 200, "{path}: {answer:?}");
    for part in parts {
        assert!(answer.body.contains(part), "{part:?} is not at {path}: {}", answer.body);
    }
    answer.body
}

fn worker() -> WorkerName {
    "host-a".parse().unwrap()
}

/// Lets a worker be there that may have one runner.
async fn one_slot(app: &App) {
    let pools = "[[pool]]\nname = \"default\"\nmax_runners = 1";
    let (_, default) = shared::pools::load(&mut shared::settings::Environment::of::<String, String>([]));
    let pools = shared::model::Pools::parse(pools, default.now().iter().next().unwrap()).unwrap();
    app.queue.set_limits(&pools).await.unwrap();
    let pools = vec!["default".parse().unwrap()];
    app.queue.announce(&worker(), Announcement { capacity: 1, runners: 0, pools, problem: None }).await.unwrap();
}

async fn reserve(app: &App) -> shared::queue::Lease {
    match app.queue.reserve(&"default".parse().unwrap(), &worker()).await.unwrap() {
        Reserved::Job(lease) => *lease,
        other => panic!("no job: {other:?}"),
    }
}

#[tokio::test]
async fn every_page_says_what_is_there_and_why_a_job_waits() {
    let app = App::start().await;
    assert_shows(&app, "/", &["No job has come yet", "None was heard of within a day"]).await;
    one_slot(&app).await;
    for id in [1, 2] {
        assert_eq!(app.deliver(&event("queued", id)).await.code, 202);
    }
    drop(reserve(&app).await);
    tokio::time::sleep(Duration::from_millis(1100)).await; // a reading is a second old at most
    assert_shows(&app, "/", &["1 of 1", "host-a", "1 job waits, 1 runner is up, 0 dead letters"]).await;
    let why = "waiting for a slot: pool default has 1 of 1 runners";
    assert_shows(&app, "/jobs", &[why, "CI / build", "octo-org/octo-repo"]).await;
    assert_shows(&app, "/jobs/2", &["It is the next of", why]).await;
    assert_shows(&app, "/jobs/1", &["Worker host-a prepares its runner", "<svg", "is registered at GitHub"]).await;
    assert_shows(&app, "/jobs/77", &["Nothing is known of it"]).await;
    assert_shows(&app, "/workers", &["host-a", "starting", "<a href=\"/jobs/1\">1</a>"]).await;
    assert_shows(&app, "/dead", &["There is none."]).await;
    app.stop().await;
}

#[tokio::test]
async fn jobs_are_chosen_by_state_pool_scope_and_text() {
    let app = App::start().await;
    for id in [1, 2] {
        assert_eq!(app.deliver(&event_with("queued", id, &json!({ "name": format!("number-{id}") }))).await.code, 202);
    }
    assert_eq!(app.deliver(&event_with("queued", 3, &json!({ "labels": ["self-hosted", "linx"] }))).await.code, 200);
    for (query, shown) in [
        ("state=waiting", [true, true, false]),
        ("state=unmatched", [false, false, true]),
        ("state=pending&pool=default&scope=OCTO-ORG&text=number-2", [false, true, false]),
        ("pool=walled", [false, false, false]),
        ("text=linx", [false, false, true]),
    ] {
        let body = page(&app, &format!("/jobs?{query}")).await.body;
        assert_eq!([1, 2, 3].map(|id| body.contains(&format!("id=\"job-{id}\""))), shown, "{query}: {body}");
    }
    assert_shows(&app, "/jobs/3", &["linx", "It gets no runner"]).await;
    for (query, wrong) in [("state=odd", "is none called"), ("pool=a/b", "pool"), ("from=here", "incomplete")] {
        let answer = page(&app, &format!("/jobs?{query}")).await;
        assert!(answer.code == 400 && answer.body.contains(wrong), "{query}: {answer:?}");
    }
    assert_eq!(page(&app, "/jobs/none").await.code, 404);
    app.stop().await;
}

#[tokio::test]
async fn nothing_that_comes_from_outside_is_taken_for_a_part_of_the_page() {
    let app = App::start().await;
    let hostile = json!({ "name": HOSTILE, "workflow_name": HOSTILE, "html_url": "javascript:alert(1)" });
    assert_eq!(app.deliver(&event_with("queued", 1, &hostile)).await.code, 202);
    one_slot(&app).await;
    let lease = reserve(&app).await;
    app.queue.settle(lease, Settlement::Dead { error: HOSTILE.to_owned() }).await.unwrap();
    let problem = Some(HOSTILE.to_owned());
    let pools = vec!["default".parse().unwrap()];
    app.queue.announce(&worker(), Announcement { capacity: 1, runners: 0, pools, problem }).await.unwrap();
    let query = "text=%22%3E%3Cscript%3Ealert(1)%3C%2Fscript%3E&scope=%22%3E%3Cimg%3E";
    for path in
        ["/", "/jobs", "/jobs/1", "/dead", "/workers", &format!("/jobs?{query}"), "/dead?error=%22%3E%3Cimg%20x%3E"]
    {
        let answer = page(&app, path).await;
        assert_eq!(answer.code, 200, "{path}");
        let is_ours = |part: &str| part.starts_with(" src=\"/assets/dashboard.js\" defer></script>");
        assert!(answer.body.split("<script").skip(1).all(is_ours), "{path}: {}", answer.body);
        for odd in ["<img", "javascript:", " onerror='"] {
            assert!(!answer.body.contains(odd), "{odd} at {path}: {}", answer.body);
        }
    }
    let shown = page(&app, "/jobs/1").await.body;
    assert!(shown.contains("alert(") && shown.contains("script"), "it is shown as text: {shown}");
    app.stop().await;
}

#[tokio::test]
async fn a_browser_loads_nothing_from_elsewhere_and_keeps_nothing() {
    let app = App::start().await;
    for path in ["/", "/jobs", "/jobs/1", "/dead", "/workers", "/jobs?state=odd"] {
        let answer = page(&app, path).await;
        let policy = answer.header("content-security-policy").unwrap_or_else(|| panic!("{path}: no policy"));
        for part in ["default-src 'none'", "script-src 'self'", "frame-ancestors 'none'", "form-action 'self'"] {
            assert!(policy.contains(part), "{path}: {policy}");
        }
        assert!(!policy.contains("unsafe"), "{policy}");
        assert_eq!(answer.header("cache-control"), Some("no-store"), "{path}");
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{path}");
        for elsewhere in ["src=\"http", "href=\"//", "url(", " style=\"", "<style"] {
            assert!(!answer.body.contains(elsewhere), "{elsewhere} at {path}");
        }
    }
    for (path, kind) in [
        ("/assets/dashboard.css", "text/css; charset=utf-8"),
        ("/assets/dashboard.js", "text/javascript; charset=utf-8"),
        ("/assets/icon.svg", "image/svg+xml"),
    ] {
        let answer = page(&app, path).await;
        assert_eq!((answer.code, answer.header("content-type")), (200, Some(kind)));
    }
    assert_eq!(page(&app, "/assets/mod.rs").await.code, 404);
    app.stop().await;
}

#[tokio::test]
async fn while_the_store_is_away_every_page_says_so() {
    let mut app = App::start().await;
    assert_eq!(page(&app, "/").await.code, 200);
    app.redis.stop().await.unwrap();
    tokio::time::sleep(Duration::from_millis(1100)).await;
    for path in ["/", "/jobs", "/jobs/1", "/dead", "/workers"] {
        let answer = page(&app, path).await;
        assert_eq!(answer.code, 503, "{path}");
        assert!(answer.body.contains("store does not answer"), "{path}: {}", answer.body);
    }
    app.stop().await;
}

/// A stream of changes, with what has come of it so far.
struct Stream(TcpStream, String);

impl Stream {
    async fn open(app: &App) -> Self {
        let mut stream = client::connect(app.admin_port).await;
        stream.write_all(b"GET /live HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
        Self(stream, String::new())
    }

    /// Waits until this has come, or the stream has ended.
    async fn until(&mut self, text: &str) -> bool {
        let read = async {
            let mut bytes = [0; 1024];
            while !self.1.contains(text) {
                match self.0.read(&mut bytes).await {
                    Ok(0) | Err(_) => return false,
                    Ok(number) => self.1 += &String::from_utf8_lossy(&bytes[..number]),
                }
            }
            true
        };
        timeout(PATIENCE, read).await.unwrap_or_else(|_| panic!("{text:?} did not come"))
    }
}

#[tokio::test]
async fn whoever_looks_on_is_told_of_changes_until_the_end() {
    let app = App::start().await;
    let mut streams = [Stream::open(&app).await, Stream::open(&app).await];
    for stream in &mut streams {
        assert!(stream.until("text/event-stream").await && stream.until("event: change").await);
        stream.1.clear();
    }
    assert_eq!(app.deliver(&event("queued", 1)).await.code, 202);
    for stream in &mut streams {
        assert!(stream.until("event: change").await);
    }
    app.stop().await;
    for stream in &mut streams {
        assert!(!stream.until("nothing that ever comes").await);
    }
}

/// How many scripts the store has run.
async fn scripts(app: &App) -> u64 {
    let told: String = app.queue.command(redis::cmd("INFO").arg("commandstats")).await.unwrap();
    let line = told.lines().find_map(|line| line.strip_prefix("cmdstat_evalsha:calls=")).unwrap_or("0,");
    line.split(',').next().unwrap().parse().unwrap()
}

#[tokio::test]
async fn the_store_is_read_once_a_second_whoever_looks_on() {
    let app = App::start().await;
    assert_eq!(app.deliver(&event("queued", 1)).await.code, 202); // a pool, which takes one script to be read
    let mut streams = Vec::new();
    for _ in 0..8 {
        let mut stream = Stream::open(&app).await;
        assert!(stream.until("retry:").await);
        streams.push(stream);
    }
    let (before, start) = (scripts(&app).await, tokio::time::Instant::now());
    while start.elapsed() < Duration::from_secs(3) {
        assert_eq!(page(&app, "/workers").await.code, 200);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let (read, seconds) = (scripts(&app).await - before, start.elapsed().as_secs());
    assert!((1..=seconds + 2).contains(&read), "{read} times in {seconds} s");
    app.stop().await;
}

#[tokio::test]
async fn so_many_streams_are_open_that_pages_are_answered_besides() {
    let app = App::start().await;
    let mut streams = Vec::new();
    loop {
        let mut stream = Stream::open(&app).await;
        assert!(stream.until("\r\n\r\n").await);
        if stream.1.starts_with("HTTP/1.1 503") {
            break;
        }
        streams.push(stream);
        assert!(streams.len() < 64, "there is no end");
    }
    assert_eq!(page(&app, "/").await.code, 200);
    // Who goes makes room.
    streams.clear();
    let until = tokio::time::Instant::now() + PATIENCE;
    loop {
        let mut stream = Stream::open(&app).await;
        assert!(stream.until("\r\n\r\n").await);
        if stream.1.starts_with("HTTP/1.1 200") {
            break;
        }
        assert!(tokio::time::Instant::now() < until, "{}", stream.1);
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    app.stop().await;
}

/// Posts a form, with these headers besides.
async fn post(app: &App, headers: &str, body: &str) -> Response {
    let length = body.len();
    let request = format!(
        "POST /dead HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n{headers}\
         content-type: application/x-www-form-urlencoded\r\ncontent-length: {length}\r\n\r\n{body}"
    );
    client::send(app.admin_port, request.as_bytes()).await
}

/// Dead letters, and the token of the page that lists them.
async fn dead_letters(app: &App, ids: &[u64]) -> String {
    one_slot(app).await;
    for id in ids {
        assert_eq!(app.deliver(&event("queued", *id)).await.code, 202);
        let lease = reserve(app).await;
        let error = format!("it failed in way {id}");
        app.queue.settle(lease, Settlement::Dead { error }).await.unwrap();
    }
    let body = assert_shows(app, "/dead", &ids.iter().map(|_| "it failed in way").collect::<Vec<_>>()).await;
    let (_, token) = body.split_once("name=\"csrf\" value=\"").unwrap();
    token.split_once('"').unwrap().0.to_owned()
}

async fn state(app: &App, id: u64) -> JobState {
    app.job(id).await.unwrap().state
}

#[tokio::test]
async fn dead_letters_are_replayed_and_dropped_one_some_and_all_that_match() {
    let app = App::start().await;
    let token = dead_letters(&app, &[1, 2, 3, 4, 5, 6]).await;
    for (body, said) in [
        ("replay=1", "replayed=1"),
        ("drop=2&job=3", "dropped=1"),
        ("drop=chosen&job=3&job=2", "dropped=1"),
        ("replay=chosen", "replayed=0"),
        ("replay=all&sure=yes&error=WAY+4", "error=WAY+4&replayed=1"),
        ("drop=all&sure=yes", "dropped=2"),
    ] {
        let answer = post(&app, "", &format!("csrf={token}&{body}")).await;
        assert_eq!((answer.code, answer.header("location")), (303, Some(format!("/dead?{said}").as_str())), "{body}");
    }
    let states = [
        (1, JobState::Pending),
        (2, JobState::Cancelled),
        (3, JobState::Cancelled),
        (4, JobState::Pending),
        (5, JobState::Cancelled),
        (6, JobState::Cancelled),
    ];
    for (id, expected) in states {
        assert_eq!(state(&app, id).await, expected, "{id}");
    }
    assert_shows(&app, "/dead?dropped=2", &["2 dead letters were dropped."]).await;
    app.stop().await;
}

#[tokio::test]
async fn nothing_is_changed_by_a_page_of_somebody_elses() {
    let app = App::start().await;
    let token = dead_letters(&app, &[1]).await;
    let foreign = "sec-fetch-site: cross-site\r\norigin: https://evil.example\r\n";
    for (headers, body, code) in [
        ("", "replay=1".to_owned(), 403),
        ("", "csrf=1.00&replay=1".to_owned(), 403),
        (foreign, format!("csrf={token}&replay=1"), 403),
        ("", format!("csrf={token}&replay=all"), 400),
        ("", format!("csrf={token}&job=1"), 400),
        ("", format!("csrf={token}&drop=none"), 400),
    ] {
        let answer = post(&app, headers, &body).await;
        assert!(answer.code == code && answer.body.contains("Nothing was changed"), "{body}: {answer:?}");
    }
    assert_eq!(state(&app, 1).await, JobState::Dead);
    assert_eq!(page(&app, "/dead?replay=1").await.code, 200);
    assert_eq!(state(&app, 1).await, JobState::Dead, "to look changes nothing");
    app.stop().await;
}
