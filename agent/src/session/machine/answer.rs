//! What is answered to each ask. All of it may block on the disk.

use std::io::{Read, Seek, SeekFrom};

use beckon_shared::{
    browse::{Answer, Ask, Page, READ_MAX},
    error::{ErrorCode, Refusal},
    id::RootId,
    path::RootPath,
};

use super::drive_state;
use crate::{agent::Agent, listing::Listings, root};

/// Answers everything but orders.
pub(super) fn answer(agent: &Agent, listings: &Listings, ask: Ask) -> Result<Answer, Refusal> {
    match ask {
        Ask::Roots => Ok(Answer::Roots(agent.root_views())),
        Ask::List(ask) => listings.page(&*agent.root(&ask.root)?, &ask).map(Answer::Page),
        Ask::Stat { root, path } => stat(agent, &root, &path),
        Ask::Read {
            root,
            path,
            offset,
            len,
        } => read(agent, &root, &path, offset, len),
        Ask::States { root, folders, drive } => drive_state::states(agent, &root, &folders, &drive).map(Answer::States),
        Ask::Wake(macs) => agent.waker.wake(&macs).map(|()| Answer::Done),
        Ask::Order(_) => Err(Refusal::new(ErrorCode::Internal, "orders are taken elsewhere")),
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
