//! The queue: the only thing that ties `ingest` and `worker` together.
//!
//! This file and its neighbours say what the queue promises; `operation` and its scripts keep the promises, in either of two
//! stores: `redis`, or `sqlite` for a single machine.
//!
//! - A job that was acknowledged ([`Enqueued::Stored`]) stays until it is done, dead or cancelled.
//! - A job is held by one [`Lease`] at a time, and only its holder can settle it.
//! - No more jobs are leased than the pool's limit allows.
//! - What happens to a job is on its record, with time and reason.
//!
//! Every operation may be repeated after an error: at worst a lease is left to expire.

mod audit;
mod config;
mod dead_letter;
mod error;
mod explanation;
mod facts;
mod happening;
mod job_filter;
mod lease;
mod limits;
mod message;
mod moved;
mod news;
mod operation;
mod reconcile;
mod record;
mod redis;
mod script;
mod seen;
mod sqlite;
mod store;
mod waits;

pub use audit::AuditReport;
pub use config::QueueConfig;
pub use dead_letter::DeadLetters;
pub use error::QueueError;
pub use explanation::{Explanation, Reason};
pub use facts::{FileFacts, ServerFacts, StoreFacts};
pub use happening::Happening;
pub use job_filter::{JobFilter, JobsMark, JobsPage};
pub use lease::{Adoption, Backup, Beat, Idle, IdleRunner, Lease, LeaseId, Reserved, Room, Settlement};
pub use limits::{LimitChange, PoolLimits};
pub use message::{CancelOutcome, Enqueued, Noted, Served, ServedBy, Unmatched};
pub use moved::{Moved, MovedPool};
pub use news::News;
pub use operation::{Announcement, Ended, Ending, Progress, Queue};
pub use reconcile::{LiveJob, Memo, Redelivery, Standing};
pub use record::{Event, JobRecord, PostMortem, What};
pub use script::script_name;
pub use seen::Seen;
pub use waits::Waits;
