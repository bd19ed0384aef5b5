//! The few questions that `.env` and `pools.toml` need, each answer read by the settings' own parsers, and both files written.

mod answers;
mod ask;
mod files;

use std::{fs::File, io::Read as _, path::Path};

use anyhow::Context as _;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use secrecy::SecretString;
use tempfile::NamedTempFile;

pub(crate) use answers::{Answers, Credential, POOLS_FILE};
pub(crate) use ask::Asker;

/// What the file of variables is called: that in the working directory is read by both processes.
pub(crate) const ENV_FILE: &str = ".env";

/// Where the system has random bytes.
const RANDOM: &str = "/dev/urandom";

/// How many random bytes a webhook's secret has.
const SECRET_BYTES: usize = 32;

/// Fails if one of the files is there already.
///
/// # Errors
///
/// With the one that is.
pub(crate) fn nothing_is_there() -> anyhow::Result<()> {
    for file in [ENV_FILE, POOLS_FILE] {
        // Also a link that leads nowhere.
        if Path::new(file).symlink_metadata().is_ok() {
            anyhow::bail!("{file} is there already; --force replaces both .env and pools.toml");
        }
    }
    Ok(())
}

/// Checks the answers as a whole, and writes both files into the working directory.
///
/// # Errors
///
/// With all that is wrong with the answers; or when a file cannot be written.
pub(crate) fn write(answers: &Answers, force: bool) -> anyhow::Result<()> {
    let pools = answers.pools();
    let trial = NamedTempFile::new()?;
    std::fs::write(&trial, &pools)?;
    answers.check(&trial.path().display().to_string())?;
    files::write(Path::new(POOLS_FILE), &pools, force)?;
    files::write(Path::new(ENV_FILE), &answers.env(), force)
}

/// A secret for a webhook, made of random bytes.
///
/// # Errors
///
/// When the system has none.
pub(crate) fn secret() -> anyhow::Result<SecretString> {
    let mut bytes = [0; SECRET_BYTES];
    File::open(RANDOM)
        .and_then(|mut random| random.read_exact(&mut bytes))
        .with_context(|| format!("cannot read {RANDOM}"))?;
    Ok(SecretString::from(STANDARD.encode(bytes)))
}
