//! `POST /dead`: dead letters are replayed or dropped.

use actix_web::{
    HttpRequest, HttpResponse,
    http::{StatusCode, header},
    web::{Bytes, Data},
};
use shared::{
    model::JobId,
    queue::{DeadLetters, Queue, QueueError},
    telemetry::chain,
};
use tracing::info;

use super::{Dashboard, answer, dead::Which, jobs::given};
use crate::admin::csrf::Csrf;

/// What is to be done.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Act {
    Replay,
    Drop,
}

/// What is to be done to which dead letters.
#[derive(Debug, Eq, PartialEq)]
struct Change {
    act: Act,
    /// None if none was chosen.
    letters: Option<DeadLetters>,
}

/// `POST /dead`
pub(super) async fn change(
    dashboard: Data<Dashboard>,
    csrf: Data<Csrf>,
    request: HttpRequest,
    body: Bytes,
) -> HttpResponse {
    let fields: Vec<(String, String)> = form_urlencoded::parse(&body).into_owned().collect();
    if let Err(problem) = csrf.prove_form(request.headers(), field(&fields, "csrf")) {
        return answer::wrong(StatusCode::FORBIDDEN, format!("Nothing was changed: {problem}."));
    }
    let (which, change) = match parsed(&fields) {
        Ok(parsed) => parsed,
        Err(why) => return answer::wrong(StatusCode::BAD_REQUEST, format!("Nothing was changed: {why}.")),
    };
    match dashboard.access.change(async |queue| make(queue, &change).await).await {
        Ok(done) => {
            let word = change.act.word();
            info!(dead_letters = done, "Dead letters were {word} by hand");
            let address = which.address(&[(word, &done.to_string())]);
            HttpResponse::SeeOther().insert_header((header::LOCATION, address)).finish()
        }
        Err(error) => answer::away(format!("{}; some dead letters may have been changed", chain(&error))),
    }
}

impl Act {
    /// What has been done.
    const fn word(self) -> &'static str {
        match self {
            Self::Replay => "replayed",
            Self::Drop => "dropped",
        }
    }
}

async fn make(queue: &Queue, change: &Change) -> Result<usize, QueueError> {
    let Some(letters) = &change.letters else { return Ok(0) };
    let changed = match change.act {
        Act::Replay => queue.replay(letters).await?,
        Act::Drop => queue.drop_dead(letters).await?,
    };
    Ok(changed.len())
}

fn field<'a>(fields: &'a [(String, String)], name: &str) -> Option<&'a str> {
    fields.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
}

/// What the form is about and what it wants, or what is wrong with it.
fn parsed(fields: &[(String, String)]) -> Result<(Which, Change), String> {
    let text = |name| field(fields, name).unwrap_or_default().to_owned();
    let which = Which { error: text("error"), scope: text("scope") };
    let id = |text: &str| text.parse::<JobId>().map_err(|error| error.to_string());
    for (button, act) in [("replay", Act::Replay), ("drop", Act::Drop)] {
        let Some(value) = field(fields, button) else { continue };
        let letters = match value {
            "all" if field(fields, "sure") != Some("yes") => {
                return Err("all that match are changed only where that is ticked".to_owned());
            }
            "all" => {
                let scope = given(&which.scope).map(|text| text.parse()).transpose();
                let scope = scope.map_err(|error: shared::model::Invalid| error.to_string())?;
                Some(DeadLetters { error: given(&which.error), scope, ..DeadLetters::default() })
            }
            "chosen" => {
                let chosen = fields.iter().filter(|(name, _)| name == "job").map(|(_, value)| id(value));
                let jobs = chosen.collect::<Result<Vec<JobId>, String>>()?;
                (!jobs.is_empty()).then(|| DeadLetters { jobs, ..DeadLetters::default() })
            }
            one => Some(DeadLetters { jobs: vec![id(one)?], ..DeadLetters::default() }),
        };
        return Ok((which, Change { act, letters }));
    }
    Err("it is not said what is to be done".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(body: &str) -> Result<Change, String> {
        let fields: Vec<(String, String)> = form_urlencoded::parse(body.as_bytes()).into_owned().collect();
        parsed(&fields).map(|(_, change)| change)
    }

    fn jobs(ids: &[u64]) -> DeadLetters {
        let jobs = ids.iter().map(|id| id.to_string().parse().unwrap()).collect();
        DeadLetters { jobs, ..DeadLetters::default() }
    }

    #[test]
    fn a_button_says_what_is_done_to_which() {
        let made = |act, letters| Ok(Change { act, letters });
        assert_eq!(
            change("job=1&job=2&replay=3"),
            made(Act::Replay, Some(jobs(&[3]))),
            "the ticked ones are not meant"
        );
        assert_eq!(change("job=1&job=2&drop=chosen"), made(Act::Drop, Some(jobs(&[1, 2]))));
        assert_eq!(change("drop=chosen"), made(Act::Drop, None), "none is not all");
        let some = DeadLetters { error: Some("no image".to_owned()), ..DeadLetters::default() };
        assert_eq!(change("error=no+image&scope=&sure=yes&replay=all&job=1"), made(Act::Replay, Some(some)));
    }

    #[test]
    fn nothing_is_done_that_was_not_said() {
        for odd in [
            "",
            "job=1",
            "drop=",
            "drop=x",
            "drop=all",
            "drop=all&sure=no",
            "replay=chosen&job=x",
            "drop=all&sure=yes&scope=//",
        ] {
            assert!(change(odd).is_err(), "{odd}");
        }
    }
}
