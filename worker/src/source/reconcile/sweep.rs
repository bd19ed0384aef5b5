//! Jobs of which no webhook came, and jobs that have ended without our hearing of it: the repositories are asked.

use std::{collections::HashMap, time::Duration};

use shared::{
    github::{Job, JobStatus, RunStatus},
    model::{DeliveryId, JobId, JobMessage, JobState, JobTrace, Origin, RepositoryName},
    queue::{CancelOutcome, Enqueued as Stored, LiveJob, Memo, Noted, ServedBy, Standing},
    workflow_job::{Decision, Note, decide},
};
use tracing::info;

use super::{
    Closed, Enqueued, Problem, Report, Round,
    job::{delivery, event, unique, word},
    round::Halt,
};
use crate::provider::Provider;

/// How many calls a round makes before it begins with no other repository.
const CALLS_MAX: usize = 100;

/// How many runs of a repository are looked at in a round. Of more, any: by and by, all of them.
const RUNS_MAX: usize = 100;

/// How many jobs of a repository are asked for one by one in a round.
const ASKED_MAX: usize = 50;

/// The status that says that there is no such thing.
const NOT_FOUND: u16 = 404;

/// How many pages of a list are read: of runs, of a run's jobs.
const PAGES_MAX: usize = 5;

/// Looks at the repositories that jobs came from, as many as the bounds allow.
pub(super) async fn look<P: Provider>(
    round: &Round<'_, P>,
    origins: &[Origin],
    report: &mut Report,
) -> Result<(), Halt> {
    let mut live: HashMap<String, Vec<LiveJob>> = HashMap::new();
    for job in round.queue.live_jobs(round.after).await? {
        live.entry(lower(&job.repository)).or_default().push(job);
    }
    let mut calls = 0;
    for (name, origin) in round.in_turn(Memo::RepositoryLooks, origins, |origin| lower(&origin.repository)).await? {
        if calls >= CALLS_MAX {
            break;
        }
        let live = live.remove(&name).unwrap_or_default();
        let look = look_at(round, origin, &live, &mut calls, report).await;
        round.looked(Memo::RepositoryLooks, &name, "jobs", look, report).await?;
    }
    Ok(())
}

fn lower(repository: &RepositoryName) -> String {
    repository.as_str().to_ascii_lowercase()
}

async fn look_at<P: Provider>(
    round: &Round<'_, P>,
    origin: &Origin,
    live: &[LiveJob],
    calls: &mut usize,
    report: &mut Report,
) -> Result<(), Halt> {
    let (jobs, all) = jobs(round, &origin.repository, calls).await?;
    enqueue_missed(round, origin, &jobs, report).await?;
    let waits = !all || jobs.values().any(|job| job.status == JobStatus::Queued);
    let mut asked = 0;
    for known in live {
        let job = match jobs.get(&known.id) {
            Some(job) => Some(job.clone()),
            // Its run has ended, it seems.
            None if all && asked < ASKED_MAX => {
                (asked, *calls) = (asked + 1, *calls + 1);
                find(round, origin, known.id).await?
            }
            None => continue,
        };
        close_ended(round, origin, (known, waits), job.as_ref(), report).await?;
    }
    Ok(())
}

