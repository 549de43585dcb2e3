//! Puts: what has to be written of them, and how it gets to its place.

use std::{collections::BTreeMap, sync::Arc};

use beckon_shared::{
    browse::{Conflict, Side},
    entry::{EntryKind, SourceStamp},
    error::{ErrorCode, Refusal},
    id::{Hash, TransferId},
    manifest::{Content, Manifest},
    path::{Name, RootPath},
};

use super::{
    Inner, LARGE, Puts,
    batch::{Batch, Begun, How, Part, Resumed},
    check::{Known, Local, NO_CONTENT, Target},
    structure::{self, Cleared},
    touched::Touched,
    trouble::Trouble,
};
use crate::{
    clock,
    copy::{
        Became, Book, Row, Wanted,
        book::{self, Intent, Written},
        conflict,
        disk::{Disk, NewFile},
    },
    root::{Look, NewName, part_name},
};

/// More files than this are made durable by one call for the whole disk.
const FEW: usize = 8;

/// What is to be filled, its handle if it is a file, and whether it was begun before.
struct Made {
    part: Part,
    handle: Option<Box<dyn NewFile>>,
    resumed: Resumed,
}

/// Finds out what has to be written, and begins with it: folders are made, what stands already is taken as it is.
pub(super) fn plan(place: Arc<Inner>, puts: Puts, touched: Touched) -> Result<Batch, Refusal> {
    let mut batch = Batch::new(place, touched);
    let began = match puts.len() > FEW {
        true => batch.place.disk.begin(),
        false => Ok(false),
    };
    match began {
        Ok(began) => batch.syncs_at_once = began,
        Err(cause) => batch.refuse(Trouble::of(&RootPath::root(), &cause)),
    }
    if let Err(refusal) = batch.announce_folders(&puts) {
        batch.refusal = Some(refusal);
    }
    for (at, wanted) in puts {
        if batch.refusal.is_some() || batch.question.is_some() {
            break;
        }
        let may = batch
            .place
            .may_name(&wanted.path)
            .and_then(|()| batch.may_be_below(&wanted.path));
        let known = may.and_then(|()| batch.place.known(&wanted.path));
        let put = known.and_then(|known| match wanted.manifest.content {
            Content::Folder => batch.put_folder(at, &wanted, &known),
            _ => batch.put_file(at, wanted, known),
        });
        match put {
            Ok(()) => {}
            Err(Trouble::Step(became)) => batch.became.push((at, became)),
            Err(all) => batch.refuse(all),
        }
    }
    Ok(batch)
}

impl Batch {
    /// Folders are made at once, long before the book hears of them: it is told that they come.
    fn announce_folders(&self, puts: &Puts) -> Result<(), Refusal> {
        let place = &self.place;
        let mut intents = Vec::new();
        let folders = puts
            .iter()
            .filter(|(_, wanted)| wanted.manifest.content == Content::Folder);
        for (_, wanted) in folders {
            let row = place.book.row(place.transfer, &wanted.path)?;
            if row.is_none_or(|row| row.kind != EntryKind::Folder) && place.may_name(&wanted.path).is_ok() {
                let content = NO_CONTENT;
                intents.push((wanted.path.clone(), Intent { content }));
            }
        }
        match intents.is_empty() {
            true => Ok(()),
            false => place.book.write(place.transfer, |pen| pen.intend(&intents)),
        }
    }

    /// Nothing comes below a file or symlink that is on its way.
    fn may_be_below(&self, path: &RootPath) -> Result<(), Trouble> {
        let above = std::iter::successors(path.split_last(), |(above, _)| above.split_last());
        let mut above = above.map(|(above, _)| above);
        if above.any(|above| self.leaves.contains(&above)) {
            let advice = "it is to be below something that is no folder; the origin contradicts itself";
            return Err(Trouble::problem(path, ErrorCode::Conflict, advice));
        }
        Ok(())
    }

    fn refuse(&mut self, trouble: Trouble) {
        self.refusal = Some(match trouble {
            Trouble::All(refusal) => refusal,
            Trouble::Step(_) => {
                let advice =
                    "the root is not there, or cannot be written; put it back or plug in its disk, then resume";
                Refusal::new(ErrorCode::NotFound, advice)
            }
        });
    }

