//! Private sessions with machines, one for each machine at a time: opened when first asked, kept, opened anew when cut.

mod line;
pub(crate) mod reach;

use std::{cell::RefCell, collections::HashMap, rc::Rc};

use beckon_shared::{
    browse::{Answer, Ask},
    error::{ErrorCode, Refusal},
    id::DeviceId,
    route,
    wire::{Reply, Request, SESSION_PROTOCOL},
};
use futures_util::{
    FutureExt,
    future::{LocalBoxFuture, Shared},
};
use leptos::task::spawn_local;

use self::{
    line::{Line, Unanswered},
    reach::Route,
};
use crate::{
    api, dom,
    socket::{self, wire::Wire},
    store::Stores,
    text,
};

/// A session in which nothing was asked for so long ends. Milliseconds.
const IDLE_MS: u32 = 120_000;

type Opening = Shared<LocalBoxFuture<'static, Result<Rc<Line>, Refusal>>>;

thread_local! {
    static LINES: RefCell<HashMap<DeviceId, Opening>> = RefCell::default();
}

/// Asks a machine for something. What only reads is asked once more if the line breaks under it.
pub(crate) async fn ask(stores: Stores, machine: DeviceId, body: Ask) -> Result<Answer, Refusal> {
    let line = line(stores, machine).await?;
    let again = may_repeat(&body).then(|| body.clone());
    match (line.ask(body).await, again) {
        (Ok(answer), _) => Ok(answer),
        (Err(Unanswered::Refused(refusal)), _) => Err(refusal),
        (Err(Unanswered::Cut), None) => Err(line::cut()),
        (Err(Unanswered::Cut), Some(body)) => {
            let line = self::line(stores, machine).await?;
            line.ask(body).await.map_err(|unanswered| match unanswered {
                Unanswered::Cut => line::cut(),
                Unanswered::Refused(refusal) => refusal,
            })
        }
    }
}

/// Ends all sessions, as at signing out.
pub(crate) fn close_all() {
    let lines = LINES.take();
    for opening in lines.into_values() {
        if let Some(Ok(line)) = opening.peek() {
            line.close();
        }
    }
}

/// An answer that is not ours.
pub(crate) fn misunderstood() -> Refusal {
    Refusal::new(ErrorCode::BadVersion, text::error::machine_strange())
}

/// A page of a snapshot belongs to the session that took it. A machine that has just woken somebody refuses to do so again.
fn may_repeat(body: &Ask) -> bool {
    match body {
        Ask::List(list) => list.snapshot.is_none(),
        Ask::Order(_) | Ask::Wake(_) => false,
        _ => true,
    }
}

/// The session with a machine. Everybody who asks while it is being opened waits for the same one.
async fn line(stores: Stores, machine: DeviceId) -> Result<Rc<Line>, Refusal> {
    let opening = LINES.with_borrow_mut(|lines| {
        let usable = lines.get(&machine).filter(|opening| match opening.peek() {
            None => true,
            Some(Ok(line)) => !line.is_over(),
            Some(Err(_)) => false,
        });
        if let Some(opening) = usable {
            return opening.clone();
        }
        let opening = open(stores, machine).boxed_local().shared();
        lines.insert(machine, opening.clone());
        opening
    });
    opening.await
}

async fn open(stores: Stores, machine: DeviceId) -> Result<Rc<Line>, Refusal> {
    let view = stores
        .devices
        .peek(machine)
        .ok_or_else(|| Refusal::new(ErrorCode::NotFound, text::error::no_machine()))?;
    let wire = over_relay(machine).await?;
    let line = Line::open(stores, wire, &view).await?;
    reach::set(machine, Some(Route::Relay));
    spawn_local(watch(machine, Rc::clone(&line)));
    Ok(line)
}

async fn over_relay(machine: DeviceId) -> Result<Wire, Refusal> {
    let Reply::Ticket(ticket) = socket::request(Request::OpenSession { device: machine }).await? else {
        return Err(api::not_understood());
    };
    let path = format!("{}/{}", route::RELAY, hex::encode(ticket));
    Wire::dial(&path, &[SESSION_PROTOCOL]).await.map_err(|_| line::cut())
}

/// Ends a session that nobody uses.
async fn watch(machine: DeviceId, line: Rc<Line>) {
    while !line.is_over() {
        dom::sleep(IDLE_MS / 8).await;
        if line.idle() > f64::from(IDLE_MS) {
            line.close();
        }
    }
    let is_current = LINES.with_borrow_mut(|lines| {
        let current = lines.get(&machine).and_then(|opening| opening.peek());
        let is_current = matches!(current, Some(Ok(now)) if Rc::ptr_eq(now, &line));
        if is_current {
            lines.remove(&machine);
        }
        is_current
    });
    if is_current {
        reach::set(machine, None);
    }
}
