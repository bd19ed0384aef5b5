//! A runner: what is needed to make one, what it prints, and what came of it. All of it is pure.

mod jit;
mod log;
mod observed;
mod outcome;
mod post_mortem;
mod scrub;
mod settlement;
mod spec;

pub use jit::{JitError, JitFiles};
pub use log::{JobResult, RunnerLine};
pub use observed::{Milestone, Observed};
pub use outcome::{Outcome, Retirement};
pub use post_mortem::{Remains, post_mortem};
pub use settlement::{settlement, settlement_of, settlement_of_warm};
pub use spec::{Command, Credentials, RUNNER_HOME, RunnerSpec, label, web_url};
