//! The machine's packet filter: packets that get lost on the loopback interface.

use std::process::Command;

use super::{error::HarnessError, tool};

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
    command.args([way, &port.to_string(), "--jump", "DROP"]);
    tool::run(&mut command, "iptables", &format!("{change} a rule of the packet filter")).map(drop)
}
