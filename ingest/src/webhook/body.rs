//! Reads a request's body, within bounds of size, time and memory.

use std::{pin::Pin, sync::Arc, time::Duration};

use actix_web::dev::Payload;
use bytes::BytesMut;
use futures_util::{Stream as _, future::poll_fn};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::timeout,
};

use super::error::ReceiveError;

/// How long a body may take to arrive. GitHub gives up after 10 s as well.
const BODY_DEADLINE: Duration = Duration::from_secs(10);

/// How much memory all bodies may take up at once, in KiB: 64 MiB.
const MEMORY_KIB: usize = 64 * 1024;

/// The most bytes that are set aside for a body because its head announces them: more than GitHub's common events have.
const SET_ASIDE_MAX: u64 = 16 * 1024;

/// The unit in which memory is handed out, in bytes.
const KIB: usize = 1024;

/// What bodies may take up. Clones share it.
#[derive(Clone)]
pub(crate) struct BodyLimits {
    /// The most bytes of one body.
    most: usize,
    /// The memory that is left for all of them, in KiB.
    memory: Arc<Semaphore>,
}

/// A body, read to its end.
pub(super) struct Body {
    bytes: BytesMut,
    memory: Option<OwnedSemaphorePermit>,
}

impl BodyLimits {
    /// With `most` bytes for one body.
    pub(crate) fn new(most: usize) -> Self {
        Self { most, memory: Arc::new(Semaphore::new(MEMORY_KIB)) }
    }

    /// Checks the length that a request's head announces, if it does.
    ///
    /// # Errors
    ///
    /// [`ReceiveError::TooLarge`].
    pub(super) fn check(&self, announced: Option<u64>) -> Result<(), ReceiveError> {
        let larger = announced.is_some_and(|length| usize::try_from(length).is_ok_and(|length| length > self.most));
        if larger { Err(self.too_large()) } else { Ok(()) }
    }

    /// Reads a body to its end, of a length that was announced, or not.
    ///
    /// # Errors
    ///
    /// When the body is too large or too slow, the connection breaks, or memory runs out.
    pub(super) async fn read(&self, payload: &mut Payload, announced: Option<u64>) -> Result<Body, ReceiveError> {
        let reading = async {
            let aside = usize::try_from(announced.unwrap_or(0).min(SET_ASIDE_MAX)).unwrap_or(0);
            let mut body = Body { bytes: BytesMut::with_capacity(aside), memory: None };
            while let Some(chunk) = poll_fn(|context| Pin::new(&mut *payload).poll_next(context)).await {
                let chunk = chunk?;
                let length = body.bytes.len() + chunk.len();
                if length > self.most {
                    return Err(self.too_large());
                }
                self.claim(&mut body.memory, length)?;
                body.bytes.extend_from_slice(&chunk);
            }
            Ok(body)
        };
        timeout(BODY_DEADLINE, reading).await.unwrap_or(Err(ReceiveError::TooSlow(BODY_DEADLINE)))
    }

    /// Sees to it that `held` covers `length` bytes.
    fn claim(&self, held: &mut Option<OwnedSemaphorePermit>, length: usize) -> Result<(), ReceiveError> {
        let covered = held.as_ref().map_or(0, OwnedSemaphorePermit::num_permits);
        let lacking = u32::try_from(length.div_ceil(KIB).saturating_sub(covered)).unwrap_or(u32::MAX);
        let more = Arc::clone(&self.memory).try_acquire_many_owned(lacking).map_err(|_| ReceiveError::NoRoom)?;
        match held {
            Some(held) => held.merge(more),
            None => *held = Some(more),
        }
        Ok(())
    }

    fn too_large(&self) -> ReceiveError {
        ReceiveError::TooLarge { limit: self.most }
    }
}

impl Body {
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}
