//! What a provider needs to know to make one runner.

use std::{collections::BTreeMap, fmt, time::Duration};

use secrecy::{ExposeSecret, SecretString};
use shared::model::{DockerAccess, DockerOptions, JobId, Labels, PoolName, RunnerId, RunnerName, Scope, WorkerName};

use super::JitFiles;

/// The runner's home in its image, as GitHub's own image has it.
pub const RUNNER_HOME: &str = "/home/runner";
/// Makes `run.sh` tell by its exit code that the runner is too old, which it hides otherwise.
const TELL_DEPRECATED: (&str, &str) = ("ACTIONS_RUNNER_RETURN_VERSION_DEPRECATED_EXIT_CODE", "1");

/// The labels of a runner's container, by which a worker finds its runners again.
pub mod label {
    /// The job that the runner was started for.
    pub const JOB: &str = "autoscaler.job";
    /// The pool that it belongs to.
    pub const POOL: &str = "autoscaler.pool";
    /// The worker that made it.
    pub const WORKER: &str = "autoscaler.worker";
    /// GitHub's id of the runner; only known when it registers with a JIT configuration.
    pub const RUNNER_ID: &str = "autoscaler.runner_id";
    /// Where it registers.
    pub const SCOPE: &str = "autoscaler.scope";
    /// What its jobs may do with Docker, unless that is nothing.
    pub const DOCKER: &str = "autoscaler.docker";
    /// For how many seconds the container of a runner that failed is kept, if it is.
    pub const KEEP_FAILED: &str = "autoscaler.keep_failed";
    /// The runner that a container or a volume stands beside; a runner's own container does not have it.
    pub const BESIDE: &str = "autoscaler.beside";
}

/// How a runner proves to GitHub that it may register.
#[derive(Debug)]
pub enum Credentials {
    /// It is registered; these files say as whom.
    Jit(JitFiles),
    /// It registers itself.
    Token {
        /// The page of the scope at GitHub, as [`web_url`] makes it.
        url: String,
        /// The registration token.
        token: SecretString,
    },
}

/// Everything that is needed to make one runner.
pub struct RunnerSpec {
    /// Its name, here and at GitHub.
    pub name: RunnerName,
    /// The job that it is started for; none if it is started by hand.
    pub job: Option<JobId>,
    /// The pool that it belongs to.
    pub pool: PoolName,
    /// The worker that makes it.
    pub worker: WorkerName,
    /// Where it registers.
    pub scope: Scope,
    /// GitHub's id of it, if it is registered already.
    pub runner_id: Option<RunnerId>,
    /// The image, with its tag or digest.
    pub image: String,
    /// The pool's variables.
    pub env: BTreeMap<String, String>,
    /// How its container is run.
    pub docker: DockerOptions,
    /// How long its container is kept should it fail; not at all if none.
    pub keep_failed: Option<Duration>,
    /// How it registers.
    pub credentials: Credentials,
    /// The labels it offers at GitHub.
    pub labels: Labels,
    /// Its runner group.
    pub runner_group: String,
}

/// What a container runs, in place of what its image says.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Command {
    /// Replaces the image's entry point.
    pub entrypoint: Option<Vec<String>>,
    /// Replaces the image's command.
    pub cmd: Option<Vec<String>>,
}

