//! A Redis server of one's own.

use std::{
    io::{self, BufRead as _, BufReader, Write as _},
    net::{Ipv4Addr, TcpStream},
    process::{Command, ExitStatus},
    time::Duration,
};

use tempfile::TempDir;

use super::{Signal, child::OwnedChild, clock::Clock, error::HarnessError, monitor::Monitor, port::free_port};

/// How long a server may take to answer after its start, or to end after SIGTERM.
const PATIENCE: Duration = Duration::from_secs(20);

/// How long one answer may take.
const ANSWER: Duration = Duration::from_secs(2);

/// How many ports are tried, should another process be faster.
const PORTS: u32 = 5;

/// Settings that the queue demands, as in `compose.yaml`.
const DURABLE: [&str; 8] =
    ["--appendonly", "yes", "--appendfsync", "always", "--maxmemory-policy", "noeviction", "--save", ""];

/// For a server with replicas: it waits for no second one before it sends the first what it has.
pub(super) const AT_ONCE: [&str; 2] = ["--repl-diskless-sync-delay", "0"];

/// A `redis-server` on a loopback port and in a folder of its own. Dropped, it is killed and its folder removed.
#[derive(Debug)]
pub struct RedisServer {
    port: u16,
    arguments: Vec<String>,
    server: OwnedChild,
    folder: TempDir,
    clock: Option<Clock>,
}

impl RedisServer {
    /// Starts a server as the queue demands it: append-only file, synced at each write; no eviction.
    ///
    /// # Errors
    ///
    /// [`HarnessError::Missing`] without `redis-server`; others when it does not come up.
    pub async fn start() -> Result<Self, HarnessError> {
        Self::start_with::<&str>([]).await
    }

    /// The same with `arguments` besides, such as `["--maxmemory", "2mb"]`; of two that contradict, the last counts.
    ///
    /// # Errors
    ///
    /// As [`start`](Self::start).
    pub async fn start_with<A: Into<String>>(arguments: impl IntoIterator<Item = A>) -> Result<Self, HarnessError> {
        Self::launch(arguments, None).await
    }

    /// The same, with a wall clock of its own, which [`set_clock`](Self::set_clock) sets.
    ///
    /// # Errors
    ///
    /// As [`start`](Self::start), and [`HarnessError::Missing`] without a C compiler.
    pub async fn start_with_clock<A: Into<String>>(
        arguments: impl IntoIterator<Item = A>,
    ) -> Result<Self, HarnessError> {
        Self::launch(arguments, Some(Clock::make()?)).await
    }

