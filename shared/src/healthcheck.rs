//! Whether a process of ours is ready, as it is asked from within its container: an image with a program and no shell has nothing
//! else to ask with.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};

/// How long it may take: less than the 5 s after which Docker gives a check up, which would then not say why.
const PATIENCE: Duration = Duration::from_secs(4);

/// More than any answer has.
const ANSWER_MAX: u64 = 64 * 1024;

/// Why a process counts as not ready.
#[derive(Debug, thiserror::Error)]
pub enum NotReady {
    /// It does not answer: it starts yet, or is gone.
    #[error("nothing answers on the private listener, {at}: {problem}")]
    Silent {
        /// Where it was asked.
        at: SocketAddr,
        /// What the system says.
        problem: io::Error,
    },
    /// It says what it lacks.
    #[error("not ready: {0}")]
    Lacking(String),
}

/// Asks the process whose private listener was told to bind to `bind` whether it is ready.
///
/// # Errors
///
/// [`NotReady`], when it is not, or does not say so within 4 s.
pub async fn ask(bind: SocketAddr) -> Result<(), NotReady> {
    let at = within(bind);
    let late = || Err(io::Error::from(io::ErrorKind::TimedOut));
    let answer = timeout(PATIENCE, answer(at)).await.unwrap_or_else(|_elapsed| late());
    let answer = answer.map_err(|problem| NotReady::Silent { at, problem })?;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    match head.split(' ').nth(1) {
        Some("200") => Ok(()),
        _ => Err(NotReady::Lacking(body.trim().to_owned())),
    }
}

/// Where a listener is reached from its own machine.
fn within(bind: SocketAddr) -> SocketAddr {
    let ip = match bind.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, bind.port())
}

async fn answer(at: SocketAddr) -> io::Result<String> {
    let mut stream = TcpStream::connect(at).await?;
    stream.write_all(b"GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").await?;
    let mut answer = String::new();
    stream.take(ANSWER_MAX).read_to_string(&mut answer).await?;
    Ok(answer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listener_on_all_addresses_is_asked_on_the_loopback_interface() {
        for (bind, at) in [
            ("0.0.0.0:5001", "127.0.0.1:5001"),
            ("[::]:5001", "[::1]:5001"),
            ("127.0.0.1:7", "127.0.0.1:7"),
            ("10.0.0.3:5002", "10.0.0.3:5002"),
        ] {
            assert_eq!(within(bind.parse().unwrap()).to_string(), at);
        }
    }
}
