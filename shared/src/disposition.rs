//! `Content-Disposition: attachment` for any file name (RFC 6266, RFC 8187).

use std::fmt::Write;

/// The header's value: the name as UTF-8 for those who read `filename*`, an ASCII likeness for the others.
pub fn attachment(name: &str) -> String {
    let name: String = name
        .chars()
        .map(|letter| if is_harmful(letter) { '_' } else { letter })
        .collect();
    let likeness: String = name
        .chars()
        .map(|letter| if is_plain(letter) { letter } else { '_' })
        .collect();
    format!(
        "attachment; filename=\"{likeness}\"; filename*=UTF-8''{}",
        encoded(&name)
    )
}

/// What parts folders, controls a terminal, or turns the direction of reading so that another ending is seen.
fn is_harmful(letter: char) -> bool {
    letter.is_control()
        || matches!(letter, '/' | '\\' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}')
}

/// What means itself inside a quoted string; some browsers decode `%` there.
fn is_plain(letter: char) -> bool {
    matches!(letter, ' '..='~') && !matches!(letter, '"' | '%')
}

/// Everything but `attr-char` of RFC 8187 as percent and two hex digits.
fn encoded(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || b"!#$&+-.^_`|~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            // Writing to a string cannot fail.
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plain_name_stands_in_both_forms() {
        assert_eq!(
            attachment("a b.txt"),
            "attachment; filename=\"a b.txt\"; filename*=UTF-8''a%20b.txt"
        );
    }

    #[test]
    fn any_unicode_survives_and_quotes_cannot_end_the_string() {
        assert_eq!(
            attachment("é\"%41日.txt"),
            "attachment; filename=\"___41_.txt\"; filename*=UTF-8''%C3%A9%22%2541%E6%97%A5.txt"
        );
    }

    #[test]
    fn what_could_mislead_becomes_an_underscore() {
        let name = attachment("a\r\nSet-Cookie: x\u{202e}gnp.exe/..\\");
        assert_eq!(
            name,
            "attachment; filename=\"a__Set-Cookie: x_gnp.exe_.._\"; filename*=UTF-8''a__Set-Cookie%3A%20x_gnp.exe_.._"
        );
    }
}
