//! Logs.

use std::{error::Error, fmt::Write as _, io::IsTerminal as _, str::FromStr};

use serde::Deserialize;
use tracing::warn;
use tracing_subscriber::{
    EnvFilter, Layer as _, filter::Directive, layer::SubscriberExt as _, util::SubscriberInitExt as _,
};

use crate::settings;

/// How log lines look.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum LogFormat {
    /// For people.
    #[default]
    Pretty,
    /// One JSON object a line.
    Json,
}

impl FromStr for LogFormat {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "pretty" => Ok(Self::Pretty),
            "json" => Ok(Self::Json),
            _ => Err(format!("is pretty or json, not {text:?}")),
        }
    }
}

/// Settings of the logs, from variables that begin with `AUTOSCALER_`.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default)]
pub struct TelemetryConfig {
    /// `AUTOSCALER_DEBUG`, default `false`: log at debug level. `RUST_LOG` wins.
    #[serde(deserialize_with = "settings::switch")]
    pub debug: bool,
    /// `AUTOSCALER_LOG`, `pretty` (default) or `json`.
    #[serde(deserialize_with = "settings::parsed")]
    pub log: LogFormat,
}

/// Starts logging to standard error, once in a process.
pub fn init(config: TelemetryConfig) {
    let level = if config.debug { "debug" } else { "info" };
    // Libraries are kept at info: at debug, HTTP clients print headers. The server's info is about its threads.
    let default = format!("info,actix_server=warn,ingest={level},worker={level},shared={level},devstack={level}");
    let given = std::env::var_os(EnvFilter::DEFAULT_ENV).unwrap_or_default();
    let (given, problem) = filter(&given.to_string_lossy());
    let mut filter = given.unwrap_or_else(|| EnvFilter::new(default));
    // Below info this library logs what it sends, and that holds the runners' credentials.
    if let Ok(quiet) = "bollard=info".parse() {
        filter = filter.add_directive(quiet);
    }
    let lines =
        tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_ansi(std::io::stderr().is_terminal());
    let lines = match config.log {
        LogFormat::Pretty => lines.with_target(false).boxed(),
        LogFormat::Json => lines.json().flatten_event(true).boxed(),
    };
    tracing_subscriber::registry().with(filter).with(lines).init();
    if let Some(problem) = problem {
        warn!("{problem}");
    }
}

/// The filter that is given, if it is one, or else what is wrong with it. Empty, it is not set, as with any other variable: it would
/// allow errors only.
fn filter(given: &str) -> (Option<EnvFilter>, Option<String>) {
    if given.is_empty() {
        return (None, None);
    }
    match EnvFilter::builder().parse(given) {
        Ok(filter) => (Some(filter), None),
        Err(error) => {
            let is_odd = |directive: &&str| directive.parse::<Directive>().is_err();
            let directive = given.split(',').find(is_odd).unwrap_or(given);
            let name = EnvFilter::DEFAULT_ENV;
            (None, Some(format!("{name}: {directive:?} is no directive, so none of it is used: {error}")))
        }
    }
}

/// An error with all its causes, on one line.
#[must_use]
pub fn chain(error: &dyn Error) -> String {
    let mut line = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let text = error.to_string();
        if !line.ends_with(&text) {
            // Writing to a String cannot fail.
            write!(line, ": {text}").unwrap_or_default();
        }
        cause = error.source();
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_that_is_none_is_told_with_the_directive_that_is_odd() {
        let problem = |given| filter(given).1;
        assert_eq!((problem(""), problem("info,shared=debug")), (None, None));
        assert!(filter("info,shared=debug").0.is_some() && filter("").0.is_none());
        let told = problem("info,shared=loud,worker=debug").unwrap();
        assert!(told.starts_with("RUST_LOG: \"shared=loud\" is no directive"), "{told}");
    }
}
