//! The end that looks and commands.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use beckon_shared::{
    browse::{Answer, Ask, FromMachine, ToMachine},
    certificate::Role,
    device::DeviceView,
    error::{ErrorCode, Refusal},
    session::{Established, Expected, Initiator},
    signature::Signed,
    statement::{Standing, Statement},
    wire,
};
use futures_util::SinkExt;
use tokio::sync::oneshot;
use tokio_tungstenite::tungstenite::Message;
use tokio_util::sync::CancellationToken;

use super::{
    HANDSHAKE_TIMEOUT, Wire, bad_handshake, cut,
    line::{self, Incoming, Outgoing},
};
use crate::{clock, identity::Identity};

/// How long a machine may take to answer; sorting a very large folder by size takes its time.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(120);

/// An open session with a machine; several asks can be under way at once.
#[derive(Debug)]
pub(crate) struct Session {
    outgoing: Outgoing,
    waiting: Arc<Mutex<Waiting>>,
    next: AtomicU32,
    end: CancellationToken,
    /// News of revocations that the machine had.
    pub(crate) statement: Option<Signed<Statement>>,
}

type Waiting = HashMap<u32, oneshot::Sender<Result<Answer, Refusal>>>;

impl Session {
    /// Opens a session with `machine`, whose keys are taken from its certificate alone.
    pub(crate) async fn initiate<W: Wire>(
        mut socket: W,
        me: &Identity,
        machine: &DeviceView,
        standing: &Standing,
    ) -> Result<Self, Refusal> {
        let established = shake(&mut socket, me, machine, standing).await?;
        let end = CancellationToken::new();
        let (outgoing, mut incoming) = line::start(socket, established.channel, &end);
        let news = standing.newest().filter(|_| established.statement < standing.number());
        let open = ToMachine::Open {
            statement: news.cloned().map(Box::new),
        };
        if !outgoing.send(wire::encode(&open)).await {
            return Err(cut());
        }
        let opened = tokio::time::timeout(HANDSHAKE_TIMEOUT, incoming.next())
            .await
            .ok()
            .flatten();
        let Some(Ok(FromMachine::Opened { statement, .. })) = opened.map(|bytes| wire::decode(&bytes)) else {
            return Err(cut());
        };
        let waiting = Arc::default();
        tokio::spawn(take_answers(incoming, Arc::clone(&waiting), end.clone()));
        Ok(Self {
            outgoing,
            waiting,
            next: AtomicU32::new(1),
            end,
            statement: statement.map(|news| *news),
        })
    }

    /// Asks the machine for something.
    pub(crate) async fn ask(&self, body: Ask) -> Result<Answer, Refusal> {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let (sender, answer) = oneshot::channel();
        lock(&self.waiting).insert(id, sender);
        // The end may have come before this entry, which then nobody would answer.
        let ask = wire::encode(&ToMachine::Ask { id, body });
        if self.end.is_cancelled() || !self.outgoing.send(ask).await {
            lock(&self.waiting).remove(&id);
            return Err(lost());
        }
        match tokio::time::timeout(ANSWER_TIMEOUT, answer).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) => Err(lost()),
            Err(_) => {
                lock(&self.waiting).remove(&id);
                Err(Refusal::new(
                    ErrorCode::Away,
                    "the machine did not answer in two minutes; try again",
                ))
            }
        }
    }

    /// Ends the session.
    pub(crate) fn close(&self) {
        self.end.cancel();
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.close();
    }
}

async fn shake<W: Wire>(
    socket: &mut W,
    me: &Identity,
    machine: &DeviceView,
    standing: &Standing,
) -> Result<Established, Refusal> {
    let now = clock::now();
    let certificate = machine
        .certificate
        .verify(&me.account_key, Some(&machine.id), now, standing)
        .map_err(|bad| bad_handshake(bad.into()))?;
    let (initiator, first) =
        Initiator::new(&me.me(standing), me.account(), &certificate.keys).map_err(bad_handshake)?;
    socket.send(Message::Binary(first.into())).await.map_err(|_| cut())?;
    let reply = line::handshake_message(socket).await?;
    let expected = Expected {
        account_key: &me.account_key,
        standing,
        roles: &[Role::Source],
        now,
    };
    initiator.finish(&reply, &expected).map_err(bad_handshake)
}

async fn take_answers<W: Wire>(mut incoming: Incoming<W>, waiting: Arc<Mutex<Waiting>>, end: CancellationToken) {
    let _over = end.clone().drop_guard();
    loop {
        let message = tokio::select! {
            () = end.cancelled() => break,
            message = incoming.next() => message,
        };
        match message.map(|bytes| wire::decode(&bytes)) {
            Some(Ok(FromMachine::Reply { id, result })) => {
                if let Some(sender) = lock(&waiting).remove(&id) {
                    let _ = sender.send(result);
                }
            }
            Some(Ok(FromMachine::Opened { .. })) => {}
            Some(Err(_)) | None => break,
        }
    }
    end.cancel();
    lock(&waiting).clear();
}

fn lost() -> Refusal {
    Refusal::new(
        ErrorCode::Away,
        "the private channel to the machine broke; check that it is online, then try again",
    )
}

fn lock(waiting: &Mutex<Waiting>) -> MutexGuard<'_, Waiting> {
    waiting.lock().unwrap_or_else(PoisonError::into_inner)
}
