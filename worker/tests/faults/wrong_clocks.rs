//! Row 4: workers whose clocks are wrong. That of Redis counts, and those that only go forward.

use std::{fs, path::PathBuf};

use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use crate::{
    load::{JOBS, options, under_load},
    world::{World, turn},
};

/// Where Debian has the library, whatever the machine.
fn library() -> Option<PathBuf> {
    let folders = fs::read_dir("/usr/lib").ok()?.flatten();
    folders.map(|folder| folder.path().join("faketime/libfaketimeMT.so.1")).find(|library| library.exists())
}

#[tokio::test]
async fn workers_clocks_may_be_wrong_by_an_hour() {
    let _turn = turn().await;
    let library = library().expect("this test needs libfaketime: apt-get install faketime");
    let mut world = World::still(options()).await;
    for (number, offset) in ["+1h", "-1h", "+0"].into_iter().enumerate() {
        let spec = world.workers[number].spec.clone().env("LD_PRELOAD", &library).env("FAKETIME", offset);
        world.workers[number].spec = spec;
        world.workers[number].start();
        world.worker_is_up(number).await;
    }
    let said = world.workers[0].process().lines().remove(0);
    let (stamp, _) = said.split_once(' ').unwrap();
    let ahead = OffsetDateTime::parse(stamp, &Rfc3339).unwrap() - OffsetDateTime::now_utc();
    assert!(ahead.whole_minutes() > 50, "its clock is right: {said}");
    under_load("clocks wrong by an hour", world, JOBS, async |world, number| {
        if number % 20 == 10 {
            let worker = number / 20;
            world.workers[worker].kill();
            world.workers[worker].start();
        }
    })
    .await;
}
