//! `worker status`

use std::{
    io::{IsTerminal as _, stdout},
    time::Duration,
};

use clap::Args;
use shared::status::Status as QueueStatus;
use tokio::time::sleep;

use super::table::aligned;
use crate::config::Settings;

/// How often `--watch` looks.
const WATCH_INTERVAL: Duration = Duration::from_secs(2);

/// Clears a terminal and goes to its upper left corner.
const CLEAR: &str = "\x1b[2J\x1b[H";

/// Shows pools and workers.
#[derive(Args, Debug)]
pub(super) struct Status {
    /// Show it again every two seconds, until interrupted
    #[arg(long)]
    watch: bool,
}

impl Status {
    pub(super) async fn run(&self, settings: &Settings, json: bool) -> anyhow::Result<()> {
        loop {
            let status = settings.queue.status().await?;
            let text = if json { serde_json::to_string(&status)? } else { tables(&status) };
            let clear = if self.watch && !json && stdout().is_terminal() { CLEAR } else { "" };
            print!("{clear}"); // also where colours are not wanted
            anstream::println!("{text}");
            if !self.watch {
                return Ok(());
            }
            sleep(WATCH_INTERVAL).await;
        }
    }
}

fn tables(status: &QueueStatus) -> String {
    let mut pools = vec![
        ["POOL", "LIMIT", "PENDING", "DELAYED", "STARTING", "RUNNING", "ORPHANED", "WARM", "DEAD", "OLDEST"]
            .map(str::to_owned),
    ];
    pools.extend(status.pools.iter().map(|pool| {
        let waiting = [pool.limit, pool.pending, pool.delayed].map(|number| number.to_string());
        let leased =
            [pool.starting, pool.running, pool.orphaned, pool.warm, pool.dead].map(|number| number.to_string());
        let ([limit, pending, delayed], [starting, running, orphaned, warm, dead]) = (waiting, leased);
        let oldest = if pool.pending == 0 { "-".to_owned() } else { format!("{} s", pool.oldest_seconds) };
        [pool.name.to_string(), limit, pending, delayed, starting, running, orphaned, warm, dead, oldest]
    }));
    let stopped = status.pools.iter().filter_map(|pool| Some((&pool.name, pool.stopped.as_ref()?)));
    let stopped: Vec<String> = stopped.map(|(name, why)| format!("pool {name} is stopped: {why}\n")).collect();
    let mut workers = vec![["WORKER", "RUNNERS", "CAPACITY", "SEEN"].map(str::to_owned)];
    workers.extend(status.workers.iter().map(|worker| {
        let seen = format!("{} s ago", worker.seen_seconds);
        [worker.name.to_string(), worker.runners.to_string(), worker.capacity.to_string(), seen]
    }));
    let right: Vec<usize> = (1..pools[0].len()).collect();
    format!("{}{}\n{}", aligned(&pools, &right), stopped.concat(), aligned(&workers, &right).trim_end())
}

#[cfg(test)]
mod tests {
    use shared::{model::PoolName, status::PoolStatus};

    use super::*;

    #[test]
    fn columns_stand_below_each_other() {
        let pool = PoolStatus {
            name: PoolName::default_pool(),
            limit: 5,
            pending: 12,
            delayed: 0,
            starting: 1,
            running: 4,
            orphaned: 0,
            warm: 2,
            dead: 1000,
            oldest_seconds: 77,
            stopped: Some("no reason".to_owned()),
            paused: None,
        };
        let text = tables(&QueueStatus { pools: vec![pool], workers: Vec::new() });
        let text = anstream::adapter::strip_str(&text).to_string();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0].len(), lines[1].len(), "{text}");
        assert_eq!(lines[0].find("DEAD").unwrap() + 4, lines[1].find("1000").unwrap() + 4, "{text}");
        assert!(lines[1].ends_with("77 s"), "{text}");
        assert_eq!(lines[2], "pool default is stopped: no reason");
    }
}
