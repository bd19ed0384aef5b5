//! Tokens that are shared while they are good.

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Arc, Mutex, PoisonError},
};

use time::{Duration, OffsetDateTime};

use super::GithubError;

/// How long before its end a token is not handed out any more: whoever gets it is to have the time to use it.
const MARGIN: Duration = Duration::minutes(5);
/// The same for a token that lives shorter than GitHub's do: this part of its life.
const MARGIN_PART: i32 = 5;

/// A token, and until when it is handed out.
struct Good<T> {
    token: T,
    until: OffsetDateTime,
}

type Place<T> = Arc<tokio::sync::Mutex<Option<Good<T>>>>;

/// One token for each `K`. Of those who want one that is not there, one asks for it and the others wait for that.
pub(super) struct Cache<K, T>(Mutex<HashMap<K, Place<T>>>);

impl<K, T> Default for Cache<K, T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: Eq + Hash, T: Clone> Cache<K, T> {
    /// The token for `key`, which `ask` gets, with the time of its end, where there is none. An error is not kept: the
    /// next who waits asks again.
    pub(super) async fn get(
        &self,
        key: K,
        now: impl Fn() -> OffsetDateTime,
        ask: impl AsyncFnOnce() -> Result<(T, OffsetDateTime), GithubError>,
    ) -> Result<T, GithubError> {
        let place = self.place(key);
        let mut good = place.lock().await;
        if let Some(good) = good.as_ref().filter(|good| now() < good.until) {
            return Ok(good.token.clone());
        }
        let (token, end) = ask().await?;
        let now = now();
        let margin = MARGIN.min((end - now) / MARGIN_PART);
        *good = Some(Good { token: token.clone(), until: end - margin });
        Ok(token)
    }

    /// Forgets the token for `key`, if it is one that `which` means.
    pub(super) async fn forget(&self, key: K, which: impl FnOnce(&T) -> bool) {
        let place = self.place(key);
        let mut good = place.lock().await;
        if good.as_ref().is_some_and(|good| which(&good.token)) {
            *good = None;
        }
    }

    fn place(&self, key: K) -> Place<T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(key).or_default().clone()
    }
}
