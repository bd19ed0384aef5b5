//! One request and its answer, as the bytes that pass tell of it.

use std::{
    cell::{Cell, RefCell},
    io,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, ready},
};

use actix_web::rt::net::TcpStream;
use memchr::memmem;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// What is known of one exchange.
#[derive(Default)]
pub(super) struct Exchange {
    /// How many bytes were read.
    read: Cell<usize>,
    /// How many of them are the request's head, if it came in one piece, as it nearly always does.
    head: Cell<Option<usize>>,
    /// How long the request is, once its head says so.
    length: Cell<Option<usize>>,
    is_kept: Cell<bool>,
    stage: Cell<Stage>,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Stage {
    #[default]
    Asked,
    /// All of the answer is in the server's hands.
    Answered,
    /// All of it is on its way.
    Sent,
}

/// A connection while the HTTP server has it.
pub(super) struct Lent {
    pub(super) stream: Rc<RefCell<TcpStream>>,
    pub(super) exchange: Rc<Exchange>,
}

impl Exchange {
    /// Notes that a request begins whose body is of this length. Without one, the connection will not be kept.
    pub(super) fn asked(&self, body: Option<usize>) {
        self.length.set(self.head.get().zip(body).and_then(|(head, body)| head.checked_add(body)));
        self.stage.set(Stage::Asked);
    }

    /// Decides whether the connection is kept, now that the answer is about to be written. It is when exactly one request was read, to its
    /// end: nothing of it is left in the server's buffers then.
    pub(super) fn decide(&self) -> bool {
        self.is_kept.set(self.is_whole());
        self.is_kept.get()
    }

    /// Notes that the server has all of the answer.
    pub(super) fn answered(&self) {
        self.stage.set(Stage::Answered);
    }

    /// Whether the server has nothing of the connection.
    pub(super) fn is_over(&self) -> bool {
        // Tokio may take a connection for readable on which nothing has come. And more may have been read while the answer could not be
        // written.
        !self.is_begun() || self.is_kept.get() && self.stage.get() == Stage::Sent && self.is_whole()
    }

    /// Whether anything was read.
    pub(super) fn is_begun(&self) -> bool {
        self.read.get() > 0
    }

    fn is_whole(&self) -> bool {
        self.length.get() == Some(self.read.get())
    }

    /// Notes what was read.
    fn take_down(&self, bytes: &[u8]) {
        if self.read.get() == 0 {
            self.head.set(head_length(bytes));
        }
        self.read.set(self.read.get() + bytes.len());
    }
}

/// How long the head is that `bytes` begin with, if all of it is there, and written as clients do. The server also takes lines that end without
/// CR, and empty ones in front: where the head ends that it sees is not guessed then.
fn head_length(bytes: &[u8]) -> Option<usize> {
    let end = memmem::find(bytes, b"\n\r\n")? + 3;
    let head = &bytes[..end];
    let is_plain = head.ends_with(b"\r\n\r\n") && !head.starts_with(b"\r") && memmem::find(head, b"\n\n").is_none();
    is_plain.then_some(end)
}

impl AsyncRead for Lent {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut *self.stream.borrow_mut()).poll_read(context, buffer))?;
        self.exchange.take_down(&buffer.filled()[before..]);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Lent {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut *self.stream.borrow_mut()).poll_write(context, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut *self.stream.borrow_mut()).poll_flush(context))?;
        // The server flushes what it has written: after the answer's end, that is all of it.
        if self.exchange.stage.get() == Stage::Answered {
            self.exchange.stage.set(Stage::Sent);
        }
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.stream.borrow_mut()).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_ends_where_the_server_sees_its_end_or_its_length_is_not_known() {
        let plain = b"POST / HTTP/1.1\r\nhost: i\r\n\r\n";
        assert_eq!(head_length(plain), Some(plain.len()));
        assert_eq!(head_length(&[plain, b"a body\r\n\r\n".as_slice()].concat()), Some(plain.len()));
        for strange in [
            b"".as_slice(),
            b"POST / HTTP/1.1\r\nhost: i\r\n",
            b"POST / HTTP/1.1\nhost: i\n\nx\r\n\r\n",
            b"POST / HTTP/1.1\nhost: i\n\r\nx\r\n\r\n",
            b"POST / HTTP/1.1\r\nhost: i\r\n\nx\r\n\r\n",
            b"\r\n\r\nPOST / HTTP/1.1\r\nhost: i\r\n\r\n",
            b"\n\r\nPOST / HTTP/1.1\r\nhost: i\r\n\r\n",
        ] {
            assert_eq!(head_length(strange), None, "{}", strange.escape_ascii());
        }
    }
}
