//! Row 4: workers whose clocks are wrong. (Those of Redis count, and those that only go forward.)

use std::path::Path;

use crate::{
    load::{JOBS, options, under_load},
    world::{World, alone},
};

#[tokio::test]
async fn workers_clocks_may_be_wrong_by_an_hour() {
    let _alone = alone().await;
    let faketime = ["/usr/bin/faketime", "/usr/local/bin/faketime"].into_iter().find(|path| Path::new(path).exists());
    let faketime = faketime.expect("this test needs faketime: apt-get install faketime");
    let mut world = World::still(options()).await;
    for (number, offset) in ["+1h", "-1h", "+0"].into_iter().enumerate() {
        world.workers[number].spec = world.workers[number].spec.clone().run_by(faketime, &["-f", offset]);
        world.workers[number].start();
        world.worker_is_up(number).await;
    }
    under_load("clocks wrong by an hour", world, JOBS, async |world, number| {
        if number % 20 == 10 {
            let worker = number / 20;
            world.workers[worker].kill();
            world.workers[worker].start();
        }
    })
    .await;
}
