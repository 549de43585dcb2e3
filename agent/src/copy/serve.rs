//! What this machine lets another one read that copies: an order that a controller of the account signed for that machine says
//! so, and only of the place that it names. It is shown anew in each session, and forgotten with it.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use beckon_shared::{
    browse::Answer,
    certificate::DeviceCertificate,
    entry::SourceStamp,
    error::{ErrorCode, Refusal},
    id::{DeviceId, Hash, TransferId},
    order::{FollowOrder, OrderBody, SignedOrder},
    path::RootPath,
    statement::Standing,
    wire::Request,
};
use tokio::{sync::watch, time::Instant};

use super::diff::Mapping;
use crate::{
    agent::Agent,
    orders,
    root::{self, Root},
    session::fetch_piece,
};

/// Orders of one session are no more.
const ORDERS_MAX: usize = 64;
/// The server is asked again after so long whether an order is still wanted.
const WANTED: Duration = Duration::from_secs(60);
/// The server has so long to say so; one that cannot be reached forbids nothing.
const ANSWER: Duration = Duration::from_secs(2);

/// What one session may read.
pub(crate) struct Guest {
    agent: Arc<Agent>,
    device: DeviceId,
    shown: Mutex<Shown>,
}

struct Shown {
    standing: watch::Receiver<Standing>,
    orders: HashMap<TransferId, Presented>,
}

#[derive(Clone)]
struct Presented {
    signed: SignedOrder,
    follow: FollowOrder,
    /// When the server last had nothing against it.
    wanted: Instant,
}

/// A file that may be read, and in which state.
struct Open {
    root: Arc<Root>,
    path: RootPath,
    stamp: SourceStamp,
}

impl Guest {
    /// Of a session with this device, to which nothing was shown yet.
    pub(crate) fn new(agent: Arc<Agent>, peer: &DeviceCertificate) -> Self {
        let shown = Shown {
            standing: agent.standing(),
            orders: HashMap::new(),
        };
        Self {
            agent,
            device: peer.keys.id(),
            shown: Mutex::new(shown),
        }
    }

    /// Takes an order that the device shows.
    pub(crate) async fn present(&self, signed: SignedOrder) -> Result<Answer, Refusal> {
        let standing = self.agent.standing().borrow().clone();
        let (transfer, follow) = self.verified(&signed, &standing)?;
        if !self.is_about_us(&follow) {
            let advice = "this machine neither holds what the order follows nor follows it itself; ask another one";
            return Err(Refusal::new(ErrorCode::NotFound, advice));
        }
        self.ask_whether_wanted(transfer).await?;
        let mut shown = self.shown();
        if shown.orders.len() >= ORDERS_MAX && !shown.orders.contains_key(&transfer) {
            let advice = "too many orders were shown in this session; open another one";
            return Err(Refusal::new(ErrorCode::TooMany, advice));
        }
        let wanted = Instant::now();
        let presented = Presented { signed, follow, wanted };
        shown.orders.insert(transfer, presented);
        Ok(Answer::Done)
    }

    /// A piece of a file that an order shown before lets the device read.
    pub(crate) async fn piece(self: Arc<Self>, piece: Piece) -> Result<Answer, Refusal> {
        let presented = self.presented(&piece.transfer)?;
        if presented.wanted.elapsed() >= WANTED {
            if let Err(refusal) = self.ask_whether_wanted(piece.transfer).await {
                self.shown().orders.remove(&piece.transfer);
                return Err(refusal);
            }
            if let Some(presented) = self.shown().orders.get_mut(&piece.transfer) {
                presented.wanted = Instant::now();
            }
        }
        let read = tokio::task::spawn_blocking(move || {
            let Open { root, path, stamp } = self.open(&presented.follow, &piece)?;
            fetch_piece(&root, &path, stamp, piece.offset, piece.len)
        });
        read.await.unwrap_or_else(|_| {
            Err(Refusal::new(
                ErrorCode::Internal,
                "the agent has a fault; its log says more. Try again, and if it stays, report it",
            ))
        })
    }

