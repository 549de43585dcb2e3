//! One session: a private channel with a machine, over any socket. Several asks can be under way at once.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
};

use beckon_shared::{
    browse::{Answer, Ask, FromMachine, ToMachine},
    certificate::{BadCertificate, Role},
    device::DeviceView,
    error::{ErrorCode, Refusal},
    id::DeviceId,
    session::{BadHandshake, Channel, Established, Expected, Initiator, Me, Opened},
    wire,
};
use leptos::task::spawn_local;

use super::reach;
use crate::{
    account, dom, format,
    identity::{self, Identity},
    socket::{
        asking::Waiting,
        wire::{Outgoing, Wire},
    },
    store::Stores,
    text,
};

/// How long each step of the handshake may take; the machine has to dial first. Milliseconds.
const HANDSHAKE_MS: u32 = 20_000;
/// How long a machine may take to answer; sorting a very large folder by size takes its time. Milliseconds.
const ANSWER_MS: u32 = 120_000;

/// Why an ask was not answered.
#[derive(Debug)]
pub(super) enum Unanswered {
    /// The line broke, perhaps before the machine heard of it.
    Cut,
    /// The machine, or this end, says no.
    Refused(Refusal),
}

/// An open session.
#[derive(Debug)]
pub(super) struct Line {
    machine: DeviceId,
    /// What people call the machine.
    name: String,
    outgoing: Outgoing,
    channel: RefCell<Channel>,
    waiting: Waiting<Result<Answer, Refusal>>,
    is_over: Cell<bool>,
    used: Cell<f64>,
}

impl Line {
    /// Shakes hands with a machine, whose keys are taken from its certificate alone.
    pub(super) async fn open(stores: Stores, mut wire: Wire, machine: &DeviceView) -> Result<Rc<Self>, Refusal> {
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
            account::heard(stores, &statement).await;
        }
        let line = Rc::new(Self {
            machine: machine.id,
            name: machine.name.to_string(),
            outgoing,
            channel: RefCell::new(established.channel),
            waiting: Waiting::default(),
            is_over: Cell::new(false),
            used: Cell::new(js_sys::Date::now()),
        });
        spawn_local(listen(Rc::clone(&line), wire));
        Ok(line)
    }

    /// Asks the machine for something.
    pub(super) async fn ask(&self, body: Ask) -> Result<Answer, Unanswered> {
        self.used.set(js_sys::Date::now());
        let (id, answer) = self.waiting.enter();
        let ask = wire::encode(&ToMachine::Ask { id, body });
        let sent = send(&self.outgoing, &mut self.channel.borrow_mut(), &ask);
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

    /// Whether it has ended.
    pub(super) fn is_over(&self) -> bool {
        self.is_over.get()
    }

    /// For how long nobody asked or waited for anything. Milliseconds.
    pub(super) fn idle(&self) -> f64 {
        if self.waiting.is_empty() {
            js_sys::Date::now() - self.used.get()
        } else {
            0.0
        }
    }

    /// Says good-bye and ends.
    pub(super) fn close(&self) {
        if self.is_over.replace(true) {
            return;
        }
        if let Ok(record) = self.channel.borrow_mut().close() {
            self.outgoing.send(&record);
        }
        self.outgoing.close();
        self.waiting.forget_all();
    }

    fn take(&self, message: &[u8]) -> Option<()> {
        match wire::decode(message).ok()? {
            FromMachine::Reply { id, result } => {
                self.used.set(js_sys::Date::now());
                if let Ok(Answer::Bytes(bytes)) = &result {
                    reach::note(self.machine, bytes.len());
                }
                self.waiting.answer(id, result.map_err(|refusal| self.named(refusal)));
            }
            FromMachine::Opened { .. } => {}
        }
        Some(())
    }
}

impl Line {
    /// The machine's own words are not shown as if they were the app's.
    fn named(&self, refusal: Refusal) -> Refusal {
        let says = text::error::of_machine(&format::name(&self.name), &refusal);
        Refusal::new(refusal.code, says)
    }
}

/// Takes answers until the line ends, was cut or was tampered with.
async fn listen(line: Rc<Line>, mut wire: Wire) {
    while let Some(record) = wire.next().await {
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
    line.close();
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
