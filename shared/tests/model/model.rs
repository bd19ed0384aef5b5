//! The queue as it should be: what is where, without a store's name in it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use shared::model::JobState;

use super::{limits::Limits, operation::JOBS};

/// One in so many things happens to what it should not happen to.
pub(crate) const RARELY: usize = 8;

/// So many failed attempts make a dead letter.
pub(crate) const ATTEMPTS_MAX: u32 = 3;

/// So many crashes of its worker do.
pub(crate) const CRASHES_MAX: u32 = 3;

/// What the ids of warm runners have in common.
pub(crate) const WARM: u64 = 1 << 63;

/// A runner: the job that it was made for, and which of that job's.
pub(crate) type Runner = (u64, u64);

/// What holds a slot: a job, or one of its runners that took another job.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Entry {
    Own(u64),
    Lent(Runner),
}

impl Entry {
    pub(crate) fn job(self) -> u64 {
        match self {
            Self::Own(job) | Self::Lent((job, _)) => job,
        }
    }
}

/// Who has a lease, and what is known of its runner.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Hold {
    pub(crate) worker: usize,
    pub(crate) attempt: u64,
    pub(crate) epoch: u64,
    pub(crate) exited: bool,
    /// It is known that its runner has a job.
    pub(crate) busy: bool,
    /// Its runner was told to go, for it had none.
    pub(crate) leaving: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct Job {
    pub(crate) state: JobState,
    /// Nothing is known of it but that it needs no runner.
    pub(crate) tombstone: bool,
    pub(crate) attempts: u32,
    pub(crate) crashes: u32,
    pub(crate) replays: u32,
    pub(crate) epochs: u64,
    /// The last lease.
    pub(crate) hold: Hold,
    pub(crate) cancel: bool,
    /// It is done because its runner found no job.
    pub(crate) idle: bool,
    pub(crate) served_by: Option<String>,
    /// The runner, of another job, that took this one while it had a lease.
    pub(crate) left: Option<Runner>,
    /// The job that its runner of this attempt took, and whose own was left to it.
    pub(crate) heir: Option<(u64, u64)>,
    /// Its runners that took other jobs, or wait for other jobs.
    pub(crate) lost: BTreeSet<u64>,
    /// Those of them that have no job.
    pub(crate) free: BTreeSet<u64>,
    /// Its last runner that failed, and the last that ended otherwise, of which it is written down how.
    pub(crate) ended: [Option<u64>; 2],
}

/// A pool is stopped.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Stop {
    /// Its next job is to be tried.
    pub(crate) due: bool,
    /// That was tried last.
    pub(crate) trial: Option<u64>,
}

/// What was counted in a pool.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Counts {
    pub(crate) accepted: u64,
    pub(crate) done: u64,
    pub(crate) reopened: u64,
    pub(crate) cancelled: u64,
    pub(crate) died: u64,
    pub(crate) dropped: u64,
    pub(crate) replayed: u64,
    pub(crate) tombstones: u64,
}

#[derive(Debug, Default)]
pub(crate) struct Model {
    pub(crate) jobs: BTreeMap<u64, Job>,
    /// The runners that took other jobs, or wait for others, and have not ended.
    pub(crate) lent: BTreeMap<Runner, (JobState, Hold)>,
    /// Pending jobs by pool and scope; the next one in front.
    pub(crate) lines: BTreeMap<(usize, usize), VecDeque<u64>>,
    /// Leases that have run out, the longest ago in front.
    pub(crate) run_out: Vec<Entry>,
    /// Delayed jobs whose time has come, in the order of that.
    pub(crate) due: Vec<u64>,
    /// Jobs that have waited for too long.
    pub(crate) old: Vec<u64>,
    pub(crate) deliveries: BTreeSet<(usize, String)>,
    /// Jobs whose records have expired.
    pub(crate) forgotten: BTreeSet<u64>,
    /// Jobs of which GitHub was told that they are cancelled.
    pub(crate) cancelled: BTreeSet<u64>,
    pub(crate) limits: [Limits; 2],
    pub(crate) counts: [Counts; 2],
    pub(crate) paused: [bool; 2],
    /// Those that are stopped.
    pub(crate) stopped: [Option<Stop>; 2],
    /// Nobody has reached the store for a while.
    pub(crate) away: [bool; 2],
    /// Nobody's lease ends now.
    pub(crate) grace: [bool; 2],
    /// By pool and scope: how many warm runners came to nothing in a row, and whether none is made for a while.
    pub(crate) held_off: BTreeMap<(usize, usize), (u32, bool)>,
}

/// The pool of a job.
pub(crate) fn pool_of(job: u64) -> usize {
    usize::from(job.is_multiple_of(4))
}

/// The scope of a job.
pub(crate) fn scope_of(job: u64) -> usize {
    usize::try_from(job % 5).unwrap().saturating_sub(2)
}

impl Model {
    /// Whether no job of a pool starts now, however many wait.
    pub(crate) fn is_held_up(&self, pool: usize) -> bool {
        self.paused[pool] || self.stopped[pool].is_some_and(|stop| !stop.due)
    }

    pub(crate) fn state(&self, job: u64) -> Option<JobState> {
        self.jobs.get(&job).map(|job| job.state)
    }

