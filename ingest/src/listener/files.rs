//! How many files the process may have open: each connection is one.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tracing::warn;

/// How many files the process needs besides.
const OTHERS: usize = 128;

/// Sees to it that there can be so many connections: a process commonly may have 1024 files open, unless it asks for more. Returns how many
/// there can be.
pub(super) fn allow(connections: usize) -> usize {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let number = |limit: Option<u64>| limit.map_or(usize::MAX, |limit| usize::try_from(limit).unwrap_or(usize::MAX));
    let wanted = (connections + OTHERS).min(number(maximum));
    let mut allowed = number(current);
    if allowed < wanted {
        match setrlimit(Resource::Nofile, Rlimit { current: u64::try_from(wanted).ok(), maximum }) {
            Ok(()) => allowed = wanted,
            Err(error) => warn!(%error, "Cannot have {wanted} files open"),
        }
    }
    let possible = connections.min(allowed.saturating_sub(OTHERS).max(1));
    if possible < connections {
        warn!(
            "The limit of open files allows {possible} connections at once, not {connections}: raise the hard one (ulimit -n)"
        );
    }
    possible
}
