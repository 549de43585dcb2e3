//! Files of copies that were changed here: what their local side is called once the origin's is in its place, and how a person
//! decides between the two.

use std::io;

use beckon_shared::{
    browse::{Choice, Conflict, NAMED_MAX},
    entry::EntryKind,
    error::{ErrorCode, Refusal},
    id::{RootId, TransferId},
    path::{Label, Name, RootPath},
    time::Timestamp,
};
use chrono::{DateTime, Local};

use super::{
    Book, Row,
    disk::{Disk, Native},
    place::{Touched, digest},
    trash,
};
use crate::{agent::Agent, clock, root::NewName};

/// Most file systems have names of at most so many bytes.
const NAME_MAX: usize = 255;
/// So many names are tried.
const TRIES_MAX: usize = 1000;

/// A path for what is kept aside of a file, at which nothing is: `NAME (kept from MACHINE, 2026-11-23 14.30).EXT`.
pub(super) fn free_path(disk: &dyn Disk, path: &RootPath, machine: &Label, now: Timestamp) -> RootPath {
    let time = DateTime::from_timestamp_millis(now.0)
        .unwrap_or_default()
        .with_timezone(&Local);
    let note = format!("kept from {}, {}", plain(machine), time.format("%Y-%m-%d %H.%M"));
    let Some((above, name)) = path.split_last() else {
        return path.clone();
    };
    let mut free = path.clone();
    for number in 1..=TRIES_MAX {
        let note = if number == 1 {
            note.clone()
        } else {
            format!("{note} {number}")
        };
        free = above.join(&with_note(&name, &note)).unwrap_or_else(|_| path.clone());
        if matches!(disk.look(&free), Ok(None)) {
            break;
        }
    }
    free
}

/// A name with a note before its extension; shortened where it would be too long.
pub(super) fn with_note(name: &Name, note: &str) -> Name {
    let bytes = name.as_bytes();
    // `.profile` has no extension, and a very long one is none.
    let dot = bytes
        .iter()
        .rposition(|byte| *byte == b'.')
        .filter(|dot| *dot > 0 && bytes.len() - dot <= 32);
    let (stem, extension) = bytes.split_at(dot.unwrap_or(bytes.len()));
    let note = format!(" ({note})");
    let room = NAME_MAX.saturating_sub(note.len() + extension.len());
    let mut end = stem.len().min(room);
    // Not in the middle of a character.
    while end > 0 && stem.get(end).is_some_and(|byte| byte & 0xC0 == 0x80) {
        end -= 1;
    }
    Name::new([&stem[..end], note.as_bytes(), extension].concat()).unwrap_or_else(|_| name.clone())
}

/// Without what some systems do not have in names.
fn plain(machine: &Label) -> String {
    let is_plain = |char: &char| !matches!(char, '<' | '>' | '"' | '\\' | '|' | '?' | '*');
    machine.to_string().chars().filter(is_plain).collect()
}

/// The conflicts of the copies below a root, or of all, but for the first `after`; and how many there are.
pub(crate) fn list(agent: &Agent, root: Option<RootId>, after: u64) -> Result<(Vec<Conflict>, u64), Refusal> {
    let mut all = Vec::new();
    for (transfer, copy) in agent.book.all() {
        if root.is_some_and(|root| root != copy.root) {
            continue;
        }
        let Ok(root) = agent.root(&copy.root) else { continue };
        all.extend(still_open(&Native::new(root), &agent.book, transfer)?);
    }
    let total = all.len() as u64;
    let first = usize::try_from(after).unwrap_or(usize::MAX);
    Ok((all.into_iter().skip(first).take(NAMED_MAX).collect(), total))
}

/// The conflicts of a copy, without those that somebody has settled by hand.
fn still_open(disk: &dyn Disk, book: &Book, transfer: TransferId) -> Result<Vec<Conflict>, Refusal> {
    let mut conflicts = book.conflicts(transfer)?;
    // On a disk that is not plugged in nothing was taken away.
    if !disk.is_there() {
        return Ok(conflicts);
    }
    let over: Vec<_> = conflicts.extract_if(.., |conflict| is_over(disk, conflict)).collect();
    over.iter().try_for_each(|conflict| settle(book, conflict))?;
    Ok(conflicts)
}

