//! `.dockerignore`: what of a directory is not sent to the engine.

use globset::{GlobBuilder, GlobMatcher};

/// The patterns of a `.dockerignore`, with Docker's meaning: they begin at the directory itself, `*` stays in its part
/// of a path and `**` does not, a pattern that fits a directory fits all in it, `!` takes back, and the last one that
/// fits decides.
#[derive(Clone, Debug, Default)]
pub(super) struct Ignore(Vec<Rule>);

#[derive(Clone, Debug)]
struct Rule {
    text: String,
    pattern: GlobMatcher,
    takes_back: bool,
}

/// A line of `.dockerignore` that is no pattern.
#[derive(Debug, thiserror::Error)]
#[error("line {line} is no pattern: {problem}")]
pub(super) struct IgnoreError {
    line: usize,
    problem: globset::Error,
}

impl Ignore {
    /// Reads the text of a `.dockerignore`. `kept` are paths that are sent whatever it says.
    pub(super) fn parse(text: &str, kept: &[&str]) -> Result<Self, IgnoreError> {
        let mut rules = Vec::new();
        let text = text.trim_start_matches('\u{feff}');
        for (index, line) in text.lines().enumerate() {
            if line.starts_with('#') {
                continue;
            }
            let (pattern, takes_back) = match line.trim().strip_prefix('!') {
                Some(pattern) => (pattern.trim(), true),
                None => (line.trim(), false),
            };
            let pattern = cleaned(pattern);
            if pattern.is_empty() {
                continue;
            }
            rules.push(rule(pattern, takes_back).map_err(|problem| IgnoreError { line: index + 1, problem })?);
        }
        for path in kept {
            let literal = GlobBuilder::new(&globset::escape(path)).literal_separator(true).build();
            let pattern = literal.map_err(|problem| IgnoreError { line: 0, problem })?.compile_matcher();
            rules.push(Rule { text: (*path).to_owned(), pattern, takes_back: true });
        }
        Ok(Self(rules))
    }

    /// Whether the file or directory at `path`, relative to the directory and with `/` in it, is left out.
    pub(super) fn leaves_out(&self, path: &str) -> bool {
        let fits = |rule: &&Rule| prefixes(path).any(|prefix| rule.pattern.is_match(prefix));
        self.0.iter().rev().find(fits).is_some_and(|rule| !rule.takes_back)
    }

    /// Whether something in `directory`, which is left out, may be taken back: as Docker does, only where a pattern
    /// names the directory in so many letters.
    pub(super) fn takes_back_in(&self, directory: &str) -> bool {
        let names = |rule: &Rule| rule.text.strip_prefix(directory).is_some_and(|rest| rest.starts_with('/'));
        self.0.iter().any(|rule| rule.takes_back && names(rule))
    }
}

/// `a`, `a/b`, `a/b/c` of `a/b/c`.
fn prefixes(path: &str) -> impl Iterator<Item = &str> {
    path.match_indices('/').map(|(index, _)| &path[..index]).chain([path])
}

/// A pattern without what means nothing in it: `/a/./b/` is `a/b`, and `a/../b` is `b`.
fn cleaned(pattern: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in pattern.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    parts.join("/")
}

fn rule(text: String, takes_back: bool) -> Result<Rule, globset::Error> {
    // Docker has no alternatives in braces.
    let glob = text.replace('{', "[{]").replace('}', "[}]");
    let pattern = GlobBuilder::new(&glob).literal_separator(true).backslash_escape(true).build()?.compile_matcher();
    Ok(Rule { text, pattern, takes_back })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn left_out(text: &str, paths: &[&str]) -> Vec<String> {
        let ignore = Ignore::parse(text, &[]).unwrap();
        paths.iter().filter(|path| ignore.leaves_out(path)).map(ToString::to_string).collect()
    }

    #[test]
    fn patterns_begin_at_the_directory_itself() {
        let paths = ["target", "target/a", "worker/target", "targets", "a.log", "b/a.log"];
        assert_eq!(left_out("target", &paths), ["target", "target/a"]);
        assert_eq!(left_out("/target/", &paths), ["target", "target/a"]);
        assert_eq!(left_out("./x/../target", &paths), ["target", "target/a"]);
        assert_eq!(left_out("*.log", &paths), ["a.log"]);
        assert_eq!(left_out("*/*.log", &paths), ["b/a.log"]);
        assert_eq!(left_out("**/*.log", &paths), ["a.log", "b/a.log"]);
        assert_eq!(left_out("**/target", &paths), ["target", "target/a", "worker/target"]);
        assert_eq!(left_out("t?rget", &paths), ["target", "target/a"]);
        assert_eq!(left_out("[a-c]/**", &paths), ["b/a.log"]);
    }

    #[test]
    fn the_last_pattern_that_fits_decides() {
        let paths = ["docs", "docs/a.md", "docs/b/c.md", "README.md"];
        assert_eq!(left_out("*\n!docs", &paths), ["README.md"]);
        assert_eq!(left_out("docs\n!docs/*.md", &paths), ["docs", "docs/b/c.md"]);
        assert_eq!(left_out("*.md\n!README*.md\nREADME.md", &paths), ["README.md"]);
        assert_eq!(left_out("docs/**\n!**/c.md", &paths), ["docs/a.md"]);
    }

    #[test]
    fn comments_and_empty_lines_are_no_patterns() {
        assert!(left_out("\u{feff}# a\n\n  \n!\n.\n", &["a", "# a", "."]).is_empty());
        assert_eq!(left_out("a{b,c}", &["ab", "a{b,c}"]), ["a{b,c}"]);
        assert_eq!(Ignore::parse("\n[", &[]).unwrap_err().line, 2);
    }

    #[test]
    fn what_the_build_needs_is_kept_whatever_is_ignored() {
        let ignore = Ignore::parse("**", &["dev/[x].Dockerfile", ".dockerignore"]).unwrap();
        assert!(!ignore.leaves_out("dev/[x].Dockerfile") && !ignore.leaves_out(".dockerignore"));
        assert!(ignore.leaves_out("dev/x.Dockerfile"));
        assert!(ignore.takes_back_in("dev") && !ignore.takes_back_in("de") && !ignore.takes_back_in("target"));
    }
}
