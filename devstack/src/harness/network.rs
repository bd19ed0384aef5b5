//! What an engine with the default bridge changes of the machine's network, and does not take back when it stops.

use std::{
    collections::BTreeSet,
    fs,
    io::Write as _,
    path::Path,
    process::{Command, Stdio},
};

use super::error::HarnessError;

/// Whether the machine forwards packets between its interfaces.
const FORWARD: &str = "/proc/sys/net/ipv4/ip_forward";

/// The bridge that every engine uses by default.
const BRIDGE: &str = "docker0";

/// Each of an engine's rules has one of these in it: a chain of its own, its default bridge, or a network's bridge.
const MARKS: [&str; 3] = ["DOCKER", BRIDGE, " br-"];

/// What an engine makes of the policy of the chain `FORWARD`.
const FORWARD_DROP: &str = ":FORWARD DROP";

/// The state of the machine's network before an engine started.
#[derive(Debug)]
pub(super) struct Before {
    bridge: bool,
    forward: Option<String>,
    rules: String,
}

impl Before {
    /// Reads it.
    ///
    /// # Errors
    ///
    /// [`HarnessError::EngineRuns`] when another engine would be disturbed.
    pub(super) fn look() -> Result<Self, HarnessError> {
        let bridge = Path::new("/sys/class/net").join(BRIDGE).exists();
        if bridge && engine_runs() {
            return Err(HarnessError::EngineRuns);
        }
        Ok(Self { bridge, forward: fs::read_to_string(FORWARD).ok(), rules: rules() })
    }

    /// Takes back what the engine changed since. Does what can be done.
    pub(super) fn restore(&self) {
        if !self.bridge {
            run("ip", &["link", "delete", BRIDGE], "");
        }
        if let Some(forward) = &self.forward {
            fs::write(FORWARD, forward).unwrap_or_default();
        }
        run("iptables-restore", &["--noflush"], &undo(&self.rules, &rules()));
    }
}

/// Whether any `dockerd` runs.
fn engine_runs() -> bool {
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    processes.map(|entry| entry.path().join("comm")).any(|comm| fs::read(comm).is_ok_and(|name| name == b"dockerd\n"))
}

/// The packet filter, as `iptables-save` prints it.
fn rules() -> String {
    let output = Command::new("/usr/sbin/iptables-save").stderr(Stdio::null()).output();
    output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default()
}

/// What `iptables-restore --noflush` reads to get rid of Docker's rules and chains in `after` that were not in `before`.
fn undo(before: &str, after: &str) -> String {
    tables(after).map(|table| undo_table(tables(before).find(|was| name(was) == name(table)), table)).collect()
}

fn undo_table(before: Option<&str>, after: &str) -> String {
    let was: BTreeSet<&str> = before.into_iter().flat_map(str::lines).collect();
    let chains_before: BTreeSet<&str> = was.iter().filter_map(|line| chain(line)).collect();
    let mut undone = vec![name(after).to_owned()];
    if after.contains(FORWARD_DROP) && !before.is_some_and(|before| before.contains(FORWARD_DROP)) {
        undone.push(":FORWARD ACCEPT [0:0]".to_owned());
    }
    let rules =
        after.lines().filter_map(|line| line.strip_prefix("-A ")).filter(|rule| !was.contains(&*format!("-A {rule}")));
    undone.extend(rules.filter(|rule| MARKS.iter().any(|mark| rule.contains(mark))).map(|rule| format!("-D {rule}")));
    let chains = after.lines().filter_map(chain).filter(|chain| !chains_before.contains(chain));
    undone.extend(chains.filter(|chain| chain.starts_with("DOCKER")).map(|chain| format!("-X {chain}")));
    undone.push("COMMIT\n".to_owned());
    undone.join("\n")
}

/// The tables, each from its name (`*filter`) to the line before its `COMMIT`.
fn tables(rules: &str) -> impl Iterator<Item = &str> {
    rules.split("COMMIT\n").filter_map(|table| Some(&table[table.find('*')?..]))
}

fn name(table: &str) -> &str {
    table.lines().next().unwrap_or_default()
}

/// The chain that a line such as `:FORWARD DROP [0:0]` declares.
fn chain(line: &str) -> Option<&str> {
    line.strip_prefix(':')?.split(' ').next()
}

fn run(program: &str, arguments: &[&str], input: &str) {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    let Ok(mut child) = command.spawn() else { return };
    if let Some(mut stdin) = child.stdin.take() {
        stdin.write_all(input.as_bytes()).unwrap_or_default();
    }
    child.wait().map_or_else(drop, drop);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_an_engine_added_to_the_packet_filter_is_taken_back() {
        let before = "*filter\n:INPUT ACCEPT [1:2]\n:FORWARD ACCEPT [0:0]\n-A INPUT -p tcp -j ACCEPT\nCOMMIT\n";
        let after = "# made by\n*nat\n:DOCKER - [0:0]\n-A OUTPUT -j DOCKER\n-A DOCKER -i docker0 -j RETURN\nCOMMIT\n\
                     *filter\n:INPUT ACCEPT [9:9]\n:FORWARD DROP [0:0]\n:DOCKER-USER - [0:0]\n:MINE - [0:0]\n\
                     -A INPUT -p tcp -j ACCEPT\n-A INPUT -j MINE\n-A FORWARD -j DOCKER-USER\nCOMMIT\n";
        let undone = "*nat\n-D OUTPUT -j DOCKER\n-D DOCKER -i docker0 -j RETURN\n-X DOCKER\nCOMMIT\n\
                      *filter\n:FORWARD ACCEPT [0:0]\n-D FORWARD -j DOCKER-USER\n-X DOCKER-USER\nCOMMIT\n";
        assert_eq!(undo(before, after), undone);
        assert_eq!(undo(after, after), "*nat\nCOMMIT\n*filter\nCOMMIT\n");
    }
}
