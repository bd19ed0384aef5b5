//! The files that make a runner one of GitHub's.

use std::{
    fs,
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
};

use serde_json::{Map, Value};

/// The file with the runner's settings.
const SETTINGS: &str = ".runner";
/// The file that says who the runner is.
const CREDENTIALS: &str = ".credentials";
/// The file with the key that proves it.
const KEY: &str = ".credentials_rsaparams";

/// Who the runner is, and where GitHub is.
#[derive(Clone)]
pub(super) struct Identity {
    /// Where it connects.
    pub(super) server: String,
    /// Its name.
    pub(super) name: String,
    /// Where jobs run, below its home.
    pub(super) work: String,
    /// Whether it takes one job only.
    pub(super) ephemeral: bool,
    /// What it proves with that it is itself.
    pub(super) authorization: String,
}

impl Identity {
    /// Reads the files in the runner's home. The error is what the real runner prints.
    pub(super) fn read(home: &Path) -> Result<Self, String> {
        let settings = object(home, SETTINGS).map_err(|_| {
            "An error occurred: Not configured. Run config.(sh/cmd) to configure the runner.".to_owned()
        })?;
        let credentials = object(home, CREDENTIALS)
            .map_err(|_| "An error occurred: Credentials not stored. Must reconfigure.".to_owned())?;
        let key = object(home, KEY)
            .map_err(|_| format!("An error occurred: RSA key file {} was not found", home.join(KEY).display()))?;
        let authorization = match (credentials["data"]["clientId"].as_str(), text(&key, "d")) {
            (Some(client), Some(secret)) => format!("Runner {client}:{secret}"),
            _ => return Err("An error occurred: The runner's credentials cannot be read".to_owned()),
        };
        Ok(Self {
            server: text(&settings, "ServerUrl").ok_or("An error occurred: There is no ServerUrl in .runner")?,
            name: text(&settings, "AgentName").unwrap_or_default(),
            work: text(&settings, "WorkFolder").unwrap_or_else(|| "_work".to_owned()),
            ephemeral: text(&settings, "Ephemeral").is_some_and(|flag| flag.eq_ignore_ascii_case("true")),
            authorization,
        })
    }
}

/// Whether the runner is configured already.
pub(super) fn exist(home: &Path) -> bool {
    home.join(SETTINGS).exists()
}

/// Writes the files that a registration was answered with.
pub(super) fn write(home: &Path, files: &Map<String, Value>) -> io::Result<()> {
    for name in [SETTINGS, CREDENTIALS, KEY] {
        let content = files.get(name).and_then(Value::as_str).unwrap_or_default();
        let file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(home.join(name));
        file?.write_all(content.as_bytes())?;
    }
    Ok(())
}

fn object(home: &Path, name: &str) -> io::Result<Value> {
    let text = fs::read_to_string(home.join(name))?;
    Ok(serde_json::from_str(text.trim_start_matches('\u{feff}'))?)
}

/// A text of an object, whatever the case of its key: the real runner reads both `agentName` and `AgentName`.
fn text(object: &Value, key: &str) -> Option<String> {
    let (_, value) = object.as_object()?.iter().find(|(name, _)| name.eq_ignore_ascii_case(key))?;
    value.as_str().map(str::to_owned)
}
