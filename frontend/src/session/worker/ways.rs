//! The ways to a machine: by the relay, which works first, and directly, which takes over as soon as it stands.

use core::net::SocketAddr;
use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    rc::{Rc, Weak},
};

use beckon_shared::{
    browse::{Answer, Ask, ListAsk, Route},
    error::{ErrorCode, Refusal},
    id::DeviceId,
    route,
    wire::SESSION_PROTOCOL,
};
use futures_util::{
    FutureExt,
    future::{Either, LocalBoxFuture, Shared, select},
};
use wasm_bindgen_futures::spawn_local;

use super::{
    super::message::{FromWorker, Question, Straight, Told},
    base, direct,
    line::{self, Line, Unanswered, Via},
    page, report, tell,
};
use crate::{
    api,
    socket::wire::{OPEN_MS, Wire},
    text,
};

/// What only reads is asked so many times before it is given up.
const TRIES: u32 = 3;
/// So many snapshots are known by the session that took them: more than a machine keeps of each.
const SNAPSHOTS_MAX: usize = 32;

type Opening = Shared<LocalBoxFuture<'static, Result<Rc<Line>, Refusal>>>;
type Trying = Shared<LocalBoxFuture<'static, Option<Rc<Line>>>>;
pub(super) type Weakly = Weak<Ways>;

/// Everything between this page and a machine that serves one purpose.
pub(super) struct Ways {
    machine: DeviceId,
    relay: RefCell<Option<Opening>>,
    straight: RefCell<Option<Rc<Line>>>,
    trying: RefCell<Option<Trying>>,
    snapshots: RefCell<VecDeque<Snapshot>>,
    numbers: Cell<u64>,
    /// How often the direct way was left: what was begun before that is not taken.
    left: Cell<u64>,
    /// How often all of them were closed.
    closed: Cell<u64>,
}

/// A listing that a machine keeps for one session. It goes by another number here, as those of two sessions may be the same.
struct Snapshot {
    number: u64,
    line: Rc<Line>,
    theirs: u64,
}

impl Ways {
    /// None of them stands yet.
    pub(super) fn to(machine: DeviceId) -> Rc<Self> {
        Rc::new(Self {
            machine,
            relay: RefCell::default(),
            straight: RefCell::default(),
            trying: RefCell::default(),
            snapshots: RefCell::default(),
            numbers: Cell::new(1),
            left: Cell::default(),
            closed: Cell::default(),
        })
    }

    /// Asks the machine over the best way. What may be repeated is asked again if the way breaks under it.
    pub(super) async fn ask(self: &Rc<Self>, body: Ask) -> Result<Answer, Refusal> {
        match body {
            Ask::List(list) => self.list(list).await,
            Ask::Wake(_) => match self.line().await?.ask(body).await {
                // A machine that has just woken somebody refuses to do so again.
                Err(unanswered) => Err(unanswered.refusal()),
                Ok(answer) => Ok(answer),
            },
            body => Ok(self.repeat(body).await?.0),
        }
    }

    /// An order may be given twice as well: the machine knows it by its id.
    async fn repeat(self: &Rc<Self>, body: Ask) -> Result<(Answer, Rc<Line>), Refusal> {
        for _ in 1..TRIES {
            let line = self.line().await?;
            match line.ask(body.clone()).await {
                Ok(answer) => return Ok((answer, line)),
                Err(Unanswered::Refused(refusal)) => return Err(refusal),
                Err(Unanswered::Cut) => {}
            }
        }
        let line = self.line().await?;
        let answer = line.ask(body).await.map_err(Unanswered::refusal)?;
        Ok((answer, line))
    }

    async fn list(self: &Rc<Self>, mut ask: ListAsk) -> Result<Answer, Refusal> {
        let (answer, line) = match ask.snapshot {
            None => self.repeat(Ask::List(ask)).await?,
            Some(number) => {
                let (line, theirs) = self.snapshot(number).ok_or_else(gone)?;
                ask.snapshot = Some(theirs);
                match line.ask(Ask::List(ask)).await {
                    Ok(answer) => (answer, line),
                    Err(Unanswered::Refused(refusal)) => return Err(refusal),
                    Err(Unanswered::Cut) => return Err(gone()),
                }
            }
        };
        Ok(match answer {
            Answer::Page(mut page) => {
                page.snapshot = self.number(line, page.snapshot);
                Answer::Page(page)
            }
            other => other,
        })
    }

