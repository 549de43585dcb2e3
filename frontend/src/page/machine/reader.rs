//! Reading a folder: a small first page, so that something is seen at once, then the rest of the same snapshot behind it.

use beckon_shared::{
    browse::{Answer, Ask, ListAsk, PAGE_MAX, Page},
    error::{ErrorCode, Refusal},
    id::RootId,
    path::RootPath,
};
use leptos::{prelude::*, task::spawn_local};

use super::{
    folder::{Folder, Phase},
    item::Item,
    kept::{self, Kept},
    slots::Slots,
};
use crate::{dom, session};

/// The size of the first page, in bytes.
const FIRST_PAGE: u32 = 32 * 1024;
/// A folder in view is read and compared again so often, in milliseconds, as no machine tells of changes by itself.
const EVERY_MS: u32 = 10_000;
/// A folder of more entries is not shown: the page keeps a place for each. The machine alone says how many there are.
const ENTRIES_MAX: u64 = 4_000_000;
/// Only folders up to so many entries are read again without being asked for.
const QUIET_MAX: usize = 2_000;

/// Reads the folder, again when the machine comes back, the order changes or somebody asks.
pub(super) fn follow(folder: Folder) {
    let run = StoredValue::new(0_u64);
    let known = folder.stores.devices.known();
    Effect::new(move || {
        folder.again.track();
        let (online, _) = (folder.online.get(), folder.habits.sort.get());
        if !known.get() {
            return;
        }
        run.update_value(|run| *run += 1);
        let mine = run.get_value();
        let is_mine = move || run.try_get_value() == Some(mine);
        spawn_local(async move {
            if !is_mine() {
                return;
            }
            folder.reading.set(true);
            read(folder, online, is_mine).await;
            if is_mine() {
                folder.reading.set(false);
            }
        });
    });
    spawn_local(again_and_again(folder));
}

async fn again_and_again(folder: Folder) {
    loop {
        dom::sleep(EVERY_MS).await;
        if !folder.is_there() {
            return;
        }
        let is_live = folder.phase.get_untracked() == Phase::Live && !folder.reading.get_untracked();
        if !is_live || dom::document().hidden() {
            continue;
        }
        folder.standings.doubt_now_and_then();
        if folder.slots.with_untracked(Slots::len) <= QUIET_MAX {
            folder.again.update(|again| *again += 1);
        }
    }
}

async fn read(folder: Folder, online: bool, is_mine: impl Fn() -> bool + Copy) {
    let Some(place) = folder.spot().place else {
        return roots(folder);
    };
    if !online {
        return recall(folder, &place, is_mine).await;
    }
    let read = Reading { folder, place };
    let refusal = match read.all(is_mine).await {
        Err(refusal) if refusal.code == ErrorCode::Conflict => read.all(is_mine).await.err(),
        other => other.err(),
    };
    if let Some(refusal) = refusal.filter(|_| is_mine()) {
        read.failed(refusal, is_mine).await;
    }
}

/// A machine's roots are known from the control list, whether it is here or away.
fn roots(folder: Folder) {
    let roots = folder.view.get_untracked().map(|view| view.roots).unwrap_or_default();
    let fresh = Slots::whole(roots.iter().filter_map(Item::of_root));
    if folder.slots.with_untracked(|slots| *slots != fresh) {
        folder.slots.set(fresh);
    }
    let seen = folder.view.get_untracked().map(|view| view.last_seen);
    folder.phase.set(match seen.filter(|_| !folder.online.get_untracked()) {
        Some(seen) => Phase::AsOf(seen),
        None => Phase::Live,
    });
}

struct Reading {
    folder: Folder,
    place: (RootId, RootPath),
}

impl Reading {
    async fn page(&self, offset: usize, max_bytes: u32, snapshot: Option<u64>) -> Result<Page, Refusal> {
        let (sort, direction) = self.folder.habits.sort.try_get_untracked().unwrap_or_default();
        let ask = ListAsk {
            root: self.place.0,
            path: self.place.1.clone(),
            sort,
            direction,
            offset: offset as u64,
            max_bytes,
            snapshot,
        };
        match session::ask(self.folder.stores, self.folder.machine(), Ask::List(ask)).await? {
            Answer::Page(page) if page.total <= ENTRIES_MAX => Ok(page),
            _ => Err(session::misunderstood()),
        }
    }

