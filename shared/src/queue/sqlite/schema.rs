//! The tables, by version.

use rusqlite::{Connection, TransactionBehavior};

use super::failure::Failure;

/// Says in the file's head that it is ours: `gha1`.
const APPLICATION: i32 = 0x6768_6131;

/// What leads from each version to the next, from an empty file on. None of them is ever changed: files exist that went
/// through it.
const STEPS: [&str; 1] = [include_str!("schema/1.sql")];

/// The version that this program brings a file to.
pub(super) const VERSION: usize = STEPS.len();

/// Brings the file to this program's version.
pub(super) fn migrate(connection: &mut Connection) -> Result<(), SchemaError> {
    migrate_by(connection, &STEPS)
}

/// Why a file is not used.
#[derive(Debug)]
pub(super) enum SchemaError {
    /// What SQLite says.
    Sqlite(rusqlite::Error),
    /// What is wrong with it.
    Unsuitable(String),
}

impl SchemaError {
    /// The same, as a failure with this file.
    pub(super) fn of(self, file: &std::path::Path) -> Failure {
        match self {
            Self::Sqlite(error) => Failure::of(&error, file),
            Self::Unsuitable(reason) => Failure::Unsuitable(format!("{} {reason}", file.display())),
        }
    }
}

impl From<rusqlite::Error> for SchemaError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

fn migrate_by(connection: &mut Connection, steps: &[&str]) -> Result<(), SchemaError> {
    // At one moment, for another process may be at it.
    let moment = connection.transaction()?;
    if version(&moment, steps.len())? == steps.len() {
        return Ok(());
    }
    drop(moment);
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    for step in &steps[version(&transaction, steps.len())?..] {
        transaction.execute_batch(step)?;
    }
    transaction.pragma_update(None, "application_id", APPLICATION)?;
    transaction.pragma_update(None, "user_version", i64::try_from(steps.len()).unwrap_or(i64::MAX))?;
    transaction.commit()?;
    Ok(())
}

/// The version of a file that is ours, or empty.
fn version(connection: &Connection, newest: usize) -> Result<usize, SchemaError> {
    let number = |pragma| connection.pragma_query_value(None, pragma, |row| row.get::<_, i64>(0));
    let (application, version) = (number("application_id")?, number("user_version")?);
    let tables: i64 = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    if application != i64::from(APPLICATION) {
        if tables == 0 && application == 0 && version == 0 {
            return Ok(0);
        }
        return Err(SchemaError::Unsuitable(
            "is a database of something else; name another file in QUEUE_URL".to_owned(),
        ));
    }
    usize::try_from(version).ok().filter(|version| *version <= newest).ok_or_else(|| {
        SchemaError::Unsuitable(format!(
            "was written by a newer version of this program (its schema is {version}, and this one knows {newest}): run that one"
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: &str = "CREATE TABLE one (a)";

    fn reason(error: SchemaError) -> String {
        match error {
            SchemaError::Unsuitable(reason) => reason,
            SchemaError::Sqlite(error) => panic!("{error}"),
        }
    }

    #[test]
    fn a_file_is_brought_from_any_version_to_this_one() {
        let mut file = Connection::open_in_memory().unwrap();
        migrate_by(&mut file, &[FIRST]).unwrap();
        file.execute("INSERT INTO one VALUES (7)", []).unwrap();
        let steps = [FIRST, "ALTER TABLE one ADD COLUMN b DEFAULT 8", "CREATE TABLE two AS SELECT a + b AS c FROM one"];
        for _ in 0..2 {
            migrate_by(&mut file, &steps).unwrap();
            assert_eq!(file.query_row("SELECT c FROM two", [], |row| row.get(0)), Ok(15));
        }
    }

    #[test]
    fn a_step_that_fails_changes_nothing() {
        let mut file = Connection::open_in_memory().unwrap();
        migrate_by(&mut file, &[FIRST]).unwrap();
        assert!(migrate_by(&mut file, &[FIRST, "CREATE TABLE two (a); CREATE TABLE one (a)"]).is_err());
        assert_eq!(version(&file, 1).unwrap(), 1);
        assert!(file.prepare("SELECT * FROM two").is_err());
    }

    #[test]
    fn a_newer_file_and_somebody_elses_are_left_alone() {
        let mut newer = Connection::open_in_memory().unwrap();
        migrate_by(&mut newer, &[FIRST, "CREATE TABLE two (a)"]).unwrap();
        assert!(reason(migrate_by(&mut newer, &[FIRST]).unwrap_err()).contains("newer version"));
        let mut other = Connection::open_in_memory().unwrap();
        other.execute_batch("CREATE TABLE theirs (a)").unwrap();
        assert!(reason(migrate_by(&mut other, &[FIRST]).unwrap_err()).contains("something else"));
        assert!(other.prepare("SELECT * FROM one").is_err());
    }
}
