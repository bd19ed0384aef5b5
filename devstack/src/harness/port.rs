//! Ports that nothing listens on.

use std::{
    collections::HashSet,
    io,
    net::{Ipv4Addr, TcpListener},
    sync::{LazyLock, Mutex, PoisonError},
};

/// Below the ports that the kernel gives to outgoing connections, which could take a port between its choice and its use.
const PORTS: std::ops::Range<u16> = 10_000..32_000;

/// How many ports are tried.
const TRIES: u32 = 100;

/// Those that were given out: they may not be bound yet.
static GIVEN: LazyLock<Mutex<HashSet<u16>>> = LazyLock::new(Mutex::default);

/// A port of the loopback interface that is free now, and a different one each time. It stays free unless another process
/// draws the same one: whoever binds it should draw again when it is taken.
///
/// # Errors
///
/// The last refusal, when no port was free.
pub fn free_port() -> io::Result<u16> {
    let mut refusal = io::Error::from(io::ErrorKind::AddrInUse);
    for _ in 0..TRIES {
        let port = fastrand::u16(PORTS);
        if !GIVEN.lock().unwrap_or_else(PoisonError::into_inner).insert(port) {
            continue;
        }
        match TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)) {
            Ok(_) => return Ok(port),
            Err(error) => refusal = error,
        }
    }
    Err(refusal)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_port_is_given_twice() {
        let ports: Vec<u16> = (0..2000).map(|_| free_port().unwrap()).collect();
        assert_eq!(ports.iter().collect::<HashSet<_>>().len(), ports.len());
    }
}
