//! Looks into a Redis that may be away: the queue's own client would wait for it, or try again.

use std::{
    io::{self, BufRead as _, BufReader, Read as _, Write as _},
    net::{Ipv4Addr, TcpStream},
    time::Duration,
};

/// How long an answer may take.
const ANSWER: Duration = Duration::from_secs(2);

/// A connection of one's own.
#[derive(Debug)]
pub(crate) struct Probe(BufReader<TcpStream>);

impl Probe {
    pub(crate) fn connect(port: u16) -> io::Result<Self> {
        let stream = TcpStream::connect_timeout(&(Ipv4Addr::LOCALHOST, port).into(), ANSWER)?;
        stream.set_read_timeout(Some(ANSWER))?;
        Ok(Self(BufReader::new(stream)))
    }

    /// The jobs in a sorted set; none while Redis is away.
    pub(crate) fn members(port: u16, set: &str) -> Vec<u64> {
        let look = format!("EVAL \"return table.concat(redis.call('ZRANGE',KEYS[1],0,-1),' ')\" 1 {set}");
        let members = Self::connect(port).and_then(|mut probe| probe.one(&look)).ok().flatten().unwrap_or_default();
        members.split(' ').filter_map(|entry| entry.split('~').next()?.parse().ok()).collect()
    }

    /// Sends commands, each a line of text, and returns their answers: of each its text or number; nothing for a nil.
    pub(crate) fn ask(&mut self, commands: &[String]) -> io::Result<Vec<Option<String>>> {
        let text: String = commands.iter().flat_map(|command| [command, "\r\n"]).collect();
        self.0.get_mut().write_all(text.as_bytes())?;
        commands.iter().map(|_| self.answer()).collect()
    }

    pub(crate) fn one(&mut self, command: &str) -> io::Result<Option<String>> {
        Ok(self.ask(&[command.to_owned()])?.remove(0))
    }

    fn answer(&mut self) -> io::Result<Option<String>> {
        let line = self.line()?;
        match line.split_at_checked(1) {
            Some(("+" | ":", rest)) => Ok(Some(rest.to_owned())),
            Some(("$", "-1")) => Ok(None),
            Some(("$", length)) => {
                let mut text = vec![0; length.parse::<usize>().map_err(io::Error::other)? + 2];
                self.0.read_exact(&mut text)?;
                text.truncate(text.len() - 2);
                String::from_utf8(text).map(Some).map_err(io::Error::other)
            }
            _ => Err(io::Error::other(line)),
        }
    }

    fn line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        if self.0.read_line(&mut line)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(line.trim_end().to_owned())
    }
}
