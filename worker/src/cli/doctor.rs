//! `worker doctor`

use clap::Args;
use serde_json::json;
use shared::{model::Scope, settings::SettingsError};

use super::{table::style, target::Place};
use crate::{
    config::Settings,
    doctor::{self, Finding, Verdict},
};

/// Looks whether everything is there that a job needs on its way: settings, queue, GitHub, webhook, Docker. Changes nothing.
#[derive(Args, Debug)]
pub(super) struct Doctor {
    #[command(flatten)]
    place: Place,
}

impl Doctor {
    pub(super) async fn run(&self, settings: Result<&Settings, &SettingsError>, json: bool) -> anyhow::Result<()> {
        match settings {
            Ok(settings) => look(settings, self.place.scope(), json).await,
            Err(error) => report(&doctor::unsound(error), json),
        }
    }
}

/// Looks at everything, and at this place, and prints what was found.
///
/// # Errors
///
/// When something of it is a failure.
pub(super) async fn look(settings: &Settings, place: Option<Scope>, json: bool) -> anyhow::Result<()> {
    report(&Box::pin(doctor::look(settings, place)).await, json)
}

/// Prints what was found.
///
/// # Errors
///
/// When something of it is a failure.
fn report(findings: &[Finding], json: bool) -> anyhow::Result<()> {
    let count = |verdict| findings.iter().filter(|finding| finding.verdict == verdict).count();
    let (failures, warnings) = (count(Verdict::Failure), count(Verdict::Warning));
    if json {
        println!("{}", json!({ "failures": failures, "warnings": warnings, "findings": findings }));
    } else {
        anstream::print!("{}", sheet(findings));
    }
    match failures {
        0 => Ok(()),
        failures => Err(anyhow::anyhow!("{failures} of {} checks failed", findings.len())),
    }
}

/// A line for each, and below it what to do.
fn sheet(findings: &[Finding]) -> String {
    let lines = findings.iter().map(|Finding { subject, check, verdict, found, advice }| {
        let advice = advice.as_ref().map(|advice| format!("{:18} → {advice}\n", "")).unwrap_or_default();
        let style = style(&verdict.to_string());
        format!("{style}{verdict:<8}{style:#} {subject:<9} {check}: {found}\n{advice}")
    });
    lines.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Subject;

    #[test]
    fn a_failure_is_an_error_and_what_to_do_stands_below() {
        let finding = |verdict, advice: Option<&str>| Finding {
            subject: Subject::Queue,
            check: "latency".to_owned(),
            verdict,
            found: "1 ms".to_owned(),
            advice: advice.map(str::to_owned),
        };
        let sound = [finding(Verdict::Ok, None), finding(Verdict::Warning, Some("do so"))];
        assert!(report(&sound, true).is_ok());
        let both = [finding(Verdict::Failure, None), finding(Verdict::Ok, None)];
        assert_eq!(report(&both, true).unwrap_err().to_string(), "1 of 2 checks failed");
        assert_eq!(
            anstream::adapter::strip_str(&sheet(&sound)).to_string(),
            "ok       queue     latency: 1 ms\nwarning  queue     latency: 1 ms\n                   → do so\n"
        );
    }
}
