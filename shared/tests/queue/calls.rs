//! Calls to GitHub: those who make them with one credential stay within its limits together.

use std::time::Duration;

use shared::model::{Admission, Bucket, Caller, CallerKind, Demand, Heard, Hold, Pace, Ticket, Verdict};
use tokio::time::sleep;

use crate::support::TestQueue;

const ENDPOINT: &str = "POST actions/runners/generate-jitconfig";

/// Longer than any call may be delayed in place.
const PATIENCE: Duration = Duration::from_secs(2);

fn caller(name: &str) -> Caller {
    Caller::new(CallerKind::Token, name.to_owned())
}

fn call(name: &str) -> Demand {
    Demand { caller: caller(name), endpoint: Some(ENDPOINT.to_owned()), urgent: false, paces: Vec::new() }
}

/// A call that registers a runner at a scope that takes nine in five minutes: three at once, and then one in 50 seconds.
fn registration(name: &str, scope: &str) -> Demand {
    let pace = Pace { name: scope.to_owned(), cost: 1, most: 9, period: Duration::from_mins(5) };
    Demand { paces: vec![pace], ..call(name) }
}

fn bucket(limit: u64, remaining: u64, reset: Duration) -> Bucket {
    Bucket { resource: "core".to_owned(), limit, remaining, reset }
}

fn limited(wait: Option<Duration>) -> Verdict {
    Verdict::Limited { wait, said: "too many".to_owned() }
}

impl TestQueue {
    /// The ticket of a call that may be made at once.
    async fn go(&self, demand: &Demand) -> Ticket {
        match self.queue.admit(demand, PATIENCE).await.unwrap() {
            Admission::Go { ticket, delay: Duration::ZERO } => ticket,
            other => panic!("{other:?}"),
        }
    }

    /// Why a call has to wait.
    async fn hold(&self, demand: &Demand) -> Hold {
        match self.queue.admit(demand, PATIENCE).await.unwrap() {
            Admission::Wait(hold) => hold,
            Admission::Go { .. } => panic!("it may be made"),
        }
    }

    /// How many calls may be made at once, up to a hundred.
    async fn count(&self, demand: &Demand) -> usize {
        let mut count = 0;
        while count < 100 && matches!(self.queue.admit(demand, PATIENCE).await.unwrap(), Admission::Go { .. }) {
            count += 1;
        }
        count
    }

    async fn hear(&self, ticket: Ticket, bucket: impl Into<Option<Bucket>>, verdict: Verdict) -> Duration {
        let heard = Heard { endpoint: ENDPOINT.to_owned(), status: Some(201), bucket: bucket.into(), verdict };
        self.queue.heard(&caller("me"), ticket, &heard).await.unwrap()
    }
}

fn seconds(duration: Duration) -> u64 {
    duration.as_millis().div_ceil(1000).try_into().unwrap()
}

#[tokio::test]
async fn a_scope_whose_registrations_are_used_up_waits_and_no_other() {
    let test = TestQueue::new().await;
    for _ in 0..3 {
        test.go(&registration("me", "octo/one")).await;
    }
    let hold = test.hold(&registration("me", "octo/one")).await;
    assert_eq!((seconds(hold.wait), hold.limit.as_str(), hold.all), (50, "octo/one", false));
    test.go(&registration("me", "octo/two")).await;
    test.go(&registration("another", "octo/one")).await;
    test.go(&call("me")).await;
    let alone = Demand { endpoint: None, ..registration("me", "octo/one") };
    assert!(test.hold(&alone).await.wait > PATIENCE, "a runner that registers itself counts there, too");
}

#[tokio::test]
async fn those_who_wait_for_one_limit_are_told_to_come_one_after_the_other() {
    let test = TestQueue::new().await;
    while let Admission::Go { .. } = test.queue.admit(&registration("me", "octo/one"), PATIENCE).await.unwrap() {}
    let mut waits = Vec::new();
    for _ in 0..8 {
        waits.push(seconds(test.hold(&registration("me", "octo/one")).await.wait));
    }
    assert_eq!(waits[..4], [100, 150, 200, 250]);
    assert!(waits[4..].iter().all(|wait| *wait == 300), "none for longer than five minutes: {waits:?}");
}

#[tokio::test]
async fn what_is_left_of_a_bucket_is_spread_over_the_time_to_its_reset() {
    let test = TestQueue::new().await;
    let first = test.go(&call("me")).await;
    assert!(test.count(&call("me")).await > 50, "nothing is known of it yet");
    test.command("DEL gha:{github:me}:calls").await;
    test.hear(first, bucket(1000, 120, Duration::from_mins(1)), Verdict::Done).await;

    let at_once = test.count(&call("me")).await;
    assert!((20..=30).contains(&at_once), "{at_once}: a quarter of the hundred that are not kept in reserve");
    let hold = test.hold(&call("me")).await;
    assert!(!hold.all && hold.wait > PATIENCE && hold.limit == "core requests", "{hold:?}");
    let in_a_moment = test.queue.admit(&call("me"), Duration::from_secs(30)).await.unwrap();
    assert!(matches!(in_a_moment, Admission::Go { delay, .. } if delay > Duration::ZERO), "{in_a_moment:?}");
}

