//! `pools.toml`, and which pool takes which job. Both processes read the same file and route alike.

use std::{collections::BTreeMap, time::Duration};

use serde::Deserialize;
use toml::Spanned;

use super::{
    DockerOptions, Label, Labels, Pool, PoolName, Registration, RepositoryName, Scope, ScopeKind, Warm, WarmHours,
    pool::Allowed,
};

/// The pools, in the file's order. There is at least one, and no two share a name.
#[derive(Clone, Debug, PartialEq)]
pub struct Pools {
    pools: Vec<Pool>,
    /// Those that were removed while the process ran: they take no new jobs, and those that they have are served on.
    removed: Vec<Pool>,
}

/// Why no pool takes a job.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Unrouted {
    /// No pool has all the labels that the job demands.
    #[error("no pool covers the labels {demanded}; the nearest, {nearest}, lacks {missing}")]
    NoMatchingPool {
        /// The job's labels.
        demanded: Labels,
        /// The pool that lacks the fewest of them.
        nearest: PoolName,
        /// What it lacks, separated by commas.
        missing: String,
    },
    /// A pool has the labels, but serves other repositories.
    #[error("pool {pool} does not serve {repository}")]
    ScopeNotAllowed {
        /// The pool that would fit best.
        pool: PoolName,
        /// The job's repository.
        repository: RepositoryName,
    },
}

impl Unrouted {
    /// The contract's word for it (DESIGN, `explain`).
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::NoMatchingPool { .. } => "no_matching_pool",
            Self::ScopeNotAllowed { .. } => "scope_not_allowed",
        }
    }
}

/// Why `pools.toml` cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PoolsError {
    /// It is no TOML, a key is unknown, or a value is of the wrong kind. The message has line and column.
    #[error("{0}")]
    Syntax(#[from] toml::de::Error),
    /// A value does not make sense.
    #[error("line {line}: pool {pool:?}: {problem}")]
    Pool {
        /// Where the pool begins, from 1.
        line: usize,
        /// The pool's name.
        pool: String,
        /// What is wrong and what would be right.
        problem: String,
    },
    /// There is no `[[pool]]` in it.
    #[error("it has no [[pool]]")]
    Empty,
}

/// `pools.toml` as it is written. What is left out is taken from the default pool's settings.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PoolsFile {
    #[serde(default)]
    pool: Vec<Spanned<PoolEntry>>,
}

/// One `[[pool]]`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PoolEntry {
    name: PoolName,
    labels: Option<Labels>,
    image: Option<String>,
    max_runners: Option<u32>,
    max_per_scope: Option<u32>,
    runner_group: Option<String>,
    #[serde(default)]
    scopes: Vec<Allowed>,
    scope: Option<ScopeKind>,
    registration: Option<Registration>,
    #[serde(default)]
    env: BTreeMap<String, String>,
    timeout_seconds: Option<u64>,
    #[serde(default)]
    warm: u32,
    #[serde(default)]
    warm_scopes: Vec<Scope>,
    #[serde(default)]
    warm_hours: WarmHours,
    #[serde(default)]
    keep_failed: u64,
    #[serde(default)]
    docker: DockerOptions,
}

/// Variables that only the worker sets in a runner's container: a pool that set them would break its
/// registration, or hand a secret to `docker inspect`.
const RESERVED_VARIABLES: [&str; 6] =
    ["URL", "TOKEN", "NAME", "LABELS", "RUNNER_GROUP", "ACTIONS_RUNNER_INPUT_JITCONFIG"];

/// The longest that the container of a runner that failed may be kept.
const KEEP_FAILED_MAX: Duration = Duration::from_hours(30 * 24);

impl Pools {
    /// The one pool of an installation without `pools.toml`.
    #[must_use]
    pub fn single(pool: Pool) -> Self {
        Self { pools: vec![pool], removed: Vec::new() }
    }

    /// Reads `pools.toml`. What a pool leaves out is `default`'s.
    ///
    /// # Errors
    ///
    /// [`PoolsError`], to be shown behind the file's name.
    pub fn parse(text: &str, default: &Pool) -> Result<Self, PoolsError> {
        let file: PoolsFile = toml::from_str(text)?;
        let mut pools: Vec<Pool> = Vec::with_capacity(file.pool.len());
        for entry in file.pool {
            let line = 1 + text[..entry.span().start].matches('\n').count();
            let entry = entry.into_inner();
            let name = entry.name.clone();
            let wrong = |problem| PoolsError::Pool { line, pool: name.to_string(), problem };
            if pools.iter().any(|other| other.name == name) {
                return Err(wrong("its name is taken by another pool".to_owned()));
            }
            pools.push(entry.into_pool(default).map_err(wrong)?);
        }
        if pools.is_empty() {
            return Err(PoolsError::Empty);
        }
        Ok(Self { pools, removed: Vec::new() })
    }

