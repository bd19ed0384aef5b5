//! Ports that nothing listens on.

use std::{
    io,
    net::{Ipv4Addr, TcpListener},
};

/// Below the ports that the kernel gives to outgoing connections, which could take a port between its choice and its use.
const PORTS: std::ops::Range<u16> = 10_000..32_000;

/// How many ports are tried.
const TRIES: u32 = 100;

/// A port of the loopback interface that is free now. It stays so unless another process draws the same one: whoever
/// binds it should draw again when it is taken.
///
/// # Errors
///
/// The last refusal, when no port was free.
pub fn free_port() -> io::Result<u16> {
    let mut refusal = io::Error::from(io::ErrorKind::AddrInUse);
    for _ in 0..TRIES {
        let port = fastrand::u16(PORTS);
        match TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)) {
            Ok(_) => return Ok(port),
            Err(error) => refusal = error,
        }
    }
    Err(refusal)
}
