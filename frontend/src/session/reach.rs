//! How a machine is reached, and how fast it is read, for whoever shows it.

use std::{cell::RefCell, collections::HashMap};

use beckon_shared::{browse::Route, id::DeviceId};
use leptos::{prelude::*, task::spawn_local};

use crate::dom;

/// The last rate stays for so long, to be read. Milliseconds.
const READABLE_MS: u32 = 10_000;

/// How a machine is reached now.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Reach {
    /// The way.
    pub(crate) route: Route,
    /// Bytes per second, while content is read and a little longer.
    pub(crate) rate: Option<f64>,
}

/// Counted, as the machine outlives each page that looks at it.
type Signal = ArcRwSignal<Option<Reach>>;

thread_local! {
    static ALL: RefCell<HashMap<DeviceId, Signal>> = RefCell::default();
    /// How often a rate was told, so that only the last one is taken away.
    static TOLD: RefCell<HashMap<DeviceId, u64>> = RefCell::default();
}

fn signal(machine: DeviceId) -> Signal {
    ALL.with_borrow_mut(|all| all.entry(machine).or_insert_with(|| ArcRwSignal::new(None)).clone())
}

/// How a machine is reached; nothing while there is no session with it. Tracked by whoever reads it.
pub(crate) fn of(machine: DeviceId) -> RwSignal<Option<Reach>> {
    signal(machine).into()
}

/// The machines with which there is a session, by their ways.
pub(crate) fn all() -> Vec<(DeviceId, Route)> {
    ALL.with_borrow(|all| {
        let standing = all.iter().filter_map(|(machine, reach)| {
            let reach = reach.get_untracked()?;
            Some((*machine, reach.route))
        });
        standing.collect()
    })
}

/// Whether a machine is reached without the server; tracked.
pub(crate) fn is_direct(machine: DeviceId) -> bool {
    of(machine).get().is_some_and(|reach| reach.route != Route::Relay)
}

/// A session stands, goes another way, or ended.
pub(super) fn set(machine: DeviceId, route: Option<Route>) {
    signal(machine).set(route.map(|route| Reach { route, rate: None }));
}

/// Content comes at this rate.
pub(super) fn note(machine: DeviceId, rate: f64) {
    put(machine, Some(rate));
    let number = TOLD.with_borrow_mut(|told| {
        let number = told.entry(machine).or_default();
        *number += 1;
        *number
    });
    spawn_local(async move {
        dom::sleep(READABLE_MS).await;
        let is_last = TOLD.with_borrow(|told| told.get(&machine) == Some(&number));
        if is_last {
            put(machine, None);
        }
    });
}

fn put(machine: DeviceId, rate: Option<f64>) {
    signal(machine).update(|reach| {
        if let Some(reach) = reach {
            reach.rate = rate;
        }
    });
}

/// No session is left.
pub(super) fn forget() {
    let all: Vec<Signal> = ALL.with_borrow(|all| all.values().cloned().collect());
    all.into_iter().for_each(|reach| reach.set(None));
}
