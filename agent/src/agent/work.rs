//! Orders on their way from the wire to their end: verified, journaled, carried out, reported.

mod following;
mod reading;
mod showing;
mod standing;
mod watching;

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use beckon_shared::{
    error::{ErrorCode, Refusal},
    id::{RootId, TransferId},
    order::{BadOrder, Order, OrderBody, Selection, SignedOrder, UploadOrder},
    path::{Label, RootPath},
    transfer::{Hold, Progress, TransferState},
    wire::Request,
};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::{Agent, turn::Turns};
use crate::{
    clock, fault,
    identity::copy_keys,
    journal::{self, Admission, Ended},
    orders,
    root::Root,
    upload::{self, ASK_EVERY, IfMissing, Job, Outcome},
};
use showing::{Giver, Taken};

/// So many ends of orders that are not under way wait to be told. The server asks for what does not fit at the next contact.
const UNTOLD_MAX: usize = 256;

/// The orders that are not over.
#[derive(Debug, Default)]
pub(super) struct Work {
    open: Mutex<HashMap<TransferId, Open>>,
    untold: Mutex<Untold>,
    pub(super) turns: Turns,
    /// Held while an order is taken on, and while a person's word on one is written down.
    pub(super) taking: tokio::sync::Mutex<()>,
}

/// An order that was taken on and is not over, or whose end has yet to be told.
#[derive(Debug)]
struct Open {
    signed: SignedOrder,
    body: OrderBody,
    stops: Stops,
    /// Told when there may be something new for it.
    news: Arc<Notify>,
    /// How it ends, whatever its work has come to.
    verdict: Option<Ended>,
    /// Its end is in the journal.
    is_over: bool,
    /// It was shown again while it was about to stop, so it is looked at once more then.
    again: bool,
}

/// Ends that the server has yet to be told, by one task for all.
#[derive(Debug, Default)]
struct Untold {
    ends: BTreeMap<TransferId, Ended>,
    is_telling: bool,
}

/// What ends the work on an order.
#[derive(Debug, Clone)]
struct Stops {
    /// At once.
    cancel: CancellationToken,
    /// When what is under way is stored.
    pause: CancellationToken,
    /// Not to be stopped because much is missing.
    go_on: CancellationToken,
}

/// Why the work on an order stopped before its end.
enum Stopped {
    /// It is to end like this.
    For(Ended),
    /// It goes on when it is shown again; here it is if that has happened already.
    Paused(Option<SignedOrder>),
}

impl Agent {
    /// Takes on an order that the server pushed. One that does not stand is reported as failed.
    pub(crate) async fn take_pushed_order(self: &Arc<Self>, signed: SignedOrder) {
        let claimed = signed.order.peek().ok().map(|order| order.id);
        let Err(refusal) = self.take_order(signed).await else {
            return;
        };
        tracing::warn!(order = ?claimed, %refusal, "an order is not carried out");
        if let (Some(id), false) = (claimed, refusal.retry) {
            if !self.work.is_open(&id) {
                self.work.turns.forget(id);
            }
            self.report_later(id, failed(refusal));
        }
    }

    /// Takes on an order of the server, if it stands. It is in the journal when this returns, and carried out after.
    pub(crate) async fn take_order(self: &Arc<Self>, signed: SignedOrder) -> Result<(), Refusal> {
        if let Taken::Over(id, ended) = self.take(signed, Giver::Server).await? {
            self.work.turns.forget(id);
            self.report_later(id, ended);
        }
        Ok(())
    }

