//! The control socket: this tab's one connection to the server, for small frames only. It reconnects by itself.

pub(crate) mod asking;
mod backoff;
mod greeting;
pub(crate) mod wire;

use std::{cell::RefCell, pin::pin, rc::Rc, time::Duration};

use beckon_shared::{
    error::{ErrorCode, Refusal},
    id::{DeviceId, TransferId},
    signature::Signed,
    statement::Statement,
    transfer::{Hold, Progress},
    wire::{self as frames, FRAME_MAX, FromServer, Reply, Request, ToServer},
};
use futures_channel::oneshot;
use futures_util::future::{Either, select};
use leptos::{ev, prelude::*, task::spawn_local};

use self::{asking::Waiting, backoff::Backoff, greeting::NotIn, wire::Outgoing};
use crate::{
    account, api, dom,
    identity::{self, Identity},
    store::{Link, Stores},
    text, upload,
};

/// How long the server may take to answer a request. Milliseconds.
const REPLY_MS: u32 = 60_000;
/// After so long a silence the server is asked whether it is still there. Milliseconds.
const QUIET_MS: u32 = 40_000;
/// How long it may take to show that it is. Milliseconds.
const ECHO_MS: u32 = 20_000;
/// The number of that question; no other request has it.
const ECHO: u32 = 0;

/// An open socket.
struct Line {
    outgoing: Outgoing,
    waiting: Waiting<Result<Reply, Refusal>>,
}

#[derive(Default)]
struct State {
    /// Grows with every start and stop: who was started under an older number ends.
    run: u64,
    line: Option<Rc<Line>>,
    /// Wakes who waits: for the next try, or for a word of the server.
    wake: Option<oneshot::Sender<()>>,
    /// Whether the browser's own news of the network are listened to.
    listens: bool,
    /// Whether the page was left; the browser may keep it, to show it again on going back.
    left: bool,
}

thread_local! {
    static STATE: RefCell<State> = RefCell::default();
}

/// Connects as the identity in use, keeps connected, and puts what comes into the stores. Again after a new sign-in.
pub(crate) fn start(stores: Stores) {
    stop();
    listen();
    stores.link.set(Link::Connecting);
    spawn_local(keep(stores, current_run()));
}

/// Ends the connection for good, as at signing out.
pub(crate) fn stop() {
    let line = STATE.with_borrow_mut(|state| {
        state.run += 1;
        state.wake = None;
        state.line.take()
    });
    if let Some(line) = line {
        line.outgoing.close();
    }
}

/// Tries again at once where the connection is lost; looks whether it still stands where it is not.
pub(crate) fn try_now() {
    let wake = STATE.with_borrow_mut(|state| state.wake.take());
    if let Some(wake) = wake {
        let _ = wake.send(());
    }
}

/// Asks the server for something.
pub(crate) async fn request(body: Request) -> Result<Reply, Refusal> {
    let line = STATE.with_borrow(|state| state.line.clone()).ok_or_else(api::offline)?;
    let (id, reply) = line.waiting.enter();
    let frame = frames::encode(&ToServer::Request {
        id,
        body: Box::new(body),
    });
    if frame.len() > FRAME_MAX {
        line.waiting.forget(id);
        return Err(Refusal::new(ErrorCode::TooLarge, text::error::request_too_large()));
    }
    if !line.outgoing.send(&frame) {
        line.waiting.forget(id);
        return Err(api::offline());
    }
    match dom::within(REPLY_MS, reply).await {
        Some(Ok(answer)) => answer,
        Some(Err(_)) => Err(api::offline()),
        None => {
            // Whoever answers nothing for a minute is not there, whatever the network says.
            line.outgoing.close();
            Err(api::offline())
        }
    }
}

/// Tells how far an own transfer is; may get lost.
pub(crate) fn tell_progress(transfer: TransferId, hold: Hold, progress: Progress) {
    let frame = ToServer::Progress {
        transfer,
        hold,
        progress,
    };
    if let Some(line) = STATE.with_borrow(|state| state.line.clone()) {
        line.outgoing.send(&frames::encode(&frame));
    }
}

fn current_run() -> u64 {
    STATE.with_borrow(|state| state.run)
}

/// A network that came back, and a page that is looked at again, are reasons to try at once.
fn listen() {
    if STATE.with_borrow_mut(|state| std::mem::replace(&mut state.listens, true)) {
        return;
    }
    // For as long as the page lives.
    let _ = window_event_listener(ev::online, |_| try_now());
    let _ = window_event_listener_untyped("visibilitychange", |_| wake_if_seen());
    let _ = window_event_listener_untyped("pagehide", |_| leave());
    let _ = window_event_listener_untyped("pageshow", |_| come_back());
}

/// A page that was left is not there any more, and the server is to know that at once.
fn leave() {
    let line = STATE.with_borrow_mut(|state| {
        state.left = true;
        state.line.clone()
    });
    if let Some(line) = line {
        line.outgoing.close();
    }
}

