//! A stand-in for GitHub: its API for runners, its webhooks, and what it does between the two.
//!
//! [`StandIn`] is a server with state. A job that is queued is announced by a signed webhook; a runner that was
//! registered through the API and listens gets it when its labels cover the job's; each step of it is announced in
//! turn. What GitHub refuses is refused with its status, its words and its headers, and [`Fault`]s are had on demand.
//!
//! Everything that decides is in `state`, which does no I/O.

mod app;
mod calls;
mod command;
mod config;
mod fault;
mod hooks;
mod http;
mod hub;
mod permission;
mod rate;
mod server;
mod stand_in;
mod state;
mod webhook;

pub use app::{APP_KEY, App, Installation};
pub use calls::Call;
pub use command::GithubCommand;
pub use config::{Choice, Config, HookTarget, Timings, Token, Webhook};
pub use fault::{Effect, Fault};
pub use permission::{ClassicScope, FineGrained, Permissions};
pub use stand_in::{StandIn, StandInError, TooLate};
pub use state::{Conclusion, GroupId, JobSpec, JobStatus, JobView, OddPayload, RunnerView, TakenBy};
pub use webhook::{Befallen, ContentType, Delivered, Mischief};

pub(crate) use fault::Faults;
pub(crate) use state::guid;
pub(crate) use webhook::example;
