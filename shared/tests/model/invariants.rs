//! What holds at any time (I1 to I7 of the queue's design).

use std::collections::BTreeSet;

use proptest::{prelude::*, test_runner::TestCaseError};
use shared::{model::JobState, queue::PostMortem};

use super::{
    model::{Entry, Hold, Job, Model, WARM, pool_of, scope_of},
    store::{Keys, POOLS, SCOPES, stored},
};

/// Checks a pool: the store in itself, and against the model.
pub(crate) fn check(pool: usize, keys: &Keys, model: &Model) -> Result<(), TestCaseError> {
    one_place_each(keys)?;
    slots(keys)?;
    turns(keys)?;
    sums(keys)?;
    waits(keys)?;
    records(pool, keys, model)?;
    lent(pool, keys, model)?;
    lines(pool, keys, model)?;
    counts(pool, keys, model)?;
    // Whoever waits is woken: work that could be started is marked.
    let startable = !model.is_held_up(pool) && !model.is_full(pool) && !model.eligible(pool).is_empty();
    prop_assert!(!startable || keys.members("wake").contains("w"), "nobody is woken in pool {}", POOLS[pool]);
    Ok(())
}

/// I3: no job in two of the places where it may wait, and its state says which.
fn one_place_each(keys: &Keys) -> Result<(), TestCaseError> {
    let mut seen = BTreeSet::new();
    for place in ["queued", "delayed", "lease", "dead"] {
        for entry in keys.members(place) {
            prop_assert!(seen.insert(entry), "{entry} is in {place} and elsewhere");
            let state = keys.get(&format!("job:{entry}"), "state").unwrap_or_default();
            let belongs = match state {
                "pending" => "queued",
                "delayed" => "delayed",
                "starting" | "running" | "orphaned" => "lease",
                "dead" => "dead",
                _ => "nowhere",
            };
            prop_assert_eq!(belongs, place, "{} is {:?}", entry, state);
        }
    }
    for entry in keys.names("job:") {
        let state = keys.get(&format!("job:{entry}"), "state");
        prop_assert!(state.is_some(), "the record of {entry} has no state");
        let ended = matches!(state, Some("done" | "cancelled"));
        prop_assert_eq!(seen.contains(entry), !ended, "{} is {:?}", entry, state);
    }
    Ok(())
}

/// The scopes' slots are the leases.
fn slots(keys: &Keys) -> Result<(), TestCaseError> {
    let mut slots = BTreeSet::new();
    for scope in keys.names("active:") {
        for entry in keys.members(&format!("active:{scope}")) {
            prop_assert_eq!(keys.get(&format!("job:{entry}"), "scope"), Some(scope));
            slots.insert(entry);
        }
    }
    prop_assert_eq!(slots, keys.members("lease"));
    Ok(())
}

/// A scope with a list has a turn, or waits for a slot; never both.
fn turns(keys: &Keys) -> Result<(), TestCaseError> {
    let (ring, parked) = (keys.members("ring"), keys.members("parked"));
    prop_assert!(ring.is_disjoint(&parked), "{ring:?} {parked:?}");
    for scope in keys.names("pending:") {
        prop_assert!(ring.contains(scope) || parked.contains(scope), "{scope} has no turn");
    }
    Ok(())
}

/// I7: every job that was accepted is somewhere.
fn sums(keys: &Keys) -> Result<(), TestCaseError> {
    let somewhere: usize = ["queued", "delayed", "dead"].iter().map(|place| keys.members(place).len()).sum();
    let leased = keys.members("lease").iter().filter(|entry| !entry.contains('~') && !entry.starts_with('w')).count();
    let ended = keys.count("done") + keys.count("cancelled");
    prop_assert_eq!(keys.count("accepted") + keys.count("reopened"), ended + (somewhere + leased) as u64);
    Ok(())
}

/// Of how many jobs it was counted how long they waited: never of more than began to run.
fn waits(keys: &Keys) -> Result<(), TestCaseError> {
    let number = |text: &str| text.parse::<i64>().unwrap();
    let quarters: Vec<String> = keys.names("waits:").into_iter().map(|quarter| format!("waits:{quarter}")).collect();
    let buckets =
        quarters.iter().flat_map(|key| keys.members(key).into_iter().map(move |bucket| keys.get(key, bucket)));
    let counted: Vec<i64> = buckets.flatten().map(number).collect();
    prop_assert!(counted.iter().all(|jobs| *jobs >= 0), "{:?}", counted);
    let ran = keys.names("job:").into_iter().filter(|entry| keys.get(&format!("job:{entry}"), "ran").is_some()).count();
    prop_assert!(counted.iter().sum::<i64>() >= i64::try_from(ran).unwrap(), "{:?} of {}", counted, ran);
    Ok(())
}

fn records(pool: usize, keys: &Keys, model: &Model) -> Result<(), TestCaseError> {
    let known = model.jobs.iter().filter(|(id, _)| pool_of(**id) == pool);
    let ids: BTreeSet<String> = known.clone().map(|(id, _)| stored(Entry::Own(*id))).collect();
    let there: BTreeSet<String> =
        keys.names("job:").into_iter().filter(|entry| !entry.contains('~')).map(str::to_owned).collect();
    prop_assert_eq!(there, ids);
    for (id, job) in known {
        record(*id, job, keys)?;
        let name = stored(Entry::Own(*id));
        for key in ["job", "events"] {
            let ttl = keys.get("ttl", &format!("{key}:{name}"));
            let only_came = key == "events" && ttl.is_none() && job.state == JobState::Pending;
            prop_assert!(only_came || (ttl != Some("-1")) == model.expires(*id), "{key}:{id} expires in {ttl:?}");
        }
        let listed = keys.members("ended").contains(name.as_str());
        let ended = matches!(job.state, JobState::Done | JobState::Cancelled);
        prop_assert_eq!(listed, ended && (*id < WARM || job.hold.busy), "job {}", id);
    }
    Ok(())
}

