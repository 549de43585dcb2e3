//! When a machine is tried directly, and what came of it. The worker tries; this is remembered here.

use core::net::SocketAddr;
use std::{cell::RefCell, collections::HashMap};

use beckon_shared::{
    browse::Route,
    device::DeviceView,
    id::DeviceId,
    neighbour::{self, Hint, Reachable, Site},
};
use futures_util::{
    FutureExt,
    future::{LocalBoxFuture, Shared},
};
use leptos::{ev, prelude::*};

use super::{
    judge::{Case, Permission, Why, judge},
    message::{Missed, Straight, ToWorker},
    reach, say, setting, view,
};
use crate::{dom, store::Stores};

/// All addresses together. Milliseconds.
const DEADLINE_MS: u32 = 1_500;
/// The same where the browser asks the person meanwhile.
const PROMPT_MS: u32 = 60_000;
/// So often is looked whether something is to be tried. Milliseconds.
const LOOK_MS: u32 = 2_000;
/// So long a try that failed is not repeated. Milliseconds.
const FAILED_MS: f64 = 60_000.0;
/// So long a machine that was reached is taken for near. Milliseconds.
const REACHED_MS: f64 = 600_000.0;
/// The page has been drawn after so long. Milliseconds.
const SOON_MS: u32 = 300;
/// After a direct way was lost it is tried again, first so soon, and each time after twice as long. Milliseconds.
const LOST_MS: f64 = 5_000.0;

/// What became of the last try.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Outcome {
    /// It is on its way.
    Trying,
    /// The machine was reached.
    Reached,
    Missed(Missed),
    /// It was reached, and the way was lost.
    Lost,
}

/// A try, and what it was of: other addresses are another try.
#[derive(Debug, Clone, PartialEq)]
struct Try {
    at: f64,
    outcome: Outcome,
    seen_at: String,
    candidates: Vec<SocketAddr>,
    /// How often in a row the way was lost.
    losses: u32,
}

impl Try {
    /// Whether its outcome still stands at this time for the way to a machine as it is now.
    fn counts(&self, now: f64, seen_at: &str, candidates: &[SocketAddr]) -> bool {
        let long = match self.outcome {
            Outcome::Trying => f64::from(PROMPT_MS),
            Outcome::Reached => REACHED_MS,
            Outcome::Missed(_) => FAILED_MS,
            Outcome::Lost => (LOST_MS * f64::from(1_u32 << self.losses.saturating_sub(1).min(4))).min(FAILED_MS),
        };
        self.seen_at == seen_at && self.candidates == candidates && now - self.at < long
    }
}

impl Try {
    /// It is over.
    fn end(&mut self, now: f64, missed: Option<Missed>) {
        self.at = now;
        self.outcome = match missed {
            None => Outcome::Reached,
            // A machine that was there a moment ago is looked for more often than one that never was.
            Some(Missed::Silent) if self.losses > 0 => {
                self.losses += 1;
                Outcome::Lost
            }
            Some(missed) => Outcome::Missed(missed),
        };
    }

    /// The way that it had found broke.
    fn lose(&mut self, now: f64) {
        if self.outcome == Outcome::Reached {
            // Whoever stood for a while begins with short pauses again.
            let is_old = now - self.at > FAILED_MS;
            self.losses = if is_old { 1 } else { self.losses + 1 };
            (self.at, self.outcome) = (now, Outcome::Lost);
        }
    }
}

type Memory = ArcRwSignal<Option<Try>>;

thread_local! {
    static PUT_OFF: RefCell<ArcRwSignal<bool>> = RefCell::new(ArcRwSignal::new(false));
    static TRIES: RefCell<HashMap<DeviceId, Memory>> = RefCell::default();
    static READY: RefCell<Option<Shared<LocalBoxFuture<'static, ()>>>> = const { RefCell::new(None) };
}

