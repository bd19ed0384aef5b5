//! `run.sh`: connects, waits for a job, runs it, reports.

use std::{
    collections::BTreeMap,
    io,
    path::Path,
    process::ExitCode,
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use super::{
    client::{self, Reply},
    files::Identity,
    host::Host,
    step::Step,
};

/// The version that this runner says it is.
const VERSION: &str = "2.336.0";
/// How often it is looked whether a step has ended, or the runner is told to stop.
const LOOK: Duration = Duration::from_millis(20);
/// How often GitHub is told that a job still runs, and asked whether it is cancelled.
const RENEW: Duration = Duration::from_secs(1);
/// The pause before a request that failed is made again.
const PAUSE: Duration = Duration::from_secs(1);
/// How long it is tried to report a job's result.
const REPORT_FOR: Duration = Duration::from_secs(30);
/// How long another session of the same runner is waited for. The real runner waits for 4 min.
const CONFLICT_FOR: Duration = Duration::from_mins(1);

const DELETED: &str = "Failed to create a session. The runner registration has been deleted from the server, please \
                       re-configure. Runner registrations are automatically deleted for runners that have not \
                       connected to the service recently.";
const TERMINATED: &str = "Runner listener exit with terminated error, stop the service, no retry needed.";

/// Why the runner ends before its time.
enum End {
    /// It was told to stop.
    Stopped,
    /// It cannot go on; this is why.
    Terminated(String),
}

struct Listener<'a> {
    identity: Identity,
    session: String,
    home: &'a Path,
    host: &'a Host,
}

/// Runs the runner until it has done its job, or is told to stop. The exit code is 0 in any case, as that of the real
/// `run.sh`.
pub(crate) fn run(home: &Path, host: &Host) -> ExitCode {
    let ended = Identity::read(home).map_err(End::Terminated).and_then(|identity| {
        let session = connect(&identity, host)?;
        let listener = Listener { identity, session, home, host };
        let ended = listener.listen();
        if !host.is_killed() {
            drop(listener.request("DELETE", "", None)); // should it fail, the session ends a little later
        }
        ended
    });
    match ended {
        Ok(()) => host.line("Runner listener exit with 0 return code, stop the service, no retry needed."),
        Err(End::Stopped) => host.line("Exiting..."),
        Err(End::Terminated(problem)) => {
            host.line(&problem);
            host.line(TERMINATED);
        }
    }
    host.line("Exiting runner...");
    ExitCode::SUCCESS
}

/// Opens a session.
fn connect(identity: &Identity, host: &Host) -> Result<String, End> {
    let begun = Instant::now();
    let mut told = false;
    loop {
        let asked = identity.clone();
        let reply = wait(host, move || client::request(&asked.server, &asked.authorization, "POST", "/session", None))?;
        let problem = match reply {
            Ok(Reply { status: 201, body }) => {
                host.line("\n\u{221a} Connected to GitHub\n");
                host.line(&format!("Current runner version: '{VERSION}'"));
                return Ok(body["session"].as_str().unwrap_or_default().to_owned());
            }
            Ok(Reply { status: 401, .. }) => return Err(End::Terminated(DELETED.to_owned())),
            Ok(Reply { status: 403, .. }) => return Err(End::Terminated(deprecated())),
            Ok(Reply { status: 409, .. }) if begun.elapsed() > CONFLICT_FOR => {
                return Err(End::Terminated("A session for this runner already exists. Stop retry.".to_owned()));
            }
            Ok(Reply { status: 409, .. }) => "A session for this runner already exists.".to_owned(),
            Ok(reply) => format!("Runner connect error: {}. Retrying until reconnected.", reply.problem()),
            Err(error) => format!("Runner connect error: {error}. Retrying until reconnected."),
        };
        if !told {
            host.timed(&problem);
            told = true;
        }
        pause(host)?;
    }
}

