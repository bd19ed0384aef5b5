//! The same as `main.rs`, on a file of SQLite's.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod crossing;
mod demand;
mod fairness;
mod invariants;
mod lease;
mod limits;
mod look;
mod model;
mod operation;
mod run;
mod store;
mod warm;
mod work;
mod world;

use look::Kept;
use run::run;

#[test]
fn whatever_happens_in_whatever_order_the_queue_keeps_its_promises() {
    run(&Kept::Sqlite(tempfile::tempdir().unwrap().into()));
}
