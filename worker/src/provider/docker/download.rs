//! Files of a container, which need not run.

use std::io::Read as _;

use bollard::{Docker, errors::Error, query_parameters::DownloadFromContainerOptionsBuilder};
use futures_util::TryStreamExt as _;

use super::connect::{ANSWER_TIMEOUT, bounded};
use crate::provider::ProviderError;

/// The most bytes of an archive that are read.
const BYTES_MAX: usize = 1024 * 1024;

/// The text of a file; `None` if there is nothing at that path, or no file.
pub(super) async fn text(
    client: &Docker,
    container: &str,
    path: &str,
    doing: &str,
) -> Result<Option<String>, ProviderError> {
    let options = DownloadFromContainerOptionsBuilder::new().path(path).build();
    let download = client.download_from_container(container, Some(options));
    let archive = async {
        let read = download.try_fold(Vec::new(), |mut archive: Vec<u8>, chunk| async move {
            let room = BYTES_MAX.saturating_sub(archive.len());
            archive.extend_from_slice(&chunk[..chunk.len().min(room)]);
            Ok(archive)
        });
        match read.await {
            Err(Error::DockerResponseServerError { status_code: 404, message }) if !is_no_container(&message) => {
                Ok(Vec::new())
            }
            read => read,
        }
    };
    Ok(first_file(&bounded(doing, ANSWER_TIMEOUT, archive).await?))
}

fn is_no_container(message: &str) -> bool {
    message.to_ascii_lowercase().contains("no such container")
}

/// The text of the file that a tar archive begins with.
fn first_file(archive: &[u8]) -> Option<String> {
    let mut archive = tar::Archive::new(archive);
    let mut file = archive.entries().ok()?.next()?.ok()?;
    let mut text = Vec::new();
    file.read_to_end(&mut text).ok()?;
    file.header().entry_type().is_file().then(|| String::from_utf8_lossy(&text).into_owned())
}
