//! The queue: what keeps it, whether it keeps what it is given, how fast it answers, and what time it is there.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use shared::{
    queue::{FileFacts, Queue, QueueError, ServerFacts, StoreFacts},
    telemetry::chain,
};

use super::{Finding, Subject::Queue as SUBJECT, Verdict};

/// How many round trips are timed.
const ROUND_TRIPS: usize = 5;
/// An operation of the queue is one round trip, and a start takes some ten: with more than this, it is the queue that is waited for.
const SLOW: Duration = Duration::from_millis(50);
/// The queue's own clock decides on leases; that of this machine is in the log.
const CLOCKS_DIFFER: Duration = Duration::from_secs(5);
/// A hundred thousand waiting jobs take some hundred megabytes, their log of changes as much again.
const LITTLE_SPACE: u64 = 1 << 30;
const NO_SPACE: u64 = 64 << 20;
/// What others than the owner may do with a file.
const OTHERS: u32 = 0o077;

/// Looks at the queue.
pub(super) async fn look(queue: &Queue) -> Vec<Finding> {
    let mut findings = Vec::new();
    match queue.store_facts().await {
        Ok(StoreFacts::File(file)) => {
            let there = file.mode.is_some();
            findings.extend(of_file(&file));
            if !there {
                return findings; // looking further would make it, for this user
            }
        }
        Ok(StoreFacts::Servers(servers)) => findings.extend(of_servers(&servers)),
        Err(error) => return vec![unusable(&error)],
    }
    match queue.check().await {
        Ok(warnings) => findings.push(durability(&warnings)),
        Err(error) => {
            findings.push(unusable(&error));
            return findings;
        }
    }
    match latencies(queue).await {
        Ok(took) => findings.push(latency(took)),
        Err(error) => findings.push(unusable(&error)),
    }
    if !matches!(findings[0].check.as_str(), FILE) {
        findings.extend(clocks(queue).await.unwrap_or_default());
    }
    findings
}

/// What the first finding about a file is called.
const FILE: &str = "file";

fn unusable(error: &QueueError) -> Finding {
    let advice = match error {
        QueueError::Unsuitable(_) => "use another store, as it says",
        _ => {
            "is it up, and QUEUE_URL its address with the right user and password? Until it answers, deliveries are refused (503) \
              and no job is started"
        }
    };
    Finding::failure(SUBJECT, "reachable", chain(error)).advise(advice)
}

fn of_servers(servers: &[ServerFacts]) -> Vec<Finding> {
    if servers.is_empty() {
        let why = "it does not say what it is: its user may not call INFO";
        return vec![Finding::skipped(SUBJECT, "version", why).advise("allow the user +info (README, \"In Redis\")")];
    }
    let line = |server: &ServerFacts| {
        let node = if server.node.is_empty() { String::new() } else { format!("{}: ", server.node) };
        Finding::ok(SUBJECT, "version", format!("{node}{}", server.product))
    };
    servers.iter().map(line).collect()
}

fn of_file(file: &FileFacts) -> Vec<Finding> {
    let path = file.path.display();
    let FileFacts { sqlite, schema, file_system, .. } = file;
    let Some(mode) = file.mode else {
        let found = format!("{path} is not there yet: the first process that is started makes it");
        return vec![Finding::ok(SUBJECT, FILE, found), space(file)];
    };
    let found = format!("{path} on {file_system}, SQLite {sqlite}, schema {schema}");
    let permissions = if mode & OTHERS == 0 {
        Finding::ok(SUBJECT, "permissions", format!("{mode:o}: for its owner alone"))
    } else {
        let found = format!("{mode:o}: others on this machine may read it, or write to it");
        Finding::warning(SUBJECT, "permissions", found).advise(format!("chmod 600 {path}"))
    };
    vec![Finding::ok(SUBJECT, FILE, found), permissions, space(file)]
}

fn space(file: &FileFacts) -> Finding {
    let found = format!("{} free", bytes(file.free_bytes));
    let verdict = match file.free_bytes {
        ..NO_SPACE => Verdict::Failure,
        NO_SPACE..LITTLE_SPACE => Verdict::Warning,
        LITTLE_SPACE.. => Verdict::Ok,
    };
    Finding::new(verdict, SUBJECT, "space", found).unless_ok(
        "free some space on that disk, or name a file on another in QUEUE_URL: when it is full, deliveries are refused",
    )
}

/// How many bytes, for people.
pub(super) fn bytes(bytes: u64) -> String {
    let units = [(1_u64 << 40, "TiB"), (1 << 30, "GiB"), (1 << 20, "MiB")];
    let (unit, name) = units.into_iter().find(|(unit, _)| bytes >= *unit).unwrap_or((1 << 10, "KiB"));
    format!("{}.{} {name}", bytes / unit, bytes % unit * 10 / unit)
}

