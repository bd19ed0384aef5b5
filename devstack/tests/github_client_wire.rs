//! The client of GitHub's API on the wire: what it sends, and what it makes of answers that GitHub does not give.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::{
    io::{Read as _, Write as _},
    net::{TcpListener, TcpStream},
    sync::mpsc::{Receiver, channel},
    thread::JoinHandle,
    time::Duration,
};

use shared::{
    github::{Github, GithubConfig, GithubError, JobStatus, Kind, Loss, Timeouts},
    model::{JobId, RepositoryName, Scope},
    settings::Environment,
    telemetry::chain,
};
use tokio::time::timeout;

const TOKEN: &str = "ghp_hush";
const JOB: &str = r#"{"id":7,"status":"queued","runner_name":""}"#;

/// Answers one request on each connection, with the next of `answers`; the requests are in the channel.
struct Server {
    url: String,
    requests: Receiver<String>,
    thread: JoinHandle<()>,
}

impl Server {
    fn answering(answers: Vec<String>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (sender, requests) = channel();
        let thread = std::thread::spawn(move || {
            for answer in answers {
                let (mut stream, _) = listener.accept().unwrap();
                sender.send(request(&mut stream)).unwrap();
                // The client may have had enough of it.
                stream.write_all(answer.as_bytes()).unwrap_or_default();
            }
        });
        Self { url, requests, thread }
    }

    /// The next request.
    fn request(&self) -> String {
        self.requests.recv_timeout(Duration::from_secs(5)).unwrap()
    }

    /// Ends the server, which must have given all its answers.
    async fn done(self) {
        ended(self.thread).await;
    }
}

/// Waits for a thread's end without keeping the client's connections from closing, which the thread may wait for.
async fn ended<T>(thread: JoinHandle<T>) -> T {
    for _ in 0..1000 {
        if thread.is_finished() {
            return thread.join().unwrap();
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("the server waits for calls that do not come");
}

/// Reads a request with its body.
fn request(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            if body.len() >= length.map_or(0, |length| length.parse().unwrap()) {
                return text;
            }
        }
        let read = stream.read(&mut buffer).unwrap();
        assert!(read > 0, "the request is cut off: {text}");
        bytes.extend_from_slice(&buffer[..read]);
    }
}

fn answer(status: &str, headers: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: {}\r\n{headers}\r\n{body}", body.len())
}

fn client(url: &str) -> Github {
    client_within(url, Duration::from_secs(5))
}

fn client_within(url: &str, call: Duration) -> Github {
    let mut environment = Environment::of([("AUTOSCALER_GITHUB_PAT", TOKEN), ("AUTOSCALER_GITHUB_URL", url)]);
    let config = GithubConfig::load(&mut environment);
    environment.finish().unwrap();
    Github::with_timeouts(&config, Timeouts { connect: Duration::from_secs(2), call }).unwrap()
}

fn repository() -> RepositoryName {
    "octo/repo".parse().unwrap()
}

fn scope() -> Scope {
    Scope::Repository(repository())
}

fn job() -> JobId {
    "7".parse().unwrap()
}

/// An error may go to logs and records with all its causes, and never shows the token.
fn said(error: &GithubError) -> String {
    let text = chain(error);
    assert!(!format!("{text} {error:?}").contains("hush"), "{text}");
    text
}

