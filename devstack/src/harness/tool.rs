//! Programs of the machine that do one thing and end.

use std::{io, process::Command};

use super::error::HarnessError;

/// Runs a program of Debian's `package`, to do `what`, and returns what it printed.
///
/// # Errors
///
/// When it is not there, or fails: with what it said.
pub(super) fn run(command: &mut Command, package: &'static str, what: &str) -> Result<String, HarnessError> {
    let output = command.output().map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => {
            let program = command.get_program().to_string_lossy();
            let program = program.rsplit('/').next().unwrap_or_default().to_owned();
            HarnessError::Missing { program, package }
        }
        _ => HarnessError::system(what)(error),
    })?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    Err(HarnessError::system(what)(io::Error::other(said)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_and_what_fails_is_told() {
        let missing = run(&mut Command::new("/usr/sbin/no-such-program"), "a-package", "do it").unwrap_err();
        assert!(missing.to_string().starts_with("no-such-program is not installed"), "{missing}");
        let failed = run(Command::new("sh").args(["-c", "echo why >&2; exit 3"]), "dash", "do it").unwrap_err();
        assert!(
            matches!(&failed, HarnessError::System { what, source } if what == "do it" && source.to_string() == "why")
        );
        assert_eq!(run(Command::new("echo").arg("done"), "coreutils", "say it").unwrap(), "done\n");
    }
}
