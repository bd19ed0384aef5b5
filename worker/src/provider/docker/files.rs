//! The files of a JIT configuration, on their way into a container.

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

/// Writes the files into the runner's home in a container that was not started yet, all of them in one request.
pub(super) async fn write(
    client: &Docker,
    container: &str,
    files: &JitFiles,
    owner: Owner,
) -> Result<(), ProviderError> {
    const DOING: &str = "write the runner's files";
    let archive = archive(files, owner).map_err(|error| ProviderError::refused(DOING, error.to_string()))?;
    let options = UploadToContainerOptionsBuilder::new().path(RUNNER_HOME).build();
    let upload = client.upload_to_container(container, Some(options), body_full(archive.into()));
    bounded(DOING, CHANGE_TIMEOUT, upload).await
}

fn archive(files: &JitFiles, owner: Owner) -> io::Result<Vec<u8>> {
    let mut archive = tar::Builder::new(Vec::new());
    for (name, content) in files.iter() {
        let mut header = tar::Header::new_ustar();
        header.set_entry_type(tar::EntryType::Regular);
        header.set_size(content.len() as u64);
        header.set_mode(MODE);
        header.set_uid(owner.uid);
        header.set_gid(owner.gid);
        archive.append_data(&mut header, name, content)?;
    }
    archive.into_inner()
}
