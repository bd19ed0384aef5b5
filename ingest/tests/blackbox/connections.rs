//! Connections: which are kept, how many requests they carry at once, and who keeps whom out.

use std::time::{Duration, Instant};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    task::JoinSet,
    time::sleep,
};

use super::{
    app::{App, Delivery, event},
    client::{connect, receive},
};

/// More than are served at once, by however many threads.
const MANY: u64 = 600;

/// All of a delivery about job `id`.
fn whole(id: u64) -> Vec<u8> {
    let delivery = Delivery::of(&event("queued", id));
    [delivery.head(&format!("Content-Length: {}", delivery.body.len())), delivery.body].concat()
}

/// Whether an answer is about job `id`, and leaves the connection open.
fn is_kept_after(answer: &str, id: u64) -> bool {
    assert!(answer.starts_with("HTTP/1.1 202 ") && answer.contains(&format!("job {id} is queued")), "{answer}");
    !answer.contains("\r\nconnection: close\r\n")
}

#[tokio::test]
async fn a_connection_serves_one_request_after_the_other() {
    let app = App::start().await;
    let mut stream = connect(app.port).await;
    for id in [1, 2, 3] {
        // In one piece or in several.
        for part in whole(id).chunks(if id == 2 { 1_000 } else { 100_000 }) {
            stream.write_all(part).await.unwrap();
            sleep(Duration::from_millis(5)).await;
        }
        let answer = receive_one(&mut stream).await;
        assert!(is_kept_after(&answer, id), "{answer}");
    }
    app.stop().await;
}

#[tokio::test]
async fn a_connection_of_which_more_may_have_been_read_is_closed_after_the_answer_and_says_so() {
    let app = App::start().await;
    let chunked = {
        let delivery = Delivery::of(&event("queued", 1));
        let length = format!("{:x}\r\n", delivery.body.len());
        [&delivery.head("Transfer-Encoding: chunked"), length.as_bytes(), &delivery.body, b"\r\n0\r\n\r\n"].concat()
    };
    let followed = [whole(2).as_slice(), b"POST /webhook HTTP/1.1\r\nhost:"].concat();
    for (id, request) in [(1, chunked), (2, followed)] {
        let mut stream = connect(app.port).await;
        stream.write_all(&request).await.unwrap();
        let answer = receive_one(&mut stream).await;
        assert!(!is_kept_after(&answer, id), "{answer}");
        assert_eq!(stream.read(&mut [0]).await.unwrap_or(0), 0, "it is still open after {answer}");
    }
    // A head in two pieces.
    let (mut stream, request) = (connect(app.port).await, whole(3));
    let (first, rest) = request.split_at(40);
    stream.write_all(first).await.unwrap();
    sleep(Duration::from_millis(50)).await;
    stream.write_all(rest).await.unwrap();
    assert!(!is_kept_after(&receive_one(&mut stream).await, 3));
    app.stop().await;
}

#[tokio::test]
async fn of_two_requests_at_once_neither_is_lost() {
    let app = App::start().await;
    let mut stream = connect(app.port).await;
    stream.write_all(&[whole(1), whole(2)].concat()).await.unwrap();
    let answers = receive(&mut stream).await;
    assert_eq!((answers.code, answers.header("connection")), (202, Some("close")), "{answers:?}");
    // Whoever sends so must send again what was not answered.
    let mut stream = connect(app.port).await;
    stream.write_all(&whole(2)).await.unwrap();
    assert!(receive_one(&mut stream).await.starts_with("HTTP/1.1 20"));
    assert!(app.job(1).await.is_some() && app.job(2).await.is_some());
    app.stop().await;
}

#[tokio::test]
async fn a_client_that_sends_its_second_request_byte_by_byte_is_cut_off() {
    let app = App::start().await;
    let mut stream = connect(app.port).await;
    stream.write_all(b"GET /heartbeat HTTP/1.1\r\nhost: i\r\n\r\n").await.unwrap();
    assert!(receive_one(&mut stream).await.starts_with("HTTP/1.1 200 "));
    let started = Instant::now();
    stream.write_all(b"GET /heartbeat HTTP/1.1\r\nx: ").await.unwrap();
    while stream.write_all(b"x").await.is_ok() {
        assert!(started.elapsed() < Duration::from_secs(15), "it is still listened to");
        sleep(Duration::from_millis(500)).await;
    }
    assert!(started.elapsed() > Duration::from_secs(4), "{:?}", started.elapsed());
    app.stop().await;
}

#[tokio::test]
async fn more_deliveries_than_are_served_at_once_are_all_answered() {
    let app = App::start().await;
    let mut senders = JoinSet::new();
    for id in 1..=MANY {
        let port = app.port;
        senders.spawn(async move {
            let mut stream = connect(port).await;
            stream.write_all(&whole(id)).await.unwrap();
            assert!(is_kept_after(&receive_one(&mut stream).await, id));
        });
    }
    senders.join_all().await;
    assert_eq!(app.pending().await, MANY);
    app.stop().await;
}

#[tokio::test]
async fn those_who_send_slowly_or_nothing_keep_nobody_out() {
    let app = App::start().await;
    let mut slow = Vec::new();
    for id in 1..=MANY {
        let mut stream = connect(app.port).await;
        let request = whole(id);
        stream.write_all(&request[..usize::try_from(id).unwrap() % 3 * 200]).await.unwrap(); // of its body, of its head, or nothing
        slow.push(stream);
    }
    let started = Instant::now();
    let mut stream = connect(app.port).await;
    stream.write_all(&whole(MANY + 1)).await.unwrap();
    assert!(is_kept_after(&receive_one(&mut stream).await, MANY + 1));
    // Their heads are waited for until five seconds are over, their bodies for ten.
    assert!(started.elapsed() < Duration::from_secs(4), "{:?}", started.elapsed());
    drop(slow);
    app.stop().await;
}

#[tokio::test]
async fn a_connection_without_a_request_keeps_nobody_from_stopping() {
    let app = App::start().await;
    let mut stream = connect(app.port).await;
    stream.write_all(&whole(1)).await.unwrap();
    assert!(is_kept_after(&receive_one(&mut stream).await, 1));
    let started = Instant::now();
    app.stop().await;
    assert!(started.elapsed() < Duration::from_secs(3), "{:?}", started.elapsed());
    assert_eq!(stream.read(&mut [0]).await.unwrap_or(0), 0, "it is still open");
}

#[tokio::test]
async fn a_connection_outlives_the_wait_for_a_head_between_two_requests() {
    let app = App::start().await;
    let mut stream = connect(app.port).await;
    for id in [1, 2] {
        stream.write_all(&whole(id)).await.unwrap();
        let answer = receive_one(&mut stream).await;
        assert!(is_kept_after(&answer, id), "{answer}");
        sleep(Duration::from_secs(7)).await;
    }
    stream.write_all(&whole(3)).await.unwrap();
    assert!(receive_one(&mut stream).await.starts_with("HTTP/1.1 202 "));
    app.stop().await;
}

/// Reads the answer to one of several requests over a connection.
async fn receive_one(stream: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    while !answer.ends_with(b"}") {
        let mut byte = [0];
        assert_eq!(stream.read(&mut byte).await.unwrap(), 1, "it is closed after {answer:?}");
        answer.extend(byte);
    }
    String::from_utf8(answer).unwrap()
}