    /// These pools instead of `before`: what was there and is not any more is removed.
    #[must_use]
    pub fn instead_of(mut self, before: &Self) -> Self {
        let removed = before.pools.iter().chain(&before.removed).filter(|pool| self.get(&pool.name).is_none());
        self.removed = removed.cloned().collect();
        self
    }

    /// Those that were removed.
    #[must_use]
    pub fn removed(&self) -> &[Pool] {
        &self.removed
    }

    /// The pools in the file's order.
    pub fn iter(&self) -> std::slice::Iter<'_, Pool> {
        self.pools.iter()
    }

    /// The pool of that name, unless it was removed.
    #[must_use]
    pub fn current(&self, name: &PoolName) -> Option<&Pool> {
        self.pools.iter().find(|pool| &pool.name == name)
    }

    /// The pool of that name, also if it was removed.
    #[must_use]
    pub fn get(&self, name: &PoolName) -> Option<&Pool> {
        self.pools.iter().chain(&self.removed).find(|pool| &pool.name == name)
    }

    /// The pool that a job goes to: its labels cover the job's, and it serves the repository; of several, the
    /// one with the fewest labels besides, and of those the first in the file.
    ///
    /// # Errors
    ///
    /// [`Unrouted`], which says what is missing where.
    pub fn route(&self, labels: &Labels, repository: &RepositoryName) -> Result<&Pool, Unrouted> {
        let covering = || self.pools.iter().filter(|pool| pool.labels.missing(labels).next().is_none());
        if let Some(pool) = covering().filter(|pool| pool.serves(repository)).min_by_key(|pool| pool.labels.len()) {
            return Ok(pool);
        }
        if let Some(pool) = covering().min_by_key(|pool| pool.labels.len()) {
            return Err(Unrouted::ScopeNotAllowed { pool: pool.name.clone(), repository: repository.clone() });
        }
        let lacks = |pool: &&Pool| pool.labels.missing(labels).count();
        let nearest = self.pools.iter().min_by_key(lacks).unwrap_or(&self.pools[0]); // there is at least one
        let missing: Vec<&str> = nearest.labels.missing(labels).map(Label::as_str).collect();
        Err(Unrouted::NoMatchingPool {
            demanded: labels.clone(),
            nearest: nearest.name.clone(),
            missing: missing.join(","),
        })
    }
}

