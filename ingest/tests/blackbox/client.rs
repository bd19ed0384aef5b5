//! A client that sends what it is told, byte by byte: what a well-behaved one would never send is tested as well.

use std::{net::Ipv4Addr, time::Duration};

use serde_json::Value;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};

/// How long an answer may take, and the end of the connection after it.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// An answer, as it came.
#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) code: u16,
    head: String,
    pub(crate) body: String,
}

impl Response {
    /// A header's value.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let lines = self.head.lines().filter_map(|line| line.split_once(':'));
        lines.into_iter().find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
    }

    /// A field of the JSON that every answer is.
    fn field(&self, name: &str) -> String {
        let json: Value = serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("no JSON: {self:?}"));
        json[name].as_str().unwrap_or_else(|| panic!("no {name}: {self:?}")).to_owned()
    }

    pub(crate) fn status(&self) -> String {
        self.field("status")
    }

    pub(crate) fn msg(&self) -> String {
        self.field("msg")
    }

    /// Code and status.
    pub(crate) fn outcome(&self) -> (u16, String) {
        (self.code, self.status())
    }
}

/// Opens a connection.
pub(crate) async fn connect(port: u16) -> TcpStream {
    TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.unwrap()
}

/// Sends these bytes, and waits for the answer and for the server to close the connection.
pub(crate) async fn send(port: u16, request: &[u8]) -> Response {
    let mut stream = connect(port).await;
    // A server that answers early may close before everything is written.
    let _written = stream.write_all(request).await;
    receive(&mut stream).await
}

/// Waits for an answer and the end of the connection.
pub(crate) async fn receive(stream: &mut TcpStream) -> Response {
    let mut bytes = Vec::new();
    let read = timeout(PATIENCE, stream.read_to_end(&mut bytes)).await.expect("the connection stayed open");
    let text = String::from_utf8(bytes).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer but {text:?}, {read:?}"));
    let code = head.split(' ').nth(1).unwrap().parse().unwrap();
    Response { code, head: head.to_owned(), body: body.to_owned() }
}

/// A request without a body.
pub(crate) async fn request(port: u16, method: &str, path: &str) -> Response {
    request_with(port, method, path, &[]).await
}

/// The same with these headers besides.
pub(crate) async fn request_with(port: u16, method: &str, path: &str, headers: &[(&str, &str)]) -> Response {
    let first = format!("{method} {path} HTTP/1.1");
    let usual = ["host: localhost".to_owned(), "connection: close".to_owned()];
    let others = headers.iter().map(|(name, value)| format!("{name}: {value}"));
    let lines: Vec<String> = std::iter::once(first).chain(usual).chain(others).collect();
    let head = format!("{}\r\n\r\n", lines.join("\r\n"));
    send(port, head.as_bytes()).await
}
