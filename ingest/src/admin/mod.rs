//! The private listener: for operators, their programs, and Prometheus.

#[cfg_attr(not(test), expect(dead_code, reason = "the pages that have forms use it"))]
mod csrf;
mod guard;

use actix_web::web::{Data, ServiceConfig};
use shared::admin::Admin;

pub(crate) use csrf::Csrf;
pub(crate) use guard::{Guard, guard};

/// What the private listener answers from.
#[derive(Clone)]
pub(crate) struct Private {
    /// What both processes' private listeners have.
    pub(crate) common: Admin,
    /// Who may ask.
    pub(crate) guard: Data<Guard>,
    /// Whether what is to be changed is asked for by a page or a program of ours.
    pub(crate) csrf: Data<Csrf>,
}

impl Private {
    /// Adds the routes to an application, which must be wrapped in [`guard()`].
    pub(crate) fn routes(&self, config: &mut ServiceConfig) {
        config.app_data(self.guard.clone()).app_data(self.csrf.clone());
        self.common.routes(config);
    }
}