    /// All leases of a pool, with their states.
    pub(crate) fn leased(&self, pool: usize) -> impl Iterator<Item = (Entry, JobState)> + '_ {
        let own = self.jobs.iter().filter(|(_, job)| job.state.is_leased());
        let own = own.map(|(id, job)| (Entry::Own(*id), job.state));
        let lent = self.lent.iter().map(|(runner, (state, _))| (Entry::Lent(*runner), *state));
        own.chain(lent).filter(move |(entry, _)| pool_of(entry.job()) == pool)
    }

    /// The scopes of a pool that have work and room.
    pub(crate) fn eligible(&self, pool: usize) -> Vec<usize> {
        let active = |scope| self.leased(pool).filter(|(entry, _)| scope_of(entry.job()) == scope).count();
        let has_work = |scope| self.lines.get(&(pool, scope)).is_some_and(|line| !line.is_empty());
        (0..3).filter(|scope| has_work(*scope) && active(*scope) < self.limits[pool].of_scope(*scope)).collect()
    }

    pub(crate) fn is_full(&self, pool: usize) -> bool {
        self.leased(pool).count() >= self.limits[pool].of_pool()
    }

    /// A job in one of `states`, or now and then any.
    pub(crate) fn choose(&self, number: usize, states: &[JobState]) -> u64 {
        let fit = self.jobs.iter().filter(|(id, job)| **id < WARM && states.contains(&job.state)).map(|(id, _)| *id);
        let fit: Vec<u64> = fit.collect();
        match pick(&fit, number / RARELY) {
            Some(job) if !number.is_multiple_of(RARELY) => job,
            _ => (number / RARELY) as u64 % JOBS + 1,
        }
    }

    /// Jobs of a pool in a state.
    pub(crate) fn count(&self, pool: usize, state: JobState) -> usize {
        self.jobs.iter().filter(|(id, job)| pool_of(**id) == pool && job.state == state).count()
    }

    pub(crate) fn push(&mut self, job: u64, in_front: bool) {
        self.jobs.get_mut(&job).unwrap().state = JobState::Pending;
        let line = self.lines.entry((pool_of(job), scope_of(job))).or_default();
        if in_front { line.push_front(job) } else { line.push_back(job) }
    }

    /// Takes a job out of those that wait, for a worker or for a person.
    pub(crate) fn withdraw(&mut self, job: u64) {
        self.lines.entry((pool_of(job), scope_of(job))).or_default().retain(|other| *other != job);
        self.due.retain(|other| *other != job);
        self.old.retain(|other| *other != job);
    }

    pub(crate) fn close(&mut self, job: u64, state: JobState) {
        self.jobs.get_mut(&job).unwrap().state = state;
        let counts = &mut self.counts[pool_of(job)];
        match state {
            JobState::Done => counts.done += 1,
            _ => counts.cancelled += 1,
        }
    }

    pub(crate) fn bury(&mut self, job: u64) {
        self.jobs.get_mut(&job).unwrap().state = JobState::Dead;
        self.counts[pool_of(job)].died += 1;
    }

    pub(crate) fn add(&mut self, job: u64, state: JobState, tombstone: bool) {
        let added = Job {
            state,
            tombstone,
            attempts: 0,
            crashes: 0,
            replays: 0,
            epochs: 0,
            hold: Hold::default(),
            cancel: false,
            idle: false,
            served_by: None,
            left: None,
            heir: None,
            lost: BTreeSet::new(),
            free: BTreeSet::new(),
            ended: [None; 2],
        };
        self.jobs.insert(job, added);
    }

    /// Whether a job is open again once it is delivered again.
    pub(crate) fn reopens(&self, job: u64) -> bool {
        self.jobs.get(&job).is_some_and(|job| job.idle && !job.cancel && job.served_by.is_none())
    }

    /// Whether a job is done, as far as is known by its own runner alone.
    pub(crate) fn may_wait_still(&self, job: u64) -> bool {
        let by_its_own = |job: &Job| job.served_by.is_none() && job.left.is_none() && !job.idle && !job.cancel;
        self.jobs.get(&job).is_some_and(|job| job.state == JobState::Done && by_its_own(job))
    }

    /// Takes back that a job is done.
    pub(crate) fn revive(&mut self, id: u64) {
        self.jobs.get_mut(&id).unwrap().idle = false;
        self.counts[pool_of(id)].reopened += 1;
    }

    /// Whether jobs of a scope wait for a runner.
    pub(crate) fn has_demand(&self, pool: usize, scope: usize) -> bool {
        self.jobs.iter().any(|(id, job)| {
            (pool_of(*id), scope_of(*id)) == (pool, scope) && matches!(job.state, JobState::Pending | JobState::Delayed)
        })
    }

    /// Whether a record will expire.
    pub(crate) fn expires(&self, job: u64) -> bool {
        let ended = matches!(self.state(job), Some(JobState::Done | JobState::Cancelled));
        ended && !self.lent.keys().any(|(of, _)| *of == job)
    }
}

/// One of several things, counted round.
pub(crate) fn pick<T: Copy>(things: &[T], which: usize) -> Option<T> {
    things.get(which.checked_rem(things.len())?).copied()
}
