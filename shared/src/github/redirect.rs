//! Redirects. GitHub sends one where a repository was renamed or transferred.

use reqwest::{Method, StatusCode, Url};

/// The most redirects of one call.
pub(super) const REDIRECTS_MAX: usize = 3;

/// Where to make the same call again; `None` when the redirect is not to be followed: it leads to another host, which
/// must not get the token, or it would change the call into another one.
pub(super) fn follow(method: &Method, status: StatusCode, from: &Url, location: &str) -> Option<Url> {
    let to = from.join(location).ok()?;
    let same_call = match status {
        StatusCode::TEMPORARY_REDIRECT | StatusCode::PERMANENT_REDIRECT => true,
        StatusCode::MOVED_PERMANENTLY | StatusCode::FOUND => *method == Method::GET,
        _ => false,
    };
    let same_host = to.origin() == from.origin() && to.username().is_empty() && to.password().is_none();
    (same_call && same_host).then_some(to)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn followed(method: &Method, status: u16, location: &str) -> Option<String> {
        let from = Url::parse("https://api.github.com/repos/old/name/actions/runners").unwrap();
        follow(method, StatusCode::from_u16(status).unwrap(), &from, location).map(Into::into)
    }

    #[test]
    fn a_renamed_repository_is_found_under_its_new_address() {
        let new = "https://api.github.com/repositories/7/actions/runners";
        assert_eq!(followed(&Method::GET, 301, new).as_deref(), Some(new));
        assert_eq!(followed(&Method::POST, 307, new).as_deref(), Some(new));
        assert_eq!(followed(&Method::DELETE, 308, "/repositories/7/actions/runners").as_deref(), Some(new));
    }

    #[test]
    fn no_other_host_gets_the_token() {
        for other in [
            "https://example.com/repositories/7",
            "//example.com/",
            "http://api.github.com/repositories/7",
            "https://api.github.com:8443/repositories/7",
            "https://api.github.com@example.com/",
            "https://api.github.com.example.com/",
            "https://hush@api.github.com/",
            "",
        ] {
            let followed = followed(&Method::GET, 307, other);
            assert!(other.is_empty() || followed.is_none(), "{other} led to {followed:?}");
        }
    }

    #[test]
    fn a_call_never_turns_into_another_one() {
        for (method, status) in [(Method::POST, 301), (Method::DELETE, 302), (Method::POST, 303), (Method::GET, 304)] {
            assert_eq!(followed(&method, status, "/repositories/7"), None, "{method} {status}");
        }
    }
}
