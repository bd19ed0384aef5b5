//! The HTTP side of the stand-in. Handlers are thin: what is decided is decided by the state.
//!
//! `/api/v3` is GitHub's API, where GitHub Enterprise Server has it. Below `/_standin` is what GitHub has not:
//! the protocol that the stand-in runner speaks, and the control of the stand-in itself.

mod answer;
mod app;
mod control;
mod deliveries;
mod gate;
mod hooks;
mod jobs;
mod page;
mod protocol;
mod registration;
mod routes;
mod runners;

pub(super) use answer::DOCUMENTATION;
pub(super) use routes::routes;
