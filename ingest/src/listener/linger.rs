//! Whether a connection is kept after a request, and when the request is over.

use std::{
    cell::RefCell,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll},
};

use actix_http::{ConnectionType, RequestHead};
use actix_web::{
    Error, HttpMessage as _,
    body::{BodySize, MessageBody},
    dev::{Payload, ServiceRequest, ServiceResponse},
    error::PayloadError,
    http::{
        Method,
        header::{CONTENT_LENGTH, TRANSFER_ENCODING},
    },
    middleware::Next,
};
use bytes::Bytes;
use futures_util::Stream;

use super::exchange::Exchange;

/// Keeps each request's body until its answer is sent, and tells the connection when it is.
///
/// The server closes a connection, some time after the answer, when the body's rest is still wanted at that moment.
/// When it is not, a chunked body's rest is read and thrown away for as long as the client cares to send it.
pub(super) async fn linger<B: MessageBody>(
    mut request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<Lingering<B>>, Error> {
    let exchange = request.conn_data::<Rc<Exchange>>().map(Rc::clone);
    let payload = Rc::new(RefCell::new(request.take_payload()));
    request.set_payload(Payload::Stream { payload: Box::pin(Shared(Rc::clone(&payload))) });
    if let Some(exchange) = &exchange {
        exchange.asked(body_length(request.head()));
    }
    let mut response = next.call(request).await?;
    if !exchange.as_ref().is_some_and(|exchange| exchange.decide()) {
        response.response_mut().head_mut().set_connection_type(ConnectionType::Close);
    }
    Ok(response.map_body(|_, body| Lingering { body: Box::pin(body), _payload: payload, exchange }))
}

/// How long a request's body is, if that can be told before its end, and another request may follow it.
fn body_length(head: &RequestHead) -> Option<usize> {
    let headers = head.headers();
    let (is_last, is_open) =
        (head.connection_type() != ConnectionType::KeepAlive, headers.contains_key(TRANSFER_ENCODING));
    if is_last || is_open || head.method == Method::CONNECT {
        return None;
    }
    match headers.get(CONTENT_LENGTH) {
        Some(length) => length.to_str().ok()?.parse().ok(),
        None => Some(0),
    }
}

/// A request's body, as its handler sees it.
struct Shared(Rc<RefCell<Payload>>);

impl Stream for Shared {
    type Item = Result<Bytes, PayloadError>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Pin::new(&mut *self.0.borrow_mut()).poll_next(context)
    }
}

/// An answer's body that keeps its request's.
pub(super) struct Lingering<B> {
    body: Pin<Box<B>>,
    _payload: Rc<RefCell<Payload>>,
    exchange: Option<Rc<Exchange>>,
}

impl<B> Drop for Lingering<B> {
    fn drop(&mut self) {
        if let Some(exchange) = &self.exchange {
            exchange.answered();
        }
    }
}

impl<B: MessageBody> MessageBody for Lingering<B> {
    type Error = B::Error;

    fn size(&self) -> BodySize {
        self.body.size()
    }

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, Self::Error>>> {
        self.body.as_mut().poll_next(context)
    }
}
