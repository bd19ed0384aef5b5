//! Lines of a `.env`.

/// `NAME=VALUE`, with quotes where the value needs them, so that it is read back as it is.
#[must_use]
pub fn line(name: &str, value: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "_-./:@,+=%".contains(c);
    if value.chars().all(is_plain) {
        return format!("{name}={value}\n");
    }
    if !value.contains(['\'', '\\']) {
        return format!("{name}='{value}'\n");
    }
    let escaped: String =
        value.chars().flat_map(|c| if "\\\"$".contains(c) { vec!['\\', c] } else { vec![c] }).collect();
    format!("{name}=\"{escaped}\"\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_read_back_as_it_was_whatever_is_in_it() {
        for value in [
            "plain",
            "redis://user:p%40ss@host:6379/0",
            "two words",
            "a#b",
            "#a",
            "$HOME",
            "it's",
            "\"quoted\"",
            "back\\slash",
            "all of it: ' \" \\ $X # ü",
            "YmFzZTY0+/==",
        ] {
            let text = line("A", value) + &line("B", "after");
            let read: Vec<(String, String)> = dotenvy::from_read_iter(text.as_bytes()).map(Result::unwrap).collect();
            let pairs = [("A", value), ("B", "after")].map(|(name, value)| (name.to_owned(), value.to_owned()));
            assert_eq!(read, pairs, "{text}");
        }
    }
}
