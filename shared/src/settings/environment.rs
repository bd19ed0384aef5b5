//! The variables, as they were read, and what is wrong with them.

use std::{collections::BTreeMap, fmt::Display, path::Path};

use serde::de::DeserializeOwned;

/// Prefixes under which a variable that nobody knows is a problem: it is a misspelt one.
const OUR_PREFIXES: [&str; 4] = ["AUTOSCALER_", "QUEUE_", "INGEST_", "WORKER_"];

/// The variables under our own prefixes that either process knows: both are usually given the same `.env`.
pub const KNOWN: [&str; 31] = [
    "AUTOSCALER_DEBUG",
    "AUTOSCALER_GITHUB_API_URL",
    "AUTOSCALER_GITHUB_APP_ID",
    "AUTOSCALER_GITHUB_APP_PRIVATE_KEY",
    "AUTOSCALER_GITHUB_CA_FILE",
    "AUTOSCALER_GITHUB_PAT",
    "AUTOSCALER_GITHUB_POINTS",
    "AUTOSCALER_GITHUB_REGISTRATIONS",
    "AUTOSCALER_GITHUB_URL",
    "AUTOSCALER_LOG",
    "AUTOSCALER_POOLS",
    "AUTOSCALER_SECRET_TOKEN",
    "AUTOSCALER_SECRET_TOKEN_PREVIOUS",
    "INGEST_ADMIN_BIND",
    "INGEST_ADMIN_TOKEN",
    "INGEST_BIND",
    "INGEST_MAX_BODY_BYTES",
    "QUEUE_CA_FILE",
    "QUEUE_CERT_FILE",
    "QUEUE_KEEP_DAYS",
    "QUEUE_KEY_FILE",
    "QUEUE_LEASE_SECONDS",
    "QUEUE_MAX_ATTEMPTS",
    "QUEUE_URL",
    "WORKER_ADMIN_BIND",
    "WORKER_CAPACITY",
    "WORKER_DRAIN_SECONDS",
    "WORKER_NAME",
    "WORKER_POOLS",
    "WORKER_RECONCILE_SECONDS",
    "WORKER_STARTS",
];

/// Settings that are secret: each may come from the file that the variable with `_FILE` behind its name names.
pub const SECRETS: [&str; 7] = [
    "AUTOSCALER_SECRET_TOKEN",
    "AUTOSCALER_SECRET_TOKEN_PREVIOUS",
    "AUTOSCALER_GITHUB_PAT",
    "AUTOSCALER_GITHUB_APP_PRIVATE_KEY",
    "INGEST_ADMIN_TOKEN",
    "QUEUE_URL",
    "OTEL_EXPORTER_OTLP_HEADERS",
];

/// The environment as it was read, and what is wrong with it so far.
#[derive(Debug)]
pub struct Environment {
    variables: BTreeMap<String, String>,
    problems: Vec<String>,
}

/// All that is wrong with the settings, a line each. The process ends with exit code 2.
#[derive(Debug, thiserror::Error)]
#[error("the settings cannot be used:\n  {}", .0.join("\n  "))]
pub struct SettingsError(Vec<String>);

impl SettingsError {
    /// What is wrong, a line each, which begins with the variable's name.
    #[must_use]
    pub fn problems(&self) -> &[String] {
        &self.0
    }
}

