//! One session: a private channel with a machine, over any socket. Several asks can be under way at once.

use core::net::SocketAddr;
use std::{
    cell::{Cell, RefCell},
    rc::Rc,
};

use beckon_shared::{
    browse::{Answer, Ask, FromMachine, Route, ToMachine},
    certificate::{BadCertificate, Role},
    device::DeviceView,
    error::{ErrorCode, Refusal},
    id::DeviceId,
    session::{BadHandshake, Channel, Established, Expected, Initiator, Me, Opened},
    wire,
};
use futures_channel::oneshot;
use wasm_bindgen_futures::spawn_local;

use super::{super::message::FromWorker, meter, tell};
use crate::{
    dom, format,
    identity::{self, Identity},
    socket::{
        asking::Waiting,
        wire::{Outgoing, Wire},
    },
    text,
};

/// How long each step of the handshake may take; by the relay the machine has to dial first. Milliseconds.
const HANDSHAKE_MS: u32 = 20_000;
/// How long a machine may take to answer; sorting a very large folder by size takes its time. Milliseconds.
const ANSWER_MS: u32 = 120_000;
/// A session in which nothing was asked for so long ends. Milliseconds.
const IDLE_MS: f64 = 120_000.0;
/// So many silent looks before a line is asked whether it is still there, and before it is taken for cut.
const SILENT: (u32, u32) = (2, 4);

/// The way that a line takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Via {
    /// Through the server.
    Relay,
    /// To this address of the machine.
    Straight(SocketAddr),
}

impl Via {
    /// So often is looked whether anything comes, in milliseconds. A cable that was pulled gives no error.
    fn look(self) -> u32 {
        match self {
            Self::Relay => 7_500,
            Self::Straight(_) => 500,
        }
    }

    /// What costs next to nothing. Machines that never answer directly may not know the newer question.
    fn probe(self) -> Ask {
        match self {
            Self::Relay => Ask::Roots,
            Self::Straight(_) => Ask::Route,
        }
    }
}

/// Why an ask was not answered.
#[derive(Debug)]
pub(super) enum Unanswered {
    /// The line broke, perhaps before the machine heard of it.
    Cut,
    /// The machine, or this end, says no.
    Refused(Refusal),
}

impl Unanswered {
    /// For those who do not ask again.
    pub(super) fn refusal(self) -> Refusal {
        match self {
            Self::Cut => cut(),
            Self::Refused(refusal) => refusal,
        }
    }
}

/// An open session.
#[derive(Debug)]
pub(super) struct Line {
    machine: DeviceId,
    /// What people call the machine.
    name: String,
    via: Via,
    /// As the machine sees it.
    route: Cell<Route>,
    outgoing: Outgoing,
    channel: RefCell<Channel>,
    waiting: Waiting<Result<Answer, Refusal>>,
    is_over: Cell<bool>,
    used: Cell<f64>,
    /// Looks since anything came.
    silent: Cell<u32>,
    /// Is told whether the line was lost, not left.
    ended: RefCell<Option<oneshot::Sender<bool>>>,
    /// Hears that.
    end: RefCell<Option<oneshot::Receiver<bool>>>,
}

