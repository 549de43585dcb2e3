//! Bounded waiting for something that another process does.

use std::{
    thread,
    time::{Duration, Instant},
};

/// How often a probe is asked again: short beside anything a person would notice.
const POLL: Duration = Duration::from_millis(10);

/// Waits until `probe` says true; panics with `what` after `limit`.
#[track_caller]
pub fn wait_until(what: &str, limit: Duration, mut probe: impl FnMut() -> bool) {
    wait_for(what, limit, || probe().then_some(()));
}

/// Waits until `probe` yields a value and returns it; panics with `what` after `limit`.
#[track_caller]
pub fn wait_for<T>(what: &str, limit: Duration, probe: impl FnMut() -> Option<T>) -> T {
    let Some(value) = poll(limit, probe) else {
        panic!("waited {limit:?} in vain until {what}");
    };
    value
}

/// Like [`wait_for`], for a caller that has more to say when the time is over.
pub fn poll<T>(limit: Duration, mut probe: impl FnMut() -> Option<T>) -> Option<T> {
    let end = Instant::now() + limit;
    loop {
        if let Some(value) = probe() {
            return Some(value);
        }
        if Instant::now() >= end {
            return None;
        }
        thread::sleep(POLL);
    }
}