    fn put_folder(&mut self, at: usize, wanted: &Wanted, known: &Known) -> Result<(), Trouble> {
        let (place, path) = (Arc::clone(&self.place), &wanted.path);
        let io = |cause: std::io::Error| Trouble::of(path, &cause);
        structure::make_way(&place, path, &mut self.touched)?;
        let target = Target::of(&wanted.manifest);
        let mut became = Became::Done;
        match place.local(path, known, Some(&target))? {
            Local::AsWritten(look) | Local::Same(look) if look.kind == EntryKind::Folder => {
                self.touched.is_to_be(path, wanted.manifest.mode);
            }
            local => {
                became = self.clear_for_folder(path, &local.or_chosen(known), wanted)?;
                place.disk.make_folder(path).map_err(io)?;
                self.touched.beside(path);
                place.narrow(path, wanted.manifest.mode);
            }
        }
        let look = place.disk.look(path).map_err(io)?.ok_or(Trouble::Step(Became::Waits))?;
        self.folders
            .push((path.clone(), wanted.manifest.mode, wanted.manifest.mtime_ns));
        self.written.push(Written {
            path: path.clone(),
            row: Row {
                kind: EntryKind::Folder,
                manifest: wanted.hash,
                content: NO_CONTENT,
                stamp: SourceStamp {
                    mtime_ns: wanted.manifest.mtime_ns,
                    ..look.stamp
                },
                mode: wanted.manifest.mode,
                has_zero_tail: false,
                is_ours: false,
            },
            chunks: Vec::new(),
        });
        self.became.push((at, became));
        Ok(())
    }

    /// What stands where a folder is wanted goes aside or to the trash.
    fn clear_for_folder(&mut self, path: &RootPath, local: &Local, wanted: &Wanted) -> Result<Became, Trouble> {
        let place = Arc::clone(&self.place);
        let io = |cause: std::io::Error| Trouble::of(path, &cause);
        match local {
            Local::Nothing => Ok(Became::Done),
            Local::Edited(look) => {
                let kept = conflict::free_path(&*place.disk, path, &place.machine, clock::now());
                let conflict = place.conflict_of(path, Some(kept.clone()), look, Some(&wanted.manifest));
                place.book.write(place.transfer, |pen| pen.conflict(&conflict))?;
                place.disk.rename(path, &kept, NewName::Free).map_err(io)?;
                self.touched.beside(path);
                place.count(|counters| &counters.conflicts, 1);
                Ok(Became::KeptAside)
            }
            _ => {
                let cleared = structure::make_room(&place, path, &wanted.manifest, &mut self.touched)?;
                Ok(match cleared {
                    Cleared::All => Became::Done,
                    Cleared::ButChanged => Became::KeptAside,
                })
            }
        }
    }

    fn put_file(&mut self, at: usize, wanted: Box<Wanted>, known: Known) -> Result<(), Trouble> {
        let (place, path) = (Arc::clone(&self.place), wanted.path.clone());
        let target = Target::of(&wanted.manifest);
        structure::make_way(&place, &path, &mut self.touched)?;
        let local = place.local(&path, &known, Some(&target))?;
        let has_content = known.row.as_ref().is_some_and(|row| row.content == target.content);
        let is_ours = known.row.as_ref().is_some_and(|row| row.is_ours);
        let is_known = known.row.as_ref().is_some_and(|row| row.manifest == wanted.hash);
        let (how, expected) = match local {
            Local::Nothing => (How::Free, None),
            Local::Same(look) => return self.settle(at, &wanted, &known, look),
            Local::AsWritten(look) if has_content && look.kind == target.kind => {
                return self.settle(at, &wanted, &known, look);
            }
            Local::AsWritten(look) if look.kind == EntryKind::Folder => {
                self.question = place.guard.take(place.files_at(&path)?, || place.known_files())?;
                if self.question.is_some() {
                    return Ok(());
                }
                (How::Folder, Some(look))
            }
            // The origin has nothing new: a person's choice holds, and what was changed here stays where it is.
            Local::AsWritten(_) if is_ours && is_known => {
                self.became.push((at, Became::Done));
                return Ok(());
            }
            Local::Edited(look) if is_known => {
                let conflict = place.conflict_of(&path, None, &look, Some(&wanted.manifest));
                place.book.write(place.transfer, |pen| pen.conflict(&conflict))?;
                self.became.push((at, Became::Stays));
                return Ok(());
            }
            Local::AsWritten(look) if is_ours => (How::Aside, Some(look)),
            Local::AsWritten(look) => (How::Replace, Some(look)),
            Local::Edited(look) => (How::Aside, Some(look)),
            Local::Damaged(look) => (How::Trash, Some(look)),
        };
        let before = match how {
            How::Replace => place.book.chunks(place.transfer, &path)?,
            _ => Vec::new(),
        };
        let Made { part, handle, resumed } = self.make_part(&wanted, target.size)?;
        self.leaves.insert(path);
        self.begin(Begun {
            at,
            wanted,
            target,
            part,
            how,
            expected,
            handle,
            before,
            resumed,
        })
    }

