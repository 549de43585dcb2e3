//! Orders to keep a root stored.

use std::sync::Arc;

use beckon_shared::{
    id::{RootId, TransferId},
    order::{Selection, WatchOrder},
    path::RootPath,
    transfer::{Hold, Progress},
};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::{Agent, Stops, Work, failed};
use crate::{
    agent::turn::Turn,
    identity::copy_keys,
    upload::{ASK_EVERY, IfMissing, Job, Outcome},
    watch,
};

/// The place of a watch among the machine's transfers.
struct InTurn<'a> {
    work: &'a Work,
    id: TransferId,
    root: RootId,
    pause: &'a CancellationToken,
    news: Arc<Notify>,
}

impl<'a> watch::Queue for InTurn<'a> {
    type Turn = Turn<'a>;

    async fn turn(&self) -> (Turn<'a>, CancellationToken) {
        let turn = self.work.turns.take(self.id, self.root, self.pause).await;
        let yields = turn.yields.clone();
        (turn, yields)
    }

    async fn answer(&self) {
        self.work.asked(&self.id).cancelled().await;
    }

    async fn news(&self) {
        self.news.notified().await;
    }
}

impl Work {
    /// What a person's answer to a question that is asked now will cancel: an earlier one was another question's.
    fn asked(&self, id: &TransferId) -> CancellationToken {
        let go_on = CancellationToken::new();
        if let Some(open) = self.open().get_mut(id) {
            open.stops.go_on = go_on.clone();
        }
        go_on
    }
}

impl Agent {
    /// Keeps a root stored until it is stopped.
    pub(super) async fn watch(self: &Arc<Self>, id: TransferId, order: WatchOrder, stops: Stops) -> Outcome {
        let Some((_, news)) = self.work.shown_as(&id) else {
            return Outcome::Stopped;
        };
        let root = match self.root_named(&order.root, &order.root_name) {
            Ok(root) => root,
            Err(refusal) => return failed(refusal).into(),
        };
        let job = Job {
            transfer: id,
            root,
            space: order.space,
            selection: Selection::Inline(vec![RootPath::root()]),
            beside: None,
            below: RootPath::root(),
            device: self.device(),
            keys: Arc::new(copy_keys(&self.identity.keys)),
            cancel: stops.cancel.clone(),
            pause: stops.pause.clone(),
            // What a person once said of what was missing then says nothing of what is missing after a restart.
            if_missing: IfMissing::Ask,
        };
        let queue = InTurn {
            work: &self.work,
            id,
            root: order.root,
            pause: &stops.pause,
            news,
        };
        watch::run(job, &self.tools, self.watch_roots(), queue).await
    }

    /// Waits until a person has said that what is missing now may be taken away; false if it is paused instead. Each time it
    /// is asked anew.
    pub(super) async fn ask_once(&self, id: TransferId, progress: Progress, stops: &Stops) -> bool {
        let go_on = self.work.asked(&id);
        loop {
            self.link.send_progress(id, Hold::Question, progress);
            tokio::select! {
                biased;
                () = stops.cancel.cancelled() => return false,
                () = stops.pause.cancelled() => return false,
                () = go_on.cancelled() => return true,
                () = tokio::time::sleep(ASK_EVERY) => {}
            }
        }
    }
}