#[tokio::test]
async fn a_call_is_made_as_github_asks_for_it() {
    let server = Server::answering(vec![
        answer("200 OK", "", JOB),
        answer("201 Created", "", r#"{"token":"T","expires_at":"2026-01-02T03:04:05.678-08:00"}"#),
    ]);
    let github = client(&server.url);

    let found = github.job(&repository(), job()).await.unwrap();
    assert_eq!((found.status, found.runner_name), (JobStatus::Queued, None));
    let request = server.request();
    assert!(request.starts_with("GET /api/v3/repos/octo/repo/actions/jobs/7 HTTP/1.1\r\n"), "{request}");
    for header in [
        "authorization: Bearer ghp_hush",
        "accept: application/vnd.github+json",
        "x-github-api-version: 2022-11-28",
        concat!("user-agent: autoscaler/", env!("CARGO_PKG_VERSION")),
    ] {
        assert!(request.lines().any(|line| line == header), "there is no {header:?} in {request}");
    }

    let token = github.registration_token(&scope()).await.unwrap();
    assert_eq!(token.expires_at.unix_timestamp(), 1_767_351_845);
    assert!(!format!("{token:?}").contains("\"T\""));
    let request = server.request();
    assert!(request.starts_with("POST /api/v3/repos/octo/repo/actions/runners/registration-token "), "{request}");
    assert!(request.lines().any(|line| line == "content-length: 0"), "{request}");
    server.done().await;
}

#[tokio::test]
async fn a_renamed_repository_is_followed_on_the_same_host() {
    let server = Server::answering(vec![
        answer("307 Temporary Redirect", "location: /api/v3/repositories/9/actions/x\r\n", ""),
        answer("201 Created", "", r#"{"token":"T","expires_at":"2026-01-02T03:04:05Z"}"#),
    ]);
    client(&server.url).registration_token(&scope()).await.unwrap();
    assert!(server.request().starts_with("POST /api/v3/repos/"));
    let second = server.request();
    assert!(second.starts_with("POST /api/v3/repositories/9/actions/x "), "{second}");
    assert!(second.contains("ghp_hush"));
    server.done().await;
}

#[tokio::test]
async fn another_host_never_gets_the_token() {
    let other = TcpListener::bind("127.0.0.1:0").unwrap();
    other.set_nonblocking(true).unwrap();
    let location = format!("location: http://{}/repositories/9\r\n", other.local_addr().unwrap());
    let server = Server::answering(vec![answer("301 Moved Permanently", &location, "")]);

    let error = client(&server.url).job(&repository(), job()).await.unwrap_err();
    assert!(matches!(error, GithubError::Redirected { .. }), "{error:?}");
    assert_eq!((error.kind(), error.may_have_happened()), (Kind::Permanent, false));
    assert!(said(&error).contains("AUTOSCALER_GITHUB_URL"), "{error}");
    assert!(other.accept().is_err(), "the other host was called");
    server.done().await;
}

#[tokio::test]
async fn redirects_in_a_circle_come_to_an_end() {
    let circle = answer("302 Found", "location: /api/v3/again\r\n", "");
    let server = Server::answering(vec![circle; 4]);
    let error = client(&server.url).job(&repository(), job()).await.unwrap_err();
    assert!(matches!(error, GithubError::Redirected { .. }), "{error:?}");
    server.done().await;
}

#[tokio::test]
async fn an_answer_that_cannot_be_used_is_an_error_that_says_so() {
    let large = format!(r#"{{"id":7,"status":"{}"}}"#, "x".repeat(5 << 20));
    for (body, expected) in [
        ("<html>Log in</html>", "cannot read job 7 of octo/repo: the answer is not JSON"),
        ("{\"id\":7}", "the answer is incomplete: missing field `status`"),
        ("{\"id\":\"ghp_hush\",\"status\":\"queued\"}", "the answer has a value of a wrong kind"),
        (large.as_str(), "the answer is larger than 4194304 bytes"),
    ] {
        let server = Server::answering(vec![answer("200 OK", "", body)]);
        let error = client(&server.url).job(&repository(), job()).await.unwrap_err();
        assert!(said(&error).contains(expected), "{error}");
        assert_eq!((error.kind(), error.may_have_happened()), (Kind::Transient, true));
        server.done().await;
    }
}

#[tokio::test]
async fn the_status_of_an_error_counts_whatever_its_body_is() {
    let page = "<html>ghp_hush</html>".repeat(400_000);
    let cut_off = "HTTP/1.1 502 Bad Gateway\r\ncontent-length: 100\r\n\r\n{".to_owned();
    for sent in [answer("502 Bad Gateway", "", &page), cut_off] {
        let server = Server::answering(vec![sent]);
        let error = client(&server.url).job(&repository(), job()).await.unwrap_err();
        assert_eq!(error.status(), Some(502), "{error}");
        assert!(said(&error).ends_with("GitHub answered 502 Bad Gateway"), "{error}");
        server.done().await;
    }
}

#[tokio::test]
async fn a_token_that_github_repeats_is_not_repeated_here() {
    let server = Server::answering(vec![answer("422 Unprocessable Entity", "", r#"{"message":"ghp_hush is odd"}"#)]);
    let error = client(&server.url).job(&repository(), job()).await.unwrap_err();
    assert!(said(&error).contains("\"[token] is odd\""), "{error}");
    server.done().await;
}

#[tokio::test]
async fn an_answer_that_breaks_off_leaves_open_what_happened() {
    for sent in ["", "HTTP/1.1 20", "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{\"id\":7,"] {
        let server = Server::answering(vec![sent.to_owned()]);
        let error = client(&server.url).job(&repository(), job()).await.unwrap_err();
        assert!(matches!(error, GithubError::Lost { loss: Loss::Broken, .. }), "{sent:?} led to {error:?}");
        assert_eq!((error.kind(), error.may_have_happened()), (Kind::Transient, true));
        assert!(said(&error).contains(&server.url), "{error}");
        server.done().await;
    }
}

#[tokio::test]
async fn a_call_that_was_never_sent_has_not_happened() {
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let error = client(&format!("http://{nobody}")).job(&repository(), job()).await.unwrap_err();
    assert!(matches!(error, GithubError::Lost { loss: Loss::NotConnected, .. }), "{error:?}");
    assert_eq!((error.kind(), error.may_have_happened()), (Kind::Transient, false));
    assert!(said(&error).contains("refused"), "{error}");
}

#[tokio::test]
async fn a_call_ends_in_time_even_where_its_answer_only_drips() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let server = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        request(&mut stream);
        let mut sent = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n");
        while sent.is_ok() {
            std::thread::sleep(Duration::from_millis(50));
            sent = stream.write_all(b" ");
        }
    });
    let github = client_within(&url, Duration::from_millis(500));
    let ended_call = timeout(Duration::from_secs(5), github.job(&repository(), job())).await;
    let error = ended_call.expect("the call goes on").unwrap_err();
    assert!(matches!(error, GithubError::Lost { loss: Loss::TimedOut(_), .. }), "{error:?}");
    assert_eq!((error.kind(), error.may_have_happened()), (Kind::Transient, true));
    assert!(said(&error).contains("within 500ms no answer came"), "{error}");
    ended(server).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn at_most_fifty_calls_are_under_way_at_once() {
    /// So long after the last connection, no more are taken to come.
    const QUIET: Duration = Duration::from_millis(500);

    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (sender, connections) = channel();
    let accepting = std::thread::spawn(move || {
        for _ in 0..60 {
            sender.send(listener.accept().unwrap().0).unwrap();
        }
    });
    let answering = std::thread::spawn(move || {
        let mut rounds = Vec::new();
        while rounds.iter().sum::<usize>() < 60 {
            let mut waiting: Vec<TcpStream> = Vec::new();
            while let Ok(connection) = connections.recv_timeout(QUIET) {
                waiting.push(connection);
            }
            rounds.push(waiting.len());
            for mut connection in waiting {
                request(&mut connection);
                connection.write_all(answer("200 OK", "", JOB).as_bytes()).unwrap();
            }
        }
        rounds
    });

    let github = client_within(&url, Duration::from_secs(20));
    let mut calls = tokio::task::JoinSet::new();
    for _ in 0..60 {
        let github = github.clone();
        calls.spawn(async move { github.job(&repository(), job()).await.map(drop) });
    }
    while let Some(ended) = calls.join_next().await {
        ended.unwrap().unwrap();
    }
    ended(accepting).await;
    assert_eq!(ended(answering).await, [50, 10]);
}

/// By this machine's clock the assertion would end 20 minutes ago, or begin in the future.
#[tokio::test]
async fn an_app_goes_by_githubs_clock_once_it_is_known() {
    use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

    let wrong = r#"{"message":"'Expiration time' claim ('exp') must be a numeric value"}"#;
    let date = "date: Fri, 02 Jan 2026 03:04:05 GMT\r\n";
    let server = Server::answering(vec![
        answer("401 Unauthorized", date, wrong),
        answer("200 OK", date, r#"{"id":5}"#),
        answer("201 Created", date, r#"{"token":"ghs_hush","expires_at":"2026-01-02T04:04:05Z"}"#),
        answer("200 OK", date, JOB),
        answer("200 OK", date, JOB),
    ]);
    let mut environment = Environment::of([
        ("AUTOSCALER_GITHUB_APP_ID", "4711"),
        ("AUTOSCALER_GITHUB_APP_PRIVATE_KEY", devstack::github::APP_KEY),
        ("AUTOSCALER_GITHUB_URL", &server.url),
    ]);
    let config = GithubConfig::load(&mut environment);
    environment.finish().unwrap();
    let github = Github::new(&config).unwrap();
    github.job(&repository(), job()).await.unwrap();
    github.job(&repository(), job()).await.unwrap();

    server.request();
    let now = 1_767_323_045;
    for path in ["GET /api/v3/repos/octo/repo/installation ", "POST /api/v3/app/installations/5/access_tokens "] {
        let request = server.request();
        assert!(request.starts_with(path), "{request}");
        let claims = request.lines().find_map(|line| line.strip_prefix("authorization: Bearer ")).unwrap();
        let claims = URL_SAFE_NO_PAD.decode(claims.split('.').nth(1).unwrap()).unwrap();
        let claims: serde_json::Value = serde_json::from_slice(&claims).unwrap();
        let of = |name: &str| claims[name].as_i64().unwrap() - now;
        assert!((-70..=-60).contains(&of("iat")) && (530..=540).contains(&of("exp")), "{claims}");
    }
    for _ in 0..2 {
        assert!(server.request().contains("authorization: Bearer ghs_hush"));
    }
    server.done().await;
}

#[tokio::test]
async fn calls_that_follow_one_another_go_over_one_connection() {
    const CALLS: usize = 3;
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let thread = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        for _ in 0..CALLS {
            request(&mut stream);
            let kept = answer("200 OK", "", JOB).replace("connection: close\r\n", "");
            stream.write_all(kept.as_bytes()).unwrap();
        }
    });
    let github = client(&url);
    for _ in 0..CALLS {
        github.job(&repository(), job()).await.unwrap();
    }
    ended(thread).await;
}
