//! A collector of traces, which takes OTLP over HTTP.

use std::sync::{Arc, Mutex};

use serde::Deserialize;
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    task::JoinSet,
};

/// A span, as OTLP has it in JSON.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Span {
    pub(crate) trace_id: String,
    #[serde(rename = "spanId")]
    pub(crate) id: String,
    pub(crate) parent_span_id: Option<String>,
    pub(crate) name: String,
    pub(crate) kind: u8,
    start_time_unix_nano: String,
    end_time_unix_nano: String,
    pub(crate) attributes: Vec<Value>,
    pub(crate) events: Vec<Value>,
    pub(crate) status: Option<Value>,
}

impl Span {
    pub(crate) fn start(&self) -> u64 {
        self.start_time_unix_nano.parse().unwrap()
    }

    pub(crate) fn end(&self) -> u64 {
        self.end_time_unix_nano.parse().unwrap()
    }
}

/// What was sent, and with which heads.
#[derive(Default)]
struct Taken {
    spans: Vec<Span>,
    heads: Vec<String>,
    resources: Vec<String>,
}

pub(crate) struct Collector {
    pub(crate) port: u16,
    taken: Arc<Mutex<Taken>>,
    _listens: JoinSet<()>,
}

impl Collector {
    pub(crate) async fn start() -> Self {
        Self::at(0).await
    }

    /// On a port that is known before it is there.
    pub(crate) async fn at(port: u16) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", port)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let taken = Arc::<Mutex<Taken>>::default();
        let mut listens = JoinSet::new();
        let into = Arc::clone(&taken);
        listens.spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                connections.spawn(serve(stream, Arc::clone(&into)));
            }
        });
        Self { port, taken, _listens: listens }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    pub(crate) fn spans(&self) -> Vec<Span> {
        self.taken.lock().unwrap().spans.clone()
    }

    pub(crate) fn heads(&self) -> Vec<String> {
        self.taken.lock().unwrap().heads.clone()
    }

    /// What all spans say.
    pub(crate) fn resources(&self) -> Vec<String> {
        self.taken.lock().unwrap().resources.clone()
    }
}

/// Takes what comes by one connection.
async fn serve(mut stream: TcpStream, taken: Arc<Mutex<Taken>>) {
    let mut bytes = Vec::new();
    loop {
        let head = loop {
            if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
                break end + 4;
            }
            if stream.read_buf(&mut bytes).await.unwrap_or(0) == 0 {
                return;
            }
        };
        let text = String::from_utf8(bytes[..head].to_vec()).unwrap().to_ascii_lowercase();
        let length = text.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
        let length: usize = length.unwrap();
        while bytes.len() < head + length {
            assert_ne!(stream.read_buf(&mut bytes).await.unwrap(), 0, "it ended within a body");
        }
        let request: Value = serde_json::from_slice(&bytes[head..head + length]).unwrap();
        bytes.drain(..head + length);
        {
            let mut taken = taken.lock().unwrap();
            taken.heads.push(text);
            for of in request["resourceSpans"].as_array().unwrap() {
                taken.resources.push(of["resource"].to_string());
                for scope in of["scopeSpans"].as_array().unwrap() {
                    taken.spans.extend(Vec::<Span>::deserialize(&scope["spans"]).unwrap());
                }
            }
        }
        let answer = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}";
        stream.write_all(answer.as_bytes()).await.unwrap();
    }
}
