//! What counts as held, and what survives damage.
#![allow(
    clippy::disallowed_methods,
    reason = "the tests damage the file that the index lives in"
)]

use std::fs;

use beckon_shared::{
    entry::{Entry, EntryKind, SourceStamp},
    id::Hash,
    path::Name,
};

use super::*;

const SPACE: SpaceId = SpaceId(uuid::Uuid::from_u128(1));
const TRANSFER: TransferId = TransferId(uuid::Uuid::from_u128(2));
const ROOT: RootId = RootId([3; 16]);

const SECOND: i64 = 1_000_000_000;

fn stamp() -> SourceStamp {
    SourceStamp {
        size: 5,
        mtime_ns: 100 * SECOND,
        ctime_ns: 101 * SECOND,
        file_id: 7,
    }
}

fn row() -> Row {
    Row {
        kind: EntryKind::File,
        stamp: stamp(),
        read_ns: 102 * SECOND,
        mode: 0o644,
        hash: Hash([1; 32]),
    }
}

fn entry() -> Entry {
    Entry {
        name: Name::new("file").unwrap(),
        kind: EntryKind::File,
        stamp: stamp(),
        target: None,
    }
}

fn path(text: &str) -> RootPath {
    RootPath::new(text).unwrap()
}

fn head(number: u64) -> ChainHead {
    ChainHead {
        number,
        hash: Hash([number as u8; 32]),
    }
}

fn committed(number: u64, rows: Vec<(RootPath, Row)>) -> Committed {
    Committed {
        head: head(number),
        rows,
    }
}

fn opened() -> (tempfile::TempDir, StateDir, Index) {
    let folder = tempfile::tempdir().unwrap();
    let state = StateDir::open(&folder.path().join("state")).unwrap();
    let index = Index::open(&state).unwrap();
    (folder, state, index)
}

#[test]
fn a_row_comes_back_in_its_own_source_and_epoch_only() {
    let (_folder, state, index) = opened();
    let source = index.source(SPACE, ROOT, 1, ChainHead::EMPTY).unwrap();
    let other = index.source(SPACE, RootId([4; 16]), 1, ChainHead::EMPTY).unwrap();
    index.record(source, &committed(1, vec![(path("a/b"), row())])).unwrap();
    drop(index);
    let index = Index::open(&state).unwrap();
    assert_eq!(index.known_source(SPACE, ROOT), Some(source));
    assert_eq!(index.view(source).row(&path("a/b")), Some(row()));
    assert_eq!(index.view(source).row(&path("a")), None);
    assert_eq!(index.view(other).row(&path("a/b")), None);
    let later = index.source(SPACE, ROOT, 2, head(1)).unwrap();
    assert_eq!(index.view(later).row(&path("a/b")), None, "the server's side changed");
}

#[test]
fn what_was_confirmed_before_the_drive_changed_counts_as_far_as_the_server_can_vouch_for_it() {
    let (_folder, _state, index) = opened();
    let source = index.source(SPACE, ROOT, 1, head(6)).unwrap();
    index.record(source, &committed(7, vec![(path("a"), row())])).unwrap();
    let known = |epoch| {
        index
            .view(index.known_source(SPACE, ROOT).unwrap())
            .known(&path("a"), epoch)
    };
    assert_eq!((known(1), known(2)), (Known::Held(row()), Known::Held(row())));
    assert_eq!(known(0), Known::Stale, "the server is an older copy of itself");
    assert_eq!(known(ERA), Known::Stale, "something was removed for good");
    let source = index.source(SPACE, ROOT, 2, head(7)).unwrap();
    assert_eq!(
        index.view(source).row(&path("a")),
        None,
        "an upload asks about it again"
    );
    assert_eq!((known(2), known(1)), (Known::Held(row()), Known::Stale));
    assert_eq!(index.view(source).known(&path("b"), 2), Known::Nothing);
    index.source(SPACE, ROOT, ERA, head(7)).unwrap();
    assert_eq!(known(ERA), Known::Stale);
    index
        .record(
            index.known_source(SPACE, ROOT).unwrap(),
            &committed(8, vec![(path("a"), row())]),
        )
        .unwrap();
    assert_eq!(known(ERA), Known::Held(row()));
    index.source(SPACE, ROOT, ERA, head(6)).unwrap();
    assert_eq!(known(ERA), Known::Stale, "the server forgot the newest commits");
}

