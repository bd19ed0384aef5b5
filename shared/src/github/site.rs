//! Where GitHub is: its web address, and the address of its API that follows from it.

use std::{fmt, str::FromStr};

use reqwest::Url;

use crate::model::{Invalid, Scope};

const WHAT: &str = "GitHub's address";
/// The host of the GitHub that most people mean.
const GITHUB_COM: &str = "github.com";
/// Hosts under this name are GitHub Enterprise Cloud with data residency.
const GHE_COM: &str = ".ghe.com";

/// An address that paths can be appended to: `http` or `https`, a host, perhaps a port and a path, nothing else, and
/// no slash at its end.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct BaseUrl(String);

impl FromStr for BaseUrl {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let refused = |problem: &str| Err(Invalid::new(WHAT, problem));
        let url = match Url::parse(text.trim()) {
            Ok(url) if matches!(url.scheme(), "http" | "https") => url,
            _ => return refused("begins with https:// and its host, such as https://github.example.com"),
        };
        // Not quoted: what stands there may be a token.
        if !url.username().is_empty() || url.password().is_some() {
            return refused("has no user or password in it; the token is AUTOSCALER_GITHUB_PAT");
        }
        if url.query().is_some() || url.fragment().is_some() {
            return refused("has nothing after ? or # in it");
        }
        if url.host_str() == Some(GITHUB_COM) && url.path() != "/" {
            return refused("is https://github.com alone, without an organization or repository");
        }
        Ok(Self(url.as_str().trim_end_matches('/').to_owned()))
    }
}

impl Default for BaseUrl {
    /// `https://github.com`.
    fn default() -> Self {
        Self(format!("https://{GITHUB_COM}"))
    }
}

impl BaseUrl {
    /// Whether it is on this machine, where no proxy is of use.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        let Ok(url) = Url::parse(&self.0) else { return false };
        let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
        host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
    }

    /// Whether calls to it are encrypted.
    #[must_use]
    pub fn is_https(&self) -> bool {
        self.0.starts_with("https://")
    }

    /// The API of the GitHub whose web address this is.
    fn api(&self) -> Self {
        let host = self.0.split_once("://").map_or(self.0.as_str(), |(_, host)| host);
        if host == GITHUB_COM || (host.ends_with(GHE_COM) && !host.contains('/')) {
            return Self(format!("https://api.{host}"));
        }
        Self(format!("{}/api/v3", self.0))
    }
}

impl fmt::Display for BaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One GitHub.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Site {
    web: BaseUrl,
    api: BaseUrl,
}

impl Site {
    /// The GitHub at `web`. Its API is at `api`, or else where that kind of GitHub has it: `https://api.github.com`
    /// for github.com, `https://api.NAME.ghe.com` for ghe.com, `/api/v3` below `web` for a server of one's own.
    #[must_use]
    pub fn new(web: BaseUrl, api: Option<BaseUrl>) -> Self {
        let api = api.unwrap_or_else(|| web.api());
        Self { web, api }
    }

    /// The base of its API.
    #[must_use]
    pub fn api(&self) -> &BaseUrl {
        &self.api
    }

    /// Whether it is run by GitHub itself, with the limits that github.com has.
    #[must_use]
    pub fn is_hosted(&self) -> bool {
        let host = self.web.0.split_once("://").map_or(self.web.0.as_str(), |(_, host)| host);
        host == GITHUB_COM || (host.ends_with(GHE_COM) && !host.contains('/'))
    }

    /// The page of a scope, which is what a runner is configured with (`config.sh --url`).
    #[must_use]
    pub fn page(&self, scope: &Scope) -> String {
        format!("{}/{scope}", self.web)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn site(web: &str) -> Site {
        Site::new(web.parse().unwrap(), None)
    }

    #[test]
    fn the_api_is_where_that_kind_of_github_has_it() {
        for (web, api) in [
            ("https://github.com", "https://api.github.com"),
            ("https://github.com/", "https://api.github.com"),
            (" https://GitHub.com ", "https://api.github.com"),
            ("http://github.com", "https://api.github.com"),
            ("https://octo.ghe.com", "https://api.octo.ghe.com"),
            ("https://github.example.com", "https://github.example.com/api/v3"),
            ("https://example.com:8443/github//", "https://example.com:8443/github/api/v3"),
            ("http://127.0.0.1:3000", "http://127.0.0.1:3000/api/v3"),
            ("http://[::1]:3000/", "http://[::1]:3000/api/v3"),
            ("https://notgithub.com", "https://notgithub.com/api/v3"),
            ("https://github.com.example.com", "https://github.com.example.com/api/v3"),
        ] {
            assert_eq!(site(web).api().to_string(), api, "{web}");
        }
    }

    #[test]
    fn an_api_address_that_is_given_is_the_one_that_is_used() {
        let site = Site::new("https://github.com".parse().unwrap(), Some("http://stand-in:1/api/v3/".parse().unwrap()));
        assert_eq!(site.api().to_string(), "http://stand-in:1/api/v3");
    }

    #[test]
    fn a_runner_is_configured_with_the_page_of_its_scope() {
        let page = |scope: &str| site("https://example.com/github/").page(&scope.parse().unwrap());
        assert_eq!(page("octo/repo"), "https://example.com/github/octo/repo");
        assert_eq!(page("octo"), "https://example.com/github/octo");
        assert_eq!(page("enterprises/octo"), "https://example.com/github/enterprises/octo");
    }

    #[test]
    fn what_is_no_base_of_addresses_is_refused() {
        for text in [
            "",
            "github.com",
            "github.example.com:443",
            "ftp://github.com",
            "https://",
            "mailto:octo@github.com",
            "https://hush@github.example.com",
            "https://:hush@github.example.com",
            "https://github.example.com/?hush",
            "https://github.example.com/#hush",
            "https://github.com/octo-org",
        ] {
            let refused = text.parse::<BaseUrl>().expect_err(text).to_string();
            assert!(!refused.contains("hush"), "{refused}");
        }
    }
}
