//! Pages put together are the folder in its order, whatever its names are.
#![allow(clippy::disallowed_methods, reason = "a test makes the folder that it lists")]

use std::{collections::BTreeSet, fs, path::Path};

use beckon_shared::{
    entry::{Direction, EntryKind, SortKey},
    id::RootId,
    path::{Label, RootPath},
};
use proptest::prelude::*;

use super::*;
use crate::state::RootConfig;

fn root(path: &Path) -> Root {
    let path = fs::canonicalize(path).unwrap();
    Root::new(&RootConfig {
        id: RootId([1; 16]),
        name: Label::new("root").unwrap(),
        path,
        writable: false,
        ignore: String::new(),
    })
}

fn ask(sort: SortKey, direction: Direction, max_bytes: u32) -> ListAsk {
    ListAsk {
        root: RootId([1; 16]),
        path: RootPath::root(),
        sort,
        direction,
        offset: 0,
        max_bytes,
        snapshot: None,
    }
}

/// All names of all pages, as they come.
fn walk(listings: &Listings, root: &Root, mut ask: ListAsk) -> Vec<Vec<u8>> {
    let mut names = Vec::new();
    loop {
        let page = listings.page(root, &ask).unwrap();
        names.extend(page.entries.iter().map(|entry| entry.name.as_bytes().to_vec()));
        if page.next >= page.total {
            return names;
        }
        assert!(page.next > ask.offset);
        (ask.offset, ask.snapshot) = (page.next, Some(page.snapshot));
    }
}

fn as_text(names: Vec<Vec<u8>>) -> Vec<String> {
    names.into_iter().map(|name| String::from_utf8(name).unwrap()).collect()
}

#[test]
fn folders_come_first_in_either_direction() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["b", "d10", "d9"] {
        fs::create_dir(folder.path().join(name)).unwrap();
    }
    for (name, size) in [("a1", 30), ("A2", 10), ("z", 20)] {
        fs::write(folder.path().join(name), vec![0; size]).unwrap();
    }
    let (listings, root) = (Listings::default(), root(folder.path()));
    let names = |sort, direction| as_text(walk(&listings, &root, ask(sort, direction, PAGE_MAX)));
    assert_eq!(
        names(SortKey::Name, Direction::Ascending),
        ["b", "d9", "d10", "a1", "A2", "z"]
    );
    assert_eq!(
        names(SortKey::Name, Direction::Descending),
        ["d10", "d9", "b", "z", "A2", "a1"]
    );
    assert_eq!(
        names(SortKey::Size, Direction::Ascending),
        ["b", "d9", "d10", "A2", "z", "a1"]
    );
    assert_eq!(
        names(SortKey::Size, Direction::Descending),
        ["d10", "d9", "b", "a1", "z", "A2"]
    );
}

#[test]
fn sorting_by_time_asks_for_times() {
    let folder = tempfile::tempdir().unwrap();
    for (name, seconds) in [("new", 3000), ("old", 1000), ("middle", 2000)] {
        let file = fs::File::create(folder.path().join(name)).unwrap();
        file.set_modified(std::time::UNIX_EPOCH + std::time::Duration::from_secs(seconds))
            .unwrap();
    }
    let found = walk(
        &Listings::default(),
        &root(folder.path()),
        ask(SortKey::Time, Direction::Descending, PAGE_MAX),
    );
    assert_eq!(as_text(found), ["new", "middle", "old"]);
}

#[test]
fn a_snapshot_does_not_shift_when_entries_come_and_go() {
    let folder = tempfile::tempdir().unwrap();
    let name = |number: usize| format!("{number:05}-{}", "x".repeat(200));
    for number in 0..200 {
        fs::write(folder.path().join(name(number)), b"").unwrap();
    }
    let (listings, root) = (Listings::default(), root(folder.path()));
    let mut ask = ask(SortKey::Name, Direction::Ascending, 4096);
    let first = listings.page(&root, &ask).unwrap();
    assert!(first.next < 50, "{}", first.next);
    fs::remove_file(folder.path().join(name(first.next as usize))).unwrap();
    fs::write(folder.path().join("00000"), b"").unwrap();
    (ask.offset, ask.snapshot) = (first.next, Some(first.snapshot));
    let second = listings.page(&root, &ask).unwrap();
    assert_eq!(second.total, 200);
    assert_eq!(
        second.entries[0].name.as_str(),
        Some(name(first.next as usize + 1).as_str())
    );
    assert_eq!(second.next - second.offset, second.entries.len() as u64 + 1);
}

