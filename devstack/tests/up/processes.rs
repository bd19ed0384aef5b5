//! What runs on this machine.

use std::{collections::BTreeSet, fs, path::Path};

/// A process; its number alone may be another's later.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct Running {
    pub(crate) pid: u32,
    started: String,
    pub(crate) command: String,
}

impl Running {
    fn look(pid: u32) -> Option<Self> {
        let stat = stat(pid)?;
        if stat[0] == "Z" {
            return None; // it has ended, and whoever has to take note of it has not
        }
        let command = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let command = String::from_utf8_lossy(&command).replace('\0', " ");
        Some(Self { pid, started: stat[19].clone(), command })
    }

    pub(crate) fn is_gone(&self) -> bool {
        Self::look(self.pid).is_none_or(|now| now.started != self.started)
    }
}

/// The fields of `stat` behind the process's name: its state, its parent; the twentieth is its start.
fn stat(pid: u32) -> Option<Vec<String>> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    Some(stat.rsplit_once(')')?.1.split_whitespace().map(str::to_owned).collect())
}

fn all() -> Vec<u32> {
    let entries = fs::read_dir("/proc").unwrap().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
}

/// The processes that know of `folder`, by their arguments or their environment.
pub(crate) fn of_folder(folder: &Path) -> BTreeSet<Running> {
    let name = folder.to_str().unwrap();
    let knows = |pid: &u32| {
        ["cmdline", "environ"].iter().any(|file| {
            let text = fs::read(format!("/proc/{pid}/{file}")).unwrap_or_default();
            String::from_utf8_lossy(&text).contains(name)
        })
    };
    all().into_iter().filter(knows).filter_map(Running::look).collect()
}

/// These and all that they have started.
pub(crate) fn with_descendants(processes: &BTreeSet<Running>) -> BTreeSet<Running> {
    let parents: Vec<(u32, u32)> =
        all().into_iter().filter_map(|pid| Some((pid, stat(pid)?[1].parse().ok()?))).collect();
    let mut pids: BTreeSet<u32> = processes.iter().map(|process| process.pid).collect();
    loop {
        let children = parents.iter().filter(|(pid, parent)| pids.contains(parent) && !pids.contains(pid));
        let children: Vec<u32> = children.map(|(pid, _)| *pid).collect();
        if children.is_empty() {
            return pids.into_iter().filter_map(Running::look).collect();
        }
        pids.extend(children);
    }
}
