//! What a walk comes by, and in which order.
#![allow(clippy::disallowed_methods, reason = "the tests make the files that are walked")]

use std::{fs, os::unix::fs::symlink};

use beckon_shared::{id::RootId, path::Label};
use proptest::prelude::*;

use super::*;
use crate::state::RootConfig;

fn root(folder: &tempfile::TempDir) -> Root {
    let path = folder.path().canonicalize().unwrap();
    Root::new(&RootConfig {
        id: RootId([1; 16]),
        name: Label::new("root").unwrap(),
        path,
        writable: false,
        ignore: String::new(),
    })
}

fn path(text: &str) -> RootPath {
    RootPath::new(text).unwrap()
}

fn walked(root: &Root, paths: &[&str]) -> (Vec<String>, Vec<(String, ErrorCode)>) {
    let (mut found, mut problems) = (Vec::new(), Vec::new());
    let paths = merged(paths.iter().map(|text| path(text)).collect());
    let scopes: Vec<_> = paths.into_iter().map(Scope::below).collect();
    let end = walk(root, &scopes, root.ignore(), |step| {
        match step {
            Step::Found(one) => found.push(one.path.display()),
            Step::Problem(problem) => problems.push((problem.path.display(), problem.code)),
            Step::Vanished => panic!("nothing changes during the walk"),
            Step::LeftOut(path) => panic!("{path:?} is left out"),
        }
        ControlFlow::Continue(())
    });
    assert!(end.is_continue());
    (found, problems)
}

fn tree() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir_all(folder.path().join("a/deep")).unwrap();
    fs::create_dir(folder.path().join("b")).unwrap();
    for file in ["z", "a/1", "a/2", "a/deep/3", "a-b"] {
        fs::write(folder.path().join(file), file).unwrap();
    }
    symlink("/etc", folder.path().join("b/link")).unwrap();
    folder
}

#[test]
fn everything_is_found_once_and_a_folder_before_what_is_in_it() {
    let folder = tree();
    let whole = ["a-b", "z", "a", "a/1", "a/2", "a/deep", "a/deep/3", "b", "b/link"];
    assert_eq!(walked(&root(&folder), &[""]).0, whole);
    assert_eq!(
        walked(&root(&folder), &["a", "b/link", "z"]).0,
        ["a", "a/1", "a/2", "a/deep", "a/deep/3", "b/link", "z"]
    );
}

#[test]
fn no_symlink_is_walked_through() {
    let folder = tree();
    let (found, problems) = walked(&root(&folder), &["b/link/passwd", "b"]);
    assert_eq!(found, ["b", "b/link"]);
    assert!(
        problems.is_empty(),
        "the selection of the folder holds the path below the link"
    );
    let (found, problems) = walked(&root(&folder), &["b/link/passwd"]);
    assert_eq!(
        (found, problems),
        (vec![], vec![("b/link/passwd".into(), ErrorCode::NotFound)])
    );
}

#[test]
fn a_tree_deeper_than_there_are_handles_is_walked() {
    let folder = tempfile::tempdir().unwrap();
    let deep = "d/".repeat(200);
    fs::create_dir_all(folder.path().join(&deep)).unwrap();
    fs::write(folder.path().join(&deep).join("file"), "deep").unwrap();
    let (found, problems) = walked(&root(&folder), &["d"]);
    assert_eq!((found.len(), problems.len()), (201, 0));
}

#[test]
fn a_folder_by_itself_is_found_without_what_is_in_it_and_nothing_that_is_left_out() {
    let folder = tree();
    let root = root(&folder);
    let skip = Ignore::parse("deep/\n/z").unwrap();
    let scopes = ["b", "a", "z", "a/deep/3", "b/link"];
    let mut scopes: Vec<_> = scopes.iter().map(|text| Scope::itself(path(text))).collect();
    scopes.push(Scope::below(path("a")));
    let (mut found, mut left) = (Vec::new(), Vec::new());
    let end = walk(&root, &merged_scopes(scopes), &skip, |step| {
        match step {
            Step::Found(one) => found.push(one.path.display()),
            Step::LeftOut(path) => left.push(path.display()),
            other => panic!("{other:?}"),
        }
        ControlFlow::Continue(())
    });
    assert!(end.is_continue());
    assert_eq!(found, ["a", "a/1", "a/2", "b", "b/link"]);
    assert_eq!(left, ["z"], "what is in a folder that is left out is not named");
}

#[test]
fn breaking_off_stops_at_once() {
    let folder = tree();
    let mut steps = 0;
    let everything = [Scope::below(RootPath::root())];
    let end = walk(&root(&folder), &everything, &Ignore::default(), |_| {
        steps += 1;
        ControlFlow::Break(())
    });
    assert!(end.is_break() && steps == 1);
}

proptest! {
    #[test]
    fn a_merged_selection_holds_the_same_and_nothing_twice(texts in prop::collection::vec("[ab-]{1,2}(/[ab-]{1,2}){0,3}", 0..12)) {
        let paths: Vec<_> = texts.iter().map(|text| path(text)).collect();
        let merged = merged(paths.clone());
        for one in &paths {
            prop_assert_eq!(merged.iter().filter(|kept| kept.holds(one)).count(), 1);
        }
        for one in &merged {
            prop_assert!(paths.contains(one));
        }
    }
}
