//! What is taken away or moved. What was written here goes to the trash; what somebody changed or made here stays.

use std::{collections::HashSet, sync::Arc};

use beckon_shared::{entry::EntryKind, error::Refusal, manifest::Manifest, path::RootPath};
use tokio_util::sync::CancellationToken;

use super::{
    Inner,
    check::{Local, is_same_but_for_name},
    put::drop_parts,
    touched::Touched,
    trouble::{Trouble, is_no_folder},
};
use crate::{
    clock,
    copy::{Became, Much, Row, Step, conflict, trash, want::above},
    root::{Look, NewName, is_own},
};

/// So many paths are taken away before the book is told.
const REMOVES_MAX: usize = 512;

/// Carries out steps that write no content.
pub(super) struct Structure {
    place: Arc<Inner>,
    pub(super) touched: Touched,
    pub(super) became: Vec<(usize, Became)>,
    pub(super) question: Option<Much>,
    pub(super) refusal: Option<Refusal>,
    /// Steps whose paths are empty now, which the book has yet to hear.
    removed: Vec<(usize, RootPath, Became)>,
}

/// What is left of something that was to go to the trash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cleared {
    /// Nothing.
    All,
    /// What was changed or made here.
    ButChanged,
}

impl Structure {
    pub(super) fn new(place: Arc<Inner>, touched: Touched) -> Self {
        Self {
            place,
            touched,
            became: Vec::new(),
            question: None,
            refusal: None,
            removed: Vec::new(),
        }
    }

    /// Until all is done, `stop` says so, or a person has to be asked.
    pub(super) fn run(mut self, steps: &[(usize, Step)], stop: &CancellationToken) -> Self {
        if let Err(refusal) = self.try_run(steps, stop) {
            self.refusal = Some(refusal);
        }
        self
    }

    fn try_run(&mut self, steps: &[(usize, Step)], stop: &CancellationToken) -> Result<(), Refusal> {
        let moves: Vec<_> = steps
            .iter()
            .filter_map(|(_, step)| match step {
                Step::Move { from, to } => Some((from.clone(), to.clone())),
                Step::Remove(_) | Step::Put(_) => None,
            })
            .collect();
        let place = Arc::clone(&self.place);
        let announce = |moves: &[_]| place.book.write(place.transfer, |pen| pen.announce_moves(moves));
        if !moves.is_empty() {
            announce(&moves)?;
        }
        for (at, step) in steps {
            if stop.is_cancelled() || self.question.is_some() {
                break;
            }
            self.step(*at, step)?;
        }
        self.flush()?;
        match moves.is_empty() {
            true => Ok(()),
            false => announce(&[]),
        }
    }

    fn step(&mut self, at: usize, step: &Step) -> Result<(), Refusal> {
        let done = match step {
            Step::Remove(path) => self.remove(at, path),
            Step::Move { from, to } => {
                self.flush()?;
                let became = self.relocate(from, to);
                became.map(|became| self.became.extend(became.map(|became| (at, became))))
            }
            // Puts are not given to this.
            Step::Put(_) => Ok(()),
        };
        match done {
            Ok(()) => Ok(()),
            Err(Trouble::Step(became)) => {
                self.became.push((at, became));
                Ok(())
            }
            Err(Trouble::All(refusal)) => Err(refusal),
        }
    }

    fn remove(&mut self, at: usize, path: &RootPath) -> Result<(), Trouble> {
        let place = Arc::clone(&self.place);
        place.may_name(path)?;
        drop_parts(&*place.disk, &place.book, place.transfer, path)?;
        place.halves().retain(|half, _| !path.holds(half));
        let look = place.disk.look(path).map_err(|cause| Trouble::of(path, &cause))?;
        let files = place.files_at(path)?;
        if look.is_some() {
            self.question = place.guard.take(files, || place.known_files())?;
            if self.question.is_some() {
                return Ok(());
            }
        }
        let became = match clear(&place, path, &mut self.touched)? {
            Cleared::All => Became::Done,
            Cleared::ButChanged => Became::Stays,
        };
        self.removed.push((at, path.clone(), became));
        if self.removed.len() >= REMOVES_MAX {
            self.flush()?;
        }
        Ok(())
    }

    /// The book hears what is gone, once that is durable.
    fn flush(&mut self) -> Result<(), Refusal> {
        if self.removed.is_empty() {
            return Ok(());
        }
        let place = Arc::clone(&self.place);
        self.touched
            .sync(&*place.disk)
            .map_err(|cause| all_of(&RootPath::root(), &cause))?;
        let removed = std::mem::take(&mut self.removed);
        let paths: Vec<RootPath> = removed.iter().map(|(_, path, _)| path.clone()).collect();
        place.book.write(place.transfer, |pen| pen.removed(&paths))?;
        self.became
            .extend(removed.into_iter().map(|(at, _, became)| (at, became)));
        Ok(())
    }

