//! Registration and removal tokens.

use std::collections::BTreeMap;

use fastrand::Rng;
use shared::model::Scope;
use time::OffsetDateTime;

use super::{
    State,
    names::{Refusal, same},
};

/// The characters of such a token, which begins with an `A`.
const CHARS: usize = 28;

/// What a token is for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Purpose {
    /// `config.sh`
    Register,
    /// `config.sh remove`
    Remove,
}

/// A token that was handed out.
pub(crate) struct Grant {
    pub(crate) token: String,
    pub(crate) expires_at: OffsetDateTime,
}

/// The tokens that are good: for what, where, until when.
#[derive(Default)]
pub(super) struct Grants(BTreeMap<String, (Purpose, Scope, OffsetDateTime)>);

impl State {
    /// Hands out a token that is good at `scope`.
    pub(crate) fn grant(&mut self, purpose: Purpose, scope: &Scope, now: OffsetDateTime) -> Grant {
        let token = format!("A{}", upper(&mut self.rng, CHARS));
        let expires_at = now + self.timings.token;
        self.grants.0.retain(|_, (_, _, expires_at)| *expires_at > now);
        self.grants.0.insert(token.clone(), (purpose, scope.clone(), expires_at));
        Grant { token, expires_at }
    }

    /// GitHub answers 404 to a token that has expired, is for something else, or is for another place.
    pub(super) fn check_grant(
        &self,
        token: &str,
        purpose: Purpose,
        scope: &Scope,
        now: OffsetDateTime,
    ) -> Result<(), Refusal> {
        let (granted, at, expires_at) = self.grants.0.get(token).ok_or(Refusal::NotFound)?;
        let good = *granted == purpose && same(&at.to_string(), &scope.to_string()) && *expires_at > now;
        if good { Ok(()) } else { Err(Refusal::NotFound) }
    }
}

fn upper(rng: &mut Rng, length: usize) -> String {
    std::iter::repeat_with(|| rng.alphanumeric().to_ascii_uppercase()).take(length).collect()
}
