//! How a leased job gets its runner, and what happens until the runner is gone.

mod failure;
mod finish;
mod idle;
mod job;
mod register;
mod retire;
mod start;
mod vanished;
mod warm;
mod watch;

pub use failure::Failure;
pub use job::{adopt, fulfil};
pub use register::{Registered, deregister, register};
pub use retire::retire;
pub use vanished::vanished;
pub use warm::refill;
pub use watch::RETIRE_AGAIN;
