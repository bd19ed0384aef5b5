//! Why a provider did not do what it was asked.

use std::error::Error;

/// Why a provider did not do what it was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProviderError {
    /// The engine does not answer; what was asked may have been done. Nobody's job is at fault: start nothing until it
    /// answers again.
    #[error("the container engine does not answer: cannot {doing}")]
    Unavailable {
        /// What was to be done.
        doing: String,
        /// What the connection said.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },

    /// The image is not there and was not to be had.
    #[error("the image {image} is absent: {problem}")]
    ImageAbsent {
        /// The image, with its tag or digest.
        image: String,
        /// Why, and what to do.
        problem: String,
    },

    /// The engine refuses: no space, a limit, an option that it does not know, a name that is taken.
    #[error("the container engine refuses to {doing}: {message}")]
    Refused {
        /// What was to be done.
        doing: String,
        /// What the engine says, and which option it is about if that is known.
        message: String,
    },

    /// The container is not there any more.
    #[error("the runner's container is gone")]
    Gone,
}

impl ProviderError {
    /// The engine could not be reached to do that.
    pub fn unavailable(doing: impl Into<String>, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Unavailable { doing: doing.into(), source: source.into() }
    }

    /// The engine said no.
    pub fn refused(doing: impl Into<String>, message: impl Into<String>) -> Self {
        Self::Refused { doing: doing.into(), message: message.into() }
    }

    /// Whether the engine is away: the worker then stops reserving and is not ready.
    #[must_use]
    pub fn is_unavailable(&self) -> bool {
        matches!(self, Self::Unavailable { .. })
    }
}
