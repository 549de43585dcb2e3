//! Asking server and machine how entries stand.

use std::{collections::HashMap, sync::Arc};

use beckon_shared::{
    api::drive::{HeadView, Heads, HeadsOf, Outdated, OutdatedOf},
    browse::{Answer, Ask},
    entry::InDrive,
    id::{NodeId, RootId},
    in_drive,
    path::{Name, RootPath},
};
use leptos::prelude::*;

use crate::{
    api,
    page::machine::{folder::Folder, item::Item},
    session,
};

/// So many rows are asked for at once: with the longest names the request still fits into the server's limit of 1 MiB.
pub(super) const MAX: usize = 500;

/// What was told of an item.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Told {
    /// How it stands; nothing where nobody could tell now.
    pub(super) state: Option<InDrive>,
    /// What the drive holds of it, where its head was read.
    pub(super) node: Option<NodeId>,
}

/// Asks for each of these items.
pub(super) async fn ask(folder: Folder, items: &[Arc<Item>]) -> Vec<Told> {
    let spot = folder.spot();
    let Some((root, path)) = spot.place else {
        return roots(folder, items).await;
    };
    let heads = heads(folder, root, &path, items).await;
    let Some(heads) = heads.filter(|_| folder.is_there()) else {
        return vec![Told::default(); items.len()];
    };
    let mut all: Vec<Told> = items
        .iter()
        .map(|item| Told::of(item, heads.get(&item.entry.name)))
        .collect();
    // What is not safe may be on its way, or left out by the root's patterns.
    let is_open = |told: &Told| matches!(told.state, None | Some(InDrive::No | InDrive::Changed));
    let open: Vec<usize> = (0..items.len()).filter(|at| is_open(&all[*at])).collect();
    if open.is_empty() || !folder.online.try_get_untracked().unwrap_or_default() {
        return all;
    }
    let paths: Vec<RootPath> = open
        .iter()
        .filter_map(|at| path.join(&items[*at].entry.name).ok())
        .collect();
    if paths.len() < open.len() {
        return all;
    }
    for (at, said) in open.into_iter().zip(machine(folder, root, &path, paths).await) {
        let state = &mut all[at].state;
        *state = said.filter(|said| *said != InDrive::Unknown).or(*state).or(said);
    }
    all
}

impl Told {
    fn of(item: &Item, head: Option<&HeadView>) -> Self {
        Self {
            state: in_drive::compare(&item.entry, head),
            node: head.map(|head| head.node),
        }
    }
}

/// What the drive holds of these; of a folder only the machine can tell, so no head of it is read.
async fn heads(folder: Folder, root: RootId, path: &RootPath, items: &[Arc<Item>]) -> Option<HashMap<Name, HeadView>> {
    let names: Vec<Name> = items
        .iter()
        .filter(|item| !item.is_folder())
        .map(|item| item.entry.name.clone())
        .collect();
    if names.is_empty() {
        return Some(HashMap::new());
    }
    let question = HeadsOf {
        device: folder.machine(),
        root,
        path: path.clone(),
        names,
    };
    let answer: Heads = api::post("/api/drive/heads", &question).await.ok()?;
    Some(answer.heads.into_iter().map(|head| (head.name.clone(), head)).collect())
}

/// Each root as a whole.
async fn roots(folder: Folder, items: &[Arc<Item>]) -> Vec<Told> {
    let mut all = vec![Told::default(); items.len()];
    for (told, item) in all.iter_mut().zip(items) {
        if !folder.online.try_get_untracked().unwrap_or_default() {
            break;
        }
        if let Some((root, path)) = item.address(None) {
            told.state = machine(folder, root, &path, vec![path.clone()]).await.pop().flatten();
        }
    }
    all
}

/// What the machine says of these places at or in a folder, of all in one ask; what it had no time for then, one by one.
async fn machine(folder: Folder, root: RootId, at: &RootPath, places: Vec<RootPath>) -> Vec<Option<InDrive>> {
    let (stores, device) = (folder.stores, folder.machine());
    let question = OutdatedOf {
        device,
        root,
        path: at.clone(),
    };
    let Ok(drive) = api::post::<Outdated>("/api/drive/outdated", &question).await else {
        return vec![None; places.len()];
    };
    let drive = &drive;
    let ask = |folders: Vec<RootPath>| async move {
        let ask = Ask::States {
            root,
            folders,
            drive: Box::new(drive.clone()),
        };
        match session::ask(stores, device, ask).await {
            Ok(Answer::States(states)) => states.into_iter().map(Some).collect(),
            _ => Vec::new(),
        }
    };
    let mut states: Vec<Option<InDrive>> = ask(places.clone()).await;
    states.resize(places.len(), None);
    if places.len() == 1 {
        return states;
    }
    for (state, place) in states.iter_mut().zip(places) {
        if *state == Some(InDrive::Unknown) && folder.is_there() {
            *state = ask(vec![place]).await.pop().flatten();
        }
    }
    states
}
