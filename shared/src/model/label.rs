//! Labels: what a job demands of a runner, and what a runner offers.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use super::{Invalid, text_type};

/// The most characters that GitHub takes in a label.
const LABEL_CHARS_MAX: usize = 256;
/// The most labels that GitHub takes for one runner.
const LABELS_MAX: usize = 100;

/// One label. Two labels are the same when they differ in case only.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct Label(String);

impl FromStr for Label {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let text = text.trim();
        if text.is_empty() {
            return Err(Invalid::new("a label", "is not empty"));
        }
        if text.chars().count() > LABEL_CHARS_MAX {
            return Err(Invalid::new("a label", format!("has at most {LABEL_CHARS_MAX} characters")));
        }
        // A comma would split it in two where labels are handed over as one text.
        if text.chars().any(|c| c.is_control() || c == ',') {
            return Err(Invalid::new("a label", "has neither a comma nor control characters in it"));
        }
        Ok(Self(text.to_owned()))
    }
}

text_type!(Label);

impl PartialEq for Label {
    fn eq(&self, other: &Self) -> bool {
        self.0.eq_ignore_ascii_case(&other.0)
    }
}

impl Eq for Label {}

/// A set of at most 100 labels, in the order in which they were given.
#[derive(Clone, Debug, Default, Eq, PartialEq, Deserialize, Serialize)]
#[serde(try_from = "Vec<Label>", into = "Vec<Label>")]
pub struct Labels(Vec<Label>);

impl Labels {
    /// The labels in order.
    pub fn iter(&self) -> std::slice::Iter<'_, Label> {
        self.0.iter()
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Those of `demanded` that are not among these: none when a runner with these labels may take the job.
    pub fn missing<'a>(&self, demanded: &'a Labels) -> impl Iterator<Item = &'a Label> + use<'a, '_> {
        demanded.iter().filter(|label| !self.0.contains(label))
    }
}

impl<'a> IntoIterator for &'a Labels {
    type Item = &'a Label;
    type IntoIter = std::slice::Iter<'a, Label>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl TryFrom<Vec<Label>> for Labels {
    type Error = Invalid;

    /// Leaves out labels that were given before.
    fn try_from(labels: Vec<Label>) -> Result<Self, Invalid> {
        if labels.len() > LABELS_MAX {
            return Err(Invalid::new("a set of labels", format!("has at most {LABELS_MAX}, not {}", labels.len())));
        }
        let mut set: Vec<Label> = Vec::with_capacity(labels.len());
        for label in labels {
            if !set.contains(&label) {
                set.push(label);
            }
        }
        Ok(Self(set))
    }
}

impl From<Labels> for Vec<Label> {
    fn from(labels: Labels) -> Self {
        labels.0
    }
}

impl FromStr for Labels {
    type Err = Invalid;

    /// Reads labels separated by commas.
    fn from_str(text: &str) -> Result<Self, Invalid> {
        let labels: Result<Vec<Label>, Invalid> = text.split(',').map(str::parse).collect();
        labels?.try_into()
    }
}

impl fmt::Display for Labels {
    /// Separated by commas, as `config.sh --labels` takes them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, label) in self.0.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            write!(f, "{comma}{label}")?;
        }
        Ok(())
    }
}