/// Somebody took away by hand what was kept.
fn is_over(disk: &dyn Disk, conflict: &Conflict) -> bool {
    let local = conflict.kept.as_ref().unwrap_or(&conflict.path);
    match disk.look(local) {
        Ok(look) => look.is_none(),
        // A file stands in the place of a folder above it.
        Err(cause) => cause.kind() == io::ErrorKind::NotADirectory,
    }
}

/// A person has chosen. What is not chosen goes to the trash of the root.
pub(crate) fn resolve(agent: &Agent, transfer: TransferId, path: &RootPath, choice: Choice) -> Result<(), Refusal> {
    let copy = agent.book.copy(transfer).ok_or_else(none)?;
    let root = agent.root(&copy.root)?;
    if !root.writable {
        let name = &root.name;
        let advice = format!(
            "root {name} is not marked for writing; on the machine itself run: beckon roots writable {name} on"
        );
        return Err(Refusal::new(ErrorCode::NotAllowed, advice));
    }
    let _one_at_a_time = agent.book.choosing();
    let mut hand = Hand {
        disk: &Native::new(root),
        book: &agent.book,
        transfer,
        machine: agent.name(),
        touched: Touched::default(),
    };
    hand.resolve(path, choice)
}

/// Carries a choice out.
pub(super) struct Hand<'a> {
    pub(super) disk: &'a dyn Disk,
    pub(super) book: &'a Book,
    pub(super) transfer: TransferId,
    pub(super) machine: Label,
    pub(super) touched: Touched,
}

