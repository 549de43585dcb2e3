//! A look at some places of a root, or at all of it: what is there and differs from what is stored, and what is not there.

use std::{
    collections::HashSet,
    ops::ControlFlow,
    sync::{Arc, atomic::Ordering::Relaxed, mpsc::SyncSender},
};

use beckon_shared::{
    entry::EntryKind,
    error::{ErrorCode, Refusal},
    path::RootPath,
    transfer::Problem,
};

use super::{
    Order, Places, Read,
    plan::{Plan, plan},
};
use crate::{
    index::{Index, Lost, Row, Source, Standing, View},
    root::{FolderId, Root},
    scan::{self, Depth, Found, Scope, Step},
    upload::{
        IfMissing,
        missing::{Seen, is_much},
        read::{Item, Site, going},
    },
};

/// So much that is new or changed is kept in memory, at about 300 bytes each; what is more is looked at once more while it
/// is read.
const FRESH_MAX: usize = if cfg!(test) { 200 } else { 4096 };
/// So much is queued together while it is walked.
const GROUP: usize = 1000;
/// A root of at least so many files that is found empty is asked about, however few files that are.
const EMPTY_MIN: u64 = 10;

/// Something that is there, and is not stored as it is.
#[derive(Debug, Clone)]
pub(super) struct Fresh {
    pub(super) found: Found,
    /// What is stored of it, as far as that counts.
    pub(super) known: Option<Row>,
    /// Nothing was ever stored at its path.
    pub(super) is_new: bool,
    /// It is a folder where something else was stored.
    pub(super) is_other: bool,
}

impl Fresh {
    /// The size of a file.
    pub(super) fn file_size(&self) -> Option<u64> {
        (self.found.entry.kind == EntryKind::File).then_some(self.found.entry.stamp.size)
    }

    /// What is read of it, unless it is a folder: what is in one changes by itself.
    pub(super) fn read(&self) -> Option<Read> {
        (self.found.entry.kind != EntryKind::Folder).then(|| Read {
            path: self.found.path.clone(),
            bytes: self.file_size().unwrap_or_default(),
        })
    }

    /// The size of the file that is counted as stored there.
    pub(super) fn counted(&self) -> Option<u64> {
        let file = self.known.as_ref().filter(|row| row.kind == EntryKind::File);
        file.map(|row| row.stamp.size)
    }
}

/// What a look came to.
pub(super) enum Looked {
    /// The root is not there, or another folder in its place.
    NoRoot,
    /// Too much is gone to be taken away without asking.
    Much,
    /// It was stopped.
    Stopped,
    /// This.
    Found(Box<Findings>),
}

/// What was found.
pub(super) struct Findings {
    pub(super) plan: Plan,
    /// What is to be put, unless it is too much to be kept.
    pub(super) fresh: Option<Vec<Fresh>>,
    /// To look at it once more, and put what is new or changed meanwhile.
    pub(super) stream: Stream,
    /// Files that are stored as they are, and their bytes.
    pub(super) held: (u64, u64),
    pub(super) problems: Vec<Problem>,
    /// Folders that were looked at with all below them.
    pub(super) folders: Vec<RootPath>,
}

/// A look that is to be taken.
pub(super) struct Looking {
    pub(super) root: Arc<Root>,
    pub(super) view: View,
    pub(super) places: Places,
    /// The folder that the root was.
    pub(super) top: Before,
    /// Files that are stored.
    pub(super) stored: u64,
    /// Files that were taken away a moment ago.
    pub(super) lately: u64,
    pub(super) order: Arc<Order>,
}

/// The folder that a root was when all of it was last looked at.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Before {
    /// Since this program was started.
    pub(super) now: Option<FolderId>,
    /// Its number, as it was kept.
    pub(super) kept: Option<u64>,
}

impl Before {
    /// Whether this is another folder.
    fn differs(&self, top: FolderId) -> bool {
        match self.now {
            Some(before) => before != top,
            None => self.kept.is_some_and(|before| before != top.number()),
        }
    }
}

/// A walk that puts what it comes by as it goes.
pub(crate) struct Stream {
    view: View,
    scopes: Vec<Scope>,
    is_all: bool,
}

