//! The machine's packet filter: packets that get lost on the loopback interface.

use std::{io, process::Command};

use super::error::HarnessError;

/// A rule that loses packets on the loopback interface. Taken back when dropped.
#[derive(Debug)]
pub struct Loss {
    /// `--dport` for what is sent to the port, `--sport` for what comes from there.
    way: &'static str,
    port: u16,
}

impl Loss {
    /// Loses, from now on, what is sent to a port on the loopback interface, on connections that stand and on new ones; the
    /// sender hears nothing of it.
    ///
    /// # Errors
    ///
    /// [`HarnessError::Missing`] without `iptables`; others when this process may not change the filter.
    pub fn of_requests(port: u16) -> Result<Self, HarnessError> {
        Self::set("--dport", port)
    }

    /// The same with what is sent from a port.
    ///
    /// # Errors
    ///
    /// As [`of_requests`](Self::of_requests).
    pub fn of_answers(port: u16) -> Result<Self, HarnessError> {
        Self::set("--sport", port)
    }

    fn set(way: &'static str, port: u16) -> Result<Self, HarnessError> {
        iptables("--insert", way, port).map(|()| Self { way, port })
    }
}

impl Drop for Loss {
    fn drop(&mut self) {
        iptables("--delete", self.way, self.port).unwrap_or_default();
    }
}

/// Changes the rule. Waits for others who change the filter at the same moment.
fn iptables(change: &str, way: &str, port: u16) -> Result<(), HarnessError> {
    // Debian's users have no path to it, but may well be root.
    let mut command = Command::new("/usr/sbin/iptables");
    command.args(["--wait", "10", change, "INPUT", "--in-interface", "lo", "--protocol", "tcp"]);
    let output = command.args([way, &port.to_string(), "--jump", "DROP"]).output();
    let output = output.map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => HarnessError::Missing { program: "iptables".to_owned(), package: "iptables" },
        _ => HarnessError::system("run iptables")(error),
    })?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    Err(HarnessError::system(format!("{change} a rule of the packet filter"))(io::Error::other(said)))
}
