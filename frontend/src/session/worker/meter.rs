//! How fast each machine is read.

use std::{cell::RefCell, collections::HashMap};

use beckon_shared::id::DeviceId;
use wasm_bindgen_futures::spawn_local;

use super::{super::message::FromWorker, tell};
use crate::dom;

/// A rate is measured over so long. Milliseconds.
const WINDOW_MS: u32 = 1_000;

#[derive(Clone, Copy)]
struct Meter {
    since: f64,
    bytes: u64,
}

thread_local! {
    /// Of machines that are being read.
    static METERS: RefCell<HashMap<DeviceId, Meter>> = RefCell::default();
}

/// Content came.
pub(super) fn note(machine: DeviceId, bytes: usize) {
    let begins = METERS.with_borrow_mut(|meters| {
        let begins = !meters.contains_key(&machine);
        meters.entry(machine).or_insert_with(fresh).bytes += bytes as u64;
        begins
    });
    if begins {
        spawn_local(tick(machine));
    }
}

fn fresh() -> Meter {
    Meter {
        since: js_sys::Date::now(),
        bytes: 0,
    }
}

/// Tells the rate once a second, until nothing more comes.
async fn tick(machine: DeviceId) {
    loop {
        dom::sleep(WINDOW_MS).await;
        let meter = METERS.with_borrow_mut(|meters| match meters.get(&machine).copied() {
            Some(meter) if meter.bytes > 0 => meters.insert(machine, fresh()),
            _ => {
                meters.remove(&machine);
                None
            }
        });
        let Some(meter) = meter else { return };
        let seconds = ((js_sys::Date::now() - meter.since) / 1000.0).max(0.1);
        let rate = meter.bytes as f64 / seconds;
        tell(&FromWorker::Rate { machine, rate });
    }
}
