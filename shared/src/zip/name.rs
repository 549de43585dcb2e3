//! How names that a ZIP file cannot carry are shown in it: text, different for different names, harmless everywhere.

use std::borrow::Cow;

use crate::id::Hash;

/// A path as the archive names it, and whether that is not its very bytes.
pub(super) struct Shown {
    pub(super) path: String,
    pub(super) altered: bool,
}

/// Shows a path name by name, so that what lies in one folder stays together.
pub(super) fn shown(path: &[u8]) -> Shown {
    let mut text = String::with_capacity(path.len() + 1);
    let mut altered = false;
    for name in path.split(|byte| *byte == b'/') {
        if !text.is_empty() {
            text.push('/');
        }
        let name = shown_name(name);
        altered |= matches!(name, Cow::Owned(_));
        text.push_str(&name);
    }
    Shown { path: text, altered }
}

/// The same path with the mark on its last name, for one that only letter case tells from another.
pub(super) fn told_apart(shown: Shown, path: &[u8]) -> Shown {
    let name = path.rsplit(|byte| *byte == b'/').next().unwrap_or(path);
    let folder = shown.path.rfind('/').map_or("", |end| &shown.path[..=end]);
    Shown {
        path: format!("{folder}{}", marked(name)),
        altered: true,
    }
}

/// A name itself where it is text, harmless, and does not look marked; else something readable with a mark.
fn shown_name(name: &[u8]) -> Cow<'_, str> {
    match std::str::from_utf8(name) {
        Ok(text) if !is_hostile(text) && !is_marked(text) => Cow::Borrowed(text),
        _ => Cow::Owned(marked(name)),
    }
}

/// Names that Windows takes for devices, whatever their ending (Naming Files, Paths, and Namespaces; `COM` and `LPT` besides
/// with a digit behind them).
const DEVICES: [&str; 4] = ["CON", "PRN", "AUX", "NUL"];

/// Whether Windows cannot have a file of this name, or a program there, to which `\` parts folders and `C:` is a drive, could
/// be led out of its folder; or whether who lists the archive could be misled by characters that are not seen.
fn is_hostile(name: &str) -> bool {
    name.contains(is_bad) || name.ends_with([' ', '.']) || is_device(name)
}

fn is_bad(c: char) -> bool {
    let turns = matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    turns || c.is_control() || matches!(c, '\\' | ':' | '*' | '?' | '"' | '<' | '>' | '|')
}

fn is_device(name: &str) -> bool {
    let stem = name
        .split('.')
        .next()
        .unwrap_or_default()
        .trim_end()
        .to_ascii_uppercase();
    let numbered = ["COM", "LPT"].iter().filter_map(|device| stem.strip_prefix(device));
    DEVICES.contains(&stem.as_str())
        || numbered
            .into_iter()
            .any(|rest| rest.len() == 1 && rest.as_bytes()[0].is_ascii_digit())
}

/// `lossy~0a1b2c3d.txt`: the digits are the start of the BLAKE3 of the name's bytes.
fn marked(name: &[u8]) -> String {
    let text = String::from_utf8_lossy(name).replace(is_bad, "_");
    let (stem, ending) = parts(text.trim_end_matches([' ', '.']));
    let before = if is_device(stem) { "_" } else { "" };
    format!("{before}{stem}~{}{ending}", &Hash::of(name).to_string()[..8])
}

fn is_marked(name: &str) -> bool {
    let Some((_, mark)) = parts(name).0.rsplit_once('~') else {
        return false;
    };
    mark.len() == 8 && mark.bytes().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'))
}

/// What stands before the last dot, and the rest; a leading dot begins no ending.
fn parts(name: &str) -> (&str, &str) {
    match name.rfind('.') {
        Some(at) if at > 0 => name.split_at(at),
        _ => (name, ""),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn text_stays_as_it_is() {
        for name in [
            "plain.txt",
            "日本語",
            "a\u{fffd}",
            "~",
            " leading",
            ".hidden",
            "console.txt",
            "com10",
        ] {
            assert_eq!(shown_name(name.as_bytes()), name);
        }
    }

    #[test]
    fn bytes_that_are_no_text_are_marked_before_the_ending() {
        let shown = shown(b"folder\xff/caf\xe9.txt");
        assert!(shown.altered);
        let (folder, file) = shown.path.split_once('/').unwrap();
        assert!(folder.starts_with("folder\u{fffd}~") && folder.len() == "folder\u{fffd}~".len() + 8);
        assert!(file.starts_with("caf\u{fffd}~") && file.ends_with(".txt"));
    }

    #[test]
    fn a_name_that_looks_marked_is_marked_again() {
        let first = marked(b"caf\xe9.txt");
        assert_ne!(shown_name(first.as_bytes()), first);
    }

    #[test]
    fn what_windows_cannot_have_is_shown_as_it_can() {
        for name in [
            "12:30",
            "back\\slash.txt",
            "*star?.txt",
            "<a|b>\"",
            "trailing space ",
            "dots..",
            "nul",
            "Con.tar.gz",
            "lpt1 .txt",
            "\u{202e}gnp.exe",
        ] {
            let shown = shown_name(name.as_bytes()).into_owned();
            assert!(shown != name && !is_hostile(&shown), "{name:?} is shown as {shown:?}");
        }
        assert!(shown_name(b"*star?.txt").starts_with("_star_~"));
    }

    #[test]
    fn names_that_climb_on_windows_lose_their_backslashes() {
        for name in ["..\\..\\evil.exe", "\\windows\\x", "C:evil", "c:\\x", "a\\..", "..\\"] {
            let shown = shown_name(name.as_bytes()).into_owned();
            assert!(
                !is_hostile(&shown) && !shown.contains('\\'),
                "{name:?} is shown as {shown:?}"
            );
        }
    }

    #[test]
    fn control_characters_are_not_shown() {
        for name in ["line\nfeed", "\u{1b}[31mred", "del\u{7f}", "c1\u{9b}2J"] {
            let shown = shown(name.as_bytes());
            assert!(
                shown.altered && !shown.path.contains(char::is_control),
                "{name:?} is shown as {:?}",
                shown.path
            );
        }
        assert!(shown(b"line\nfeed.txt").path.starts_with("line_feed~"));
    }

    proptest! {
        #[test]
        fn different_names_are_shown_differently(names in proptest::collection::hash_set(proptest::collection::vec(prop_oneof![Just(b'a'), Just(0xff), Just(0xfe), Just(b'.'), Just(b'~'), Just(b'\\'), any::<u8>()], 1..5), 1..40)) {
            let mut seen = HashMap::new();
            for name in names.iter().filter(|name| !name.contains(&b'/')) {
                if let Some(other) = seen.insert(shown_name(name).into_owned(), name) {
                    prop_assert!(false, "{name:?} and {other:?} are shown the same");
                }
            }
        }
    }
}
