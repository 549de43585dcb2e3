//! What uploads of a root leave out: patterns in the syntax of `.gitignore`, on paths below the root.

use std::{
    ops::ControlFlow,
    path::Path,
    time::{Duration, Instant},
};

use beckon_shared::{
    browse::{Answer, IGNORE_MAX, NAMED_MAX},
    entry::EntryKind,
    error::{ErrorCode, Refusal},
    path::RootPath,
};
use ignore::gitignore::{Gitignore, GitignoreBuilder};

use crate::{
    root::Root,
    scan::{self, Scope, Step},
};

/// A preview looks at the root no longer than this.
const PREVIEW_TIME: Duration = Duration::from_secs(2);

/// Patterns, ready to be asked.
#[derive(Debug)]
pub(crate) struct Ignore {
    text: String,
    matcher: Gitignore,
}

impl Default for Ignore {
    /// Leaves nothing out.
    fn default() -> Self {
        Self {
            text: String::new(),
            matcher: Gitignore::empty(),
        }
    }
}

impl Ignore {
    /// Understands all of the patterns, or says which one it does not.
    pub(crate) fn parse(text: &str) -> Result<Self, Refusal> {
        if text.len() > IGNORE_MAX {
            let advice = "the patterns of a root have at most 16 KiB; write fewer or broader ones";
            return Err(Refusal::new(ErrorCode::TooLarge, advice));
        }
        let (ignore, problem) = Self::compile(text);
        match problem {
            None => Ok(ignore),
            Some(problem) => Err(Refusal::new(ErrorCode::BadRequest, problem)),
        }
    }

    /// Understands what can be understood; other lines leave nothing out.
    pub(crate) fn lenient(text: &str) -> Self {
        let (ignore, problem) = Self::compile(text);
        if let Some(problem) = problem {
            tracing::warn!(%problem, "a pattern of a root counts for nothing");
        }
        ignore
    }

    fn compile(text: &str) -> (Self, Option<String>) {
        let mut builder = GitignoreBuilder::new("");
        let mut problem = None;
        for (at, line) in text.lines().enumerate() {
            if let Err(cause) = builder.add_line(None, line) {
                problem.get_or_insert_with(|| {
                    format!(
                        "line {} is no pattern that can be understood ({cause}); mend it or take it out",
                        at + 1
                    )
                });
            }
        }
        let matcher = builder.build().unwrap_or_else(|cause| {
            problem.get_or_insert_with(|| {
                format!("the patterns are too much taken together ({cause}); write fewer or broader ones")
            });
            Gitignore::empty()
        });
        let text = text.to_owned();
        (Self { text, matcher }, problem)
    }

    /// The patterns as they were written.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// Whether an entry of a folder that is not left out is left out itself.
    pub(crate) fn skips(&self, path: &RootPath, kind: EntryKind) -> bool {
        !self.matcher.is_empty()
            && !path.is_root()
            && self
                .matcher
                .matched(&*native(path), kind == EntryKind::Folder)
                .is_ignore()
    }

    /// Whether an entry, or any folder above it, is left out.
    pub(crate) fn covers(&self, path: &RootPath, kind: EntryKind) -> bool {
        if self.matcher.is_empty() {
            return false;
        }
        let folders = std::iter::successors(path.split_last(), |(folder, _)| folder.split_last());
        let folders: Vec<_> = folders.map(|(folder, _)| folder).collect();
        folders.iter().rev().any(|folder| self.skips(folder, EntryKind::Folder)) || self.skips(path, kind)
    }

    /// Whether a path is left out, whatever is there: `*` and `!*/` together leave out files and not folders.
    pub(crate) fn covers_any(&self, path: &RootPath) -> bool {
        self.covers(path, EntryKind::File) && self.covers(path, EntryKind::Folder)
    }
}

#[cfg(unix)]
fn native(path: &RootPath) -> std::borrow::Cow<'_, Path> {
    use std::os::unix::ffi::OsStrExt;
    Path::new(std::ffi::OsStr::from_bytes(path.as_bytes())).into()
}

/// Patterns are text, so names that are none are matched as people see them.
#[cfg(not(unix))]
fn native(path: &RootPath) -> std::borrow::Cow<'_, Path> {
    Path::new(&path.display()).to_owned().into()
}

/// What patterns would leave out of a root, as far as it can be seen in a short time. Blocks.
pub(crate) fn preview(root: &Root, patterns: &str) -> Result<Answer, Refusal> {
    let ignore = Ignore::parse(patterns)?;
    let until = Instant::now() + PREVIEW_TIME;
    let (mut files, mut bytes, mut first) = (0, 0, Vec::new());
    let mut inside: Option<RootPath> = None;
    let everything = [Scope::below(RootPath::root())];
    let end = scan::walk(root, &everything, &Ignore::default(), |step| {
        if Instant::now() > until {
            return ControlFlow::Break(());
        }
        let Step::Found(found) = step else {
            return ControlFlow::Continue(());
        };
        let is_inside = inside.as_ref().is_some_and(|folder| folder.holds(&found.path));
        if !is_inside {
            if !ignore.skips(&found.path, found.entry.kind) {
                return ControlFlow::Continue(());
            }
            if first.len() < NAMED_MAX {
                first.push(found.path.clone());
            }
            inside = (found.entry.kind == EntryKind::Folder).then(|| found.path.clone());
        }
        if found.entry.kind == EntryKind::File {
            files += 1;
            bytes += found.entry.stamp.size;
        }
        ControlFlow::Continue(())
    });
    Ok(Answer::Skipped {
        files,
        bytes,
        first,
        is_whole: end.is_continue(),
    })
}

#[cfg(test)]
mod tests;
