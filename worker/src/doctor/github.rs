//! GitHub: what kind of credential it is, how long it lasts, what is left of the rate limit, what time it is there, and what may be
//! done where runners register.

use shared::{
    github::{AppFacts, Github, GithubError, Kind, RunStatus, Standing, TokenKind},
    model::Scope,
    telemetry::chain,
};
use time::{Duration, OffsetDateTime, format_description::well_known::Rfc3339};

use super::{Finding, Subject::Github as SUBJECT, Verdict, scopes::Place};

/// A runner takes a call or two, and a comparison with GitHub 100 to 200.
const FEW_CALLS: u64 = 500;
/// GitHub refuses what an App shows for itself if its time is further off than this.
const CLOCKS_DIFFER: Duration = Duration::seconds(60);
/// How long before its end a token is to be replaced.
const ENDS_SOON: Duration = Duration::days(14);

/// The permissions of a GitHub App that are of use, and what for.
const OF_AN_APP: [(&str, &str, &str); 3] = [
    ("administration", "write", "runners of repositories"),
    ("organization_self_hosted_runners", "write", "runners of organizations"),
    ("actions", "read", "jobs of which no webhook came"),
];

/// Looks at the credential. `at`: where it is used, if that is known.
pub(super) async fn look(github: &Github, at: Option<&Scope>) -> Vec<Finding> {
    if github.app().is_some() {
        let mut findings = match github.app_facts().await {
            Ok(app) => vec![of_app(&app)],
            Err(error) => return vec![refused("credential", &error)],
        };
        let Some(at) = at else {
            findings.push(Finding::skipped(SUBJECT, "rate limit", "no installation is known, and each has its own"));
            return findings;
        };
        match github.standing(at).await {
            Ok(standing) => findings.extend(of_standing(&standing, OffsetDateTime::now_utc())),
            Err(error) => findings.push(refused("rate limit", &error)),
        }
        return findings;
    }
    let anywhere = Scope::Organization(String::new());
    match github.standing(at.unwrap_or(&anywhere)).await {
        Ok(standing) => {
            let now = OffsetDateTime::now_utc();
            let mut findings = vec![of_token(&standing, now)];
            findings.extend(of_standing(&standing, now));
            findings
        }
        Err(error) => vec![refused("credential", &error)],
    }
}

/// Looks at what may be done at a scope, by doing it: GitHub says beforehand what a classic token may do, and of others nothing.
pub(super) async fn look_at(github: &Github, Place { scope, is_guess }: &Place) -> Vec<Finding> {
    let check = format!("runners at {scope}");
    let runners = match github.registration_token(scope).await {
        Ok(_token) => Finding::ok(SUBJECT, check, "may be registered"),
        Err(error) if *is_guess && error.status() == Some(404) => {
            Finding { verdict: Verdict::Warning, ..refused(check, &error) }
                .advise(format!("if {scope} is a user, name its repositories in scopes: runners register at each"))
        }
        Err(error) => refused(check, &error),
    };
    let Scope::Repository(repository) = scope else { return vec![runners] };
    let check = format!("jobs of {scope}");
    let jobs = match github.runs(repository, RunStatus::Queued, 1).await {
        Ok(_page) => Finding::ok(SUBJECT, check, "may be read"),
        Err(error) => Finding { verdict: Verdict::Warning, ..refused(check, &error) }
            .advise("without that, jobs of which no webhook came are not found (README, \"Webhooks that never came\")"),
    };
    vec![runners, jobs]
}

/// A call that GitHub refused, or did not get. The error itself says what to do.
fn refused(check: impl Into<String>, error: &GithubError) -> Finding {
    let text = chain(error);
    match error.kind() {
        Kind::RateLimited { .. } => Finding::warning(SUBJECT, check, text).advise("wait for that, and look again"),
        Kind::Transient => Finding::failure(SUBJECT, check, text)
            .advise("can this host reach that address (DNS, proxy, firewall), and is it AUTOSCALER_GITHUB_URL's? See githubstatus.com"),
        Kind::Permanent | Kind::NameTaken => Finding::failure(SUBJECT, check, text).advise(match error.status() {
            Some(401) => "replace the credential, and restart the workers",
            _ => "give the credential what it lacks (README, \"Set it up with GitHub\"), or correct the name",
        }),
    }
}

fn of_token(standing: &Standing, now: OffsetDateTime) -> Finding {
    let check = "credential";
    let mut found = match &standing.kind {
        TokenKind::Classic(scopes) if scopes.is_empty() => "a classic token without any scope".to_owned(),
        TokenKind::Classic(scopes) => format!("a classic token with the scopes {}", scopes.join(", ")),
        TokenKind::FineGrained => "a fine-grained token".to_owned(),
        TokenKind::Installation => "a GitHub App's token".to_owned(),
    };
    if let Some(end) = standing.expires_at {
        found = format!("{found}, until {}", moment(end));
        if end - now < ENDS_SOON {
            return Finding::warning(SUBJECT, check, found).advise("make a new one before that: AUTOSCALER_GITHUB_PAT");
        }
    }
    match &standing.kind {
        TokenKind::Classic(scopes) if !scopes.iter().any(|scope| runs(scope)) => {
            Finding::failure(SUBJECT, check, found)
                .advise("give it repo (repositories), admin:org (organizations) or manage_runners:enterprise")
        }
        _ => Finding::ok(SUBJECT, check, found),
    }
}

/// Whether a classic token's scope lets runners be registered anywhere.
fn runs(scope: &str) -> bool {
    ["repo", "admin:org", "manage_runners:enterprise", "admin:enterprise"].contains(&scope)
}

