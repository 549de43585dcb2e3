//! Names below a root that are this program's own: nobody lists, uploads or copies them, and no order writes them.

use beckon_shared::path::{Name, RootPath};

/// At the top of a root: what orders took away.
pub(crate) const OWN_FOLDER: &str = ".beckon";

/// A file that is being written begins like this, wherever it is.
const PART: &str = ".beckon-PART-";

/// The name of a file while it is written; `random` tells it from others.
pub(crate) fn part_name(random: [u8; 8]) -> String {
    format!("{PART}{}", hex::encode(random))
}

/// Whether a path is this program's own, or leads through something that is.
pub(crate) fn is_own(path: &RootPath) -> bool {
    path.names()
        .enumerate()
        .any(|(depth, name)| is_hidden(&name, depth == 0))
}

/// Whether a name in a folder is this program's own. Some systems take no notice of case.
pub(super) fn is_hidden(name: &Name, is_top: bool) -> bool {
    let begins = |with: &str| {
        let head = name.as_bytes().get(..with.len());
        head.is_some_and(|head| head.eq_ignore_ascii_case(with.as_bytes()))
    };
    begins(PART) || is_top && begins(OWN_FOLDER) && name.as_bytes().len() == OWN_FOLDER.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_names_are_known_by_their_place() {
        let part = part_name([7; 8]);
        for (own, path) in [
            (true, ".beckon"),
            (true, ".beckon/trash/2026-11-23/a"),
            (true, ".Beckon/trash"),
            (false, "a/.beckon"),
            (false, ".beckon-notes"),
            (false, ".beckons"),
            (true, &part),
            (true, &format!("a/{part}")),
            (true, &format!("{part}/a")),
            (false, ""),
            (false, "a"),
        ] {
            assert_eq!(is_own(&RootPath::new(path).unwrap()), own, "{path}");
        }
    }
}
