//! Nobody gets past the signature.

use std::time::{Duration, Instant};

use super::app::{App, Delivery, PREVIOUS, SECRET, event, job_id, signature};

const HEADER: &str = "X-Hub-Signature-256";

#[tokio::test]
async fn an_odd_signature_header_is_401_and_never_500() {
    let app = App::start().await;
    let good = Delivery::of(&event("queued", 1));
    let right = signature(SECRET, &good.body);
    let digits = right.strip_prefix("sha256=").unwrap();
    let odd: [(&str, Vec<u8>); 11] = [
        ("empty", Vec::new()),
        ("bare", digits.into()),
        ("only the prefix", b"sha256=".into()),
        ("upper-case prefix", format!("SHA256={digits}").into()),
        ("another algorithm", format!("sha1={digits}").into()),
        ("short", right[..right.len() - 1].into()),
        ("shorter by a byte", right[..right.len() - 2].into()),
        ("long", format!("{right}00").into()),
        ("not hexadecimal", format!("sha256={}", "z".repeat(64)).into()),
        ("not ASCII", [b"sha256=".as_slice(), &[0xff; 64]].concat()),
        ("two in one", format!("{right}, {right}").into()),
    ];
    for (what, value) in odd {
        let answer = app.send(&good.clone().with(HEADER, value)).await;
        assert_eq!(answer.outcome(), (401, "unauthorized".to_owned()), "{what}");
        assert!(!answer.msg().contains("AUTOSCALER"), "{what}");
    }
    assert_eq!(app.send(&good.clone().without(HEADER)).await.code, 401, "missing");
    assert_eq!(app.send(&good.clone().and(HEADER, right.clone())).await.code, 401, "doubled");
    let other = signature("another secret, just as long", &good.body);
    assert_eq!(app.send(&good.clone().with(HEADER, other)).await.code, 401, "another secret");

    assert_eq!(app.pending().await, 0);
    assert_eq!(app.metric(r#"autoscaler_deliveries_total{decision="unauthorized"}"#).await, Some(14.0));
    assert_eq!(app.send(&good).await.outcome(), (202, "queued".to_owned()));
    app.stop().await;
}

#[tokio::test]
async fn a_body_that_was_changed_on_the_way_is_401() {
    let app = App::start().await;
    let good = Delivery::of(&event("queued", 1));
    for change in [&b" "[..], b"\n", b"\0"] {
        let mut changed = good.clone();
        changed.body.extend_from_slice(change);
        assert_eq!(app.send(&changed).await.code, 401);
    }
    app.stop().await;
}

#[tokio::test]
async fn nothing_of_an_unsigned_delivery_is_judged_but_its_signature() {
    let app = App::start().await;
    let unsigned = Delivery::of_bytes("{ no JSON").with(HEADER, signature("not the secret at all", b"{ no JSON"));
    for odd in [
        unsigned.clone(),
        unsigned.clone().without("X-GitHub-Event"),
        unsigned.clone().without("X-GitHub-Delivery"),
        unsigned.with("Content-Type", "text/plain"),
    ] {
        assert_eq!(app.send(&odd).await.code, 401);
    }
    app.stop().await;
}

#[tokio::test]
async fn a_delivery_signed_with_the_previous_secret_is_taken() {
    let app = App::start().await;
    let delivery = Delivery::of(&event("queued", 1));
    let delivery = delivery.clone().with(HEADER, signature(PREVIOUS, &delivery.body));
    assert_eq!(app.send(&delivery).await.outcome(), (202, "queued".to_owned()));
    app.stop().await;
}

#[tokio::test]
async fn who_asks_why_a_job_never_came_is_told_of_refused_deliveries() {
    let app = App::start().await;
    let delivery = Delivery::of(&event("queued", 1)).without(HEADER);
    for _ in 0..3 {
        assert_eq!(app.send(&delivery).await.code, 401);
    }
    let started = Instant::now();
    loop {
        let said = app.queue.explain(job_id(1)).await.unwrap().text;
        if said.contains("3 deliveries were refused") {
            break;
        }
        assert!(started.elapsed() < Duration::from_secs(30), "{said}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    app.stop().await;
}