impl Hand<'_> {
    pub(super) fn resolve(&mut self, path: &RootPath, choice: Choice) -> Result<(), Refusal> {
        let (newest, older) = self.conflicts_of(path)?;
        let chosen = self.choose(choice, &newest, &older);
        self.touched.lock_again(self.disk);
        chosen?;
        for conflict in older.iter().chain([&newest]) {
            settle(self.book, conflict)?;
        }
        self.book.tell_changed();
        Ok(())
    }

    fn choose(&mut self, choice: Choice, newest: &Conflict, older: &[Conflict]) -> Result<(), Refusal> {
        match choice {
            Choice::Theirs => self.theirs(newest)?,
            Choice::Ours => self.ours(newest)?,
            Choice::Both => self.both(newest)?,
        }
        for older in older {
            if choice != Choice::Both {
                self.throw_away(older.kept.as_ref())?;
            }
        }
        self.touched.sync(self.disk).map_err(|cause| failed(&cause))
    }

    /// The newest conflict about a file, and those before it. What was changed in its place was changed after all that was
    /// put aside; of that, the newest has the latest time in its name.
    fn conflicts_of(&self, path: &RootPath) -> Result<(Conflict, Vec<Conflict>), Refusal> {
        let mut open = Vec::new();
        for conflict in self.book.conflicts(self.transfer)? {
            if conflict.path != *path {
                continue;
            }
            if conflict.kept.is_none() && self.is_as_written(path)? {
                // Somebody undid the change.
                settle(self.book, &conflict)?;
            } else {
                open.push(conflict);
            }
        }
        let in_place = open.iter().position(|conflict| conflict.kept.is_none());
        let newest = match in_place {
            Some(at) => Some(open.remove(at)),
            None => open.pop(),
        };
        Ok((newest.ok_or_else(none)?, open))
    }

    fn is_as_written(&self, path: &RootPath) -> Result<bool, Refusal> {
        let row = self.book.row(self.transfer, path)?;
        let look = self.disk.look(path).map_err(|cause| failed(&cause))?;
        Ok(row
            .zip(look)
            .is_some_and(|(row, look)| row.kind == look.kind && row.stamp == look.stamp))
    }

    fn theirs(&mut self, conflict: &Conflict) -> Result<(), Refusal> {
        if conflict.kept.is_some() {
            return self.throw_away(conflict.kept.as_ref());
        }
        self.has_origin(conflict)?;
        self.throw_away(Some(&conflict.path))?;
        self.write_again(conflict)
    }

    fn ours(&mut self, conflict: &Conflict) -> Result<(), Refusal> {
        let path = &conflict.path;
        if let Some(kept) = &conflict.kept {
            let kinds = [self.kind(kept)?, self.kind(path)?];
            // Nothing goes to the trash for something that is not there.
            if kinds[0].is_none() {
                return Err(none());
            }
            if kinds.contains(&Some(EntryKind::Folder)) {
                let advice = "one side is a folder: choose theirs or both, and move what you want to keep by hand";
                return Err(Refusal::new(ErrorCode::Conflict, advice));
            }
            self.throw_away(Some(path))?;
            self.rename(kept, path)?;
        }
        let Some(row) = self.book.row(self.transfer, path)? else {
            return Ok(());
        };
        let look = self.disk.look(path).map_err(|cause| failed(&cause))?.ok_or_else(none)?;
        let digest = digest(self.disk, path, &look).map_err(|cause| failed(&cause))?;
        let row = Row {
            kind: look.kind,
            content: digest.hash,
            stamp: look.stamp,
            has_zero_tail: digest.has_zero_tail,
            is_ours: true,
            ..row
        };
        self.touched.sync(self.disk).map_err(|cause| failed(&cause))?;
        self.book.write(self.transfer, |pen| {
            pen.written(&[super::book::Written {
                path: path.clone(),
                row,
                chunks: Vec::new(),
            }])
        })
    }

    fn both(&mut self, conflict: &Conflict) -> Result<(), Refusal> {
        if conflict.kept.is_some() || conflict.theirs.is_none() {
            return Ok(());
        }
        self.has_origin(conflict)?;
        let kept = free_path(self.disk, &conflict.path, &self.machine, clock::now());
        self.rename(&conflict.path, &kept)?;
        self.write_again(conflict)
    }

    /// What the origin has comes only while the copy goes on.
    fn has_origin(&self, conflict: &Conflict) -> Result<(), Refusal> {
        if conflict.theirs.is_none() || self.book.row(self.transfer, &conflict.path)?.is_some() {
            return Ok(());
        }
        let advice = "this copy is over, so what its origin has does not come any more; give the order again";
        Err(Refusal::new(ErrorCode::Conflict, advice))
    }

    /// The book forgets the path, so that whoever keeps the copy has it written once more.
    fn write_again(&mut self, conflict: &Conflict) -> Result<(), Refusal> {
        self.touched.sync(self.disk).map_err(|cause| failed(&cause))?;
        let path = std::slice::from_ref(&conflict.path);
        self.book.write(self.transfer, |pen| pen.removed(path))
    }

    fn kind(&self, path: &RootPath) -> Result<Option<EntryKind>, Refusal> {
        let look = self.disk.look(path).map_err(|cause| failed(&cause))?;
        Ok(look.map(|look| look.kind))
    }

    fn throw_away(&mut self, path: Option<&RootPath>) -> Result<(), Refusal> {
        let Some(path) = path else { return Ok(()) };
        if self.kind(path)?.is_none() {
            return Ok(());
        }
        let taken = trash::take(self.disk, path, clock::now(), &mut self.touched);
        taken.map(|_| ()).map_err(|cause| failed(&cause))
    }

    fn rename(&mut self, from: &RootPath, to: &RootPath) -> Result<(), Refusal> {
        let renamed = self
            .touched
            .make_way(self.disk, to)
            .and_then(|()| self.disk.rename(from, to, NewName::Free));
        renamed.map_err(|cause| failed(&cause))?;
        self.touched.beside(from);
        self.touched.beside(to);
        Ok(())
    }
}

fn settle(book: &Book, conflict: &Conflict) -> Result<(), Refusal> {
    book.write(conflict.transfer, |pen| {
        pen.settle(&conflict.path, conflict.kept.as_ref())
    })
}

fn none() -> Refusal {
    let advice = "nothing is to be decided about this file (any more); list the conflicts again";
    Refusal::new(ErrorCode::NotFound, advice)
}

fn failed(cause: &io::Error) -> Refusal {
    tracing::debug!(%cause, "a choice could not be carried out");
    match cause.kind() {
        io::ErrorKind::PermissionDenied => Refusal::new(
            ErrorCode::NotAllowed,
            "the agent may not change it; change the folder's permissions on the machine, then choose again",
        ),
        io::ErrorKind::NotFound | io::ErrorKind::AlreadyExists => Refusal::new(
            ErrorCode::Changing,
            "it changed meanwhile; list the conflicts again, then choose",
        ),
        _ => Refusal::new(
            ErrorCode::Internal,
            "the machine could not do this; check its disk, the agent's log says more, then choose again",
        ),
    }
}

#[cfg(test)]
mod tests;