#[tokio::test]
async fn what_is_kept_of_a_bucket_is_there_for_calls_that_end_something() {
    let test = TestQueue::new().await;
    let first = test.go(&call("me")).await;
    test.hear(first, bucket(500, 10, Duration::from_mins(1)), Verdict::Done).await;
    let hold = test.hold(&call("me")).await;
    assert!(hold.all && (59..=60).contains(&seconds(hold.wait)), "until its reset: {hold:?}");
    let urgent = Demand { urgent: true, ..call("me") };
    assert_eq!(test.count(&urgent).await, 10);
    assert!(test.hold(&urgent).await.all, "nothing is left");
    // What an answer tells that was long on its way.
    test.hear(first, bucket(500, 11, Duration::from_mins(1)), Verdict::Done).await;
    test.hold(&urgent).await;
    // Another kind of call may be counted in another bucket.
    let other = Demand { endpoint: Some("GET other".to_owned()), ..call("me") };
    let heard = Heard {
        endpoint: "GET other".to_owned(),
        status: Some(200),
        bucket: Some(Bucket { resource: "other".to_owned(), ..bucket(50, 50, Duration::from_mins(1)) }),
        verdict: Verdict::Done,
    };
    test.queue.heard(&caller("me"), first, &heard).await.unwrap();
    test.go(&other).await;
}

#[tokio::test]
async fn a_bucket_is_full_again_after_its_reset_and_no_fuller() {
    let test = TestQueue::new().await;
    let first = test.go(&call("me")).await;
    test.hear(first, bucket(40, 0, Duration::from_millis(300)), limited(None)).await;
    let hold = test.hold(&call("me")).await;
    assert!(hold.wait <= Duration::from_millis(300), "the bucket is waited for, and nothing else: {hold:?}");
    sleep(hold.wait).await;
    let urgent = Demand { urgent: true, ..call("me") };
    let ticket = test.go(&urgent).await;
    // GitHub says how long this period is; it has counted one call.
    test.hear(ticket, bucket(40, 39, Duration::from_mins(1)), Verdict::Done).await;
    assert_eq!(test.count(&urgent).await, 39);
}

#[tokio::test]
async fn while_github_wants_no_calls_none_is_made_and_then_one_at_a_time() {
    let test = TestQueue::new().await;
    let (hit, under_way) = (test.go(&call("me")).await, test.go(&call("me")).await);
    let stop = test.hear(hit, None, limited(Some(Duration::from_millis(500)))).await;
    assert_eq!(stop, Duration::from_millis(500));
    for urgent in [false, true] {
        let hold = test.hold(&Demand { urgent, ..call("me") }).await;
        assert!(hold.all && hold.wait <= stop && hold.limit == "too many", "{hold:?}");
    }
    test.go(&call("another")).await;
    test.hear(under_way, None, Verdict::Done).await;
    test.hold(&call("me")).await;

    sleep(stop).await;
    let probe = test.go(&call("me")).await;
    assert_eq!(test.hold(&call("me")).await.limit, "calls at one time");
    test.hear(probe, None, Verdict::Failed).await;
    let probe = test.go(&call("me")).await;
    test.hold(&call("me")).await;
    test.hear(probe, None, Verdict::Refused).await;
    assert!(test.count(&call("me")).await > 50);
}

#[tokio::test]
async fn a_limit_that_comes_back_without_a_time_is_waited_for_twice_as_long() {
    let test = TestQueue::new().await;
    let mut stops = Vec::new();
    for _ in 0..8 {
        let ticket = test.go(&call("me")).await;
        let stop = test.hear(ticket, None, limited(None)).await;
        let late = test.hear(ticket, None, limited(None)).await;
        assert!(late <= stop, "a call that was under way then does not count");
        stops.push(stop.as_secs());
        test.command("DEL gha:{github:me}:stop").await;
    }
    assert_eq!(stops, [60, 120, 240, 480, 960, 1920, 3600, 3600]);
}

#[tokio::test]
async fn so_many_calls_are_under_way_at_most() {
    let test = TestQueue::new().await;
    let first = test.go(&call("me")).await;
    assert_eq!(test.count(&call("me")).await, 89);
    assert!(test.hold(&call("me")).await.wait <= PATIENCE);
    test.hear(first, None, Verdict::Failed).await;
    let second = test.go(&call("me")).await;
    test.hold(&call("me")).await;
    // Whoever made this one is gone.
    test.command(&format!("ZADD gha:{{github:me}}:calls XX 1 {}", second.0)).await;
    test.go(&call("me")).await;
}
