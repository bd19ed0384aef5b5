//! The public listener: from a delivery's bytes to a decision that is carried out in the queue.
//!
//! `bytes → Delivery → WorkflowJobEvent → Decision`: each step is a type that only the step before can make, so nothing
//! is parsed whose signature was not proved, and nothing is acknowledged that was not stored.

mod answer;
mod body;
mod delivery;
mod error;
mod inbox;
mod intake;
pub(crate) mod receive;
mod refusals;
pub(crate) mod routes;
mod sightings;
mod signature;

pub(crate) use answer::Verdict;
pub(crate) use body::BodyLimits;
pub(crate) use inbox::Inbox;
pub(crate) use routes::routes;
pub(crate) use signature::Signatures;
