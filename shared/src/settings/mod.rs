//! Settings come from environment variables, and from `.env` in the working directory where it exists; the environment
//! wins. Each concern has a struct beside its user, read here by its prefix. All problems are reported together, by
//! the variable's name.

pub mod dotenv;
mod environment;
mod value;
mod webhook;

pub use environment::{Environment, KNOWN, SECRETS, SettingsError};
pub use value::{days, list, number, number_some, parsed, parsed_some, seconds, switch};
pub use webhook::WebhookSecrets;
