//! Disks that are full or cannot be written.

use std::path::Path;

use rustix::mount::{MountFlags, UnmountFlags, mount, mount_remount, unmount};
use shared::{
    model::JobState,
    queue::{Enqueued, Settlement},
};
use tempfile::TempDir;

use crate::support::{connect, message, parse, pool, told, worker};

/// A file system of its own, in memory. Needs the right to mount, as the container engine of other tests does.
struct Disk(TempDir);

impl Disk {
    fn new(size: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let options = std::ffi::CString::new(format!("size={size}")).unwrap();
        mount("tmpfs", folder.path(), "tmpfs", MountFlags::empty(), options.as_c_str()).unwrap();
        Self(folder)
    }

    fn remount(&self, flags: MountFlags, options: &str) {
        let options = std::ffi::CString::new(options).unwrap();
        mount_remount(self.0.path(), flags, options.as_c_str()).unwrap();
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn url(&self) -> String {
        format!("sqlite:{}/queue.db", self.path().display())
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        unmount(self.0.path(), UnmountFlags::DETACH).unwrap();
    }
}

#[tokio::test]
async fn a_full_disk_takes_no_job_says_so_and_loses_none() {
    let disk = Disk::new("1m");
    let queue = connect(disk.url());
    queue.set_limits(&parse("[[pool]]\nname = \"default\"\nmax_runners = 9")).await.unwrap();
    let mut stored = 0;
    let error = loop {
        match queue.enqueue(&message(stored + 1)).await {
            Ok(Enqueued::Stored) => stored += 1,
            Ok(other) => panic!("{other:?}"),
            Err(error) => break error,
        }
        assert!(stored < 10_000, "the disk is never full");
    };
    assert!(error.is_transient(), "{}", told(&error));
    assert!(told(&error).contains("its disk is full; free some space"), "{}", told(&error));
    assert_eq!(queue.status().await.unwrap().pools[0].pending, stored);

    disk.remount(MountFlags::empty(), "size=16m");
    assert_eq!(
        queue.enqueue(&message(stored + 1)).await.unwrap(),
        Enqueued::Stored,
        "nothing was left of the refused one"
    );
    let shared::queue::Reserved::Job(lease) = queue.reserve(&pool(), &worker("a")).await.unwrap() else { panic!() };
    let done = Settlement::Done { detail: String::new() };
    assert_eq!(queue.settle(*lease, done).await.unwrap(), JobState::Done);
}

#[tokio::test]
async fn a_file_that_cannot_be_written_is_told_and_used_once_it_can() {
    let disk = Disk::new("16m");
    let queue = connect(disk.url());
    queue.enqueue(&message(1)).await.unwrap();
    drop(queue);
    let read_only = async || {
        // The thread that had the file open may still be closing it.
        while let Err(error) = mount_remount(disk.path(), MountFlags::RDONLY, c"") {
            assert_eq!(error, rustix::io::Errno::BUSY);
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    read_only().await;
    let queue = connect(disk.url());
    let error = queue.enqueue(&message(2)).await.unwrap_err();
    assert!(error.is_transient(), "{}", told(&error));
    assert!(told(&error).contains("queue.db"), "{}", told(&error));

    disk.remount(MountFlags::empty(), "");
    assert_eq!(queue.enqueue(&message(2)).await.unwrap(), Enqueued::Stored);
    assert_eq!(queue.enqueue(&message(1)).await.unwrap(), Enqueued::DuplicateDelivery);
}

#[tokio::test]
async fn a_disk_in_memory_is_warned_of() {
    let disk = Disk::new("16m");
    let warnings = connect(disk.url()).check().await.unwrap();
    assert!(matches!(&warnings[..], [warning] if warning.contains("in memory")), "{warnings:?}");
}
