//! Orders to keep a copy, to copy once, and to write what is sent.

use std::{sync::Arc, time::Duration};

use beckon_shared::{
    error::{ErrorCode, Refusal},
    id::{RootId, TransferId},
    order::{Extent, FollowOrder, Followed, OrderBody, ReceiveOrder, SignedOrder},
    path::RootPath,
    transfer::Progress,
};
use tokio::sync::Notify;

use super::{Agent, Stops, broken, failed};
use crate::{
    copy::{direct::Straight, follow, place, receive, server::Http, source::Roots, want::Desired},
    root::Root,
    upload::{ASK_EVERY, IfMissing, Outcome, pause::Pace},
};

/// So often old trash is removed.
const SWEEP: Duration = Duration::from_secs(6 * 3600);

impl Agent {
    /// There may be something new for a transfer.
    pub(crate) fn hear_news(&self, id: TransferId) {
        if let Some(open) = self.work.open().get(&id) {
            open.news.notify_one();
        }
    }

    /// The copies that this machine keeps of what another follow is about.
    pub(crate) fn copies_of(&self, from: &Followed) -> Vec<(TransferId, FollowOrder)> {
        let orders = self.work.open();
        let copies = orders.iter().filter_map(|(id, open)| match &open.body {
            OrderBody::Follow(order)
                if (order.from.device, order.from.root) == (from.device, from.root)
                    && (order.from.path.holds(&from.path) || from.path.holds(&order.from.path)) =>
            {
                Some((*id, order.clone()))
            }
            _ => None,
        });
        copies.collect()
    }

    /// Keeps a copy until it is stopped, or makes one.
    pub(super) async fn follow(self: &Arc<Self>, id: TransferId, order: FollowOrder, stops: Stops) -> Outcome {
        let Some((signed, news)) = self.work.shown_as(&id) else {
            return Outcome::Stopped;
        };
        let mut if_missing = IfMissing::Ask;
        loop {
            let outcome = match self.prepared(id, &order, if_missing, &stops, &news) {
                Ok(job) => self.copy(job, &signed).await,
                Err(refusal) => return failed(refusal).into(),
            };
            let Outcome::Asks(progress) = outcome else {
                return outcome;
            };
            match self.ask_about_copy(id, &order.root, progress, &stops).await {
                Some(answer) => if_missing = answer,
                None => return Outcome::Stopped,
            }
        }
    }

    async fn copy(self: &Arc<Self>, job: follow::Job, signed: &SignedOrder) -> Outcome {
        let http = match self.server.http() {
            Ok(http) => http,
            Err(refusal) => return failed(refusal).into(),
        };
        let book = self.book.clone();
        let opened = tokio::task::spawn_blocking(move || Desired::open(book));
        let desired = match opened.await.unwrap_or_else(|_| Err(broken())) {
            Ok(desired) => desired,
            Err(refusal) => return failed(refusal).into(),
        };
        let id = job.transfer;
        let tools = follow::Tools {
            remote: Arc::new(Http::new(self.link.clone(), http, &self.server.origin, id)),
            lines: Straight::new(Arc::clone(self), id, signed.clone()),
            book: self.book.clone(),
            desired,
            roots: self.open_roots_of(),
            account_key: self.identity.account_key,
            standing: self.standing(),
            pace: Pace::NORMAL,
        };
        follow::run(job, tools).await
    }

    fn prepared(
        self: &Arc<Self>,
        id: TransferId,
        order: &FollowOrder,
        if_missing: IfMissing,
        stops: &Stops,
        news: &Arc<Notify>,
    ) -> Result<follow::Job, Refusal> {
        let root = self.writable(&order.root, order)?;
        self.refuse_itself(order, &root)?;
        self.refuse_overlaps(id, order)?;
        Ok(follow::Job {
            transfer: id,
            order: order.clone(),
            root,
            machine: self.name(),
            cancel: stops.cancel.clone(),
            pause: stops.pause.clone(),
            news: Arc::clone(news),
            if_missing,
        })
    }

