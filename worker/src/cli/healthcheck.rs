//! `worker healthcheck`.

use shared::{healthcheck, settings::Environment};

use crate::config::WorkerConfig;

/// Asks the worker in this container. The other settings are its own affair.
pub(super) async fn run() -> anyhow::Result<()> {
    let mut environment = Environment::read();
    let WorkerConfig { admin_bind, .. } = environment.section("WORKER_");
    Ok(healthcheck::ask(admin_bind).await?)
}
