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

use crate::root::{Folder, Root};

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
}

/// A folder that is still to be read.
struct Pending {
    parent: Option<Arc<Folder>>,
    path: RootPath,
    entry: Entry,
}

struct Walk<'a, V> {
    root: &'a Root,
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

/// Walks the paths and all that is below them, depth first, until all is seen or `visit` breaks off.
pub(crate) fn walk(root: &Root, paths: &[RootPath], visit: impl FnMut(Step) -> ControlFlow<()>) -> ControlFlow<()> {
    let mut walk = Walk {
        root,
        visit,
        pending: Vec::new(),
    };
    for path in paths {
        walk.selected(path)?;
        while let Some(next) = walk.pending.pop() {
            walk.enter(next)?;
        }
    }
    ControlFlow::Continue(())
}

impl<V: FnMut(Step) -> ControlFlow<()>> Walk<'_, V> {
    fn selected(&mut self, path: &RootPath) -> ControlFlow<()> {
        if path.is_root() {
            return match self.root.folder(path) {
                Ok(top) => self.contents(top, path),
                Err(refusal) => self.problem(path, refusal),
            };
        }
        let looked = self
            .root
            .parent(path)
            .and_then(|(parent, name)| Ok((parent.stat(&name)?, parent)));
        match looked {
            Ok((entry, parent)) if entry.kind == EntryKind::Folder => self.enter(Pending {
                parent: Some(Arc::new(parent)),
                path: path.clone(),
                entry,
            }),
            Ok((entry, _)) if entry.kind == EntryKind::Other => {
                let advice = "it is a pipe, socket or device, which is never read; leave it out";
                self.problem(path, Refusal::new(ErrorCode::NotAFile, advice))
            }
            Ok((entry, _)) => self.found(path.clone(), entry, 0),
            Err(refusal) => self.problem(path, refusal),
        }
    }

    fn enter(&mut self, next: Pending) -> ControlFlow<()> {
        let Pending { parent, path, entry } = next;
        let opened = match parent {
            Some(parent) => parent.folder(&entry.name),
            None => self.root.folder(&path),
        };
        let opened = opened.and_then(|folder| Ok((folder.meta()?.mode, folder)));
        match opened {
            Ok((mode, folder)) => {
                self.found(path.clone(), entry, mode)?;
                self.contents(folder, &path)
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
