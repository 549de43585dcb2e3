//! Whether somebody asked us to end: Ctrl-C, SIGTERM, or a terminal that was closed.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use anyhow::{Context, Result};
use signal_hook::{
    consts::{SIGHUP, SIGINT, SIGTERM},
    flag,
};

/// How often we look at signals and children: at once, for a person.
const POLL: Duration = Duration::from_millis(50);

/// A wish to end that has come, or not yet. From [`Interrupt::watch`] on, signals do not end this process any more.
#[derive(Clone)]
pub(crate) struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    /// Watches for signals from now on.
    pub(crate) fn watch() -> Result<Self> {
        let came = Arc::new(AtomicBool::new(false));
        for signal in [SIGHUP, SIGINT, SIGTERM] {
            flag::register(signal, Arc::clone(&came)).context("cannot watch for signals")?;
        }
        Ok(Self(came))
    }

    /// Whether the wish has come.
    pub(crate) fn came(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// Asks `probe` until it yields something, or yields nothing when the wish to end comes first.
    pub(crate) fn or<T>(&self, mut probe: impl FnMut() -> Result<Option<T>>) -> Result<Option<T>> {
        while !self.came() {
            if let Some(value) = probe()? {
                return Ok(Some(value));
            }
            thread::sleep(POLL);
        }
        Ok(None)
    }
}