    /// What is wanted stands there already: only its bits and time may differ.
    fn settle(&mut self, at: usize, wanted: &Wanted, known: &Known, look: Look) -> Result<(), Trouble> {
        let (place, path, manifest) = (&self.place, &wanted.path, &wanted.manifest);
        let stands = |row: &Row| row.manifest == wanted.hash && row.stamp == look.stamp && !row.is_ours;
        if !known.row.as_ref().is_some_and(stands) {
            let io = |cause: std::io::Error| Trouble::of(path, &cause);
            let is_same = look.stamp.mtime_ns == manifest.mtime_ns && is_same_mode(look.mode, manifest.mode);
            if !is_same {
                // What somebody wrote while it was compared must not get the origin's time: nobody would see it any more.
                if place.disk.look(path).map_err(io)?.as_ref() != Some(&look) {
                    return Err(Trouble::Step(Became::Waits));
                }
                let (kind, mode) = (look.kind, manifest.mode);
                place.disk.set_meta(path, kind, mode, manifest.mtime_ns).map_err(io)?;
            }
            let after = place.disk.look(path).map_err(io)?.ok_or(Trouble::Step(Became::Waits))?;
            // As it was compared, but for what was just set: what somebody wrote since must not be taken for that.
            let stamp = SourceStamp {
                mtime_ns: manifest.mtime_ns,
                ctime_ns: after.stamp.ctime_ns,
                ..look.stamp
            };
            let look = Look { stamp, ..look };
            let has_zero_tail = match &known.row {
                Some(row) => row.has_zero_tail,
                None => {
                    super::check::digest(&*place.disk, path, &look)
                        .map_err(io)?
                        .has_zero_tail
                }
            };
            if let Some(part) = place.book.part(place.transfer, path)? {
                let _ = place.disk.remove_file(&beside(path, &part.name)?);
            }
            place.count(|counters| &counters.bytes_own, Target::of(manifest).size);
            self.written.push(written(wanted, &look, has_zero_tail));
        }
        self.place.count(|counters| &counters.files, 1);
        self.became.push((at, Became::Done));
        Ok(())
    }

    /// Makes what is to be filled, under a name of its own in the same folder.
    fn make_part(&mut self, wanted: &Wanted, size: u64) -> Result<Made, Trouble> {
        let (place, path) = (&self.place, &wanted.path);
        let io = |cause: std::io::Error| Trouble::of(path, &cause);
        let disk = Arc::clone(&place.disk);
        if let Some(old) = place.book.part(place.transfer, path)? {
            let (at, half) = (beside(path, &old.name)?, place.halves().remove(path));
            if old.manifest == wanted.hash
                && let Ok(handle) = disk.reopen(&at)
            {
                let half = half.filter(|half| half.name == old.name);
                let stays = true;
                return Ok(Made {
                    part: Part { disk, path: at, stays },
                    handle: Some(handle),
                    resumed: half.map_or(Resumed::Unread, Resumed::Known),
                });
            }
            let _ = disk.remove_file(&at);
        }
        let stays = size >= LARGE;
        let name = part_name(clock::random());
        let at = beside(path, &name)?;
        let handle = match &wanted.manifest.content {
            Content::Symlink(target) => {
                disk.make_symlink(&at, target).map_err(io)?;
                let _ = disk.set_meta(&at, EntryKind::Symlink, 0, wanted.manifest.mtime_ns);
                None
            }
            _ => Some(disk.create(&at, wanted.manifest.mode).map_err(io)?),
        };
        let part = Part { disk, path: at, stays };
        let resumed = Resumed::No;
        if stays {
            let manifest = wanted.hash;
            place.book.write(place.transfer, |pen| {
                pen.begin_part(path, &book::Part { name, manifest })
            })?;
        }
        Ok(Made { part, handle, resumed })
    }
}

impl Inner {
    /// A folder that was just made is open to nobody whom the origin's is closed to, from before anything is in it.
    fn narrow(&self, folder: &RootPath, mode: u32) {
        if mode != 0
            && let Err(cause) = self.disk.set_mode(folder, (mode | 0o300) & 0o777)
        {
            tracing::debug!(%cause, ?folder, "a folder keeps its own permissions");
        }
    }

