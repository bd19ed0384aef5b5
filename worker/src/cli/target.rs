//! Where a runner is to register, as it is said on the command line.

use clap::{ArgGroup, Args};
use shared::model::{RepositoryName, Scope};

/// One of the three, or none.
#[derive(Args, Debug)]
#[group(multiple = false)]
pub(super) struct Place {
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

impl Place {
    /// The scope that was named, if one was.
    pub(super) fn scope(&self) -> Option<Scope> {
        let repository = self.repo.clone().map(Scope::Repository);
        repository.or_else(|| self.org.clone()).or_else(|| self.enterprise.clone())
    }
}

/// One of the three.
#[derive(Args, Debug)]
#[group(skip)]
#[command(group(ArgGroup::new("where").required(true).args(["repo", "org", "enterprise"])))]
pub(super) struct Target {
    #[command(flatten)]
    place: Place,
}

impl Target {
    /// The scope that was named.
    pub(super) fn scope(&self) -> anyhow::Result<Scope> {
        self.place.scope().ok_or_else(|| anyhow::anyhow!("name one of --repo, --org and --enterprise"))
    }
}
