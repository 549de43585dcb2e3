//! Files that are whole get their names, and the book hears of them.

use std::sync::Arc;

use beckon_shared::{
    entry::EntryKind,
    error::{ErrorCode, Refusal},
    path::RootPath,
};

use super::{
    batch::{Batch, How, Pending},
    check::is_same_but_for_name,
    put::written as written_row,
    structure,
    touched::Touched,
    trouble::Trouble,
};
use crate::{
    clock,
    copy::{
        Became, Much,
        book::{Intent, Part},
        conflict, trash,
    },
    root::{Look, NewName},
};

/// What became of a batch.
pub(super) struct Sealed {
    pub(super) became: Vec<(usize, Became)>,
    pub(super) touched: Touched,
    pub(super) refusal: Option<Refusal>,
    pub(super) question: Option<Much>,
}

/// Gives what is whole its name, and tells the book.
pub(super) fn seal(mut batch: Batch) -> Sealed {
    let refusal = batch.refusal.take();
    // Where there is no room, what small files are not whole goes.
    let sealed = batch.seal(refusal.is_none());
    let refusal = refusal.or(sealed.err());
    Sealed {
        became: batch.became,
        touched: batch.touched,
        refusal,
        question: batch.question,
    }
}

impl Batch {
    fn seal(&mut self, halves_stay: bool) -> Result<(), Refusal> {
        let files = std::mem::take(&mut self.files);
        let (whole, mut rest): (Vec<_>, Vec<_>) = files.into_iter().partition(Pending::is_whole);
        for pending in &rest {
            let became = pending.trouble.clone().unwrap_or(Became::Waits);
            self.became.push((pending.at, became));
        }
        if halves_stay {
            self.keep_halves(&mut rest)?;
        }
        drop(rest);
        self.sync(&whole)?;
        let ready = self.announce(whole)?;
        let mut named = Vec::new();
        for (mut pending, kept) in ready {
            match self.give_name(&mut pending, kept.as_ref()) {
                Ok(was_kept) => named.push((pending, was_kept)),
                Err(Trouble::Step(became)) => self.became.push((pending.at, became)),
                Err(Trouble::All(refusal)) => {
                    self.became.push((pending.at, Became::Waits));
                    self.record(named)?;
                    return Err(refusal);
                }
            }
        }
        self.record(named)
    }

    /// What has come of files that are not whole is not fetched once more.
    fn keep_halves(&self, rest: &mut [Pending]) -> Result<(), Refusal> {
        let place = &self.place;
        let halves: Vec<_> = rest
            .iter_mut()
            .filter_map(|pending| pending.half().map(|half| (pending, half)))
            .collect();
        if halves.is_empty() {
            return Ok(());
        }
        place.book.write(place.transfer, |pen| {
            halves.iter().try_for_each(|(pending, half)| {
                let part = Part {
                    name: half.name.clone(),
                    manifest: pending.wanted.hash,
                };
                pen.begin_part(&pending.wanted.path, &part)
            })
        })?;
        let mut known = place.halves();
        for (pending, half) in halves {
            pending.part.stays = true;
            known.insert(pending.wanted.path.clone(), half);
        }
        Ok(())
    }

    /// Makes the bytes of all files durable.
    fn sync(&self, files: &[Pending]) -> Result<(), Refusal> {
        if !self.syncs_at_once || files.is_empty() {
            return Ok(());
        }
        let disk = &*self.place.disk;
        let sync = || -> std::io::Result<()> {
            if disk.sync_all()? {
                return Ok(());
            }
            let is_file = |pending: &&Pending| pending.kind() == EntryKind::File;
            files
                .iter()
                .filter(is_file)
                .try_for_each(|pending| disk.sync_file(&pending.part.path))
        };
        sync().map_err(|cause| not_durable(&cause))
    }

    /// Tells the book what is about to come, and which names what was changed here gets.
    fn announce(&mut self, files: Vec<Pending>) -> Result<Vec<(Pending, Option<RootPath>)>, Refusal> {
        let place = Arc::clone(&self.place);
        let (mut ready, mut intents, mut conflicts) = (Vec::new(), Vec::new(), Vec::new());
        for pending in files {
            let path = &pending.wanted.path;
            if !matches!(place.disk.look(path), Ok(look) if look == pending.expected) && pending.how != How::Folder {
                self.became.push((pending.at, Became::Waits));
                continue;
            }
            intents.push((
                path.clone(),
                Intent {
                    content: pending.target.content,
                },
            ));
            let kept = match (pending.how, &pending.expected) {
                (How::Aside, Some(look)) => {
                    let kept = conflict::free_path(&*place.disk, path, &place.machine, clock::now());
                    let manifest = Some(&pending.wanted.manifest);
                    conflicts.push(place.conflict_of(path, Some(kept.clone()), look, manifest));
                    Some(kept)
                }
                _ => None,
            };
            ready.push((pending, kept));
        }
        if !ready.is_empty() {
            place.book.write(place.transfer, |pen| {
                pen.intend(&intents)?;
                conflicts.iter().try_for_each(|conflict| pen.conflict(conflict))
            })?;
        }
        Ok(ready)
    }

