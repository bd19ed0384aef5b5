//! A connection on which no request takes for ever.
//!
//! The HTTP server bounds the wait for a connection's first head, and the time between two requests; a client that sends
//! its second head byte by byte would be listened to for as long as it likes.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use actix_web::rt::net::TcpStream;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Duration, Instant, Sleep, sleep_until},
};

/// How long a request may take from its first byte until it begins to be answered: longer than its head, its body and the
/// queue may take together, each of which is told of its own deadline before this one cuts it off.
const REQUEST_DEADLINE: Duration = Duration::from_secs(20);

/// A client's connection.
pub(super) struct Bounded {
    stream: TcpStream,
    /// Since when a request is under way, if one is.
    since: Option<Instant>,
    /// Looks after it. It is not set anew for each request: when it rings too early, it is set for what is left.
    alarm: Pin<Box<Sleep>>,
}

impl Bounded {
    pub(super) fn new(stream: TcpStream) -> Self {
        Self { stream, since: None, alarm: Box::pin(sleep_until(Instant::now() + REQUEST_DEADLINE)) }
    }

    /// Ready once the request that is under way has taken too long.
    fn poll_late(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let Some(since) = self.since else { return Poll::Pending };
        loop {
            ready!(self.alarm.as_mut().poll(context));
            let deadline = since + REQUEST_DEADLINE;
            if Instant::now() >= deadline {
                return Poll::Ready(());
            }
            self.alarm.as_mut().reset(deadline);
        }
    }
}

impl AsyncRead for Bounded {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buffer.filled().len();
        let read = Pin::new(&mut this.stream).poll_read(context, buffer);
        if buffer.filled().len() > before {
            this.since.get_or_insert_with(Instant::now);
        }
        if read.is_pending() && this.poll_late(context).is_ready() {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        read
    }
}

impl AsyncWrite for Bounded {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        this.since = None;
        Pin::new(&mut this.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        this.since = None;
        Pin::new(&mut this.stream).poll_write_vectored(context, parts)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(context)
    }
}
