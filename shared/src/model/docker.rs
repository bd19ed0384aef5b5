//! How a pool's runners are run in Docker: `[pool.docker]` of `pools.toml`.

use serde::Deserialize;

/// The image of the daemon beside a runner, unless a pool names another.
const DIND_IMAGE: &str = "docker:dind";

/// When a runner's image is pulled.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PullPolicy {
    /// At the start of the worker, and before a job, if the engine does not have it.
    #[default]
    Missing,
    /// At the start of the worker, even if the engine has it.
    Always,
    /// Never: an absent image is an error.
    Never,
}

/// What a job may do with Docker: `docker` of `[pool.docker]`.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DockerAccess {
    /// Nothing: `container:` jobs and services fail.
    #[default]
    None,
    /// It uses the engine that the runner itself runs on. Whoever runs a job is root on that host then.
    Socket,
    /// It has a daemon of its own, in a container beside the runner's.
    Dind,
}

impl DockerAccess {
    /// The word for it in `pools.toml`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Socket => "socket",
            Self::Dind => "dind",
        }
    }

    /// What that word stands for.
    #[must_use]
    pub fn read(word: &str) -> Option<Self> {
        [Self::None, Self::Socket, Self::Dind].into_iter().find(|access| access.as_str() == word)
    }
}

/// Limits and options of a runner's container. Everything is optional.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DockerOptions {
    /// How many processors' worth of time it may use, such as `1.5`; unless set, 4, or as many as the engine has.
    pub cpus: Option<f64>,
    /// How much memory it may use: bytes, or a number with `k`, `m` or `g` behind it; 8 GiB unless set. It gets no swap
    /// besides.
    pub memory: Option<Bytes>,
    /// How many processes it may have at once; 4096 unless set.
    pub pids: Option<u32>,
    /// The network it joins, by name; unless set, one of its worker's, in which runners do not reach each other.
    pub network: Option<String>,
    /// The OCI runtime, such as `runsc` or `sysbox-runc`.
    pub runtime: Option<String>,
    /// Mounts, each `HOST_PATH_OR_VOLUME:CONTAINER_PATH[:ro]`.
    pub volumes: Vec<String>,
    /// Capabilities that it has; none unless set, but for those of [`sudo`](Self::sudo).
    pub cap_add: Vec<String>,
    /// Whether its jobs may use `sudo` and install packages: it gets the capabilities that these need, and is not kept from
    /// new privileges. A runner that is root needs it as well.
    pub sudo: bool,
    /// What its jobs may do with Docker.
    pub docker: DockerAccess,
    /// The image of the daemon beside it, where [`docker`](Self::docker) is `dind`; `docker:dind` unless set.
    pub dind_image: Option<String>,
    /// Whether that daemon is privileged; unless set, it is where neither [`runtime`](Self::runtime) nor
    /// [`dind_cap_add`](Self::dind_cap_add) is.
    pub dind_privileged: Option<bool>,
    /// The capabilities that it has besides the engine's default ones, in place of being privileged.
    pub dind_cap_add: Vec<String>,
    /// The user it runs as; the image's unless set.
    pub user: Option<String>,
    /// When the image is pulled.
    pub pull: PullPolicy,
}

impl DockerOptions {
    /// The image of the daemon beside a runner; `None` if there is none.
    #[must_use]
    pub fn daemon_image(&self) -> Option<&str> {
        (self.docker == DockerAccess::Dind).then(|| self.dind_image.as_deref().unwrap_or(DIND_IMAGE))
    }

    /// Whether the daemon beside a runner is privileged.
    #[must_use]
    pub fn is_daemon_privileged(&self) -> bool {
        self.dind_privileged.unwrap_or(self.runtime.is_none() && self.dind_cap_add.is_empty())
    }

