//! How a machine is reached, and how fast it is read.

use std::{cell::RefCell, collections::HashMap};

use beckon_shared::id::DeviceId;
use leptos::{prelude::*, task::spawn_local};

use crate::dom;

/// A rate is measured over this time, and gone so long after the last byte. Milliseconds.
const WINDOW_MS: u32 = 1_000;

/// The way that bytes take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Route {
    /// By way of the server, which cannot read them.
    Relay,
}

/// How a machine is reached now.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Reach {
    /// The way.
    pub(crate) route: Route,
    /// Bytes per second, while content is read.
    pub(crate) rate: Option<f64>,
}

#[derive(Clone)]
struct Meter {
    /// Counted, as the machine outlives each page that looks at it.
    reach: ArcRwSignal<Option<Reach>>,
    since: f64,
    bytes: u64,
    ticks: bool,
}

thread_local! {
    static METERS: RefCell<HashMap<DeviceId, Meter>> = RefCell::default();
}

fn meter(machine: DeviceId) -> ArcRwSignal<Option<Reach>> {
    METERS.with_borrow_mut(|meters| {
        let meter = meters.entry(machine).or_insert_with(|| Meter {
            reach: ArcRwSignal::new(None),
            since: 0.0,
            bytes: 0,
            ticks: false,
        });
        meter.reach.clone()
    })
}

/// How a machine is reached; nothing while there is no session with it. Tracked by whoever reads it.
pub(crate) fn of(machine: DeviceId) -> RwSignal<Option<Reach>> {
    meter(machine).into()
}

/// A session stands, or ended.
pub(super) fn set(machine: DeviceId, route: Option<Route>) {
    meter(machine).set(route.map(|route| Reach { route, rate: None }));
}

/// Content came.
pub(super) fn note(machine: DeviceId, bytes: usize) {
    let now = js_sys::Date::now();
    let begins = METERS.with_borrow_mut(|meters| {
        let meter = meters.get_mut(&machine)?;
        if !meter.ticks {
            (meter.since, meter.bytes) = (now, 0);
        }
        meter.bytes += bytes as u64;
        Some(!std::mem::replace(&mut meter.ticks, true))
    });
    if begins == Some(true) {
        spawn_local(tick(machine));
    }
}

/// Tells the rate once a second, until nothing more comes.
async fn tick(machine: DeviceId) {
    loop {
        dom::sleep(WINDOW_MS).await;
        let now = js_sys::Date::now();
        let measured = METERS.with_borrow_mut(|meters| {
            let meter = meters.get_mut(&machine)?;
            let rate = meter.bytes as f64 / ((now - meter.since) / 1000.0).max(0.1);
            let goes_on = meter.bytes > 0;
            (meter.since, meter.bytes, meter.ticks) = (now, 0, goes_on);
            Some((meter.reach.clone(), goes_on.then_some(rate)))
        });
        let Some((reach, rate)) = measured else { return };
        reach.update(|reach| {
            if let Some(reach) = reach {
                reach.rate = rate;
            }
        });
        if rate.is_none() {
            return;
        }
    }
}
