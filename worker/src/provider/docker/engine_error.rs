//! What the engine's errors mean.

use bollard::errors::Error;

use crate::provider::ProviderError;

/// The most characters of a message of the engine's that are passed on.
const MESSAGE_CHARS_MAX: usize = 1000;

/// Parts of the engine's messages, in lower case, and what they are about.
const HINTS: [(&str, &str); 20] = [
    ("memory limit", "check memory in [pool.docker]"),
    ("range of cpus", "check cpus in [pool.docker]"),
    ("unknown runtime", "check runtime in [pool.docker]"),
    ("invalid runtime", "check runtime in [pool.docker]"),
    (
        "inter-container communication",
        "load the kernel's module br_netfilter on the engine's host, or name a network in [pool.docker]",
    ),
    (
        "address pool",
        "remove networks that nobody needs, give the engine more default-address-pools, or name a network in [pool.docker]",
    ),
    ("non running container", "the Docker daemon beside the runner has ended: check dind_image in [pool.docker]"),
    ("network", "check network in [pool.docker]"),
    ("capadd", "check cap_add in [pool.docker]"),
    ("capability", "check cap_add in [pool.docker]"),
    ("volume specification", "check volumes in [pool.docker]"),
    ("mount config", "check volumes in [pool.docker]"),
    ("mount path", "check volumes in [pool.docker]"),
    ("volume name", "check volumes in [pool.docker]"),
    ("invalid mode", "check volumes in [pool.docker]"),
    ("passwd file", "check user in [pool.docker]"),
    ("group file", "check user in [pool.docker]"),
    ("no space left", "free some space on the engine's disk, for example with docker system prune"),
    ("run.sh", "the image is no runner's: it must have /home/runner/run.sh"),
    ("/home/runner", "the image is no runner's: it must have /home/runner"),
];

/// What `error` means for whoever wanted to do something.
pub(super) fn classify(doing: &str, error: Error) -> ProviderError {
    match error {
        Error::DockerResponseServerError { status_code, message } => answered(doing, status_code, &message),
        Error::DockerStreamError { error } | Error::DockerContainerWaitError { error, .. } => {
            refused_or_away(doing, &error)
        }
        // What was asked or answered could not be put into words: waiting does not mend that.
        error @ (Error::JsonDataError { .. }
        | Error::JsonSerdeError { .. }
        | Error::URLEncodedError { .. }
        | Error::URLParseError { .. }
        | Error::InvalidURIError { .. }
        | Error::InvalidURIPartsError { .. }
        | Error::HttpClientError { .. }) => ProviderError::refused(doing, error.to_string()),
        error => ProviderError::unavailable(doing, error),
    }
}

/// What the engine's answer means.
fn answered(doing: &str, status: u16, message: &str) -> ProviderError {
    let said = message.to_ascii_lowercase();
    match status {
        404 if said.contains("no such container") => ProviderError::Gone,
        409 if said.contains("removal") => ProviderError::Gone,
        502..=504 => ProviderError::unavailable(doing, shortened(message)),
        _ => refused_or_away(doing, message),
    }
}

fn refused_or_away(doing: &str, message: &str) -> ProviderError {
    let said = message.to_ascii_lowercase();
    if is_away(&said) {
        return ProviderError::unavailable(doing, shortened(message));
    }
    let message = shortened(message);
    let hint = HINTS.iter().find(|(part, _)| said.contains(part));
    ProviderError::refused(doing, hint.map_or(message.clone(), |(_, hint)| format!("{message} ({hint})")))
}

/// Whether the engine says, in lower case, that it is about to be gone, or that what it is made of is.
pub(super) fn is_away(said: &str) -> bool {
    said.contains("shutting down")
        || said.contains("containerd.sock")
        || said.contains("cannot connect to the docker daemon")
}

/// The engine's words on one line of bounded length.
pub(super) fn shortened(message: &str) -> String {
    let line = message.split_whitespace().collect::<Vec<_>>().join(" ");
    let line = if line.is_empty() { "it does not say why" } else { &line };
    line.chars().take(MESSAGE_CHARS_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status_code: u16, message: &str) -> ProviderError {
        classify("try", Error::DockerResponseServerError { status_code, message: message.to_owned() })
    }

    #[test]
    fn only_a_container_that_is_not_there_is_gone() {
        assert!(matches!(answer(404, "No such container: c0ffee"), ProviderError::Gone));
        assert!(matches!(answer(409, "removal of container c0ffee is already in progress"), ProviderError::Gone));
        assert!(matches!(answer(404, "network x not found"), ProviderError::Refused { .. }));
        assert!(matches!(answer(409, "The container name \"/x\" is already in use"), ProviderError::Refused { .. }));
    }

    #[test]
    fn an_engine_that_is_away_is_nobodys_fault() {
        let refused = std::io::Error::from(std::io::ErrorKind::ConnectionRefused);
        for error in
            [Error::IOError { err: refused }, Error::RequestTimeoutError, Error::SocketNotFoundError("x".to_owned())]
        {
            assert!(classify("try", error).is_unavailable());
        }
        assert!(answer(503, "").is_unavailable());
        assert!(answer(500, "the daemon is shutting down").is_unavailable());
        assert!(!answer(500, "no space left on device").is_unavailable());
    }

    #[test]
    fn a_refusal_names_the_option_that_it_is_about() {
        for (message, option) in [
            ("Minimum memory limit allowed is 6MB", "memory"),
            ("Range of CPUs is from 0.01 to 2.00, as there are only 2 CPUs available", "cpus"),
            ("Unknown runtime specified crun", "runtime"),
            ("network nowhere not found", "network"),
            ("invalid CapAdd: unknown capability: \"CAP_X\"", "cap_add"),
            ("invalid volume specification: 'x:y:z'", "volumes"),
            ("unable to find user x: no matching entries in passwd file", "user"),
        ] {
            let error = answer(400, message).to_string();
            assert_eq!(
                error,
                format!("the container engine refuses to try: {message} (check {option} in [pool.docker])")
            );
        }
    }

    #[test]
    fn a_network_that_cannot_be_made_or_joined_says_what_to_do() {
        for (message, what) in [
            (
                "cannot restrict inter-container communication: please ensure that br_netfilter kernel module is loaded",
                "load the",
            ),
            (
                "could not find an available, non-overlapping IPv4 address pool among the defaults to assign to the network",
                "remove",
            ),
            ("cannot join network of a non running container: c0ffee", "the Docker daemon beside"),
        ] {
            let error = answer(400, message).to_string();
            assert!(error.contains(&format!("({what}")), "{error}");
        }
    }

    #[test]
    fn a_message_is_one_line_of_bounded_length() {
        let ProviderError::Refused { message, .. } = answer(400, &"two\nlines ".repeat(1000)) else { panic!() };
        assert!(message.starts_with("two lines two") && message.len() == MESSAGE_CHARS_MAX);
    }
}
