//! The stand-in runner.

use std::process::ExitCode;

fn main() -> ExitCode {
    devstack::runner::main()
}
