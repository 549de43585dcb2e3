//! How far a download is, and when the page hears of it.

use std::cell::Cell;

use beckon_shared::browse::Route;

use crate::{dom, download::message::Figures};

/// The page is told at most so often. Milliseconds.
const EVERY_MS: u32 = 250;
/// And at least once in so many of these, as what saves the bytes is kept awake by it.
const ALIVE: u32 = 20;

/// The counts.
#[derive(Debug, Default)]
pub(super) struct Tally(Cell<Figures>);

impl Tally {
    /// Changes the counts.
    pub(super) fn count(&self, change: impl FnOnce(&mut Figures)) {
        let mut figures = self.0.get();
        change(&mut figures);
        self.0.set(figures);
    }

    /// The counts, and the way that is used now.
    pub(super) fn figures(&self, route: Option<Route>) -> Figures {
        Figures { route, ..self.0.get() }
    }

    /// Tells the counts again and again; never ends.
    pub(super) async fn watch(&self, route: impl Fn() -> Option<Route>, tell: impl Fn(Figures)) {
        let mut told = None;
        for turn in 0_u32.. {
            let figures = self.figures(route());
            if told != Some(figures) || turn.is_multiple_of(ALIVE) {
                tell(figures);
                told = Some(figures);
            }
            dom::sleep(EVERY_MS).await;
        }
    }
}
