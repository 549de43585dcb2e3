//! Bytes of one state of a file, and of no other.
#![allow(clippy::disallowed_methods, reason = "a test makes the files that are fetched")]

use std::fs;

use beckon_shared::path::Label;

use super::*;
use crate::state::RootConfig;

fn root(folder: &std::path::Path) -> Root {
    Root::new(&RootConfig {
        id: RootId([1; 16]),
        name: Label::new("home").unwrap(),
        path: fs::canonicalize(folder).unwrap(),
        writable: false,
        ignore: String::new(),
    })
}

fn path(text: &str) -> RootPath {
    RootPath::new(text).unwrap()
}

fn stamp(root: &Root, text: &str) -> SourceStamp {
    let (folder, name) = root.parent(&path(text)).unwrap();
    folder.stat(&name).unwrap().stamp
}

fn fetched(root: &Root, stamp: SourceStamp, offset: u64, len: u32) -> Vec<u8> {
    match fetch(root, &path("file"), stamp, offset, len).unwrap() {
        Answer::Fetched { bytes, hash } => {
            assert_eq!(hash, Hash::of(&bytes));
            bytes
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn bytes_come_with_their_hash_and_fewer_only_at_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let content: Vec<u8> = (0..READ_MAX + 1000).map(|at| (at % 251) as u8).collect();
    fs::write(folder.path().join("file"), &content).unwrap();
    let root = root(folder.path());
    let stamp = stamp(&root, "file");
    let max = READ_MAX as usize;
    assert_eq!(fetched(&root, stamp, 0, u32::MAX), content[..max]);
    assert_eq!(fetched(&root, stamp, READ_MAX.into(), READ_MAX), content[max..]);
    assert_eq!(fetched(&root, stamp, 7, 3), content[7..10]);
    assert!(fetched(&root, stamp, stamp.size, 10).is_empty());
    assert!(fetched(&root, stamp, u64::MAX, 10).is_empty());
}

#[test]
fn a_file_in_another_state_gives_no_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, b"before").unwrap();
    let root = root(folder.path());
    let stamp = stamp(&root, "file");
    fs::write(&file, b"longer than before").unwrap();
    let refused = fetch(&root, &path("file"), stamp, 0, 10).unwrap_err();
    assert_eq!(refused.code, ErrorCode::Changing);
    let never = SourceStamp { size: 1 << 40, ..stamp };
    assert!(fetch(&root, &path("file"), never, 0, 10).is_err());
}

#[test]
fn bytes_that_were_read_while_the_file_changed_do_not_count() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, b"before").unwrap();
    let root = root(folder.path());
    let stamp = stamp(&root, "file");
    let open = || {
        let (folder, name) = root.parent(&path("file")).unwrap();
        folder.open_file(&name).unwrap()
    };
    assert!(piece(open(), stamp, 0, 10).is_ok());
    let opened = open();
    fs::write(&file, b"afterwards").unwrap();
    let refused = piece(opened, stamp, 0, 10).unwrap_err();
    assert_eq!(refused.code, ErrorCode::Changing);
}

#[cfg(unix)]
#[test]
fn permission_bits_are_told_of_what_is_there() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, b"").unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
    let root = root(folder.path());
    let name = |text: &str| Name::new(text).unwrap();
    let answer = modes(&root, &RootPath::root(), &[name("file"), name("absent")]).unwrap();
    assert_eq!(answer, Answer::Modes(vec![0o640, 0]));
    let many = vec![name("file"); MODES_MAX + 1];
    assert_eq!(
        modes(&root, &RootPath::root(), &many).unwrap_err().code,
        ErrorCode::TooLarge
    );
}
