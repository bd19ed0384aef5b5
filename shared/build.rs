//! Finds out of which commit this build is.

#![allow(clippy::disallowed_methods, reason = "what cargo tells a build script are variables, not settings")]

use std::{env, process::Command};

/// The commit, where the source comes without its history: when an image is built, or from an archive.
const COMMIT: &str = "AUTOSCALER_COMMIT";
/// As many digits as tell it from any other.
const DIGITS: &str = "--short=12";

fn main() {
    println!("cargo::rerun-if-env-changed={COMMIT}");
    let told = env::var(COMMIT).ok().filter(|commit| !commit.is_empty());
    // Only a release is asked for: otherwise each commit would have everything compiled again.
    let is_release = env::var("PROFILE").is_ok_and(|profile| profile == "release");
    let commit = told.or_else(|| is_release.then(checked_out).flatten());
    println!("cargo::rustc-env={COMMIT}={}", commit.as_deref().unwrap_or("unknown commit"));
}

/// The commit that is checked out, and whether the files are as they were committed.
fn checked_out() -> Option<String> {
    let head = git(&["rev-parse", DIGITS, "HEAD"])?;
    for changed in ["HEAD", "logs/HEAD", "index"] {
        println!("cargo::rerun-if-changed={}", git(&["rev-parse", "--path-format=absolute", "--git-path", changed])?);
    }
    // Looking is no reason to compile again: it leaves the index alone.
    let changes = git(&["--no-optional-locks", "status", "--porcelain", "--untracked-files=no"])?;
    Some(if changes.is_empty() { head } else { format!("{head}, changed") })
}

fn git(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").args(arguments).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
