//! The alerts and the dashboard, against the metrics that there are. The README's table of these is held to what the
//! processes serve by their own tests.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod scrape;

use std::{collections::BTreeSet, path::Path, process::Command};

use devstack::readme;
use serde_json::Value;

const ALERTS: &str = include_str!("../../alerts.yml");
const DASHBOARD: &str = include_str!("../../grafana.json");
const RUNBOOKS: &str = include_str!("../../../docs/operating.md");

/// What Prometheus makes of a histogram.
const OF_HISTOGRAMS: [&str; 3] = ["_bucket", "_count", "_sum"];

fn promtool(arguments: &[&str], file: &Path) {
    let answer = Command::new("promtool").args(arguments).arg(file).output();
    let answer = answer.expect("promtool is missing: run ./devstack/test");
    let said = [answer.stdout, answer.stderr].map(|said| String::from_utf8(said).unwrap()).concat();
    assert!(answer.status.success(), "{arguments:?} {}: {said}", file.display());
}

/// What stands behind `key:` on lines of their own.
fn values<'a>(key: &'a str, yaml: &'a str) -> impl Iterator<Item = &'a str> {
    yaml.lines().filter_map(move |line| line.trim().trim_start_matches("- ").strip_prefix(key)?.strip_prefix(": "))
}

/// The words of a text that are metrics of ours.
fn metrics(text: &str) -> BTreeSet<&str> {
    let words = text.split(|character: char| !(character.is_ascii_alphanumeric() || character == '_'));
    words.filter(|word| word.starts_with("autoscaler_")).collect()
}

/// Which of these are neither in the README nor a part of a histogram that is.
fn unknown(used: BTreeSet<&str>) -> Vec<&str> {
    let known: BTreeSet<String> =
        ["ingest", "worker"].into_iter().flat_map(|process| readme::metrics_of(process).unwrap()).collect();
    let is_known = |name: &str| {
        let family = OF_HISTOGRAMS.iter().find_map(|suffix| name.strip_suffix(suffix)).unwrap_or(name);
        known.contains(name) || known.contains(family)
    };
    used.into_iter().filter(|name| !is_known(name)).collect()
}

#[test]
fn prometheus_understands_its_settings_and_the_alerts_fire_for_what_they_are_there_for() {
    let checkout = scrape::checkout(|settings| settings);
    promtool(&["check", "config"], &checkout.path().join("devstack/prometheus.yml"));
    promtool(&["test", "rules"], &Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/prometheus/alerts.test.yml"));
}

#[test]
fn alerts_and_dashboard_use_metrics_that_there_are() {
    let used = metrics(ALERTS);
    assert!(used.len() >= 8, "{used:?}");
    assert_eq!(unknown(used), Vec::<&str>::new());

    let dashboard: Value = serde_json::from_str(DASHBOARD).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    for panel in panels {
        for target in panel["targets"].as_array().unwrap() {
            let used = metrics(target["expr"].as_str().unwrap());
            assert!(!used.is_empty(), "{panel}");
            assert_eq!(unknown(used), Vec::<&str>::new(), "{panel}");
        }
    }
    assert!(panels.len() >= 10, "{}", panels.len());
}

#[test]
fn every_alert_has_a_runbook_and_a_test() {
    let alerts: BTreeSet<&str> = values("alert", ALERTS).collect();
    let runbooks = RUNBOOKS.split_once("\n## Runbooks\n").unwrap().1;
    let runbooks: BTreeSet<&str> = runbooks.lines().filter_map(|line| line.strip_prefix("### ")).collect();
    assert_eq!(alerts, runbooks);
    let tests = include_str!("alerts.test.yml");
    assert_eq!(alerts, values("alertname", tests).collect());
}
