//! Looks for what should not be, and puts it right.

use std::time::Duration;

use redis::cmd;

use super::{Queue, keys, millis, script};
use crate::{
    model::PoolName,
    queue::{AuditReport, QueueError},
};

/// How often a pool is audited, whoever does it.
const INTERVAL: Duration = Duration::from_mins(1);

/// How many parts of the keys are looked at in one audit: about 300 keys each, so that it is over soon. The next
/// one goes on from there.
const PARTS: u32 = 30;

/// Where a look at all keys begins and ends.
const BEGINNING: &str = "0";

impl Queue {
    /// Audits a pool, unless somebody did within the last minute: repairs what contradicts itself, and gives up jobs
    /// that have waited for longer than `longest`.
    ///
    /// # Errors
    ///
    /// Those that [are transient](QueueError::is_transient): the next audit goes on.
    pub async fn audit(&self, pool: &PoolName, longest: Duration) -> Result<Option<AuditReport>, QueueError> {
        let turn = cmd("SET").arg(keys::audit(pool)).arg(1).arg("NX").arg("PX").arg(millis(INTERVAL)).to_owned();
        let ours: Option<String> = self.store.query(&turn).await?;
        if ours.is_none() {
            return Ok(None);
        }
        self.forget_workers().await?;
        self.audit_now(pool, longest, PARTS).await.map(Some)
    }

    /// The same at once. Looks at up to `parts` parts of the keys, each of some hundred, from where the last audit ended.
    ///
    /// # Errors
    ///
    /// Those that [are transient](QueueError::is_transient).
    pub async fn audit_now(&self, pool: &PoolName, longest: Duration, parts: u32) -> Result<AuditReport, QueueError> {
        let key = format!("{}audit_cursor", keys::prefix(pool));
        let saved: Option<String> = self.store.query(cmd("GET").arg(&key)).await?;
        let mut cursor = saved.unwrap_or_else(|| BEGINNING.to_owned());
        let mut report = AuditReport::default();
        for part in 0..parts {
            let answer: Vec<String> = self
                .store
                .script(
                    script::AUDIT
                        .key(&keys::prefix(pool))
                        .arg(&cursor)
                        .arg(u8::from(part == 0))
                        .arg(self.lease_ms())
                        .arg(millis(longest)),
                )
                .await?;
            let [next, did @ ..] = &answer[..] else { return Err(QueueError::unexpected(&answer)) };
            report.add(did);
            cursor.clone_from(next);
            if cursor == BEGINNING {
                break;
            }
        }
        let _ok: String = self.store.query(cmd("SET").arg(&key).arg(cursor)).await?;
        Ok(report)
    }
}
