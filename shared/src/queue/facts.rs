//! What keeps the queue, for whoever looks whether it will do.

use std::path::PathBuf;

/// What keeps the queue.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum StoreFacts {
    /// One server, or the primaries of a cluster; none of them, where the store does not let its user ask.
    Servers(Vec<ServerFacts>),
    /// A file of this machine's.
    File(FileFacts),
}

/// What a server says of itself.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ServerFacts {
    /// Which node of a cluster it is; nothing of a server that stands alone.
    pub node: String,
    /// What it is, and of which version: `Redis 7.0.15`.
    pub product: String,
    /// Whether it writes down what it is given (`appendonly`); nothing if it does not say.
    pub append_only: Option<bool>,
    /// What it throws away when its memory is full (`maxmemory-policy`); nothing if it does not say.
    pub eviction: Option<String>,
}

/// A file, and what is around it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct FileFacts {
    /// Where it is, or will be.
    pub path: PathBuf,
    /// The version of SQLite that reads it.
    pub sqlite: &'static str,
    /// The version of the tables that this program knows.
    pub schema: usize,
    /// The file's permissions (`0o600`); nothing if there is no file yet.
    pub mode: Option<u32>,
    /// The name of the file system, or its number where the name is not known.
    pub file_system: String,
    /// How many bytes are free there.
    pub free_bytes: u64,
}