impl Environment {
    /// Reads `.env`, if there is one, and the process's environment.
    #[must_use]
    pub fn read() -> Self {
        let mut variables = BTreeMap::new();
        let mut problems = Vec::new();
        if Path::new(".env").exists() {
            match dotenvy::from_filename_iter(".env") {
                Ok(lines) => {
                    for line in lines {
                        match line {
                            Ok((name, value)) => drop(variables.insert(name, value)),
                            // The error quotes the line, which may hold a secret.
                            Err(_) => problems.push(".env: a line of it is not NAME=VALUE".to_owned()),
                        }
                    }
                }
                Err(error) => problems.push(format!(".env: {error}")),
            }
        }
        variables.extend(
            std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?))),
        );
        Self::checked(variables, problems)
    }

    /// An environment of these variables alone.
    #[must_use]
    pub fn of<N: Into<String>, V: Into<String>>(variables: impl IntoIterator<Item = (N, V)>) -> Self {
        Self::checked(variables.into_iter().map(|(name, value)| (name.into(), value.into())).collect(), Vec::new())
    }

    fn checked(mut variables: BTreeMap<String, String>, mut problems: Vec<String>) -> Self {
        variables.retain(|_, value| !value.is_empty()); // compose hands over unset variables as empty ones
        for secret in SECRETS {
            let Some(path) = variables.remove(&format!("{secret}_FILE")) else { continue };
            match std::fs::read_to_string(&path) {
                Ok(_) if variables.contains_key(secret) => {
                    problems.push(format!("{secret}: is set, and so is {secret}_FILE; keep one"));
                }
                Ok(text) if text.trim().is_empty() => problems.push(format!("{secret}_FILE: {path} is empty")),
                Ok(text) => drop(variables.insert(secret.to_owned(), text.trim().to_owned())),
                Err(error) => problems.push(format!("{secret}_FILE: cannot read {path}: {error}")),
            }
        }
        for name in variables.keys() {
            if OUR_PREFIXES.iter().any(|prefix| name.starts_with(prefix)) && !KNOWN.contains(&name.as_str()) {
                problems.push(format!("{name}: there is no such setting"));
            }
        }
        Self { variables, problems }
    }

    /// Reads the settings of one concern: those whose names begin with `prefix`. Returns its defaults where something
    /// is wrong, which [`finish`](Self::finish) then reports.
    pub fn section<T: DeserializeOwned + Default>(&mut self, prefix: &str) -> T {
        let ours: Vec<(String, String)> = self
            .variables
            .iter()
            .filter(|(name, _)| name.starts_with(prefix))
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect();
        // `envy` stops at the first problem and does not always name it, so each variable is tried alone.
        let sound = ours.into_iter().filter(|(name, value)| {
            match envy::prefixed(prefix).from_iter::<_, T>([(name.clone(), value.clone())]) {
                Ok(_) => true,
                Err(error) => {
                    self.problems.push(format!("{name}: {error}"));
                    false
                }
            }
        });
        let sound: Vec<(String, String)> = sound.collect();
        envy::prefixed(prefix).from_iter(sound).unwrap_or_default()
    }

    /// Whether a variable is set.
    #[must_use]
    pub fn has(&self, variable: &str) -> bool {
        self.variables.contains_key(variable)
    }

    /// Adds a problem that only shows when settings are looked at together.
    pub fn problem(&mut self, variable: &str, problem: impl Display) {
        self.problems.push(format!("{variable}: {problem}"));
    }

    /// Whether something is known to be wrong with a variable, or with the file that its value comes from.
    #[must_use]
    pub fn has_problem(&self, variable: &str) -> bool {
        self.problems.iter().any(|problem| {
            let name = problem.split(':').next().unwrap_or_default();
            name == variable || name.strip_suffix("_FILE") == Some(variable)
        })
    }

    /// Ends the reading.
    ///
    /// # Errors
    ///
    /// [`SettingsError`] with everything that was found wrong.
    pub fn finish(self) -> Result<(), SettingsError> {
        if self.problems.is_empty() { Ok(()) } else { Err(SettingsError(self.problems)) }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use secrecy::ExposeSecret;

    use super::*;
    use crate::queue::QueueConfig;

    #[test]
    fn what_is_not_set_has_its_default_and_what_is_empty_is_not_set() {
        let mut environment = Environment::of([("QUEUE_LEASE_SECONDS", ""), ("QUEUE_KEEP_DAYS", "2")]);
        let config: QueueConfig = environment.section("QUEUE_");
        environment.finish().unwrap();
        assert_eq!(config.lease_seconds, Duration::from_secs(30));
        assert_eq!(config.keep_days, Duration::from_hours(48));
    }

    #[test]
    fn all_problems_are_reported_together_by_the_variables_name() {
        let mut environment = Environment::of([
            ("QUEUE_LEASE_SECONDS", "x"),
            ("QUEUE_KEEP_DAYS", "0"),
            ("QUEUE_ULR", "redis://"),
            ("WORKER_CAPACITI", "1"),
            ("RUNNER_ANYTHING", "is somebody else's"),
        ]);
        let _defaults: QueueConfig = environment.section("QUEUE_");
        let text = environment.finish().unwrap_err().to_string();
        for problem in [
            "QUEUE_LEASE_SECONDS: is a whole number from 3 to 3600, not \"x\"",
            "QUEUE_KEEP_DAYS: is a whole number from 1 to 365, not \"0\"",
            "QUEUE_ULR: there is no such setting",
            "WORKER_CAPACITI: there is no such setting",
        ] {
            assert!(text.contains(problem), "{text}");
        }
        assert!(!text.contains("RUNNER_ANYTHING"));
    }

    #[test]
    fn a_secret_may_come_from_a_file() {
        let directory = std::env::temp_dir().join(format!("settings-{}", std::process::id()));
        std::fs::create_dir_all(&directory).unwrap();
        let file = directory.join("url");
        std::fs::write(&file, "redis://:hush@queue\n").unwrap();
        let path = file.to_str().unwrap();

        let mut environment = Environment::of([("QUEUE_URL_FILE", path)]);
        let config: QueueConfig = environment.section("QUEUE_");
        environment.finish().unwrap();
        assert_eq!(config.url.expose_secret(), "redis://:hush@queue");
        assert!(!format!("{config:?}").contains("hush"));

        let both = Environment::of([("QUEUE_URL_FILE", path), ("QUEUE_URL", "redis://")]).finish();
        assert!(both.unwrap_err().to_string().contains("QUEUE_URL: is set, and so is QUEUE_URL_FILE"));
        std::fs::remove_dir_all(&directory).unwrap();
        let gone = Environment::of([("QUEUE_URL_FILE", path)]).finish();
        assert!(gone.unwrap_err().to_string().contains("QUEUE_URL_FILE: cannot read"));
    }
}
