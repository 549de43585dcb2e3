//! The end that is looked into: answers what a controller of its account asks, and nobody else.

mod answer;
mod drive_state;

use std::{sync::Arc, time::Duration};

use beckon_shared::{
    browse::{Answer, Ask, FromMachine, ToMachine},
    certificate::{DeviceCertificate, Role},
    device::Platform,
    error::{ErrorCode, Refusal},
    order::CLOCK_GRACE,
    session::{Established, Expected, Responder},
    statement::Standing,
    wire,
};
use futures_util::SinkExt;
use tokio::sync::Semaphore;
use tokio_tungstenite::tungstenite::Message;

use super::{
    HANDSHAKE_TIMEOUT, Wire, bad_handshake, cut,
    line::{self, Outgoing},
};
use crate::{agent::Agent, clock, listing::Listings};

/// So many asks of a session are worked on at once; further ones wait on the line.
const ASKS_MAX: usize = 8;
/// A session in which nothing is asked for so long ends; the controller opens another one when it needs it.
const IDLE_MAX: Duration = Duration::from_secs(30 * 60);

/// Serves one session until either end has enough.
pub(crate) async fn serve<W: Wire>(mut socket: W, agent: Arc<Agent>) -> Result<(), Refusal> {
    let Established {
        channel,
        peer,
        statement,
    } = shake(&mut socket, &agent).await?;
    let end = agent.stop.child_token();
    let _over = end.clone().drop_guard();
    let (outgoing, mut incoming) = line::start(socket, channel, &end);
    // The handshake can be a recording: only who can make this first message is there now.
    let first = tokio::time::timeout(HANDSHAKE_TIMEOUT, incoming.next())
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
    tracing::info!(device = %peer.keys.id(), "session");
    let mut standing = agent.standing();
    let answer = opened(&standing.borrow(), statement);
    outgoing.send(answer).await;
    let (listings, permits) = (Arc::new(Listings::default()), Arc::new(Semaphore::new(ASKS_MAX)));
    loop {
        if !is_welcome(&peer, &standing.borrow_and_update()) {
            return Err(Refusal::new(
                ErrorCode::Revoked,
                "this controller may not look into the machine any more; sign in again there",
            ));
        }
        let message = tokio::select! {
            () = end.cancelled() => return Ok(()),
            changed = standing.changed() => match changed {
                Ok(()) => continue,
                Err(_) => return Ok(()),
            },
            message = tokio::time::timeout(IDLE_MAX, incoming.next()) => message,
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
        if !is_welcome(&peer, &standing.borrow()) {
            continue;
        }
        // Never closed.
        let Ok(permit) = Arc::clone(&permits).acquire_owned().await else {
            return Ok(());
        };
        let answering = reply(Arc::clone(&agent), Arc::clone(&listings), outgoing.clone(), id, body);
        tokio::spawn(async move {
            answering.await;
            drop(permit);
        });
    }
}

async fn shake<W: Wire>(socket: &mut W, agent: &Agent) -> Result<Established, Refusal> {
    let first = line::handshake_message(socket).await?;
    let standing = agent.standing().borrow().clone();
    let expected = Expected {
        account_key: &agent.identity.account_key,
        standing: &standing,
        roles: &[Role::Controller],
        now: clock::now(),
    };
    let responder = Responder::new(agent.identity.me(&standing), expected);
    let (reply, established) = responder.accept(&first).map_err(bad_handshake)?;
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

async fn reply(agent: Arc<Agent>, listings: Arc<Listings>, outgoing: Outgoing, id: u32, ask: Ask) {
    let result = match ask {
        Ask::Order(signed) => agent.take_order(*signed).await.map(|()| Answer::Done),
        ask => tokio::task::spawn_blocking(move || answer::answer(&agent, &listings, ask))
            .await
            .unwrap_or_else(|_| {
                Err(Refusal::new(
                    ErrorCode::Internal,
                    "the agent has a fault; its log says more. Try again, and if it stays, report it",
                ))
            }),
    };
    outgoing.send(wire::encode(&FromMachine::Reply { id, result })).await;
}
