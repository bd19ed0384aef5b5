//! Deliveries that failed: GitHub makes them again only if it is asked to.

use std::{collections::HashSet, time::Duration as Pause};

use shared::{
    github::{Hook, HookDelivery},
    model::{DeliveryId, HookTarget, Origin},
    queue::{Memo, Redelivery},
};
use time::{Duration, OffsetDateTime};
use tracing::info;

use super::{Redelivered, Report, Round, round::Halt};
use crate::provider::Provider;

/// How many hooks are looked at in a round, how many pages of each, and how many deliveries are asked for in all.
const HOOKS_MAX: usize = 50;
const PAGES_MAX: usize = 20;
const REDELIVERIES_MAX: usize = 500;

/// How often one delivery is asked for. With pauses that double from 5 minutes on, the last time is after some 40 hours: GitHub
/// keeps deliveries for three days.
const TIMES_MAX: u32 = 10;

/// How far before the last delivery that was seen the next look goes: the list may lag.
const OVERLAP: Duration = Duration::minutes(10);

/// The event that is of interest.
const EVENT: &str = "workflow_job";

/// Has the failed deliveries of all hooks made again.
pub(super) async fn look<P: Provider>(
    round: &Round<'_, P>,
    origins: &[Origin],
    report: &mut Report,
) -> Result<(), Halt> {
    let hooks = hooks(origins, round.github.app().is_some());
    let hooks = round.in_turn(Memo::HookLooks, hooks, ToString::to_string).await?;
    for (name, hook) in hooks.into_iter().take(HOOKS_MAX) {
        let look = look_at(round, &name, &hook, report).await;
        round.looked(Memo::HookLooks, &name, "deliveries", look, report).await?;
    }
    Ok(())
}

/// The hooks that deliveries came from, each once. There is no list of the deliveries of an enterprise's hook, and that of an
/// App's is for the App alone.
fn hooks(origins: &[Origin], is_app: bool) -> HashSet<Hook> {
    let hook = |origin: &Origin| match (origin.target, origin.hook) {
        (HookTarget::App, _) => is_app.then_some(Hook::App),
        (HookTarget::Repository, Some(id)) => Some(Hook::Repository(origin.repository.clone(), id)),
        (HookTarget::Organization, Some(id)) => {
            let login = origin.organization.clone().unwrap_or_else(|| origin.repository.owner().to_owned());
            Some(Hook::Organization(login, id))
        }
        (HookTarget::Enterprise, _) | (_, None) => None,
    };
    origins.iter().filter_map(hook).collect()
}

async fn look_at<P: Provider>(round: &Round<'_, P>, name: &str, hook: &Hook, report: &mut Report) -> Result<(), Halt> {
    let before = round.queue.memos(Memo::HookDeliveries).await?.get(name).copied();
    let attempts = since(round, hook, before.map(moment)).await?;
    // Where the next look goes back to: to the youngest, or to one that is to be repeated later.
    let mut seen = attempts.iter().map(|attempt| attempt.delivered_at).max();
    for attempt in failed(&attempts) {
        let asked = match next(round.queue.redelivery(&attempt.guid).await?, attempt.id, round.after) {
            Next::Now(asked) if report.redelivered.len() < REDELIVERIES_MAX => asked,
            Next::Now(_) | Next::Later => {
                seen = seen.min(Some(attempt.delivered_at));
                continue;
            }
            Next::Never => continue,
        };
        if !round.dry_run {
            round.github.redeliver(hook, attempt.id).await?;
            round.queue.redelivery_asked(&attempt.guid, asked).await?;
            info!(delivery.id = %attempt.guid, %hook, status = attempt.status_code, "Asked for a failed delivery again");
        }
        let action = attempt.action.clone().unwrap_or_default();
        report.redelivered.push(Redelivered { delivery: attempt.guid.clone(), hook: hook.to_string(), action });
    }
    if let (Some(seen), false) = (seen, round.dry_run) {
        let millis = u64::try_from(seen.unix_timestamp_nanos() / 1_000_000).unwrap_or_default();
        round.queue.put_down(Memo::HookDeliveries, name, millis).await?;
    }
    Ok(())
}

/// The attempts at deliveries since then, or a little before, the youngest in front.
async fn since<P>(round: &Round<'_, P>, hook: &Hook, then: Option<OffsetDateTime>) -> Result<Vec<HookDelivery>, Halt> {
    let (mut attempts, mut from) = (Vec::new(), None);
    for _ in 0..PAGES_MAX {
        let (page, next) = round.github.deliveries(hook, from.as_deref()).await?;
        let is_old = |attempt: &HookDelivery| then.is_some_and(|then| attempt.delivered_at < then - OVERLAP);
        let enough = page.last().is_none_or(is_old);
        attempts.extend(page);
        match next {
            Some(next) if !enough => from = Some(next),
            _ => break,
        }
    }
    Ok(attempts)
}