    async fn launch<A: Into<String>>(
        arguments: impl IntoIterator<Item = A>,
        clock: Option<Clock>,
    ) -> Result<Self, HarnessError> {
        let folder = tempfile::Builder::new().prefix("redis-").tempdir();
        let folder = folder.map_err(HarnessError::system("make a folder for redis-server"))?;
        let arguments: Vec<String> = arguments.into_iter().map(Into::into).collect();
        let mut tries = 0;
        loop {
            tries += 1;
            let port = free_port().map_err(HarnessError::system("find a free port"))?;
            match launch(port, &folder, &arguments, clock.as_ref()).await {
                Ok(server) => return Ok(Self { port, arguments, server, folder, clock }),
                Err(HarnessError::Ended { said, .. }) if tries < PORTS && said.contains("Address already in use") => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Its address, for `QUEUE_URL`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Its port on the loopback interface.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Listens to all that clients send, from now on.
    ///
    /// # Errors
    ///
    /// When it does not answer.
    pub fn monitor(&self) -> Result<Monitor, HarnessError> {
        Monitor::new(self.port).map_err(HarnessError::system("listen to redis-server"))
    }

    /// Its process.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.server.pid()
    }

    /// How it ended, if it has.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.server.ended()
    }

    /// Stops it in an orderly way (SIGTERM). Its data stays.
    ///
    /// # Errors
    ///
    /// When it runs no more, or does not end.
    pub async fn stop(&mut self) -> Result<(), HarnessError> {
        self.server.signal(Signal::TERM)?;
        self.server.wait(PATIENCE).await.map(drop)
    }

    /// Ends it as a power cut would (SIGKILL). What it had written stays.
    pub fn kill(&mut self) {
        self.server.kill();
    }

    /// Starts it again on the same port with the same data, having stopped it if it runs.
    ///
    /// # Errors
    ///
    /// As [`start`](Self::start).
    pub async fn restart(&mut self) -> Result<(), HarnessError> {
        if self.server.ended().is_none() {
            self.stop().await?;
        }
        self.server = launch(self.port, &self.folder, &self.arguments, self.clock.as_ref()).await?;
        Ok(())
    }

    /// Stops its process in place (SIGSTOP): connections stay open and nothing answers.
    ///
    /// # Errors
    ///
    /// When it runs no more.
    pub fn freeze(&mut self) -> Result<(), HarnessError> {
        self.server.signal(Signal::STOP)
    }

    /// Lets it go on after [`freeze`](Self::freeze).
    ///
    /// # Errors
    ///
    /// When it runs no more.
    pub fn thaw(&mut self) -> Result<(), HarnessError> {
        self.server.signal(Signal::CONT)
    }

    /// Lets its wall clock be so many seconds ahead of the machine's from now on, or behind it.
    ///
    /// # Errors
    ///
    /// When it was started without [a clock of its own](Self::start_with_clock).
    pub fn set_clock(&self, seconds: i64) -> Result<(), HarnessError> {
        let machines = || HarnessError::system("set the machine's clock")(io::ErrorKind::Unsupported.into());
        self.clock.as_ref().ok_or_else(machines)?.set(seconds)
    }

    /// Removes all keys.
    ///
    /// # Errors
    ///
    /// When it does not answer.
    pub fn flush(&self) -> Result<(), HarnessError> {
        self.command("FLUSHALL").map(drop)
    }

    /// Sends one command as a line of text, such as `CONFIG SET maxmemory 1`, and returns the first line of the answer.
    ///
    /// # Errors
    ///
    /// When it does not answer, or refuses.
    pub fn command(&self, line: &str) -> Result<String, HarnessError> {
        self.answer(line).map(|[first, _]| first)
    }

    /// The same, of an answer that is a text.
    ///
    /// # Errors
    ///
    /// As [`command`](Self::command).
    pub fn text(&self, line: &str) -> Result<String, HarnessError> {
        self.answer(line).map(|[_, second]| second)
    }

    /// Whether a replica has all that was written until now. Of a cluster's nodes, only the first can say.
    ///
    /// # Errors
    ///
    /// When it does not answer.
    pub fn is_replicated(&self) -> Result<bool, HarnessError> {
        // What is waited for is the last write of the same connection. The key is one of the first node's.
        Ok(self.text("SET b 1\r\nWAIT 1 1000")? == ":1")
    }

    /// The first two lines of an answer; the second is empty where there is only one.
    fn answer(&self, line: &str) -> Result<[String; 2], HarnessError> {
        let answer = ask(self.port, line).and_then(|answer| match answer[0].strip_prefix('-') {
            Some(refusal) => Err(io::Error::other(refusal.to_owned())),
            None => Ok(answer),
        });
        answer.map_err(HarnessError::system(format!("run {line} on redis-server")))
    }
}

async fn launch(
    port: u16,
    folder: &TempDir,
    arguments: &[String],
    clock: Option<&Clock>,
) -> Result<OwnedChild, HarnessError> {
    let mut command = Command::new("redis-server");
    command.args(["--bind", "127.0.0.1", "--port", &port.to_string()]);
    command.arg("--dir").arg(folder.path()).args(DURABLE).args(arguments).current_dir(folder.path());
    command.envs(clock.into_iter().flat_map(Clock::variables));
    let mut server = spawn(&mut command)?;
    // Its own word, not the port's answer: another server may have taken the port in between.
    server.printed("Ready to accept connections", PATIENCE).await?;
    Ok(server)
}

/// Starts the program, which may be a sentinel, too.
pub(super) fn spawn(command: &mut Command) -> Result<OwnedChild, HarnessError> {
    OwnedChild::spawn("redis-server", command, false).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => {
            HarnessError::Missing { program: "redis-server".to_owned(), package: "redis-server" }
        }
        _ => HarnessError::system("start redis-server")(error),
    })
}

/// Sends one command, and returns the first two lines of the answer.
pub(super) fn ask(port: u16, line: &str) -> io::Result<[String; 2]> {
    let mut stream = TcpStream::connect_timeout(&(Ipv4Addr::LOCALHOST, port).into(), ANSWER)?;
    stream.set_read_timeout(Some(ANSWER))?;
    stream.write_all(format!("{line}\r\n").as_bytes())?;
    let mut answer = BufReader::new(stream);
    let mut lines = [String::new(), String::new()];
    answer.read_line(&mut lines[0])?;
    // A text has its length before it, and what was asked may be two commands.
    if (lines[0].starts_with('$') && !lines[0].starts_with("$-1")) || line.contains('\n') {
        answer.read_line(&mut lines[1])?;
    }
    Ok(lines.map(|line| line.trim_end().to_owned()))
}
