//! What the command says at length.

use std::{fmt::Write as _, path::Path};

use super::plan::Real;
use crate::harness::Engine;

/// A part, and where it is.
pub(super) type Address = (&'static str, String);

/// For somebody who is not root, on a machine without an engine that may be used. `service` works with systemd and without.
pub(super) const NO_ENGINE: &str = "no Docker engine on this machine may be used by you, and only root may start one. \
Start the machine's and join its group, then try again:\n  \
  sudo service docker start && sudo usermod -aG docker \"$USER\" && newgrp docker\n\
or name another engine: DOCKER_HOST=unix:///path/of/docker.sock ./devstack/up";

/// Where the queue is.
pub(super) fn queue(url: Option<&str>) -> Address {
    let at = url.map(|url| format!("{url}, a file of its own"));
    ("queue", at.unwrap_or_else(|| "the one that QUEUE_URL names".to_owned()))
}

/// Where the engine is.
pub(super) fn engine(engine: &Engine) -> Address {
    let whose = if engine.is_private() { ", an engine of its own" } else { "" };
    ("Docker", format!("{}{whose}", engine.host()))
}

/// Where the two processes listen.
pub(super) fn listeners(webhook: &str, metrics: &[String; 2]) -> [Address; 2] {
    let [ingest, worker] = metrics;
    [
        (
            "ingest",
            format!("http://{webhook}/webhook, dashboard at http://{ingest}/, metrics at http://{ingest}/metrics"),
        ),
        ("worker", format!("metrics at http://{worker}/metrics")),
    ]
}

/// All addresses, a line each.
pub(super) fn table(addresses: &[Address]) -> String {
    addresses.iter().fold(String::new(), |mut text, (part, at)| {
        writeln!(text, "  {part:<8} {at}").unwrap_or_default(); // into a String
        text
    })
}

/// What is left to do at GitHub.
pub(super) fn next_at_github(real: &Real) -> String {
    let port = real.ingest.ingest.bind.port();
    let mut text = format!(
        "To do at GitHub, once: in the repository or the organization, Settings > Webhooks > Add webhook\n  \
           Payload URL   https://HOST/webhook, where HOST is a name of this machine, or of a proxy or a tunnel that \
           leads to its port {port}\n  \
           Content type  application/json\n  \
           Secret        the value of AUTOSCALER_SECRET_TOKEN\n  \
           Events        \"Let me select individual events\": Workflow jobs, and nothing else\n\n\
         Then a workflow's job comes here that has one of these in it:\n"
    );
    for pool in real.worker.pools.all().iter() {
        let labels: Vec<String> = pool.labels.iter().map(ToString::to_string).collect();
        writeln!(text, "  runs-on: [{}]", labels.join(", ")).unwrap_or_default();
    }
    if !real.queue {
        text.push_str("\nThe queue goes with this command. One that stays is named by QUEUE_URL.\n");
    }
    text.push_str(
        "\nCtrl-C ends it all, and cancels the jobs that run. Until then, this is what ingest and worker say:\n",
    );
    text
}

/// Where to go from the first job; `queue` is its `QUEUE_URL`, and `worker` the program.
pub(super) fn next_at_stand_in(stand_in: &str, queue: &str, worker: &Path) -> String {
    let worker = worker.display();
    format!(
        "Queue another, with a script of yours (add \"organization\" or other \"labels\" as you like):\n  \
           curl {stand_in}/_standin/jobs -d '{{\"repository\": \"octocat/hello\", \"labels\": [\"self-hosted\"], \
           \"script\": \"sleep 3\"}}'\n\
         Ask why it waits, or what became of it, by the id in the answer; the dashboard shows the same:\n  \
           QUEUE_URL={queue} {worker} explain ID\n\
         The same against GitHub: end this, write AUTOSCALER_GITHUB_PAT=… and AUTOSCALER_SECRET_TOKEN=… into a file \
         .env, and start it again. README.md has all other settings.\n\n\
         Ctrl-C ends it and leaves nothing behind."
    )
}
