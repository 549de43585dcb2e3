//! How what stands on this machine stands to the drive: by the index of what the server confirmed, but for what the server
//! told of changes in the drive.

use std::{
    collections::HashMap,
    io::Read,
    time::{Duration, Instant},
};

use beckon_shared::{
    api::drive::Outdated,
    entry::{Entry, EntryKind, InDrive},
    error::{ErrorCode, Refusal},
    id::{Hash, RootId},
    path::RootPath,
};

use crate::{
    agent::Agent,
    index::{Known, Row, Standing, View},
    root::{Folder, Root},
};

/// No more places are compared at once.
const ASKED_MAX: usize = 1000;
/// All of them together take no longer; what was not compared by then is not known yet.
const TIME_MAX: Duration = Duration::from_secs(2);
/// A file up to this size is read again when its stamp alone cannot tell. Bytes.
const REREAD_MAX: u64 = 256 << 20;
/// Trees deeper than this cannot be addressed.
const DEPTH_MAX: usize = 2048;

/// One state for each place: of a file its own, of a folder the worst of it and below it.
pub(super) fn states(
    agent: &Agent,
    root: &RootId,
    places: &[RootPath],
    drive: &Outdated,
) -> Result<Vec<InDrive>, Refusal> {
    if places.len() > ASKED_MAX {
        return Err(Refusal::new(
            ErrorCode::TooLarge,
            "at most 1,000 states are told at once; ask for fewer",
        ));
    }
    let compared = Compared {
        root: &*agent.root(root)?,
        view: agent
            .index
            .known_source(agent.space, *root)
            .map(|source| agent.index.view(source)),
        epoch: drive.epoch,
        outdated: drive.places.iter().map(|place| (&place.path, place.state)).collect(),
        until: Instant::now() + TIME_MAX,
    };
    let state = |place: &RootPath| match compared.place(place) {
        settled @ (InDrive::Safe | InDrive::Never | InDrive::Ignored) => settled,
        _ if agent.is_uploading(root, place) => InDrive::Uploading,
        other => other,
    };
    Ok(places.iter().map(state).collect())
}

struct Compared<'a> {
    root: &'a Root,
    /// Nothing if nothing of the root was ever uploaded.
    view: Option<View>,
    /// The root's epoch on the server.
    epoch: u64,
    /// What the drive does not hold as the index says, with all below each.
    outdated: HashMap<&'a RootPath, InDrive>,
    until: Instant,
}

impl Compared<'_> {
    fn place(&self, path: &RootPath) -> InDrive {
        if path.is_root() {
            return self.root.folder(path).map_or(InDrive::Unknown, |folder| {
                let told = self.outdated.get(path).copied();
                told.unwrap_or_else(|| self.below(&folder, path, 0))
            });
        }
        let found = self
            .root
            .parent(path)
            .and_then(|(folder, name)| folder.stat(&name).map(|entry| (folder, entry)));
        found.map_or(InDrive::Unknown, |(folder, entry)| {
            if self.root.ignore().covers(path, entry.kind) {
                return InDrive::Ignored;
            }
            let above = self.above(path).filter(|_| entry.kind != EntryKind::Other);
            above.unwrap_or_else(|| self.entry(&folder, &entry, path, 0))
        })
    }

    /// What was told of a folder that a place lies in.
    fn above(&self, path: &RootPath) -> Option<InDrive> {
        let folders = std::iter::successors(path.split_last(), |(folder, _)| folder.split_last());
        folders
            .filter_map(|(folder, _)| self.outdated.get(&folder).copied())
            .last()
    }

    fn entry(&self, folder: &Folder, entry: &Entry, path: &RootPath, depth: usize) -> InDrive {
        if entry.kind == EntryKind::Other {
            return InDrive::Never;
        }
        if let Some(told) = self.outdated.get(path) {
            return *told;
        }
        let own = match self.view.as_ref().map(|view| view.known(path, self.epoch)) {
            None | Some(Known::Nothing) => return InDrive::No,
            Some(Known::Stale) => return InDrive::Unknown,
            // Times of a folder change with what is in it, which is compared by itself.
            Some(Known::Held(row)) if row.kind == EntryKind::Folder && entry.kind == EntryKind::Folder => {
                return folder
                    .folder(&entry.name)
                    .map_or(InDrive::Unknown, |below| self.below(&below, path, depth + 1));
            }
            Some(Known::Held(row)) => row,
        };
        match own.standing(entry) {
            Standing::Held => InDrive::Safe,
            Standing::Other => InDrive::Changed,
            Standing::Unsettled => self.read_again(folder, entry, &own),
        }
    }

    /// The worst below a folder; what cannot be compared is not known, and worse than anything that is.
    fn below(&self, folder: &Folder, path: &RootPath, depth: usize) -> InDrive {
        let Ok(names) = folder.names() else {
            return InDrive::Unknown;
        };
        let mut worst = InDrive::Safe;
        for (name, kind) in names {
            if Instant::now() > self.until || depth > DEPTH_MAX {
                return InDrive::Unknown;
            }
            let state = match (kind, path.join(&name), folder.stat(&name)) {
                (EntryKind::Other, _, _) => continue,
                (_, Ok(path), _) if self.root.ignore().skips(&path, kind) => continue,
                (_, Ok(path), Ok(entry)) => self.entry(folder, &entry, &path, depth),
                _ => InDrive::Unknown,
            };
            if state != InDrive::Never {
                worst = worst.max(state);
            }
            if worst == InDrive::Unknown {
                break;
            }
        }
        worst
    }

    fn read_again(&self, folder: &Folder, entry: &Entry, row: &Row) -> InDrive {
        if entry.stamp.size > REREAD_MAX || Instant::now() > self.until {
            return InDrive::Unknown;
        }
        let Ok(opened) = folder.open_file(&entry.name) else {
            return InDrive::Unknown;
        };
        let mut hasher = blake3::Hasher::new();
        let mut file = opened.file.take(entry.stamp.size + 1);
        let mut buffer = vec![0; 256 << 10];
        loop {
            match file.read(&mut buffer) {
                Ok(0) => break,
                Ok(len) => _ = hasher.update(&buffer[..len]),
                Err(_) => return InDrive::Unknown,
            }
        }
        if Hash(*hasher.finalize().as_bytes()) == row.hash {
            InDrive::Safe
        } else {
            InDrive::Changed
        }
    }
}
