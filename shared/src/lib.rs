//! What `ingest` and `worker` have in common.
//!
//! [`model`] holds the nouns, without I/O. [`queue`] is the only thing that ties the two
//! processes together; [`workflow_job`] decides what is to be done there about what GitHub says of a job. `github` (a cargo feature) is the client of GitHub's REST API, which
//! only the worker has.

pub mod admin;
pub mod backoff;
#[cfg(feature = "github")]
pub mod github;
pub mod healthcheck;
pub mod model;
pub mod pools;
pub mod queue;
pub mod settings;
pub mod shutdown;
pub mod status;
pub mod telemetry;
pub mod tls;
pub mod version;
pub mod workflow_job;
