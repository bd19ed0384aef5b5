//! The files of a JIT configuration, on their way into a container; and folders that are to be its runner's.

use std::io;

use bollard::{Docker, body_full, query_parameters::UploadToContainerOptionsBuilder};

use super::{
    connect::{CHANGE_TIMEOUT, bounded},
    owner::Owner,
};
use crate::{
    provider::ProviderError,
    runner::{JitFiles, RUNNER_HOME},
};

/// Nobody but the runner may read them.
const MODE: u32 = 0o600;
const FOLDER_MODE: u32 = 0o755;

/// Writes the files into the runner's home in a container that was not started yet, and makes it the owner of the folders
/// there, all in one request.
pub(super) async fn write(
    client: &Docker,
    container: &str,
    files: Option<&JitFiles>,
    folders: &[&str],
    owner: Owner,
) -> Result<(), ProviderError> {
    const DOING: &str = "write the runner's files";
    let archive = archive(files, folders, owner).map_err(|error| ProviderError::refused(DOING, error.to_string()))?;
    let options = UploadToContainerOptionsBuilder::new().path(RUNNER_HOME).build();
    let upload = client.upload_to_container(container, Some(options), body_full(archive.into()));
    bounded(DOING, CHANGE_TIMEOUT, upload).await
}

fn archive(files: Option<&JitFiles>, folders: &[&str], owner: Owner) -> io::Result<Vec<u8>> {
    let mut archive = tar::Builder::new(Vec::new());
    let header = |kind, mode, size| {
        let mut header = tar::Header::new_ustar();
        header.set_entry_type(kind);
        header.set_size(size);
        header.set_mode(mode);
        header.set_uid(owner.uid);
        header.set_gid(owner.gid);
        header
    };
    for folder in folders {
        archive.append_data(&mut header(tar::EntryType::Directory, FOLDER_MODE, 0), folder, io::empty())?;
    }
    for (name, content) in files.into_iter().flat_map(JitFiles::iter) {
        archive.append_data(&mut header(tar::EntryType::Regular, MODE, content.len() as u64), name, content)?;
    }
    archive.into_inner()
}
