//! The machine that is read, with the patience of a download: a way that is lost is waited for.

use std::{cell::Cell, rc::Rc};

use beckon_shared::{
    browse::{Answer, Ask},
    entry::Entry,
    error::{ErrorCode, Refusal},
};

use super::{tally::Tally, window::Window};
use crate::{
    dom,
    download::message::Place,
    session::{self, worker::Lane},
};

/// Bytes that are asked for or wait to be written: fills a line of 50 ms at 160 MB/s.
const WINDOW: usize = 8 << 20;
/// A machine that is away is waited for so long. Milliseconds.
const PATIENCE_MS: f64 = 120_000.0;
/// And asked again after each of these. Milliseconds.
const AGAIN_MS: u32 = 1_000;

/// What answers: a session, or a test.
pub(super) trait Machine {
    /// Asks it; any number of asks at once.
    async fn ask(&self, ask: Ask) -> Result<Answer, Refusal>;
}

impl Machine for Rc<Lane> {
    async fn ask(&self, ask: Ask) -> Result<Answer, Refusal> {
        Lane::ask(self, ask).await
    }
}

/// A machine to download from.
pub(super) struct Source<M> {
    machine: M,
    pub(super) tally: Rc<Tally>,
    pub(super) window: Window,
    lost_since: Cell<Option<f64>>,
    patience: f64,
    again: u32,
}

impl<M: Machine> Source<M> {
    pub(super) fn new(machine: M, tally: Rc<Tally>) -> Self {
        Self {
            machine,
            tally,
            window: Window::of(WINDOW),
            lost_since: Cell::new(None),
            patience: PATIENCE_MS,
            again: AGAIN_MS,
        }
    }

    /// With less patience, in milliseconds.
    #[cfg(test)]
    pub(super) fn patient(mut self, patience: f64, again: u32) -> Self {
        (self.patience, self.again) = (patience, again);
        self
    }

    /// Asks the machine. Where the way to it is lost the ask waits and is put again.
    pub(super) async fn ask(&self, ask: &Ask) -> Result<Answer, Refusal> {
        loop {
            let refusal = match self.machine.ask(ask.clone()).await {
                Err(refusal) if is_lost(refusal.code) => refusal,
                answer => {
                    self.lost_since.set(None);
                    self.tally.count(|figures| figures.waits = false);
                    return answer;
                }
            };
            let now = js_sys::Date::now();
            let since = self.lost_since.get().unwrap_or(now);
            if now - since > self.patience {
                return Err(refusal);
            }
            self.lost_since.set(Some(since));
            self.tally.count(|figures| figures.waits = true);
            dom::sleep(self.again).await;
        }
    }

    /// What stands at a place now.
    pub(super) async fn stat(&self, place: &Place) -> Result<Entry, Refusal> {
        let ask = Ask::Stat {
            root: place.root,
            path: place.path.clone(),
        };
        match self.ask(&ask).await? {
            Answer::Page(page) => page.entries.into_iter().next().ok_or_else(session::misunderstood),
            _ => Err(session::misunderstood()),
        }
    }
}

/// Whether it is the way that is lost, and may come back by itself.
fn is_lost(code: ErrorCode) -> bool {
    matches!(code, ErrorCode::Away | ErrorCode::GoingAway | ErrorCode::TooMany)
}
