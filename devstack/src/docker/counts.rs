//! What was done, and whether it was too much.

use std::collections::BTreeMap;

use super::container::{Container, Status};

/// A container that was started.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Started {
    /// The container's name: that of its runner.
    pub name: String,
    /// The job that it was made for; a warm runner was made for none.
    pub job: Option<u64>,
    /// The job that its runner took.
    pub took: Option<u64>,
}

/// Counts of what was done to containers with the labels of runners.
#[derive(Clone, Debug, Default)]
pub struct Counts {
    /// The most calls that were under way at once to make, fill and start containers.
    pub most_starts: usize,
    /// How many were created.
    pub created: u64,
    /// Those that were started, in order.
    pub started: Vec<Started>,
    /// The most that ran at once, by pool.
    pub most: BTreeMap<String, usize>,
    /// The most that ran at once, by pool and scope.
    pub most_of_scope: BTreeMap<(String, String), usize>,
    /// Each start by which more ran than the limit of the pool or of the scope.
    pub exceeded: Vec<String>,
    /// Each start of a runner for a job that had one: a runner that was made for the same job was up and had not taken
    /// another job, or had been up and had taken this one.
    pub doubled: Vec<String>,
    limits: BTreeMap<String, (usize, usize)>,
}

impl Counts {
    /// One more of those calls is under way.
    pub(super) fn call(&mut self, under_way: usize) {
        raise(&mut self.most_starts, under_way);
    }

    pub(super) fn limit(&mut self, pool: &str, most: usize, per_scope: usize) {
        self.limits.insert(pool.to_owned(), (most, per_scope));
    }

    /// Counts a start. `all` are the containers there are, the one that was started among them.
    pub(super) fn start<'a>(&mut self, it: &Container, all: impl Iterator<Item = &'a Container> + Clone) {
        let Some(job) = it.job() else { return };
        let (pool, scope) = (it.pool(), it.scope());
        let running = all.filter(|other| other.status == Status::Running);
        let of_pool = running.clone().filter(|other| other.pool() == pool).count();
        let of_scope = running.clone().filter(|other| other.pool() == pool && other.scope() == scope).count();
        raise(self.most.entry(pool.to_owned()).or_default(), of_pool);
        raise(self.most_of_scope.entry((pool.to_owned(), scope.to_owned())).or_default(), of_scope);
        if let Some((most, per_scope)) = self.limits.get(pool) {
            if of_pool > *most {
                self.exceeded.push(format!("{}: {of_pool} of {most} in {pool}", it.name));
            }
            if of_scope > *per_scope {
                self.exceeded.push(format!("{}: {of_scope} of {per_scope} of {scope} in {pool}", it.name));
            }
        }
        let mut up = running.filter(|other| other.id != it.id && other.job() == Some(job));
        if let Some(other) = up.find(|other| other.took.is_none()) {
            self.doubled.push(format!("{}, though {} is up", it.name, other.name));
        }
        let number = job.parse().ok();
        let mut before = self.started.iter().filter(|other| number.is_some() && other.job == number);
        if let Some(other) = before.find(|other| other.took == number && other.name != it.name) {
            self.doubled.push(format!("{}, though {} took the job", it.name, other.name));
        }
        if self.started.iter().any(|other| other.name == it.name) {
            self.doubled.push(format!("{}, for the second time", it.name));
        }
        self.started.push(Started { name: it.name.clone(), job: number, took: None });
    }

    /// A runner took a job.
    pub(super) fn took(&mut self, name: &str, job: u64) {
        if let Some(started) = self.started.iter_mut().rev().find(|started| started.name == name) {
            started.took = Some(job);
        }
    }

    /// How many runners were started and took no job.
    #[must_use]
    pub fn idle(&self) -> usize {
        self.started.iter().filter(|started| started.took.is_none()).count()
    }
}

fn raise(most: &mut usize, to: usize) {
    *most = (*most).max(to);
}
