//! `ingest` receives GitHub's webhooks and stores the jobs they ask for in the queue.
//!
//! It stands on the internet, knows the webhook secret, and holds nothing else that is worth stealing: neither a
//! GitHub credential nor a Docker socket. A delivery is acknowledged only once what it asks for is stored.

mod admin;
pub mod config;
mod listener;
mod metrics;
mod queue_metrics;
pub mod startup;
mod webhook;
