//! Sends deliveries as fast as they are answered, or at a pace, over connections that stay. A process of its own.

use std::{cell::RefCell, collections::BTreeMap, path::PathBuf, rc::Rc, time::Duration};

use anyhow::{Context as _, bail, ensure};
use serde::{Deserialize, Serialize};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    task::LocalSet,
    time::{Instant, sleep_until, timeout},
};

use super::deliveries::Template;

/// How long one answer may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Room for an answer.
const ANSWER_BYTES_MAX: usize = 4096;

/// Sends deliveries and prints as JSON what came of it.
#[derive(Clone, Debug, clap::Args)]
pub struct LoadCommand {
    /// The server's port on the loopback interface
    #[arg(long)]
    port: u16,

    /// A file with the payload that all are made of
    #[arg(long)]
    payload: PathBuf,

    /// The number of the first delivery; each is of a job of its own
    #[arg(long)]
    first: u32,

    /// How many
    #[arg(long)]
    deliveries: u32,

    /// Over how many connections
    #[arg(long)]
    connections: u64,

    /// So many a second, and no more
    #[arg(long)]
    per_second: Option<u32>,

    /// With signatures that are wrong
    #[arg(long)]
    forged: bool,

    /// `GET` instead
    #[arg(long)]
    get: bool,
}

/// What came of it. Times are in microseconds: from when it was to be sent to the end of its answer.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(in crate::bench) struct Answered {
    pub(super) seconds: f64,
    /// How often which status was answered.
    pub(super) statuses: BTreeMap<u16, u64>,
    pub(super) p50: u32,
    pub(super) p99: u32,
    pub(super) p999: u32,
    pub(super) max: u32,
}

/// What the connections share.
struct Plan {
    template: Template,
    tags: Vec<[u8; 64]>,
    first: u32,
    per_second: Option<u32>,
    get: bool,
    begun: Instant,
    state: RefCell<State>,
}

#[derive(Default)]
struct State {
    next: u32,
    statuses: BTreeMap<u16, u64>,
    micros: Vec<u32>,
}

impl LoadCommand {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let answered = LocalSet::new().block_on(&runtime, self.send())?;
        #[allow(clippy::print_stdout, reason = "it is what the command is for")]
        {
            println!("{}", serde_json::to_string(&answered)?);
        }
        Ok(())
    }

    async fn send(self) -> anyhow::Result<Answered> {
        let mut template = Template::read(&self.payload)?;
        let tags = (0..self.deliveries).map(|number| {
            let mut tag = template.sign(self.first + number);
            if self.forged {
                tag.rotate_left(1);
            }
            tag
        });
        let tags: Vec<_> = tags.collect();
        let mut streams = Vec::new();
        for _ in 0..self.connections {
            let stream = TcpStream::connect(("127.0.0.1", self.port)).await.context("cannot connect")?;
            stream.set_nodelay(true)?;
            streams.push(stream);
        }
        let state = RefCell::new(State { micros: Vec::with_capacity(tags.len()), ..State::default() });
        let begun = Instant::now();
        let plan = Plan { template, tags, first: self.first, per_second: self.per_second, get: self.get, begun, state };
        let plan = Rc::new(plan);
        let senders: Vec<_> =
            streams.into_iter().map(|stream| tokio::task::spawn_local(sender(Rc::clone(&plan), stream))).collect();
        for sender in senders {
            sender.await??;
        }
        let seconds = begun.elapsed().as_secs_f64();
        let State { statuses, mut micros, .. } = plan.state.take();
        micros.sort_unstable();
        let at = |thousandths: usize| micros[(micros.len() * thousandths / 1000).min(micros.len() - 1)];
        ensure!(!micros.is_empty(), "nothing was answered");
        Ok(Answered { seconds, statuses, p50: at(500), p99: at(990), p999: at(999), max: at(1000) })
    }
}

/// Sends one delivery after the other over a connection.
async fn sender(plan: Rc<Plan>, mut stream: TcpStream) -> anyhow::Result<()> {
    let mut template = plan.template.clone();
    loop {
        let number = {
            let mut state = plan.state.borrow_mut();
            state.next += 1;
            state.next - 1
        };
        let Some(tag) = plan.tags.get(number as usize) else { return Ok(()) };
        let mut due = Instant::now();
        if let Some(rate) = plan.per_second {
            due = plan.begun + Duration::from_secs(1) * number / rate;
            sleep_until(due).await;
        }
        let request = template.request(plan.first + number, tag);
        let request: &[u8] = if plan.get { b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n" } else { request };
        stream.write_all(request).await.context("a connection broke")?;
        let status = timeout(PATIENCE, answer(&mut stream)).await.context("an answer takes too long")??;
        let micros = u32::try_from(due.elapsed().as_micros()).unwrap_or(u32::MAX);
        let mut state = plan.state.borrow_mut();
        *state.statuses.entry(status).or_default() += 1;
        state.micros.push(micros);
    }
}

/// Reads an answer to its end, and returns its status.
async fn answer(stream: &mut TcpStream) -> anyhow::Result<u16> {
    let mut bytes = [0; ANSWER_BYTES_MAX];
    let mut length = 0;
    loop {
        let read = stream.read(&mut bytes[length..]).await.context("a connection broke")?;
        ensure!(read > 0, "a connection was closed after {:?}", String::from_utf8_lossy(&bytes[..length]));
        length += read;
        let Some(head) = bytes[..length].windows(4).position(|window| window == b"\r\n\r\n") else { continue };
        let text = std::str::from_utf8(&bytes[..head])?;
        let status = text.get(9..12).and_then(|status| status.parse().ok());
        let Some(status) = status else { bail!("an answer begins with {text:?}") };
        let body = text.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
        });
        if length >= head + 4 + body.unwrap_or(0) {
            return Ok(status);
        }
    }
}
