//! Lines straight to machines that hold the same: the origin, and others that follow it. The server says who they are; each
//! proves itself by its certificate, and sends nothing before it has been shown the order.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use beckon_shared::{
    browse::{Answer, Ask, READ_MAX},
    device::{DeviceKind, DeviceView, Platform},
    error::{ErrorCode, Refusal},
    id::{DeviceId, TransferId},
    limits::Limits,
    neighbour::{self, Hint, Site},
    order::SignedOrder,
    path::Label,
    time::Timestamp,
    wire::{HOLDERS_MAX, Holder, Reply, Request},
};
use bytes::{Bytes, BytesMut};
use futures_util::future::join_all;
use tokio::{sync::watch, time::Instant};
use tokio_util::sync::CancellationToken;

use super::{
    Want,
    source::{Line, Lines},
};
use crate::{
    agent::Agent,
    clock, hello,
    session::{Session, Unanswered, direct},
};

/// Who holds the same is asked again after so long, when there is something to fetch.
const LOOK_AGAIN: Duration = Duration::from_secs(30);
/// Who was not reached, or was of no use, is tried again after so long.
const TRY_AGAIN: Duration = Duration::from_secs(300);
/// What is fetched first waits so long for lines; later nobody waits.
const FIRST: Duration = Duration::from_millis(500);
/// The server has so long to say who holds the same; meanwhile nothing comes.
const ANSWER: Duration = Duration::from_secs(2);

/// The direct lines of one follow.
pub(crate) struct Straight(Arc<Shared>);

/// What is shared with whoever looks for more lines.
struct Shared {
    agent: Arc<Agent>,
    transfer: TransferId,
    signed: SignedOrder,
    known: Mutex<Known>,
    /// Whether somebody has looked at all.
    has_looked: watch::Sender<bool>,
}

#[derive(Default)]
struct Known {
    looked: Option<Instant>,
    lanes: HashMap<DeviceId, Arc<Lane>>,
    /// Who was not reached, or was of no use, and when.
    in_vain: HashMap<DeviceId, Instant>,
}

/// A line to a machine that was shown the order.
pub(crate) struct Lane {
    session: Session,
    transfer: TransferId,
    left: CancellationToken,
}

impl Straight {
    /// Begins to look for lines.
    pub(crate) fn new(agent: Arc<Agent>, transfer: TransferId, signed: SignedOrder) -> Self {
        let shared = Arc::new(Shared {
            agent,
            transfer,
            signed,
            known: Mutex::default(),
            has_looked: watch::Sender::new(false),
        });
        shared.look_if_due();
        Self(shared)
    }
}

impl Shared {
    /// Looks for more lines if that was not done lately; nobody waits for it.
    fn look_if_due(self: &Arc<Self>) {
        // Whose owner wants no direct sessions, dials none either.
        if self.agent.lan.port().is_none() {
            return;
        }
        let mut known = self.known();
        if known.looked.is_some_and(|looked| looked.elapsed() < LOOK_AGAIN) {
            return;
        }
        known.looked = Some(Instant::now());
        known.in_vain.retain(|_, when| when.elapsed() < TRY_AGAIN);
        drop(known);
        let looking = Arc::clone(self);
        tokio::spawn(async move {
            let cancelled = looking.agent.stop.clone();
            let _ = cancelled.run_until_cancelled(looking.look()).await;
            looking.has_looked.send_replace(true);
        });
    }

