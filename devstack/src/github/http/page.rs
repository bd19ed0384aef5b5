//! Long answers come in pages.

use std::fmt::Write as _;

use actix_web::HttpRequest;
use serde::Deserialize;

/// How many things are on a page unless it is said.
const PER_PAGE: usize = 30;
/// The most that are on a page, however many are asked for.
const PER_PAGE_MAX: usize = 100;

/// Which page is asked for.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Page {
    per_page: Option<usize>,
    page: Option<usize>,
}

impl Page {
    /// The part of `all` that is on the page.
    pub(super) fn cut<T>(self, all: Vec<T>) -> Vec<T> {
        all.into_iter().skip((self.number() - 1) * self.size()).take(self.size()).collect()
    }

    /// The `Link` header that leads to the pages beside this one, if there are any.
    pub(super) fn link(self, request: &HttpRequest, public_url: &str, total: usize) -> Option<(&'static str, String)> {
        let last = total.div_ceil(self.size()).max(1);
        let mut header = String::new();
        for (number, relation) in
            [(self.number().saturating_sub(1), "prev"), (self.number() + 1, "next"), (last, "last"), (1, "first")]
        {
            let there = match relation {
                "next" | "last" => self.number() < last,
                _ => self.number() > 1,
            };
            if there {
                let comma = if header.is_empty() { "" } else { ", " };
                let url = format!("{public_url}{}?per_page={}&page={number}", request.path(), self.size());
                // Writing to a String cannot fail.
                write!(header, "{comma}<{url}>; rel=\"{relation}\"").unwrap_or_default();
            }
        }
        (!header.is_empty()).then_some(("link", header))
    }

    fn size(self) -> usize {
        self.per_page.unwrap_or(PER_PAGE).clamp(1, PER_PAGE_MAX)
    }

    fn number(self) -> usize {
        self.page.unwrap_or(1).max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_has_at_most_a_hundred_and_thirty_unless_it_is_said() {
        let all: Vec<usize> = (0..250).collect();
        assert_eq!(Page::default().cut(all.clone()), (0..30).collect::<Vec<_>>());
        let third = Page { per_page: Some(1000), page: Some(3) };
        assert_eq!(third.cut(all.clone()), (200..250).collect::<Vec<_>>());
        assert!(Page { per_page: None, page: Some(10) }.cut(all).is_empty());
    }
}