impl RunnerSpec {
    /// The labels of its container.
    #[must_use]
    pub fn container_labels(&self) -> BTreeMap<&'static str, String> {
        let mut labels = BTreeMap::from([
            (label::POOL, self.pool.to_string()),
            (label::WORKER, self.worker.to_string()),
            (label::SCOPE, self.scope.to_string()),
        ]);
        if let Some(job) = self.job {
            labels.insert(label::JOB, job.to_string());
        }
        if let Some(id) = self.runner_id {
            labels.insert(label::RUNNER_ID, id.to_string());
        }
        if self.docker.docker != DockerAccess::None {
            labels.insert(label::DOCKER, self.docker.docker.as_str().to_owned());
        }
        if let Some(keep) = self.keep_failed {
            labels.insert(label::KEEP_FAILED, keep.as_secs().to_string());
        }
        labels
    }

    /// The environment of its container. With a registration token it holds that token: it must not be logged.
    #[must_use]
    pub fn environment(&self) -> BTreeMap<String, String> {
        let mut variables = self.env.clone();
        variables.insert(TELL_DEPRECATED.0.to_owned(), TELL_DEPRECATED.1.to_owned());
        if let Credentials::Token { url, token } = &self.credentials {
            variables.extend([
                ("URL".to_owned(), url.clone()),
                ("TOKEN".to_owned(), token.expose_secret().to_owned()),
                ("NAME".to_owned(), self.name.to_string()),
                ("LABELS".to_owned(), self.labels.to_string()),
                ("RUNNER_GROUP".to_owned(), self.runner_group.clone()),
            ]);
        }
        variables
    }

    /// What its container runs. `image_entrypoint` and `image_cmd` are what the image says; `home` is where the runner is,
    /// [`RUNNER_HOME`] or another path of the same folder.
    #[must_use]
    pub fn command(&self, image_entrypoint: &[String], image_cmd: &[String], home: &str) -> Command {
        match &self.credentials {
            Credentials::Jit(_) => Command { entrypoint: Some(vec![format!("{home}/run.sh")]), cmd: None },
            // An image with a command of its own keeps the contract of older runner images: it reads the variables.
            Credentials::Token { .. } if !image_entrypoint.is_empty() || runs_something(image_cmd) => {
                Command::default()
            }
            Credentials::Token { .. } => Command {
                entrypoint: Some(vec!["/bin/sh".to_owned(), "-c".to_owned()]),
                cmd: Some(vec![self.register_and_run(home)]),
            },
        }
    }

    /// Registers with the token and runs. The shell in the container expands the variables, so that the token is not
    /// part of the command, and takes it out of the environment of what follows.
    fn register_and_run(&self, home: &str) -> String {
        let group = match self.scope {
            Scope::Repository(_) => "", // has no runner groups, and config.sh refuses the option
            Scope::Organization(_) | Scope::Enterprise(_) => r#" --runnergroup "$RUNNER_GROUP""#,
        };
        format!(
            r#"{home}/config.sh --unattended --url "$URL" --token "$TOKEN" --name "$NAME" --labels "$LABELS"{group} --work _work --ephemeral --disableupdate --replace && unset TOKEN && exec {home}/run.sh"#
        )
    }
}

impl fmt::Debug for RunnerSpec {
    /// Leaves out the environment, which may hold the pool's secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RunnerSpec")
            .field("name", &self.name)
            .field("image", &self.image)
            .field("scope", &self.scope)
            .finish_non_exhaustive()
    }
}

/// The page of `scope` at GitHub, whose web address is `github`, such as `https://github.com`.
#[must_use]
pub fn web_url(github: &str, scope: &Scope) -> String {
    format!("{}/{scope}", github.trim_end_matches('/'))
}