#[test]
fn what_the_server_forgot_is_asked_again() {
    let (_folder, _state, index) = opened();
    let source = index.source(SPACE, ROOT, 1, head(6)).unwrap();
    index.record(source, &committed(7, vec![(path("a"), row())])).unwrap();
    let held = |head| {
        index
            .view(index.source(SPACE, ROOT, 1, head).unwrap())
            .row(&path("a"))
            .is_some()
    };
    assert!(held(head(7)), "it knows the newest commit");
    assert!(held(head(8)), "a commit went through whose answer was lost");
    assert!(!held(head(6)), "it is an older copy of itself");
    let source = index.source(SPACE, ROOT, 1, head(6)).unwrap();
    index.record(source, &committed(7, vec![(path("a"), row())])).unwrap();
    assert!(
        !held(ChainHead {
            number: 7,
            hash: Hash([9; 32])
        }),
        "its newest commit is another one"
    );
}

#[test]
fn a_count_goes_on_after_a_restart_until_it_is_forgotten() {
    let (_folder, _state, index) = opened();
    let killed = std::mem::ManuallyDrop::new(index.tally(TRANSFER));
    (0..1000).for_each(|_| killed.add(100_000));
    let found = index.tally(TRANSFER).sum();
    assert!((100_000_000 - (256 << 10)..=100_000_000).contains(&found), "{found}");
    index.tally(TRANSFER).add(1);
    assert_eq!(index.tally(TRANSFER).sum(), found + 1);
    index.forget_transfer(TRANSFER);
    assert_eq!(index.tally(TRANSFER).sum(), 0);
}

#[test]
fn only_an_equal_and_settled_stamp_is_held() {
    assert_eq!(row().standing(&entry()), Standing::Held);
    let unsettled = Row {
        read_ns: 102 * SECOND - 1,
        ..row()
    };
    assert_eq!(unsettled.standing(&entry()), Standing::Unsettled);
    type Change = fn(&mut Entry);
    let changes: [Change; 5] = [
        |entry| entry.stamp.size += 1,
        |entry| entry.stamp.mtime_ns += 1,
        |entry| entry.stamp.ctime_ns += 1,
        |entry| entry.stamp.file_id += 1,
        |entry| entry.kind = EntryKind::Symlink,
    ];
    for change in changes {
        let mut changed = entry();
        change(&mut changed);
        assert_eq!(row().standing(&changed), Standing::Other);
    }
}

#[test]
fn a_symlink_is_held_while_it_points_to_the_same() {
    let target = b"there".to_vec();
    let link = Entry {
        kind: EntryKind::Symlink,
        target: Some(target.clone()),
        ..entry()
    };
    let row = Row {
        kind: EntryKind::Symlink,
        hash: Hash::of(&target),
        read_ns: 0,
        ..row()
    };
    assert_eq!(
        row.standing(&link),
        Standing::Held,
        "what it points to came with the stamp, so it needs no settling"
    );
    assert_eq!(
        row.standing(&Entry {
            target: Some(b"elsewhere".to_vec()),
            ..link
        }),
        Standing::Other
    );
}

#[test]
fn a_damaged_index_is_moved_aside_and_made_anew() {
    let (folder, state, index) = opened();
    let source = index.source(SPACE, ROOT, 1, ChainHead::EMPTY).unwrap();
    let rows: Vec<_> = (0..3000).map(|at| (path(&format!("file {at}")), row())).collect();
    index.record(source, &committed(1, rows)).unwrap();
    drop(index);
    let file = folder.path().join("state").join(FILE);
    let whole = fs::read(&file).unwrap();
    for damaged in [
        b"no database at all".to_vec(),
        vec![0; 8192],
        whole[..whole.len() / 2].to_vec(),
    ] {
        fs::write(&file, damaged).unwrap();
        let index = Index::open(&state).unwrap();
        assert_eq!(index.known_source(SPACE, ROOT), None);
    }
    let aside = fs::read_dir(folder.path().join("state")).unwrap();
    let aside = aside.filter(|entry| {
        entry
            .as_ref()
            .unwrap()
            .file_name()
            .to_string_lossy()
            .contains("damaged")
    });
    assert!(aside.count() >= 1);
}

#[test]
fn an_index_in_use_is_not_taken_for_damaged() {
    let (_folder, state, _index) = opened();
    assert_eq!(Index::open(&state).err().unwrap().code, ErrorCode::Conflict);
}

