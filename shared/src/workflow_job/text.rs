//! Text of strangers, made fit for records, logs and terminals.

/// The first `most` characters of `text`, with spaces for control characters: such text ends up on terminals.
#[must_use]
pub fn cut(text: &str, most: usize) -> String {
    text.chars().take(most).map(|c| if c.is_control() { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_cut_between_characters_and_moves_no_cursor() {
        assert_eq!(cut("äöü", 2), "äö");
        assert_eq!(cut("a\u{1b}[2J\nb", 9), "a [2J b");
        assert_eq!(cut("short", 256), "short");
    }
}