#[test]
fn only_a_few_snapshots_are_kept_and_a_lost_one_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let (listings, root) = (Listings::default(), root(folder.path()));
    let mut ask = ask(SortKey::Name, Direction::Ascending, PAGE_MAX);
    let first = listings.page(&root, &ask).unwrap().snapshot;
    for _ in 0..SNAPSHOTS_MAX {
        listings.page(&root, &ask).unwrap();
    }
    ask.snapshot = Some(first);
    assert_eq!(listings.page(&root, &ask).unwrap_err().code, ErrorCode::Conflict);
}

#[test]
fn a_snapshot_is_not_taken_for_another_view() {
    let folder = tempfile::tempdir().unwrap();
    let (listings, root) = (Listings::default(), root(folder.path()));
    let mut ask = ask(SortKey::Name, Direction::Ascending, PAGE_MAX);
    ask.snapshot = Some(listings.page(&root, &ask).unwrap().snapshot);
    ask.sort = SortKey::Size;
    assert_eq!(listings.page(&root, &ask).unwrap_err().code, ErrorCode::Conflict);
}

#[test]
fn what_is_no_folder_is_said() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("file"), b"").unwrap();
    let (listings, root) = (Listings::default(), root(folder.path()));
    let mut ask = ask(SortKey::Name, Direction::Ascending, PAGE_MAX);
    for path in ["file", "nothing"] {
        ask.path = RootPath::new(path).unwrap();
        assert_eq!(
            listings.page(&root, &ask).unwrap_err().code,
            ErrorCode::NotFound,
            "{path}"
        );
    }
}

#[cfg(unix)]
#[test]
fn hostile_names_stay_addressable_and_links_show_where_they_point() {
    use std::os::unix::ffi::OsStrExt;
    let folder = tempfile::tempdir().unwrap();
    let long = "n".repeat(255);
    let names: [&[u8]; 5] = [
        b"two\nlines",
        b"\xff\xfe",
        "right\u{202e}gnp.exe".as_bytes(),
        long.as_bytes(),
        b" ",
    ];
    for name in names {
        fs::write(folder.path().join(std::ffi::OsStr::from_bytes(name)), b"x").unwrap();
    }
    std::os::unix::fs::symlink("/etc/passwd", folder.path().join("link")).unwrap();
    let root = root(folder.path());
    let page = Listings::default()
        .page(&root, &ask(SortKey::Name, Direction::Ascending, PAGE_MAX))
        .unwrap();
    let found: BTreeSet<_> = page.entries.iter().map(|entry| entry.name.as_bytes()).collect();
    assert_eq!(found, names.into_iter().chain([b"link".as_slice()]).collect());
    for entry in &page.entries {
        let again = root.folder(&RootPath::root()).unwrap().stat(&entry.name).unwrap();
        assert_eq!(again.stamp.size, entry.stamp.size);
        assert_eq!(
            entry.target.as_deref(),
            (entry.kind == EntryKind::Symlink).then_some(b"/etc/passwd".as_slice())
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn pages_put_together_are_a_plain_sort(
        names in proptest::collection::btree_set("[aAbB01éx]{1,6}", 0..120),
        descending in any::<bool>(),
    ) {
        let folder = tempfile::tempdir().unwrap();
        for name in &names {
            fs::write(folder.path().join(name), b"").unwrap();
        }
        let mut expected: Vec<&str> = names.iter().map(String::as_str).collect();
        expected.sort_by(|a, b| natural::compare(a.as_bytes(), b.as_bytes()));
        let direction = if descending { Direction::Descending } else { Direction::Ascending };
        if descending {
            expected.reverse();
        }
        let found = walk(&Listings::default(), &root(folder.path()), ask(SortKey::Name, direction, 0));
        prop_assert_eq!(as_text(found), expected);
    }
}
