//! How a runner is connected, and asks for a job.

use time::OffsetDateTime;

use super::{
    Key, State,
    runner::{Runner, Session, guid},
    serve::Handed,
};

/// Why a runner has no session.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum NoSession {
    /// Its registration was deleted, or never was.
    Deleted,
    /// It has another session: the same runner was started twice.
    Conflict,
    /// It ended, by itself or because the runner was silent.
    Ended,
}

/// What a runner that asks for a job is told.
#[derive(Debug)]
pub(crate) enum Polled {
    /// This one.
    Job(Box<Handed>),
    /// None yet.
    Nothing,
}

impl State {
    /// Connects a runner. Returns its session.
    pub(crate) fn open_session(&mut self, key: &Key, now: OffsetDateTime) -> Result<String, NoSession> {
        let id = guid(&mut self.rng);
        let runner = self.by_key(key)?;
        if runner.session.is_some() {
            return Err(NoSession::Conflict);
        }
        runner.os = "Linux";
        runner.session = Some(Session { id: id.clone(), seen: now, polls: 0, listening: now });
        Ok(id)
    }

    /// Disconnects a runner. What it had not begun goes to another.
    pub(crate) fn close_session(&mut self, key: &Key, session: &str, now: OffsetDateTime) -> Result<(), NoSession> {
        let runner = self.connected(key, session, now)?;
        runner.session = None;
        if let Some(job) = runner.job {
            self.abandon(job, now);
        }
        Ok(())
    }

    /// Deletes the registration of a runner that asks for it.
    pub(crate) fn deregister(&mut self, key: &Key, now: OffsetDateTime) -> Result<(), NoSession> {
        let id = self.by_key(key)?.id;
        if let Some(Runner { job: Some(job), .. }) = self.runners.remove(&id) {
            self.abandon(job, now);
        }
        Ok(())
    }

    /// A runner begins to wait for a job. Each is followed by an [`end_poll`](Self::end_poll).
    pub(crate) fn begin_poll(&mut self, key: &Key, session: &str, now: OffsetDateTime) -> Result<(), NoSession> {
        let runner = self.connected(key, session, now)?;
        if let Some(session) = &mut runner.session {
            session.polls += 1;
        }
        self.assign(now);
        Ok(())
    }

    /// What a runner that waits is told. Whoever asks again is told the same until the job is accepted.
    pub(crate) fn poll(&mut self, key: &Key, session: &str, now: OffsetDateTime) -> Result<Polled, NoSession> {
        let job = self.connected(key, session, now)?.job;
        Ok(match job.filter(|job| !self.is_accepted(*job)).and_then(|job| self.handed(job)) {
            Some(job) => Polled::Job(Box::new(job)),
            None => Polled::Nothing,
        })
    }

    /// A runner waits no more.
    pub(crate) fn end_poll(&mut self, key: &Key, session: &str, now: OffsetDateTime) {
        let Ok(runner) = self.connected(key, session, now) else { return };
        if let Some(session) = &mut runner.session {
            session.polls = session.polls.saturating_sub(1);
        }
    }

    /// The runner that this is, if it is connected; it was seen now.
    pub(super) fn connected(&mut self, key: &Key, id: &str, now: OffsetDateTime) -> Result<&mut Runner, NoSession> {
        let runner = self.by_key(key)?;
        match &mut runner.session {
            Some(session) if session.id == id => session.seen = now,
            _ => return Err(NoSession::Ended),
        }
        Ok(runner)
    }

    fn by_key(&mut self, key: &Key) -> Result<&mut Runner, NoSession> {
        self.runners.values_mut().find(|runner| runner.key == *key).ok_or(NoSession::Deleted)
    }
}
