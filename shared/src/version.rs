//! Which version this is.

/// The version, as a number.
pub const NUMBER: &str = env!("CARGO_PKG_VERSION");

/// The commit that a release was built from, with `, changed` behind it if its files were not those of the commit;
/// `unknown commit` in other builds.
pub const COMMIT: &str = env!("AUTOSCALER_COMMIT");

/// Both, as `--version` prints them.
pub const FULL: &str = concat!(env!("CARGO_PKG_VERSION"), " (", env!("AUTOSCALER_COMMIT"), ")");