fn memory(machine: DeviceId) -> Memory {
    TRIES.with_borrow_mut(|tries| tries.entry(machine).or_insert_with(|| ArcRwSignal::new(None)).clone())
}

/// What is known of the way to a machine, with the rows of the control list that it follows from.
struct Look {
    machine: DeviceView,
    seen_at: String,
    reachable: Reachable,
    candidates: Vec<SocketAddr>,
    /// The last try, while it counts.
    tried: Option<Try>,
}

/// Tracks all that it follows from.
fn look(stores: Stores, machine: DeviceId) -> Option<Look> {
    let view = stores.devices.get(machine)?;
    let me = stores.me.with(|me| me.as_ref().map(|me| me.device));
    let me = me.and_then(|me| stores.devices.get(me));
    let seen_at = me.as_ref().map(|me| me.address.clone()).unwrap_or_default();
    let site = Site {
        seen_at: &seen_at,
        // A browser knows no interfaces of its own.
        addresses: &[],
    };
    let reachable = neighbour::reachable(site, &view);
    let candidates = reachable.candidates.iter();
    let candidates: Vec<_> = candidates.map(|at| SocketAddr::new(at.address, at.port)).collect();
    let now = js_sys::Date::now();
    let tried = memory(machine).get();
    let tried = tried.filter(|tried| tried.counts(now, &seen_at, &candidates));
    Some(Look {
        machine: view,
        seen_at,
        reachable,
        candidates,
        tried,
    })
}

impl Look {
    fn outcome(&self) -> Option<Outcome> {
        self.tried.as_ref().map(|tried| tried.outcome)
    }

    fn judge(&self, stores: Stores, insists: bool) -> Result<(), Why> {
        let missed = match self.outcome() {
            Some(Outcome::Missed(missed)) => Some(missed),
            Some(Outcome::Lost) => Some(Missed::Silent),
            _ => None,
        };
        let is_known = self.outcome() == Some(Outcome::Reached);
        let hint = match self.reachable.hint {
            Hint::Unlikely if is_known => Hint::Near,
            hint => hint,
        };
        judge(Case {
            from: setting::from(&self.seen_at),
            browser: setting::browser(),
            permission: setting::permission().get(),
            hint: if setting::has_worker() { hint } else { Hint::Closed },
            missed,
            relay_only: !stores.prefs.direct.get(),
            insists,
        })
    }

    fn straight(self, stores: Stores, insists: bool) -> Option<Straight> {
        let is_trying = self.outcome() == Some(Outcome::Trying);
        if is_trying || self.judge(stores, insists).is_err() {
            return None;
        }
        let may_ask = insists && setting::permission().get_untracked() == Permission::Unasked;
        let losses = self.tried.as_ref().map_or(0, |tried| tried.losses);
        remember(
            self.machine.id,
            &self.seen_at,
            &self.candidates,
            Outcome::Trying,
            losses,
        );
        Some(Straight {
            machine: self.machine,
            candidates: self.candidates,
            deadline: if may_ask { PROMPT_MS } else { DEADLINE_MS },
        })
    }
}

fn remember(machine: DeviceId, seen_at: &str, candidates: &[SocketAddr], outcome: Outcome, losses: u32) {
    memory(machine).set(Some(Try {
        at: js_sys::Date::now(),
        outcome,
        seen_at: seen_at.to_owned(),
        candidates: candidates.to_vec(),
        losses,
    }));
}

/// Why a machine goes by the relay; nothing if it does not, or is just being tried. Tracked.
pub(crate) fn why(stores: Stores, machine: DeviceId) -> Option<Why> {
    look(stores, machine)?.judge(stores, false).err()
}

/// Whether it is being tried in this moment; tracked.
pub(crate) fn is_trying(stores: Stores, machine: DeviceId) -> bool {
    look(stores, machine).is_some_and(|look| look.outcome() == Some(Outcome::Trying))
}