/// Whether an image's command is more than the bare shell that base images of distributions leave behind, which
/// without a terminal ends at once.
fn runs_something(cmd: &[String]) -> bool {
    match cmd {
        [] => false,
        [one] => !matches!(one.as_str(), "sh" | "bash" | "/bin/sh" | "/bin/bash" | "/usr/bin/sh" | "/usr/bin/bash"),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(scope: &str, credentials: Credentials) -> RunnerSpec {
        RunnerSpec {
            name: "gha-7-1".parse().unwrap(),
            job: Some("7".parse().unwrap()),
            pool: PoolName::default_pool(),
            worker: "host".parse().unwrap(),
            scope: scope.parse().unwrap(),
            runner_id: matches!(credentials, Credentials::Jit(_)).then_some(RunnerId(23)),
            image: "runner:1".to_owned(),
            env: BTreeMap::from([("MINE".to_owned(), "yes".to_owned())]),
            docker: DockerOptions::default(),
            keep_failed: None,
            credentials,
            labels: "self-hosted,linux".parse().unwrap(),
            runner_group: "Default".to_owned(),
        }
    }

    fn jit() -> Credentials {
        // {".runner":"aHVzaA=="}
        Credentials::Jit(JitFiles::parse("eyIucnVubmVyIjoiYUhWemFBPT0ifQ==").unwrap())
    }

    fn token(scope: &str) -> Credentials {
        let url = web_url("https://github.com/", &scope.parse().unwrap());
        Credentials::Token { url, token: SecretString::from("hush") }
    }

    #[test]
    fn a_jit_runner_has_no_secret_in_what_can_be_inspected() {
        let spec = spec("octo/repo", jit());
        assert_eq!(
            spec.environment(),
            BTreeMap::from([
                ("ACTIONS_RUNNER_RETURN_VERSION_DEPRECATED_EXIT_CODE".to_owned(), "1".to_owned()),
                ("MINE".to_owned(), "yes".to_owned()),
            ])
        );
        let command = spec.command(&["/theirs".to_owned()], &["theirs".to_owned()], RUNNER_HOME);
        assert_eq!(command, Command { entrypoint: Some(vec!["/home/runner/run.sh".to_owned()]), cmd: None });
        assert_eq!(
            spec.container_labels(),
            BTreeMap::from([
                ("autoscaler.job", "7".to_owned()),
                ("autoscaler.pool", "default".to_owned()),
                ("autoscaler.worker", "host".to_owned()),
                ("autoscaler.runner_id", "23".to_owned()),
                ("autoscaler.scope", "octo/repo".to_owned()),
            ])
        );
        assert!(!format!("{spec:?}").contains("hush"));
    }

    #[test]
    fn a_token_runner_gets_the_variables_that_runner_images_expect() {
        for (scope, url) in [
            ("octo/repo", "https://github.com/octo/repo"),
            ("octo", "https://github.com/octo"),
            ("enterprises/octo", "https://github.com/enterprises/octo"),
        ] {
            let environment = spec(scope, token(scope)).environment();
            for (name, value) in [
                ("URL", url),
                ("TOKEN", "hush"),
                ("NAME", "gha-7-1"),
                ("LABELS", "self-hosted,linux"),
                ("RUNNER_GROUP", "Default"),
                ("MINE", "yes"),
            ] {
                assert_eq!(environment[name], value, "{name}");
            }
            assert!(!spec(scope, token(scope)).container_labels().contains_key("autoscaler.runner_id"));
        }
    }

    #[test]
    fn an_image_with_a_command_of_its_own_keeps_it_and_one_without_is_configured_by_the_shell() {
        let words = |words: &[&str]| words.iter().map(ToString::to_string).collect::<Vec<String>>();
        let command = |scope, entrypoint: &[&str], cmd: &[&str]| {
            spec(scope, token(scope)).command(&words(entrypoint), &words(cmd), RUNNER_HOME)
        };

        assert_eq!(command("octo", &["/entrypoint.sh"], &[]), Command::default());
        assert_eq!(command("octo", &[], &["/start.sh"]), Command::default());
        for left_behind in [&[][..], &["/bin/bash"]] {
            let ours = command("octo/repo", &[], left_behind);
            assert_eq!(ours.entrypoint, Some(words(&["/bin/sh", "-c"])));
            let script = ours.cmd.unwrap().concat();
            assert!(script.contains(r#"--token "$TOKEN""#) && script.contains("--ephemeral"), "{script}");
            assert!(script.ends_with("&& unset TOKEN && exec /home/runner/run.sh"), "{script}");
            assert!(!script.contains("hush") && !script.contains("--runnergroup"), "{script}");
        }
        let script = command("octo", &[], &[]).cmd.unwrap().concat();
        assert!(script.contains(r#"--runnergroup "$RUNNER_GROUP""#), "{script}");
    }
}
