//! Words of commands that are told to people, so that a shell reads each as one.

/// A word as it is typed: in quotes where it holds anything that a shell would take for something else.
pub(crate) fn word(text: &str) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || "-_./:@%+,=".contains(c);
    match text.chars().all(is_plain) && !text.is_empty() {
        true => text.to_owned(),
        // Shells of Windows know no other quotes.
        false if !text.contains(['"', '$', '`', '\\', '!']) => format!("\"{text}\""),
        false => format!("'{}'", text.replace('\'', r"'\''")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_read_as_one_and_as_it_is() {
        for (text, typed) in [
            ("desk:Documents", "desk:Documents"),
            ("desk:文档", "desk:文档"),
            ("my desk:Documents", "\"my desk:Documents\""),
            ("it's", "\"it's\""),
            ("$HOME:a'b", r"'$HOME:a'\''b'"),
            ("", "\"\""),
        ] {
            assert_eq!(word(text), typed);
        }
    }
}