/// A job, by its id; `None` if GitHub has none of that id any more.
async fn find<P>(round: &Round<'_, P>, origin: &Origin, id: JobId) -> Result<Option<Job>, Halt> {
    match round.github.job(&origin.repository, id).await {
        Ok(job) => Ok(Some(job)),
        // That the token may read jobs was seen just before.
        Err(error) if error.status() == Some(NOT_FOUND) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// The jobs of the runs that are queued or under way, and whether these are all.
async fn jobs<P>(
    round: &Round<'_, P>,
    repository: &RepositoryName,
    calls: &mut usize,
) -> Result<(HashMap<JobId, Job>, bool), Halt> {
    let (mut runs, mut all) = (Vec::new(), true);
    for status in [RunStatus::Queued, RunStatus::InProgress] {
        for page in 1..=PAGES_MAX {
            *calls += 1;
            let found = round.github.runs(repository, status, page).await?;
            runs.extend(found.items);
            if !found.more {
                break;
            }
            all &= page < PAGES_MAX;
        }
    }
    runs.sort_unstable();
    runs.dedup(); // one may have begun between the two
    all &= runs.len() <= RUNS_MAX;
    fastrand::shuffle(&mut runs);
    let mut jobs = HashMap::new();
    for run in runs.into_iter().take(RUNS_MAX) {
        for page in 1..=PAGES_MAX {
            *calls += 1;
            let found = round.github.run_jobs(repository, run, page).await?;
            jobs.extend(found.items.into_iter().map(|job| (job.id, job)));
            if !found.more {
                break;
            }
            all &= page < PAGES_MAX;
        }
    }
    Ok((jobs, all))
}

/// Puts jobs into the queue that wait at GitHub, and are not known here.
async fn enqueue_missed<P: Provider>(
    round: &Round<'_, P>,
    origin: &Origin,
    jobs: &HashMap<JobId, Job>,
    report: &mut Report,
) -> Result<(), Halt> {
    let waiting: Vec<&Job> = jobs.values().filter(|job| job.status == JobStatus::Queued).collect();
    let ids: Vec<JobId> = waiting.iter().map(|job| job.id).collect();
    let standing = round.queue.standing(&ids).await?;
    for job in waiting {
        let standing = standing.get(&job.id);
        let (Some(event), Some(delivery)) = (event(job, origin), delivery(job.id, &unique(word(job.status)))) else {
            continue;
        };
        if !is_missed(standing, round) {
            continue;
        }
        match decide(&event, origin, &delivery, &round.pools, round.prefix) {
            Decision::Enqueue(mut message) => {
                message.trace = Some(JobTrace::begin(None, Duration::ZERO));
                if !round.dry_run {
                    let Some(why) = put(round, &message).await? else { continue };
                    info!(job.id = %job.id, pool = %message.pool, repository = %origin.repository, "{why}: it is queued");
                }
                let (repository, pool) = (origin.repository.clone(), message.pool);
                report.enqueued.push(Enqueued { job: job.id, repository, pool });
            }
            Decision::Unmatched(unmatched) if standing.is_none() && !round.dry_run => {
                round.queue.record_unmatched(&unmatched).await?;
            }
            Decision::Refuse(reason) => report.problems.push(Problem::new(format!("{}: {reason}", origin.repository))),
            _ => {}
        }
    }
    Ok(())
}

/// Puts a job into the queue, and says why; nothing when its webhook came meanwhile.
async fn put<P>(round: &Round<'_, P>, message: &JobMessage) -> Result<Option<&'static str>, Halt> {
    if round.queue.missed(&message.pool, message.job_id).await? {
        return Ok(Some("The job's runner had another, of which no webhook came"));
    }
    let stored = round.queue.enqueue(message).await? == Stored::Stored;
    Ok(stored.then_some("No webhook came of the job"))
}

/// Whether a job that waits at GitHub is to be put into the queue. One that no pool took is tried again, for pools change; so is
/// one whose runner ended some time ago: it found no job, for this one waited for an approval, or had another, of which nothing is known.
fn is_missed<P>(standing: Option<&Standing>, round: &Round<'_, P>) -> bool {
    match standing {
        None | Some(Standing { state: JobState::Unmatched, .. }) => true,
        Some(Standing { done, .. }) => done.is_some_and(|ago| ago > round.after),
    }
}

/// Does what the webhook would have led to that says that a job has ended, or that another's runner has it. A `job` that there
/// is no more has ended as well. `waits`: whether a job of the repository waits at GitHub.
async fn close_ended<P: Provider>(
    round: &Round<'_, P>,
    origin: &Origin,
    (known, waits): (&LiveJob, bool),
    job: Option<&Job>,
    report: &mut Report,
) -> Result<(), Halt> {
    let status = job.map_or(JobStatus::Completed, |job| job.status);
    let (Some(surplus), Some(delivery)) = (delivery(known.id, "surplus"), delivery(known.id, word(status))) else {
        return Ok(());
    };
    let closing = match job {
        Some(job) if job.status == JobStatus::Queued => None,
        Some(job) => event(job, origin).and_then(|event| {
            closing(decide(&event, origin, &delivery, &round.pools, round.prefix), known, job.status)
        }),
        None => Some(Closing::Cancel("GitHub: there is no such job any more".to_owned())),
    };
    let Some(closing) = closing else { return Ok(()) };
    if !round.dry_run {
        let mut is_new = close(round, known, &closing, &delivery).await?;
        if !waits && is_surplus(&closing, known) && !round.queue.has_demand(&known.pool, &known.scope).await? {
            let surplus_to = Closing::Cancel("it ran on another's runner, and nothing waits for its own".to_owned());
            is_new |= close(round, known, &surplus_to, &surplus).await?;
        }
        if !is_new {
            return Ok(()); // this was done before
        }
    }
    let reason = match closing {
        Closing::Cancel(reason) => reason,
        Closing::Note(note) => note.detail,
    };
    report.closed.push(Closed { job: known.id, repository: known.repository.clone(), reason });
    Ok(())
}

/// Closes a record; `false` if there was nothing new to say.
async fn close<P>(
    round: &Round<'_, P>,
    known: &LiveJob,
    closing: &Closing,
    delivery: &DeliveryId,
) -> Result<bool, Halt> {
    let (is_new, reason) = match closing {
        Closing::Cancel(reason) => {
            let cancelled = round.queue.cancel(&known.pool, known.id, Some(delivery), reason).await?;
            (matches!(cancelled, CancelOutcome::Cancelled | CancelOutcome::Flagged), reason)
        }
        Closing::Note(note) => (note.take_down(round.queue, delivery).await? == Noted::Recorded, &note.detail),
    };
    if is_new {
        info!(job.id = %known.id, repository = %known.repository, reason,
            "No webhook came of what became of the job: its record is closed");
    }
    Ok(is_new)
}

/// How a record is closed.
#[derive(Debug, Eq, PartialEq)]
enum Closing {
    /// No runner is needed.
    Cancel(String),
    /// A runner has it, or had it.
    Note(Note),
}

/// Whether a job's own runner, which is there or is being made, is of no use to it: the job has ended on another one.
fn is_surplus(closing: &Closing, known: &LiveJob) -> bool {
    let Closing::Note(Note { runner: Some(runner), .. }) = closing else { return false };
    runner.completed
        && matches!(runner.by, ServedBy::Other { .. })
        && matches!(known.state, JobState::Starting | JobState::Running)
}

/// How the record of a job is closed that waits here, or has a worker; `None` if it is not to be. A runner of its own that is in
/// a worker's hands is that worker's affair.
fn closing(decision: Decision, known: &LiveJob, status: JobStatus) -> Option<Closing> {
    let completed = status == JobStatus::Completed;
    match decision {
        Decision::Cancel { reason, .. } => Some(Closing::Cancel(reason)),
        Decision::Note(note) => match &note.runner {
            None if completed => Some(Closing::Cancel(note.detail)),
            None => None,
            Some(runner) => {
                let own = matches!(runner.by, ServedBy::Own { .. });
                let watched = matches!(known.state, JobState::Starting | JobState::Running);
                (!own || (completed && !watched)).then_some(Closing::Note(note))
            }
        },
        // Its pool may be gone, and its end is an end.
        _ if completed => Some(Closing::Cancel("GitHub: completed".to_owned())),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use shared::workflow_job::GivenTo;

    use super::*;

    fn known(state: JobState) -> LiveJob {
        LiveJob {
            id: "7".parse().unwrap(),
            pool: "default".parse().unwrap(),
            state,
            repository: "octo/repo".parse().unwrap(),
            scope: "octo/repo".parse().unwrap(),
            age: std::time::Duration::from_mins(10),
        }
    }

    fn note(by: Option<ServedBy>, completed: bool) -> Decision {
        let runner = by.map(|by| GivenTo { name: "r".to_owned(), by, completed });
        let (pool, job) = ("default".parse().unwrap(), "7".parse().unwrap());
        Decision::Note(Note { pool, job, runner, detail: "GitHub: so".to_owned() })
    }

    #[test]
    fn a_job_that_has_ended_without_a_runner_is_cancelled_whatever_its_pool() {
        for decision in [note(None, true), Decision::Ignore("no pool".to_owned())] {
            let closing = closing(decision, &known(JobState::Pending), JobStatus::Completed);
            assert!(matches!(closing, Some(Closing::Cancel(_))), "{closing:?}");
        }
        for decision in [note(None, false), Decision::Ignore("no pool".to_owned())] {
            assert_eq!(closing(decision, &known(JobState::Pending), JobStatus::InProgress), None);
        }
    }

    #[test]
    fn a_runner_of_the_jobs_own_is_left_to_its_worker() {
        let own = || note(Some(ServedBy::Own { attempt: 1 }), true);
        for state in [JobState::Starting, JobState::Running] {
            assert_eq!(closing(own(), &known(state), JobStatus::Completed), None, "{state}");
        }
        assert!(closing(own(), &known(JobState::Orphaned), JobStatus::Completed).is_some());
        let other = ServedBy::Other { job: "8".parse().unwrap(), attempt: 1 };
        for by in [ServedBy::Foreign, other] {
            let closing = closing(note(Some(by), false), &known(JobState::Running), JobStatus::InProgress);
            assert!(matches!(closing, Some(Closing::Note(_))), "{closing:?}");
        }
    }

    #[test]
    fn a_runner_is_surplus_once_its_job_has_ended_on_another_one() {
        let other = ServedBy::Other { job: "8".parse().unwrap(), attempt: 1 };
        let is = |by, completed, state| {
            let status = if completed { JobStatus::Completed } else { JobStatus::InProgress };
            closing(note(Some(by), completed), &known(state), status).is_some_and(|it| is_surplus(&it, &known(state)))
        };
        assert!(is(other, true, JobState::Running) && is(other, true, JobState::Starting));
        assert!(!is(other, false, JobState::Running), "the other one may come to nothing");
        assert!(!is(other, true, JobState::Pending) && !is(ServedBy::Foreign, true, JobState::Running));
    }
}
