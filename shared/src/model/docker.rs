//! How a pool's runners are run in Docker: `[pool.docker]` of `pools.toml`.

use serde::Deserialize;

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

/// Limits and options of a runner's container. Everything is optional; what is not set is the engine's default,
/// but for [`pids`](Self::pids).
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DockerOptions {
    /// How many processors' worth of time it may use, such as `1.5`.
    pub cpus: Option<f64>,
    /// How much memory it may use: bytes, or a number with `k`, `m` or `g` behind it. It gets no swap besides.
    pub memory: Option<Bytes>,
    /// How many processes it may have at once; 4096 unless set.
    pub pids: Option<u32>,
    /// The network it joins, by name; the engine's default bridge unless set.
    pub network: Option<String>,
    /// The OCI runtime, such as `runsc` or `sysbox-runc`.
    pub runtime: Option<String>,
    /// Mounts, each `HOST_PATH_OR_VOLUME:CONTAINER_PATH[:ro]`.
    pub volumes: Vec<String>,
    /// Capabilities besides the engine's default ones.
    pub cap_add: Vec<String>,
    /// The user it runs as; the image's unless set.
    pub user: Option<String>,
    /// When the image is pulled.
    pub pull: PullPolicy,
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
