//! Where jobs come from: told by whoever takes deliveries, for whoever looks for jobs of which no webhook came.

use std::{cmp::Reverse, collections::HashMap, time::Duration};

use redis::{cmd, pipe};
use serde::{Deserialize, Serialize};

use super::{Queue, keys, millis};
use crate::{
    model::Origin,
    queue::{QueueError, Seen},
};

/// How long a repository is remembered after it was last told of.
const MEMORY: Duration = Duration::from_hours(7 * 24);

/// How many repositories are remembered; of more, those that were told of last.
const REPOSITORIES_MAX: usize = 2000;

/// An origin with the time at which it was told, by the store's clock, in milliseconds.
#[derive(Debug, Deserialize, Serialize)]
struct Told {
    at: u64,
    #[serde(flatten)]
    origin: Origin,
}

impl Queue {
    /// Remembers where the jobs of a repository come from, for a week. What was remembered of it before is replaced.
    ///
    /// # Errors
    ///
    /// Those that [are transient](QueueError::is_transient).
    pub async fn remember(&self, origin: &Origin) -> Result<(), QueueError> {
        let told = Told { at: self.time().await?, origin: origin.clone() };
        let text = serde_json::to_string(&told).map_err(QueueError::store)?;
        let field = origin.repository.as_str().to_ascii_lowercase();
        let _new: u32 = self.store.query(cmd("HSET").arg(keys::SEEN).arg(field).arg(text)).await?;
        Ok(())
    }

    /// What is remembered of where jobs come from: a repository each, the one that was told of last in front.
    ///
    /// # Errors
    ///
    /// Those that [are transient](QueueError::is_transient).
    pub async fn seen(&self) -> Result<Seen, QueueError> {
        let now = self.time().await?;
        let texts: HashMap<String, String> = self.store.query(cmd("HGETALL").arg(keys::SEEN)).await?;
        let mut told: Vec<(String, Option<Told>)> =
            texts.into_iter().map(|(field, text)| (field, serde_json::from_str(&text).ok())).collect();
        told.sort_by_key(|(_, told)| Reverse(told.as_ref().map(|told| told.at)));
        let mut seen = Seen::default();
        for (field, told) in told {
            match told {
                Some(Told { at, origin })
                    if now.saturating_sub(at) < millis(MEMORY) && seen.origins.len() < REPOSITORIES_MAX =>
                {
                    seen.origins.push(origin);
                }
                _ => seen.forgotten.push(field),
            }
        }
        Ok(seen)
    }

    /// Takes out of the store what is remembered no more.
    ///
    /// # Errors
    ///
    /// Those that [are transient](QueueError::is_transient).
    pub async fn forget(&self, seen: &Seen) -> Result<(), QueueError> {
        if !seen.forgotten.is_empty() {
            let _gone: u32 = self.store.query(cmd("HDEL").arg(keys::SEEN).arg(&seen.forgotten)).await?;
        }
        Ok(())
    }

    /// Takes what is remembered along to another store, which may know better.
    pub(super) async fn move_seen(&self, target: &Self) -> Result<(), QueueError> {
        let texts: HashMap<String, String> = self.store.query(cmd("HGETALL").arg(keys::SEEN)).await?;
        let mut commands = pipe();
        for (field, text) in &texts {
            commands.hset_nx(keys::SEEN, field, text);
        }
        if !commands.is_empty() {
            let _new: Vec<bool> = target.store.pipeline(&commands).await?;
        }
        Ok(())
    }
}