    /// Nothing if a person is asked first.
    fn relocate(&mut self, from: &RootPath, to: &RootPath) -> Result<Option<Became>, Trouble> {
        let place = Arc::clone(&self.place);
        let disk = &*place.disk;
        place.may_name(from)?;
        place.may_name(to)?;
        let io = |cause: std::io::Error| Trouble::of(from, &cause);
        let source = disk.look(from).map_err(io)?;
        let row = place.book.row(place.transfer, from)?;
        let Some(source) = source else {
            // A crash came between the disk and the book.
            let is_it = |row: &Row| matches!(disk.look(to), Ok(Some(look)) if is_same_inode(row, &look));
            if row.as_ref().is_some_and(is_it) {
                self.write_move(from, to, row)?;
            } else {
                place
                    .book
                    .write(place.transfer, |pen| pen.removed(std::slice::from_ref(from)))?;
            }
            return Ok(Some(Became::Done));
        };
        // Somebody else's: what is wanted at the other place is put there.
        if place.book.rows(place.transfer, from, None, 1)?.is_empty() {
            return Ok(Some(Became::Done));
        }
        if from.holds(to) || to.holds(from) && from != to {
            return Err(Trouble::Step(Became::Waits));
        }
        make_way(&place, to, &mut self.touched)?;
        let there = disk.look(to).map_err(io)?;
        self.touched.make_way(disk, from).map_err(io)?;
        // Where names that differ in case alone are one, the other name is the same file.
        let is_one = there.as_ref().is_some_and(|there| {
            there.stamp.file_id != 0 && there.stamp.file_id == source.stamp.file_id && is_same_but_for_case(from, to)
        });
        let mut became = Became::Done;
        if there.is_some() && !is_one {
            self.question = place.guard.take(place.files_at(to)?, || place.known_files())?;
            if self.question.is_some() {
                return Ok(None);
            }
            if clear(&place, to, &mut self.touched)? == Cleared::ButChanged {
                put_anything_aside(&place, to, None, &mut self.touched)?;
                became = Became::KeptAside;
            }
        }
        let new = if is_one { NewName::Replace } else { NewName::Free };
        self.rename(from, to, new).map_err(io)?;
        self.write_move(from, to, row)?;
        Ok(Some(became))
    }

    fn rename(&mut self, from: &RootPath, to: &RootPath, new: NewName) -> std::io::Result<()> {
        let disk = &*self.place.disk;
        let locked = Touched::open_to_move(disk, from)?;
        if let Err(cause) = disk.rename(from, to, new) {
            if let Some(mode) = locked {
                let _ = disk.set_mode(from, mode);
            }
            return Err(cause);
        }
        self.touched.forget(from);
        if let Some(mode) = locked {
            self.touched.is_to_be_locked(to, mode);
        }
        self.touched.beside(from);
        self.touched.beside(to);
        Ok(())
    }

    fn write_move(&mut self, from: &RootPath, to: &RootPath, row: Option<Row>) -> Result<(), Trouble> {
        let place = Arc::clone(&self.place);
        self.touched
            .sync(&*place.disk)
            .map_err(|cause| Trouble::of(to, &cause))?;
        let look = place.disk.look(to).map_err(|cause| Trouble::of(to, &cause))?;
        // A new name changes the time of the inode, which counts in stamps.
        let restamped = row.zip(look).filter(|(row, look)| {
            row.kind == EntryKind::File
                && (row.stamp.size, row.stamp.mtime_ns, row.stamp.file_id)
                    == (look.stamp.size, look.stamp.mtime_ns, look.stamp.file_id)
        });
        let restamped = restamped.map(|(row, look)| {
            (
                to.clone(),
                Row {
                    stamp: look.stamp,
                    ..row
                },
            )
        });
        place.book.write(place.transfer, |pen| {
            pen.removed(std::slice::from_ref(to))?;
            pen.moved(from, to)?;
            restamped
                .into_iter()
                .try_for_each(|restamped| pen.restamp(&[restamped]))
        })?;
        Ok(())
    }
}

/// Sees to it that the folder above a path is there and can be written in. A file that was written in its place goes.
pub(super) fn make_way(place: &Inner, path: &RootPath, touched: &mut Touched) -> Result<(), Trouble> {
    let made = match touched.make_way(&*place.disk, path) {
        Err(cause) if is_no_folder(&cause) => {
            clear_above(place, path, touched)?;
            touched.make_way(&*place.disk, path)
        }
        made => made,
    };
    made.map_err(|cause| Trouble::of(path, &cause))
}

