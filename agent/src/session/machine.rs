//! The end that is looked into: answers what a controller of its account asks, and other machines of the account as far as an
//! order lets them read.

mod answer;
mod drive_state;

pub(crate) use answer::fetch_piece;

use std::{sync::Arc, time::Duration};

use beckon_shared::{
    browse::{Answer, Ask, FromMachine, Route, ToMachine},
    certificate::{DeviceCertificate, Role},
    device::Platform,
    error::{ErrorCode, Refusal},
    order::CLOCK_GRACE,
    session::{Established, Expected, Responder},
    statement::Standing,
    wire,
};
use futures_util::SinkExt;
use tokio::sync::{Semaphore, watch};
use tokio_tungstenite::tungstenite::Message;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::{
    HANDSHAKE_TIMEOUT, Wire, bad_handshake, cut,
    line::{self, Incoming, Outgoing},
};
use crate::{
    agent::Agent,
    clock,
    copy::serve::{Guest, Piece},
    listing::Listings,
};

/// So many asks of a session are worked on at once.
const ASKS_MAX: usize = 8;
/// So many wait or are worked on, fewer if they are long; further ones wait on the line.
const WAITING_MAX: u32 = 128;
/// An ask counts once more for each so many bytes of it.
const LONG_ASK: usize = 8 << 10;
/// So many signs of life wait for the line; further ones wait like other asks.
const SIGNS_MAX: usize = 8;
/// A session in which nothing is asked for so long ends; the controller opens another one when it needs it.
const IDLE_MAX: Duration = Duration::from_secs(30 * 60);

/// Serves one session that came over the relay, until either end has enough.
pub(crate) async fn serve<W: Wire>(mut socket: W, agent: Arc<Agent>) -> Result<(), Refusal> {
    let first = line::handshake_message(&mut socket).await?;
    let end = agent.stop.child_token();
    let visit = Visit::meet(socket, &first, &agent, HANDSHAKE_TIMEOUT, end).await?;
    visit.serve(agent, Route::Relay).await
}

/// A controller that has proved to be there now, and the line to it.
pub(crate) struct Visit<W> {
    peer: DeviceCertificate,
    /// The highest statement that it has seen.
    statement: u64,
    outgoing: Outgoing,
    incoming: Incoming<W>,
    end: CancellationToken,
    _over: DropGuard,
}

impl<W: Wire> Visit<W> {
    /// Answers the first message of a handshake and waits at most `patience` for what only the controller itself can send.
    /// Cancelling `end` ends the session.
    pub(crate) async fn meet(
        mut socket: W,
        first: &[u8],
        agent: &Agent,
        patience: Duration,
        end: CancellationToken,
    ) -> Result<Self, Refusal> {
        let Established {
            channel,
            peer,
            statement,
        } = shake(&mut socket, first, agent).await?;
        let over = end.clone().drop_guard();
        let (outgoing, mut incoming) = line::start(socket, channel, &end);
        // The handshake can be a recording: only who can make this first message is there now.
        let first = tokio::time::timeout(patience, incoming.next())
            .await
            .ok()
            .flatten()
            .ok_or_else(cut)?;
        let Ok(ToMachine::Open { statement: news }) = wire::decode(&first) else {
            return Err(Refusal::new(
                ErrorCode::BadRequest,
                "a session begins with what is known of revocations; update the older program",
            ));
        };
        if let Some(news) = news {
            agent.take_statement(&news)?;
        }
        Ok(Self {
            peer,
            statement,
            outgoing,
            incoming,
            end,
            _over: over,
        })
    }

    /// Serves it until either end has enough.
    pub(crate) async fn serve(mut self, agent: Arc<Agent>, route: Route) -> Result<(), Refusal> {
        tracing::info!(device = %self.peer.keys.id(), ?route, "session");
        let mut standing = agent.standing();
        let answer = opened(&standing.borrow(), self.statement);
        self.outgoing.send(answer).await;
        let served = Arc::new(Served::new(agent, &self.peer, self.outgoing.clone(), route));
        loop {
            let message = tokio::select! {
                biased;
                over = over(&self.peer, &self.end, &mut standing) => return over,
                message = tokio::time::timeout(IDLE_MAX, self.incoming.next()) => message,
            };
            let Ok(Some(message)) = message else {
                return Ok(());
            };
            let Ok(ToMachine::Ask { id, body }) = wire::decode(&message) else {
                return Err(Refusal::new(
                    ErrorCode::BadRequest,
                    "a message of the session is malformed; update the older program",
                ));
            };
            // Who reads no answers keeps all places taken, and is not to hold the session open by that.
            tokio::select! {
                biased;
                over = over(&self.peer, &self.end, &mut standing) => return over,
                () = served.take(id, body, message.len()) => {}
            }
        }
    }
}

/// Waits for the end of a session: somebody has enough, or the controller is not welcome any more.
async fn over(
    peer: &DeviceCertificate,
    end: &CancellationToken,
    standing: &mut watch::Receiver<Standing>,
) -> Result<(), Refusal> {
    loop {
        if !is_welcome(peer, &standing.borrow_and_update()) {
            return Err(Refusal::new(
                ErrorCode::Revoked,
                "this controller may not look into the machine any more; sign in again there",
            ));
        }
        tokio::select! {
            () = end.cancelled() => return Ok(()),
            changed = standing.changed() => if changed.is_err() { return Ok(()) },
        }
    }
}