    async fn take(self: &Arc<Self>, signed: SignedOrder, giver: Giver) -> Result<Taken, Refusal> {
        let standing = self.standing.borrow().clone();
        let (order, principal) = self.verified(&signed, &standing).await.map_err(orders::refusal)?;
        giver.check(&order).map_err(orders::refusal)?;
        // One at a time: an order must not come to its end between the look into the journal and its beginning.
        let _taking = self.work.taking.lock().await;
        if self.work.goes_on(&order, &signed)? {
            return Ok(Taken::UnderWay);
        }
        let (agent, id) = (Arc::clone(self), order.id);
        let shown = signed.clone();
        let admitted = tokio::task::spawn_blocking(move || {
            let admission = giver.admit(&agent.journal, &order, &shown)?;
            if matches!(admission, Admission::Ended(_)) {
                agent.index.forget_transfer(order.id);
            }
            let if_missing = match agent.journal.is_answered(order.id)? {
                true => IfMissing::GoOn,
                false => IfMissing::Ask,
            };
            let is_unshown = agent.journal.is_unshown(order.id)?;
            Ok::<_, Refusal>((admission, order, if_missing, is_unshown))
        });
        let (admission, order, if_missing, is_unshown) = admitted.await.map_err(|_| broken())??;
        tracing::info!(%id, ?principal, ?admission, "order");
        if let Admission::Ended(ended) = admission {
            return Ok(Taken::Over(id, ended));
        }
        self.begin(order, signed, if_missing, is_unshown);
        Ok(Taken::UnderWay)
    }

    /// Whether an order that is not over selects this path, or something below it.
    pub(crate) fn is_uploading(&self, root: &RootId, path: &RootPath) -> bool {
        let touches = |one: &RootPath| one.holds(path) || path.holds(one);
        self.work.open().values().any(|open| {
            open.body.root() == *root
                && match &open.body {
                    OrderBody::Upload(upload) => match &upload.selection {
                        Selection::Inline(paths) => paths.iter().any(touches),
                        // What travels beside the order is not kept here.
                        Selection::Detached(_) => false,
                    },
                    OrderBody::Watch(_) | OrderBody::Follow(_) | OrderBody::Receive(_) => false,
                }
        })
    }

    /// How many orders are not over.
    pub(crate) fn open_orders(&self) -> usize {
        self.work.open().len()
    }

    /// Ends what may not go on: because its signer was revoked, or its root closed.
    pub(super) fn recheck_orders(&self) {
        let standing = self.standing.borrow().clone();
        for open in self.work.open().values_mut() {
            let verdict = match orders::verify(&open.signed, &self.identity, &standing, clock::now()) {
                Err(bad @ BadOrder::Signer) => Some(orders::refusal(bad)),
                // What lapses while it is carried out may come to its end.
                _ => self.root_for(&open.body).err(),
            };
            if let Some(verdict) = verdict {
                open.end_as(failed(verdict));
            }
        }
    }

    fn begin(self: &Arc<Self>, order: Order, signed: SignedOrder, if_missing: IfMissing, is_unshown: bool) {
        let to_show = is_unshown.then(|| signed.clone());
        let body = order.body;
        let stops = Stops {
            cancel: self.stop.child_token(),
            pause: CancellationToken::new(),
            go_on: CancellationToken::new(),
        };
        if if_missing == IfMissing::GoOn {
            stops.go_on.cancel();
        }
        let open = Open {
            signed,
            body: body.clone(),
            stops: stops.clone(),
            news: Arc::default(),
            verdict: None,
            is_over: false,
            again: false,
        };
        self.work.open().insert(order.id, open);
        self.replace_watches(order.id);
        // What was revoked or closed since the order was verified passed it by.
        self.recheck_orders();
        let agent = Arc::clone(self);
        self.tasks.spawn(async move {
            if let Some(again) = agent.carry_out(order.id, body, stops, to_show).await
                && !agent.stop.is_cancelled()
            {
                agent.take_pushed_order(again).await;
            }
        });
    }

    /// Works on an order until it is over or stops; the order, if it was shown again when it was about to. `to_show` is
    /// there if the server may not know the order.
    async fn carry_out(
        self: &Arc<Self>,
        id: TransferId,
        body: OrderBody,
        stops: Stops,
        to_show: Option<SignedOrder>,
    ) -> Option<SignedOrder> {
        let outcome = tokio::select! {
            biased;
            () = stops.cancel.cancelled() => Outcome::Stopped,
            outcome = self.show_and_work(id, body, stops.clone(), to_show.as_ref()) => outcome,
        };
        let ended = match outcome {
            Outcome::Ended { state, progress, error } => Ended { state, progress, error },
            // It asks a person itself, and is not over before there is an answer.
            Outcome::Stopped | Outcome::Asks(_) => match self.work.stopped(id) {
                Stopped::For(ended) => ended,
                Stopped::Paused(again) => return again,
            },
        };
        self.note_end(id, ended.clone()).await;
        self.work.is_over(id);
        // Before it is told: a retry may come with a priority while the answer is still on its way.
        self.work.turns.forget(id);
        self.show_and_report(id, to_show.as_ref(), ended).await;
        self.work.close(id)
    }

