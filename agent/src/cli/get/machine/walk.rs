//! The folders of a machine, page by page.

use std::{
    collections::HashSet,
    sync::atomic::{AtomicU64, Ordering},
};

use beckon_shared::{
    browse::{Answer, Ask, ListAsk, MODES_MAX, PAGE_MAX, Page},
    entry::{Direction, Entry, SortKey},
    error::{ErrorCode, Refusal},
    id::Hash,
    path::RootPath,
};
use tokio::sync::{RwLock, RwLockWriteGuard};

use super::lane::{Lane, Machine, misunderstood};
use crate::output::Failure;

/// Folders that are read at the same time: a machine keeps so many views of a session.
pub(super) const FOLDERS: usize = 4;
/// A folder is begun anew so often while that shows nothing new.
const TRIES: u32 = 8;
/// A machine shows no folder of more entries.
const NAMES_MAX: u64 = 2_000_000;

/// An entry, and where it is.
#[derive(Debug, Clone)]
pub(super) struct Row {
    /// Below the root.
    pub(super) path: RootPath,
    /// What it is.
    pub(super) entry: Entry,
    /// Its permission bits, 0 for the default.
    pub(super) mode: u32,
}

/// All folders below one, of which several are read at the same time.
pub(super) struct Walk<'a, M> {
    lane: &'a Lane<M>,
    /// Whoever reads more than one page of a folder does so alone: each folder that is begun may cost another one its view.
    views: RwLock<()>,
    found: AtomicU64,
    most: u64,
}

impl<'a, M: Machine> Walk<'a, M> {
    /// A walk that finds at most so many entries.
    pub(super) fn new(lane: &'a Lane<M>, most: u64) -> Self {
        Self {
            lane,
            views: RwLock::default(),
            found: AtomicU64::new(0),
            most,
        }
    }

    /// Whether more was found than can be followed.
    pub(super) fn is_too_much(&self) -> bool {
        self.found.load(Ordering::Relaxed) > self.most
    }

    /// The pages of the folder at `path`.
    pub(super) fn listing(&self, path: RootPath) -> Listing<'_, M> {
        Listing {
            walk: self,
            path,
            at: At::Start,
            handed_on: HashSet::new(),
            is_anew: false,
            tries: 0,
            rows: 0,
            alone: None,
        }
    }
}

/// What to say when more was found than can be followed.
pub(super) fn too_much() -> Failure {
    Failure::local(
        "file",
        "the folder holds more than can be followed; fetch the folders below it one by one",
    )
}

/// The pages of a folder. A view ends with the line that it was taken over, and a new one may have another order: then the
/// folder is read from its start, and what came already is left out.
pub(super) struct Listing<'a, M> {
    walk: &'a Walk<'a, M>,
    path: RootPath,
    at: At,
    /// The start of the BLAKE3 of each name.
    handed_on: HashSet<[u8; 16]>,
    is_anew: bool,
    tries: u32,
    /// That this view has shown.
    rows: u64,
    alone: Option<RwLockWriteGuard<'a, ()>>,
}

/// Where a folder goes on.
#[derive(Debug, Clone, Copy)]
enum At {
    Start,
    Later { offset: u64, snapshot: u64 },
    End,
}

