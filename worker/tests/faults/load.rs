//! Jobs that keep coming while something goes wrong.

use std::time::Duration;

use tokio::time::sleep;

use crate::{
    counts::Counts,
    spec::{Options, PoolOptions, job},
    world::{PATIENCE, World},
};

/// How many jobs there are usually, and how soon one follows the other.
pub(crate) const JOBS: usize = 60;
const EVERY: Duration = Duration::from_millis(50);
/// Long enough for all slots to be in use.
const SCRIPT: &str = "sleep 0.3";

/// Two ingests and three workers that run out of slots.
pub(crate) fn options() -> Options {
    let pools = vec![PoolOptions { name: "default", most: 6, per_scope: 3 }];
    Options { ingests: 2, workers: 3, pools, ..Options::default() }
}

/// Queues jobs of three repositories; before each, `happens` may do something, and knows how many there were. Then all is
/// well: nothing is lost, and every job has run. Returns the world at rest.
pub(crate) async fn under_load(
    run: &str,
    mut world: World,
    jobs: usize,
    mut happens: impl AsyncFnMut(&mut World, usize),
) -> World {
    for number in 0..jobs {
        happens(&mut world, number).await;
        world.github.queue_job(job(&format!("octocat/repo-{}", number % 3), "default", SCRIPT));
        world.github.redeliver_failed();
        world.next_ingest();
        sleep(EVERY).await;
    }
    world.rest(PATIENCE).await;
    let counts = Counts::of(&world);
    counts.hold(run);
    let all = world.github.jobs().len(); // some may have been there before
    assert!(all >= jobs, "{run}");
    // One that waited for a minute may have run on the runner of another one, and is closed as such.
    assert_eq!((counts.accepted, counts.done + counts.cancelled), (all, all), "{run}");
    world
}