    async fn note_end(self: &Arc<Self>, id: TransferId, ended: Ended) {
        let agent = Arc::clone(self);
        let written = tokio::task::spawn_blocking(move || {
            fault::point("end-unwritten");
            agent.journal.end(id, &ended)?;
            fault::point("end-journaled");
            // Not before: who goes on after a crash counts on.
            agent.index.forget_transfer(id);
            if matches!(ended.state, TransferState::Done | TransferState::Cancelled) {
                agent.forget_copy(id);
            }
            Ok::<_, Refusal>(())
        });
        if let Ok(Err(refusal)) = written.await {
            tracing::error!(%id, %refusal, "the end of an order could not be journaled");
        }
    }

    /// The root that an order may work in.
    fn root_for(&self, body: &OrderBody) -> Result<Arc<Root>, Refusal> {
        let root = self.root_of(body)?;
        if body.task().writes() {
            following::check_writable(&root)?;
        }
        Ok(root)
    }

    /// The root that an order means, by its id and by its name.
    fn root_of(&self, body: &OrderBody) -> Result<Arc<Root>, Refusal> {
        self.root_named(&body.root(), body.root_name())
    }

    fn root_named(&self, id: &RootId, name: &Label) -> Result<Arc<Root>, Refusal> {
        let root = self.root(id)?;
        if root.name != *name {
            return Err(orders::refusal(BadOrder::Root));
        }
        Ok(root)
    }

    /// Works on an order until it is over or stops.
    async fn work_on(self: &Arc<Self>, id: TransferId, body: OrderBody, stops: Stops) -> Outcome {
        match body {
            OrderBody::Upload(upload) => self.upload(id, upload, stops).await,
            OrderBody::Watch(watch) => self.watch(id, watch, stops).await,
            OrderBody::Follow(follow) => self.follow(id, follow, stops).await,
            OrderBody::Receive(receive) => self.receive(id, receive, stops).await,
        }
    }

    async fn upload(self: &Arc<Self>, id: TransferId, upload: UploadOrder, stops: Stops) -> Outcome {
        loop {
            let outcome = self.upload_in_turn(id, &upload, &stops).await;
            let is_answered = match &outcome {
                // It let a more urgent one go first. One that was ended looks the same from here.
                Outcome::Stopped => !stops.pause.is_cancelled() && !stops.cancel.is_cancelled(),
                Outcome::Asks(progress) => self.ask(id, &upload, *progress, &stops).await,
                Outcome::Ended { .. } => false,
            };
            if !is_answered {
                return outcome;
            }
        }
    }

    /// Works on an order until it is over, stops, has a question, or lets a more urgent one go first.
    async fn upload_in_turn(self: &Arc<Self>, id: TransferId, upload: &UploadOrder, stops: &Stops) -> Outcome {
        let turn = self.work.turns.take(id, upload.root, &stops.pause);
        let Some(turn) = stops.pause.run_until_cancelled(turn).await else {
            return Outcome::Stopped;
        };
        let root = match self.root_named(&upload.root, &upload.root_name) {
            Ok(root) => root,
            Err(refusal) => return failed(refusal).into(),
        };
        let beside = match self.selection_beside(id, upload).await {
            Ok(beside) => beside,
            Err(refusal) => return failed(refusal).into(),
        };
        let job = Job {
            transfer: id,
            root,
            space: upload.space,
            selection: upload.selection.clone(),
            beside,
            below: RootPath::root(),
            device: self.device(),
            keys: Arc::new(copy_keys(&self.identity.keys)),
            cancel: stops.cancel.clone(),
            pause: turn.yields.clone(),
            if_missing: match stops.go_on.is_cancelled() {
                true => IfMissing::GoOn,
                false => IfMissing::Ask,
            },
        };
        upload::run(job, &self.tools).await
    }

