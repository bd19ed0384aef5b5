//! Calls to GitHub: how all who make them with one credential stay within its limits together.

use std::time::Duration;

use redis::Value;

use super::{Queue, keys, millis, reserve::from_millis, script};
use crate::{
    model::{Admission, Caller, Demand, Heard, Hold, Ticket, Verdict},
    queue::QueueError,
};

/// How many calls may be under way with one credential: GitHub allows 100, and others may use it as well.
const CALLS_MAX: u32 = 90;

/// For so long a call is taken to be under way of whose end nobody tells: as long as one may take, its turn included.
const CALL_MAX: Duration = Duration::from_secs(45);

impl Queue {
    /// Says whether a call to GitHub may be made, with a delay of `longest` at most, and counts it then.
    ///
    /// A repeat after an error may count it twice.
    ///
    /// # Errors
    ///
    /// Those that [are transient](QueueError::is_transient).
    pub async fn admit(&self, demand: &Demand, longest: Duration) -> Result<Admission, QueueError> {
        let ticket = Ticket(fastrand::u64(..));
        let mut script = script::ADMIT.key(&keys::caller(&demand.caller));
        script
            .arg(ticket.0)
            .arg(demand.endpoint.as_deref().unwrap_or_default())
            .arg(if demand.urgent { "urgent" } else { "" })
            .arg(millis(longest))
            .arg(CALLS_MAX)
            .arg(millis(CALL_MAX));
        for pace in &demand.paces {
            script.arg(&pace.name).arg(pace.cost).arg(millis(pace.each()).max(1)).arg(millis(pace.ahead()));
        }
        let answer: Vec<Value> = self.store.script(&script).await?;
        match &answer[..] {
            [Value::BulkString(word), Value::Int(ms)] if word == b"go" => {
                Ok(Admission::Go { delay: from_millis(*ms), ticket })
            }
            [Value::BulkString(word), Value::Int(ms), Value::BulkString(limit), Value::Int(all)] if word == b"wait" => {
                let limit = String::from_utf8_lossy(limit).into_owned();
                Ok(Admission::Wait(Hold { wait: from_millis(*ms), limit, all: *all == 1 }))
            }
            _ => Err(QueueError::unexpected(&answer)),
        }
    }

    /// Tells how GitHub answered a call, and learns for how long nobody is to make one.
    ///
    /// # Errors
    ///
    /// Those that [are transient](QueueError::is_transient): tell it again.
    pub async fn heard(&self, caller: &Caller, ticket: Ticket, heard: &Heard) -> Result<Duration, QueueError> {
        let (told, said) = match &heard.verdict {
            Verdict::Limited { wait, said } => {
                (wait.map(|wait| millis(wait).max(1).to_string()).unwrap_or_default(), said.as_str())
            }
            _ => (String::new(), ""),
        };
        let mut script = script::HEARD.key(&keys::caller(caller));
        script.arg(ticket.0).arg(&heard.endpoint).arg(heard.verdict.as_str()).arg(told).arg(said);
        match &heard.bucket {
            Some(bucket) => {
                script.arg(&bucket.resource).arg(bucket.limit).arg(bucket.remaining).arg(millis(bucket.reset))
            }
            None => script.arg(""),
        };
        self.store.script(&script).await.map(from_millis)
    }
}
