//! Orders that controllers give to this machine directly: the server is shown them, so that every terminal sees them, and
//! nothing of them is uploaded before it has acknowledged them.

use std::{sync::Arc, time::Duration};

use beckon_shared::{
    browse::BESIDE_MAX,
    error::{ErrorCode, Refusal},
    id::TransferId,
    order::{BadOrder, Order, OrderBody, Selection, SignedOrder, UploadOrder, first_selected, sent_files, what},
    transfer::TransferState,
    wire::{Reply, Request},
};

use super::{super::Agent, Stops, broken, failed};
use crate::{
    clock,
    journal::{Admission, Ended, Journal},
    orders,
    upload::Outcome,
};

/// How soon an order is shown again that the server did not take, and the longest pause after many times.
const AGAIN: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));

/// So many paths of a selection are looked at to tell people what was selected.
const TOLD: usize = 20;

/// Who gives an order.
#[derive(Debug)]
pub(super) enum Giver {
    /// The server, which knows it.
    Server,
    /// A controller, with the selection that travels beside it. The server may know it or not.
    Controller(Option<Vec<u8>>),
    /// This machine's journal, after a restart.
    Journal,
}

/// What became of an order that was given.
#[derive(Debug)]
pub(super) enum Taken {
    /// It is in the journal, and is carried out.
    UnderWay,
    /// It has ended like this, and nothing is done again.
    Over(TransferId, Ended),
}

impl Giver {
    /// Whether what came beside an order belongs to it. Others than controllers bring nothing.
    pub(super) fn check(&self, order: &Order) -> Result<(), BadOrder> {
        let Self::Controller(beside) = self else {
            return Ok(());
        };
        if beside.as_ref().is_some_and(|bytes| bytes.len() > BESIDE_MAX) {
            return Err(BadOrder::Selection);
        }
        match (&order.body, beside) {
            (OrderBody::Upload(upload), beside) => upload.selection.paths(beside.as_deref()).map(drop),
            (OrderBody::Receive(receive), Some(beside)) => sent_files(&receive.files, beside).map(drop),
            (OrderBody::Watch(_) | OrderBody::Follow(_), None) => Ok(()),
            _ => Err(BadOrder::Selection),
        }
    }

    pub(super) fn admit(self, journal: &Journal, order: &Order, signed: &SignedOrder) -> Result<Admission, Refusal> {
        match self {
            Self::Server | Self::Journal => journal.admit(order, signed),
            Self::Controller(selection) => journal.admit_directly(order, signed, selection.as_deref()),
        }
    }
}

impl Agent {
    /// Takes on an order that a controller gives inside a session, if it stands. It is in the journal when this returns, and
    /// carried out once the server has seen it. Who gives one again that did not go well is told how it ended.
    pub(crate) async fn take_direct_order(
        self: &Arc<Self>,
        signed: SignedOrder,
        selection: Option<Vec<u8>>,
    ) -> Result<(), Refusal> {
        match self.take(signed, Giver::Controller(selection)).await? {
            Taken::UnderWay => Ok(()),
            Taken::Over(_, ended) => how_it_went(ended),
        }
    }

    /// Takes up again, after a start, the orders that the server has not acknowledged.
    pub(crate) fn take_up_unshown(self: &Arc<Self>) {
        let agent = Arc::clone(self);
        self.tasks.spawn(async move {
            let reader = Arc::clone(&agent);
            let read = tokio::task::spawn_blocking(move || reader.journal.unshown());
            let mut left = match read.await.map_err(|_| broken()) {
                Ok(Ok(orders)) => orders,
                Ok(Err(refusal)) | Err(refusal) => {
                    tracing::error!(%refusal, "orders that were given directly cannot be read");
                    return;
                }
            };
            loop {
                left = agent.take_up(left).await;
                if left.is_empty() {
                    return;
                }
                let pause = tokio::time::sleep(AGAIN.1);
                if agent.stop.run_until_cancelled(pause).await.is_none() {
                    return;
                }
            }
        });
    }

    /// Takes these up again; those come back whose time has not come by this machine's clock, which may be wrong yet.
    async fn take_up(self: &Arc<Self>, orders: Vec<SignedOrder>) -> Vec<SignedOrder> {
        let mut later = Vec::new();
        for signed in orders {
            let Ok(claimed) = signed.order.peek() else { continue };
            match self.take(signed.clone(), Giver::Journal).await {
                Ok(Taken::UnderWay) => {}
                Ok(Taken::Over(id, ended)) => self.show_and_report_later(id, signed, ended),
                Err(refusal) if refusal.retry || refusal.code == ErrorCode::BadClock => later.push(signed),
                Err(refusal) => {
                    let ended = failed(refusal);
                    self.note_end(claimed.id, ended.clone()).await;
                    self.show_and_report_later(claimed.id, signed, ended);
                }
            }
        }
        later
    }

    fn show_and_report_later(self: &Arc<Self>, id: TransferId, signed: SignedOrder, ended: Ended) {
        let agent = Arc::clone(self);
        self.tasks
            .spawn(async move { agent.show_and_report(id, Some(&signed), ended).await });
    }

