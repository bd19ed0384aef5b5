//! The tokens that installations were given.

use std::collections::BTreeMap;

use time::OffsetDateTime;

/// The tokens that were given out, with their installations and their ends.
#[derive(Default)]
pub(in super::super) struct Issued(BTreeMap<String, (u64, OffsetDateTime)>);

impl Issued {
    /// Gives out a token.
    pub(in super::super) fn issue(&mut self, installation: u64, end: OffsetDateTime) -> String {
        let text = std::iter::repeat_with(fastrand::alphanumeric).take(36).collect::<String>();
        let token = format!("ghs_{text}");
        self.0.insert(token.clone(), (installation, end));
        token
    }

    /// Whose token it is, while it is good.
    pub(in super::super) fn installation(&self, token: &str, now: OffsetDateTime) -> Option<u64> {
        self.0.get(token).filter(|(_, end)| now < *end).map(|(installation, _)| *installation)
    }

    /// Makes all of them bad.
    pub(in super::super) fn revoke(&mut self) {
        self.0.clear();
    }
}