fn record(id: u64, job: &Job, keys: &Keys) -> Result<(), TestCaseError> {
    let key = format!("job:{}", stored(Entry::Own(id)));
    let field = |name: &str| keys.get(&key, name);
    prop_assert_eq!(field("state"), Some(job.state.as_str()), "job {}", id);
    prop_assert_eq!(field("served_by"), job.served_by.as_deref(), "job {}", id);
    if job.tombstone {
        return Ok(());
    }
    let number = |name| field(name).map_or(0, |text| text.parse::<u32>().unwrap());
    let numbers = (number("attempts"), number("crashes"), number("replays"));
    prop_assert_eq!(numbers, (job.attempts, job.crashes, job.replays), "job {}", id);
    prop_assert_eq!(field("end").is_some(), matches!(job.state.as_str(), "done" | "cancelled" | "dead"), "job {}", id);
    let ended = ["failed", "last"].map(|which| {
        let text = field(&format!("post_mortem:{which}"))?;
        serde_json::from_str::<PostMortem>(text).unwrap().seconds
    });
    prop_assert_eq!(ended, job.ended, "job {}", id);
    let remembered = keys.members(&key).into_iter().filter(|field| field.starts_with("settled:")).count();
    prop_assert!(remembered <= 1, "job {id} remembers the ends of {remembered} leases");
    if job.state.is_leased() {
        hold(&key, &job.hold, keys)?;
        prop_assert!(
            !job.hold.busy || id >= WARM || field("ran").is_some(),
            "nobody counted how long job {} waited",
            id
        );
        prop_assert_eq!(field("cancel").is_some(), job.cancel, "job {}", id);
    }
    Ok(())
}

fn hold(key: &str, hold: &Hold, keys: &Keys) -> Result<(), TestCaseError> {
    let field = |name| keys.get(key, name).map(str::to_owned);
    prop_assert_eq!(field("worker"), Some(format!("w{}", hold.worker)), "{}", key);
    prop_assert_eq!(field("attempt"), Some(hold.attempt.to_string()), "{}", key);
    prop_assert_eq!(field("epoch"), Some(hold.epoch.to_string()), "{}", key);
    prop_assert_eq!(field("exited").is_some(), hold.exited, "{}", key);
    prop_assert_eq!(field("busy").is_some(), hold.busy, "{}", key);
    prop_assert_eq!(field("leaving").is_some(), hold.leaving, "{}", key);
    Ok(())
}

/// Runners that took other jobs hold their slots.
fn lent(pool: usize, keys: &Keys, model: &Model) -> Result<(), TestCaseError> {
    let lent = model.lent.iter().filter(|((job, _), _)| pool_of(*job) == pool);
    let entries: BTreeSet<String> = lent.clone().map(|(runner, _)| stored(Entry::Lent(*runner))).collect();
    let found: BTreeSet<String> =
        keys.names("job:").into_iter().filter(|entry| entry.contains('~')).map(str::to_owned).collect();
    prop_assert_eq!(found, entries);
    for (runner, (state, held)) in lent {
        let key = format!("job:{}", stored(Entry::Lent(*runner)));
        prop_assert_eq!(keys.get(&key, "state"), Some(state.as_str()), "{}", key);
        prop_assert_eq!(keys.get(&key, "scope"), Some(SCOPES[scope_of(runner.0)]), "{}", key);
        hold(&key, held, keys)?;
    }
    Ok(())
}

/// The lists hold the jobs that wait, in their order, and what was withdrawn.
fn lines(pool: usize, keys: &Keys, model: &Model) -> Result<(), TestCaseError> {
    let waiting = keys.members("queued");
    for (scope, name) in SCOPES.iter().enumerate() {
        let listed = keys.list(&format!("pending:{name}"));
        let distinct: BTreeSet<&str> = listed.iter().copied().collect();
        prop_assert_eq!(distinct.len(), listed.len(), "{:?}", &listed);
        let listed: Vec<u64> =
            listed.into_iter().filter(|id| waiting.contains(id)).map(|id| id.parse().unwrap()).collect();
        let line: Vec<u64> = model.lines.get(&(pool, scope)).into_iter().flatten().copied().collect();
        prop_assert_eq!(listed, line, "{}", name);
    }
    Ok(())
}

fn counts(pool: usize, keys: &Keys, model: &Model) -> Result<(), TestCaseError> {
    let counts = &model.counts[pool];
    for (what, number) in [
        ("accepted", counts.accepted),
        ("done", counts.done),
        ("reopened", counts.reopened),
        ("cancelled", counts.cancelled),
        ("died", counts.died),
        ("dropped", counts.dropped),
        ("replayed", counts.replayed),
        ("tombstones", counts.tombstones),
    ] {
        prop_assert_eq!(keys.count(what), number, "{}", what);
    }
    Ok(())
}