impl Line {
    /// Shakes hands with a machine, whose keys are taken from its certificate alone.
    pub(super) async fn open(mut wire: Wire, machine: &DeviceView, via: Via) -> Result<Rc<Self>, Refusal> {
        let me = identity::current().ok_or_else(not_signed_in)?;
        let mut established = shake(&mut wire, &me, machine).await?;
        let statement = {
            let standing = me.standing.borrow();
            let news = standing.newest().filter(|_| established.statement < standing.number());
            news.cloned().map(Box::new)
        };
        let outgoing = wire.outgoing();
        let open = wire::encode(&ToMachine::Open { statement });
        send(&outgoing, &mut established.channel, &open).ok_or_else(cut)?;
        let opened = next(&mut wire, &mut established.channel).await;
        let Some(Ok(FromMachine::Opened { statement, .. })) = opened.map(|bytes| wire::decode(&bytes)) else {
            return Err(cut());
        };
        if let Some(statement) = statement {
            tell(&FromWorker::Heard(statement));
        }
        let (ended, end) = oneshot::channel();
        let line = Rc::new(Self {
            machine: machine.id,
            name: machine.name.to_string(),
            via,
            route: Cell::new(match via {
                Via::Relay => Route::Relay,
                Via::Straight(_) => Route::Direct,
            }),
            outgoing,
            channel: RefCell::new(established.channel),
            waiting: Waiting::default(),
            is_over: Cell::new(false),
            used: Cell::new(js_sys::Date::now()),
            silent: Cell::new(0),
            ended: RefCell::new(Some(ended)),
            end: RefCell::new(Some(end)),
        });
        spawn_local(listen(Rc::clone(&line), wire));
        spawn_local(watch(Rc::clone(&line)));
        Ok(line)
    }

    /// Asks the machine for something.
    pub(super) async fn ask(&self, body: Ask) -> Result<Answer, Unanswered> {
        self.used.set(js_sys::Date::now());
        if self.waiting.is_empty() {
            self.silent.set(0);
        }
        let (id, answer) = self.waiting.enter();
        let sent = self.send(id, body);
        if self.is_over() || sent.is_none() {
            self.waiting.forget(id);
            return Err(Unanswered::Cut);
        }
        match dom::within(ANSWER_MS, answer).await {
            Some(Ok(answer)) => answer.map_err(Unanswered::Refused),
            Some(Err(_)) => Err(Unanswered::Cut),
            None => {
                self.waiting.forget(id);
                let late = Refusal::new(ErrorCode::Away, text::error::machine_silent());
                Err(Unanswered::Refused(late))
            }
        }
    }

    fn send(&self, id: u32, body: Ask) -> Option<()> {
        let ask = wire::encode(&ToMachine::Ask { id, body });
        send(&self.outgoing, &mut self.channel.borrow_mut(), &ask)
    }

    /// The way that it takes.
    pub(super) fn via(&self) -> Via {
        self.via
    }

    /// The same as the machine sees it.
    pub(super) fn route(&self) -> Route {
        self.route.get()
    }

    /// The machine has said how it sees the way of a direct line.
    pub(super) fn set_route(&self, route: Route) {
        self.route.set(route);
    }

    /// Whether it has ended.
    pub(super) fn is_over(&self) -> bool {
        self.is_over.get()
    }

    /// Waits for its end; whether it was lost and not left. For one who waits.
    pub(super) async fn over(&self) -> bool {
        let end = self.end.take();
        match end {
            Some(end) => end.await.unwrap_or(false),
            None => false,
        }
    }

    /// Says good-bye and ends.
    pub(super) fn close(&self) {
        self.end(false);
    }

    fn end(&self, is_lost: bool) {
        if self.is_over.replace(true) {
            return;
        }
        if let Ok(record) = self.channel.borrow_mut().close() {
            self.outgoing.send(&record);
        }
        self.outgoing.close();
        self.waiting.forget_all();
        if let Some(ended) = self.ended.take() {
            let _ = ended.send(is_lost);
        }
    }

    fn take(&self, message: &[u8]) -> Option<()> {
        match wire::decode(message).ok()? {
            FromMachine::Reply { id, result } => {
                self.used.set(js_sys::Date::now());
                if let Ok(Answer::Bytes(bytes) | Answer::Fetched { bytes, .. }) = &result {
                    meter::note(self.machine, bytes.len());
                }
                self.waiting.answer(id, result.map_err(|refusal| self.named(refusal)));
            }
            FromMachine::Opened { .. } => {}
        }
        Some(())
    }

    /// The machine's own words are not shown as if they were the app's.
    fn named(&self, refusal: Refusal) -> Refusal {
        let says = text::error::of_machine(&format::name(&self.name), &refusal);
        Refusal::new(refusal.code, says)
    }

