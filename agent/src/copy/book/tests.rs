//! What the book remembers, and for how long.

use beckon_shared::{
    browse::Conflict,
    chunk::ChunkRef,
    entry::{EntryKind, SourceStamp},
    id::{ChunkId, Hash},
    time::Timestamp,
};

use super::*;

fn path(text: &str) -> RootPath {
    RootPath::new(text).unwrap()
}

fn id(number: i64) -> TransferId {
    TransferId::new(Timestamp(number), [0; 10])
}

fn written(at: &str, chunk: u8) -> Written {
    Written {
        path: path(at),
        row: Row {
            kind: EntryKind::File,
            manifest: Hash([1; 32]),
            content: Hash([chunk; 32]),
            stamp: SourceStamp {
                size: 7,
                mtime_ns: 1,
                ctime_ns: 2,
                file_id: 3,
            },
            mode: 0o644,
            has_zero_tail: false,
            is_ours: false,
        },
        chunks: vec![ChunkRef {
            id: ChunkId([chunk; 32]),
            len: 7,
        }],
    }
}

fn book(paths: &[&str]) -> Book {
    let book = Book::in_memory().unwrap();
    for number in [1, 2] {
        book.begin_copy(id(number), RootId([number as u8; 16])).unwrap();
        let all: Vec<Written> = (0..).zip(paths).map(|(chunk, at)| written(at, chunk)).collect();
        book.write(id(number), |pen| pen.written(&all)).unwrap();
    }
    book
}

fn rows(book: &Book, number: i64, at: &str) -> Vec<String> {
    let (mut all, mut after) = (Vec::new(), None);
    loop {
        let page = book.rows(id(number), &path(at), after.as_ref(), 2).unwrap();
        let Some((last, _)) = page.last().cloned() else {
            return all;
        };
        all.extend(page.iter().map(|(path, _)| path.display()));
        after = Some(last);
    }
}

const PATHS: [&str; 5] = ["a", "a.txt", "a/b", "a/b/c", "b"];

#[test]
fn rows_come_in_pages_and_only_those_at_and_below_a_path() {
    let book = book(&PATHS);
    assert_eq!(rows(&book, 1, ""), PATHS);
    assert_eq!(rows(&book, 1, "a"), ["a", "a/b", "a/b/c"]);
    assert_eq!(rows(&book, 1, "a/b/c"), ["a/b/c"]);
    assert_eq!(book.count(id(1), &path("a")).unwrap(), (3, 21));
}

#[test]
fn what_is_removed_or_moved_takes_along_what_is_below_and_nothing_of_another_copy() {
    let book = book(&PATHS);
    book.write(id(1), |pen| pen.moved(&path("a"), &path("z/y"))).unwrap();
    assert_eq!(rows(&book, 1, ""), ["a.txt", "b", "z/y", "z/y/b", "z/y/b/c"]);
    let own = book.own(&[ChunkId([2; 32])]).unwrap();
    assert_eq!(own[0].as_ref().map(|own| own.path.display()).as_deref(), Some("z/y/b"));
    book.write(id(1), |pen| pen.removed(&[path("z/y/b")])).unwrap();
    assert_eq!(rows(&book, 1, ""), ["a.txt", "b", "z/y"]);
    assert_eq!(book.own(&[ChunkId([2; 32])]).unwrap(), [None]);
    assert_eq!(rows(&book, 2, ""), PATHS);
}

#[test]
fn a_copy_that_is_over_is_forgotten_but_for_what_nobody_has_decided() {
    let book = book(&PATHS);
    let conflict = Conflict {
        transfer: id(1),
        root: RootId([1; 16]),
        path: path("a"),
        kept: Some(path("a (kept)")),
        ours: None,
        theirs: None,
    };
    book.write(id(1), |pen| pen.conflict(&conflict)).unwrap();
    book.forget(id(1)).unwrap();
    book.forget(id(2)).unwrap();
    assert_eq!(rows(&book, 1, ""), Vec::<String>::new());
    assert_eq!(book.conflicts(id(1)).unwrap(), [conflict]);
    let known: Vec<TransferId> = book.all().into_iter().map(|(id, _)| id).collect();
    assert_eq!(known, [id(1)]);
    book.write(id(1), |pen| pen.settle(&path("a"), Some(&path("a (kept)"))))
        .unwrap();
    book.forget(id(1)).unwrap();
    assert!(book.all().is_empty());
}

#[test]
fn conflicts_move_with_their_files() {
    let book = book(&PATHS);
    let conflict = |at: &str, kept: Option<&str>| Conflict {
        transfer: id(1),
        root: RootId([1; 16]),
        path: path(at),
        kept: kept.map(path),
        ours: None,
        theirs: None,
    };
    let before = [conflict("a/b/c", Some("a/b/c (kept)")), conflict("a.txt", None)];
    book.write(id(1), |pen| {
        before.iter().try_for_each(|conflict| pen.conflict(conflict))
    })
    .unwrap();
    book.write(id(1), |pen| pen.moved(&path("a"), &path("z"))).unwrap();
    let after = [conflict("a.txt", None), conflict("z/b/c", Some("z/b/c (kept)"))];
    assert_eq!(book.conflicts(id(1)).unwrap(), after);
}

#[test]
fn only_a_stop_without_notice_makes_a_copy_suspect() {
    let folder = tempfile::tempdir().unwrap();
    let state = StateDir::open(folder.path()).unwrap();
    let book = Book::open(&state).unwrap();
    book.begin_copy(id(1), RootId([1; 16])).unwrap();
    book.close();
    drop(book);
    let book = Book::open(&state).unwrap();
    assert!(!book.is_suspect(id(1)));
    drop(book);
    let book = Book::open(&state).unwrap();
    assert!(book.is_suspect(id(1)));
    book.trust(id(1)).unwrap();
    book.close();
    drop(book);
    assert!(!Book::open(&state).unwrap().is_suspect(id(1)));
}

#[test]
#[allow(clippy::disallowed_methods, reason = "a test damages the file")]
fn a_damaged_book_is_set_aside_and_said() {
    let folder = tempfile::tempdir().unwrap();
    let state = StateDir::open(folder.path()).unwrap();
    drop(Book::open(&state).unwrap());
    std::fs::write(folder.path().join(FILE), [7; 5000]).unwrap();
    let book = Book::open(&state).unwrap();
    assert!(book.note().unwrap().contains("damaged") && book.all().is_empty());
    let another = Book::open(&state).err().unwrap();
    assert_eq!(another.code, ErrorCode::Conflict);
}