impl Listener<'_> {
    fn listen(&self) -> Result<(), End> {
        self.host.timed("Listening for Jobs");
        loop {
            let job = self.next_job()?;
            if self.serve(&job) {
                return Err(End::Stopped);
            }
            if self.identity.ephemeral {
                return Ok(());
            }
            self.host.timed("Listening for Jobs");
        }
    }

    /// Waits for a job, however long it takes.
    fn next_job(&self) -> Result<Value, End> {
        let mut failing = false;
        loop {
            let (identity, path) = (self.identity.clone(), self.path("/message"));
            let asked = move || client::request(&identity.server, &identity.authorization, "GET", &path, None);
            let problem = match wait(self.host, asked)? {
                Ok(Reply { status: 200, body }) => return Ok(body),
                Ok(Reply { status: 204, .. }) => None,
                Ok(Reply { status: 401, .. }) => return Err(End::Terminated(DELETED.to_owned())),
                Ok(Reply { status: 403, .. }) => return Err(End::Terminated(deprecated())),
                Ok(Reply { status: 410, .. }) => {
                    let problem = "The runner's session has ended".to_owned();
                    return Err(End::Terminated(format!("An error occurred: {problem}")));
                }
                Ok(reply) => Some(reply.problem()),
                Err(error) => Some(error.to_string()),
            };
            match &problem {
                None if failing => self.host.timed("Runner reconnected."),
                Some(problem) if !failing => {
                    self.host.timed(&format!("Runner connect error: {problem}. Retrying until reconnected."));
                }
                _ => {}
            }
            failing = problem.is_some();
            if failing {
                pause(self.host)?;
            }
        }
    }

    /// Runs a job and reports how it ended. Returns whether the runner was told to stop meanwhile.
    fn serve(&self, job: &Value) -> bool {
        let name = job["name"].as_str().unwrap_or_default();
        let path = format!("/jobs/{}", job["id"]);
        match self.request("POST", &format!("{path}/accept"), None) {
            Ok(Reply { status: 204, .. }) => {}
            // Somebody else has it, or it was cancelled: there may be another.
            Ok(_) | Err(_) => return self.is_stopped(),
        }
        self.host.timed(&format!("Running job: {name}"));
        self.host.took(job["id"].as_u64().unwrap_or_default());
        let work = self.home.join(&self.identity.work);
        let script = job["script"].as_str().unwrap_or_default();
        let (result, log) = match Step::start(&work, script, &self.variables(job)) {
            Ok(mut step) => (self.watch(&mut step, &path), step.log()),
            Err(error) => ("Failed", format!("cannot run the step: {error}")),
        };
        let conclusion = match result {
            "Succeeded" => "success",
            "Canceled" => "cancelled",
            _ => "failure",
        };
        self.report(&format!("{path}/finish"), &json!({ "conclusion": conclusion, "log": log }));
        self.host.timed(&format!("Job {name} completed with result: {result}"));
        self.is_stopped()
    }

    /// Waits for the end of a step; cancels it when the job is cancelled, or the runner told to stop.
    fn watch(&self, step: &mut Step, path: &str) -> &'static str {
        let mut renewed = Instant::now();
        let mut cancel = false;
        loop {
            match step.ended() {
                Ok(None) => {}
                Ok(Some(_)) if step.is_cancelled() => return "Canceled",
                Ok(Some(status)) if status.success() => return "Succeeded",
                Ok(Some(_)) | Err(_) => return "Failed",
            }
            if renewed.elapsed() >= RENEW {
                renewed = Instant::now();
                cancel |= match self.request("POST", &format!("{path}/renew"), None) {
                    Ok(reply) => reply.body["cancelled"] == true || reply.status == 410,
                    Err(_) => false,
                };
            }
            cancel |= self.is_stopped();
            if self.host.is_killed() {
                return "Canceled"; // and the step with it
            }
            if cancel {
                step.cancel();
            }
            thread::sleep(LOOK);
        }
    }

    fn report(&self, path: &str, body: &Value) {
        let begun = Instant::now();
        while begun.elapsed() < REPORT_FOR && !self.host.is_killed() {
            match self.request("POST", path, Some(body)) {
                Ok(reply) if reply.status < 500 => return,
                Ok(_) | Err(_) => thread::sleep(PAUSE),
            }
        }
    }

    fn variables(&self, job: &Value) -> BTreeMap<String, String> {
        let given = job["env"].as_object().into_iter().flatten();
        let given = given.map(|(name, value)| (name.clone(), value.as_str().unwrap_or_default().to_owned()));
        given.chain([("RUNNER_NAME".to_owned(), self.identity.name.clone())]).collect()
    }

    fn request(&self, method: &str, path: &str, body: Option<&Value>) -> io::Result<Reply> {
        if self.host.is_killed() {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        client::request(&self.identity.server, &self.identity.authorization, method, &self.path(path), body)
    }

    fn path(&self, path: &str) -> String {
        format!("/session/{}{path}", self.session)
    }

    fn is_stopped(&self) -> bool {
        self.host.is_stopped()
    }
}

/// Makes a request that may take long, unless the runner is told to stop: then it is left to itself.
fn wait<T: Send + 'static>(host: &Host, request: impl FnOnce() -> T + Send + 'static) -> Result<T, End> {
    let (sender, reply) = mpsc::channel();
    thread::spawn(move || sender.send(request()));
    loop {
        if host.is_stopped() {
            return Err(End::Stopped);
        }
        match reply.recv_timeout(LOOK) {
            Ok(reply) => return Ok(reply),
            Err(mpsc::RecvTimeoutError::Timeout) => {}
            Err(mpsc::RecvTimeoutError::Disconnected) => {
                return Err(End::Terminated("An error occurred: a thread panicked".to_owned()));
            }
        }
    }
}

/// What a runner says to which GitHub gives no jobs because of its version.
fn deprecated() -> String {
    format!("An error occured: Runner version v{VERSION} is deprecated and cannot receive messages.")
}

/// Waits a little before the next try.
fn pause(host: &Host) -> Result<(), End> {
    let until = Instant::now() + PAUSE;
    while Instant::now() < until {
        if host.is_stopped() {
            return Err(End::Stopped);
        }
        thread::sleep(LOOK);
    }
    Ok(())
}