fn clear_above(place: &Inner, path: &RootPath, touched: &mut Touched) -> Result<(), Trouble> {
    let is_leaf = |at: &RootPath| matches!(place.disk.look(at), Ok(Some(look)) if look.kind != EntryKind::Folder);
    let below = above(path).take_while(|folder| !folder.is_root() && place.below.holds(folder));
    let Some(leaf) = below.into_iter().find(is_leaf) else {
        return Ok(());
    };
    if place.book.row(place.transfer, &leaf)?.is_some() && clear(place, &leaf, touched)? == Cleared::All {
        touched.sync(&*place.disk).map_err(|cause| Trouble::of(&leaf, &cause))?;
        place
            .book
            .write(place.transfer, |pen| pen.removed(std::slice::from_ref(&leaf)))?;
    }
    Ok(())
}

/// Moves what was written at a path and below it to the trash. What somebody changed is a conflict and stays, and so does
/// what never was written here.
pub(super) fn clear(place: &Inner, path: &RootPath, touched: &mut Touched) -> Result<Cleared, Trouble> {
    let look = place.disk.look(path).map_err(|cause| Trouble::of(path, &cause))?;
    match look {
        None => Ok(Cleared::All),
        Some(look) if look.kind == EntryKind::Folder => clear_folder(place, path, touched),
        Some(look) => clear_file(place, path, look, touched),
    }
}

fn clear_folder(place: &Inner, path: &RootPath, touched: &mut Touched) -> Result<Cleared, Trouble> {
    let mut found = Vec::new();
    if is_all_as_written(place, path, &mut found)? {
        let there = touched
            .make_way(&*place.disk, path)
            .and_then(|()| trash::take(&*place.disk, path, clock::now(), touched))
            .map_err(|cause| Trouble::of(path, &cause))?;
        return take_back(place, (path, &there), found, touched);
    }
    let mut cleared = Cleared::All;
    // Deepest first, so that folders are empty when it is their turn.
    for (below, look) in found.into_iter().rev() {
        if look.kind == EntryKind::Folder {
            let _ = touched.make_way(&*place.disk, &below);
            match place.disk.remove_folder(&below) {
                Ok(()) => {
                    touched.forget(&below);
                    touched.beside(&below);
                }
                Err(_) => cleared = Cleared::ButChanged,
            }
        } else if clear_file(place, &below, look, touched)? == Cleared::ButChanged {
            cleared = Cleared::ButChanged;
        }
    }
    Ok(cleared)
}

fn clear_file(place: &Inner, path: &RootPath, look: Look, touched: &mut Touched) -> Result<Cleared, Trouble> {
    let known = place.known(path)?;
    let is_known = known.row.is_some();
    match place.judge(path, look, &known, None)?.or_chosen(&known) {
        Local::Edited(look) => {
            if is_known {
                let conflict = place.conflict_of(path, None, &look, None);
                place.book.write(place.transfer, |pen| pen.conflict(&conflict))?;
                place.count(|counters| &counters.conflicts, 1);
            }
            Ok(Cleared::ButChanged)
        }
        Local::Nothing => Ok(Cleared::All),
        Local::AsWritten(look) | Local::Same(look) | Local::Damaged(look) => {
            let there = touched
                .make_way(&*place.disk, path)
                .and_then(|()| trash::take(&*place.disk, path, clock::now(), touched))
                .map_err(|cause| Trouble::of(path, &cause))?;
            take_back(place, (path, &there), vec![(path.clone(), look)], touched)
        }
    }
}

/// What somebody changed until the moment when it went from `path` to `there`, the trash, comes back: it is a conflict.
fn take_back(
    place: &Inner,
    (path, there): (&RootPath, &RootPath),
    gone: Vec<(RootPath, Look)>,
    touched: &mut Touched,
) -> Result<Cleared, Trouble> {
    let mut cleared = Cleared::All;
    let known: HashSet<RootPath> = gone.iter().map(|(was, _)| was.clone()).collect();
    for (was, look) in gone {
        let io = |cause: std::io::Error| Trouble::of(&was, &cause);
        let rest = &was.as_bytes()[path.as_bytes().len()..];
        let Ok(is) = RootPath::new([there.as_bytes(), rest].concat()) else {
            continue;
        };
        if look.kind == EntryKind::Folder {
            if bring_back_new(place, (&was, &is), &known, touched)? {
                cleared = Cleared::ButChanged;
            }
            continue;
        }
        let Some(now) = place.disk.look(&is).map_err(io)? else {
            continue;
        };
        if is_same_but_for_name(&look, &now) {
            continue;
        }
        touched
            .make_way(&*place.disk, &was)
            .and_then(|()| place.disk.rename(&is, &was, NewName::Free))
            .map_err(io)?;
        touched.beside(&is);
        touched.beside(&was);
        let conflict = place.conflict_of(&was, None, &now, None);
        place.book.write(place.transfer, |pen| pen.conflict(&conflict))?;
        place.count(|counters| &counters.conflicts, 1);
        cleared = Cleared::ButChanged;
    }
    Ok(cleared)
}