    /// Looks whether anything came since the last look while somebody waits; asks, and at last gives it up.
    fn look(&self) {
        if self.waiting.is_empty() {
            self.silent.set(0);
            if js_sys::Date::now() - self.used.get() > IDLE_MS {
                self.close();
            }
            return;
        }
        let silent = self.silent.get() + 1;
        self.silent.set(silent);
        if silent == SILENT.0 {
            // Its answer counts as any other; nobody waits for what it says.
            let (id, _) = self.waiting.enter();
            self.send(id, self.via.probe());
        } else if silent >= SILENT.1 {
            self.end(true);
        }
    }
}

/// Takes answers until the line ends, was cut or was tampered with.
async fn listen(line: Rc<Line>, mut wire: Wire) {
    while let Some(record) = wire.next().await {
        if line.is_over() {
            break;
        }
        line.silent.set(0);
        let opened = line.channel.borrow_mut().open(&record);
        let taken = match opened {
            Ok(Opened::Message(message)) => line.take(&message),
            Ok(Opened::Partial) => Some(()),
            Ok(Opened::Closed) | Err(_) => None,
        };
        if taken.is_none() {
            break;
        }
    }
    line.end(true);
}

/// Looks again and again. Looks are counted and not the clock read: a worker that was busy or asleep has not waited in vain.
async fn watch(line: Rc<Line>) {
    while !line.is_over() {
        dom::sleep(line.via.look()).await;
        line.look();
    }
}

async fn shake(wire: &mut Wire, me: &Identity, machine: &DeviceView) -> Result<Established, Refusal> {
    let (now, standing) = (dom::now(), me.standing.borrow().clone());
    let certificate = machine
        .certificate
        .verify(&me.account_key, Some(&machine.id), now, &standing)
        .map_err(|bad| bad_handshake(bad.into()))?;
    let (initiator, first) = Initiator::new(
        &Me {
            keys: &me.keys,
            chain: &me.chain,
            account: me.account(),
            statement: standing.number(),
        },
        me.account(),
        &certificate.keys,
    )
    .map_err(bad_handshake)?;
    if !wire.outgoing().send(&first) {
        return Err(cut());
    }
    let reply = wire.next_within(HANDSHAKE_MS).await.ok_or_else(cut)?;
    let expected = Expected {
        account_key: &me.account_key,
        standing: &standing,
        roles: &[Role::Source],
        now,
    };
    initiator.finish(&reply, &expected).map_err(bad_handshake)
}

fn send(outgoing: &Outgoing, channel: &mut Channel, message: &[u8]) -> Option<()> {
    let records = channel.seal(message).ok()?;
    records.iter().all(|record| outgoing.send(record)).then_some(())
}

/// The next whole message while nobody else listens yet.
async fn next(wire: &mut Wire, channel: &mut Channel) -> Option<Vec<u8>> {
    loop {
        let record = wire.next_within(HANDSHAKE_MS).await?;
        match channel.open(&record).ok()? {
            Opened::Message(message) => return Some(message),
            Opened::Partial => {}
            Opened::Closed => return None,
        }
    }
}

/// The line ended before the session stood, or while something was asked.
pub(super) fn cut() -> Refusal {
    Refusal::new(ErrorCode::Away, text::error::machine_cut())
}

fn not_signed_in() -> Refusal {
    Refusal::new(ErrorCode::NotSignedIn, text::error::signed_out())
}

fn bad_handshake(bad: BadHandshake) -> Refusal {
    let code = match bad {
        BadHandshake::Version => ErrorCode::BadVersion,
        BadHandshake::Malformed => ErrorCode::BadRequest,
        BadHandshake::Certificate(BadCertificate::Revoked) => ErrorCode::Revoked,
        _ => ErrorCode::NotAllowed,
    };
    Refusal::new(code, bad.to_string())
}