/// Whether it is answered at once, however many others wait for a slow disk: by such asks controllers find out whether the
/// machine is still there.
fn is_sign_of_life(ask: &Ask) -> bool {
    matches!(ask, Ask::Roots | Ask::Route)
}

async fn shake<W: Wire>(socket: &mut W, first: &[u8], agent: &Agent) -> Result<Established, Refusal> {
    let standing = agent.standing().borrow().clone();
    let expected = Expected {
        account_key: &agent.identity.account_key,
        standing: &standing,
        // Other machines may show an order and read what it lets them, and nothing else.
        roles: &[Role::Controller, Role::Source],
        now: clock::now(),
    };
    let responder = Responder::new(agent.identity.me(&standing), expected);
    let (reply, established) = responder.accept(first).map_err(bad_handshake)?;
    socket.send(Message::Binary(reply.into())).await.map_err(|_| cut())?;
    Ok(established)
}

fn opened(standing: &Standing, theirs: u64) -> Vec<u8> {
    let news = standing.newest().filter(|_| theirs < standing.number());
    wire::encode(&FromMachine::Opened {
        statement: news.cloned().map(Box::new),
        platform: Platform::here(),
    })
}

/// A session may last longer than the right to it.
fn is_welcome(peer: &DeviceCertificate, standing: &Standing) -> bool {
    let now = standing.effective_now(clock::now());
    !standing.is_revoked(&peer.keys.id())
        && peer.epoch >= standing.lowest_epoch()
        && peer.not_after.is_none_or(|end| now <= end + CLOCK_GRACE)
}

/// What an ask needs to be answered.
struct Served {
    agent: Arc<Agent>,
    /// Present unless a controller asks.
    guest: Option<Arc<Guest>>,
    listings: Arc<Listings>,
    outgoing: Outgoing,
    route: Route,
    waiting: Arc<Semaphore>,
    signs: Arc<Semaphore>,
    turns: Semaphore,
}

impl Served {
    fn new(agent: Arc<Agent>, peer: &DeviceCertificate, outgoing: Outgoing, route: Route) -> Self {
        let is_guest = !peer.role.includes(Role::Controller);
        let guest = is_guest.then(|| Arc::new(Guest::new(Arc::clone(&agent), peer)));
        Self {
            agent,
            guest,
            listings: Arc::default(),
            outgoing,
            route,
            waiting: Arc::new(Semaphore::new(WAITING_MAX as usize)),
            signs: Arc::new(Semaphore::new(SIGNS_MAX)),
            turns: Semaphore::new(ASKS_MAX),
        }
    }

    /// Has an ask of `len` bytes answered; returns as soon as the next one may come.
    async fn take(self: &Arc<Self>, id: u32, ask: Ask, len: usize) {
        let served = Arc::clone(self);
        let at_once = is_sign_of_life(&ask).then(|| Arc::clone(&self.signs).try_acquire_owned().ok());
        if let Some(sign) = at_once.flatten() {
            tokio::spawn(async move {
                served.reply(id, ask).await;
                drop(sign);
            });
            return;
        }
        let places = u32::try_from(1 + len / LONG_ASK)
            .unwrap_or(WAITING_MAX)
            .min(WAITING_MAX);
        // Never closed.
        let place = Arc::clone(&self.waiting).acquire_many_owned(places).await;
        tokio::spawn(async move {
            let turn = served.turns.acquire().await;
            served.reply(id, ask).await;
            drop((turn, place));
        });
    }

    async fn answer_guest(&self, guest: &Arc<Guest>, ask: Ask) -> Result<Answer, Refusal> {
        match ask {
            Ask::Route => Ok(Answer::Route(self.route)),
            Ask::Present(order) => guest.present(*order).await,
            Ask::Piece {
                transfer,
                path,
                manifest,
                stamp,
                offset,
                len,
            } => {
                let piece = Piece {
                    transfer,
                    path,
                    manifest,
                    stamp,
                    offset,
                    len,
                };
                Arc::clone(guest).piece(piece).await
            }
            _ => Err(Refusal::new(
                ErrorCode::NotAllowed,
                "only controllers look into a machine; sign in, and ask from there",
            )),
        }
    }

    async fn reply(&self, id: u32, ask: Ask) {
        let room = self.outgoing.room(answer::room(&ask)).await;
        let result = self.answer(ask).await;
        self.outgoing
            .send_from(room, wire::encode(&FromMachine::Reply { id, result }))
            .await;
    }

    async fn answer(&self, ask: Ask) -> Result<Answer, Refusal> {
        if let Some(guest) = &self.guest {
            return self.answer_guest(guest, ask).await;
        }
        match ask {
            Ask::Roots => Ok(Answer::Roots(self.agent.root_views())),
            Ask::Route => Ok(Answer::Route(self.route)),
            Ask::Order(signed) => self.agent.take_direct_order(*signed, None).await.map(|()| Answer::Done),
            Ask::OrderWith { order, selection } => {
                let taken = self.agent.take_direct_order(*order, Some(selection)).await;
                taken.map(|()| Answer::Done)
            }
            ask => {
                let (agent, listings) = (Arc::clone(&self.agent), Arc::clone(&self.listings));
                tokio::task::spawn_blocking(move || answer::answer(&agent, &listings, ask))
                    .await
                    .unwrap_or_else(|_| {
                        Err(Refusal::new(
                            ErrorCode::Internal,
                            "the agent has a fault; its log says more. Try again, and if it stays, report it",
                        ))
                    })
            }
        }
    }
}