    fn verified(&self, signed: &SignedOrder, standing: &Standing) -> Result<(TransferId, FollowOrder), Refusal> {
        let order = orders::verify_shown(signed, &self.agent.identity, &self.device, standing);
        let order = order.map_err(orders::refusal)?;
        match order.body {
            OrderBody::Follow(follow) => Ok((order.id, follow)),
            OrderBody::Upload(_) | OrderBody::Watch(_) | OrderBody::Receive(_) => Err(Refusal::new(
                ErrorCode::BadOrder,
                "this order lets nobody read anything here",
            )),
        }
    }

    fn is_about_us(&self, follow: &FollowOrder) -> bool {
        follow.from.device == self.agent.device() || !self.agent.copies_of(&follow.from).is_empty()
    }

    async fn ask_whether_wanted(&self, transfer: TransferId) -> Result<(), Refusal> {
        if !self.agent.link.is_up() {
            return Ok(());
        }
        let asked = self.agent.link.request(Request::IsOpen { transfer });
        match tokio::time::timeout(ANSWER, asked).await {
            Ok(Err(refusal)) if !refusal.retry => Err(refusal),
            _ => Ok(()),
        }
    }

    /// What a revocation has not ended meanwhile.
    fn presented(&self, transfer: &TransferId) -> Result<Presented, Refusal> {
        let mut shown = self.shown();
        if shown.standing.has_changed().unwrap_or(false) {
            let standing = shown.standing.borrow_and_update().clone();
            shown
                .orders
                .retain(|_, presented| self.verified(&presented.signed, &standing).is_ok());
        }
        let unknown = || {
            let advice = "no order was shown in this session that lets this be read; show it first";
            Refusal::new(ErrorCode::NotAllowed, advice)
        };
        shown.orders.get(transfer).cloned().ok_or_else(unknown)
    }

    /// Waits for the disk.
    fn open(&self, follow: &FollowOrder, piece: &Piece) -> Result<Open, Refusal> {
        let from = &follow.from;
        if !from.path.holds(&piece.path) || root::is_own(&piece.path) {
            let advice = "the order does not hold this file; ask for what lies below the place that it names";
            return Err(Refusal::new(ErrorCode::NotAllowed, advice));
        }
        if from.device == self.agent.device() {
            return Ok(Open {
                root: self.agent.root(&from.root)?,
                path: piece.path.clone(),
                stamp: piece.stamp,
            });
        }
        self.copy(follow, piece).ok_or_else(|| {
            let advice = "this machine has not this version of the file; ask another one";
            Refusal::new(ErrorCode::NotFound, advice)
        })
    }

    /// The same version, where this machine has written it.
    fn copy(&self, follow: &FollowOrder, piece: &Piece) -> Option<Open> {
        let copies = self.agent.copies_of(&follow.from);
        copies.into_iter().find_map(|(transfer, order)| {
            let path = Mapping::of(&order).local(&piece.path)?;
            let row = self.agent.book.row(transfer, &path).ok()??;
            let root = self.agent.root(&order.root).ok()?;
            // What somebody chose to keep here is not what the origin has, and not for others.
            (row.manifest == piece.manifest && !row.is_ours).then_some(Open {
                root,
                path,
                stamp: row.stamp,
            })
        })
    }

    fn shown(&self) -> MutexGuard<'_, Shown> {
        self.shown.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What is asked by [`Ask::Piece`](beckon_shared::browse::Ask::Piece).
#[derive(Debug, Clone)]
pub(crate) struct Piece {
    /// The follow.
    pub(crate) transfer: TransferId,
    /// Below the root of the origin.
    pub(crate) path: RootPath,
    /// Which version.
    pub(crate) manifest: Hash,
    /// How it stood at the origin.
    pub(crate) stamp: SourceStamp,
    /// From here.
    pub(crate) offset: u64,
    /// So many.
    pub(crate) len: u32,
}

#[cfg(test)]
mod tests;