    /// A person wants an order to go on although much is missing. That holds for the order, also after a pause or a restart.
    pub(super) async fn go_on(self: &Arc<Self>, id: TransferId) -> Result<(), Refusal> {
        let _taking = self.work.taking.lock().await;
        let agent = Arc::clone(self);
        let noted = tokio::task::spawn_blocking(move || agent.journal.answer(id));
        noted.await.map_err(|_| broken())??;
        if let Some(open) = self.work.open().get(&id) {
            open.stops.go_on.cancel();
        }
        Ok(())
    }

    /// Waits until a person has said that it is to go on although much is missing, or until a root that was not there is
    /// back; false if it is paused instead.
    async fn ask(&self, id: TransferId, upload: &UploadOrder, progress: Progress, stops: &Stops) -> bool {
        let was_there = self.is_there(upload).await;
        loop {
            self.link.send_progress(id, Hold::Question, progress);
            tokio::select! {
                biased;
                () = stops.pause.cancelled() => return false,
                () = stops.go_on.cancelled() => return true,
                () = tokio::time::sleep(ASK_EVERY) => {}
            }
            if !was_there && self.is_there(upload).await {
                return true;
            }
        }
    }

    /// Whether the folder of an order's root can be opened.
    async fn is_there(&self, upload: &UploadOrder) -> bool {
        let Ok(root) = self.root_named(&upload.root, &upload.root_name) else {
            return false;
        };
        let looked = tokio::task::spawn_blocking(move || root.folder(&RootPath::root()).is_ok());
        looked.await.unwrap_or_default()
    }

    /// Tells the server how an order ended that is not under way, without waiting for it.
    pub(super) fn report_later(self: &Arc<Self>, id: TransferId, ended: Ended) {
        if !self.work.untold().keep(id, ended) {
            return;
        }
        let agent = Arc::clone(self);
        self.tasks.spawn(async move {
            while let Some((id, ended)) = agent.work.next_untold() {
                agent.report(id, ended).await;
            }
        });
    }

    /// Tells the server until it has recorded the end, or until the agent stops: then the order is pushed again, and the
    /// journal answers.
    async fn report(&self, transfer: TransferId, ended: Ended) {
        let Ended { state, progress, error } = ended;
        tracing::info!(%transfer, ?state, error = error.as_ref().map(|error| error.code.name()), "order ended");
        let request = Request::EndTransfer {
            transfer,
            state,
            progress,
            error,
        };
        tokio::select! {
            () = self.stop.cancelled() => {}
            answer = self.link.request(request) => if let Err(refusal) = answer {
                tracing::warn!(%transfer, %refusal, "the server did not take the end of a transfer");
            },
        }
    }
}

