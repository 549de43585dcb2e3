//! What was under way when the agent stopped: it is on the disk, and the book has not heard of it. Nobody would take it away
//! again if the origin did.

use beckon_shared::{entry::EntryKind, error::Refusal, id::Hash, path::RootPath};

use super::{
    Inner,
    check::{NO_CONTENT, digest},
    structure::is_same_inode,
};
use crate::{
    copy::{
        Row,
        book::{Intent, Written},
        want::rebased,
    },
    root::Look,
};

/// Of what was found on the disk nobody knows which version of the origin it is: it is compared once more.
const NO_VERSION: Hash = Hash([0; 32]);

/// Tells the book of it; whether there was something. Blocks.
pub(super) fn resolve(place: &Inner) -> Result<bool, Refusal> {
    let moves = place.book.moves(place.transfer)?;
    for (from, to) in &moves {
        if is_moved(place, from, to)? {
            place.book.write(place.transfer, |pen| {
                pen.removed(std::slice::from_ref(to))?;
                pen.moved(from, to)
            })?;
        }
    }
    if !moves.is_empty() {
        place.book.write(place.transfer, |pen| pen.announce_moves(&[]))?;
    }
    let intents = place.book.intents(place.transfer)?;
    let (mut over, mut came) = (Vec::new(), Vec::new());
    for (path, intent) in intents {
        match came_to_be(place, &path, &intent)? {
            Some(row) => came.push(Written {
                path,
                row,
                chunks: Vec::new(),
            }),
            None => over.push(path),
        }
    }
    if !over.is_empty() || !came.is_empty() {
        let leaves = came.iter().filter(|one| one.row.kind != EntryKind::Folder);
        let leaves: Vec<RootPath> = leaves.map(|one| one.path.clone()).collect();
        place.book.write(place.transfer, |pen| {
            pen.end_intents(&over)?;
            // Below what was a folder is nothing any more.
            pen.removed(&leaves)?;
            pen.written(&came)
        })?;
    }
    Ok(!moves.is_empty() || !over.is_empty() || !came.is_empty())
}

/// Whether a move was made that the book has not heard of.
fn is_moved(place: &Inner, from: &RootPath, to: &RootPath) -> Result<bool, Refusal> {
    let first = place.book.rows(place.transfer, from, None, 1)?.into_iter().next();
    let Some((was, row)) = first else { return Ok(false) };
    let Some(is) = rebased(&was, from, to) else {
        return Ok(false);
    };
    let is_gone = matches!(place.disk.look(&was), Ok(None));
    let is_there = || matches!(place.disk.look(&is), Ok(Some(look)) if is_same_inode(&row, &look));
    Ok(is_gone && is_there())
}

/// The row of what was about to come and is there.
fn came_to_be(place: &Inner, path: &RootPath, intent: &Intent) -> Result<Option<Row>, Refusal> {
    let row = place.book.row(place.transfer, path)?;
    if row.is_some_and(|row| row.content == intent.content) {
        return Ok(None);
    }
    let Ok(Some(look)) = place.disk.look(path) else {
        return Ok(None);
    };
    let (content, has_zero_tail) = match look.kind {
        EntryKind::Folder => (NO_CONTENT, false),
        EntryKind::File | EntryKind::Symlink => match digest(&*place.disk, path, &look) {
            Ok(digest) => (digest.hash, digest.has_zero_tail),
            Err(_) => return Ok(None),
        },
        EntryKind::Other => return Ok(None),
    };
    let Look { kind, stamp, mode, .. } = look;
    Ok((content == intent.content).then_some(Row {
        kind,
        manifest: NO_VERSION,
        content,
        stamp,
        mode: mode & 0o777,
        has_zero_tail,
        is_ours: false,
    }))
}
