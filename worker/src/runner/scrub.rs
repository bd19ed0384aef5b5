//! Takes secrets out of what a runner printed, before it is kept.

use std::collections::BTreeMap;

/// What stands in a secret's place.
const MASK: &str = "***";

/// The fewest bytes of a value that is taken for a secret by the name of its variable: a shorter one would mask what is none.
const SECRET_BYTES_MIN: usize = 6;

/// The fewest characters of base64 in a row that are masked if they are mixed: a key, or a piece of a JIT configuration. Digests
/// have 64.
const BASE64_CHARS_MIN: usize = 80;

/// What the name of a variable has in it whose value is a secret.
const TELLTALE: [&str; 7] = ["TOKEN", "SECRET", "PASSWORD", "PASSWD", "KEY", "CREDENTIAL", "JITCONFIG"];

/// What the secrets begin with that are known by that, and what may follow: GitHub's tokens, and base64 of JSON as in a JWT or a
/// JIT configuration.
const BEGINNINGS: [&str; 7] = ["ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_", "eyJ"];

/// The fewest characters behind such a beginning.
const REST_CHARS_MIN: usize = 10;

/// By this a job's step tells the runner what is a secret.
const ADD_MASK: &str = "::add-mask::";

/// The lines without secrets: the values of `environment` whose names say that they are secret, what the lines themselves ask to
/// be masked, and what looks like a key, a token or a password in an address.
pub(super) fn scrub(lines: &[String], environment: &BTreeMap<String, String>) -> Vec<String> {
    let telltale = |name: &str| TELLTALE.iter().any(|telltale| name.to_ascii_uppercase().contains(telltale));
    let values = environment.iter().filter(|(name, _)| telltale(name)).map(|(_, value)| value.as_str());
    let asked = lines.iter().filter_map(|line| line.split_once(ADD_MASK)).map(|(_, value)| value.trim());
    let mut secrets: Vec<&str> = values.chain(asked).filter(|value| value.len() >= SECRET_BYTES_MIN).collect();
    secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len())); // one may be a part of another
    lines.iter().map(|line| scrub_line(line, &secrets)).collect()
}

fn scrub_line(line: &str, secrets: &[&str]) -> String {
    let known = secrets.iter().fold(line.to_owned(), |line, secret| line.replace(secret, MASK));
    let known = match known.split_once(ADD_MASK) {
        Some((before, _)) => format!("{before}{ADD_MASK}{MASK}"), // also one that is too short to be masked elsewhere
        None => known,
    };
    mask_passwords(&mask_words(&known))
}

/// Masks what looks like a secret by itself.
fn mask_words(line: &str) -> String {
    let is_of_word = |c: char| c.is_ascii_alphanumeric() || "+/=_-".contains(c);
    let mut text = String::with_capacity(line.len());
    let mut rest = line;
    while let Some(from) = rest.find(is_of_word) {
        let (before, word) = rest.split_at(from);
        let (word, after) = word.split_at(word.find(|c| !is_of_word(c)).unwrap_or(word.len()));
        text.push_str(before);
        text.push_str(&mask_word(word));
        rest = after;
    }
    text + rest
}

fn mask_word(word: &str) -> String {
    let place =
        |beginning: &&str| word.find(beginning).filter(|at| word.len() >= at + beginning.len() + REST_CHARS_MIN);
    if let Some(at) = BEGINNINGS.iter().filter_map(place).min() {
        return format!("{}{MASK}", &word[..at]);
    }
    let has = |kind: fn(&char) -> bool| word.chars().any(|c| kind(&c));
    let is_mixed = has(char::is_ascii_uppercase) && has(char::is_ascii_lowercase) && has(char::is_ascii_digit);
    if word.len() >= BASE64_CHARS_MIN && is_mixed { MASK.to_owned() } else { word.to_owned() }
}

/// Masks what stands before the host of an address: `https://user:password@host`.
fn mask_passwords(line: &str) -> String {
    let mut parts = line.split("://");
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let authority = part.find(|c: char| c.is_whitespace() || "/?#\"'".contains(c)).unwrap_or(part.len());
        text.push_str("://");
        match part[..authority].rfind('@') {
            Some(at) => text.extend([MASK, &part[at..]]),
            None => text.push_str(part),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scrubbed(line: &str) -> String {
        let environment = [
            ("TOKEN", "AABF3JGZDX3P5PMEXLND6TS6FCWO6"),
            ("MY_PASSWORD", "pa$$word"),
            ("A_KEY", "a"),
            ("HOME", "/root"),
        ];
        let environment = environment.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        scrub(&[line.to_owned()], &environment).concat()
    }

    #[test]
    fn secrets_are_masked_wherever_they_stand() {
        let key = "aB3+".repeat(43);
        for (line, without) in [
            ("--token AABF3JGZDX3P5PMEXLND6TS6FCWO6 --name x", "--token *** --name x"),
            ("xpa$$wordx", "x***x"),
            ("with ghp_0123456789abcdefABCDEF.", "with ***."),
            ("key=github_pat_11ABCDEFG0_abcdefghijkl", "key=***"),
            ("Bearer eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.c2ln", "Bearer ***.***.c2ln"),
            (&format!("\"d\":\"{key}\""), "\"d\":\"***\""),
            ("proxy http://user:p@ss@proxy:3128/x@y failed", "proxy http://***@proxy:3128/x@y failed"),
            ("::add-mask::abc", "::add-mask::***"),
        ] {
            assert_eq!(scrubbed(line), without);
        }
    }

    #[test]
    fn what_is_no_secret_is_left() {
        let digest = format!("sha256:{}", "0aB9".repeat(16));
        let path = format!("/home/runner/{}", "long-part/".repeat(20));
        for line in [
            "2026-01-31 23:59:59Z: Listening for Jobs",
            &digest,
            &path,
            "a /root eyJ ghp_ https://github.com/octo/repo?a=b@c",
            "",
        ] {
            assert_eq!(scrubbed(line), line);
        }
    }

    #[test]
    fn what_a_line_asks_to_be_masked_is_masked_in_all() {
        let lines = ["first hunter22", "::add-mask::hunter22", "then hunter22!"].map(str::to_owned);
        assert_eq!(scrub(&lines, &BTreeMap::new()), ["first ***", "::add-mask::***", "then ***!"]);
    }
}
