//! A bridge for one engine: with `--bridge=none`, `dockerd` would delete the one that the machine's engine uses.

use std::{io, process::Command};

use super::{error::HarnessError, tool};

/// How many subnets are tried, should one be in use.
const TRIES: u32 = 20;

/// An interface with a subnet of its own for an engine's default network. Deleted when dropped.
#[derive(Debug)]
pub(super) struct Bridge {
    name: String,
    subnet: u8,
}

impl Bridge {
    /// Makes one.
    pub(super) fn create() -> Result<Self, HarnessError> {
        let mut tries = 0;
        loop {
            tries += 1;
            // Random, so that engines which start at the same time do not meet.
            let bridge =
                Self { name: format!("engine{:06x}", fastrand::u32(..1 << 24)), subnet: fastrand::u8(64..=254) };
            match bridge.set_up() {
                Ok(()) => return Ok(bridge),
                Err(HarnessError::System { .. }) if tries < TRIES => {}
                Err(error) => return Err(error),
            }
        }
    }

    fn set_up(&self) -> Result<(), HarnessError> {
        if ip(&["route", "show", "root", &format!("10.{}.0.0/24", self.subnet)])?.contains(' ') {
            return Err(HarnessError::system("find a free subnet")(io::ErrorKind::AddrInUse.into()));
        }
        ip(&["link", "add", &self.name, "type", "bridge"])?;
        ip(&["address", "add", &format!("10.{}.0.1/24", self.subnet), "dev", &self.name])?;
        ip(&["link", "set", &self.name, "up"]).map(drop)
    }

    /// What tells `dockerd` to use it, and to leave the machine's packet filter alone. Not with a
    /// `--default-address-pool`: on its second start, `dockerd` would delete the machine's default bridge.
    pub(super) fn arguments(&self) -> [String; 4] {
        [
            format!("--bridge={}", self.name),
            "--iptables=false".to_owned(),
            "--ip6tables=false".to_owned(),
            "--ip-forward=false".to_owned(),
        ]
    }
}

impl Drop for Bridge {
    fn drop(&mut self) {
        ip(&["link", "delete", &self.name]).unwrap_or_default();
    }
}

/// Runs `ip` and returns what it printed.
fn ip(arguments: &[&str]) -> Result<String, HarnessError> {
    tool::run(Command::new("ip").args(arguments), "iproute2", &format!("run ip {}", arguments.join(" ")))
}
