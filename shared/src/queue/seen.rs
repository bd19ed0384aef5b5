//! What is remembered of where jobs come from.

use crate::model::Origin;

/// What is remembered of where jobs come from.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Seen {
    /// A repository each, the one that was told of last in front.
    pub origins: Vec<Origin>,
    /// What is in the store still, and remembered no more.
    pub(super) forgotten: Vec<String>,
}
