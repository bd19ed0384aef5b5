//! `/live`: tells whoever looks on that something has changed, as server-sent events. What has, a page says when it is asked for again.

use std::{convert::Infallible, sync::Arc, time::Duration};

use actix_web::{
    HttpResponse,
    http::header,
    web::{Bytes, Data},
};
use futures_util::stream;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, watch},
    time::{interval, timeout},
};
use tokio_util::sync::CancellationToken;

use super::{
    Dashboard,
    reading::{AGE_MAX, Readings},
};

/// How many streams there are at once: fewer than the listener has connections, so that pages are answered besides. A page without
/// one asks now and then.
const STREAMS_MAX: usize = 24;

/// After so long without anything to tell a stream says that it is there, so that a connection that is none ends.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// The streams of all who look on.
pub(super) struct Streams {
    /// What the last reading is known by; none while it could not be read.
    mark: watch::Sender<Option<u64>>,
    free: Arc<Semaphore>,
    closed: CancellationToken,
}

impl Default for Streams {
    fn default() -> Self {
        let mark = watch::Sender::new(None);
        Self { mark, free: Arc::new(Semaphore::new(STREAMS_MAX)), closed: CancellationToken::new() }
    }
}

impl Streams {
    /// Reads once a second while somebody looks on, and tells the streams of what is new.
    pub(super) async fn follow(&self, readings: &Readings) {
        let mut second = interval(AGE_MAX);
        loop {
            second.tick().await;
            if self.mark.receiver_count() > 0 {
                let mark = readings.now().await.ok().map(|reading| reading.mark());
                self.mark.send_if_modified(|last| std::mem::replace(last, mark) != mark);
            }
        }
    }

    /// Ends all of them.
    pub(super) fn close(&self) {
        self.closed.cancel();
    }
}

/// What a stream is made from.
struct Stream {
    marks: watch::Receiver<Option<u64>>,
    closed: CancellationToken,
    /// Whether it has said anything yet.
    begun: bool,
    _permit: OwnedSemaphorePermit,
}

impl Stream {
    /// What is to be sent next; nothing at the end.
    async fn next(&mut self) -> Option<Bytes> {
        if !std::mem::replace(&mut self.begun, true) {
            return Some(Bytes::from_static(b"retry: 2000\n\n"));
        }
        let changed = self.closed.run_until_cancelled(timeout(KEEP_ALIVE, self.marks.changed())).await?;
        match changed {
            Ok(Ok(())) => {
                let mark = *self.marks.borrow_and_update();
                let mark = mark.map_or_else(|| "away".to_owned(), |mark| format!("{mark:x}"));
                Some(Bytes::from(format!("event: change\ndata: {mark}\n\n")))
            }
            Ok(Err(_gone)) => None,
            Err(_elapsed) => Some(Bytes::from_static(b": still here\n\n")),
        }
    }
}

/// `GET /live`
pub(super) async fn stream(dashboard: Data<Dashboard>) -> HttpResponse {
    let streams = &dashboard.streams;
    let Ok(permit) = Arc::clone(&streams.free).try_acquire_owned() else {
        return HttpResponse::ServiceUnavailable()
            .insert_header((header::RETRY_AFTER, "30"))
            .body("As many look on as can be told of changes: this page asks now and then instead.");
    };
    let stream =
        Stream { marks: streams.mark.subscribe(), closed: streams.closed.clone(), begun: false, _permit: permit };
    let body = stream::unfold(stream, |mut stream| async move {
        let bytes = stream.next().await?;
        Some((Ok::<Bytes, Infallible>(bytes), stream))
    });
    HttpResponse::Ok()
        .content_type("text/event-stream")
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .streaming(body)
}
