//! How runners are registered and deleted.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};
use shared::model::Scope;
use time::OffsetDateTime;

use super::{
    GroupId, Key, Purpose, Refusal, Runner, State,
    group::{DEFAULT, Group},
    names::{check_labels, check_name, same},
    runner::text,
};

/// Labels that `config.sh` adds by itself.
const OWN_LABELS: [&str; 3] = ["self-hosted", "Linux", if cfg!(target_arch = "aarch64") { "ARM64" } else { "X64" }];
/// What `work_folder` is unless it is said.
const WORK_FOLDER: &str = "_work";

/// The body of `generate-jitconfig`.
#[derive(Debug, Deserialize)]
pub(crate) struct JitRequest {
    pub(crate) name: String,
    pub(crate) runner_group_id: GroupId,
    pub(crate) labels: Vec<String>,
    #[serde(default)]
    pub(crate) work_folder: Option<String>,
}

/// What `config.sh` sends.
#[derive(Debug, Deserialize)]
pub(crate) struct TokenRequest {
    pub(crate) name: String,
    #[serde(default)]
    pub(crate) labels: Vec<String>,
    #[serde(default)]
    pub(crate) group: Option<String>,
    #[serde(default)]
    pub(crate) work: Option<String>,
    #[serde(default)]
    pub(crate) ephemeral: bool,
    #[serde(default)]
    pub(crate) replace: bool,
}

impl State {
    /// Registers a runner that takes one job. Returns it with the files that make it one.
    pub(crate) fn register_jit(&mut self, scope: &Scope, request: JitRequest) -> Result<(Runner, Value), Refusal> {
        check_name(&request.name)?;
        check_labels(&request.labels)?;
        let group = self.groups.by_id(scope, request.runner_group_id).ok_or(Refusal::NotFound)?;
        if self.find_by_name(scope, &request.name).is_some() {
            return Err(exists(&request.name));
        }
        let work = request.work_folder.as_deref().unwrap_or(WORK_FOLDER);
        Ok(self.add_runner(scope, request.name, group, request.labels, 0, true, work))
    }

    /// Registers a runner by a registration token.
    pub(crate) fn register_by_token(
        &mut self,
        scope: &Scope,
        token: &str,
        request: TokenRequest,
        now: OffsetDateTime,
    ) -> Result<(Runner, Value), Refusal> {
        self.check_grant(token, Purpose::Register, scope, now)?;
        check_name(&request.name)?;
        let mut labels: Vec<String> = OWN_LABELS.map(str::to_owned).to_vec();
        for label in request.labels {
            if !labels.iter().any(|known| same(known, &label)) {
                labels.push(label);
            }
        }
        check_labels(&labels)?;
        let name = request.group.filter(|name| !name.is_empty());
        let group = match &name {
            Some(name) => self.groups.by_name(scope, name).ok_or_else(|| no_group(name))?,
            None => self.groups.by_id(scope, DEFAULT).ok_or(Refusal::NotFound)?,
        };
        if let Some(id) = self.find_by_name(scope, &request.name) {
            if !request.replace {
                return Err(exists(&request.name));
            }
            self.delete_runner(scope, id)?;
        }
        let work = request.work.as_deref().unwrap_or(WORK_FOLDER);
        Ok(self.add_runner(scope, request.name, group, labels, OWN_LABELS.len(), request.ephemeral, work))
    }

    /// Deletes a registration. A runner that has a job cannot be deleted.
    pub(crate) fn delete_runner(&mut self, scope: &Scope, id: u64) -> Result<(), Refusal> {
        let runner = self.runner_at(scope, id).ok_or(Refusal::NotFound)?;
        if runner.job.is_some() {
            let name = &runner.name;
            return Err(Refusal::Invalid(format!(
                "Bad request - Runner \"{name}\" is still running a job. Runner is currently running a job and cannot \
                 be deleted."
            )));
        }
        self.runners.remove(&id);
        Ok(())
    }

    /// A runner by its id, if it is registered there.
    pub(crate) fn runner_at(&self, scope: &Scope, id: u64) -> Option<&Runner> {
        self.runners.get(&id).filter(|runner| at(runner, scope))
    }

    /// The runners of a scope, of one name if one is given.
    pub(crate) fn runners_at(&self, scope: &Scope, name: Option<&str>) -> Vec<&Runner> {
        let named = |runner: &&Runner| name.is_none_or(|name| same(name, &runner.name));
        self.runners.values().filter(|runner| at(runner, scope)).filter(named).collect()
    }

    /// The groups of an organization or enterprise.
    pub(crate) fn groups_at(&self, scope: &Scope) -> Vec<Group> {
        self.groups.of(scope)
    }

    /// Adds a group; its runners take jobs of these repositories only, if any are given.
    pub(crate) fn add_group(&mut self, scope: &Scope, name: &str, repositories: Option<Vec<String>>) -> GroupId {
        self.groups.add(scope, name, repositories)
    }

    fn find_by_name(&self, scope: &Scope, name: &str) -> Option<u64> {
        self.runners_at(scope, Some(name)).first().map(|runner| runner.id)
    }

    #[allow(clippy::too_many_arguments)] // each is a field of the runner
    fn add_runner(
        &mut self,
        scope: &Scope,
        name: String,
        group: Group,
        labels: Vec<String>,
        own_labels: usize,
        ephemeral: bool,
        work: &str,
    ) -> (Runner, Value) {
        let id = self.next_runner;
        self.next_runner += 1;
        let runner = Runner {
            id,
            name,
            scope: scope.clone(),
            group: (group.id, group.name),
            labels,
            own_labels,
            ephemeral,
            os: "unknown",
            key: Key::new(&mut self.rng),
            session: None,
            job: None,
        };
        let files = self.files(&runner, work);
        self.runners.insert(id, runner.clone());
        (runner, files)
    }

    /// The files that make a runner this one: their names and content.
    fn files(&mut self, runner: &Runner, work: &str) -> Value {
        let url = &self.public_url;
        let settings = json!({
            "AgentId": runner.id.to_string(),
            "AgentName": runner.name,
            "DisableUpdate": "True",
            "Ephemeral": if runner.ephemeral { "True" } else { "False" },
            "GitHubUrl": format!("{url}/{}", runner.scope),
            "PoolId": runner.group.0.to_string(),
            "PoolName": runner.group.1,
            "ServerUrl": url,
            "UseV2Flow": "True",
            "WorkFolder": work,
        });
        let credentials = json!({
            "scheme": "OAuth",
            "data": {
                "clientId": runner.key.client_id,
                "authorizationUrl": format!("{url}/_standin/runner/session"),
                "requireFipsCryptography": "True",
            },
        });
        let mut key: BTreeMap<&str, String> = BTreeMap::new();
        for (name, length) in [("dp", 172), ("dq", 172), ("inverseQ", 172), ("modulus", 344), ("p", 172), ("q", 172)] {
            key.insert(name, text(&mut self.rng, length));
        }
        key.insert("d", runner.key.secret.clone());
        key.insert("exponent", "AQAB".to_owned());
        json!({
            ".runner": settings.to_string(),
            ".credentials": credentials.to_string(),
            ".credentials_rsaparams": json!(key).to_string(),
        })
    }
}

fn at(runner: &Runner, scope: &Scope) -> bool {
    same(&runner.scope.to_string(), &scope.to_string())
}

fn exists(name: &str) -> Refusal {
    Refusal::Exists(format!("Already exists - A runner with the name '{name}' already exists."))
}

fn no_group(name: &str) -> Refusal {
    Refusal::Invalid(format!("Could not find any self-hosted runner group named \"{name}\"."))
}
