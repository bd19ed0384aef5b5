//! Transactions, each with all that waited for the one before it to end: what many ask for costs one write to the disk.

use std::{fs::File, os::unix::fs::FileExt as _, rc::Rc};

use redis::Value;
use rusqlite::Connection;
use tokio::sync::oneshot;

use super::{
    command,
    connection::Use,
    failure::Failure,
    file,
    interpreter::Interpreter,
    machine::Machine,
    place::Place,
    tables::{CommandError, Done, Tables},
    turn::in_turn,
    wake,
};
use crate::queue::{QueueError, script::Script};

/// What is asked for.
#[derive(Debug)]
pub(super) enum Work {
    Command(Vec<Vec<u8>>),
    Commands(Vec<Vec<Vec<u8>>>),
    /// With its key and its arguments.
    Script(&'static Script, Vec<Vec<u8>>),
}

/// Who waits for the answer.
pub(super) type Asker = oneshot::Sender<Result<Value, Failure>>;

/// Tells the answer to who waits for it, or to nobody if that was given up.
pub(super) fn answer(asker: Asker, answered: Result<Value, Failure>) {
    drop(asker.send(answered));
}

/// An open file, on the thread that it belongs to.
pub(super) struct Transactions {
    place: Place,
    what_for: Use,
    identity: Option<(u64, u64)>,
    machine: Machine,
    tables: Rc<Tables>,
    interpreter: Interpreter,
    /// What is written to when somebody is to be woken; and what is locked by whose turn it is.
    bell: File,
}

impl Transactions {
    pub(super) fn open(place: &Place, what_for: Use) -> Result<Self, Failure> {
        let mut machine = Machine::this(place)?;
        place.make()?;
        machine.claim()?;
        let connection: Connection = file::open(place, what_for)?;
        let tables = Rc::new(Tables { connection, woken: false.into() });
        let interpreter = Interpreter::new(Rc::clone(&tables)).map_err(|error| Failure::Passing(error.to_string()))?;
        let (place, bell, identity) = (place.clone(), wake::bell(place)?, file::identity(place));
        Ok(Self { place, what_for, identity, machine, tables, interpreter, bell })
    }

    /// Whether the file is the one that was opened.
    pub(super) fn are_of_the_file_there(&self) -> bool {
        self.identity.is_some() && self.identity == file::identity(&self.place)
    }

    /// Does all of it in one transaction, and answers once that is on the disk. What fails for itself leaves no trace, and the
    /// others stand.
    ///
    /// Returns `false` when nothing of it was done: then the file is to be opened anew.
    pub(super) fn together(&mut self, (works, askers): (Vec<Work>, Vec<Asker>)) -> bool {
        let (answers, done) = match self.commit(&works, &askers) {
            Ok(answers) => (answers, true),
            Err(failure) => (vec![Err(failure); askers.len()], false),
        };
        for (asker, answered) in askers.into_iter().zip(answers) {
            answer(asker, answered);
        }
        done
    }

    fn commit(&mut self, works: &[Work], askers: &[Asker]) -> Result<Vec<Result<Value, Failure>>, Failure> {
        self.machine.claim()?;
        self.tables.woken.set(false);
        let done = self.begin().and_then(|()| {
            let answers = self.perform(works, askers)?;
            self.run("COMMIT")?;
            Ok(answers)
        });
        match done {
            Ok(answers) => {
                if self.tables.woken.get() {
                    // Who is not woken looks every few seconds.
                    self.bell.write_all_at(b"!", 0).map_err(|error| Failure::Passing(error.to_string()))?;
                }
                Ok(answers)
            }
            Err(failure) => {
                if !self.tables.connection.is_autocommit() {
                    self.run("ROLLBACK")?;
                }
                Err(failure)
            }
        }
    }

    fn begin(&self) -> Result<(), Failure> {
        match self.what_for {
            Use::Write => in_turn(&self.bell, || self.run("BEGIN IMMEDIATE")),
            Use::Read => self.run("BEGIN"),
        }
    }

    fn run(&self, sql: &str) -> Result<(), Failure> {
        self.tables.run(sql, []).map(drop).map_err(|error| self.failure(&error))
    }

    fn perform(&self, works: &[Work], askers: &[Asker]) -> Result<Vec<Result<Value, Failure>>, Failure> {
        if self.what_for == Use::Write {
            command::forget_expired(&self.tables).map_err(|error| self.failure(&error))?;
        }
        let mut answers = Vec::with_capacity(works.len());
        for (work, asker) in works.iter().zip(askers) {
            if asker.is_closed() {
                answers.push(Err(Failure::Passing("nobody waits for it any more".to_owned())));
                continue;
            }
            self.run("SAVEPOINT one")?;
            let answer = self.one(work).map_err(|error| self.failure(&error));
            if let Err(failure) = &answer {
                if self.tables.connection.is_autocommit() {
                    return Err(failure.clone()); // SQLite has taken everything back
                }
                self.run("ROLLBACK TO one")?;
            }
            self.run("RELEASE one")?;
            answers.push(answer);
        }
        Ok(answers)
    }

    fn one(&self, work: &Work) -> Done<Value> {
        match work {
            Work::Command(command) => command::run(&self.tables, command),
            Work::Commands(commands) => commands
                .iter()
                .map(|command| command::run(&self.tables, command))
                .collect::<Done<_>>()
                .map(Value::Array),
            Work::Script(script, arguments) => self.interpreter.run(script, arguments),
        }
    }

    fn failure(&self, error: &CommandError) -> Failure {
        match error {
            CommandError::Sqlite(error) => Failure::of(error, self.place.path()),
            CommandError::Refused(text) if text.split(' ').next() == Some(QueueError::ELSEWHERE) => Failure::Moved,
            CommandError::Wrong(problem) | CommandError::Refused(problem) => Failure::Passing(problem.clone()),
        }
    }
}
