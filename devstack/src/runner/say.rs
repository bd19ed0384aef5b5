//! What the runner prints.
#![allow(clippy::print_stdout)] // what a runner prints is what others know of it

use std::io::{self, Write as _};

use time::{OffsetDateTime, format_description::BorrowedFormatItem, macros::format_description};

/// As .NET's format `u` has it.
const TIME: &[BorrowedFormatItem<'_>] = format_description!("[year]-[month]-[day] [hour]:[minute]:[second]Z");

/// Prints a line.
pub(super) fn line(text: &str) {
    println!("{text}");
    io::stdout().flush().unwrap_or_default(); // a closed pipe is no reason to stop
}

/// A line that begins with the time.
pub(super) fn timed(text: &str) -> String {
    let now = OffsetDateTime::now_utc().format(TIME).unwrap_or_default();
    format!("{now}: {text}")
}

/// Prints a line on standard error.
pub(super) fn error(text: &str) {
    eprintln!("{text}");
}
