//! What is to be done in the queue about what GitHub says of a workflow job: there is one way, whoever brings it.
//!
//! [`WorkflowJobEvent`] → [`decide`] → [`Decision`]: a webhook's body is read into the event, and so is an answer of the
//! API. Nothing here does I/O, but for [`Note::take_down`], which asks the queue.

mod decide;
mod event;
mod note;
mod text;

pub use decide::{Decision, decide};
pub use event::{Action, Enterprise, Installation, Organization, Repository, WorkflowJob, WorkflowJobEvent};
pub use note::{GivenTo, Note};
pub use text::cut;
