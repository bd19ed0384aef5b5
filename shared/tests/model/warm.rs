//! Warm runners, in store and model.

use std::collections::BTreeMap;

use proptest::prelude::*;
use shared::{
    model::{JobState, Scope},
    queue::{Idle, IdleRunner, Room},
};

use super::{
    model::{Entry, Hold, Model, WARM, pool_of, scope_of},
    operation::How,
    store::SCOPES,
    world::{Checked, World, job_id, pool_name},
};

impl Model {
    /// How many runners of a scope have no job and are not told to go, but for one; and how many wait for whichever job comes.
    fn idle(&self, pool: usize, scope: usize, but: Option<Entry>) -> (usize, usize) {
        let (mut all, mut free) = (0, 0);
        for (entry, _) in self.leased(pool).filter(|(entry, _)| scope_of(entry.job()) == scope && Some(*entry) != but) {
            let (_, hold) = self.held(entry).unwrap();
            let cancelled = matches!(entry, Entry::Own(job) if self.jobs[&job].cancel);
            if !(hold.busy || hold.exited || hold.leaving || cancelled) {
                all += 1;
                free += usize::from(waits_for_any(entry));
            }
        }
        (all, free)
    }

    /// How many runners wait for whichever job comes, told to go or not.
    pub(crate) fn warm(&self, pool: usize) -> u64 {
        let leased = self.leased(pool).filter(|(entry, _)| waits_for_any(*entry));
        leased.filter(|(entry, _)| !self.held(*entry).unwrap().1.busy).count() as u64
    }

    /// How many jobs wait that would do with a slot, but for those of a scope.
    fn waiting(&self, pool: usize, but: Option<usize>) -> usize {
        let scopes = self.eligible(pool).into_iter().filter(|scope| Some(*scope) != but);
        scopes.map(|scope| self.lines[&(pool, scope)].len()).sum()
    }

    /// Whether a job could be started at once.
    pub(crate) fn has_startable(&self, pool: usize) -> bool {
        !self.is_held_up(pool) && !self.is_full(pool) && self.waiting(pool, None) > 0
    }

    /// The scope in which a warm runner is to be made.
    fn to_refill(&self, pool: usize, wanted: [u8; 3]) -> Option<usize> {
        if self.paused[pool] || self.stopped[pool].is_some() || self.is_full(pool) || self.waiting(pool, None) > 0 {
            return None;
        }
        let active = |scope| self.leased(pool).filter(|(entry, _)| scope_of(entry.job()) == scope).count();
        (0..3).find(|scope| {
            let held_off = self.held_off.get(&(pool, *scope)).is_some_and(|(_, held_off)| *held_off);
            let few = self.idle(pool, *scope, None).0 < usize::from(wanted[*scope]);
            few && !held_off && active(*scope) < self.limits[pool].of_scope(*scope)
        })
    }

    /// Whether a runner has no job of its own to run.
    pub(crate) fn is_free(&self, (job, attempt): (u64, u64)) -> bool {
        self.jobs.get(&job).is_some_and(|known| job >= WARM || known.free.contains(&attempt))
    }

    /// A job needs its runner no more, which waits for whichever comes.
    pub(crate) fn set_free(&mut self, id: u64) -> Entry {
        let job = self.jobs.get_mut(&id).unwrap();
        let runner = (id, job.hold.attempt);
        job.lost.insert(runner.1);
        job.free.insert(runner.1);
        let (state, hold) = (job.state, job.hold.clone());
        self.lent.insert(runner, (state, hold));
        let (own, lent) = (Entry::Own(id), Entry::Lent(runner));
        self.run_out.iter_mut().filter(|entry| **entry == own).for_each(|entry| *entry = lent);
        self.close(id, JobState::Done);
        lent
    }

    /// A runner without a job of its own took one.
    pub(crate) fn free_took(&mut self, runner: (u64, u64)) -> Option<Entry> {
        let entry = self.entry(runner)?;
        self.jobs.get_mut(&runner.0)?.free.remove(&runner.1);
        self.held(entry).filter(|(_, hold)| hold.attempt == runner.1)?;
        self.held_mut(entry).1.busy = true;
        Some(entry)
    }

    fn hold_off(&mut self, id: u64, for_long: bool) {
        let held_off = self.held_off.entry((pool_of(id), scope_of(id))).or_default();
        *held_off = (held_off.0 + 1, for_long);
    }

    pub(crate) fn settle_warm(&mut self, id: u64, how: How) {
        match how {
            How::Done => drop(self.held_off.remove(&(pool_of(id), scope_of(id)))),
            How::Retry | How::ReleaseLater => self.hold_off(id, true),
            How::Dead => self.hold_off(id, false),
            How::Idle | How::Cancelled | How::Release => {}
        }
        self.jobs.get_mut(&id).unwrap().state = JobState::Done;
    }