impl<'a> IntoIterator for &'a Pools {
    type Item = &'a Pool;
    type IntoIter = std::slice::Iter<'a, Pool>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl PoolEntry {
    /// The pool, or which of its keys makes no sense.
    fn into_pool(self, default: &Pool) -> Result<Pool, String> {
        if let Some(name) = self.env.keys().find(|name| RESERVED_VARIABLES.contains(&name.as_str())) {
            return Err(format!("env.{name} is set by the worker alone"));
        }
        let pool = Pool {
            labels: self.labels.unwrap_or_else(|| default.labels.clone()),
            image: self.image.unwrap_or_else(|| default.image.clone()),
            max_runners: self.max_runners.unwrap_or(default.max_runners),
            max_per_scope: self.max_per_scope,
            runner_group: self.runner_group.unwrap_or_else(|| default.runner_group.clone()),
            scopes: self.scopes,
            scope: self.scope,
            registration: self.registration.unwrap_or(default.registration),
            env: self.env,
            timeout: self.timeout_seconds.map(Duration::from_secs),
            keep_failed: (self.keep_failed > 0).then(|| Duration::from_secs(self.keep_failed)),
            docker: self.docker,
            warm: Warm { runners: self.warm, scopes: self.warm_scopes, hours: self.warm_hours },
            name: self.name,
        };
        if pool.labels.is_empty() {
            return Err("labels is empty; a runner without labels gets no job".to_owned());
        }
        for (key, value) in [("max_runners", Some(pool.max_runners)), ("max_per_scope", pool.max_per_scope)] {
            if value == Some(0) {
                return Err(format!("{key} is 0; the least is 1"));
            }
        }
        if pool.timeout == Some(Duration::ZERO) {
            return Err("timeout_seconds is 0; leave it out for no limit".to_owned());
        }
        if pool.keep_failed > Some(KEEP_FAILED_MAX) {
            return Err(format!("keep_failed is more than {} seconds, which are 30 days", KEEP_FAILED_MAX.as_secs()));
        }
        if let Some(contradiction) = pool.docker.contradiction() {
            return Err(contradiction.into());
        }
        if let Some(contradiction) = pool.warm.contradiction(&pool) {
            return Err(contradiction);
        }
        Ok(pool)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn default_pool() -> Pool {
        Pool {
            name: "default".parse().unwrap(),
            labels: "self-hosted,linux,x64".parse().unwrap(),
            image: "image:latest".to_owned(),
            max_runners: 5,
            max_per_scope: None,
            runner_group: "Default".to_owned(),
            scopes: Vec::new(),
            scope: None,
            registration: Registration::Jit,
            env: BTreeMap::new(),
            timeout: None,
            keep_failed: None,
            docker: DockerOptions::default(),
            warm: Warm::default(),
        }
    }

    fn pools(text: &str) -> Result<Pools, PoolsError> {
        Pools::parse(text, &default_pool())
    }

    fn routed(pools: &Pools, labels: &str, repository: &str) -> Result<String, Unrouted> {
        pools.route(&labels.parse().unwrap(), &repository.parse().unwrap()).map(|pool| pool.name.to_string())
    }

    const THREE: &str = r#"
        [[pool]]
        name = "large"
        labels = ["self-hosted", "linux", "x64", "gpu", "large"]
        [[pool]]
        name = "gpu"
        labels = ["self-hosted", "Linux", "X64", "GPU"]
        [[pool]]
        name = "plain"
        scopes = ["octo-org", "other/repo"]
        [pool.docker]
        memory = "4g"
        pull = "never"
    "#;

    #[test]
    fn a_job_goes_to_the_pool_that_covers_its_labels_with_the_fewest_besides() {
        let pools = pools(THREE).unwrap();
        assert_eq!(routed(&pools, "linux,gpu", "a/b").unwrap(), "gpu");
        assert_eq!(routed(&pools, "LARGE", "a/b").unwrap(), "large");
        assert_eq!(routed(&pools, "self-hosted", "Octo-Org/b").unwrap(), "plain");
        assert_eq!(routed(&pools, "self-hosted", "other/Repo").unwrap(), "plain");
        assert_eq!(routed(&pools, "self-hosted", "other/repo2").unwrap(), "gpu");
    }

    #[test]
    fn an_unrouted_job_is_told_what_is_missing_where() {
        let pools = pools(THREE).unwrap();
        let error = routed(&pools, "self-hosted,gpuu,linux", "a/b").unwrap_err();
        assert_eq!(error.reason(), "no_matching_pool");
        assert_eq!(
            error.to_string(),
            "no pool covers the labels self-hosted,gpuu,linux; the nearest, large, lacks gpuu"
        );
        let only = self::pools("[[pool]]\nname = \"a\"\nscopes = [\"x\"]").unwrap();
        assert_eq!(routed(&only, "linux", "a/b").unwrap_err().to_string(), "pool a does not serve a/b");
    }

    #[test]
    fn a_removed_pool_takes_no_job_and_is_still_known() {
        let before = pools("[[pool]]\nname = \"a\"\nlabels = [\"gpu\"]\n[[pool]]\nname = \"b\"").unwrap();
        let after = pools("[[pool]]\nname = \"b\"").unwrap().instead_of(&before);
        assert!(routed(&after, "gpu", "o/r").is_err());
        assert_eq!(after.get(&"a".parse().unwrap()).unwrap().labels.len(), 1);
        assert_eq!((after.iter().count(), after.removed().len()), (1, 1));
        let again = before.clone().instead_of(&after);
        assert_eq!((again.iter().count(), again.removed().len()), (2, 0));
    }

    #[test]
    fn what_does_not_make_sense_is_refused_with_its_place() {
        for (text, says) in [
            ("", "no [[pool]]"),
            ("[[pool]]\nname = \"a\"\nlables = []", "unknown field `lables`"),
            ("\n[[pool]]\nname = \"a\"\nlabels = []", "line 2: pool \"a\": labels is empty"),
            ("[[pool]]\nname = \"a b\"", "' ' in it"),
            ("[[pool]]\nname = \"a\"\nmax_runners = 0", "max_runners is 0"),
            ("[[pool]]\nname = \"a\"\nmax_runners = -1", "line 3"),
            ("[[pool]]\nname = \"a\"\nkeep_failed = 2592001", "keep_failed is more than 2592000"),
            ("[[pool]]\nname = \"a\"\nscopes = [\"a/..\"]", "dot"),
            ("[[pool]]\nname = \"a\"\nenv = { TOKEN = \"x\" }", "env.TOKEN"),
            ("[[pool]]\nname = \"a\"\n[[pool]]\nname = \"a\"", "line 3: pool \"a\": its name is taken"),
            ("[[pool]]\nname = \"a\"\n[pool.docker]\nmemory = \"lots\"", "4g"),
            ("[[pool]]\nname = \"a\"\n[pool.docker]\ndocker = \"dind\"\nnetwork = \"host\"", "leave out network"),
        ] {
            let error = pools(text).unwrap_err().to_string();
            assert!(error.contains(says), "{text:?} gave {error:?}");
        }
    }
}
