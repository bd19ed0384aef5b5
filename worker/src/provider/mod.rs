//! Where runners run. [`Provider`] is what a provider promises; each provider is a folder here, and passes the
//! conformance tests in `tests/provider*.rs`.

mod contract;
pub mod docker;
mod error;
mod runner;

pub use contract::Provider;
pub use error::ProviderError;
pub use runner::{Exit, Found, RunnerHandle, RunnerState};
