//! The queue: the only thing that ties `ingest` and `worker` together.
//!
//! This file and its neighbours say what the queue promises, without a store's name in it; [`redis`] keeps the
//! promises.
//!
//! - A job that was acknowledged ([`Enqueued::Stored`]) stays until it is done, dead or cancelled.
//! - A job is held by one [`Lease`] at a time, and only its holder can settle it.
//! - No more jobs are leased than the pool's limit allows.
//! - What happens to a job is on its record, with time and reason.
//!
//! Every operation may be repeated after an error: at worst a lease is left to expire.

mod config;
mod error;
mod lease;
mod message;
mod record;
pub mod redis;

pub use self::redis::{Announcement, Progress, RedisQueue as Queue};
pub use config::QueueConfig;
pub use error::QueueError;
pub use lease::{Adoption, Beat, Lease, Reserved, Settlement};
pub use message::{CancelOutcome, Enqueued, Noted, Unmatched};
pub use record::{Event, JobRecord, What};
