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
    session::{Established, Expected, Initiator, MESSAGE_MAX},
    signature::Signed,
    statement::{Standing, Statement},
    wire,
};
use futures_util::SinkExt;
use tokio::{sync::oneshot, time::Instant};
use tokio_tungstenite::tungstenite::Message;
use tokio_util::sync::CancellationToken;

use super::{
    HANDSHAKE_TIMEOUT, Wire, bad_handshake, cut,
    line::{self, Incoming, Outgoing},
    pulse::{Heard, Pulse},
};
use crate::{clock, identity::Identity};

/// How long a machine may take to answer; sorting a very large folder by size takes its time.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(120);
/// A line on which nothing comes in for so long, while something is waited for, is dead; a sign of life is asked for at half of
/// it. Unless whoever opened the session knows better.
const PATIENCE: Duration = Duration::from_secs(30);

/// An open session with a machine; several asks can be under way at once.
#[derive(Debug)]
pub(crate) struct Session {
    outgoing: Outgoing,
    waiting: Arc<Mutex<Waiting>>,
    next: AtomicU32,
    end: CancellationToken,
    pulse: Arc<Pulse>,
    /// How long the line may be silent while something is waited for.
    pub(super) patience: Duration,
    /// News of revocations that the machine had.
    pub(crate) statement: Option<Signed<Statement>>,
}

/// Why an ask has no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Unanswered {
    /// The line ended before; whether the machine took the ask is not known.
    Lost,
    /// The machine said no.
    Refused(Refusal),
}

type Waiting = HashMap<u32, oneshot::Sender<Result<Answer, Refusal>>>;

impl Session {
    /// Opens a session with `machine`, whose keys are taken from its certificate alone.
    pub(crate) async fn initiate<W: Wire>(
        socket: W,
        me: &Identity,
        machine: &DeviceView,
        standing: &Standing,
    ) -> Result<Self, Refusal> {
        let pulse = Pulse::new();
        let mut socket = Heard::new(socket, Arc::clone(&pulse));
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
            pulse,
            patience: PATIENCE,
            statement: statement.map(|news| *news),
        })
    }

    /// Asks the machine for something.
    pub(crate) async fn ask(&self, body: Ask) -> Result<Answer, Refusal> {
        self.try_ask(body).await.map_err(|unanswered| match unanswered {
            Unanswered::Lost => lost(),
            Unanswered::Refused(refusal) => refusal,
        })
    }

    /// Asks the machine for something, and tells a line that ended from a machine that said no.
    pub(crate) async fn try_ask(&self, body: Ask) -> Result<Answer, Unanswered> {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let ask = wire::encode(&ToMachine::Ask { id, body });
        if ask.len() > MESSAGE_MAX {
            return Err(Unanswered::Refused(too_large()));
        }
        let (sender, answer) = oneshot::channel();
        lock(&self.waiting).insert(id, sender);
        let asked = async {
            // The end may have come before this entry, which then nobody would answer.
            if self.end.is_cancelled() || !self.outgoing.send(ask).await {
                return Err(Unanswered::Lost);
            }
            let answer = answer.await.map_err(|_| Unanswered::Lost)?;
            answer.map_err(Unanswered::Refused)
        };
        let outcome = tokio::select! {
            biased;
            outcome = asked => outcome,
            () = self.silence() => Err(Unanswered::Lost),
            () = tokio::time::sleep(ANSWER_TIMEOUT) => Err(Unanswered::Refused(unanswered())),
        };
        lock(&self.waiting).remove(&id);
        outcome
    }

    /// Ends the session once nothing came in for as long as patience lasts.
    async fn silence(&self) {
        let asked = Instant::now();
        loop {
            let since = self.pulse.last().max(asked);
            tokio::time::sleep_until(since + self.patience / 2).await;
            if self.pulse.last() > since {
                continue;
            }
            self.probe();
            tokio::time::sleep_until(since + self.patience).await;
            if self.pulse.last() <= since {
                tracing::info!("a session fell silent");
                self.close();
                return;
            }
        }
    }

    /// Asks for something small that every machine answers, for the sake of the answer's arrival alone.
    fn probe(&self) {
        if !self.pulse.wants_probe() {
            return;
        }
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let ask = wire::encode(&ToMachine::Ask { id, body: Ask::Roots });
        let outgoing = self.outgoing.clone();
        // Where the line takes nothing any more, this ends with the session.
        tokio::spawn(async move { outgoing.send(ask).await });
    }

    /// Whether the session has ended.
    pub(crate) fn is_over(&self) -> bool {
        self.end.is_cancelled()
    }

    /// Ends when the session does.
    pub(super) fn ended(&self) -> impl Future<Output = ()> + Send + 'static {
        self.end.clone().cancelled_owned()
    }

    /// The session's end, which whoever holds it can bring about.
    pub(super) fn end(&self) -> CancellationToken {
        self.end.clone()
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

fn unanswered() -> Refusal {
    Refusal::new(ErrorCode::Away, "the machine did not answer in two minutes; try again")
}

fn too_large() -> Refusal {
    Refusal::new(
        ErrorCode::TooLarge,
        "this is more than a machine can be told in one message; do it in parts",
    )
}

pub(super) fn lost() -> Refusal {
    Refusal::new(
        ErrorCode::Away,
        "the private channel to the machine broke; check that it is online, then try again",
    )
}

fn lock(waiting: &Mutex<Waiting>) -> MutexGuard<'_, Waiting> {
    waiting.lock().unwrap_or_else(PoisonError::into_inner)
}
