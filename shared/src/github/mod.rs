//! The client of GitHub's REST API, of github.com and of GitHub Enterprise Server alike.
//!
//! [`Github`] makes the calls. Each is one attempt, bounded in time; whether to try again is its caller's decision, by
//! [`GithubError::kind`]. Nothing here knows the queue.

mod answer;
mod app;
mod auth;
mod cache;
mod call;
mod client;
mod clock;
mod config;
mod delivery;
mod error;
mod governor;
mod group;
mod hook;
mod installation;
mod job;
mod permission;
mod rate_limit;
mod redirect;
mod registration;
mod run;
mod runner;
mod site;
mod standing;

pub use answer::Refusal;
pub use app::{App, AppId, AppKey};
pub use auth::{AccessToken, Credential};
pub use call::ENDPOINTS;
pub use client::{Github, Timeouts};
pub use config::{Authorities, GithubConfig};
pub use delivery::{Hook, HookDelivery};
pub use error::{GithubError, Kind, Loss};
pub use governor::Governor;
pub use hook::{HookChange, HookSettings, LastResponse, PayloadUrl, Webhook, WebhookConfig};
pub use job::{Job, JobStatus};
pub use permission::Lack;
pub use registration::{JitRequest, JitRunner, RegistrationToken};
pub use run::{Page, RunStatus};
pub use runner::{Deleted, Runner, RunnerStatus};
pub use site::{BaseUrl, Site};
pub use standing::{AppFacts, Standing, TokenKind};
