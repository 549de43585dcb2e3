//! Names as they may be shown on a terminal: whatever would move its cursor, colour it or turn its text around is spelt out.

use std::fmt::Write;

/// Bytes of a name: control and direction characters and bytes that are not UTF-8 are escaped, and so is the backslash,
/// so that no name looks like the escape of another.
pub(crate) fn visible(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                '\\' => out.push_str("\\\\"),
                c if is_unsafe(c) => out.extend(c.escape_default()),
                c => out.push(c),
            }
        }
        for byte in chunk.invalid() {
            // Writing to a String does not fail.
            let _ = write!(out, "\\x{byte:02x}");
        }
    }
    out
}

/// A message that another program wrote: line breaks stay, the rest as in [`visible`].
pub(crate) fn visible_text(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' => out.push(c),
            c if is_unsafe(c) => out.extend(c.escape_default()),
            c => out.push(c),
        }
    }
    out
}

/// Control characters, marks of direction (UAX #9), line separators, and characters that cannot be seen.
fn is_unsafe(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{061c}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_hostile_name_cannot_play_with_the_terminal() {
        assert_eq!(visible(b"a\x1b[2Jb\nc"), r"a\u{1b}[2Jb\nc");
        assert_eq!(visible("invoice\u{202e}gpj.exe".as_bytes()), r"invoice\u{202e}gpj.exe");
        assert_eq!(visible(b"caf\xe9"), r"caf\xe9");
        assert_eq!(visible(br"C:\x41"), r"C:\\x41");
    }

    #[test]
    fn ordinary_names_stay_as_they_are() {
        for name in ["Überraschung 2026.pdf", "写真", "a'b\"c $x", "👩‍💻"] {
            assert_eq!(visible(name.as_bytes()), name);
        }
    }

    proptest! {
        #[test]
        fn nothing_unsafe_is_left_and_no_two_names_look_alike(one in proptest::collection::vec(any::<u8>(), 0..12), two in proptest::collection::vec(any::<u8>(), 0..12)) {
            prop_assert!(!visible(&one).chars().any(is_unsafe));
            prop_assert_eq!(visible(&one) == visible(&two), one == two);
        }
    }
}
