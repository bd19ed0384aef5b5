//! Every setting that there is gets from `.env` into the containers.

/// The text of `compose.yaml`.
const COMPOSE: &str = include_str!("../../../compose.yaml");

/// What `.env` has no say in, for `compose.yaml` sets it itself, or one value would not do for all.
const NOT_TAKEN: [&str; 3] = ["INGEST_ADMIN_BIND", "INGEST_BIND", "WORKER_NAME"];

#[test]
fn every_setting_is_passed_on_and_secrets_as_files() {
    for name in shared::settings::KNOWN.into_iter().filter(|name| !NOT_TAKEN.contains(name)) {
        // A secret's file is one of /run/secrets, or where the stack's own variable says.
        let files = [format!("{name}_FILE: /run/secrets/"), format!("{name}_FILE: ${{GITHUB_")];
        let passed = COMPOSE.contains(&format!("${{{name}:-")) || files.iter().any(|file| COMPOSE.contains(file));
        assert!(passed, "{name} is not passed on in compose.yaml");
    }
    for secret in shared::settings::SECRETS.into_iter().filter(|name| *name != "QUEUE_URL") {
        assert!(!COMPOSE.contains(&format!("${{{secret}")), "{secret} would be seen in `docker inspect`");
    }
}
