//! The worker that holds all sessions of a page. Its own policy lets it open sockets to machines; the page's does not.

mod direct;
mod lane;
mod line;
mod meter;
mod page;
mod ways;

use std::{cell::RefCell, collections::HashMap, rc::Rc};

use beckon_shared::{browse::Route, id::DeviceId, keys::DeviceKeys, statement::Standing};
use js_sys::Array;
use wasm_bindgen::JsValue;
use wasm_bindgen_futures::spawn_local;
use zeroize::Zeroizing;

use super::message::{self, FromWorker, Start, Straight, ToWorker};
use crate::{
    dom, download,
    identity::{self, Identity},
    text,
};
pub(crate) use lane::Lane;
use ways::{Ways, Weakly};

/// Before the other ways follow one that is direct. Milliseconds.
const FOLLOW_MS: u32 = 1_000;

/// What the worker knows of one machine.
#[derive(Default)]
struct Machine {
    /// For what is small and wanted at once.
    main: Option<Rc<Ways>>,
    /// Of downloads.
    lanes: Vec<Weakly>,
    /// As the page was told last.
    told: Option<Route>,
}

thread_local! {
    static MACHINES: RefCell<HashMap<DeviceId, Machine>> = RefCell::default();
    static BASE: RefCell<String> = RefCell::default();
}

/// Takes what the page says to this worker.
pub(crate) fn work() -> Box<dyn FnMut(JsValue)> {
    Box::new(|message| {
        if let Some((message, beside)) = message::unpack(message) {
            take(message, beside);
        }
    })
}

fn take(message: ToWorker, beside: JsValue) {
    match message {
        ToWorker::Start(start) => begin(&start),
        ToWorker::Standing(standing) => hear(*standing),
        ToWorker::Ask {
            id,
            machine,
            lang,
            body,
        } => {
            text::set_lang(lang);
            let ways = main(machine);
            spawn_local(async move {
                let result = ways.ask(body).await;
                tell(&FromWorker::Answer { id, result });
            });
        }
        ToWorker::Answer { id, result } => page::answered(id, result),
        ToWorker::Direct { machine, way } => {
            let main = main(machine);
            spawn_local(async move {
                // A click may come before anything was asked.
                if all(machine).iter().all(|ways| ways.is_unused()) {
                    main.try_direct(*way).await;
                } else {
                    try_all(machine, *way).await;
                }
            });
        }
        ToWorker::RelayOnly(machine) => all(machine).iter().for_each(|ways| ways.leave_direct()),
        ToWorker::Download(bytes) => download::worker::take(bytes, beside),
    }
}

fn begin(start: &Start) {
    let mut keys = Zeroizing::new([0; DeviceKeys::LEN]);
    if start.keys.len() != keys.len() {
        return;
    }
    keys.copy_from_slice(&start.keys);
    BASE.set(start.base.clone());
    identity::set_current(Some(Rc::new(Identity {
        keys: DeviceKeys::from_bytes(&keys),
        chain: start.chain.clone(),
        account_key: start.account_key,
        standing: RefCell::new(start.standing.clone()),
        signed_in: start.signed_in.clone(),
        kept: false,
    })));
}

/// What the account said may end any session: all are opened anew when they are needed, and judged by it then.
fn hear(standing: Standing) {
    let Some(me) = identity::current() else { return };
    let was = me.standing.replace(standing);
    if was.number() == me.standing.borrow().number() {
        return;
    }
    let machines: Vec<_> = MACHINES.with_borrow(|machines| machines.keys().copied().collect());
    for machine in machines {
        all(machine).iter().for_each(|ways| ways.close());
    }
}

/// `scheme://host[:port]` of the page.
fn base() -> String {
    BASE.with_borrow(Clone::clone)
}

/// The ways to a machine for what is small.
fn main(machine: DeviceId) -> Rc<Ways> {
    MACHINES.with_borrow_mut(|machines| {
        let main = &mut machines.entry(machine).or_default().main;
        Rc::clone(main.get_or_insert_with(|| Ways::to(machine)))
    })
}

/// Further ways to a machine.
fn add(machine: DeviceId) -> Rc<Ways> {
    let ways = Ways::to(machine);
    MACHINES.with_borrow_mut(|machines| {
        let lanes = &mut machines.entry(machine).or_default().lanes;
        lanes.retain(|lane| lane.strong_count() > 0);
        lanes.push(Rc::downgrade(&ways));
    });
    ways
}

/// All ways to a machine that are in use.
fn all(machine: DeviceId) -> Vec<Rc<Ways>> {
    MACHINES.with_borrow(|machines| {
        let machine = machines.get(&machine);
        let lanes = machine.into_iter().flat_map(|machine| &machine.lanes);
        let main = machine.and_then(|machine| machine.main.clone());
        main.into_iter().chain(lanes.filter_map(Weakly::upgrade)).collect()
    })
}

/// Tries a machine directly for all that goes by the relay. Where one got through, the others go too.
async fn try_all(machine: DeviceId, mut way: Straight) {
    for ways in all(machine) {
        if !ways.wants_direct() {
            continue;
        }
        match ways.try_direct(way.clone()).await {
            Some(at) => way.candidates = vec![at],
            None => return,
        }
    }
}

/// Whether a machine is reached directly.
fn stands(machine: DeviceId) -> bool {
    all(machine).iter().any(|ways| ways.is_direct())
}

/// A little later tries a machine that was reached directly for all that still goes by the relay: a machine takes only a few
/// new connections at once.
fn follow(machine: DeviceId, way: Straight) {
    spawn_local(async move {
        dom::sleep(FOLLOW_MS).await;
        if stands(machine) {
            try_all(machine, way).await;
        }
    });
}

/// Tells the page how a machine is reached now, if that has changed.
fn report(machine: DeviceId) {
    let routes = all(machine).into_iter().filter_map(|ways| ways.route());
    let best = routes.max_by_key(|route| match route {
        Route::Relay => 0,
        Route::Direct => 1,
        Route::Lan => 2,
    });
    let is_news = MACHINES.with_borrow_mut(|machines| {
        let machine = machines.entry(machine).or_default();
        std::mem::replace(&mut machine.told, best) != best
    });
    if is_news {
        tell(&FromWorker::Way { machine, route: best });
    }
}

fn tell(message: &FromWorker) {
    tell_beside(message, &JsValue::NULL, &Array::new());
}

fn tell_beside(message: &FromWorker, beside: &JsValue, moved: &Array) {
    let (message, own) = message::pack(message, beside);
    crate::worker::tell(&message, &own.concat(moved));
}

/// Tells the page something of the downloads; what `moved` lists goes over without a copy.
pub(crate) fn tell_download(bytes: Vec<u8>, beside: &JsValue, moved: &Array) {
    tell_beside(&FromWorker::Download(bytes), beside, moved);
}
