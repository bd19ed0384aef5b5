//! Logs.

use std::{error::Error, fmt::Write as _, io::IsTerminal as _, str::FromStr};

use serde::Deserialize;
use tracing_subscriber::{EnvFilter, Layer as _, layer::SubscriberExt as _, util::SubscriberInitExt as _};

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
    // Empty, it is not set, as with any other variable: it would allow errors only.
    let given = std::env::var_os(EnvFilter::DEFAULT_ENV).is_some_and(|filter| !filter.is_empty());
    let given = given.then(EnvFilter::try_from_default_env).and_then(Result::ok);
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
