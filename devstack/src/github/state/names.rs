//! What GitHub takes as a name or a label, and how it refuses.

/// The most characters of a runner's name.
const NAME_CHARS_MAX: usize = 64;
/// Characters that no runner's name has.
const ODD: &str = r#""/:<>\|*?"#;
/// The most characters of a label.
const LABEL_CHARS_MAX: usize = 256;
/// The most labels of a runner.
const LABELS_MAX: usize = 100;

/// Why a call was not carried out.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Refusal {
    /// 404.
    NotFound,
    /// 409, with what stands in the way.
    Exists(String),
    /// 422, with what is wrong.
    Invalid(String),
    /// 422, with what is wrong about a webhook.
    Hook(String),
}

pub(super) fn check_name(name: &str) -> Result<(), Refusal> {
    let odd = |c: char| c.is_control() || ODD.contains(c);
    if name.is_empty() || name.chars().count() > NAME_CHARS_MAX || name.contains(odd) {
        let problem = format!("Invalid runner name: 1 to {NAME_CHARS_MAX} characters, none of {ODD}");
        return Err(Refusal::Invalid(problem));
    }
    Ok(())
}

pub(super) fn check_labels(labels: &[String]) -> Result<(), Refusal> {
    if labels.is_empty() || labels.len() > LABELS_MAX {
        return Err(Refusal::Invalid(format!("Invalid labels: 1 to {LABELS_MAX} are required, not {}", labels.len())));
    }
    match labels.iter().find(|label| label.trim().is_empty() || label.chars().count() > LABEL_CHARS_MAX) {
        Some(_) => Err(Refusal::Invalid(format!("Invalid labels: each has 1 to {LABEL_CHARS_MAX} characters"))),
        None => Ok(()),
    }
}

/// Whether two names of accounts, repositories or labels are the same.
pub(super) fn same(one: &str, other: &str) -> bool {
    one.eq_ignore_ascii_case(other)
}