/// What somebody made in a folder until the moment when it went from `was` to `is` comes back; whether there was something.
fn bring_back_new(
    place: &Inner,
    (was, is): (&RootPath, &RootPath),
    known: &HashSet<RootPath>,
    touched: &mut Touched,
) -> Result<bool, Trouble> {
    let io = |cause: std::io::Error| Trouble::of(was, &cause);
    let mut has_some = false;
    for (name, _) in place.disk.names(is).map_err(io)? {
        let (Ok(home), Ok(away)) = (was.join(&name), is.join(&name)) else {
            continue;
        };
        if known.contains(&home) || is_own(&home) {
            continue;
        }
        touched
            .make_way(&*place.disk, &home)
            .and_then(|()| place.disk.rename(&away, &home, NewName::Free))
            .map_err(io)?;
        touched.beside(&away);
        touched.beside(&home);
        has_some = true;
    }
    Ok(has_some)
}

/// Whether everything in a folder is as it was written; collects it, a folder before what is in it.
fn is_all_as_written(place: &Inner, folder: &RootPath, found: &mut Vec<(RootPath, Look)>) -> Result<bool, Trouble> {
    let mut pending = vec![folder.clone()];
    let mut is_all = true;
    while let Some(path) = pending.pop() {
        let io = |cause: std::io::Error| Trouble::of(&path, &cause);
        let Some(look) = place.disk.look(&path).map_err(io)? else {
            continue;
        };
        let known = place.known(&path)?;
        let kind = look.kind;
        found.push((path.clone(), look.clone()));
        is_all &= match place.judge(&path, look, &known, None)?.or_chosen(&known) {
            Local::Nothing => true,
            Local::AsWritten(_) | Local::Damaged(_) => true,
            // A folder that was made here goes along if nothing in it was.
            Local::Edited(_) | Local::Same(_) => kind == EntryKind::Folder,
        };
        if kind == EntryKind::Folder {
            for (name, _) in place.disk.names(&path).map_err(io)? {
                let below = path
                    .join(&name)
                    .map_err(|_| Trouble::of(&path, &std::io::ErrorKind::InvalidFilename.into()))?;
                // What a crash left of a file on its way goes along.
                if !is_own(&below) {
                    pending.push(below);
                }
            }
        }
    }
    Ok(is_all)
}

/// Clears a path, and gives what somebody changed there another name beside it, as a conflict with what the origin wants.
pub(super) fn make_room(
    place: &Inner,
    path: &RootPath,
    theirs: &Manifest,
    touched: &mut Touched,
) -> Result<Cleared, Trouble> {
    let cleared = clear(place, path, touched)?;
    if cleared == Cleared::ButChanged {
        put_anything_aside(place, path, Some(theirs), touched)?;
    }
    Ok(cleared)
}

fn put_anything_aside(
    place: &Inner,
    path: &RootPath,
    theirs: Option<&Manifest>,
    touched: &mut Touched,
) -> Result<(), Trouble> {
    let io = |cause: std::io::Error| Trouble::of(path, &cause);
    let Some(look) = place.disk.look(path).map_err(io)? else {
        return Ok(());
    };
    let kept = conflict::free_path(&*place.disk, path, &place.machine, clock::now());
    let conflict = place.conflict_of(path, Some(kept.clone()), &look, theirs);
    place.book.write(place.transfer, |pen| {
        pen.settle(path, None)?;
        pen.conflict(&conflict)
    })?;
    place.disk.rename(path, &kept, NewName::Free).map_err(io)?;
    touched.forget(path);
    touched.beside(path);
    place.count(|counters| &counters.conflicts, 1);
    Ok(())
}

impl Inner {
    /// How many files were written at a path and below it.
    pub(super) fn files_at(&self, path: &RootPath) -> Result<u64, Refusal> {
        self.book.count(self.transfer, path).map(|(files, _)| files)
    }
}

pub(super) fn is_same_inode(row: &Row, look: &Look) -> bool {
    row.kind == look.kind && row.stamp.file_id != 0 && row.stamp.file_id == look.stamp.file_id
}

fn is_same_but_for_case(a: &RootPath, b: &RootPath) -> bool {
    a.display().to_lowercase() == b.display().to_lowercase()
}

fn all_of(path: &RootPath, cause: &std::io::Error) -> Refusal {
    match Trouble::of(path, cause) {
        Trouble::All(refusal) => refusal,
        Trouble::Step(_) => {
            let advice = "the machine could not write to its disk; check it, the agent's log says more, then resume";
            Refusal::new(beckon_shared::error::ErrorCode::Internal, advice)
        }
    }
}
