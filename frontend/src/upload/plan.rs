//! What was chosen or dropped becomes entries below `Files/`, and a word for each that cannot be.

use std::collections::{BTreeSet, HashSet};

use beckon_shared::{
    error::ErrorCode,
    path::{Name, RootPath},
    transfer::Problem,
};

use super::message::{Entry, Facts};

/// What a person chose: the names from the top of what was chosen, and what the browser found there.
pub(super) struct Wish {
    pub(super) names: Vec<String>,
    pub(super) found: Found,
}

/// What the browser found.
pub(super) enum Found {
    File(Facts),
    /// That is empty.
    Folder,
    /// A file, or a part of what is in a folder.
    Unreadable,
}

/// What is to be done.
#[derive(Debug, Default)]
pub(super) struct Plan {
    /// What is put in, each with the place of its wish.
    pub(super) entries: Vec<(usize, Entry)>,
    /// What the order names: the tops of what was chosen.
    pub(super) tops: Vec<RootPath>,
    /// What cannot be put in.
    pub(super) problems: Vec<Problem>,
    /// Content bytes of all.
    pub(super) bytes: u64,
}

/// Plans to put these into a folder below `Files`.
pub(super) fn plan(folder: &RootPath, wishes: &[Wish]) -> Plan {
    let mut plan = Plan::default();
    let (mut seen, mut tops) = (HashSet::new(), BTreeSet::new());
    for (at, wish) in wishes.iter().enumerate() {
        let planned = placed(folder, &wish.names).and_then(|(top, path)| {
            tops.insert(top);
            let file = match wish.found {
                Found::Unreadable => return Err(unreadable(path)),
                Found::Folder => None,
                Found::File(facts) => Some(facts),
            };
            match seen.insert(path.clone()) {
                true => Ok(Entry { path, file }),
                false => Err(twice(path)),
            }
        });
        match planned {
            Ok(entry) => {
                plan.bytes += entry.file.map_or(0, |facts| facts.size);
                plan.entries.push((at, entry));
            }
            Err(problem) => plan.problems.push(problem),
        }
    }
    plan.tops = tops.into_iter().collect();
    plan
}

/// The top of a path and the whole of it, or how far it goes and what is wrong with it.
fn placed(folder: &RootPath, names: &[String]) -> Result<(RootPath, RootPath), Problem> {
    let mut path = folder.clone();
    let mut top = None;
    for name in names {
        let next = Name::new(name.as_bytes()).and_then(|name| path.join(&name));
        path = next.map_err(|bad| unnamed(path.clone(), format!("{}: {bad}", cut(name))))?;
        top.get_or_insert_with(|| path.clone());
    }
    match top {
        Some(top) => Ok((top, path)),
        None => Err(unnamed(
            path,
            "it has no name; give it one and choose it again".to_owned(),
        )),
    }
}

/// Problems travel in small frames.
fn cut(name: &str) -> String {
    name.chars().take(80).collect()
}

fn unnamed(near: RootPath, message: String) -> Problem {
    Problem {
        path: near,
        code: ErrorCode::BadRequest,
        message,
    }
}

fn unreadable(path: RootPath) -> Problem {
    Problem {
        path,
        code: ErrorCode::NotReadable,
        message: "this browser could not read it, or not all of it; look whether you may, then put it in again"
            .to_owned(),
    }
}

fn twice(path: RootPath) -> Problem {
    Problem {
        path,
        code: ErrorCode::NameTaken,
        message: "another one of this name was chosen with it; rename one of them and choose it again".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use wasm_bindgen_test::wasm_bindgen_test;

    use super::*;

    fn wish(path: &str, size: Option<u64>) -> Wish {
        Wish {
            names: path.split('/').map(str::to_owned).collect(),
            found: size.map_or(Found::Folder, |size| Found::File(Facts { size, modified: 1 })),
        }
    }

    fn path(text: &str) -> RootPath {
        RootPath::new(text).unwrap()
    }

    #[wasm_bindgen_test]
    fn only_the_tops_of_what_was_chosen_are_ordered() {
        let wishes = [
            wish("a/b/one", Some(3)),
            wish("a/two", Some(4)),
            wish("three", Some(0)),
            wish("a/empty", None),
        ];
        let plan = plan(&path("Photos"), &wishes);
        assert_eq!(plan.tops, [path("Photos/a"), path("Photos/three")]);
        let paths: Vec<_> = plan.entries.iter().map(|(_, entry)| entry.path.display()).collect();
        assert_eq!(
            paths,
            ["Photos/a/b/one", "Photos/a/two", "Photos/three", "Photos/a/empty"]
        );
        assert_eq!((plan.bytes, plan.problems.len()), (7, 0));
    }

    #[wasm_bindgen_test]
    fn what_cannot_be_named_is_told_and_the_rest_goes_on() {
        let long = "x".repeat(800);
        let wishes = [
            wish(&long, Some(1)),
            wish("a/..", Some(1)),
            wish("fine", Some(1)),
            wish("fine", Some(1)),
        ];
        let plan = plan(&RootPath::root(), &wishes);
        assert_eq!(plan.entries.len(), 1);
        let codes: Vec<_> = plan.problems.iter().map(|problem| problem.code).collect();
        assert_eq!(
            codes,
            [ErrorCode::BadRequest, ErrorCode::BadRequest, ErrorCode::NameTaken]
        );
        assert!(plan.problems.iter().all(|problem| problem.message.len() < 400));
    }

    #[wasm_bindgen_test]
    fn what_cannot_be_read_is_told_beside_what_is_in_it() {
        let unreadable = Wish {
            names: vec!["docs".to_owned()],
            found: Found::Unreadable,
        };
        let plan = plan(&RootPath::root(), &[wish("docs/one", Some(1)), unreadable]);
        let told: Vec<_> = plan
            .problems
            .iter()
            .map(|problem| (problem.path.display(), problem.code))
            .collect();
        assert_eq!(told, [("docs".to_owned(), ErrorCode::NotReadable)]);
        assert_eq!((plan.entries.len(), plan.tops), (1, vec![path("docs")]));
    }
}
