//! The tables of settings and of pools: all names, all defaults, all ranges.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
};

use devstack::readme;
use ingest::config::IngestConfig;
use secrecy::ExposeSecret as _;
use shared::{
    github::GithubConfig,
    model::{DockerOptions, Pools},
    pools::{PoolsConfig, RunnerConfig, RunnerImageConfig},
    queue::QueueConfig,
    settings::{Environment, KNOWN, SECRETS, WebhookSecrets},
    telemetry::TelemetryConfig,
};
use worker::{config::WorkerConfig, provider::docker::DockerConfig, traces::TracesConfig};

use crate::fields::fields;

/// What must be set.
const REQUIRED: [(&str, &str); 2] =
    [("AUTOSCALER_SECRET_TOKEN", "sixteen bytes ok"), ("AUTOSCALER_GITHUB_PAT", "ghp_readme")];

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// A row of the table.
struct Row {
    name: String,
    default: Option<String>,
    meaning: String,
}

fn table() -> Vec<Row> {
    let row = |row: Vec<String>| {
        let [name, default, meaning] = <[String; 3]>::try_from(row).unwrap();
        let default = readme::code(&default).map(str::to_owned);
        Row { name: readme::code(&name).unwrap().to_owned(), default, meaning }
    };
    readme::rows("variable").unwrap().into_iter().map(row).collect()
}

/// What both programs make of these variables, or what they say is wrong.
fn settings(variables: &[(&str, &str)]) -> Result<String, String> {
    let all: BTreeMap<&str, &str> = REQUIRED.into_iter().chain(variables.iter().copied()).collect();
    let ingest = ingest::config::Settings::read(Environment::of(all.clone())).map_err(|error| error.to_string())?;
    let worker = worker::config::Settings::load(Environment::of(all)).map_err(|error| error.to_string())?;
    // An address may hold a password, so it does not print by itself.
    let queues = [ingest.queue.url.expose_secret(), worker.queue.config().url.expose_secret()].join(" ");
    Ok(format!("{ingest:?} {worker:?} {queues}"))
}

#[test]
fn the_table_has_every_variable_that_the_programs_read_and_no_other() {
    let sections: [(&str, &[&[&str]]); 8] = [
        (
            "AUTOSCALER_",
            &[
                fields::<WebhookSecrets>(),
                fields::<GithubConfig>(),
                fields::<PoolsConfig>(),
                fields::<TelemetryConfig>(),
            ],
        ),
        ("OTEL_", &[fields::<TracesConfig>()]),
        ("QUEUE_", &[fields::<QueueConfig>()]),
        ("INGEST_", &[fields::<IngestConfig>()]),
        ("WORKER_", &[fields::<WorkerConfig>()]),
        ("RUNNER_", &[fields::<RunnerConfig>()]),
        ("DOCKER_RUNNER_", &[fields::<RunnerImageConfig>()]),
        ("DOCKER_", &[fields::<DockerConfig>()]),
    ];
    let names = sections.iter().flat_map(|(prefix, structs)| {
        structs.iter().flat_map(|fields| fields.iter()).map(move |field| format!("{prefix}{}", field.to_uppercase()))
    });
    let read: BTreeSet<String> = names.collect();
    let said: BTreeSet<String> = table().into_iter().map(|row| row.name).collect();
    assert_eq!(said, read);

    let others = ["RUNNER_", "DOCKER_", "OTEL_"];
    let ours = read.iter().filter(|name| others.iter().all(|prefix| !name.starts_with(prefix)));
    assert_eq!(ours.map(String::as_str).collect::<BTreeSet<_>>(), BTreeSet::from(KNOWN));
    let secret = table().into_iter().filter(|row| row.meaning.ends_with("A secret.")).map(|row| row.name);
    assert_eq!(secret.collect::<BTreeSet<_>>(), SECRETS.map(str::to_owned).into());
}

#[test]
fn every_default_is_what_the_table_says() {
    let usual = settings(&[]).unwrap();
    let mut compared = 0;
    for row in table() {
        let Some(default) = &row.default else { continue };
        compared += 1;
        assert_eq!(settings(&[(&row.name, default)]).as_ref(), Ok(&usual), "{}", row.name);
        // Another value must show, or the comparison would prove nothing.
        let other = match (default.as_str(), default.parse::<u32>()) {
            (_, Ok(number)) => (number + 1).to_string(),
            ("false", _) => "true".to_owned(),
            ("pretty", _) => "json".to_owned(),
            ("jit", _) => "token".to_owned(),
            (text, _) => format!("{text}1"),
        };
        assert_ne!(settings(&[(&row.name, &other)]).as_ref(), Ok(&usual), "{}={other}", row.name);
    }
    assert!(compared > 20, "{compared}");
}