fn of_app(app: &AppFacts) -> Finding {
    let check = "credential";
    let has = |name: &str, level: &str| app.permissions.get(name).is_some_and(|had| had == level || had == "write");
    let all: Vec<String> = app.permissions.iter().map(|(name, level)| format!("{name}: {level}")).collect();
    let found = format!("the GitHub App {} with {}", app.name, or_nothing(&all.join(", ")));
    if !OF_AN_APP[..2].iter().any(|(name, level, _)| has(name, level)) {
        return Finding::failure(SUBJECT, check, found)
            .advise("give it Administration: write (repositories) or Self-hosted runners: write (organizations)");
    }
    let (reading, level, what_for) = OF_AN_APP[2];
    if !has(reading, level) {
        return Finding::warning(SUBJECT, check, found).advise(format!("give it Actions: read-only, for {what_for}"));
    }
    Finding::ok(SUBJECT, check, found)
}

fn or_nothing(text: &str) -> &str {
    if text.is_empty() { "no permission" } else { text }
}

fn of_standing(standing: &Standing, now: OffsetDateTime) -> Vec<Finding> {
    let Standing { limit, remaining, reset_at, .. } = standing;
    let again = moment(*reset_at);
    let found = format!("{remaining} of {limit} calls are left, all of them again at {again}");
    let check = "rate limit";
    let rate = if *remaining == 0 && *reset_at > now {
        Finding::failure(SUBJECT, check, found)
            .advise("no runner is registered until then: what else uses this credential?")
    } else if *remaining < FEW_CALLS.min(limit / 10) {
        Finding::warning(SUBJECT, check, found)
            .advise("what else uses this credential? A GitHub App has limits of its own")
    } else {
        Finding::ok(SUBJECT, check, found)
    };
    vec![rate, clock(standing.ahead)]
}

fn clock(ahead: Option<Duration>) -> Finding {
    let check = "clock";
    let Some(ahead) = ahead else { return Finding::skipped(SUBJECT, check, "GitHub did not say what time it is") };
    let found = match ahead.whole_seconds() {
        0 => "the same as here".to_owned(),
        seconds => format!("{} s {} this machine's", seconds.abs(), if seconds > 0 { "ahead of" } else { "behind" }),
    };
    if ahead.abs() >= CLOCKS_DIFFER {
        return Finding::warning(SUBJECT, check, found).advise("have this machine's clock set by NTP");
    }
    Finding::ok(SUBJECT, check, found)
}

fn moment(at: OffsetDateTime) -> String {
    at.format(&Rfc3339).unwrap_or_else(|_| at.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: OffsetDateTime = OffsetDateTime::UNIX_EPOCH;

    fn classic(scopes: &[&str]) -> TokenKind {
        TokenKind::Classic(scopes.iter().map(|scope| (*scope).to_owned()).collect())
    }

    fn standing(kind: TokenKind, remaining: u64) -> Standing {
        let reset_at = NOW + Duration::HOUR;
        Standing { kind, expires_at: None, limit: 5000, remaining, reset_at, ahead: Some(Duration::ZERO) }
    }

    #[test]
    fn a_classic_token_needs_a_scope_for_runners() {
        let verdict = |kind| of_token(&standing(kind, 5000), NOW).verdict;
        assert_eq!(verdict(classic(&["gist", "repo"])), Verdict::Ok);
        assert_eq!(verdict(classic(&["admin:org"])), Verdict::Ok);
        assert_eq!(verdict(TokenKind::FineGrained), Verdict::Ok);
        assert_eq!(verdict(classic(&["public_repo", "read:org"])), Verdict::Failure);
        assert_eq!(verdict(classic(&[])), Verdict::Failure);
    }

    #[test]
    fn a_token_that_ends_soon_is_told() {
        let until = |end| Standing { expires_at: Some(end), ..standing(TokenKind::FineGrained, 5000) };
        assert_eq!(of_token(&until(NOW + Duration::days(13)), NOW).verdict, Verdict::Warning);
        assert_eq!(of_token(&until(NOW + Duration::days(15)), NOW).verdict, Verdict::Ok);
    }

    #[test]
    fn a_limit_that_is_nearly_reached_is_told_and_so_is_one_that_is() {
        let verdict = |remaining| of_standing(&standing(TokenKind::FineGrained, remaining), NOW)[0].verdict;
        assert_eq!([5000, 500, 499, 1, 0].map(verdict), {
            use Verdict::{Failure, Ok, Warning};
            [Ok, Ok, Warning, Warning, Failure]
        });
    }

    #[test]
    fn clocks_may_differ_by_less_than_a_minute() {
        let verdict = |seconds| clock(Some(Duration::seconds(seconds))).verdict;
        assert_eq!([0, 59, -59].map(verdict), [Verdict::Ok; 3]);
        assert_eq!([60, -60].map(verdict), [Verdict::Warning; 2]);
        assert_eq!(clock(Some(Duration::seconds(-61))).found, "61 s behind this machine's");
        assert_eq!(clock(None).verdict, Verdict::Skipped);
    }

    #[test]
    fn an_app_needs_a_permission_for_runners_and_one_to_read_jobs() {
        let app = |permissions: &[(&str, &str)]| {
            let permissions =
                permissions.iter().map(|(name, level)| ((*name).to_owned(), (*level).to_owned())).collect();
            of_app(&AppFacts { name: "gha".to_owned(), permissions, events: Vec::new() }).verdict
        };
        let org = ("organization_self_hosted_runners", "write");
        assert_eq!(app(&[("administration", "write"), ("actions", "read")]), Verdict::Ok);
        assert_eq!(app(&[org, ("actions", "write")]), Verdict::Ok);
        assert_eq!(app(&[org]), Verdict::Warning);
        assert_eq!(app(&[("administration", "read"), ("actions", "read")]), Verdict::Failure);
    }
}