impl<M: Machine> Listing<'_, M> {
    /// What the next page shows; nothing after the last one or after an error.
    pub(super) async fn next(&mut self) -> Option<Result<Vec<Row>, Refusal>> {
        if matches!(self.at, At::End) {
            return None;
        }
        let rows = self.rows().await;
        if rows.is_err() {
            self.at = At::End;
        }
        if matches!(self.at, At::End) {
            self.alone = None;
        }
        Some(rows)
    }

    async fn rows(&mut self) -> Result<Vec<Row>, Refusal> {
        let mut page = self.page().await?;
        self.check(&page)?;
        let has_more = page.next < page.total && page.next > page.offset;
        self.at = match has_more {
            true => At::Later {
                offset: page.next,
                snapshot: page.snapshot,
            },
            false => At::End,
        };
        if self.is_anew {
            page.entries.retain(|entry| !self.handed_on.contains(&key(entry)));
        }
        if !page.entries.is_empty() {
            self.tries = 0;
        }
        if has_more {
            self.handed_on.extend(page.entries.iter().map(key));
        }
        self.walk.found.fetch_add(page.entries.len() as u64, Ordering::Relaxed);
        let modes = modes(self.walk.lane, &self.path, &page.entries).await?;
        let mut rows = Vec::with_capacity(page.entries.len());
        for (entry, mode) in page.entries.into_iter().zip(modes) {
            let path = self
                .path
                .join(&entry.name)
                .map_err(|bad| Refusal::new(ErrorCode::BadRequest, bad.to_string()))?;
            rows.push(Row { path, entry, mode });
        }
        Ok(rows)
    }

    async fn page(&mut self) -> Result<Page, Refusal> {
        let (lane, views) = (self.walk.lane, &self.walk.views);
        loop {
            let answer = match self.at {
                At::Later { offset, snapshot } => {
                    if self.alone.is_none() {
                        self.alone = Some(views.write().await);
                    }
                    list(lane, &self.path, offset, Some(snapshot)).await
                }
                _ if self.alone.is_some() => list(lane, &self.path, 0, None).await,
                _ => {
                    let _among_others = views.read().await;
                    list(lane, &self.path, 0, None).await
                }
            };
            match answer {
                Err(refusal)
                    if refusal.code == ErrorCode::Conflict
                        && matches!(self.at, At::Later { .. })
                        && self.tries < TRIES =>
                {
                    self.tries += 1;
                    (self.at, self.is_anew, self.rows) = (At::Start, true, 0);
                }
                answer => return answer,
            }
        }
    }

    /// Whether a machine can have answered this.
    fn check(&mut self, page: &Page) -> Result<(), Refusal> {
        self.rows += page.entries.len() as u64;
        if page.total > NAMES_MAX || self.rows > page.total {
            return Err(misunderstood());
        }
        Ok(())
    }
}

fn key(entry: &Entry) -> [u8; 16] {
    let hash = Hash::of(entry.name.as_bytes());
    let mut key = [0; 16];
    key.copy_from_slice(&hash.as_bytes()[..16]);
    key
}

async fn list<M: Machine>(
    lane: &Lane<M>,
    path: &RootPath,
    offset: u64,
    snapshot: Option<u64>,
) -> Result<Page, Refusal> {
    let ask = ListAsk {
        root: lane.root(),
        path: path.clone(),
        sort: SortKey::Name,
        direction: Direction::Ascending,
        offset,
        max_bytes: PAGE_MAX,
        snapshot,
    };
    match lane.ask(Ask::List(ask)).await? {
        Answer::Page(page) => Ok(page),
        _ => Err(misunderstood()),
    }
}

/// One permission word for each entry.
async fn modes<M: Machine>(lane: &Lane<M>, path: &RootPath, entries: &[Entry]) -> Result<Vec<u32>, Refusal> {
    let mut modes = Vec::with_capacity(entries.len());
    for part in entries.chunks(MODES_MAX) {
        let ask = Ask::Modes {
            root: lane.root(),
            path: path.clone(),
            names: part.iter().map(|entry| entry.name.clone()).collect(),
        };
        match lane.ask(ask).await? {
            Answer::Modes(some) if some.len() == part.len() => modes.extend(some),
            _ => return Err(misunderstood()),
        }
    }
    Ok(modes)
}

/// The permission bits of one entry.
pub(super) async fn mode<M: Machine>(lane: &Lane<M>, path: &RootPath, entry: &Entry) -> Result<u32, Refusal> {
    let folder = path.split_last().map(|(folder, _)| folder).unwrap_or_default();
    let modes = modes(lane, &folder, std::slice::from_ref(entry)).await?;
    Ok(modes.first().copied().unwrap_or_default())
}