#[derive(Default)]
struct Walked {
    seen: Seen,
    fresh: Vec<Fresh>,
    is_too_much: bool,
    held: (u64, u64),
    problems: Vec<Problem>,
}

impl Looking {
    /// Looks; says also which folder the root is, if all of it was looked at. Blocks.
    pub(super) fn look(self) -> (Looked, Option<FolderId>) {
        let is_all = matches!(self.places, Places::All);
        let Some(top) = self.top_now() else {
            return (Looked::NoRoot, None);
        };
        let is_other = self.top.differs(top);
        if !is_all && is_other {
            return (Looked::NoRoot, None);
        }
        let (scopes, tops) = self.scopes();
        let Some(mut walked) = self.walk(&scopes, |_| true) else {
            return (Looked::Stopped, None);
        };
        let (lost, known) = self.lost(&tops, &walked.seen);
        if !lost.is_empty() && self.top_now() != Some(top) {
            return (Looked::NoRoot, None);
        }
        let Some(plan) = self.plan(&scopes, &lost, &walked) else {
            return (Looked::Stopped, None);
        };
        let known = is_all.then_some(known);
        if self.order.if_missing == IfMissing::Ask && self.is_too_much(&plan, known, is_other) {
            return (Looked::Much, None);
        }
        let folders = match is_all {
            true => Vec::new(),
            false => self.folders(&scopes),
        };
        let stream = Stream {
            view: self.view,
            scopes,
            is_all,
        };
        let found = Findings {
            plan,
            fresh: (!walked.is_too_much).then(|| std::mem::take(&mut walked.fresh)),
            stream,
            held: walked.held,
            problems: walked.problems,
            folders,
        };
        (Looked::Found(Box::new(found)), is_all.then_some(top))
    }

    fn top_now(&self) -> Option<FolderId> {
        self.root.folder(&RootPath::root()).and_then(|top| top.id()).ok()
    }

    /// Whether a person is to be asked: so much is gone, or anything at all where another folder is the root now, as when a
    /// disk was taken out and the folder that it is mounted at is left.
    fn is_too_much(&self, plan: &Plan, known: Option<u64>, is_other: bool) -> bool {
        let gone = plan.gone.len() as u64;
        let is_empty = known.is_some_and(|known| known >= EMPTY_MIN && gone == known);
        let all = known.unwrap_or_default().max(self.stored) + self.lately;
        let much = gone > 0 && (is_other || is_empty || is_much(gone + self.lately, all));
        if much {
            tracing::warn!(root = ?self.root.id, gone, "many files are gone: a person is asked whether to go on");
        }
        much
    }

    /// Where to walk, and where what was stored and was not seen counts as gone.
    fn scopes(&self) -> (Vec<Scope>, Vec<RootPath>) {
        let Places::Some(places) = &self.places else {
            return (vec![Scope::below(RootPath::root())], vec![RootPath::root()]);
        };
        let mut scopes = Vec::new();
        for place in places {
            scopes.push(self.widened(place));
            scopes.extend(self.unknown_above(&place.path));
        }
        let scopes = scan::merged_scopes(scopes);
        let all = scopes
            .iter()
            .filter(|scope| scope.depth == Depth::Below || !self.is_folder(&scope.path));
        let tops = all.map(|scope| scope.path.clone()).collect();
        (scopes, tops)
    }

    /// A folder that is not the one that was stored there is looked at with all below it.
    fn widened(&self, place: &Scope) -> Scope {
        let is_known = || {
            let row = self.view.stored(&place.path).map(|(row, _)| row);
            let row = row.filter(|row| row.kind == EntryKind::Folder);
            let entry = self
                .root
                .parent(&place.path)
                .and_then(|(folder, name)| folder.stat(&name));
            row.zip(entry.ok())
                .is_some_and(|(row, entry)| row.stamp.file_id == entry.stamp.file_id)
        };
        match place.depth {
            Depth::Itself if self.is_folder(&place.path) && !is_known() => Scope::below(place.path.clone()),
            _ => place.clone(),
        }
    }

    fn folders(&self, scopes: &[Scope]) -> Vec<RootPath> {
        let below = scopes.iter().filter(|scope| scope.depth == Depth::Below);
        below
            .map(|scope| &scope.path)
            .filter(|path| self.is_folder(path))
            .cloned()
            .collect()
    }