/// Where it would be tried; tracked.
pub(crate) fn candidates(stores: Stores, machine: DeviceId) -> Vec<SocketAddr> {
    look(stores, machine).map(|look| look.candidates).unwrap_or_default()
}

/// The person does not want to be offered it until the page is loaded again.
pub(crate) fn put_off() {
    PUT_OFF.with_borrow(|put_off| put_off.set(true));
}

/// Whether that is so; tracked.
pub(crate) fn is_put_off() -> bool {
    PUT_OFF.with_borrow(|put_off| put_off.get())
}

/// The person asks for it by a click.
pub(crate) fn insist(stores: Stores, machine: DeviceId) {
    let way = untrack(|| look(stores, machine)?.straight(stores, true));
    if let Some(way) = way {
        send(stores, machine, way);
    }
}

/// The person chooses the relay for this browser, or the best way.
pub(crate) fn choose(stores: Stores, direct: bool) {
    stores.prefs.direct.set(direct);
    for (machine, _) in reach::all() {
        match direct {
            true => insist(stores, machine),
            false => say(&ToWorker::RelayOnly(machine)),
        }
    }
}

fn send(stores: Stores, machine: DeviceId, way: Straight) {
    // A click may come before any session does.
    if view(stores, machine).is_ok() && super::host(stores).is_ok() {
        let way = Box::new(way);
        say(&ToWorker::Direct { machine, way });
    }
}

/// The browser was asked what it lets the page do.
fn ready() -> Shared<LocalBoxFuture<'static, ()>> {
    READY.with_borrow_mut(|ready| {
        let begin = || {
            listen();
            // What failed without the permission says nothing of what goes with it.
            setting::watch(doubt).boxed_local().shared()
        };
        ready.get_or_insert_with(begin).clone()
    })
}

/// Machines are being looked at: one of them is opened soon, and then neither the browser's answer nor the worker is to be
/// waited for.
pub(crate) fn prepare(stores: Stores) {
    leptos::task::spawn_local(async move {
        ready().await;
        dom::sleep(SOON_MS).await;
        // Who cannot be asked anything now is told so when something is asked.
        let _ = super::host(stores);
    });
}

/// Where to try a machine in this moment, as a session with it begins.
pub(super) async fn now(stores: Stores, machine: DeviceId) -> Option<Straight> {
    ready().await;
    untrack(|| look(stores, machine)?.straight(stores, false))
}

/// The worker has tried a machine.
pub(super) fn tried(machine: DeviceId, missed: Option<Missed>) {
    memory(machine).update(|tried| {
        if let Some(tried) = tried {
            tried.end(js_sys::Date::now(), missed);
        }
    });
}

/// A direct way broke.
pub(super) fn lost(machine: DeviceId) {
    memory(machine).update(|tried| {
        if let Some(tried) = tried {
            tried.lose(js_sys::Date::now());
        }
    });
}

/// Looks now and then, while the worker of this number runs, whether a machine that goes by the relay is to be tried: its
/// addresses changed, a permission came, or it is time.
pub(super) async fn keep(stores: Stores, run: u64) {
    while super::is_run(run) {
        dom::sleep(LOOK_MS).await;
        for (machine, _) in reach::all().into_iter().filter(|(_, route)| *route == Route::Relay) {
            let way = untrack(|| look(stores, machine)?.straight(stores, false));
            if let Some(way) = way.filter(|_| super::is_run(run)) {
                let way = Box::new(way);
                say(&ToWorker::Direct { machine, way });
            }
        }
    }
}

/// Another network, and a page that is looked at again, are reasons to try anew what failed.
fn listen() {
    // For as long as the page lives.
    let _ = window_event_listener(ev::online, |_| doubt());
    let _ = window_event_listener_untyped("visibilitychange", |_| {
        if !dom::document().hidden() {
            doubt();
        }
    });
}

