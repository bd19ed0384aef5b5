//! What it takes to develop, test and show the autoscaler without GitHub: a stand-in for GitHub's API, one for
//! Docker's, a stand-in runner, webhooks signed and sent by hand, and real processes around them.

#[cfg(feature = "host")]
pub mod bench;
#[cfg(feature = "host")]
pub mod deliver;
#[cfg(feature = "host")]
pub mod docker;
#[cfg(feature = "host")]
pub mod github;
#[cfg(feature = "host")]
pub mod harness;
#[cfg(feature = "host")]
pub mod readme;
pub mod runner;
#[cfg(feature = "host")]
pub mod up;
