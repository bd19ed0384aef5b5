//! The settings: that they can be read has been seen when this is asked.

use shared::settings::SettingsError;

use super::{Finding, Subject::Settings as SUBJECT};
use crate::config::Settings;

/// All that is wrong with the settings, and that nothing else could be looked at for that.
#[must_use]
pub fn unsound(error: &SettingsError) -> Vec<Finding> {
    let problem = |problem: &String| {
        let (name, text) = problem.split_once(": ").unwrap_or(("", problem));
        Finding::failure(SUBJECT, name, text)
    };
    let mut findings: Vec<Finding> = error.problems().iter().map(problem).collect();
    let advice = "correct the settings, and look again (README, \"Settings\")";
    findings.push(Finding::skipped(SUBJECT, "everything else", "the settings say where it is").advise(advice));
    findings
}

/// What there is to say of settings that can be read.
pub(super) fn sound(settings: &Settings) -> Vec<Finding> {
    let pools: Vec<String> =
        settings.pools.all().iter().map(|pool| format!("{} ({})", pool.name, pool.labels)).collect();
    let secret = if settings.secrets.current().is_some() {
        Finding::ok(SUBJECT, "AUTOSCALER_SECRET_TOKEN", "is set")
    } else {
        let why = "is not set here: ingest needs it, and worker only to make a webhook (worker hook add)";
        Finding::skipped(SUBJECT, "AUTOSCALER_SECRET_TOKEN", why)
    };
    vec![Finding::ok(SUBJECT, "pools", pools.join(", ")), secret]
}
