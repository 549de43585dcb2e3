//! A selection in a few words, for people.

use crate::path::RootPath;

/// The text has at most so many bytes.
pub const WHAT_MAX: usize = 200;

/// A selection for people, in no language: as many of its first paths as fit, and how many more there are. `total` is how
/// many it has.
pub fn what(first: &[RootPath], total: u64) -> String {
    let total = total.max(first.len() as u64);
    let room = WHAT_MAX - format!(" +{total}").len();
    let (mut text, mut told) = (String::new(), 0);
    for path in first {
        let separator = if told == 0 { "" } else { ", " };
        let next = format!("{separator}{}", path.display());
        if text.len() + next.len() <= room {
            text.push_str(&next);
        } else if told == 0 {
            text = shorten(&next, room);
        } else {
            break;
        }
        told += 1;
    }
    match total - told {
        0 => text,
        more if text.is_empty() => format!("+{more}"),
        more => format!("{text} +{more}"),
    }
}

/// The end of a path tells more than its start.
fn shorten(text: &str, max: usize) -> String {
    let mut from = text.len() - (max - '…'.len_utf8());
    while !text.is_char_boundary(from) {
        from += 1;
    }
    format!("…{}", &text[from..])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn told(texts: &[&str]) -> String {
        let paths: Vec<_> = texts.iter().map(|text| RootPath::new(*text).unwrap()).collect();
        what(&paths, paths.len() as u64)
    }

    #[test]
    fn a_selection_is_told_by_its_paths() {
        assert_eq!(told(&["a/b"]), "a/b");
        assert_eq!(told(&["a", "b"]), "a, b");
        assert_eq!(told(&[""]), "");
        let long = "x".repeat(90);
        assert_eq!(told(&[&long, &long, &long]), format!("{long}, {long} +1"));
        assert_eq!(told(&[&"y".repeat(300), "b"]), format!("…{} +1", "y".repeat(194)));
    }

    #[test]
    fn paths_that_are_not_given_are_counted() {
        assert_eq!(what(&[RootPath::new("a").unwrap()], 2000), "a +1999");
        assert_eq!(what(&[], 3), "+3");
    }

    proptest! {
        #[test]
        fn what_is_told_always_fits(names in proptest::collection::vec("[a-zé/]{1,300}", 1..40), more in any::<u64>()) {
            let paths: Vec<_> = names.iter().filter_map(|name| RootPath::new(name.as_str()).ok()).collect();
            prop_assert!(what(&paths, more).len() <= WHAT_MAX);
        }
    }
}