#[test]
fn every_range_is_what_the_table_says() {
    let mut compared = 0;
    for row in table() {
        let Some(range) = row.meaning.strip_prefix("From ").and_then(|range| range.split('.').next()) else { continue };
        compared += 1;
        let range: Vec<u32> = range.split(' ').filter_map(|word| word.parse().ok()).collect();
        let [least, most] = range[..] else { panic!("{}: {}", row.name, row.meaning) };
        for (value, taken) in
            [(Some(least), true), (Some(most), true), (least.checked_sub(1), false), (most.checked_add(1), false)]
        {
            let Some(value) = value.map(|value| value.to_string()) else { continue };
            let read = settings(&[(&row.name, &value)]);
            assert_eq!(read.is_ok(), taken, "{}={value}: {read:?}", row.name);
        }
    }
    assert!(compared > 8, "{compared}");
}

#[test]
fn the_example_of_pools_is_one_and_shows_every_option_of_docker() {
    let readme = fs::read_to_string(format!("{ROOT}/README.md")).unwrap();
    let (_, example) = readme.split_once("```toml\n").unwrap();
    let (example, _) = example.split_once("```").unwrap();
    let (_, default) = shared::pools::load(&mut Environment::of::<String, String>([]));
    Pools::parse(example, default.now().iter().next().unwrap()).unwrap();

    let shown: toml::Table = example.parse().unwrap();
    let docker = shown["pool"][0]["docker"].as_table().unwrap();
    assert_eq!(
        docker.keys().map(String::as_str).collect::<BTreeSet<_>>(),
        fields::<DockerOptions>().iter().copied().collect()
    );
}

#[test]
fn the_tables_of_a_pool_have_every_key_and_values_that_are_taken() {
    let (_, default) = shared::pools::load(&mut Environment::of::<String, String>([]));
    let parse = |text: &str| Pools::parse(text, default.now().iter().next().unwrap());
    let text = fs::read_to_string(format!("{ROOT}/docs/settings.md")).unwrap();
    for (heading, table) in [("key", "[[pool]]\nname = \"a\"\n"), ("option", "[[pool]]\nname = \"a\"\n[pool.docker]\n")]
    {
        let rows = readme::table(&text, heading);
        let said: BTreeSet<&str> = rows.iter().map(|row| readme::code(&row[0]).unwrap()).collect();
        // What there is, the parser says by itself.
        let refused = parse(&format!("{table}unheard-of = 1")).unwrap_err().to_string();
        let (_, expected) = refused.split_once("expected one of").unwrap();
        let keys: BTreeSet<&str> = expected.split('`').skip(1).step_by(2).collect();
        assert_eq!(said, keys);
        for row in &rows {
            let Some(value) = readme::code(&row[1]).filter(|value| !value.contains('_')) else { continue };
            let quoted = if value.contains(':') { format!("\"{value}\"") } else { value.to_owned() };
            let dind = if row[0].contains("dind") { "docker = \"dind\"\n" } else { "" };
            let read = parse(&format!("{table}{dind}{} = {quoted}", row[0].trim_matches('`')));
            assert!(read.is_ok(), "{}: {read:?}", row[0]);
        }
    }
}

#[test]
fn the_example_of_env_is_understood_once_its_secrets_are_filled_in() {
    let example = fs::read_to_string(format!("{ROOT}/.env.example")).unwrap();
    let lines = example.lines().filter_map(|line| line.trim_start_matches('#').split_once('='));
    let lines: Vec<(&str, &str)> = lines.filter(|(name, _)| !name.contains(' ')).collect();
    let said: BTreeSet<String> = table().into_iter().map(|row| row.name).collect();
    assert!(lines.len() > 3 && lines.iter().all(|(name, _)| said.contains(*name)), "{lines:?}");
    let filled: Vec<(&str, &str)> = lines.into_iter().filter(|(name, _)| *name != "AUTOSCALER_POOLS").collect();
    settings(&filled.into_iter().filter(|(_, value)| !value.is_empty()).collect::<Vec<_>>()).unwrap();
}