impl Work {
    fn open(&self) -> MutexGuard<'_, HashMap<TransferId, Open>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn untold(&self) -> MutexGuard<'_, Untold> {
        self.untold.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn next_untold(&self) -> Option<(TransferId, Ended)> {
        self.untold().next()
    }

    /// Leaves the end of an order untold that was not told yet.
    pub(super) fn forget_end(&self, id: TransferId) {
        self.untold().ends.remove(&id);
    }

    /// An order as it was signed, and what tells that there may be something new for it.
    fn shown_as(&self, id: &TransferId) -> Option<(SignedOrder, Arc<Notify>)> {
        let orders = self.open();
        let open = orders.get(id)?;
        Some((open.signed.clone(), Arc::clone(&open.news)))
    }

    fn is_open(&self, id: &TransferId) -> bool {
        self.open().contains_key(id)
    }

    /// Whether the order is under way already; one that is about to stop is looked at again then.
    fn goes_on(&self, order: &Order, signed: &SignedOrder) -> Result<bool, Refusal> {
        match self.open().get_mut(&order.id) {
            None => Ok(false),
            Some(open) if open.signed.order == signed.order => {
                // Shown after each reconnect: what was told meanwhile was not heard.
                open.news.notify_one();
                open.again = open.is_over || open.stops.pause.is_cancelled();
                Ok(true)
            }
            Some(_) => Err(journal::other_bytes()),
        }
    }

    /// Stops the work on an order as soon as what is under way is stored.
    pub(super) fn pause(&self, id: TransferId) {
        if let Some(open) = self.open().get_mut(&id) {
            open.again = false;
            open.stops.pause.cancel();
        }
    }

    /// Ends an order like this, unless it is not under way: false then.
    pub(super) fn end_as(&self, id: TransferId, ended: Ended) -> bool {
        match self.open().get_mut(&id) {
            Some(open) if !open.is_over => {
                open.end_as(ended);
                true
            }
            _ => false,
        }
    }

    fn stopped(&self, id: TransferId) -> Stopped {
        let mut orders = self.open();
        match orders.get(&id).and_then(|open| open.verdict.clone()) {
            Some(ended) => Stopped::For(ended),
            None => Stopped::Paused(orders.remove(&id).and_then(Open::again)),
        }
    }

    fn is_over(&self, id: TransferId) {
        if let Some(open) = self.open().get_mut(&id) {
            open.is_over = true;
        }
    }

    fn close(&self, id: TransferId) -> Option<SignedOrder> {
        self.open().remove(&id).and_then(Open::again)
    }
}

impl Untold {
    /// Keeps an end, if there is room for it; whether somebody has to begin to tell.
    fn keep(&mut self, id: TransferId, ended: Ended) -> bool {
        if self.ends.len() >= UNTOLD_MAX && !self.ends.contains_key(&id) {
            tracing::warn!(%id, "the server is slow to hear how orders ended; this one is told when it asks again");
            return false;
        }
        self.ends.insert(id, ended);
        !std::mem::replace(&mut self.is_telling, true)
    }

    /// The next one to tell; who gets none has told them all.
    fn next(&mut self) -> Option<(TransferId, Ended)> {
        let next = self.ends.pop_first();
        self.is_telling = next.is_some();
        next
    }
}

impl Open {
    fn end_as(&mut self, ended: Ended) {
        self.verdict.get_or_insert(ended);
        self.stops.cancel.cancel();
    }

    fn again(self) -> Option<SignedOrder> {
        self.again.then_some(self.signed)
    }
}

impl From<Ended> for Outcome {
    fn from(Ended { state, progress, error }: Ended) -> Self {
        Self::Ended { state, progress, error }
    }
}

fn failed(refusal: Refusal) -> Ended {
    Ended {
        state: TransferState::Failed,
        progress: Progress::default(),
        error: Some(refusal),
    }
}

pub(super) fn broken() -> Refusal {
    Refusal::new(
        ErrorCode::Internal,
        "the agent has a fault; its log says more. Give the order again, and if it stays, report it",
    )
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use beckon_shared::time::Timestamp;

    use super::*;
    use crate::agent::tests::{ROOT, Scene};

    #[test]
    fn a_cancellation_that_comes_between_two_looks_ends_the_work() {
        let (tell, heard) = std::sync::mpsc::channel();
        // In a thread of its own: work that never waits would keep this one for ever.
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async {
                let scene = Scene::alone();
                let order = scene.family.order_for(ROOT);
                let OrderBody::Upload(upload) = order.body else {
                    unreachable!()
                };
                let stops = Stops {
                    cancel: CancellationToken::new(),
                    pause: CancellationToken::new(),
                    go_on: CancellationToken::new(),
                };
                stops.cancel.cancel();
                tell.send(scene.agent.upload(order.id, upload, stops).await).unwrap();
            });
        });
        assert_eq!(heard.recv_timeout(Duration::from_secs(20)), Ok(Outcome::Stopped));
    }

    #[test]
    fn one_task_tells_all_ends_and_few_of_them_wait() {
        let mut untold = Untold::default();
        let id = |at: usize| TransferId::new(Timestamp(at as i64), [0; 10]);
        assert!(untold.keep(id(0), Ended::cancelled()), "somebody has to begin");
        for at in 0..2 * UNTOLD_MAX {
            assert!(!untold.keep(id(at), Ended::cancelled()));
        }
        assert_eq!(untold.ends.len(), UNTOLD_MAX);
        while untold.next().is_some() {}
        assert!(untold.keep(id(0), Ended::cancelled()));
    }
}
