//! Bodies: how they are packed, how large they may be, and how slow.

use std::time::{Duration, Instant};

use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::{
    app::{App, BODY_BYTES_MAX, Delivery, event, event_with, job_id},
    client::{self, connect, receive},
};

const CHUNKED: &str = "Transfer-Encoding: chunked";

/// A body of `length` bytes that is an event of job `id`.
fn padded(id: u64, length: usize) -> Vec<u8> {
    let mut body = event("queued", id).to_string().into_bytes();
    body.resize(length, b' ');
    body
}

#[tokio::test]
async fn a_form_is_signed_as_it_is_and_read_from_its_field() {
    let app = App::start().await;
    let json = event_with("queued", 1, &json!({ "name": "a & b = c + d ü" })).to_string();
    let form = |body: String| Delivery::of_bytes(body).with("Content-Type", "application/x-www-form-urlencoded");

    let answer = app.send(&form(form_urlencoded(&json))).await;
    assert_eq!(answer.outcome(), (202, "queued".to_owned()));
    assert!(app.job(1).await.is_some());

    for odd in ["", "payload", "payload=", "other=1", "payload=%7B"] {
        assert_eq!(app.send(&form(odd.to_owned())).await.outcome(), (400, "malformed".to_owned()), "{odd:?}");
    }
    app.stop().await;
}

#[tokio::test]
async fn a_body_of_the_limit_is_taken_and_one_of_a_byte_more_is_413() {
    let app = App::start().await;
    let most = app.send(&Delivery::of_bytes(padded(1, BODY_BYTES_MAX))).await;
    assert_eq!(most.outcome(), (202, "queued".to_owned()));
    let more = app.send(&Delivery::of_bytes(padded(2, BODY_BYTES_MAX + 1))).await;
    assert_eq!(more.outcome(), (413, "too_large".to_owned()));
    let much_more = app.send(&Delivery::of_bytes(padded(2, 100 * BODY_BYTES_MAX))).await;
    assert_eq!(much_more.outcome(), (413, "too_large".to_owned()));
    assert!(app.queue.job(job_id(2)).await.unwrap().is_none());
    app.stop().await;
}

#[tokio::test]
async fn a_body_that_is_announced_too_large_is_413_before_a_byte_of_it_came() {
    let app = App::start().await;
    for length in ["65537", "18446744073709551615"] {
        let mut stream = connect(app.port).await;
        let head = Delivery::of(&event("queued", 1)).head(&format!("Content-Length: {length}"));
        stream.write_all(&head).await.unwrap();
        assert_eq!(receive(&mut stream).await.outcome(), (413, "too_large".to_owned()), "{length}");
    }
    app.stop().await;
}

#[tokio::test]
async fn a_body_without_an_announced_length_is_taken_up_to_the_limit() {
    let app = App::start().await;
    for (id, length, expected) in [(1, BODY_BYTES_MAX, (202, "queued")), (2, BODY_BYTES_MAX + 1, (413, "too_large"))] {
        let delivery = Delivery::of_bytes(padded(id, length));
        let mut request = delivery.head(&format!("{CHUNKED}\r\nConnection: close"));
        for chunk in delivery.body.chunks(1000) {
            request.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
            request.extend_from_slice(chunk);
            request.extend_from_slice(b"\r\n");
        }
        request.extend_from_slice(b"0\r\n\r\n");
        let answer = client::send(app.port, &request).await;
        assert_eq!(answer.outcome(), (expected.0, expected.1.to_owned()), "{length}");
    }
    app.stop().await;
}

#[tokio::test]
async fn a_client_that_goes_on_for_ever_is_cut_off() {
    let app = App::start().await;
    // The unsigned one is answered at once, the other at the limit; an unknown path never reads.
    let signed = Delivery::of(&event("queued", 1));
    for delivery in [signed.clone(), signed.clone().without("X-Hub-Signature-256"), signed.to("/nowhere")] {
        let mut stream = connect(app.port).await;
        stream.write_all(&delivery.head(CHUNKED)).await.unwrap();
        let chunk = [b"1000\r\n".as_slice(), &[b' '; 0x1000], b"\r\n"].concat();
        let started = Instant::now();
        while stream.write_all(&chunk).await.is_ok() {
            assert!(started.elapsed() < Duration::from_secs(8), "it is still listened to at {}", delivery.path);
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
    app.stop().await;
}

#[tokio::test]
async fn a_client_that_stalls_is_cut_off() {
    let app = App::start().await;
    let started = Instant::now();
    let signed = Delivery::of(&event("queued", 1));
    // In the body, of a known and of an unknown length; in the head; and before it.
    let body = signed.head("Content-Length: 1000");
    let chunked = signed.head(CHUNKED);
    let (stalled, chunked, head, nothing) = tokio::join!(
        client::send(app.port, &body),
        client::send(app.port, &chunked),
        client::send(app.port, b"POST /webhook HTTP/1.1\r\nhost: i"),
        async { connect(app.port).await.read(&mut [0]).await },
    );
    assert_eq!(stalled.outcome(), (408, "too_slow".to_owned()));
    assert_eq!(chunked.outcome(), (408, "too_slow".to_owned()));
    assert_eq!(head.code, 408); // the server's own, without a body
    assert_eq!(nothing.unwrap(), 0, "it is hung up on: there is nothing to answer");
    assert!(started.elapsed() < Duration::from_secs(14), "{:?}", started.elapsed());
    app.stop().await;
}

fn form_urlencoded(json: &str) -> String {
    form_urlencoded::Serializer::new(String::new()).append_pair("payload", json).finish()
}
