//! Walks what was selected below a root, by directory handles and never through a symlink.
//!
//! Pipes, sockets and devices are passed over: nobody expects them in a store of files. What vanishes between being listed
//! and being looked at is no problem of its own, as if the walk had come a moment later. Only what was named by itself must be
//! there.

use std::{ops::ControlFlow, sync::Arc};

use beckon_shared::{
    entry::{Entry, EntryKind},
    error::{ErrorCode, Refusal},
    path::RootPath,
    transfer::Problem,
};

use crate::{
    ignore::Ignore,
    root::{Folder, Root},
};

/// Deeper folders are opened by path, so that a deep tree does not use up the process's open files.
const HANDLES_DEEP: usize = 64;

/// A file, folder or symlink that the walk came by.
#[derive(Debug, Clone)]
pub(crate) struct Found {
    /// Where it is below the root.
    pub(crate) path: RootPath,
    /// What the file system says of it.
    pub(crate) entry: Entry,
    /// Permission bits of a folder; 0 for all else.
    pub(crate) mode: u32,
}

/// What the walk comes by.
#[derive(Debug)]
pub(crate) enum Step {
    /// An entry; a folder before what is in it.
    Found(Found),
    /// Something that could not be looked at.
    Problem(Problem),
    /// Something that was listed and then was not there.
    Vanished,
    /// Something that was named by itself, and that the root leaves out.
    LeftOut(RootPath),
}

/// A place that is walked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Scope {
    /// Where it is.
    pub(crate) path: RootPath,
    /// How much of it.
    pub(crate) depth: Depth,
}

/// How much of a place is walked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Depth {
    /// A folder with all that is below it.
    Below,
    /// Of a folder only itself.
    Itself,
}

impl Scope {
    /// A place with all that is below it.
    pub(crate) fn below(path: RootPath) -> Self {
        Self {
            path,
            depth: Depth::Below,
        }
    }

    /// A place by itself.
    pub(crate) fn itself(path: RootPath) -> Self {
        Self {
            path,
            depth: Depth::Itself,
        }
    }
}

/// A folder that is still to be read.
struct Pending {
    parent: Option<Arc<Folder>>,
    path: RootPath,
    entry: Entry,
}

struct Walk<'a, V> {
    root: &'a Root,
    skip: &'a Ignore,
    visit: V,
    pending: Vec<Pending>,
}

/// The selection in the order of a walk, without what another part of it holds.
pub(crate) fn merged(mut paths: Vec<RootPath>) -> Vec<RootPath> {
    let names = |path: &RootPath| path.names().map(|name| name.as_bytes().to_vec()).collect::<Vec<_>>();
    paths.sort_by_cached_key(names);
    paths.dedup_by(|path, kept| kept.holds(path));
    paths
}

/// The places in the order of a walk, without what another one of them holds.
pub(crate) fn merged_scopes(mut scopes: Vec<Scope>) -> Vec<Scope> {
    scopes.sort_by_cached_key(|scope| {
        let names = scope.path.names().map(|name| name.as_bytes().to_vec());
        (names.collect::<Vec<_>>(), scope.depth == Depth::Itself)
    });
    scopes.dedup_by(|next, kept| kept.path == next.path || kept.depth == Depth::Below && kept.path.holds(&next.path));
    scopes
}

/// Walks the places, depth first, until all is seen or `visit` breaks off. What is left out is passed over, and so is all
/// below it.
pub(crate) fn walk(
    root: &Root,
    scopes: &[Scope],
    skip: &Ignore,
    visit: impl FnMut(Step) -> ControlFlow<()>,
) -> ControlFlow<()> {
    let mut walk = Walk {
        root,
        skip,
        visit,
        pending: Vec::new(),
    };
    for scope in scopes {
        walk.selected(&scope.path, scope.depth)?;
        while let Some(next) = walk.pending.pop() {
            walk.enter(next, Depth::Below)?;
        }
    }
    ControlFlow::Continue(())
}

