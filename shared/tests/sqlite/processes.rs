//! Several connections to one file, as several processes have them.

use std::time::Duration;

use futures_util::future::join_all;
use shared::queue::{Enqueued, Reserved};
use tokio::time::{Instant, sleep};

use crate::support::{TestQueue, connect, message, pool, worker};

/// How soon a worker has to hear of a job: of ten, the median.
const HEARD: Duration = Duration::from_millis(50);

#[tokio::test]
async fn a_waiting_worker_hears_of_a_job_that_another_process_stored() {
    let test = TestQueue::new().await;
    let waiter = connect(test.store.url());
    let mut took = Vec::new();
    for id in 1..=10 {
        let waits = async {
            waiter.wait(&[pool()], Duration::from_secs(5)).await.unwrap();
            let reserved = waiter.reserve(&pool(), &worker("a")).await.unwrap();
            assert!(matches!(reserved, Reserved::Job(_)), "{reserved:?}");
            Instant::now()
        };
        let enqueues = async {
            sleep(Duration::from_millis(100)).await;
            test.enqueue(id).await;
            Instant::now()
        };
        let (reserved, stored) = tokio::join!(waits, enqueues);
        took.push(reserved.saturating_duration_since(stored));
        drop(waiter.wait(&[pool()], Duration::from_millis(1)).await); // what the reservation has set
    }
    took.sort();
    assert!(took[5] <= HEARD, "{took:?}");
}

#[tokio::test]
async fn who_stores_without_a_pause_does_not_shut_the_others_out() {
    let test = TestQueue::new().await;
    let other = connect(test.store.url());
    let (queue, until) = (&test.queue, Instant::now() + Duration::from_secs(2));
    let flood = join_all((0..64).map(|sender| async move {
        let mut stored = 0;
        while Instant::now() < until {
            let id = 1_000_000 * (sender + 1) + stored;
            assert_eq!(queue.enqueue(&message(id)).await.unwrap(), Enqueued::Stored);
            stored += 1;
        }
        stored
    }));
    let reserve = async {
        let mut longest = Duration::ZERO;
        while Instant::now() < until {
            let start = Instant::now();
            other.reserve(&pool(), &worker("a")).await.unwrap();
            longest = longest.max(start.elapsed());
            sleep(Duration::from_millis(5)).await;
        }
        longest
    };
    let (stored, longest) = tokio::join!(flood, reserve);
    println!("stored {} in 2 s; the longest wait of the other: {longest:?}", stored.iter().sum::<u64>());
    assert!(stored.iter().all(|stored| *stored > 0) && longest < Duration::from_secs(1), "{longest:?}");
}