    fn writable(&self, id: &RootId, order: &FollowOrder) -> Result<Arc<Root>, Refusal> {
        let root = self.root_named(id, &order.root_name)?;
        check_writable(&root)?;
        Ok(root)
    }

    /// A copy of what holds the copy would be copied again, and so for ever. An older state may be put back.
    fn refuse_itself(&self, order: &FollowOrder, root: &Root) -> Result<(), Refusal> {
        if order.from.device != self.device() || order.extent != Extent::Kept {
            return Ok(());
        }
        // What is not open here is read by nobody here, and so not stored anew.
        let Ok(origin) = self.root(&order.from.root) else {
            return Ok(());
        };
        let (from, to) = (place_of(&origin, &order.from.path), place_of(root, &order.path));
        match from.starts_with(&to) || to.starts_with(&from) {
            false => Ok(()),
            true => Err(Refusal::new(
                ErrorCode::BadOrder,
                "a folder cannot follow itself, nor what lies in it; choose another place for the copy",
            )),
        }
    }

    /// Of two orders for one place the one that was given first holds.
    fn refuse_overlaps(&self, id: TransferId, order: &FollowOrder) -> Result<(), Refusal> {
        let taken = || {
            let place = order.path.display();
            let advice = format!(
                "another order keeps a copy at {}/{place} already; end that one, or choose another place",
                order.root_name
            );
            Refusal::new(ErrorCode::Conflict, advice)
        };
        let mut orders = self.work.open();
        for (other, open) in orders.iter_mut().filter(|(other, open)| **other != id && !open.is_over) {
            let OrderBody::Follow(theirs) = &open.body else {
                continue;
            };
            let overlaps =
                theirs.root == order.root && (theirs.path.holds(&order.path) || order.path.holds(&theirs.path));
            match overlaps && open.verdict.is_none() {
                true if *other < id => return Err(taken()),
                true => open.end_as(failed(taken())),
                false => {}
            }
        }
        Ok(())
    }

    /// Writes what is sent.
    pub(super) async fn receive(self: &Arc<Self>, id: TransferId, order: ReceiveOrder, stops: Stops) -> Outcome {
        let Some((_, news)) = self.work.shown_as(&id) else {
            return Outcome::Stopped;
        };
        let mut if_missing = IfMissing::Ask;
        loop {
            let outcome = match self.received(id, &order, if_missing, &stops, &news).await {
                Ok(outcome) => outcome,
                Err(refusal) => return failed(refusal).into(),
            };
            let Outcome::Asks(progress) = outcome else {
                return outcome;
            };
            match self.ask_about_copy(id, &order.root, progress, &stops).await {
                Some(answer) => if_missing = answer,
                None => return Outcome::Stopped,
            }
        }
    }

    async fn received(
        self: &Arc<Self>,
        id: TransferId,
        order: &ReceiveOrder,
        if_missing: IfMissing,
        stops: &Stops,
        news: &Arc<Notify>,
    ) -> Result<Outcome, Refusal> {
        let root = self.root_named(&order.root, &order.root_name)?;
        check_writable(&root)?;
        let job = receive::Job {
            transfer: id,
            order: order.clone(),
            beside: self.beside(id).await?,
            root,
            machine: self.name(),
            cancel: stops.cancel.clone(),
            pause: stops.pause.clone(),
            news: Arc::clone(news),
            if_missing,
        };
        let http = self.server.http()?;
        let tools = receive::Tools {
            remote: Arc::new(Http::new(self.link.clone(), http, &self.server.origin, id)),
            book: self.book.clone(),
            roots: self.open_roots_of(),
            pace: Pace::NORMAL,
        };
        Ok(receive::run(job, tools).await)
    }