/// Of each of our deliveries that was never taken the last attempt, that of the oldest delivery in front. Of `attempts`, the
/// youngest is.
fn failed(attempts: &[HookDelivery]) -> Vec<&HookDelivery> {
    let ours = || attempts.iter().filter(|attempt| attempt.event == EVENT);
    let taken: HashSet<&DeliveryId> =
        ours().filter(|attempt| attempt.succeeded()).map(|attempt| &attempt.guid).collect();
    let mut known = HashSet::new();
    let mut failed: Vec<&HookDelivery> =
        ours().filter(|attempt| !taken.contains(&attempt.guid) && known.insert(&attempt.guid)).collect();
    failed.reverse();
    failed
}

/// When a failed attempt is repeated.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Next {
    /// At once; this is to be put down then.
    Now(Redelivery),
    /// Once some time has passed: whoever takes deliveries may be away for long.
    Later,
    /// It is being repeated, or it was often enough.
    Never,
}

/// When the `attempt` is repeated, if that was `asked` for before, and how long ago: each time after twice as long.
fn next(asked: Option<(Redelivery, Pause)>, attempt: u64, after: Pause) -> Next {
    match asked {
        None => Next::Now(Redelivery { attempt, times: 1 }),
        Some((asked, _)) if asked.attempt == attempt || asked.times >= TIMES_MAX => Next::Never,
        Some((asked, ago)) if ago < after * 2_u32.pow(asked.times - 1) => Next::Later,
        Some((asked, _)) => Next::Now(Redelivery { attempt, times: asked.times + 1 }),
    }
}

/// A time that was put down in milliseconds since 1970.
fn moment(millis: u64) -> OffsetDateTime {
    OffsetDateTime::UNIX_EPOCH + Pause::from_millis(millis)
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use shared::model::RegisterAt;

    use super::*;

    fn attempt(id: u64, guid: &str, event: &str, status: u16) -> HookDelivery {
        serde_json::from_value(json!({
            "id": id, "guid": guid, "delivered_at": "2026-01-01T00:00:00Z", "event": event, "status_code": status,
        }))
        .unwrap()
    }

    #[test]
    fn a_delivery_is_asked_for_by_its_last_attempt_if_none_was_taken() {
        let attempts = [
            attempt(9, "twice", EVENT, 0),
            attempt(8, "saved", EVENT, 202),
            attempt(7, "twice", EVENT, 503),
            attempt(6, "other", "push", 503),
            attempt(5, "saved", EVENT, 503),
            attempt(4, "once", EVENT, 404),
        ];
        let ids: Vec<u64> = failed(&attempts).into_iter().map(|attempt| attempt.id).collect();
        assert_eq!(ids, [4, 9]);
    }

    #[test]
    fn an_attempt_is_repeated_once_and_a_delivery_again_after_ever_longer_pauses() {
        let after = Pause::from_mins(5);
        let asked = |attempt, times, minutes| Some((Redelivery { attempt, times }, Pause::from_mins(minutes)));
        assert_eq!(next(None, 1, after), Next::Now(Redelivery { attempt: 1, times: 1 }));
        assert_eq!(next(asked(1, 1, 60), 1, after), Next::Never, "it is under way");
        assert_eq!(next(asked(1, 1, 4), 2, after), Next::Later);
        assert_eq!(next(asked(1, 1, 5), 2, after), Next::Now(Redelivery { attempt: 2, times: 2 }));
        assert_eq!(next(asked(2, 2, 9), 3, after), Next::Later);
        assert_eq!(next(asked(2, 2, 10), 3, after), Next::Now(Redelivery { attempt: 3, times: 3 }));
        assert_eq!(next(asked(9, TIMES_MAX, 10_000), 10, after), Next::Never);
    }

    #[test]
    fn hooks_are_those_whose_deliveries_can_be_asked_for() {
        let origin = |repository: &str, target, hook| Origin {
            repository: repository.parse().unwrap(),
            organization: None,
            enterprise: None,
            installation: None,
            target,
            hook,
            register_at: RegisterAt::HookTarget,
        };
        let origins = [
            origin("octo/one", HookTarget::Repository, Some(1)),
            origin("octo/two", HookTarget::Organization, Some(2)),
            origin("octo/three", HookTarget::Organization, Some(2)),
            origin("octo/four", HookTarget::App, Some(3)),
            origin("octo/five", HookTarget::Enterprise, Some(4)),
            origin("octo/six", HookTarget::Repository, None),
        ];
        let mut named: Vec<String> = hooks(&origins, true).iter().map(ToString::to_string).collect();
        named.sort();
        assert_eq!(named, ["hook 1 of octo/one", "hook 2 of octo", "the GitHub App's hook"]);
        assert_eq!(hooks(&origins, false).len(), 2);
    }
}
