//! Private sessions with machines. A worker holds all of them; the page asks, and knows by which way each machine is reached.

pub(crate) mod direct;
pub(crate) mod judge;
mod message;
pub(crate) mod reach;
mod setting;
pub(crate) mod worker;

use std::{cell::RefCell, rc::Rc};

use beckon_shared::{
    browse::{Answer, Ask},
    error::{ErrorCode, Refusal},
    id::DeviceId,
    wire::{Reply, Request},
};
use js_sys::Array;
use leptos::task::spawn_local;
use wasm_bindgen::JsValue;

use self::message::{FromWorker, Question, Start, ToWorker, Told};
use crate::{
    account, api, dom, download,
    identity::{self, Identity},
    socket::{self, asking::Waiting},
    store::Stores,
    text,
    worker::{self as workers, Heard, Job, Worker},
};

/// The worker, and who waits for what.
struct Host {
    worker: Worker,
    waiting: Waiting<Result<Answer, Refusal>>,
}

impl Host {
    fn post(&self, message: &ToWorker, beside: &JsValue, moved: &Array) {
        let (message, own) = message::pack(message, beside);
        self.worker.post(&message, &own.concat(moved));
    }

    fn say(&self, message: &ToWorker) {
        self.post(message, &JsValue::NULL, &Array::new());
    }
}

#[derive(Default)]
struct State {
    /// Tells one worker from the next.
    run: u64,
    host: Option<Rc<Host>>,
}

thread_local! {
    static STATE: RefCell<State> = RefCell::default();
}

/// Asks a machine for something. What only reads is asked once more if the way breaks under it.
pub(crate) async fn ask(stores: Stores, machine: DeviceId, body: Ask) -> Result<Answer, Refusal> {
    view(stores, machine)?;
    let host = host(stores)?;
    let (id, answer) = host.waiting.enter();
    host.say(&ToWorker::Ask {
        id,
        machine,
        lang: text::lang(),
        body,
    });
    answer.await.unwrap_or_else(|_| Err(workers::broken()))
}

/// Tells the downloads in the worker something; what `moved` lists goes over without a copy.
pub(crate) fn download(stores: Stores, bytes: Vec<u8>, beside: &JsValue, moved: &Array) -> Result<(), Refusal> {
    host(stores)?.post(&ToWorker::Download(bytes), beside, moved);
    Ok(())
}

/// The account said something: the worker is to know it too.
pub(crate) fn news(me: &Identity) {
    if let Some(host) = current() {
        host.say(&ToWorker::Standing(Box::new(me.standing.borrow().clone())));
    }
}

/// The certificate was renewed: new sessions in the worker are to show the new one.
pub(crate) fn renewed(me: &Identity) {
    if let Some(host) = current() {
        host.say(&start(me));
    }
}

/// Ends all sessions, as at signing out.
pub(crate) fn close_all() {
    end();
    direct::forget();
    reach::forget();
}

/// An answer that is not ours.
pub(crate) fn misunderstood() -> Refusal {
    Refusal::new(ErrorCode::BadVersion, text::error::machine_strange())
}

fn view(stores: Stores, machine: DeviceId) -> Result<beckon_shared::device::DeviceView, Refusal> {
    let view = stores.devices.peek(machine);
    view.ok_or_else(|| Refusal::new(ErrorCode::NotFound, text::error::no_machine()))
}

fn current() -> Option<Rc<Host>> {
    STATE.with_borrow(|state| state.host.clone())
}

/// The worker, started if there is none.
fn host(stores: Stores) -> Result<Rc<Host>, Refusal> {
    if let Some(host) = current() {
        return Ok(host);
    }
    let me = identity::current().ok_or_else(|| Refusal::new(ErrorCode::NotSignedIn, text::error::signed_out()))?;
    let run = STATE.with_borrow_mut(|state| {
        state.run += 1;
        state.run
    });
    let host = Rc::new(Host {
        worker: Worker::spawn(Job::Session, move |heard| take(stores, run, heard))?,
        waiting: Waiting::default(),
    });
    host.say(&start(&me));
    STATE.with_borrow_mut(|state| state.host = Some(Rc::clone(&host)));
    spawn_local(direct::keep(stores, run));
    Ok(host)
}

/// Who the worker is to be for machines.
fn start(me: &Identity) -> ToWorker {
    ToWorker::Start(Box::new(Start {
        keys: me.keys.to_bytes().to_vec(),
        chain: me.chain.clone(),
        account_key: me.account_key,
        standing: me.standing.borrow().clone(),
        signed_in: me.signed_in.clone(),
        base: dom::address(),
    }))
}

/// Whether the worker of this number is the one in use.
fn is_run(run: u64) -> bool {
    STATE.with_borrow(|state| state.host.is_some() && state.run == run)
}

/// The worker ends, and with it all that it was asked.
fn end() {
    let host = STATE.with_borrow_mut(|state| {
        state.run += 1;
        state.host.take()
    });
    if let Some(host) = host {
        host.waiting.forget_all();
    }
}

fn take(stores: Stores, run: u64, heard: Heard) {
    if !is_run(run) {
        return;
    }
    let message = match heard {
        Heard::Message(message) => message::unpack::<FromWorker>(message),
        Heard::Broken => None,
    };
    match message {
        Some((message, beside)) => hear(stores, run, message, beside),
        None => {
            // Dropped later: this is called by the worker that it would end.
            spawn_local(async move {
                if is_run(run) {
                    end();
                    reach::forget();
                    download::broken(stores);
                }
            });
        }
    }
}

fn hear(stores: Stores, run: u64, message: FromWorker, beside: JsValue) {
    match message {
        FromWorker::Answer { id, result } => {
            if let Some(host) = current() {
                host.waiting.answer(id, result);
            }
        }
        FromWorker::Ask { id, question } => spawn_local(async move {
            let result = answer(stores, question).await;
            if let Some(host) = current().filter(|_| is_run(run)) {
                host.say(&ToWorker::Answer { id, result });
            }
        }),
        FromWorker::Way { machine, route } => reach::set(machine, route),
        FromWorker::Rate { machine, rate } => reach::note(machine, rate),
        FromWorker::Tried { machine, missed } => direct::tried(machine, missed),
        FromWorker::Lost(machine) => direct::lost(machine),
        FromWorker::Heard(statement) => spawn_local(async move { account::heard(stores, &statement).await }),
        FromWorker::Download(bytes) => download::heard(stores, bytes, beside),
    }
}

async fn answer(stores: Stores, question: Question) -> Result<Told, Refusal> {
    match question {
        Question::Relay(machine) => {
            let view = view(stores, machine)?;
            match socket::request(Request::OpenSession { device: machine }).await? {
                Reply::Ticket(ticket) => Ok(Told::Relay(Box::new(view), ticket.to_vec())),
                _ => Err(api::not_understood()),
            }
        }
        Question::Direct(machine) => Ok(Told::Direct(direct::now(stores, machine).await.map(Box::new))),
    }
}

/// Has the worker do something if there is one.
fn say(message: &ToWorker) {
    if let Some(host) = current() {
        host.say(message);
    }
}
