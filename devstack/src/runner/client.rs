//! Requests to the stand-in for GitHub: HTTP/1.1, one request to a connection, no TLS.

use std::{
    io::{self, BufRead as _, BufReader, Read as _, Write as _},
    net::{TcpStream, ToSocketAddrs as _},
    time::Duration,
};

use serde_json::Value;

/// How long a connection may take.
const CONNECT: Duration = Duration::from_secs(10);
/// How long an answer may take; one that waits for a job takes most of a minute.
const ANSWER: Duration = Duration::from_secs(100);
/// The most bytes of a body, and of a line above it.
const BODY_BYTES_MAX: u64 = 32 * 1024 * 1024;
const LINE_BYTES_MAX: u64 = 16 * 1024;
/// The most lines above a body.
const LINES_MAX: usize = 200;

/// An answer.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: u16,
    /// Null when there is none, or it is no JSON.
    pub(super) body: Value,
}

impl Reply {
    /// What the server says is wrong.
    pub(super) fn problem(&self) -> String {
        let message = self.body["message"].as_str().unwrap_or("no message");
        format!("the server answered {}: {message}", self.status)
    }
}

/// Makes a request below `/_standin/runner` of the server.
pub(super) fn request(
    server: &str,
    authorization: &str,
    method: &str,
    path: &str,
    body: Option<&Value>,
) -> io::Result<Reply> {
    let (authority, prefix) = split(server)?;
    let body = body.map(Value::to_string).unwrap_or_default();
    let head = format!(
        "{method} {prefix}/_standin/runner{path} HTTP/1.1\r\nHost: {authority}\r\nConnection: close\r\n\
         User-Agent: devstack-runner\r\nAuthorization: {authorization}\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n",
        body.len()
    );
    let mut stream = connect(&authority)?;
    stream.set_read_timeout(Some(ANSWER))?;
    stream.set_write_timeout(Some(CONNECT))?;
    stream.write_all(format!("{head}{body}").as_bytes())?;
    read(BufReader::new(stream))
}

fn read(mut stream: BufReader<TcpStream>) -> io::Result<Reply> {
    let odd = || io::Error::from(io::ErrorKind::InvalidData);
    let status = line(&mut stream)?.split(' ').nth(1).and_then(|status| status.parse().ok()).ok_or_else(odd)?;
    let mut length = None;
    for _ in 0..LINES_MAX {
        let line = line(&mut stream)?;
        if line.is_empty() {
            let mut body = Vec::new();
            let length = length.unwrap_or(BODY_BYTES_MAX).min(BODY_BYTES_MAX);
            stream.take(length).read_to_end(&mut body)?;
            return Ok(Reply { status, body: serde_json::from_slice(&body).unwrap_or_default() });
        }
        if let Some((name, value)) =
            line.split_once(':').filter(|(name, _)| name.eq_ignore_ascii_case("content-length"))
        {
            length = Some(value.trim().parse().map_err(|_| io::Error::other(format!("odd {name}")))?);
        }
    }
    Err(odd())
}

fn line(stream: &mut BufReader<TcpStream>) -> io::Result<String> {
    let mut line = String::new();
    if stream.take(LINE_BYTES_MAX).read_line(&mut line)? == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(line.trim_end().to_owned())
}

fn connect(authority: &str) -> io::Result<TcpStream> {
    let with_port = if authority.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok()) {
        authority.to_owned()
    } else {
        format!("{authority}:80")
    };
    let mut refusal = io::Error::from(io::ErrorKind::AddrNotAvailable);
    for address in with_port.to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, CONNECT) {
            Ok(stream) => return Ok(stream),
            Err(error) => refusal = error,
        }
    }
    Err(refusal)
}

/// The host, with its port, and the path of a server's address.
fn split(server: &str) -> io::Result<(String, &str)> {
    let rest = server.strip_prefix("http://").ok_or_else(|| {
        io::Error::new(io::ErrorKind::InvalidInput, format!("the stand-in runner knows http:// only, not {server}"))
    })?;
    let (authority, path) = rest.find('/').map_or((rest, ""), |at| rest.split_at(at));
    Ok((authority.to_owned(), path.trim_end_matches('/')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_may_be_below_a_path() {
        assert_eq!(split("http://h:1/a/").unwrap(), ("h:1".to_owned(), "/a"));
        assert_eq!(split("http://h").unwrap(), ("h".to_owned(), ""));
        assert!(split("https://h").is_err());
    }
}