fn come_back() {
    STATE.with_borrow_mut(|state| state.left = false);
    try_now();
}

fn wake_if_seen() {
    if !dom::document().hidden() {
        try_now();
    }
}

async fn keep(stores: Stores, run: u64) {
    let mut backoff = Backoff::default();
    while let Some(identity) = identity::current().filter(|_| current_run() == run) {
        let wait = match visit(stores, run, &identity, &mut backoff).await {
            NotIn::Unreachable => backoff.next(),
            NotIn::Later(millis) => millis,
            NotIn::Refused { reason, statement } => {
                if current_run() == run {
                    refused(stores, reason, statement).await;
                }
                return;
            }
        };
        if current_run() != run {
            return;
        }
        if STATE.with_borrow(|state| state.left) {
            rest().await;
            continue;
        }
        stores.link.set(Link::Lost {
            again: dom::now() + Duration::from_millis(wait.into()),
        });
        pause(wait).await;
    }
}

async fn refused(stores: Stores, reason: Refusal, statement: Option<Box<Signed<Statement>>>) {
    stores.link.set(Link::Refused(reason.clone()));
    if let Some(statement) = statement {
        account::heard(stores, &statement).await;
    }
    account::refused(stores, &reason).await;
}

/// Waits, unless it is woken.
async fn pause(millis: u32) {
    let _ = dom::within(millis, woken()).await;
}

/// Waits until it is woken.
async fn rest() {
    let _ = woken().await;
}

fn woken() -> oneshot::Receiver<()> {
    let (wake, woken) = oneshot::channel();
    STATE.with_borrow_mut(|state| state.wake = Some(wake));
    woken
}

/// One connection from its first frame to its last.
async fn visit(stores: Stores, run: u64, identity: &Identity, backoff: &mut Backoff) -> NotIn {
    let (mut wire, welcome) = match greeting::connect(identity).await {
        Ok(welcomed) => welcomed,
        Err(not_in) => return not_in,
    };
    if current_run() != run {
        return NotIn::Unreachable;
    }
    backoff.reset();
    let line = Rc::new(Line {
        outgoing: wire.outgoing(),
        waiting: Waiting::default(),
    });
    STATE.with_borrow_mut(|state| state.line = Some(Rc::clone(&line)));
    stores.link.set(Link::Online);
    if let Some(statement) = &welcome.statement {
        account::heard(stores, statement).await;
    }
    // What was shown before may have changed while nobody listened.
    stores.drive.update(|revision| *revision += 1);
    let end = serve(stores, run, &mut wire, &line, identity.device()).await;
    line.waiting.forget_all();
    STATE.with_borrow_mut(|state| {
        if state.line.as_ref().is_some_and(|now| Rc::ptr_eq(now, &line)) {
            state.line = None;
        }
    });
    end
}

async fn serve(stores: Stores, run: u64, wire: &mut wire::Wire, line: &Line, me: DeviceId) -> NotIn {
    let mut shown = None;
    while let Some(bytes) = next(wire, me).await {
        if current_run() != run {
            break;
        }
        let Ok(frame) = frames::decode(&bytes) else { break };
        match frame {
            FromServer::Reply { id, result } => line.waiting.answer(id, result.map(|reply| *reply)),
            FromServer::GoAway {
                back_in_ms: Some(back), ..
            } => return NotIn::Later(back),
            FromServer::GoAway { reason, .. } => {
                return NotIn::Refused {
                    reason,
                    statement: shown,
                };
            }
            FromServer::Statement(statement) => {
                account::heard(stores, &statement).await;
                shown = Some(statement);
            }
            frame => take(stores, frame),
        }
    }
    NotIn::Unreachable
}

/// The next frame; nothing once the line has ended, or is dead. The server's pings are hidden from a page, so a server that
/// is silent is asked for something that costs nothing: a session of this browser with itself, which is refused.
async fn next(wire: &mut wire::Wire, me: DeviceId) -> Option<Vec<u8>> {
    let heard = match select(pin!(wire.next()), pin!(pause(QUIET_MS))).await {
        Either::Left((bytes, _)) => Some(bytes),
        Either::Right(_) => None,
    };
    if let Some(bytes) = heard {
        return bytes;
    }
    let question = ToServer::Request {
        id: ECHO,
        body: Box::new(Request::OpenSession { device: me }),
    };
    if !wire.outgoing().send(&frames::encode(&question)) {
        return None;
    }
    wire.next_within(ECHO_MS).await
}

fn take(stores: Stores, frame: FromServer) {
    match frame {
        FromServer::Devices(part) => {
            stores.devices.take(part);
            account::listed(stores);
        }
        FromServer::Transfers(part) => stores.transfers.take(part),
        FromServer::DriveChanged { .. } => stores.drive.update(|revision| *revision += 1),
        FromServer::Steer { transfer, act } => upload::steer(stores, transfer, act),
        // A browser is no machine: it is sent neither orders nor sessions.
        _ => {}
    }
}
