//! The command's output.

use std::{
    fmt::Display,
    io::{self, Write as _},
};

/// Prints a line. A terminal that is gone, or a pipe that nobody reads, must not keep the command from its end, where it
/// removes what it has started.
pub(super) fn say(line: impl Display) {
    writeln!(io::stdout(), "{line}").unwrap_or_default();
}
