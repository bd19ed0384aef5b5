//! Files that are not what they should be.

use std::{fs, os::unix::fs::PermissionsExt as _, time::Duration};

use redis::{Value, cmd};
use rusqlite::Connection;
use shared::queue::{Enqueued, QueueError};
use tempfile::TempDir;
use tokio::time::{Instant, sleep};

use crate::support::{TestQueue, connect, message, told};

/// A folder, and the address of a file in it.
fn place() -> (TempDir, String, std::path::PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("queue.db");
    (folder, format!("sqlite:{}", file.display()), file)
}

/// The reason for which the store cannot be used.
async fn unsuitable(url: String) -> String {
    let error = connect(url).enqueue(&message(1)).await.unwrap_err();
    assert!(matches!(error, QueueError::Unsuitable(_)) && error.is_transient(), "{}", told(&error));
    error.to_string()
}

#[tokio::test]
async fn a_file_that_is_no_database_is_refused_and_left_alone() {
    let (_folder, url, file) = place();
    let notes = "Notes of mine. ".repeat(100);
    fs::write(&file, &notes).unwrap();
    assert!(unsuitable(url).await.contains("is no database"));
    assert_eq!(fs::read_to_string(&file).unwrap(), notes);
}

#[tokio::test]
async fn a_database_of_something_else_is_refused_and_left_alone() {
    let (_folder, url, file) = place();
    Connection::open(&file).unwrap().execute_batch("CREATE TABLE accounts (id)").unwrap();
    assert!(unsuitable(url).await.contains("is a database of something else"));
    let tables = "SELECT group_concat(name) FROM sqlite_schema";
    let tables: String = Connection::open(&file).unwrap().query_row(tables, [], |row| row.get(0)).unwrap();
    assert_eq!(tables, "accounts");
}

#[tokio::test]
async fn a_file_that_a_newer_program_wrote_is_refused_until_that_one_runs() {
    let (_folder, url, file) = place();
    connect(url.clone()).enqueue(&message(1)).await.unwrap();
    let version = |number: i64| Connection::open(&file).unwrap().pragma_update(None, "user_version", number).unwrap();
    version(99);
    let reason = unsuitable(url.clone()).await;
    assert!(reason.contains("newer version of this program (its schema is 99"), "{reason}");
    version(1);
    assert_eq!(connect(url).enqueue(&message(1)).await.unwrap(), Enqueued::DuplicateDelivery);
}

#[tokio::test]
async fn the_file_and_its_folder_are_its_owners_alone() {
    let (folder, _, _) = place();
    let file = folder.path().join("state/autoscaler/queue.db");
    connect(format!("sqlite:{}", file.display())).ping().await.unwrap();
    let mode = |path: &std::path::Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(file.parent().unwrap()), 0o700);
    for beside in fs::read_dir(file.parent().unwrap()).unwrap() {
        let path = beside.unwrap().path();
        assert_eq!(mode(&path) & 0o077, 0, "{}", path.display());
    }
}

#[tokio::test]
async fn a_lock_of_another_program_is_waited_for_and_told_and_nothing_is_stored_twice() {
    let (_folder, url, file) = place();
    let queue = connect(url);
    queue.ping().await.unwrap();
    let other = Connection::open(&file).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let start = Instant::now();
    let error = queue.enqueue(&message(1)).await.unwrap_err();
    assert!(error.is_transient() && start.elapsed() < Duration::from_secs(2), "{:?}", start.elapsed());
    assert!(told(&error).contains("is locked by another program"), "{}", told(&error));
    assert_eq!(queue.job(crate::support::job(1)).await.unwrap(), None, "who only reads is not held up");
    other.execute_batch("COMMIT").unwrap();
    assert_eq!(queue.enqueue(&message(1)).await.unwrap(), Enqueued::Stored);
}

/// Whoever has the old file open would write to where nobody looks.
#[tokio::test]
async fn a_file_that_is_put_in_the_place_of_the_old_one_is_used_from_then_on() {
    let (folder, url, file) = place();
    let queue = connect(url);
    queue.enqueue(&message(1)).await.unwrap();
    Connection::open(&file).unwrap().execute("VACUUM INTO ?", [folder.path().join("backup").to_str()]).unwrap();
    queue.enqueue(&message(2)).await.unwrap();
    for beside in ["queue.db", "queue.db-wal", "queue.db-shm"] {
        fs::remove_file(folder.path().join(beside)).unwrap();
    }
    fs::rename(folder.path().join("backup"), &file).unwrap();
    assert_eq!(queue.enqueue(&message(2)).await.unwrap(), Enqueued::Stored, "it is not in the backup");
    assert_eq!(queue.enqueue(&message(1)).await.unwrap(), Enqueued::DuplicateDelivery);
}

#[tokio::test]
async fn what_has_expired_is_gone_and_takes_no_room() {
    let test = TestQueue::new().await;
    let ok = Value::Okay;
    assert_eq!(test.command("SET gha:a 1 NX PX 150").await, ok);
    assert_eq!(test.command("SET gha:a 2 NX PX 150").await, Value::Nil);
    test.command("HSET gha:h field value").await;
    assert_eq!(test.command("PEXPIRE gha:h 150").await, Value::Int(1));
    test.command("HSET gha:kept field value").await;
    sleep(Duration::from_millis(200)).await;
    assert_eq!(test.command("GET gha:a").await, Value::Nil);
    assert_eq!(test.command("SET gha:a 3 NX PX 60000").await, ok);
    assert_eq!(test.command("HGET gha:h field").await, Value::Nil);
    let kept: Vec<String> = test.queue.command(&cmd("HMGET").arg("gha:kept").arg("field").to_owned()).await.unwrap();
    assert_eq!(kept, ["value"]);
    assert_eq!(test.command("PTTL gha:h").await, Value::Int(-2));
}

#[tokio::test]
async fn a_command_that_a_script_may_not_use_is_told_by_its_name() {
    let test = TestQueue::new().await;
    for line in ["FLUSHALL", "ZRANGE gha:z -5 -1", "LREM gha:l 0 a"] {
        let mut words = line.split(' ');
        let mut command = cmd(words.next().unwrap());
        command.arg(words.collect::<Vec<_>>());
        let error = test.queue.command::<Value>(&command).await.unwrap_err();
        assert!(told(&error).contains(line.split(' ').next().unwrap()), "{}", told(&error));
    }
    test.enqueue(1).await;
}

/// So that a copy of the file is a backup, while nobody has it open.
#[tokio::test]
async fn all_is_in_one_file_once_it_is_closed() {
    let (folder, url, _) = place();
    let queues = [connect(url.clone()), connect(url)];
    for (id, queue) in (1..).zip(&queues) {
        queue.enqueue(&message(id)).await.unwrap();
        queue.status().await.unwrap();
    }
    drop(queues);
    assert!(!folder.path().join("queue.db-wal").exists());
}