    /// A file that was changed here, and what its origin has.
    pub(super) fn conflict_of(
        &self,
        path: &RootPath,
        kept: Option<RootPath>,
        look: &Look,
        theirs: Option<&Manifest>,
    ) -> Conflict {
        let is_file = look.kind == EntryKind::File;
        Conflict {
            transfer: self.transfer,
            root: self
                .book
                .copy(self.transfer)
                .map_or(beckon_shared::id::RootId([0; 16]), |copy| copy.root),
            path: path.clone(),
            kept,
            ours: is_file.then_some(Side {
                size: look.stamp.size,
                mtime_ns: look.stamp.mtime_ns,
            }),
            theirs: theirs.map(|manifest| Side {
                size: Target::of(manifest).size,
                mtime_ns: manifest.mtime_ns,
            }),
        }
    }
}

/// Folders get their bits and times when all below them is there, the deepest first: those that were put, and those that were
/// put before and in which something changed now.
pub(super) fn finish_folders(
    place: &Inner,
    folders: &[(RootPath, u32, i64)],
    touched: &Touched,
) -> Result<(), Refusal> {
    let mut all: BTreeMap<RootPath, (u32, i64)> = BTreeMap::new();
    for folder in touched.all() {
        if let Some(row) = place.book.row(place.transfer, folder)?
            && row.kind == EntryKind::Folder
        {
            all.insert(folder.clone(), (row.mode, row.stamp.mtime_ns));
        }
    }
    all.extend(
        folders
            .iter()
            .map(|(path, mode, mtime_ns)| (path.clone(), (*mode, *mtime_ns))),
    );
    for (path, (mode, mtime_ns)) in all.iter().rev() {
        if let Err(cause) = place.disk.set_meta(path, EntryKind::Folder, *mode, *mtime_ns) {
            tracing::debug!(%cause, ?path, "a folder keeps its own time and permissions");
        }
    }
    Ok(())
}

pub(super) fn written(wanted: &Wanted, look: &Look, has_zero_tail: bool) -> Written {
    let target = Target::of(&wanted.manifest);
    Written {
        path: wanted.path.clone(),
        row: Row {
            kind: target.kind,
            manifest: wanted.hash,
            content: target.content,
            stamp: look.stamp,
            mode: wanted.manifest.mode,
            has_zero_tail,
            is_ours: false,
        },
        chunks: match &wanted.manifest.content {
            Content::File(file) => file.chunks.clone(),
            _ => Vec::new(),
        },
    }
}

fn is_same_mode(now: u32, wanted: u32) -> bool {
    wanted == 0 || now & 0o777 == wanted & 0o777
}

/// Removes what has come of files that are not wanted like this any more.
pub(super) fn drop_unwanted_parts(
    place: &Inner,
    is_wanted: impl Fn(&RootPath, &Hash) -> Result<bool, Refusal>,
) -> Result<(), Refusal> {
    let mut unwanted = Vec::new();
    for (path, part) in place.book.parts(place.transfer)? {
        if !is_wanted(&path, &part.manifest)?
            && let Ok(at) = beside(&path, &part.name)
        {
            let _ = place.disk.remove_file(&at);
            place.halves().remove(&path);
            unwanted.push(path);
        }
    }
    match unwanted.is_empty() {
        true => Ok(()),
        false => place.book.write(place.transfer, |pen| pen.end_parts(&unwanted)),
    }
}

/// Removes what has come of files at and below a path.
pub(super) fn drop_parts(disk: &dyn Disk, book: &Book, transfer: TransferId, at: &RootPath) -> Result<(), Refusal> {
    for (path, part) in book.parts(transfer)? {
        if at.holds(&path)
            && let Ok(part) = beside(&path, &part.name)
        {
            // What is not there any more needs no removing.
            let _ = disk.remove_file(&part);
        }
    }
    Ok(())
}

/// A path in the same folder.
pub(super) fn beside(path: &RootPath, name: &str) -> Result<RootPath, Trouble> {
    let name = Name::new(name.as_bytes()).ok();
    let at = path
        .split_last()
        .zip(name)
        .and_then(|((above, _), name)| above.join(&name).ok());
    at.ok_or_else(|| Trouble::of(path, &std::io::ErrorKind::InvalidFilename.into()))
}