    fn is_folder(&self, path: &RootPath) -> bool {
        if path.is_root() {
            return true;
        }
        let entry = self.root.parent(path).and_then(|(folder, name)| folder.stat(&name));
        entry.is_ok_and(|entry| entry.kind == EntryKind::Folder)
    }

    /// The folders above a place that are not stored yet.
    fn unknown_above<'a>(&'a self, path: &RootPath) -> impl Iterator<Item = Scope> + 'a {
        let above = std::iter::successors(path.split_last(), |(folder, _)| folder.split_last());
        let folders = above.map(|(folder, _)| folder).filter(|folder| !folder.is_root());
        let unknown = folders.take_while(|folder| self.view.stored(folder).is_none());
        unknown.map(Scope::itself)
    }

    /// What is to be taken away and moved. Where too much is new to be kept, only what may have moved is looked for; if even
    /// that is too much, what was found is moved first, and nothing is taken away before the rest was looked at.
    fn plan(&self, scopes: &[Scope], lost: &[Lost], walked: &Walked) -> Option<Plan> {
        if lost.is_empty() || !walked.is_too_much {
            return Some(plan(lost, &walked.fresh));
        }
        let ids: HashSet<_> = lost.iter().map(|one| one.row.stamp.file_id).collect();
        let may_have_moved = |one: &Fresh| {
            let stamp = &one.found.entry.stamp;
            one.found.entry.kind == EntryKind::Folder || ids.contains(&stamp.file_id)
        };
        let again = self.walk(scopes, may_have_moved)?;
        let plan = plan(lost, &again.fresh);
        Some(match again.is_too_much {
            true => plan.moves_first(),
            false => plan,
        })
    }

    /// Walks, and keeps of what is fresh what `keep` says.
    fn walk(&self, scopes: &[Scope], keep: impl Fn(&Fresh) -> bool) -> Option<Walked> {
        let mut walked = Walked::default();
        let end = scan::walk(&self.root, scopes, self.root.ignore(), |step| {
            if self.order.pause.is_cancelled() {
                return ControlFlow::Break(());
            }
            if let Step::Found(found) = &step
                && found.entry.kind == EntryKind::Folder
            {
                (self.order.follow)(&found.path);
            }
            walked.take(step, &self.view, &keep);
            ControlFlow::Continue(())
        });
        end.is_continue().then_some(walked)
    }

    /// What was stored there, was not seen, and is not there when it is looked for by itself either.
    fn lost(&self, tops: &[RootPath], seen: &Seen) -> (Vec<Lost>, u64) {
        let ignore = self.root.ignore();
        let is_there = |path: &RootPath, row: &Row| seen.holds(path.as_bytes()) || ignore.covers(path, row.kind);
        let (mut lost, known) = self.view.lost(tops, is_there);
        lost.sort_by(|one, other| one.path.as_bytes().cmp(other.path.as_bytes()));
        lost.dedup_by(|next, kept| next.path == kept.path);
        let mut gone: Option<RootPath> = None;
        lost.retain(|one| {
            if gone.as_ref().is_some_and(|gone| gone.holds(&one.path)) {
                return true;
            }
            let is_gone = self.is_gone(&one.path);
            if is_gone {
                gone = Some(one.path.clone());
            }
            is_gone
        });
        (lost, known)
    }

    /// A name that is replaced while its folder is read may be passed over by the reading.
    fn is_gone(&self, path: &RootPath) -> bool {
        let entry = self.root.parent(path).and_then(|(folder, name)| folder.stat(&name));
        match entry {
            Ok(entry) => entry.kind == EntryKind::Other,
            Err(Refusal { code, .. }) => code == ErrorCode::NotFound,
        }
    }
}