    /// Tells the server how an order ended. One that it does not know yet it is shown before, so that people hear of it.
    pub(super) async fn show_and_report(self: &Arc<Self>, id: TransferId, to_show: Option<&SignedOrder>, ended: Ended) {
        if let Some(signed) = to_show
            && self.is_unshown(id).await
        {
            let shown = self.stop.run_until_cancelled(self.show(id, signed));
            match shown.await {
                Some(Ok(_)) => {}
                // Of what the server does not take it need not hear the end.
                Some(Err(_)) => return self.note_shown(id).await,
                None => return,
            }
        }
        self.report(id, ended).await;
    }

    /// Works on an order once the server knows it.
    pub(super) async fn show_and_work(
        self: &Arc<Self>,
        id: TransferId,
        body: OrderBody,
        stops: Stops,
        to_show: Option<&SignedOrder>,
    ) -> Outcome {
        let Some(signed) = to_show else {
            return self.work_on(id, body, stops).await;
        };
        match stops.pause.run_until_cancelled(self.show(id, signed)).await {
            None => return Outcome::Stopped,
            Some(Err(refusal)) => {
                let ended = failed(refusal);
                // Not the other way round: an order whose end is not written is shown again after a crash.
                self.note_end(id, ended.clone()).await;
                self.note_shown(id).await;
                return ended.into();
            }
            Some(Ok(TransferState::Cancelled)) => return Ended::cancelled().into(),
            Some(Ok(_)) => {}
        }
        // It may have waited for days.
        let standing = self.standing.borrow().clone();
        match orders::verify(signed, &self.identity, &standing, clock::now()) {
            Ok(_) => self.work_on(id, body, stops).await,
            Err(bad) => failed(orders::refusal(bad)).into(),
        }
    }

    /// Shows an order until the server has said what it makes of it: how the transfer stands, or why there is none. An
    /// answer that speaks of something else is none. After a refusal the order counts as not shown until its end is written.
    async fn show(self: &Arc<Self>, id: TransferId, signed: &SignedOrder) -> Result<TransferState, Refusal> {
        let request = Request::ShowOrder {
            order: Box::new(signed.clone()),
            what: self.what(id, signed).await,
        };
        let (mut pause, longest) = AGAIN;
        loop {
            let said = match self.link.request(request.clone()).await {
                Ok(Reply::Transfer(view)) if view.id == id && view.device == self.device() => Some(Ok(view.state)),
                Ok(_) => None,
                Err(refusal) if refusal.retry => None,
                Err(refusal) => Some(Err(refusal)),
            };
            if let Some(said) = said {
                if said.is_ok() {
                    self.note_shown(id).await;
                }
                return said;
            }
            tracing::warn!(%id, "the server did not take an order that was given directly; it is shown again");
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(longest);
        }
    }

    /// What was selected, for people.
    async fn what(self: &Arc<Self>, id: TransferId, signed: &SignedOrder) -> String {
        let Ok(OrderBody::Upload(upload)) = signed.order.peek().map(|order| order.body) else {
            return String::new();
        };
        if let Selection::Inline(paths) = &upload.selection {
            return what(paths, paths.len() as u64);
        }
        let beside = self.selection_beside(id, &upload).await.ok().flatten();
        let first = beside.and_then(|bytes| first_selected(&bytes, TOLD));
        first.map_or_else(String::new, |(paths, total)| what(&paths, total))
    }

    /// The selection that a controller gave beside an order, if it did.
    pub(super) async fn selection_beside(
        self: &Arc<Self>,
        id: TransferId,
        upload: &UploadOrder,
    ) -> Result<Option<Vec<u8>>, Refusal> {
        if matches!(upload.selection, Selection::Inline(_)) {
            return Ok(None);
        }
        let agent = Arc::clone(self);
        let read = tokio::task::spawn_blocking(move || agent.journal.selection(id));
        read.await.map_err(|_| broken())?
    }

    async fn is_unshown(self: &Arc<Self>, id: TransferId) -> bool {
        let agent = Arc::clone(self);
        let read = tokio::task::spawn_blocking(move || agent.journal.is_unshown(id));
        matches!(read.await, Ok(Ok(true)))
    }

    /// If it cannot be written, the order is shown once more after the next start, which changes nothing.
    async fn note_shown(self: &Arc<Self>, id: TransferId) {
        let agent = Arc::clone(self);
        let noted = tokio::task::spawn_blocking(move || agent.journal.shown(id));
        if let Ok(Err(refusal)) = noted.await {
            tracing::error!(%id, %refusal, "it could not be journaled that the server knows an order");
        }
    }
}

/// What a controller is told that gives an order again that is over.
fn how_it_went(ended: Ended) -> Result<(), Refusal> {
    match ended.state {
        TransferState::Cancelled => Err(Refusal::new(
            ErrorCode::Conflict,
            "this order was cancelled; give a new one",
        )),
        TransferState::Failed => Err(ended.error.unwrap_or_else(broken)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;