#[test]
fn damage_within_the_index_is_found_when_it_is_opened() {
    let (folder, state, index) = opened();
    let source = index.source(SPACE, ROOT, 1, ChainHead::EMPTY).unwrap();
    let rows: Vec<_> = (0..3000).map(|at| (path(&format!("file {at}")), row())).collect();
    index.record(source, &committed(1, rows)).unwrap();
    assert_eq!(index.note(), None);
    drop(index);
    let file = folder.path().join("state").join(FILE);
    let mut damaged = fs::read(&file).unwrap();
    let at = damaged.windows(9).position(|window| window == b"file 1500").unwrap();
    damaged[at] ^= 1;
    fs::write(&file, damaged).unwrap();
    let index = Index::open(&state).unwrap();
    assert_eq!(index.known_source(SPACE, ROOT), None);
    assert!(index.note().unwrap().contains("damaged"));
}

#[test]
fn what_was_not_seen_is_counted_below_the_selection_only_and_can_be_forgotten() {
    let (_folder, _state, index) = opened();
    let source = index.source(SPACE, ROOT, 1, ChainHead::EMPTY).unwrap();
    let other = index.source(SPACE, RootId([4; 16]), 1, ChainHead::EMPTY).unwrap();
    let folder = Row {
        kind: EntryKind::Folder,
        ..row()
    };
    let names = ["a", "a.zip", "a/b", "a/c", "b"];
    let rows = names.map(|name| (path(name), if name == "a" { folder.clone() } else { row() }));
    index.record(source, &committed(1, rows.to_vec())).unwrap();
    index.record(other, &committed(1, vec![(path("a/b"), row())])).unwrap();
    let gone = |selection: &[&str], seen: &[&str]| {
        let selection: Vec<_> = selection.iter().map(|text| path(text)).collect();
        let gone = index
            .view(source)
            .gone(&selection, |path, _| seen.iter().any(|seen| seen.as_bytes() == path));
        ((gone.known, gone.files), gone)
    };
    assert_eq!(gone(&["a"], &["a", "a/b"]).0, (2, 1), "a.zip is not in it");
    assert_eq!(gone(&["a", "b"], &[]).0, (3, 3));
    assert_eq!(gone(&[""], &["b"]).0, (4, 3));
    assert!(index.view(source).knows_files(&[path("a")]));
    assert!(!index.view(source).knows_files(&[path("c")]));
    index.forget(source, &gone(&["a"], &[]).1).unwrap();
    assert_eq!(gone(&[""], &[]).0, (2, 2));
    assert_eq!(index.view(other).row(&path("a/b")), Some(row()));
}

#[test]
fn which_folder_a_root_was_is_known_after_a_restart() {
    let (_folder, state, index) = opened();
    let source = index.source(SPACE, ROOT, 1, ChainHead::EMPTY).unwrap();
    let other = index.source(SPACE, RootId([4; 16]), 1, ChainHead::EMPTY).unwrap();
    assert_eq!(index.top(source), None);
    index.keep_top(source, 2).unwrap();
    index.keep_top(source, 7).unwrap();
    drop(index);
    let index = Index::open(&state).unwrap();
    assert_eq!((index.top(source), index.top(other)), (Some(7), None));
}

/// What an agent with a large root pays at each start: `cargo test -p beckon --lib a_million_rows -- --ignored --nocapture`.
#[test]
#[ignore = "makes a million rows and measures"]
#[allow(clippy::print_stderr, reason = "a measurement")]
fn a_million_rows_are_opened_and_checked() {
    let (folder, state, index) = opened();
    let source = index.source(SPACE, ROOT, 1, ChainHead::EMPTY).unwrap();
    for part in 0..100 {
        let name = |at| path(&format!("folder {}/a file with a name of usual length {at}", at % 500));
        let rows: Vec<_> = (0..10_000).map(|at| (name(part * 10_000 + at), row())).collect();
        index.record(source, &committed(part + 1, rows)).unwrap();
    }
    drop(index);
    let len = fs::metadata(folder.path().join("state").join(FILE)).unwrap().len();
    for _ in 0..2 {
        let begun = std::time::Instant::now();
        let index = Index::open(&state).unwrap();
        eprintln!("{} MB opened and checked in {:?}", len / 1_000_000, begun.elapsed());
        assert_eq!(index.note(), None);
    }
}