impl<V: FnMut(Step) -> ControlFlow<()>> Walk<'_, V> {
    fn selected(&mut self, path: &RootPath, depth: Depth) -> ControlFlow<()> {
        if path.is_root() {
            return match self.root.folder(path) {
                Ok(_) if depth == Depth::Itself => ControlFlow::Continue(()),
                Ok(top) => self.contents(top, path),
                Err(refusal) => self.problem(path, refusal),
            };
        }
        let looked = self
            .root
            .parent(path)
            .and_then(|(parent, name)| Ok((parent.stat(&name)?, parent)));
        match looked {
            Ok((entry, _)) if self.skip.covers(path, entry.kind) => (self.visit)(Step::LeftOut(path.clone())),
            Ok((entry, parent)) if entry.kind == EntryKind::Folder => {
                let folder = Pending {
                    parent: Some(Arc::new(parent)),
                    path: path.clone(),
                    entry,
                };
                self.enter(folder, depth)
            }
            Ok((entry, _)) if entry.kind == EntryKind::Other => {
                let advice = "it is a pipe, socket or device, which is never read; leave it out";
                self.problem(path, Refusal::new(ErrorCode::NotAFile, advice))
            }
            Ok((entry, _)) => self.found(path.clone(), entry, 0),
            Err(refusal) => self.problem(path, refusal),
        }
    }

    fn enter(&mut self, next: Pending, depth: Depth) -> ControlFlow<()> {
        let Pending { parent, path, entry } = next;
        let opened = match parent {
            Some(parent) => parent.folder(&entry.name),
            None => self.root.folder(&path),
        };
        let opened = opened.and_then(|folder| Ok((folder.meta()?.mode, folder)));
        match opened {
            Ok((mode, folder)) => {
                self.found(path.clone(), entry, mode)?;
                match depth {
                    Depth::Below => self.contents(folder, &path),
                    Depth::Itself => ControlFlow::Continue(()),
                }
            }
            Err(refusal) => self.vanished_or_problem(&path, refusal),
        }
    }

    fn contents(&mut self, folder: Folder, path: &RootPath) -> ControlFlow<()> {
        let mut names = match folder.names() {
            Ok(names) => names,
            Err(refusal) => return self.problem(path, refusal),
        };
        // Neighbours in a folder are neighbours in the index.
        names.sort_unstable();
        let deep = path.names().count() >= HANDLES_DEEP;
        let folder = Arc::new(folder);
        let first_below = self.pending.len();
        for (name, kind) in names {
            let Ok(below) = path.join(&name) else {
                self.problem(path, too_long())?;
                continue;
            };
            if kind == EntryKind::Other {
                tracing::debug!(path = ?below, "a pipe, socket or device is passed over");
                continue;
            }
            if self.skip.skips(&below, kind) {
                continue;
            }
            match folder.stat(&name) {
                Ok(entry) if entry.kind == EntryKind::Folder => {
                    let parent = (!deep).then(|| Arc::clone(&folder));
                    self.pending.push(Pending {
                        parent,
                        path: below,
                        entry,
                    });
                }
                Ok(entry) if entry.kind == EntryKind::Other => {}
                Ok(entry) => self.found(below, entry, 0)?,
                Err(refusal) => self.vanished_or_problem(&below, refusal)?,
            }
        }
        self.pending[first_below..].reverse();
        ControlFlow::Continue(())
    }

    fn found(&mut self, path: RootPath, entry: Entry, mode: u32) -> ControlFlow<()> {
        (self.visit)(Step::Found(Found { path, entry, mode }))
    }

    fn vanished_or_problem(&mut self, path: &RootPath, refusal: Refusal) -> ControlFlow<()> {
        if refusal.code == ErrorCode::NotFound {
            tracing::debug!(?path, "it vanished while the walk went on");
            return (self.visit)(Step::Vanished);
        }
        self.problem(path, refusal)
    }

    fn problem(&mut self, path: &RootPath, refusal: Refusal) -> ControlFlow<()> {
        (self.visit)(Step::Problem(Problem {
            path: path.clone(),
            code: refusal.code,
            message: refusal.message,
        }))
    }
}

fn too_long() -> Refusal {
    let advice = "something in this folder has a path of over 4,096 bytes; shorten the names above it and upload again";
    Refusal::new(ErrorCode::TooLarge, advice)
}

#[cfg(test)]
mod tests;
