//! Orders on their way from the wire to their end: verified, journaled, carried out, reported.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use beckon_shared::{
    error::{ErrorCode, Refusal},
    id::{RootId, TransferId},
    order::{BadOrder, Order, OrderBody, Selection, SignedOrder, UploadOrder},
    path::RootPath,
    transfer::{Progress, TransferState},
    wire::Request,
};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use super::Agent;
use crate::{
    clock,
    identity::copy_keys,
    journal::{self, Admission, Ended},
    orders,
    root::Root,
    upload::{self, Job, Outcome},
};

/// So many transfers work at once, each in a root of its own: more would only share the same disk and line.
const TRANSFERS_MAX: usize = 2;

/// The orders that are not over.
#[derive(Debug)]
pub(super) struct Work {
    open: Mutex<HashMap<TransferId, Open>>,
    /// Held by the one transfer that works in a root: its commits must follow one another.
    roots: Mutex<HashMap<RootId, Arc<Semaphore>>>,
    permits: Semaphore,
    /// Held while an order is taken on.
    pub(super) taking: tokio::sync::Mutex<()>,
}

/// An order that was taken on and is not over.
#[derive(Debug)]
struct Open {
    signed: SignedOrder,
    upload: UploadOrder,
    cancel: CancellationToken,
    /// Why it may not go on.
    verdict: Option<Refusal>,
}

impl Default for Work {
    fn default() -> Self {
        Self {
            open: Mutex::default(),
            roots: Mutex::default(),
            permits: Semaphore::new(TRANSFERS_MAX),
            taking: tokio::sync::Mutex::default(),
        }
    }
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
            self.report_later(id, failed(refusal));
        }
    }

    /// Takes on an order, if it stands. It is in the journal when this returns, and carried out after.
    pub(crate) async fn take_order(self: &Arc<Self>, signed: SignedOrder) -> Result<(), Refusal> {
        let standing = self.standing.borrow().clone();
        let (order, principal) =
            orders::verify(&signed, &self.identity, &standing, clock::now()).map_err(orders::refusal)?;
        // One at a time: an order must not come to its end between the look into the journal and its beginning.
        let _taking = self.work.taking.lock().await;
        if self.work.is_open(&order, &signed)? {
            return Ok(());
        }
        let (agent, id) = (Arc::clone(self), order.id);
        let shown = signed.clone();
        let admitted = tokio::task::spawn_blocking(move || {
            agent.journal.admit(&order, &shown).map(|admission| (admission, order))
        });
        let (admission, order) = admitted.await.map_err(|_| broken())??;
        tracing::info!(%id, ?principal, ?admission, "order");
        match admission {
            Admission::New | Admission::Continue => self.begin(order, signed),
            Admission::Ended(ended) => self.report_later(id, ended),
        }
        Ok(())
    }

    /// Whether an order that is not over selects this path, or something below it.
    pub(crate) fn is_uploading(&self, root: &RootId, path: &RootPath) -> bool {
        let touches = |one: &RootPath| one.holds(path) || path.holds(one);
        self.work.open().values().any(|open| {
            open.upload.root == *root
                && match &open.upload.selection {
                    Selection::Inline(paths) => paths.iter().any(touches),
                    // What travels beside the order is not kept here.
                    Selection::Detached(_) => false,
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
                _ => self.root_of(&open.upload).err(),
            };
            if let Some(verdict) = verdict {
                open.verdict = Some(verdict);
                open.cancel.cancel();
            }
        }
    }

    fn begin(self: &Arc<Self>, order: Order, signed: SignedOrder) {
        let OrderBody::Upload(upload) = order.body;
        let cancel = self.stop.child_token();
        let open = Open {
            signed,
            upload: upload.clone(),
            cancel: cancel.clone(),
            verdict: None,
        };
        self.work.open().insert(order.id, open);
        // What was revoked or closed since the order was verified passed it by.
        self.recheck_orders();
        let agent = Arc::clone(self);
        self.tasks.spawn(async move {
            agent.carry_out(order.id, upload, cancel).await;
            agent.work.open().remove(&order.id);
        });
    }

    async fn carry_out(self: &Arc<Self>, id: TransferId, upload: UploadOrder, cancel: CancellationToken) {
        let outcome = tokio::select! {
            biased;
            () = cancel.cancelled() => Outcome::Stopped,
            outcome = self.upload(id, upload, cancel.clone()) => outcome,
        };
        let ended = match outcome {
            Outcome::Ended { state, progress, error } => Ended { state, progress, error },
            Outcome::Stopped => match self.work.verdict(id) {
                Some(refusal) => failed(refusal),
                None => return,
            },
        };
        let agent = Arc::clone(self);
        let noted = ended.clone();
        let written = tokio::task::spawn_blocking(move || {
            agent.index.forget_transfer(id);
            agent.journal.end(id, &noted)
        });
        if let Ok(Err(refusal)) = written.await {
            tracing::error!(%id, %refusal, "the end of an order could not be journaled");
        }
        self.report(id, ended).await;
    }

    /// The root that an order means, by its id and by its name.
    fn root_of(&self, upload: &UploadOrder) -> Result<Arc<Root>, Refusal> {
        let root = self.root(&upload.root)?;
        if root.name != upload.root_name {
            return Err(orders::refusal(BadOrder::Root));
        }
        Ok(root)
    }

    async fn upload(&self, id: TransferId, upload: UploadOrder, cancel: CancellationToken) -> Outcome {
        let turn = self.work.turn(upload.root);
        // Neither semaphore is ever closed.
        let (Ok(_turn), Ok(_permit)) = (turn.acquire().await, self.work.permits.acquire().await) else {
            return Outcome::Stopped;
        };
        let root = match self.root_of(&upload) {
            Ok(root) => root,
            Err(refusal) => {
                let Ended { state, progress, error } = failed(refusal);
                return Outcome::Ended { state, progress, error };
            }
        };
        let job = Job {
            transfer: id,
            root,
            space: upload.space,
            selection: upload.selection,
            device: self.device(),
            keys: Arc::new(copy_keys(&self.identity.keys)),
            cancel,
        };
        upload::run(job, &self.tools).await
    }

    fn report_later(self: &Arc<Self>, id: TransferId, ended: Ended) {
        let agent = Arc::clone(self);
        self.tasks.spawn(async move { agent.report(id, ended).await });
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

    /// Whether the order is under way already.
    fn is_open(&self, order: &Order, signed: &SignedOrder) -> Result<bool, Refusal> {
        match self.open().get(&order.id) {
            None => Ok(false),
            Some(open) if open.signed.order == signed.order => Ok(true),
            Some(_) => Err(journal::other_bytes()),
        }
    }

    fn verdict(&self, id: TransferId) -> Option<Refusal> {
        self.open().get(&id).and_then(|open| open.verdict.clone())
    }

    fn turn(&self, root: RootId) -> Arc<Semaphore> {
        let mut roots = self.roots.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(roots.entry(root).or_insert_with(|| Arc::new(Semaphore::new(1))))
    }
}

fn failed(refusal: Refusal) -> Ended {
    Ended {
        state: TransferState::Failed,
        progress: Progress::default(),
        error: Some(refusal),
    }
}

fn broken() -> Refusal {
    Refusal::new(
        ErrorCode::Internal,
        "the agent has a fault; its log says more. Give the order again, and if it stays, report it",
    )
}
