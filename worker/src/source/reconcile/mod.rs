//! Compares the queue with GitHub, which forgets: deliveries that failed are asked for again, jobs of which no webhook came
//! are put into the queue, records of jobs that have ended are closed, and registrations that nobody will use are deleted.
//!
//! [`Round`] is one comparison, in bounds; [`run`] has one made again and again, by one worker at a time.

mod hooks;
mod job;
mod registrations;
mod report;
mod round;
mod sweep;
mod turns;

pub use report::{Closed, Deregistered, Enqueued, Problem, Redelivered, Report};
pub use round::Round;
pub use turns::run;
