//! Compares a copy on the disk with what was written: what somebody deleted, what a crash damaged, and what was changed here.

use std::{collections::BTreeMap, sync::Arc};

use beckon_shared::{
    browse::Conflict,
    entry::EntryKind,
    error::{ErrorCode, Refusal},
    path::RootPath,
};
use tokio_util::sync::CancellationToken;

use super::{
    Inner,
    check::{Known, Local},
    is_much,
    touched::Touched,
    trouble::Trouble,
    under_way,
};
use crate::{
    clock,
    copy::{Much, Row, book, trash},
    root::{Look, is_own},
};

/// What was found.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Survey {
    /// Files and symlinks that were written.
    pub(crate) known: u64,
    /// Those of them that are gone: to be written again.
    pub(crate) missing: u64,
    /// Those that a crash damaged: to be written again.
    pub(crate) damaged: u64,
    /// Those that were changed here.
    pub(crate) edited: u64,
    /// A person must answer this; nothing was changed because of it.
    pub(crate) question: Option<Much>,
}

/// One look through a place.
struct Through<'a> {
    place: &'a Inner,
    touched: Touched,
    found: Survey,
    /// Paths that hold nothing any more.
    gone: Vec<RootPath>,
    /// Files that were found changed in place before, and were not yet this time.
    changed_before: BTreeMap<RootPath, Conflict>,
}

/// Whether it looks as if a disk was taken out: then a person is asked before anything is written where it was. Blocks.
pub(super) fn glance(place: &Arc<Inner>, stop: &CancellationToken) -> Result<Option<Much>, Refusal> {
    /// So many of the files that were written are looked for.
    const SAMPLE: usize = 16;
    place.disk.forget();
    if !place.disk.is_there() {
        return Ok(Some(Much::RootGone));
    }
    let rows = place.book.rows(place.transfer, &RootPath::root(), None, SAMPLE)?;
    let is_gone = |(path, _): &(RootPath, Row)| matches!(place.disk.look(path), Ok(None));
    if rows.is_empty() || !rows.iter().all(is_gone) {
        return Ok(None);
    }
    survey(place, stop).map(|survey| survey.question)
}

/// Looks through all that was written. Blocks.
pub(super) fn survey(place: &Arc<Inner>, stop: &CancellationToken) -> Result<Survey, Refusal> {
    place.disk.forget();
    let mut look = Through {
        place,
        touched: Touched::default(),
        found: Survey::default(),
        gone: Vec::new(),
        changed_before: place.changed_in_place()?,
    };
    if !place.disk.is_there() {
        look.found.known = place.known_files()?;
        look.found.question = Some(Much::RootGone);
        return Ok(look.found);
    }
    let was_under_way = under_way::resolve(place)?;
    if !look.all(stop)? {
        return Ok(look.found);
    }
    let is_asked = is_much(look.found.missing, look.found.known) && !place.allows_much();
    if is_asked {
        let (files, known) = (look.found.missing, look.found.known);
        look.found.question = Some(Much::Missing { files, known });
        return Ok(look.found);
    }
    place.count(|counters| &counters.again, look.found.missing + look.found.damaged);
    let gone = std::mem::take(&mut look.gone);
    look.touched
        .sync(&*place.disk)
        .map_err(|cause| trouble(Trouble::of(&RootPath::root(), &cause)))?;
    if !gone.is_empty() {
        place.book.write(place.transfer, |pen| pen.removed(&gone))?;
    }
    if was_under_way || place.book.is_suspect(place.transfer) {
        place.sweep_parts(stop);
    }
    let settled = look.changed_before.into_keys().collect::<Vec<_>>();
    if !settled.is_empty() {
        place.book.write(place.transfer, |pen| {
            settled.iter().try_for_each(|path| pen.settle(path, None))
        })?;
    }
    place.book.trust(place.transfer)?;
    if let Err(cause) = trash::sweep(&*place.disk, clock::now()) {
        tracing::debug!(%cause, "old trash could not be removed");
    }
    Ok(look.found)
}

