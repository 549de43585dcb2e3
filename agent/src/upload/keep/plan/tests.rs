//! Tables of what moved and what is gone.

use beckon_shared::{id::Hash, path::Name};

use super::*;
use crate::{index::Row, scan::Found};

fn path(text: &str) -> RootPath {
    RootPath::new(text).unwrap()
}

fn stamp(kind: EntryKind, file_id: u64) -> SourceStamp {
    SourceStamp {
        size: if kind == EntryKind::File { file_id } else { 0 },
        mtime_ns: file_id as i64,
        ctime_ns: 0,
        file_id,
    }
}

/// A path, which is a folder's if it ends with a slash, and its number.
fn parsed(text: &str) -> (RootPath, EntryKind, u64) {
    let (name, id) = text.split_once('#').unwrap();
    let kind = if name.ends_with('/') {
        EntryKind::Folder
    } else {
        EntryKind::File
    };
    (path(name.trim_end_matches('/')), kind, id.parse().unwrap())
}

fn lost(text: &str) -> Lost {
    let (path, kind, id) = parsed(text);
    let row = Row {
        kind,
        stamp: stamp(kind, id),
        read_ns: 0,
        mode: 0,
        hash: Hash([0; 32]),
    };
    Lost { path, row }
}

fn fresh(text: &str) -> Fresh {
    let is_new = !text.starts_with('=');
    let (path, kind, id) = parsed(text.trim_start_matches('='));
    let entry = Entry {
        name: Name::new("x").unwrap(),
        kind,
        stamp: stamp(kind, id),
        target: None,
    };
    let known = (!is_new).then(|| lost(text.trim_start_matches('=')).row);
    Fresh {
        found: Found { path, entry, mode: 0 },
        known,
        is_new,
        is_other: false,
    }
}

fn planned(gone: &[&str], new: &[&str]) -> (Vec<String>, Vec<String>, usize) {
    let mut gone: Vec<_> = gone.iter().map(|text| lost(text)).collect();
    gone.sort_by(|one, other| one.path.cmp(&other.path));
    let new: Vec<_> = new.iter().map(|text| fresh(text)).collect();
    let plan = plan(&gone, &new);
    let changes = plan.changes.iter().map(|change| match change {
        Change::Remove { path } => format!("-{}", path.display()),
        Change::Move { from, to } => format!("{}>{}", from.display(), to.display()),
        Change::Put { .. } => panic!("a plan puts nothing"),
    });
    let folders = plan.folders.iter().map(|one| one.found.path.display());
    (folders.collect(), changes.collect(), plan.gone.len())
}

#[test]
fn what_moved_is_told_from_what_is_gone() {
    type Case<'a> = (&'a [&'a str], &'a [&'a str], &'a [&'a str], &'a [&'a str], usize);
    let cases: &[Case<'_>] = &[
        (&[], &["a#1"], &[], &[], 0),
        (&["a#1"], &["b#1"], &[], &["a>b"], 0),
        // Another file with the same number.
        (&["a#1"], &["b/#1"], &[], &["-a"], 1),
        // Something was stored where it is now: it is put there.
        (&["a#1"], &["=b#1"], &[], &["-a"], 1),
        // A folder with what is in it, and one that is another folder with the same number.
        (&["f/#1", "f/x#2", "f/y#3"], &["g/#1", "g/x#2"], &[], &["f>g"], 0),
        (&["f/#1", "f/x#2"], &["g/#1", "g/x#9"], &[], &["-f"], 1),
        (&["f/#1"], &["g/#1"], &[], &["-f"], 0),
        // Out of a folder that is gone.
        (&["f/#1", "f/x#2"], &["x#2"], &[], &["f/x>x", "-f"], 0),
        // Below new folders.
        (
            &["x#2"],
            &["n/#5", "n/m/#6", "n/m/x#2", "o/#7"],
            &["n", "n/m"],
            &["x>n/m/x"],
            0,
        ),
        // Below itself or above itself it cannot be moved.
        (&["a/b#1", "a/#2"], &["a#1"], &[], &["-a"], 1),
        // A folder and what was in it, apart: the one that is found first.
        (
            &["f/#1", "f/x#2", "f/y#3"],
            &["e#2", "g/#1", "g/y#3"],
            &[],
            &["f/x>e", "f>g"],
            0,
        ),
        (&["f/#1", "f/x#2", "f/y#3"], &["g/#1", "g/y#3", "h#2"], &[], &["f>g"], 0),
        // Two links to one file.
        (&["a#1"], &["b#1", "c#1"], &[], &["a>b"], 0),
    ];
    for (gone, new, folders, changes, files) in cases {
        let strings = |texts: &[&str]| texts.iter().map(|text| text.to_string()).collect::<Vec<_>>();
        assert_eq!(
            planned(gone, new),
            (strings(folders), strings(changes), *files),
            "{gone:?} {new:?}"
        );
    }
}