    /// What does not go together, and what to do about it.
    pub(super) fn contradiction(&self) -> Option<&'static str> {
        let dind = self.docker == DockerAccess::Dind;
        if dind && self.network.as_deref() == Some("host") {
            return Some(
                "with docker = \"dind\" the daemon would change the host's network: leave out network = \"host\"",
            );
        }
        if !dind && (self.dind_image.is_some() || self.dind_privileged.is_some() || !self.dind_cap_add.is_empty()) {
            return Some("dind_image, dind_privileged and dind_cap_add are for docker = \"dind\"");
        }
        if self.dind_privileged == Some(true) && !self.dind_cap_add.is_empty() {
            return Some("dind_privileged = true has all capabilities: leave out dind_cap_add");
        }
        None
    }
}

/// A number of bytes.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Deserialize)]
#[serde(try_from = "BytesText")]
pub struct Bytes(pub i64);

/// A number of bytes as it is written.
#[derive(Deserialize)]
#[serde(untagged)]
enum BytesText {
    Number(i64),
    Text(String),
}

impl TryFrom<BytesText> for Bytes {
    type Error = String;

    fn try_from(text: BytesText) -> Result<Self, String> {
        let bytes = match &text {
            BytesText::Number(bytes) => Some(*bytes),
            BytesText::Text(text) => {
                let text = text.trim().to_ascii_lowercase();
                let (number, unit) = match text.strip_suffix(['k', 'm', 'g']) {
                    Some(number) if text.ends_with('k') => (number, 1 << 10),
                    Some(number) if text.ends_with('m') => (number, 1 << 20),
                    Some(number) => (number, 1 << 30),
                    None => (text.as_str(), 1),
                };
                number.trim().parse::<i64>().ok().and_then(|number| number.checked_mul(unit))
            }
        };
        bytes
            .filter(|&bytes| bytes > 0)
            .map(Self)
            .ok_or_else(|| "an amount of memory is a number with k, m or g behind it, such as \"4g\"".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_daemon_is_privileged_only_where_nothing_else_was_said_to_do() {
        let read = |text: &str| toml::from_str::<DockerOptions>(text).unwrap();
        let dind = read("docker = 'dind'");
        assert_eq!((dind.daemon_image(), dind.is_daemon_privileged()), (Some("docker:dind"), true));
        for less in ["runtime = 'sysbox-runc'", "dind_cap_add = ['SYS_ADMIN']", "dind_privileged = false"] {
            assert!(!read(&format!("docker = 'dind'\n{less}")).is_daemon_privileged(), "{less}");
        }
        assert!(read("docker = 'dind'\nruntime = 'kata'\ndind_privileged = true").is_daemon_privileged());
        assert_eq!(read("docker = 'socket'").daemon_image(), None);
        assert_eq!(read("").docker, DockerAccess::None);
    }

    #[test]
    fn options_that_do_not_go_together_are_told() {
        for (text, says) in [
            ("docker = 'dind'\nnetwork = 'host'", "network"),
            ("dind_image = 'mine'", "dind"),
            ("docker = 'socket'\ndind_cap_add = ['SYS_ADMIN']", "dind"),
            ("docker = 'dind'\ndind_privileged = true\ndind_cap_add = ['SYS_ADMIN']", "dind_cap_add"),
        ] {
            let said = toml::from_str::<DockerOptions>(text).unwrap().contradiction();
            assert!(said.is_some_and(|said| said.contains(says)), "{text}: {said:?}");
        }
        assert_eq!(
            toml::from_str::<DockerOptions>("docker = 'socket'\nnetwork = 'host'").unwrap().contradiction(),
            None
        );
    }

    #[test]
    fn an_amount_of_memory_is_read_with_its_unit() {
        let read = |text: &str| Bytes::try_from(BytesText::Text(text.to_owned())).map(|bytes| bytes.0);
        assert_eq!(read("512"), Ok(512));
        assert_eq!(read("2K"), Ok(2048));
        assert_eq!(read(" 3 m"), Ok(3 << 20));
        assert_eq!(read("4g"), Ok(4 << 30));
        for odd in ["", "g", "-1g", "0", "1.5g", "9999999999999g", "4gb"] {
            assert!(read(odd).is_err(), "{odd:?} was taken");
        }
    }
}
