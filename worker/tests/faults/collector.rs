//! A collector of traces, which takes OTLP over HTTP.

use std::sync::{Arc, Mutex};

use opentelemetry_proto::tonic::{collector::trace::v1::ExportTraceServiceRequest, resource::v1::Resource};
use prost::Message as _;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    task::JoinSet,
};

pub(crate) use opentelemetry_proto::tonic::trace::v1::Span;

/// What was sent, and with which heads.
#[derive(Default)]
struct Taken {
    spans: Vec<Span>,
    heads: Vec<String>,
    resources: Vec<Resource>,
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
    pub(crate) fn resources(&self) -> Vec<Resource> {
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
        let request = ExportTraceServiceRequest::decode(&bytes[head..head + length]).unwrap();
        bytes.drain(..head + length);
        {
            let mut taken = taken.lock().unwrap();
            taken.heads.push(text);
            for of in request.resource_spans {
                taken.resources.extend(of.resource);
                taken.spans.extend(of.scope_spans.into_iter().flat_map(|scope| scope.spans));
            }
        }
        let answer = "HTTP/1.1 200 OK\r\ncontent-type: application/x-protobuf\r\ncontent-length: 0\r\n\r\n";
        stream.write_all(answer.as_bytes()).await.unwrap();
    }
}
