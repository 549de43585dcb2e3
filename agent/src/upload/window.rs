//! How much content may be on its way without an answer: what a break makes travel again is at most this. It begins small
//! and follows the line, so that on a slow one each answer still comes soon.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{sync::Notify, time::Instant};

/// The most that is on its way. Bytes of content.
pub(super) const WINDOW_MAX: u64 = 8 << 20;
/// The least, and how it begins. Bytes of content.
const WINDOW_MIN: u64 = 512 << 10;
const WINDOW_FIRST: u64 = 1 << 20;
/// It is shared by so many requests, so that the line is busy while the server makes something durable.
const SHARES: u64 = 4;
/// An answer that comes sooner says that more may be on its way, one that comes later that it should be less.
const SOON: Duration = Duration::from_secs(2);
const LATE: Duration = Duration::from_secs(8);

/// The window of one upload.
#[derive(Debug)]
pub(super) struct Window {
    /// Held by the one who is next, so that all pass in the order in which they came.
    turn: tokio::sync::Mutex<()>,
    state: Mutex<State>,
    freed: Notify,
}

#[derive(Debug)]
struct State {
    size: u64,
    on_its_way: u64,
}

/// Content that is on its way until this is dropped.
#[derive(Debug)]
pub(super) struct Permit<'a> {
    window: &'a Window,
    bytes: u64,
    begun: Instant,
}

impl Default for Window {
    fn default() -> Self {
        Self {
            turn: tokio::sync::Mutex::default(),
            state: Mutex::new(State {
                size: WINDOW_FIRST,
                on_its_way: 0,
            }),
            freed: Notify::new(),
        }
    }
}

impl Window {
    /// How much one request should carry. Bytes of content.
    pub(super) fn share(&self) -> u64 {
        self.state().size / SHARES
    }

    /// Waits until these bytes may be on their way. More than the window holds goes alone.
    pub(super) async fn pass(&self, bytes: u64) -> Permit<'_> {
        let _turn = self.turn.lock().await;
        while !self.state().admit(bytes) {
            self.freed.notified().await;
        }
        Permit {
            window: self,
            bytes,
            begun: Instant::now(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn admit(&mut self, bytes: u64) -> bool {
        let fits = self.on_its_way == 0 || self.on_its_way + bytes <= self.size;
        if fits {
            self.on_its_way += bytes;
        }
        fits
    }

    fn resize(&mut self, size: u64) {
        self.size = size.clamp(WINDOW_MIN, WINDOW_MAX);
    }
}

impl Permit<'_> {
    /// They are sent only now: from here on the answer is waited for.
    pub(super) fn begun(self) -> Self {
        let mut permit = self;
        permit.begun = Instant::now();
        permit
    }

    /// The answer has come.
    pub(super) fn answered(self) {
        let took = self.begun.elapsed();
        let mut state = self.window.state();
        let size = state.size;
        if took < SOON {
            state.resize(size + 2 * self.bytes);
        } else if took > LATE {
            state.resize(size.saturating_sub(self.bytes));
        }
    }

    /// None will come.
    pub(super) fn broken(self) {
        let mut state = self.window.state();
        let half = state.size / 2;
        state.resize(half);
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        self.window.state().on_its_way -= self.bytes;
        self.window.freed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn it_grows_with_quick_answers_and_shrinks_with_slow_ones() {
        let window = Window::default();
        for _ in 0..100 {
            window.pass(window.share()).await.answered();
        }
        assert_eq!(window.share(), WINDOW_MAX / SHARES);
        for _ in 0..100 {
            let permit = window.pass(window.share()).await;
            tokio::time::sleep(LATE * 2).await;
            permit.answered();
        }
        assert_eq!(window.share(), WINDOW_MIN / SHARES);
        let permit = window.pass(1 << 20).await;
        tokio::time::sleep(LATE * 2).await;
        permit.begun().answered();
        assert!(
            window.share() > WINDOW_MIN / SHARES,
            "what was held back says nothing of the line"
        );
        for _ in 0..10 {
            window.pass(1).await.broken();
        }
        assert_eq!(window.share(), WINDOW_MIN / SHARES);
    }

    #[tokio::test(start_paused = true)]
    async fn what_does_not_fit_waits_and_whoever_came_first_goes_first() {
        let window = Window::default();
        let first = window.pass(WINDOW_FIRST - 10).await;
        let late = tokio::time::timeout(LATE, async {
            tokio::join!(window.pass(11), window.pass(1));
        });
        assert!(late.await.is_err(), "the small one does not overtake");
        drop(first);
        let large = window.pass(WINDOW_MAX * 2).await;
        assert!(tokio::time::timeout(LATE, window.pass(1)).await.is_err());
        drop(large);
        drop(window.pass(1).await);
    }
}