    fn snapshot(&self, number: u64) -> Option<(Rc<Line>, u64)> {
        let snapshots = self.snapshots.borrow();
        let found = snapshots.iter().find(|known| known.number == number)?;
        (!found.line.is_over()).then(|| (Rc::clone(&found.line), found.theirs))
    }

    fn number(&self, line: Rc<Line>, theirs: u64) -> u64 {
        let mut snapshots = self.snapshots.borrow_mut();
        let is_same = |known: &&Snapshot| Rc::ptr_eq(&known.line, &line) && known.theirs == theirs;
        if let Some(known) = snapshots.iter().find(is_same) {
            return known.number;
        }
        snapshots.retain(|known| !known.line.is_over());
        if snapshots.len() >= SNAPSHOTS_MAX {
            snapshots.pop_front();
        }
        let number = self.numbers.get();
        self.numbers.set(number + 1);
        snapshots.push_back(Snapshot { number, line, theirs });
        number
    }

    /// A line that stands. Where all were closed while it was being opened, another is opened.
    async fn line(self: &Rc<Self>) -> Result<Rc<Line>, Refusal> {
        loop {
            let closed = self.closed.get();
            match self.best_line().await {
                Err(_) if self.closed.get() != closed => {}
                found => return found,
            }
        }
    }

    /// The direct one, else that by the relay, else whichever comes first.
    async fn best_line(self: &Rc<Self>) -> Result<Rc<Line>, Refusal> {
        if let Some(line) = self.direct_line() {
            return Ok(line);
        }
        let relay = self.relay();
        let trying = self.trying.borrow().clone();
        let Some(trying) = trying else {
            return relay.await;
        };
        match select(relay, trying).await {
            Either::Left((Ok(line), _)) | Either::Right((Some(line), _)) => Ok(line),
            Either::Left((Err(refusal), trying)) => trying.await.ok_or(refusal),
            Either::Right((None, relay)) => relay.await,
        }
    }

    fn direct_line(&self) -> Option<Rc<Line>> {
        let line = self.straight.borrow();
        line.clone().filter(|line| !line.is_over())
    }

    fn relay_line(&self) -> Option<Rc<Line>> {
        let relay = self.relay.borrow();
        let line = relay.as_ref()?.peek()?.as_ref().ok()?;
        (!line.is_over()).then(|| Rc::clone(line))
    }

    /// The session by the relay. Everybody who asks while it is being opened waits for the same one.
    fn relay(self: &Rc<Self>) -> Opening {
        let usable = self.relay.borrow().clone().filter(|opening| match opening.peek() {
            None => true,
            Some(Ok(line)) => !line.is_over(),
            Some(Err(_)) => false,
        });
        if let Some(opening) = usable {
            return opening;
        }
        let opening = over_relay(Rc::clone(self), self.closed.get()).boxed_local().shared();
        *self.relay.borrow_mut() = Some(opening.clone());
        let spare = opening.clone();
        // Opened to its end though the direct way may stand before: it is the spare one then.
        spawn_local(async move { _ = spare.await });
        // Both begin together; what stands first is used.
        self.begin_direct();
        opening
    }

    /// The way that is used now.
    pub(super) fn route(&self) -> Option<Route> {
        let straight = self.direct_line().map(|line| line.route());
        straight.or_else(|| self.relay_line().map(|_| Route::Relay))
    }

    /// Whether there is no way yet, and none is being opened.
    pub(super) fn is_unused(&self) -> bool {
        self.relay.borrow().is_none() && self.direct_line().is_none() && self.trying.borrow().is_none()
    }

    /// Whether it is in use and goes by the relay.
    pub(super) fn wants_direct(&self) -> bool {
        let in_use = self.relay.borrow().is_some();
        in_use && self.direct_line().is_none() && self.trying.borrow().is_none()
    }

    /// Tries the machine directly, if the page finds that this is to be done now.
    fn begin_direct(self: &Rc<Self>) {
        if self.direct_line().is_some() || self.trying.borrow().is_some() {
            return;
        }
        let (own, left) = (Rc::clone(self), self.left.get());
        let trying = async move {
            let told = page::ask(Question::Direct(own.machine)).await;
            let Ok(Told::Direct(Some(way))) = told else {
                own.trying.take();
                return None;
            };
            own.reach(*way, left).await
        };
        self.start_trying(trying.boxed_local().shared());
    }

