//! Where the file is, and whether files can be shared there.

use std::{
    fs::{DirBuilder, OpenOptions},
    io::ErrorKind,
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

use etcetera::base_strategy::{BaseStrategy as _, Xdg};

use super::{failure::Failure, schema};
use crate::queue::{FileFacts, QueueError};

/// File systems whose locks and shared memory do not reach from one machine to the other, by the kernel's numbers for them
/// (statfs(2)).
const OF_A_NETWORK: [(u64, &str); 9] = [
    (0x6969, "NFS"),
    (0x517B, "SMB"),
    (0xFE53_4D42, "SMB"),
    (0xFF53_4D42, "CIFS"),
    (0x0102_1997, "9P"),
    (0x5346_414F, "AFS"),
    (0x00C3_6400, "Ceph"),
    (0x0BD0_0BD0, "Lustre"),
    (0x7461_636F, "OCFS2"),
];

/// The kernel's number for a file system in memory.
const IN_MEMORY: u64 = 0x0102_1994;

/// The usual file systems of a disk, by the same numbers: for people.
const OF_A_DISK: [(u64, &str); 6] = [
    (0xEF53, "ext4"),
    (0x5846_5342, "XFS"),
    (0x9123_683E, "Btrfs"),
    (0x2FC1_2FC1, "ZFS"),
    (0x794C_7630, "overlayfs"),
    (IN_MEMORY, "tmpfs"),
];

/// The path of the file.
#[derive(Clone, Debug)]
pub(super) struct Place(PathBuf);

impl Place {
    /// Reads what follows `sqlite:`. Nothing stands for `$XDG_STATE_HOME/autoscaler/queue.db`.
    pub(super) fn parse(path: &str) -> Result<Self, QueueError> {
        let invalid = |problem: &str| QueueError::Setting { setting: "QUEUE_URL", problem: problem.to_owned() };
        let path = match path.strip_prefix("//") {
            Some(path) if path.starts_with('/') => path,
            Some(_) => {
                return Err(invalid("is sqlite:PATH, or sqlite:///PATH with an absolute path; there is no host"));
            }
            None => path,
        };
        if path.contains(['?', '#']) || path.ends_with('/') || path.starts_with(':') {
            return Err(invalid("is sqlite:PATH, with the path of a file and nothing behind it"));
        }
        if !path.is_empty() {
            return Ok(Self(PathBuf::from(path)));
        }
        let home = Xdg::new().map_err(|_| {
            invalid("names no file, and without HOME there is no usual place for one: set one of the two")
        })?;
        let state = home.state_dir().unwrap_or_else(|| home.data_dir());
        Ok(Self(state.join("autoscaler").join("queue.db")))
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    /// A file beside it.
    pub(super) fn beside(&self, suffix: &str) -> PathBuf {
        let mut name = self.0.clone().into_os_string();
        name.push(suffix);
        name.into()
    }

    /// Sees to it that the file is there, for its owner alone, and on a file system that can be shared.
    pub(super) fn make(&self) -> Result<(), Failure> {
        let unmade = |path: &Path, error| {
            let path = path.display();
            Failure::Passing(format!("cannot make {path}: {error}; QUEUE_URL=sqlite:PATH names another place"))
        };
        if let Some(folder) = self.0.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(|error| unmade(folder, error))?;
        }
        match OpenOptions::new().write(true).create_new(true).mode(0o600).open(&self.0) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(unmade(&self.0, error)),
            _ => {}
        }
        let file_system = self
            .file_system()
            .map_err(|error| Failure::Passing(format!("cannot look at {}: {error}", self.0.display())))?;
        match refused(file_system) {
            None => Ok(()),
            Some(kind) => Err(Failure::Unsuitable(format!(
                "{} is on a file system of a network ({kind}), where two machines would not see each other's locks: use a disk of \
                 this machine's, or, for several machines, QUEUE_URL=redis://…",
                self.0.display()
            ))),
        }
    }

    /// What may lose jobs.
    pub(super) fn warnings(&self) -> Vec<String> {
        let in_memory = self.file_system().is_ok_and(|number| number == IN_MEMORY);
        let text = || {
            format!("{} is on a file system in memory: jobs are lost with the machine's next start", self.0.display())
        };
        in_memory.then(text).into_iter().collect()
    }

    /// What there is of the file. Where it or its folder is not there yet, it is about the next folder above them that is.
    pub(super) fn facts(&self) -> Result<FileFacts, Failure> {
        let there = self.0.ancestors().map(|path| if path.as_os_str().is_empty() { Path::new(".") } else { path });
        let nearest = there.into_iter().find(|path| path.exists()).unwrap_or(Path::new("/"));
        let unseen = |error| Failure::Passing(format!("cannot look at {}: {error}", nearest.display()));
        let around = rustix::fs::statvfs(nearest).map_err(|error| unseen(error.into()))?;
        let number = file_system(nearest).map_err(unseen)?;
        let known = OF_A_NETWORK.iter().chain(&OF_A_DISK).find(|(known, _)| *known == number);
        Ok(FileFacts {
            path: self.0.clone(),
            sqlite: rusqlite::version(),
            schema: schema::VERSION,
            mode: std::fs::metadata(&self.0).ok().map(|file| file.permissions().mode() & 0o7777),
            file_system: known.map_or_else(|| format!("{number:#x}"), |(_, name)| (*name).to_owned()),
            free_bytes: around.f_bavail.saturating_mul(around.f_frsize),
        })
    }

    fn file_system(&self) -> std::io::Result<u64> {
        file_system(&self.0)
    }
}

/// The kernel's number for the file system that a file is on.
fn file_system(path: &Path) -> std::io::Result<u64> {
    #[allow(clippy::cast_sign_loss, clippy::unnecessary_cast, reason = "the type differs from machine to machine")]
    Ok(rustix::fs::statfs(path)?.f_type as u64 & 0xFFFF_FFFF)
}

/// What a file system is called that is refused.
fn refused(number: u64) -> Option<&'static str> {
    OF_A_NETWORK.iter().find(|(refused, _)| *refused == number).map(|(_, name)| *name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_read_in_the_usual_ways() {
        for (text, path) in [("q.db", "q.db"), ("/a/q.db", "/a/q.db"), ("///a/q.db", "/a/q.db"), ("./a b", "./a b")] {
            assert_eq!(Place::parse(text).unwrap().path(), Path::new(path), "{text}");
        }
        assert!(Place::parse("").unwrap().path().ends_with("autoscaler/queue.db"));
        for text in ["//host/q.db", "/a/", "q.db?mode=ro", ":memory:"] {
            assert!(Place::parse(text).unwrap_err().to_string().starts_with("QUEUE_URL: is sqlite:PATH"), "{text}");
        }
    }

    #[test]
    fn a_file_is_looked_at_without_being_made() {
        let folder = tempfile::tempdir().unwrap();
        let place = Place::parse(folder.path().join("below/q.db").to_str().unwrap()).unwrap();
        let facts = place.facts().unwrap();
        assert_eq!((facts.mode, facts.free_bytes > 0, facts.path.exists()), (None, true, false));
        place.make().map_err(|_| ()).unwrap();
        assert_eq!(place.facts().unwrap().mode, Some(0o600));
    }

    #[test]
    fn file_systems_of_a_network_are_refused() {
        assert_eq!(refused(0x6969), Some("NFS"));
        assert_eq!(refused(0xEF53), None, "ext4");
        assert_eq!(refused(IN_MEMORY), None);
    }
}