impl Walked {
    fn take(&mut self, step: Step, view: &View, keep: impl Fn(&Fresh) -> bool) {
        match step {
            Step::Found(found) => {
                self.seen.found(&found.path);
                match judge(found, view) {
                    Ok((kind, size)) => {
                        self.held.0 += u64::from(kind == EntryKind::File);
                        self.held.1 += if kind == EntryKind::File { size } else { 0 };
                    }
                    Err(fresh) if !keep(&fresh) => {}
                    Err(_) if self.fresh.len() >= FRESH_MAX => self.is_too_much = true,
                    Err(fresh) => self.fresh.push(*fresh),
                }
            }
            Step::Problem(problem) => {
                self.seen.problem(&problem);
                // What was named and is not there any more is gone, and what is never read is nothing to talk about.
                if !matches!(problem.code, ErrorCode::NotFound | ErrorCode::NotAFile) {
                    self.problems.push(problem);
                }
            }
            Step::Vanished | Step::LeftOut(_) => {}
        }
    }
}

/// The kind and size of what is stored as it is; all else is fresh.
fn judge(found: Found, view: &View) -> Result<(EntryKind, u64), Box<Fresh>> {
    let stored = view.stored(&found.path);
    let is_new = stored.is_none();
    let was_other = stored.as_ref().is_some_and(|(row, _)| row.kind != EntryKind::Folder);
    let known = stored.and_then(|(row, counts)| counts.then_some(row));
    let is_held = known.as_ref().is_some_and(|row| match found.entry.kind {
        // Times of a folder change with what is in it, which is looked at by itself.
        EntryKind::Folder => {
            let is_same = row.stamp.file_id == found.entry.stamp.file_id;
            row.kind == EntryKind::Folder && row.mode == found.mode && is_same
        }
        _ => row.standing(&found.entry) == Standing::Held,
    });
    match is_held {
        true => Ok((found.entry.kind, found.entry.stamp.size)),
        false => Err(Box::new(Fresh {
            is_other: was_other && found.entry.kind == EntryKind::Folder,
            found,
            known,
            is_new,
        })),
    }
}

impl Stream {
    /// Where it walks.
    pub(super) fn into_scopes(self) -> Vec<Scope> {
        self.scopes
    }

    /// Queues what is not stored as it is.
    pub(crate) fn pick(&self, site: &Site, index: &Index, queue: &SyncSender<Item>) {
        let mut group = Group::default();
        if self.is_all {
            site.counters.recount(0, 0);
        }
        let walked = scan::walk(&site.root, &self.scopes, site.root.ignore(), |step| {
            if site.stop.is_cancelled() {
                return ControlFlow::Break(());
            }
            match step {
                Step::Found(found) => {
                    self.found(site, found, &mut group);
                    match group.items.len() >= GROUP {
                        true => group.queue(index, self.view.source(), queue),
                        false => ControlFlow::Continue(()),
                    }
                }
                Step::Problem(problem) if !matches!(problem.code, ErrorCode::NotFound | ErrorCode::NotAFile) => {
                    site.problem(problem)
                }
                Step::Problem(_) | Step::Vanished | Step::LeftOut(_) => ControlFlow::Continue(()),
            }
        });
        let queued = group.queue(index, self.view.source(), queue);
        let is_whole = walked.is_continue() && queued.is_continue();
        site.counters.walked.store(is_whole, Relaxed);
    }

    fn found(&self, site: &Site, found: Found, group: &mut Group) {
        match judge(found, &self.view) {
            Ok((EntryKind::File, size)) if self.is_all => {
                site.counters.found_file(size);
                site.counters.done_file(size);
            }
            Ok(_) => {}
            Err(fresh) => {
                let replaces = fresh.counted().filter(|_| !self.is_all);
                if let Some(size) = fresh.file_size() {
                    site.counters.found_file(size);
                }
                if fresh.is_new {
                    group.new.push(fresh.found.path.clone());
                }
                let item = Item::new(fresh.found, fresh.known).kept(replaces, 0);
                group.items.push(item);
            }
        }
    }
}

/// What is to be queued together.
#[derive(Default)]
struct Group {
    items: Vec<Item>,
    /// Where nothing is stored yet.
    new: Vec<RootPath>,
}

impl Group {
    fn queue(&mut self, index: &Index, source: Source, queue: &SyncSender<Item>) -> ControlFlow<()> {
        if let Err(refusal) = index.expect(source, &self.new) {
            tracing::warn!(%refusal, "it is not noted what will be stored");
        }
        self.new.clear();
        self.items.drain(..).try_for_each(|item| going(queue.send(item)))
    }
}
