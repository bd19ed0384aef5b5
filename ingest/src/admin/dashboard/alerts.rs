//! What an operator has to know first. Pure.

use shared::status::PoolStatus;

use super::reading::Reading;

/// Something that keeps jobs from running.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Alert {
    /// What is the matter, and what to do about it.
    pub(super) text: String,
    /// Where there is more to be seen.
    pub(super) link: &'static str,
}

/// What keeps jobs from running.
pub(super) fn alerts(reading: &Reading) -> Vec<Alert> {
    let mut alerts = Vec::new();
    let mut alert = |link, text| alerts.push(Alert { text, link });
    for pool in &reading.status.pools {
        let PoolStatus { name, pending, delayed, .. } = pool;
        let waiting = pending + delayed;
        if let Some(why) = &pool.stopped {
            alert(
                "/workers",
                format!(
                    "Pool {name} is stopped: {why}. One job is tried now and then; it goes on by itself once that one runs."
                ),
            );
        }
        if let Some(why) = &pool.paused {
            alert("/jobs?state=waiting", format!("Pool {name} starts nothing for a while: {why}."));
        }
        if reading.serving(pool).next().is_none() && (waiting > 0 || pool.limit > 0) {
            let jobs = match waiting {
                0 => String::new(),
                1 => "; 1 job waits".to_owned(),
                jobs => format!("; {jobs} jobs wait"),
            };
            alert("/workers", format!("No worker serves pool {name}{jobs}: start one that has it in WORKER_POOLS."));
        }
    }
    for worker in &reading.status.workers {
        match &worker.problem {
            _ if !reading.is_there(worker) => {
                let seconds = worker.seen_seconds;
                alert("/workers", format!("Worker {} has been silent for {seconds} s: is it running?", worker.name));
            }
            Some(problem) => alert("/workers", format!("Worker {} cannot start a runner: {problem}", worker.name)),
            None => {}
        }
    }
    let orphaned: u64 = reading.status.pools.iter().map(|pool| pool.orphaned).sum();
    if orphaned > 0 {
        alert("/jobs?state=orphaned", format!("Jobs whose worker fell silent while they ran: {orphaned}."));
    }
    alerts
}

#[cfg(test)]
mod tests {
    use shared::status::{Status, WorkerStatus};

    use super::*;

    fn pool(name: &str) -> PoolStatus {
        PoolStatus { limit: 5, pending: 2, oldest_seconds: 7, ..PoolStatus::nothing_in(name.parse().unwrap()) }
    }

    fn worker(seen_seconds: u64, problem: Option<&str>) -> WorkerStatus {
        let pools = vec!["served".parse().unwrap()];
        let problem = problem.map(str::to_owned);
        WorkerStatus { name: "w".parse().unwrap(), capacity: 1, runners: 0, pools, problem, seen_seconds }
    }

    fn told(pools: Vec<PoolStatus>, workers: Vec<WorkerStatus>) -> Vec<String> {
        let reading = Reading { status: Status { pools, workers }, lease_seconds: 30, ..Reading::default() };
        alerts(&reading).into_iter().map(|alert| alert.text).collect()
    }

    #[test]
    fn nothing_is_said_where_all_is_well() {
        assert_eq!(told(vec![pool("served")], vec![worker(30, None)]), Vec::<String>::new());
    }

    #[test]
    fn a_pool_that_no_worker_serves_is_told_of() {
        let told = told(vec![pool("served"), pool("other")], vec![worker(0, None)]);
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(told[0].starts_with("No worker serves pool other; 2 jobs wait"), "{told:?}");
    }

    #[test]
    fn a_worker_that_is_silent_serves_nothing() {
        let told = told(vec![pool("served")], vec![worker(31, Some("no engine"))]);
        assert!(told[0].contains("No worker serves pool served") && told[1].contains("silent for 31 s"), "{told:?}");
    }

    #[test]
    fn what_holds_a_pool_up_is_told_with_its_reason() {
        let stopped = PoolStatus { stopped: Some("no image".to_owned()), ..pool("served") };
        let paused = PoolStatus { paused: Some("a limit".to_owned()), ..pool("served") };
        let told = told(vec![stopped, paused], vec![worker(1, Some("no engine"))]);
        assert!(told[0].contains("is stopped: no image") && told[1].contains("a limit"), "{told:?}");
        assert!(told[2].contains("Worker w cannot start a runner: no engine"), "{told:?}");
    }
}
