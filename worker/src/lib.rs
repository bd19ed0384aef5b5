//! Turns queued workflow jobs into ephemeral runners.
//!
//! [`dispatch`] takes jobs from the queue; [`fulfil`] gives each its runner, through GitHub and a [`provider`], and
//! stays with it to its end; [`keeper`] keeps the leases alive; [`janitor`] takes up what others left behind;
//! [`audit`] has the queue looked through, and [`source::reconcile`] compares it with GitHub; [`governor`] keeps the calls of
//! all workers within GitHub's limits; [`traces`] tells a collector of jobs that have ended.

pub mod audit;
pub mod cause;
pub mod cli;
pub mod config;
pub mod context;
pub mod dispatch;
pub mod doctor;
pub mod engine;
pub mod fulfil;
pub mod governor;
mod init;
pub mod janitor;
pub mod keeper;
mod limits;
pub mod metrics;
pub mod provider;
mod rate_limits;
pub mod runner;
pub mod served;
pub mod source;
pub mod stages;
pub mod startup;
pub mod traces;
