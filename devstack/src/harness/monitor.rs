//! What clients send to a Redis server.

use std::{
    io::{self, BufRead as _, BufReader, Write as _},
    net::{Ipv4Addr, TcpStream},
    sync::{Arc, Mutex, PoisonError},
    thread,
};

use shared::queue::script_name;

/// Listens to all that clients send, from now on, by `MONITOR`.
#[derive(Clone, Debug)]
pub struct Monitor(Arc<Mutex<Vec<Sent>>>);

/// A command that a client sent.
#[derive(Clone, Debug)]
pub struct Sent {
    /// When, in seconds.
    pub at: f64,
    /// Which client: its address.
    pub client: String,
    /// The command; or the script, if it is a call of one of the queue's.
    pub name: String,
}

impl Monitor {
    /// Listens to the server at this port of the loopback interface, until it ends.
    pub(super) fn new(port: u16) -> io::Result<Self> {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
        stream.write_all(b"MONITOR\r\n")?;
        let seen = Arc::<Mutex<Vec<Sent>>>::default();
        let all = Arc::clone(&seen);
        let mut lines = BufReader::new(stream).lines();
        lines.next().transpose()?; // +OK: from here on nothing is missed
        thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                all.lock().unwrap_or_else(PoisonError::into_inner).extend(read(&line));
            }
        });
        Ok(Self(seen))
    }

    /// What was sent so far.
    #[must_use]
    pub fn sent(&self) -> Vec<Sent> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// `+1700000000.123456 [0 127.0.0.1:1234] "EVALSHA" "…" …`; what a script does itself comes from `[0 lua]`.
fn read(line: &str) -> Option<Sent> {
    let (at, rest) = line.trim_start_matches('+').split_once(" [")?;
    let (client, command) = rest.split_once("] ")?;
    let client = client.split_once(' ').map(|(_, client)| client).filter(|client| *client != "lua")?;
    let mut words = command.split('"').skip(1).step_by(2);
    let (command, script) = (words.next()?.to_uppercase(), words.next().unwrap_or_default());
    let name = match command.as_str() {
        "EVALSHA" => script_name(script)?,
        _ => command,
    };
    Some(Sent { at: at.parse().ok()?, client: client.to_owned(), name })
}