    async fn beside(self: &Arc<Self>, id: TransferId) -> Result<Option<Vec<u8>>, Refusal> {
        let agent = Arc::clone(self);
        let read = tokio::task::spawn_blocking(move || agent.journal.selection(id));
        read.await.map_err(|_| broken())?
    }

    /// Waits until a person lets it go on, or until a root that was not there is back; nothing if it is paused instead.
    async fn ask_about_copy(
        self: &Arc<Self>,
        id: TransferId,
        root: &RootId,
        progress: Progress,
        stops: &Stops,
    ) -> Option<IfMissing> {
        let was_there = self.has_folder(root).await;
        let is_back = async {
            while was_there || !self.has_folder(root).await {
                tokio::time::sleep(ASK_EVERY).await;
            }
        };
        tokio::select! {
            goes_on = self.ask_once(id, progress, stops) => goes_on.then_some(IfMissing::GoOn),
            () = is_back => Some(IfMissing::Ask),
        }
    }

    async fn has_folder(&self, root: &RootId) -> bool {
        let Ok(root) = self.root(root) else { return false };
        let looked = tokio::task::spawn_blocking(move || root.folder(&RootPath::root()).is_ok());
        looked.await.unwrap_or_default()
    }

    /// Forgets what is known of a copy that is over. Waits for the disk.
    pub(in crate::agent) fn forget_copy(&self, id: TransferId) {
        if let Some(root) = self.book.copy(id).and_then(|copy| self.root(&copy.root).ok())
            && let Err(refusal) = place::drop_parts(root, &self.book, id)
        {
            tracing::debug!(%id, %refusal, "what came of large files stays in their folders");
        }
        let forgotten = self
            .book
            .forget(id)
            .and_then(|()| Desired::open(self.book.clone())?.forget(id));
        if let Err(refusal) = forgotten {
            tracing::warn!(%id, %refusal, "a copy that is over could not be forgotten");
        }
    }

    /// Forgets copies of orders that the journal has forgotten.
    pub(crate) fn forget_old_copies(self: &Arc<Self>) {
        let agent = Arc::clone(self);
        self.tasks.spawn_blocking(move || {
            for (id, _) in agent.book.all() {
                if matches!(agent.journal.knows(id), Ok(false)) {
                    agent.forget_copy(id);
                }
            }
        });
    }

    /// Removes, now and then, what went into the trash of a root long ago, whether a copy is kept there or not.
    pub(crate) fn keep_trash_short(self: &Arc<Self>) {
        let agent = Arc::clone(self);
        self.tasks.spawn(async move {
            loop {
                let roots = Arc::clone(&agent.watch_roots().borrow());
                let roots: Vec<_> = roots.iter().filter(|root| root.writable).cloned().collect();
                // It is tried again.
                let _ = tokio::task::spawn_blocking(move || roots.into_iter().for_each(place::sweep_trash)).await;
                let pause = tokio::time::sleep(SWEEP);
                if agent.stop.run_until_cancelled(pause).await.is_none() {
                    return;
                }
            }
        });
    }

    fn open_roots_of(self: &Arc<Self>) -> Arc<Roots> {
        let agent = Arc::downgrade(self);
        Arc::new(move |id| agent.upgrade().ok_or_else(broken)?.root(id))
    }
}

/// Only what its owner marked is written in.
pub(super) fn check_writable(root: &Root) -> Result<(), Refusal> {
    if root.writable {
        return Ok(());
    }
    let name = &root.name;
    let advice =
        format!("root {name} is not marked for writing; on the machine itself run: beckon roots writable {name} on");
    Err(Refusal::new(ErrorCode::NotAllowed, advice))
}

/// Only to be compared, never to be opened.
fn place_of(root: &Root, path: &RootPath) -> Vec<u8> {
    let mut place = root.path().as_os_str().as_encoded_bytes().to_vec();
    for name in path.names() {
        place.push(b'/');
        place.extend_from_slice(name.as_bytes());
    }
    place.push(b'/');
    place
}

#[cfg(test)]
mod tests;
