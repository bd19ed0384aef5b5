//! Cuts off clients whose request is answered before its body has arrived.

use std::{
    cell::RefCell,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll},
};

use actix_web::{
    Error, HttpMessage as _,
    body::{BodySize, MessageBody},
    dev::{Payload, ServiceRequest, ServiceResponse},
    error::PayloadError,
    middleware::Next,
};
use bytes::Bytes;
use futures_util::Stream;

/// Keeps each request's body until its answer is sent.
///
/// The server closes a connection, some time after the answer, when the body's rest is still wanted at that moment.
/// When it is not, a chunked body's rest is read and thrown away for as long as the client cares to send it.
pub(crate) async fn linger<B: MessageBody>(
    mut request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<Lingering<B>>, Error> {
    let payload = Rc::new(RefCell::new(request.take_payload()));
    request.set_payload(Payload::Stream { payload: Box::pin(Shared(Rc::clone(&payload))) });
    let response = next.call(request).await?;
    Ok(response.map_body(|_, body| Lingering { body: Box::pin(body), _payload: payload }))
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
pub(crate) struct Lingering<B> {
    body: Pin<Box<B>>,
    _payload: Rc<RefCell<Payload>>,
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
