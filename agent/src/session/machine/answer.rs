//! What is answered to each ask. All of it may block on the disk.

use std::io::{Read, Seek, SeekFrom};

use beckon_shared::{
    browse::{Answer, Ask, MODES_MAX, Page, READ_MAX},
    entry::SourceStamp,
    error::{ErrorCode, Refusal},
    id::{Hash, RootId},
    path::{Name, RootPath},
};

use super::drive_state;
use crate::{
    agent::Agent,
    copy::conflict,
    ignore,
    listing::Listings,
    root::{self, OpenFile, Root},
};

/// How many bytes an answer may hold that waits for a slow line.
pub(super) fn room(ask: &Ask) -> u32 {
    match ask {
        Ask::Read { len, .. } | Ask::Fetch { len, .. } | Ask::Piece { len, .. } => (*len).min(READ_MAX),
        _ => 0,
    }
}

/// Answers everything but orders and which way the session came.
pub(super) fn answer(agent: &Agent, listings: &Listings, ask: Ask) -> Result<Answer, Refusal> {
    match ask {
        Ask::List(ask) => listings.page(&*agent.root(&ask.root)?, &ask).map(Answer::Page),
        Ask::Stat { root, path } => stat(agent, &root, &path),
        Ask::Read {
            root,
            path,
            offset,
            len,
        } => read(agent, &root, &path, offset, len),
        Ask::Fetch {
            root,
            path,
            stamp,
            offset,
            len,
        } => fetch(&*agent.root(&root)?, &path, stamp, offset, len),
        Ask::Modes { root, path, names } => modes(&*agent.root(&root)?, &path, &names),
        Ask::States { root, folders, drive } => drive_state::states(agent, &root, &folders, &drive).map(Answer::States),
        Ask::Ignore { root } => Ok(Answer::Ignore(agent.root(&root)?.ignore().text().to_owned())),
        Ask::SetIgnore { root, patterns } => agent.set_ignore(&root, &patterns).map(|()| Answer::Done),
        Ask::PreviewIgnore { root, patterns } => ignore::preview(&*agent.root(&root)?, &patterns),
        Ask::Conflicts { root, after } => {
            let (conflicts, total) = conflict::list(agent, root, after)?;
            Ok(Answer::Conflicts { conflicts, total })
        }
        Ask::Resolve { transfer, path, choice } => {
            conflict::resolve(agent, transfer, &path, choice).map(|()| Answer::Done)
        }
        Ask::Wake(macs) => agent.waker.wake(&macs).map(|()| Answer::Done),
        Ask::Present(_) | Ask::Piece { .. } => Err(Refusal::new(
            ErrorCode::BadVersion,
            "this machine does not know what was asked; update its agent",
        )),
        Ask::Roots | Ask::Order(_) | Ask::OrderWith { .. } | Ask::Route => {
            Err(Refusal::new(ErrorCode::Internal, "this is answered elsewhere"))
        }
    }
}

fn stat(agent: &Agent, root: &RootId, path: &RootPath) -> Result<Answer, Refusal> {
    let (folder, name) = agent.root(root)?.parent(path)?;
    let entry = folder.stat(&name)?;
    Ok(Answer::Page(Page {
        snapshot: 0,
        total: 1,
        offset: 0,
        entries: vec![entry],
        next: 1,
    }))
}

fn read(agent: &Agent, root: &RootId, path: &RootPath, offset: u64, len: u32) -> Result<Answer, Refusal> {
    let (folder, name) = agent.root(root)?.parent(path)?;
    let mut file = folder.open_file(&name)?.file;
    let mut bytes = Vec::new();
    let read = file
        .seek(SeekFrom::Start(offset))
        .and_then(|_| file.take(len.min(READ_MAX).into()).read_to_end(&mut bytes));
    read.map_err(|cause| root::refusal(&cause))?;
    Ok(Answer::Bytes(bytes))
}

fn fetch(root: &Root, path: &RootPath, stamp: SourceStamp, offset: u64, len: u32) -> Result<Answer, Refusal> {
    let (folder, name) = root.parent(path)?;
    piece(folder.open_file(&name)?, stamp, offset, len)
}

/// As a controller's fetch, for a machine that copies. When names and permission bits change, so does the time of change, and
/// nothing of the content: that is verified by whoever gets it.
pub(crate) fn fetch_piece(
    root: &Root,
    path: &RootPath,
    stamp: SourceStamp,
    offset: u64,
    len: u32,
) -> Result<Answer, Refusal> {
    let (folder, name) = root.parent(path)?;
    let opened = folder.open_file(&name)?;
    let now = opened.meta.stamp;
    let is_same = (now.size, now.mtime_ns, now.file_id) == (stamp.size, stamp.mtime_ns, stamp.file_id);
    match is_same {
        true => piece(opened, now, offset, len),
        false => Err(changing()),
    }
}

/// Bytes count only if the file is in the state that was asked for, when it was opened and after they were read.
fn piece(opened: OpenFile, stamp: SourceStamp, offset: u64, len: u32) -> Result<Answer, Refusal> {
    let OpenFile { mut file, meta } = opened;
    if meta.stamp != stamp {
        return Err(changing());
    }
    let offset = offset.min(stamp.size);
    let wanted = (stamp.size - offset).min(len.min(READ_MAX).into());
    // Room for exactly what comes: the vector is neither zeroed nor grown.
    let mut bytes = Vec::with_capacity(usize::try_from(wanted).unwrap_or_default());
    let read = file
        .seek(SeekFrom::Start(offset))
        .and_then(|_| (&mut file).take(wanted).read_to_end(&mut bytes));
    read.map_err(|cause| root::refusal(&cause))?;
    let after = root::meta_of(&file).map_err(|cause| root::refusal(&cause))?;
    if after.stamp != stamp || bytes.len() as u64 != wanted {
        return Err(changing());
    }
    Ok(Answer::Fetched {
        hash: Hash::of(&bytes),
        bytes,
    })
}

fn changing() -> Refusal {
    Refusal::new(
        ErrorCode::Changing,
        "the file has changed since it was listed; list it again, then fetch it anew",
    )
}

fn modes(root: &Root, path: &RootPath, names: &[Name]) -> Result<Answer, Refusal> {
    if names.len() > MODES_MAX {
        let advice = format!("permission bits of at most {MODES_MAX} entries are told at once; ask for fewer");
        return Err(Refusal::new(ErrorCode::TooLarge, advice));
    }
    let folder = root.folder(path)?;
    Ok(Answer::Modes(names.iter().map(|name| folder.mode(name)).collect()))
}

#[cfg(test)]
mod tests;