    /// Tries the machine directly; where it was reached.
    pub(super) async fn try_direct(self: &Rc<Self>, way: Straight) -> Option<SocketAddr> {
        let (own, left) = (Rc::clone(self), self.left.get());
        let trying = async move { own.reach(way, left).await }.boxed_local().shared();
        self.start_trying(trying.clone());
        match trying.await?.via() {
            Via::Straight(at) => Some(at),
            Via::Relay => None,
        }
    }

    /// Runs whether anybody waits for it or not.
    fn start_trying(&self, trying: Trying) {
        *self.trying.borrow_mut() = Some(trying.clone());
        spawn_local(async move {
            trying.await;
        });
    }

    /// Tries the machine; what was found is of no use if the direct way was left since `left` was read.
    async fn reach(self: Rc<Self>, way: Straight, left: u64) -> Option<Rc<Line>> {
        let found = direct::reach(&way).await;
        self.trying.take();
        let machine = self.machine;
        // What another way shows to be possible is not taken for impossible.
        let stands = found.is_ok() || super::stands(machine);
        tell(&FromWorker::Tried {
            machine,
            missed: found.as_ref().err().copied().filter(|_| !stands),
        });
        if self.left.get() != left {
            if let Ok(line) = found {
                line.close();
            }
            return None;
        }
        if stands {
            // Others that went by the relay so far follow, and this one tries again if it was turned away in the crowd.
            super::follow(machine, way);
        }
        let line = found.ok()?;
        *self.straight.borrow_mut() = Some(Rc::clone(&line));
        self.follow(Rc::clone(&line));
        let asked = Rc::clone(&line);
        spawn_local(async move {
            if let Ok(Answer::Route(route)) = asked.ask(Ask::Route).await {
                asked.set_route(route);
                report(machine);
            }
        });
        Some(line)
    }

    /// Tells the page when a line stands and when it is over.
    fn follow(self: &Rc<Self>, line: Rc<Line>) {
        let (own, machine) = (Rc::downgrade(self), self.machine);
        spawn_local(async move {
            // Not at once: whoever opened the line has yet to put it where it is found.
            report(machine);
            let was_lost = line.over().await;
            if let Some(own) = own.upgrade() {
                own.forget(&line);
            }
            if was_lost && line.via() != Via::Relay {
                tell(&FromWorker::Lost(machine));
                super::all(machine).iter().for_each(|ways| ways.doubt());
            }
            report(machine);
        });
    }

    fn forget(&self, line: &Rc<Line>) {
        self.snapshots
            .borrow_mut()
            .retain(|known| !Rc::ptr_eq(&known.line, line));
        let mut straight = self.straight.borrow_mut();
        if straight.as_ref().is_some_and(|now| Rc::ptr_eq(now, line)) {
            *straight = None;
        }
    }

    /// Whether it goes directly.
    pub(super) fn is_direct(&self) -> bool {
        self.direct_line().is_some()
    }

    /// Finds out whether the direct line still stands.
    fn doubt(&self) {
        if let Some(line) = self.direct_line() {
            spawn_local(async move { _ = line.ask(Ask::Route).await });
        }
    }

    /// Goes on by the relay; what is under way is asked there again.
    pub(super) fn leave_direct(&self) {
        self.left.set(self.left.get() + 1);
        if let Some(line) = self.straight.take() {
            line.close();
        }
    }

    /// Ends all of them.
    pub(super) fn close(&self) {
        self.leave_direct();
        self.closed.set(self.closed.get() + 1);
        if let Some(line) = self.relay_line() {
            line.close();
        }
        self.relay.take();
    }
}

/// A line by the relay, unless all were closed since `closed` was read.
async fn over_relay(ways: Rc<Ways>, closed: u64) -> Result<Rc<Line>, Refusal> {
    let Told::Relay(machine, ticket) = page::ask(Question::Relay(ways.machine)).await? else {
        return Err(api::not_understood());
    };
    // `http` becomes `ws`, `https` becomes `wss`.
    let base = base().replacen("http", "ws", 1);
    let url = format!("{base}{}/{}", route::RELAY, hex::encode(ticket));
    let wire = Wire::open(&url, &[SESSION_PROTOCOL], OPEN_MS).await;
    let line = Line::open(wire.map_err(|_| line::cut())?, &machine, Via::Relay).await?;
    if ways.closed.get() != closed {
        line.close();
        return Err(line::cut());
    }
    ways.follow(Rc::clone(&line));
    Ok(line)
}

/// The session that a listing belongs to is over: it is to be read anew.
fn gone() -> Refusal {
    Refusal::new(ErrorCode::Conflict, text::error::machine_cut())
}
