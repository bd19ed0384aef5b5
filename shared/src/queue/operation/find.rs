//! Jobs that are looked for, a page at a time. However many are on record, a page reads a bounded part of them.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet, HashMap},
};

use redis::{cmd, pipe};

use super::{Queue, keys};
use crate::{
    model::{JobId, JobState, PoolName, Scope},
    queue::{JobFilter, JobRecord, JobsMark, JobsPage, QueueError},
};

/// How many entries of a set are looked at with one call to the store where not each is meant.
const STEP: usize = 100;

/// How many entries are looked at for one page.
const LOOK_MAX: usize = 500;

/// The sets that jobs are in, with the states that they have there, in the order of a list.
const SETS: [(&str, &[JobState]); 5] = [
    ("lease", &[JobState::Starting, JobState::Running, JobState::Orphaned]),
    ("queued", &[JobState::Pending]),
    ("delayed", &[JobState::Delayed]),
    ("dead", &[JobState::Dead]),
    ("ended", &[JobState::Done, JobState::Cancelled, JobState::Unmatched]),
];

/// A pool's keys, or those of the jobs that no pool takes.
type Part = (String, Option<PoolName>);

/// What stands in a set.
struct Entry {
    /// In which part.
    part: usize,
    /// None if it is no job, but a runner that waits for one or took another.
    job: Option<JobId>,
    /// Where the list goes on behind it.
    mark: JobsMark,
}

/// A page that is being filled.
struct Search<'a> {
    filter: &'a JobFilter,
    parts: Vec<Part>,
    most: usize,
    jobs: Vec<JobRecord>,
    looked_at: usize,
}

impl Queue {
    /// At most `most` of the jobs that are looked for, from a place in the list on.
    ///
    /// # Errors
    ///
    /// Those that [are transient](QueueError::is_transient).
    pub async fn find(&self, filter: &JobFilter, from: Option<JobsMark>, most: usize) -> Result<JobsPage, QueueError> {
        let mut parts: Vec<Part> = Vec::new();
        for pool in self.pools().await? {
            if filter.pool.as_ref().is_none_or(|wanted| *wanted == pool) {
                parts.push((keys::prefix(&pool), Some(pool)));
            }
        }
        if filter.pool.is_none() {
            parts.push((keys::UNMATCHED.to_owned(), None));
        }
        let mut search = Search { filter, parts, most, jobs: Vec::new(), looked_at: 0 };
        let mut more = None;
        for set in from.map_or(0, |mark| mark.set)..SETS.len() {
            more = self.find_in(set, from.filter(|mark| mark.set == set), &mut search).await?;
            if more.is_some() {
                break;
            }
        }
        let mut jobs = search.jobs;
        self.tell_why_pending(&mut jobs).await?;
        Ok(JobsPage { jobs, more })
    }

    /// Looks through one set, and returns where to go on once the page is full, or enough was looked at.
    async fn find_in(
        &self,
        set: usize,
        mut from: Option<JobsMark>,
        search: &mut Search<'_>,
    ) -> Result<Option<JobsMark>, QueueError> {
        let (_, states) = SETS[set];
        if !states.iter().any(|state| search.filter.has_state(*state)) {
            return Ok(None);
        }
        let is_each_meant = !search.filter.has_words() && states.iter().all(|state| search.filter.has_state(*state));
        let step = if is_each_meant { search.most } else { STEP };
        loop {
            let entries = self.next_entries(&search.parts, set, from, step).await?;
            let mut meant = self.meant_of(set, &entries, search).await?;
            for entry in &entries {
                from = Some(entry.mark);
                search.jobs.extend(entry.job.and_then(|job| meant.remove(&(entry.part, job))));
                if search.jobs.len() >= search.most {
                    return Ok(from);
                }
            }
            search.looked_at += entries.len();
            if entries.len() < step {
                return Ok(None);
            }
            if search.looked_at >= LOOK_MAX {
                return Ok(from);
            }
        }
    }