    /// Reads the whole folder. What is on the screen stays until there is something to put in its place: of a short
    /// folder all of it, so that nothing flickers.
    async fn all(&self, is_mine: impl Fn() -> bool) -> Result<(), Refusal> {
        let folder = self.folder;
        let first = self.page(0, FIRST_PAGE, None).await?;
        if !is_mine() {
            return Ok(());
        }
        let (snapshot, total) = (first.snapshot, first.total as usize);
        let mut aside = Slots::of(total);
        aside.place(first);
        let stays_aside = total <= QUIET_MAX && folder.phase.get_untracked() == Phase::Live;
        let mut aside = Some(aside);
        if !stays_aside && let Some(slots) = aside.take() {
            folder.slots.set(slots);
            folder.phase.set(Phase::Live);
        }
        while let Some(offset) = self.wanted(aside.as_ref()) {
            let page = self.page(offset, PAGE_MAX, Some(snapshot)).await?;
            if !is_mine() {
                return Ok(());
            }
            let is_stuck = page.next as usize <= offset;
            match &mut aside {
                Some(slots) => slots.place(page),
                None => folder.slots.update(|slots| slots.place(page)),
            }
            if is_stuck {
                return Err(session::misunderstood());
            }
        }
        if let Some(slots) = aside {
            self.show(slots);
        }
        self.keep().await;
        Ok(())
    }

    fn wanted(&self, aside: Option<&Slots>) -> Option<usize> {
        let folder = self.folder;
        let is_filtered = folder.shown.with_untracked(Option::is_some);
        let (first, end) = if is_filtered {
            (0, 0)
        } else {
            folder.visible.get_untracked()
        };
        match aside {
            Some(slots) => slots.wanted(0..0),
            None => folder.slots.with_untracked(|slots| slots.wanted(first..end)),
        }
    }

    fn show(&self, slots: Slots) {
        let folder = self.folder;
        if folder.slots.with_untracked(|shown| *shown != slots) {
            folder.slots.set(slots);
            folder.list.selection.retain(&|key| {
                folder
                    .slots
                    .with_untracked(|slots| slots.items().any(|(_, item)| item.key == *key))
            });
        }
    }

    async fn keep(&self) {
        let folder = self.folder;
        let entries = folder.slots.with_untracked(|slots| {
            let items = slots.items().take(kept::ENTRIES);
            items
                .map(|(_, item)| (item.entry.clone(), folder.standings.peek(item)))
                .collect()
        });
        let kept = Kept {
            at: dom::now(),
            entries,
        };
        kept::put(folder.machine(), &self.place, &kept).await;
    }

    async fn failed(&self, refusal: Refusal, is_mine: impl Fn() -> bool) {
        let folder = self.folder;
        let is_away = matches!(refusal.code, ErrorCode::Away | ErrorCode::GoingAway);
        if is_away && folder.slots.with_untracked(Slots::len) == 0 {
            recall(folder, &self.place, &is_mine).await;
        }
        if !is_mine() || (is_away && folder.phase.get_untracked() != Phase::Unseen) {
            return;
        }
        folder.phase.set(Phase::Failed(refusal));
    }
}

/// Shows the folder as it was last read here.
async fn recall(folder: Folder, place: &(RootId, RootPath), is_mine: impl Fn() -> bool) {
    let kept = kept::get(folder.machine(), place).await;
    if !is_mine() {
        return;
    }
    let Some(kept) = kept else {
        let is_empty = folder.slots.with_untracked(Slots::len) == 0;
        folder.phase.set(if is_empty {
            Phase::Unseen
        } else {
            Phase::AsOf(dom::now())
        });
        return;
    };
    if folder.slots.with_untracked(Slots::len) == 0 {
        let items: Vec<_> = kept
            .entries
            .into_iter()
            .map(|(entry, state)| (Item::of_entry(entry), state))
            .collect();
        folder
            .slots
            .set(Slots::whole(items.iter().map(|(item, _)| item.clone())));
        folder
            .standings
            .recall(items.into_iter().filter_map(|(item, state)| Some((item, state?))));
    }
    folder.phase.set(Phase::AsOf(kept.at));
}