    /// Gives a file its name; whether something was kept aside for it.
    fn give_name(&mut self, pending: &mut Pending, kept: Option<&RootPath>) -> Result<bool, Trouble> {
        let place = Arc::clone(&self.place);
        let (disk, path) = (&*place.disk, &pending.wanted.path);
        let io = |cause: std::io::Error| Trouble::of(path, &cause);
        pending.finished = disk.look(&pending.part.path).map_err(io)?;
        self.touched.beside(path);
        match (pending.how, kept) {
            (How::Replace, _) => return self.replace(pending),
            (How::Aside, Some(kept)) => {
                disk.rename(path, kept, NewName::Free).map_err(io)?;
                place.count(|counters| &counters.conflicts, 1);
            }
            (How::Trash, _) => {
                trash::take(disk, path, clock::now(), &mut self.touched).map_err(io)?;
            }
            (How::Folder, _) => {
                structure::make_room(&place, path, &pending.wanted.manifest, &mut self.touched)?;
            }
            _ => {}
        }
        disk.rename(&pending.part.path, path, NewName::Free).map_err(io)?;
        pending.part.stays = true;
        Ok(kept.is_some())
    }

    /// Puts a file in the place of what was written there before. Where the system can, the two change their names, and what
    /// somebody wrote until that very moment is seen and kept.
    fn replace(&mut self, pending: &mut Pending) -> Result<bool, Trouble> {
        let place = Arc::clone(&self.place);
        let (disk, path, part) = (&*place.disk, &pending.wanted.path, &pending.part.path);
        let io = |cause: std::io::Error| Trouble::of(path, &cause);
        if disk.look(path).map_err(io)? != pending.expected {
            return Err(Trouble::Step(Became::Waits));
        }
        if !disk.exchange(part, path).map_err(io)? {
            disk.rename(part, path, NewName::Replace).map_err(io)?;
            pending.part.stays = true;
            return Ok(false);
        }
        // What stood there has the other name now, and goes only once it is known to be what was written.
        pending.part.stays = true;
        let Some(old) = disk.look(part).map_err(io)? else {
            return Ok(false);
        };
        if pending
            .expected
            .as_ref()
            .is_some_and(|expected| is_same_but_for_name(expected, &old))
        {
            pending.part.stays = false;
            return Ok(false);
        }
        let kept = conflict::free_path(disk, path, &place.machine, clock::now());
        let conflict = place.conflict_of(path, Some(kept.clone()), &old, Some(&pending.wanted.manifest));
        place.book.write(place.transfer, |pen| pen.conflict(&conflict))?;
        disk.rename(part, &kept, NewName::Free).map_err(io)?;
        place.count(|counters| &counters.conflicts, 1);
        Ok(true)
    }

    /// The names are durable: the book says so.
    fn record(&mut self, named: Vec<(Pending, bool)>) -> Result<(), Refusal> {
        let place = Arc::clone(&self.place);
        self.touched.sync(&*place.disk).map_err(|cause| not_durable(&cause))?;
        let mut written = std::mem::take(&mut self.written);
        let mut cleared = Vec::new();
        for (pending, was_kept) in named {
            let became = match place.disk.look(&pending.wanted.path) {
                Ok(Some(look)) => {
                    let was_folder = |look: &Look| look.kind == EntryKind::Folder;
                    if pending.expected.as_ref().is_some_and(was_folder) {
                        cleared.push(pending.wanted.path.clone());
                    }
                    // What somebody wrote since it got its name must not be taken for what was written.
                    let finished = pending
                        .finished
                        .clone()
                        .filter(|finished| !is_same_but_for_name(finished, &look));
                    let look = finished.unwrap_or(look);
                    written.push(written_row(&pending.wanted, &look, pending.has_zero_tail));
                    place.count(|counters| &counters.files, 1);
                    if was_kept { Became::KeptAside } else { Became::Done }
                }
                _ => Became::Waits,
            };
            self.became.push((pending.at, became));
        }
        if written.is_empty() {
            return Ok(());
        }
        place.book.write(place.transfer, |pen| {
            // Below what was a folder is nothing any more.
            pen.removed(&cleared)?;
            pen.written(&written)
        })
    }
}

/// A failed sync is never tried again: what could not be written is gone from memory too.
fn not_durable(cause: &std::io::Error) -> Refusal {
    tracing::error!(%cause, "files could not be made durable");
    match cause.kind() {
        std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => Refusal::new(
            ErrorCode::NoRoom,
            "the machine's disk is full; free some space there, then resume",
        ),
        _ => Refusal::new(
            ErrorCode::Internal,
            "the machine could not write to its disk; check it, the agent's log says more, then resume",
        ),
    }
}
