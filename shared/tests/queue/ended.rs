//! Jobs that have ended: each is shown once, to whoever tells others of them, with its trace.

use std::time::Duration;

use shared::{
    model::{JobTrace, Traceparent},
    queue::{DeadLetters, Settlement},
};
use tokio::time::sleep;

use crate::support::{TestQueue, job, message, pool, worker};

/// Longer than what has just ended is left for the next look.
const MARGIN: Duration = Duration::from_millis(300);

impl TestQueue {
    async fn end(&self, id: u64, settlement: Settlement) {
        let mut message = message(id);
        message.trace = Some(JobTrace::begin(None, Duration::from_millis(id)));
        self.queue.enqueue(&message).await.unwrap();
        let lease = self.reserve("a").await;
        assert_eq!(lease.job, message, "the trace goes with the job");
        self.queue.settle(lease, settlement).await.unwrap();
    }

    /// Those that have ended since, `most` at once, and whether there are more.
    async fn look(&self, most: usize) -> (Vec<u64>, bool) {
        let ended = self.queue.ended(&pool(), most).await.unwrap();
        if ended.until > 0 {
            self.queue.told(&pool(), ended.until).await.unwrap();
        }
        (ended.jobs.iter().map(|(message, _)| message.job_id.get()).collect(), ended.more)
    }
}

fn done() -> Settlement {
    Settlement::Done { detail: "done".to_owned() }
}

#[tokio::test]
async fn each_job_that_has_ended_is_shown_until_it_was_told_of_and_then_no_more() {
    let test = TestQueue::new().await;
    test.end(1, done()).await;
    sleep(MARGIN).await;
    assert_eq!(test.look(10).await, (vec![], false), "what ended before is not told of");

    test.end(2, done()).await;
    test.end(3, Settlement::Dead { error: "it cannot be".to_owned() }).await;
    test.enqueue(4).await;
    test.queue.cancel(&pool(), job(4), None, "no more").await.unwrap();
    sleep(MARGIN).await;
    let seen = test.queue.ended(&pool(), 10).await.unwrap();
    assert_eq!(seen.jobs.iter().map(|(message, _)| message.job_id.get()).collect::<Vec<_>>(), [2, 3, 4]);
    let (message, record) = &seen.jobs[1];
    assert_eq!(message.trace.as_ref().map(|trace| trace.ms), Some(3));
    assert_eq!(record.events.last().map(|event| event.what.as_str()), Some("dead"));
    assert_eq!(test.look(10).await.0, [2, 3, 4], "nobody was told of them");
    assert_eq!(test.look(10).await.0, Vec::<u64>::new());

    let trace = message.trace.clone();
    test.queue.replay(&DeadLetters { jobs: vec![job(3)], ..DeadLetters::default() }).await.unwrap();
    let lease = test.reserve("a").await;
    assert_eq!(lease.job.trace, trace, "a replay goes on with its trace");
    test.queue.settle(lease, done()).await.unwrap();
    sleep(MARGIN).await;
    assert_eq!(test.look(10).await.0, [3], "it has ended again");
}

#[tokio::test]
async fn many_are_shown_bit_by_bit_and_none_twice() {
    let test = TestQueue::new().await;
    test.look(2).await;
    for id in 1..=5 {
        test.end(id, done()).await;
        sleep(Duration::from_millis(2)).await;
    }
    sleep(MARGIN).await;
    let mut seen = Vec::new();
    loop {
        let (some, more) = test.look(2).await;
        assert!(some.len() <= 2, "{some:?}");
        seen.extend(some);
        if !more {
            break;
        }
    }
    assert_eq!(seen, [1, 2, 3, 4, 5]);
}

#[tokio::test]
async fn one_worker_at_a_time_tells_of_them() {
    let test = TestQueue::new().await;
    let hold = Duration::from_millis(500);
    let may = async |who| test.queue.may_tell(&pool(), &worker(who), hold).await.unwrap();
    assert_eq!([may("a").await, may("b").await, may("a").await], [true, false, true]);
    sleep(hold + MARGIN).await;
    assert!(may("b").await, "the first one has fallen silent");
}

#[tokio::test]
async fn a_message_without_a_trace_and_one_whose_trace_is_odd_are_read() {
    let test = TestQueue::new().await;
    for (id, trace) in [(1, None), (2, Some("7")), (3, Some(r#"{"traceparent":"00-0-0-00","ms":1}"#))] {
        test.enqueue(id).await;
        let key = format!("gha:{{default}}:job:{id}");
        let mut stored = serde_json::to_value(message(id)).unwrap();
        let fields = stored.as_object_mut().unwrap();
        match trace {
            Some(trace) => drop(fields.insert("trace".to_owned(), serde_json::from_str(trace).unwrap())),
            None => drop(fields.remove("trace").unwrap()),
        }
        let mut write = redis::cmd("HSET");
        write.arg(key).arg("msg").arg(stored.to_string());
        let _new: u32 = test.queue.command(&write).await.unwrap();
        assert_eq!(test.reserve("a").await.job, message(id));
    }
    assert!("00-0-0-00".parse::<Traceparent>().is_err());
}
