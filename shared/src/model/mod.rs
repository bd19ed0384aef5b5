//! The nouns: what they are and what makes them valid. Nothing here does I/O.

mod age;
mod call;
mod docker;
mod ids;
mod job;
mod label;
mod origin;
mod pool;
mod pools;
mod runner;
mod schema;
mod scope;
mod trace;
mod warm;

pub use age::Age;
pub use call::{Admission, Bucket, Caller, CallerKind, Demand, Heard, Hold, Pace, Ticket, Verdict};
pub use docker::{Bytes, DockerAccess, DockerOptions, PullPolicy};
pub use ids::{DeliveryId, JobId, PoolName, WorkerName};
pub use job::{JobMessage, JobState};
pub use label::{Label, Labels};
pub use origin::{HookTarget, Origin, RegisterAt};
pub use pool::{Allowed, Pool, Registration, ScopeKind};
pub use pools::{Pools, PoolsError, Unrouted};
pub use runner::{RunnerId, RunnerName, RunnerNamePrefix};
pub use scope::{RepositoryName, Scope};
pub use trace::{JobTrace, Traceparent};
pub use warm::{Warm, WarmHours};

/// A value that is not what its type demands.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{what} {problem}")]
pub struct Invalid {
    /// What was being read, such as `a label`.
    what: &'static str,
    /// What is wrong with it, such as `is longer than 256 characters`.
    problem: String,
}

impl Invalid {
    pub(crate) fn new(what: &'static str, problem: impl Into<String>) -> Self {
        Self { what, problem: problem.into() }
    }
}

/// Gives a validated string type its conversions: `FromStr` is its only constructor.
macro_rules! text_type {
    ($type:ident) => {
        impl $type {
            /// The text itself.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl std::fmt::Display for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl TryFrom<String> for $type {
            type Error = $crate::model::Invalid;

            fn try_from(text: String) -> Result<Self, Self::Error> {
                text.parse()
            }
        }

        impl From<$type> for String {
            fn from(value: $type) -> Self {
                value.0
            }
        }
    };
}
pub(crate) use text_type;
