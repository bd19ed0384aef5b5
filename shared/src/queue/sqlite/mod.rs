//! A file of SQLite's, shared by the processes of one machine.
//!
//! It runs the scripts that Redis runs, on tables that hold what Redis would: so there is one description of what happens to a
//! job, whatever keeps it. Each process writes on a thread of its own, where all that waits goes into one transaction.

mod command;
mod connection;
mod failure;
mod file;
mod interpreter;
mod machine;
mod place;
mod schema;
mod tables;
mod transaction;
mod turn;
mod wake;

use std::{sync::Arc, time::Duration};

use redis::{Cmd, FromRedisValue, Pipeline, Value, cmd, from_redis_value};

use self::{
    connection::{Connection, Use},
    place::Place,
    transaction::Work,
    wake::Waiting,
};
use super::{
    FileFacts, QueueError,
    script::{self, Call},
};

/// A queue in a file. Clones share their connections.
#[derive(Clone, Debug)]
pub(super) struct Sqlite {
    place: Place,
    writing: Arc<Connection>,
    /// Does not wait for those that write, nor they for it.
    reading: Arc<Connection>,
    waiting: Arc<Waiting>,
}

impl Sqlite {
    /// The queue in the file that `path` names, or in its usual place if that is empty.
    pub(super) fn new(path: &str) -> Result<Self, QueueError> {
        let place = Place::parse(path)?;
        Ok(Self {
            writing: Arc::new(Connection::new(place.clone(), Use::Write)),
            reading: Arc::new(Connection::new(place.clone(), Use::Read)),
            waiting: Arc::new(Waiting::new(place.clone())),
            place,
        })
    }

    pub(super) async fn query<T: FromRedisValue>(&self, command: &Cmd) -> Result<T, QueueError> {
        let command = script::bytes(command);
        let connection = self.suited(command::only_reads(&command));
        parsed(connection.perform(Work::Command(command)).await?)
    }

    pub(super) async fn pipeline<T: FromRedisValue>(&self, commands: &Pipeline) -> Result<T, QueueError> {
        let commands: Vec<_> = commands.cmd_iter().map(script::bytes).collect();
        let connection = self.suited(commands.iter().all(|command| command::only_reads(command)));
        parsed(connection.perform(Work::Commands(commands)).await?)
    }

    pub(super) async fn script<T: FromRedisValue>(&self, call: &Call) -> Result<T, QueueError> {
        let connection = self.suited(call.script().only_reads());
        parsed(connection.perform(Work::Script(call.script(), call.arguments())).await?)
    }

    /// What may lose jobs, a line each. It finds the file as it should be, or makes it.
    pub(super) async fn check(&self) -> Result<Vec<String>, QueueError> {
        let _pong: Value = self.writing.perform(Work::Command(script::bytes(&cmd("PING")))).await?;
        Ok(self.place.warnings())
    }

    /// What there is of the file. Neither makes nor opens it.
    pub(super) fn facts(&self) -> Result<FileFacts, QueueError> {
        self.place.facts().map_err(QueueError::from)
    }

    pub(super) async fn wait(&self, markers: &[String], at_most: Duration) -> Result<(), QueueError> {
        self.waiting.wait(&self.writing, markers, at_most).await
    }

    /// Closes the file.
    pub(super) fn close(&self) {
        self.writing.close();
        self.reading.close();
    }

    fn suited(&self, only_reads: bool) -> &Connection {
        if only_reads { &self.reading } else { &self.writing }
    }
}

fn parsed<T: FromRedisValue>(answer: Value) -> Result<T, QueueError> {
    from_redis_value(answer).map_err(QueueError::store)
}