    /// The next entries of a set, in all parts.
    async fn next_entries(
        &self,
        parts: &[Part],
        set: usize,
        from: Option<JobsMark>,
        step: usize,
    ) -> Result<Vec<Entry>, QueueError> {
        let name = SETS[set].0;
        let mut found: Vec<(i64, usize, String)> = Vec::new();
        for (part, (prefix, _)) in parts.iter().enumerate() {
            let key = format!("{prefix}{name}");
            if name == "lease" {
                // Their order changes with every beat, so they stand by their ids; there are no more than runners.
                let entries: Vec<String> = self.store.query(cmd("ZRANGE").arg(key).arg(0).arg(-1)).await?;
                found.extend(entries.into_iter().map(|entry| (number(&entry), part, entry)));
            } else {
                let most = step + from.map_or(0, |mark| mark.skip);
                let first = from.map_or_else(|| "+inf".to_owned(), |mark| mark.score.to_string());
                let mut range = cmd("ZRANGE");
                range.arg(key).arg(first).arg("-inf").arg("BYSCORE").arg("REV");
                range.arg("LIMIT").arg(0).arg(most).arg("WITHSCORES");
                let entries: Vec<(String, f64)> = self.store.query(&range).await?;
                #[allow(clippy::cast_possible_truncation, reason = "it is a whole number of milliseconds")]
                found.extend(entries.into_iter().map(|(entry, score)| (score as i64, part, entry)));
            }
        }
        found.sort_by(|(score, part, entry), (other, others_part, others)| {
            (Reverse(score), part, Reverse(entry)).cmp(&(Reverse(other), others_part, Reverse(others)))
        });
        Ok(behind(found, set, from, step))
    }

    /// The records of those that are meant.
    async fn meant_of(
        &self,
        set: usize,
        entries: &[Entry],
        search: &Search<'_>,
    ) -> Result<HashMap<(usize, JobId), JobRecord>, QueueError> {
        let mut meant = HashMap::new();
        for (part, (prefix, pool)) in search.parts.iter().enumerate() {
            let jobs = entries.iter().filter(|entry| entry.part == part).filter_map(|entry| entry.job);
            let mut jobs: Vec<JobId> = jobs.collect();
            if !SETS[set].1.iter().all(|state| search.filter.has_state(*state)) {
                jobs = self.in_state(prefix, jobs, search.filter).await?;
            }
            let records = self.records_where(prefix, pool.as_ref(), &jobs, |job| search.filter.means(job)).await?;
            meant.extend(records.into_iter().map(|job| ((part, job.id), job)));
        }
        Ok(meant)
    }

    /// Those that are in a state that is looked for.
    async fn in_state(&self, prefix: &str, jobs: Vec<JobId>, filter: &JobFilter) -> Result<Vec<JobId>, QueueError> {
        if jobs.is_empty() {
            return Ok(jobs);
        }
        let mut commands = pipe();
        for job in &jobs {
            commands.hget(keys::job(prefix, *job), "state");
        }
        let states: Vec<Option<String>> = self.store.pipeline(&commands).await?;
        let state = |text: Option<String>| text.and_then(|text| text.parse().ok());
        let with = jobs.into_iter().zip(states.into_iter().map(state));
        Ok(with.filter(|(_, state)| state.is_some_and(|state| filter.has_state(state))).map(|(job, _)| job).collect())
    }

    /// Says of the pending ones among these what they wait for.
    pub(super) async fn tell_why_pending(&self, jobs: &mut [JobRecord]) -> Result<(), QueueError> {
        let place = |job: &JobRecord| {
            let is_pending = job.state == JobState::Pending;
            is_pending.then(|| Some((job.pool.clone()?, job.scope.clone()?))).flatten()
        };
        let mut scopes: BTreeMap<PoolName, BTreeSet<Scope>> = BTreeMap::new();
        for (pool, scope) in jobs.iter().filter_map(place) {
            scopes.entry(pool).or_default().insert(scope);
        }
        let mut reasons = HashMap::new();
        for (pool, scopes) in scopes {
            let scopes: Vec<Scope> = scopes.into_iter().collect();
            let whys = self.why_pending(&pool, &scopes).await?;
            reasons.extend(scopes.into_iter().zip(whys).map(|(scope, why)| ((pool.clone(), scope), why)));
        }
        for job in jobs {
            if let Some(why) = place(job).and_then(|place| reasons.get(&place)) {
                job.reason.clone_from(why);
            }
        }
        Ok(())
    }
}

/// Entries in their order, behind a mark: a step of them.
fn behind(found: Vec<(i64, usize, String)>, set: usize, from: Option<JobsMark>, step: usize) -> Vec<Entry> {
    let (mut last, mut same) = (None, 0);
    let marked = found.into_iter().map(|(score, part, entry)| {
        same = if last == Some(score) { same + 1 } else { 1 };
        last = Some(score);
        let job = entry.parse().ok().filter(|job: &JobId| !job.is_warm());
        Entry { part, job, mark: JobsMark { set, score, skip: same } }
    });
    let is_behind = |entry: &Entry| {
        from.is_none_or(|from| {
            entry.mark.score < from.score || entry.mark.score == from.score && entry.mark.skip > from.skip
        })
    };
    marked.filter(is_behind).take(step).collect()
}

/// The number of an entry's job.
fn number(entry: &str) -> i64 {
    let digits = entry.trim_start_matches('w').split('~').next().unwrap_or_default();
    digits.parse().unwrap_or_default()
}