impl Through<'_> {
    /// False if it was stopped.
    fn all(&mut self, stop: &CancellationToken) -> Result<bool, Refusal> {
        let place = self.place;
        let is_suspect = place.book.is_suspect(place.transfer);
        let mut after = None;
        loop {
            let page = place
                .book
                .rows(place.transfer, &RootPath::root(), after.as_ref(), book::PAGE)?;
            let mut restamped = Vec::new();
            for (path, row) in &page {
                if stop.is_cancelled() {
                    return Ok(false);
                }
                match self.one(path, row, is_suspect) {
                    Ok(Some(stamped)) => restamped.push((path.clone(), stamped)),
                    Ok(None) => {}
                    Err(Trouble::All(refusal)) => return Err(refusal),
                    // What cannot be looked at is not taken for gone, nor for unchanged.
                    Err(Trouble::Step(_)) => _ = self.changed_before.remove(path),
                }
            }
            if !restamped.is_empty() {
                place.book.write(place.transfer, |pen| pen.restamp(&restamped))?;
            }
            let Some((last, _)) = page.into_iter().next_back() else {
                return Ok(true);
            };
            after = Some(last);
        }
    }

    /// Compares one path; another row if only the stamp differs.
    fn one(&mut self, path: &RootPath, row: &Row, is_suspect: bool) -> Result<Option<Row>, Trouble> {
        let place = self.place;
        let is_folder = row.kind == EntryKind::Folder;
        self.found.known += u64::from(!is_folder);
        let look = match place.disk.look(path) {
            Ok(look) => look,
            Err(cause) => return Err(Trouble::of(path, &cause)),
        };
        let Some(look) = look else {
            self.found.missing += u64::from(!is_folder);
            self.gone.push(path.clone());
            return Ok(None);
        };
        if is_folder && look.kind == EntryKind::Folder {
            self.folder(path, row, &look, is_suspect);
            return Ok(None);
        }
        let known = Known {
            row: Some(row.clone()),
            intent: place.book.intent(place.transfer, path)?,
            is_suspect,
        };
        match place.judge(path, look, &known, None)? {
            Local::AsWritten(look) => {
                let stamp = look.stamp;
                Ok((stamp != row.stamp).then(|| Row { stamp, ..row.clone() }))
            }
            Local::Damaged(_) => {
                self.found.damaged += 1;
                let taken = trash::take(&*place.disk, path, clock::now(), &mut self.touched);
                taken.map_err(|cause| Trouble::of(path, &cause))?;
                self.gone.push(path.clone());
                Ok(None)
            }
            Local::Edited(look) => self.edited(path, &look),
            Local::Nothing | Local::Same(_) => Ok(None),
        }
    }

    /// A folder may have been opened for writing when the agent stopped.
    fn folder(&self, path: &RootPath, row: &Row, look: &Look, is_suspect: bool) {
        let is_wider = row.mode != 0 && look.mode & 0o777 == (row.mode | 0o300) & 0o777 && look.mode != row.mode;
        if is_suspect && is_wider {
            let _ = self.place.disk.set_mode(path, row.mode);
        }
    }

    fn edited(&mut self, path: &RootPath, look: &Look) -> Result<Option<Row>, Trouble> {
        let place = self.place;
        self.found.edited += 1;
        let before = self.changed_before.remove(path);
        let mut conflict = place.conflict_of(path, None, look, None);
        conflict.theirs = match &before {
            Some(before) => before.theirs,
            None => place.theirs(path)?,
        };
        if before.as_ref() != Some(&conflict) {
            place.book.write(place.transfer, |pen| pen.conflict(&conflict))?;
        }
        if before.is_none() {
            place.count(|counters| &counters.conflicts, 1);
        }
        Ok(None)
    }
}

impl Inner {
    fn allows_much(&self) -> bool {
        self.guard.allows.load(std::sync::atomic::Ordering::SeqCst)
    }

    /// Conflicts of files that still lie where they were changed, and that are still wanted by the origin.
    fn changed_in_place(&self) -> Result<BTreeMap<RootPath, Conflict>, Refusal> {
        let all = self.book.conflicts(self.transfer)?.into_iter();
        let in_place = all.filter(|conflict| conflict.kept.is_none() && conflict.theirs.is_some());
        Ok(in_place.map(|conflict| (conflict.path.clone(), conflict)).collect())
    }

    /// The origin's side of a file that was written: as it was then.
    fn theirs(&self, path: &RootPath) -> Result<Option<beckon_shared::browse::Side>, Refusal> {
        let row = self.book.row(self.transfer, path)?;
        Ok(row.map(|row| beckon_shared::browse::Side {
            size: row.stamp.size,
            mtime_ns: row.stamp.mtime_ns,
        }))
    }

    /// Removes what a crash left of files on their way, below the place.
    fn sweep_parts(&self, stop: &CancellationToken) {
        let Ok(parts) = self.book.parts(self.transfer) else {
            return;
        };
        let kept: Vec<RootPath> = parts
            .iter()
            .filter_map(|(path, part)| super::put::beside(path, &part.name).ok())
            .collect();
        let mut pending = vec![self.below.clone()];
        while let Some(folder) = pending.pop() {
            if stop.is_cancelled() {
                return;
            }
            for (name, kind) in self.disk.names(&folder).unwrap_or_default() {
                let Ok(path) = folder.join(&name) else { continue };
                match kind {
                    EntryKind::Folder if !is_own(&path) => pending.push(path),
                    EntryKind::File | EntryKind::Symlink if is_own(&path) && !kept.contains(&path) => {
                        let _ = self.disk.remove_file(&path);
                    }
                    _ => {}
                }
            }
        }
    }
}

pub(super) fn trouble(trouble: Trouble) -> Refusal {
    match trouble {
        Trouble::All(refusal) => refusal,
        Trouble::Step(_) => Refusal::new(
            ErrorCode::Internal,
            "the machine could not write to its disk; check it, the agent's log says more, then resume",
        ),
    }
}
