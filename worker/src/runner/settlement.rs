//! How a job's lease ends, after what came of its runner (DESIGN, sections 6 and 7).

use std::time::Duration;

use shared::{backoff::Backoff, queue::Settlement, telemetry::chain};

use super::Outcome;
use crate::provider::ProviderError;

/// How long a job waits that could not be started because the container engine is away. The worker stops reserving
/// meanwhile; another one may have a healthy engine.
const ENGINE_AWAY_PAUSE: Duration = Duration::from_secs(2);

/// A warm runner that is lost sooner than this is not replaced at once.
const SOON_LOST: Duration = Duration::from_secs(5);

/// How the lease of the job ends whose runner came to `outcome`, after `attempts` failed ones.
///
/// A failure that might not be one again is a [`Settlement::Retry`]; the queue makes a dead letter of the last.
#[must_use]
pub fn settlement(outcome: &Outcome, attempts: u32, backoff: Backoff) -> Settlement {
    let detail = outcome.to_string();
    match outcome {
        Outcome::Done { .. } => Settlement::Done { detail },
        Outcome::Idle => Settlement::Idle { detail },
        // The end of an idle runner, or the loss of its registration, is nobody's failure: it is replaced.
        Outcome::RegistrationDeleted { listened: true } => release(detail, attempts, backoff),
        Outcome::EndedIdle { exit } if exit.is_clean() => release(detail, attempts, backoff),
        // Its pool is stopped, so it waits for as long as it has to.
        Outcome::Deprecated { .. } => Settlement::Release { delay: Duration::ZERO, reason: detail },
        Outcome::Unassigned
        | Outcome::EndedIdle { .. }
        | Outcome::NeverListened { .. }
        | Outcome::RegistrationDeleted { listened: false } => {
            Settlement::Retry { delay: backoff.jittered(attempts), error: detail }
        }
    }
}

/// How the lease of a warm runner ends that came to `outcome` after it had `listened` for so long: no job is at stake. One that did
/// listen for a while is replaced at once, whoever took it away; the others after a pause, which grows with how many there were in
/// a row.
#[must_use]
pub fn settlement_of_warm(outcome: &Outcome, attempts: u32, backoff: Backoff, listened: Duration) -> Settlement {
    match settlement(outcome, attempts, backoff) {
        Settlement::Release { reason: detail, .. } | Settlement::Retry { error: detail, .. }
            if listened >= SOON_LOST =>
        {
            Settlement::Idle { detail }
        }
        settlement => settlement,
    }
}

/// How the lease of a job ends whose runner could not be made or watched, after `attempts` failed attempts.
#[must_use]
pub fn settlement_of(error: &ProviderError, attempts: u32, backoff: Backoff) -> Settlement {
    match error {
        ProviderError::Unavailable { .. } => Settlement::Release { delay: ENGINE_AWAY_PAUSE, reason: chain(error) },
        ProviderError::ImageAbsent { .. } | ProviderError::Refused { .. } | ProviderError::Gone => {
            Settlement::Retry { delay: backoff.jittered(attempts), error: chain(error) }
        }
    }
}

/// Back to the queue without a charge, after a pause, so that what ends at once does not come back at once.
fn release(reason: String, attempts: u32, backoff: Backoff) -> Settlement {
    Settlement::Release { delay: backoff.ceiling(attempts), reason }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{provider::Exit, runner::JobResult};

    fn settle(outcome: &Outcome) -> Settlement {
        settlement(outcome, 3, Backoff::JOB)
    }

    #[test]
    fn a_job_that_was_taken_is_never_started_again() {
        for result in [None, Some(JobResult::Failed)] {
            let exit = Exit { code: 137, ..Exit::default() };
            let done = Outcome::Done { job: "build".to_owned(), result, exit };
            assert!(matches!(settle(&done), Settlement::Done { .. }), "{done}");
        }
        assert!(matches!(settle(&Outcome::Idle), Settlement::Idle { .. }));
        assert!(matches!(settle(&Outcome::Unassigned), Settlement::Retry { .. }));
    }

    #[test]
    fn a_warm_runner_that_is_lost_is_replaced_at_once_unless_it_was_soon_lost() {
        let settle = |outcome: &Outcome, listened| settlement_of_warm(outcome, 3, Backoff::JOB, listened);
        let (lost, crashed) = (Outcome::RegistrationDeleted { listened: true }, Exit { code: 1, ..Exit::default() });
        assert!(matches!(settle(&lost, SOON_LOST), Settlement::Idle { .. }));
        assert!(matches!(settle(&Outcome::EndedIdle { exit: crashed.clone() }, SOON_LOST), Settlement::Idle { .. }));
        let paused = |settled| matches!(settled, Settlement::Release { delay, .. } if delay == Duration::from_secs(16));
        assert!(paused(settle(&lost, SOON_LOST / 2)));
        let never = Outcome::NeverListened { exit: crashed, why: None };
        assert!(matches!(settle(&never, Duration::ZERO), Settlement::Retry { .. }));
    }

    #[test]
    fn what_ended_before_it_listened_is_tried_again_after_a_backoff() {
        let exit = Exit { code: 1, ..Exit::default() };
        for failed in [
            Outcome::NeverListened { exit: exit.clone(), why: None },
            Outcome::EndedIdle { exit },
            Outcome::RegistrationDeleted { listened: false },
        ] {
            let Settlement::Retry { delay, error } = settle(&failed) else { panic!("{failed} is no retry") };
            assert!(delay <= Backoff::JOB.ceiling(3));
            assert_eq!(error, failed.to_string());
        }
    }

    #[test]
    fn an_idle_runner_that_vanished_is_replaced_without_a_charge() {
        for vanished in [Outcome::EndedIdle { exit: Exit::default() }, Outcome::RegistrationDeleted { listened: true }]
        {
            let Settlement::Release { delay, .. } = settle(&vanished) else { panic!("{vanished} is charged") };
            assert!(!delay.is_zero());
        }
    }

    #[test]
    fn a_job_whose_runner_is_too_old_is_not_charged() {
        let settled = settle(&Outcome::Deprecated { version: None });
        assert!(matches!(settled, Settlement::Release { .. }), "{settled:?}");
    }

    #[test]
    fn an_engine_that_is_away_charges_no_attempt_and_its_refusal_does() {
        let away = ProviderError::unavailable("create the container", "connection refused");
        let Settlement::Release { delay, reason } = settlement_of(&away, 3, Backoff::JOB) else { panic!("charged") };
        assert!(!delay.is_zero());
        assert!(reason.ends_with("connection refused"), "{reason}");

        for failed in [
            ProviderError::ImageAbsent { image: "runner:1".to_owned(), problem: "it is not pulled".to_owned() },
            ProviderError::Refused { doing: "create the container".to_owned(), message: "no space".to_owned() },
            ProviderError::Gone,
        ] {
            let settled = settlement_of(&failed, 3, Backoff::JOB);
            let Settlement::Retry { error, .. } = settled else { panic!("{failed} is no retry") };
            assert_eq!(error, failed.to_string());
        }
    }
}
