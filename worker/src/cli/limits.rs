//! `worker limits [set …]`

use anyhow::bail;
use clap::{Args, Subcommand};
use shared::{
    model::{PoolName, Scope},
    queue::{LimitChange, PoolLimits},
};

use super::table::aligned;
use crate::config::Settings;

/// Shows how many runners there may be, or sets it.
#[derive(Args, Debug)]
pub(super) struct Limits {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Set a limit until it is taken back, whatever pools.toml says; runners that are up stay
    Set(Set),
}

#[derive(Args, Debug)]
struct Set {
    /// The pool
    #[arg(long, default_value = "default")]
    pool: PoolName,
    /// How many runners the pool may have at once, over all workers; with 0, no job is started. `default` takes it back
    #[arg(long, value_name = "N", value_parser = number, required_unless_present = "max_per_scope")]
    max_runners: Option<Number>,
    /// How many of those for each scope, or, with --scope, for that one. `default` takes it back
    #[arg(long, value_name = "N", value_parser = number)]
    max_per_scope: Option<Number>,
    /// One scope: OWNER/REPO, ORG or enterprises/ENTERPRISE
    #[arg(long, requires = "max_per_scope")]
    scope: Option<Scope>,
}

/// A limit; none to take back what was set.
type Number = Option<u32>;

impl Limits {
    pub(super) async fn run(&self, settings: &Settings, json: bool) -> anyhow::Result<()> {
        if let Some(Command::Set(set)) = &self.command {
            set.run(settings).await?;
        }
        let limits = settings.queue.limits().await?;
        anstream::println!("{}", if json { serde_json::to_string(&limits)? } else { table(&limits) });
        Ok(())
    }
}

impl Set {
    async fn run(&self, settings: &Settings) -> anyhow::Result<()> {
        let known = settings.queue.limits().await?;
        if settings.pools.all().get(&self.pool).is_none() && !known.iter().any(|limits| limits.pool == self.pool) {
            bail!("there is no pool called {}", self.pool);
        }
        let of_pool = self.max_runners.map(LimitChange::Pool);
        let of_scopes = self.max_per_scope.map(|most| match &self.scope {
            Some(scope) => LimitChange::Scope(scope.clone(), most),
            None => LimitChange::EachScope(most),
        });
        for change in of_pool.into_iter().chain(of_scopes) {
            settings.queue.change_limit(&self.pool, &change).await?;
        }
        Ok(())
    }
}

fn number(text: &str) -> Result<Number, String> {
    match text {
        "default" => Ok(None),
        _ => text.parse().map(Some).map_err(|_| format!("is a whole number, or default, not {text:?}")),
    }
}

fn table(limits: &[PoolLimits]) -> String {
    let said = |now: Number, configured: Number| match (now, configured) {
        (Some(now), Some(configured)) if now != configured => format!("{now} (configured: {configured})"),
        (Some(now), _) => now.to_string(),
        (None, _) => "-".to_owned(),
    };
    let mut rows = vec![["POOL", "SCOPE", "RUNNERS", "PER SCOPE"].map(str::to_owned)];
    for limit in limits {
        let runners = said(limit.max_runners, limit.configured);
        let each = said(limit.max_per_scope, limit.configured_per_scope);
        rows.push([limit.pool.to_string(), "*".to_owned(), runners, each]);
        for (scope, most) in &limit.scopes {
            rows.push([limit.pool.to_string(), scope.to_string(), "-".to_owned(), most.to_string()]);
        }
    }
    aligned(&rows, &[])
}