fn durability(warnings: &[String]) -> Finding {
    let check = "durability";
    match warnings {
        [] => Finding::ok(SUBJECT, check, "what it is given, it keeps"),
        warnings => {
            // Each says what is wrong, and, behind the semicolon, what to do about it.
            let (found, advice): (Vec<&str>, Vec<&str>) =
                warnings.iter().map(|warning| warning.split_once("; ").unwrap_or((warning, ""))).unzip();
            let advice: Vec<&str> = advice.into_iter().filter(|advice| !advice.is_empty()).collect();
            let finding = Finding::warning(SUBJECT, check, found.join("; "));
            if advice.is_empty() {
                finding.advise("name a file on a disk in QUEUE_URL")
            } else {
                finding.advise(advice.join("; "))
            }
        }
    }
}

/// How long each of some round trips took.
async fn latencies(queue: &Queue) -> Result<Vec<Duration>, QueueError> {
    let mut took = Vec::with_capacity(ROUND_TRIPS);
    for _ in 0..ROUND_TRIPS {
        let begun = Instant::now();
        queue.ping().await?;
        took.push(begun.elapsed());
    }
    Ok(took)
}

fn latency(mut took: Vec<Duration>) -> Finding {
    took.sort_unstable();
    let millis = |took: Option<&Duration>| took.copied().unwrap_or_default().as_secs_f64() * 1000.0;
    let (median, worst) = (took.get(took.len() / 2), took.last());
    let found = format!("{:.1} ms a round trip, {:.1} ms the longest of {}", millis(median), millis(worst), took.len());
    if median.is_some_and(|median| *median > SLOW) {
        return Finding::warning(SUBJECT, "latency", found)
            .advise("have it nearer to the worker, or find out what keeps it busy: every step of a job waits for it");
    }
    Finding::ok(SUBJECT, "latency", found)
}

/// Compares its clock with this machine's.
async fn clocks(queue: &Queue) -> Result<Vec<Finding>, QueueError> {
    let begun = SystemTime::now();
    let there = queue.time().await?;
    let here = begun + SystemTime::now().duration_since(begun).unwrap_or_default() / 2;
    let here = here.duration_since(UNIX_EPOCH).unwrap_or_default();
    Ok(vec![clock(Duration::from_millis(there), here)])
}

fn clock(there: Duration, here: Duration) -> Finding {
    let apart = there.abs_diff(here);
    let found = format!("{:.1} s apart from this machine's", apart.as_secs_f64());
    if apart > CLOCKS_DIFFER {
        return Finding::warning(SUBJECT, "clock", found).advise(
            "have both set by NTP: leases go by the queue's clock, but the log's times do not match the records'",
        );
    }
    Finding::ok(SUBJECT, "clock", found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(mode: Option<u32>, free_bytes: u64) -> FileFacts {
        FileFacts { path: "/q.db".into(), sqlite: "3", schema: 1, mode, file_system: "ext4".to_owned(), free_bytes }
    }

    fn verdicts(findings: &[Finding]) -> Vec<Verdict> {
        findings.iter().map(|finding| finding.verdict).collect()
    }

    #[test]
    fn a_file_is_for_its_owner_alone_and_on_a_disk_with_room() {
        use Verdict::{Failure, Ok, Warning};
        assert_eq!(verdicts(&of_file(&file(Some(0o600), LITTLE_SPACE))), [Ok, Ok, Ok]);
        assert_eq!(verdicts(&of_file(&file(Some(0o640), LITTLE_SPACE - 1))), [Ok, Warning, Warning]);
        assert_eq!(verdicts(&of_file(&file(None, NO_SPACE - 1))), [Ok, Failure]);
    }

    #[test]
    fn a_store_that_may_lose_jobs_is_told_with_what_to_do() {
        assert_eq!(durability(&[]).verdict, Verdict::Ok);
        let bad = durability(&["a is off: b; set it to yes".to_owned(), "c is d: e; set it to f".to_owned()]);
        assert_eq!((bad.verdict, bad.found.as_str()), (Verdict::Warning, "a is off: b; c is d: e"));
        assert_eq!(bad.advice.as_deref(), Some("set it to yes; set it to f"));
    }

    #[test]
    fn a_store_that_is_slow_or_of_another_time_is_told() {
        let ms = Duration::from_millis;
        assert_eq!(latency(vec![ms(1), ms(900), ms(2)]).verdict, Verdict::Ok, "one may be late");
        assert_eq!(latency(vec![ms(60), ms(70), ms(2)]).verdict, Verdict::Warning);
        assert_eq!(clock(ms(10_000), ms(14_000)).verdict, Verdict::Ok);
        assert_eq!(clock(ms(10_000), ms(16_000)).verdict, Verdict::Warning);
        assert_eq!(clock(ms(16_000), ms(10_000)).verdict, Verdict::Warning);
    }

    #[test]
    fn amounts_are_given_in_their_unit() {
        assert_eq!([bytes(3 << 30), bytes((1 << 20) * 3 / 2), bytes(2048)], ["3.0 GiB", "1.5 MiB", "2.0 KiB"]);
    }
}
