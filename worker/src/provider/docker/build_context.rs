//! The directory that an image is built from, as a tar archive.

use std::{
    fs, io,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use bytes::Bytes;
use futures_util::{Stream, stream};
use tokio::sync::mpsc;

use super::ignore::Ignore;

/// The file that says what is not sent.
const IGNORE_FILE: &str = ".dockerignore";
/// How large the pieces are that the archive is sent in, in bytes.
const PIECE_BYTES: usize = 64 * 1024;
/// How many pieces may wait to be sent.
const PIECES_WAITING: usize = 16;
/// The most bytes of files that are sent: more is a directory that was not meant.
const CONTEXT_BYTES_MAX: u64 = 4 * 1024 * 1024 * 1024;

/// A directory that an image is built from.
#[derive(Debug)]
pub(super) struct BuildContext {
    directory: PathBuf,
    dockerfile: String,
    ignore: Ignore,
}

/// Why an image cannot be built from a directory.
#[derive(Debug, thiserror::Error)]
pub(super) enum ContextError {
    #[error("DOCKER_RUNNER_DOCKERFILE: there is no file {0} in DOCKER_BUILD_PATH")]
    Dockerfile(PathBuf),
    #[error("{}: {problem}", path.display())]
    Ignore { path: PathBuf, problem: String },
    #[error("cannot read {}", path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("DOCKER_BUILD_PATH has more than {CONTEXT_BYTES_MAX} bytes: name what is not needed in its .dockerignore")]
    TooLarge,
    /// The engine stopped listening; it says why.
    #[error("the engine took no more of it")]
    Cut,
}

impl BuildContext {
    /// The directory with its `.dockerignore`. `dockerfile` is a path in it.
    pub(super) fn open(directory: &Path, dockerfile: &Path) -> Result<Self, ContextError> {
        let inside = dockerfile.strip_prefix(directory).unwrap_or(dockerfile);
        let inside: PathBuf =
            inside.components().filter(|part| !matches!(part, std::path::Component::CurDir)).collect();
        let climbs = inside.components().any(|part| !matches!(part, std::path::Component::Normal(_)));
        let name = inside.to_str().filter(|_| !climbs && directory.join(&inside).is_file());
        let name = name.ok_or_else(|| ContextError::Dockerfile(dockerfile.to_owned()))?.to_owned();

        let path = directory.join(IGNORE_FILE);
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            Err(source) => return Err(ContextError::Read { path, source }),
        };
        let ignore = Ignore::parse(&text, &[IGNORE_FILE, &name])
            .map_err(|error| ContextError::Ignore { path, problem: error.to_string() })?;
        Ok(Self { directory: directory.to_owned(), dockerfile: name, ignore })
    }

    /// The Dockerfile's path in the archive.
    pub(super) fn dockerfile(&self) -> &str {
        &self.dockerfile
    }

    /// Writes the archive. Blocks: the files are read here.
    pub(super) fn write(&self, out: impl io::Write) -> Result<(), ContextError> {
        let mut archive = tar::Builder::new(out);
        let mut bytes = 0;
        let mut waiting = vec![String::new()];
        while let Some(directory) = waiting.pop() {
            for name in self.names_in(&directory)? {
                let path = if directory.is_empty() { name } else { format!("{directory}/{name}") };
                self.add(&mut archive, &path, &mut bytes, &mut waiting)?;
            }
        }
        archive.into_inner().and_then(|mut out| out.flush()).map_err(|_| ContextError::Cut)
    }

    /// What is in a directory, in order, so that the same directory makes the same archive. What is not called by
    /// UTF-8 is left out.
    fn names_in(&self, directory: &str) -> Result<Vec<String>, ContextError> {
        let path = self.directory.join(directory);
        let entries = fs::read_dir(&path).and_then(Iterator::collect::<io::Result<Vec<fs::DirEntry>>>);
        let entries = entries.map_err(|source| ContextError::Read { path, source })?;
        let mut names: Vec<String> =
            entries.into_iter().filter_map(|entry| entry.file_name().into_string().ok()).collect();
        names.sort_unstable();
        Ok(names)
    }

    fn add<W: io::Write>(
        &self,
        archive: &mut tar::Builder<W>,
        path: &str,
        bytes: &mut u64,
        waiting: &mut Vec<String>,
    ) -> Result<(), ContextError> {
        let full = self.directory.join(path);
        let unreadable = |source| ContextError::Read { path: full.clone(), source };
        let left_out = self.ignore.leaves_out(path);
        if left_out && !self.ignore.takes_back_in(path) {
            return Ok(());
        }
        let metadata = fs::symlink_metadata(&full).map_err(unreadable)?;
        let kind = metadata.file_type();
        if kind.is_dir() {
            waiting.push(path.to_owned());
        }
        if left_out {
            return Ok(());
        }
        let mut header = tar::Header::new_gnu();
        header.set_mode(metadata.permissions().mode() & 0o7777);
        header.set_size(0); // owner and time stay zero: what is built depends on the content alone
        let cut = |_| ContextError::Cut;
        if kind.is_dir() {
            header.set_entry_type(tar::EntryType::Directory);
            archive.append_data(&mut header, format!("{path}/"), io::empty()).map_err(cut)
        } else if kind.is_symlink() {
            header.set_entry_type(tar::EntryType::Symlink);
            let target = fs::read_link(&full).map_err(unreadable)?;
            archive.append_link(&mut header, path, target).map_err(cut)
        } else if kind.is_file() {
            *bytes += metadata.len();
            if *bytes > CONTEXT_BYTES_MAX {
                return Err(ContextError::TooLarge);
            }
            let file = fs::File::open(&full).map_err(unreadable)?;
            header.set_entry_type(tar::EntryType::Regular);
            header.set_size(metadata.len());
            // A file that grows or shrinks meanwhile still has the length that was announced.
            let exactly = io::Read::take(io::Read::chain(file, io::repeat(0)), metadata.len());
            archive.append_data(&mut header, path, exactly).map_err(cut)
        } else {
            Ok(()) // sockets and devices are no content
        }
    }
}

