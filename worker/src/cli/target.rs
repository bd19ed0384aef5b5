//! Where a runner is to register, as it is said on the command line.

use clap::Args;
use shared::model::{RepositoryName, Scope};

/// One of the three.
#[derive(Args, Debug)]
#[group(required = true, multiple = false)]
pub(super) struct Target {
    /// A repository
    #[arg(long, value_name = "OWNER/REPO")]
    repo: Option<RepositoryName>,
    /// An organization
    #[arg(long, value_name = "ORG", value_parser = Scope::organization)]
    org: Option<Scope>,
    /// An enterprise, by its slug
    #[arg(long, value_name = "ENTERPRISE", value_parser = Scope::enterprise)]
    enterprise: Option<Scope>,
}

impl Target {
    /// The scope that was named.
    pub(super) fn scope(&self) -> anyhow::Result<Scope> {
        let repository = self.repo.clone().map(Scope::Repository);
        let scope = repository.or_else(|| self.org.clone()).or_else(|| self.enterprise.clone());
        scope.ok_or_else(|| anyhow::anyhow!("name one of --repo, --org and --enterprise"))
    }
}