    /// Whoever is near, and not known to be of no use.
    async fn look(&self) {
        let Some((holders, own_address)) = self.holders().await else {
            return;
        };
        let missing = holders.into_iter().filter(|holder| {
            let Ok(claim) = holder.certificate.peek() else {
                return false;
            };
            let known = self.known();
            let is_known = known.lanes.contains_key(&claim.device) || known.in_vain.contains_key(&claim.device);
            claim.device != self.agent.device() && !is_known
        });
        join_all(missing.map(|holder| self.dial(holder, &own_address))).await;
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn holders(&self) -> Option<(Vec<Holder>, String)> {
        let request = Request::Holders {
            transfer: self.transfer,
        };
        let asked = tokio::time::timeout(ANSWER, self.agent.link.request(request)).await;
        match asked.ok()? {
            Ok(Reply::Holders {
                mut holders,
                own_address,
            }) => {
                holders.truncate(HOLDERS_MAX);
                Some((holders, own_address))
            }
            Ok(_) => None,
            Err(refusal) => {
                tracing::debug!(%refusal, "nobody says who else holds the same");
                None
            }
        }
    }

    async fn dial(&self, holder: Holder, own_address: &str) {
        let Some(machine) = row(holder) else { return };
        let addresses = hello::addresses();
        let me = Site {
            seen_at: own_address,
            addresses: &addresses,
        };
        let reachable = neighbour::reachable(me, &machine);
        if reachable.hint != Hint::Near {
            return;
        }
        let candidates = reachable.candidates.iter();
        let addresses: Vec<_> = candidates.map(|at| SocketAddr::new(at.address, at.port)).collect();
        let lane = self.lane(&addresses, &machine).await;
        let mut known = self.known();
        match lane {
            Ok(lane) => _ = known.lanes.insert(machine.id, Arc::new(lane)),
            Err(refusal) => {
                tracing::debug!(device = %machine.id, %refusal, "not reached straight");
                known.in_vain.insert(machine.id, Instant::now());
            }
        }
    }

    async fn lane(&self, addresses: &[SocketAddr], machine: &DeviceView) -> Result<Lane, Refusal> {
        let standing = self.agent.standing().borrow().clone();
        let (session, route) = direct::dial(addresses, &self.agent.identity, machine, &standing).await?;
        if let Some(news) = &session.statement {
            self.agent.take_statement(news)?;
        }
        session.ask(Ask::Present(Box::new(self.signed.clone()))).await?;
        tracing::info!(device = %machine.id, ?route, transfer = %self.transfer, "chunks come straight from another machine");
        Ok(Lane {
            session,
            transfer: self.transfer,
            left: CancellationToken::new(),
        })
    }
}

impl Lines for Straight {
    type Line = Lane;

    async fn open(&self) -> Vec<Arc<Lane>> {
        let shared = &self.0;
        if shared.agent.lan.port().is_none() {
            return Vec::new();
        }
        shared.look_if_due();
        let mut has_looked = shared.has_looked.subscribe();
        // Whoever is late is asked for what is wanted next.
        let _ = tokio::time::timeout(FIRST, has_looked.wait_for(|has_looked| *has_looked)).await;
        let standing = shared.agent.standing().borrow().clone();
        let mut known = shared.known();
        let Known { lanes, in_vain, .. } = &mut *known;
        lanes.retain(|device, lane| {
            if lane.left.is_cancelled() {
                in_vain.insert(*device, Instant::now());
            }
            !lane.left.is_cancelled() && !lane.session.is_over() && !standing.is_revoked(device)
        });
        lanes.values().cloned().collect()
    }
}

impl Line for Lane {
    async fn chunk(&self, want: &Want) -> Result<Bytes, Unanswered> {
        let mut bytes = BytesMut::with_capacity(want.chunk.len as usize);
        while bytes.len() < want.chunk.len as usize {
            let len = (want.chunk.len - bytes.len() as u32).min(READ_MAX);
            let ask = Ask::Piece {
                transfer: self.transfer,
                path: want.origin.clone(),
                manifest: want.manifest,
                stamp: want.stamp,
                offset: want.offset + bytes.len() as u64,
                len,
            };
            match self.session.try_ask(ask).await? {
                Answer::Fetched { bytes: piece, .. } if piece.len() == len as usize => bytes.extend_from_slice(&piece),
                _ => return Err(Unanswered::Refused(short())),
            }
        }
        Ok(bytes.freeze())
    }

    fn leave(&self) {
        self.left.cancel();
        self.session.close();
    }
}

fn short() -> Refusal {
    Refusal::new(
        ErrorCode::Changing,
        "the other machine has less of the file than was asked for; it is fetched from elsewhere",
    )
}

/// A holder as the row of the control list that judgements and sessions take.
fn row(holder: Holder) -> Option<DeviceView> {
    let claim = holder.certificate.peek().ok()?;
    Some(DeviceView {
        id: claim.device,
        name: Label::new("the other machine").ok()?,
        kind: DeviceKind::Agent,
        os: String::new(),
        version: String::new(),
        platform: Platform::here(),
        online: true,
        address: holder.address,
        port: 0,
        addresses: holder.addresses,
        lan_port: holder.lan_port,
        roots: Vec::new(),
        first_seen: Timestamp(0),
        last_seen: clock::now(),
        revoked: false,
        joined_by_code: false,
        certificate: holder.certificate,
        limits: Limits::default(),
    })
}