fn doubt() {
    let all: Vec<Memory> = TRIES.with_borrow(|tries| tries.values().cloned().collect());
    for memory in all {
        let has_failed = |tried: &Try| matches!(tried.outcome, Outcome::Missed(_) | Outcome::Lost);
        if memory.with_untracked(|tried| tried.as_ref().is_some_and(has_failed)) {
            memory.set(None);
        }
    }
}

/// Forgets all of it, as at signing out.
pub(super) fn forget() {
    let all: Vec<Memory> = TRIES.with_borrow(|tries| tries.values().cloned().collect());
    all.into_iter().for_each(|memory| memory.set(None));
}

#[cfg(test)]
mod tests {
    use wasm_bindgen_test::wasm_bindgen_test;

    use super::*;

    const HERE: &str = "203.0.113.1";

    fn at() -> Vec<SocketAddr> {
        vec![SocketAddr::from(([192, 168, 1, 2], 47_820))]
    }

    #[wasm_bindgen_test]
    fn a_try_that_failed_is_forgotten_when_there_is_reason_for_another_and_one_under_way_is_not() {
        let (missed, under_way) = (memory(DeviceId([201; 32])), memory(DeviceId([202; 32])));
        missed.set(Some(tried(Outcome::Missed(Missed::Silent), 0)));
        under_way.set(Some(tried(Outcome::Trying, 0)));
        doubt();
        assert!(missed.get_untracked().is_none() && under_way.get_untracked().is_some());
        under_way.set(None);
    }

    fn tried(outcome: Outcome, losses: u32) -> Try {
        Try {
            at: 0.0,
            outcome,
            seen_at: HERE.to_owned(),
            candidates: at(),
            losses,
        }
    }

    /// For how many seconds it counts.
    fn lasts(tried: &Try) -> u32 {
        (0..10_000)
            .find(|seconds| !tried.counts(tried.at + f64::from(*seconds) * 1000.0, HERE, &at()))
            .unwrap_or(u32::MAX)
    }

    #[wasm_bindgen_test]
    fn what_came_of_a_try_counts_for_a_while_and_for_the_same_addresses_only() {
        assert_eq!(lasts(&tried(Outcome::Reached, 0)), 600);
        assert_eq!(lasts(&tried(Outcome::Missed(Missed::Silent), 0)), 60);
        assert_eq!(lasts(&tried(Outcome::Missed(Missed::Another), 0)), 60);
        let missed = tried(Outcome::Missed(Missed::Silent), 0);
        assert!(!missed.counts(0.0, "203.0.113.2", &at()));
        assert!(!missed.counts(0.0, HERE, &[]));
    }

    #[wasm_bindgen_test]
    fn a_way_that_was_lost_is_tried_again_with_growing_pauses() {
        let mut way = tried(Outcome::Reached, 0);
        way.lose(1_000.0);
        let mut pauses = vec![lasts(&way)];
        for _ in 0..5 {
            way.end(2_000.0, Some(Missed::Silent));
            pauses.push(lasts(&way));
        }
        assert_eq!(pauses, [5, 10, 20, 40, 60, 60]);
        way.end(2_000.0, None);
        way.lose(2_000.0 + FAILED_MS + 1.0);
        assert_eq!(lasts(&way), 5);
    }

    #[wasm_bindgen_test]
    fn a_way_that_breaks_again_and_again_is_not_tried_at_once_each_time() {
        let mut way = tried(Outcome::Reached, 0);
        let mut pauses = Vec::new();
        for _ in 0..5 {
            way.lose(1_000.0);
            pauses.push(lasts(&way));
            way.end(1_000.0, None);
        }
        assert_eq!(pauses, [5, 10, 20, 40, 60]);
    }

    #[wasm_bindgen_test]
    fn both_sessions_of_a_machine_that_are_lost_at_once_count_as_one_loss() {
        let mut way = tried(Outcome::Reached, 0);
        way.lose(1_000.0);
        way.lose(1_000.0);
        assert_eq!((way.losses, lasts(&way)), (1, 5));
    }
}