/// The writing end of a stream of pieces. Blocks while too many of them wait.
#[derive(Debug)]
pub(super) struct Pieces {
    piece: Vec<u8>,
    sender: mpsc::Sender<Bytes>,
}

impl Pieces {
    /// Both ends. The stream ends when the writer is dropped.
    pub(super) fn new() -> (Self, impl Stream<Item = Bytes> + Send + 'static) {
        let (sender, receiver) = mpsc::channel(PIECES_WAITING);
        let pieces = stream::unfold(receiver, |mut receiver| async move { Some((receiver.recv().await?, receiver)) });
        (Self { piece: Vec::with_capacity(PIECE_BYTES), sender }, pieces)
    }
}

impl io::Write for Pieces {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.piece.extend_from_slice(bytes);
        if self.piece.len() >= PIECE_BYTES {
            self.flush()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        let piece = std::mem::replace(&mut self.piece, Vec::with_capacity(PIECE_BYTES));
        self.sender.blocking_send(piece.into()).map_err(|_| io::ErrorKind::BrokenPipe.into())
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn directory(files: &[&str]) -> tempfile::TempDir {
        let directory = tempfile::tempdir().unwrap();
        for file in files {
            let path = directory.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, file).unwrap();
        }
        directory
    }

    fn sent(directory: &Path, dockerfile: &str) -> Vec<String> {
        let mut archive = Vec::new();
        BuildContext::open(directory, Path::new(dockerfile)).unwrap().write(&mut archive).unwrap();
        let mut archive = tar::Archive::new(archive.as_slice());
        let entries = archive.entries().unwrap().map(|entry| entry.unwrap().path().unwrap().display().to_string());
        entries.collect()
    }

    #[test]
    fn what_dockerignore_names_is_not_sent_and_the_dockerfile_is() {
        let directory = directory(&["a", "dev/Dockerfile", "dev/b", "secret/key", "target/c/d", "keep/e"]);
        fs::write(directory.path().join(".dockerignore"), "*\n!keep\n").unwrap();
        symlink("../a", directory.path().join("keep/link")).unwrap();
        let mut sent = sent(directory.path(), "./dev/Dockerfile");
        sent.sort();
        assert_eq!(sent, [".dockerignore", "dev/Dockerfile", "keep/", "keep/e", "keep/link"]);
    }

    #[test]
    fn the_same_directory_makes_the_same_archive_with_modes_kept() {
        let directory = directory(&["Dockerfile", "bin/tool"]);
        fs::set_permissions(directory.path().join("bin/tool"), fs::Permissions::from_mode(0o755)).unwrap();
        let write = || {
            let mut archive = Vec::new();
            BuildContext::open(directory.path(), Path::new("Dockerfile")).unwrap().write(&mut archive).unwrap();
            archive
        };
        let once = write();
        fs::File::open(directory.path().join("bin/tool")).unwrap().set_modified(std::time::UNIX_EPOCH).unwrap();
        assert_eq!(once, write());
        let mut archive = tar::Archive::new(once.as_slice());
        let tool = archive.entries().unwrap().map(Result::unwrap).find(|entry| entry.path().unwrap().ends_with("tool"));
        assert_eq!(tool.unwrap().header().mode().unwrap(), 0o755);
    }

    #[test]
    fn a_dockerfile_outside_or_absent_is_said_to_be() {
        let directory = directory(&["in/Dockerfile", "outside"]);
        let inside = directory.path().join("in");
        for dockerfile in ["Missing", "../outside", "/etc/passwd", "."] {
            let error = BuildContext::open(&inside, Path::new(dockerfile)).unwrap_err();
            assert!(error.to_string().starts_with("DOCKER_RUNNER_DOCKERFILE"), "{error}");
        }
        assert!(BuildContext::open(&inside, &inside.join("Dockerfile")).is_ok());
    }

    #[test]
    fn a_reader_that_goes_away_ends_the_writing() {
        let directory = directory(&["Dockerfile"]);
        let context = BuildContext::open(directory.path(), Path::new("Dockerfile")).unwrap();
        let (pieces, stream) = Pieces::new();
        drop(stream);
        assert!(matches!(context.write(pieces), Err(ContextError::Cut)));
    }
}
