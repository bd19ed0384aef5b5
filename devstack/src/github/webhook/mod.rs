//! The webhooks: what they say, how they are sent, and what became of them.

mod mischief;
mod payload;
mod record;
mod send;

pub use crate::deliver::ContentType;
pub use mischief::{Befallen, Mischief};
pub use record::Delivered;

pub(super) use mischief::Imp;
pub(crate) use payload::example;
pub(super) use payload::queued;
pub(super) use send::Sender;