    pub(crate) fn reap_warm(&mut self, id: u64, was: JobState) {
        if was == JobState::Starting {
            self.hold_off(id, true);
        }
        self.jobs.get_mut(&id).unwrap().state = JobState::Done;
    }

    fn spare(&mut self, entry: Entry, (wanted, gone, outdated, room): (u8, bool, bool, Room)) -> Idle {
        let mut entry = entry;
        let (pool, scope) = (pool_of(entry.job()), scope_of(entry.job()));
        if self.held(entry).unwrap().1.busy {
            return Idle::Stay;
        }
        if let Entry::Own(id) = entry
            && id < WARM
        {
            if !gone {
                return Idle::Own;
            }
            entry = self.set_free(id);
            self.jobs.get_mut(&id).unwrap().idle = true;
        }
        let leaves = |(other, _): &(Entry, JobState)| {
            let hold: &Hold = self.held(*other).unwrap().1;
            *other != entry && hold.leaving && !hold.busy
        };
        let leaving: Vec<Entry> = self.leased(pool).filter(leaves).map(|(other, _)| other).collect();
        let here = leaving.iter().filter(|other| scope_of(other.job()) == scope).count();
        let (all, free) = self.idle(pool, scope, Some(entry));
        let wanted = usize::from(wanted);
        let is_full = room != Room::Enough || self.is_full(pool);
        let goes = free >= wanted
            || room == Room::Needed
            || (is_full && !self.is_held_up(pool) && self.waiting(pool, Some(scope)) > leaving.len())
            || (outdated && here == 0 && all + 1 >= wanted);
        self.held_mut(entry).1.leaving = goes;
        if goes { Idle::Go } else { Idle::Stay }
    }
}

/// Whether it is the entry of a runner that has no job of its own to run.
fn waits_for_any(entry: Entry) -> bool {
    matches!(entry, Entry::Lent(_)) || entry.job() >= WARM
}

impl World {
    pub(crate) async fn refill(&mut self, pool: usize, worker: usize, wanted: [u8; 3]) -> Checked {
        let scope = self.model.to_refill(pool, wanted);
        let fits = |id: &u64| !self.model.jobs.contains_key(id) && scope.is_none_or(|scope| scope_of(*id) == scope);
        let id = (WARM..u64::MAX).filter(|id| pool_of(*id) == pool).find(fits).unwrap();
        let asked: Vec<(Scope, u32)> =
            SCOPES.iter().zip(wanted).map(|(scope, wanted)| (scope.parse().unwrap(), wanted.into())).collect();
        let of = self.settings[0].get(&pool_name(pool)).unwrap().clone();
        let leased = self.store.queue.refill(&of, &super::work::worker_name(worker), job_id(id), &asked).await.unwrap();
        let made = leased.as_ref().map(|lease| lease.job.scope.to_string());
        prop_assert_eq!(made.as_deref(), scope.map(|at| SCOPES[at]));
        let Some(lease) = leased else { return Ok(()) };
        self.model.add(id, JobState::Starting, false);
        let failures = self.model.held_off.get(&(pool, scope.unwrap())).map_or(0, |(failures, _)| *failures);
        let job = self.model.jobs.get_mut(&id).unwrap();
        (job.attempts, job.epochs) = (failures, 1);
        job.hold = Hold { worker, attempt: 1, epoch: 1, ..Hold::default() };
        self.take(worker, lease)
    }

    pub(crate) async fn spare(&mut self, lease: usize, runner: (u8, bool, bool), room: usize) -> Checked {
        let Some(number) = self.choose(lease) else { return Ok(()) };
        let lease = &self.leases[number].lease;
        let (wanted, job_is_gone, is_outdated) = runner;
        let room = [Room::Enough, Room::None, Room::Needed][room];
        let asked = IdleRunner { wanted: wanted.into(), job_is_gone, is_outdated, room };
        let idle = self.store.queue.spare(lease, asked).await.unwrap();
        let id = lease.id();
        let expected = match self.model.holds((id.job.get(), id.attempt), id.epoch) {
            None => Idle::Stay,
            Some(entry) => self.model.spare(entry, (wanted, job_is_gone, is_outdated, room)),
        };
        prop_assert_eq!(idle, expected);
        Ok(())
    }

    /// The time is over in which no warm runner is made.
    pub(crate) async fn held_off(&mut self, number: usize) {
        let all: BTreeMap<(usize, usize), (u32, bool)> = self.model.held_off.clone();
        let Some(((pool, scope), (failures, _))) = all.into_iter().nth(number % 6) else { return };
        self.store.set(pool, &format!("warm:{}", SCOPES[scope]), &format!("{failures} 1")).await;
        self.model.held_off.insert((pool, scope), (failures, false));
    }
}
