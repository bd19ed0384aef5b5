//! The private listener: for operators, their programs, and Prometheus.

mod access;
mod api;
mod csrf;
mod dashboard;
mod guard;

use actix_web::web::{self, Data, ServiceConfig};
use shared::admin::{Admin, unknown};

pub(crate) use access::Access;
pub(crate) use csrf::Csrf;
pub(crate) use dashboard::Dashboard;
pub(crate) use guard::{Guard, guard};

/// What the private listener answers from.
#[derive(Clone)]
pub(crate) struct Private {
    /// What both processes' private listeners have.
    pub(crate) common: Admin,
    /// Who may ask.
    pub(crate) guard: Data<Guard>,
    /// The queue.
    pub(crate) access: Data<Access>,
    /// Whether what is to be changed is asked for by a page or a program of ours.
    pub(crate) csrf: Data<Csrf>,
    /// What the pages are made from.
    pub(crate) dashboard: Data<Dashboard>,
}

impl Private {
    /// Adds the routes to an application, which must be wrapped in [`guard()`].
    pub(crate) fn routes(&self, config: &mut ServiceConfig) {
        config.app_data(self.guard.clone()).app_data(self.csrf.clone()).app_data(self.access.clone());
        self.common.routes(config);
        dashboard::routes(&self.dashboard, config);
        for (_path, resource) in api::resources() {
            config.service(resource);
        }
        config.default_service(web::to(unknown));
    }
}
