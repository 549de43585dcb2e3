//! How many bytes may be on their way, or wait to be written: who comes first is let in first.

use std::{cell::RefCell, collections::VecDeque, rc::Rc};

use futures_channel::oneshot;

/// Room for bytes; the same wherever it is copied to.
#[derive(Debug, Clone)]
pub(super) struct Window(Rc<RefCell<State>>);

#[derive(Debug)]
struct State {
    free: usize,
    waiting: VecDeque<(usize, oneshot::Sender<Room>)>,
}

/// Room that is taken, until this is dropped.
#[derive(Debug)]
pub(super) struct Room {
    window: Window,
    bytes: usize,
}

impl Window {
    /// A window of so many bytes.
    pub(super) fn of(bytes: usize) -> Self {
        Self(Rc::new(RefCell::new(State {
            free: bytes,
            waiting: VecDeque::new(),
        })))
    }

    /// Waits for room. No more is to be asked for than the whole window.
    pub(super) async fn enter(&self, bytes: usize) -> Room {
        let told = {
            let mut state = self.0.borrow_mut();
            let (tell, told) = oneshot::channel();
            state.waiting.push_back((bytes, tell));
            told
        };
        self.let_in();
        // The sender stays in the queue until there is room.
        told.await.unwrap_or_else(|_| self.room(0))
    }

    /// Lets in as many of those who wait as there is room for.
    fn let_in(&self) {
        while let Some((bytes, tell)) = self.next() {
            // Room that nobody takes any more, now or later, leaves itself.
            let _ = tell.send(self.room(bytes));
        }
    }

    /// Whoever is next, if there is room; it counts as taken then.
    fn next(&self) -> Option<(usize, oneshot::Sender<Room>)> {
        let mut state = self.0.borrow_mut();
        // Who waits no more needs no room.
        state.waiting.retain(|(_, tell)| !tell.is_canceled());
        let free = state.free;
        let next = state.waiting.pop_front_if(|(bytes, _)| *bytes <= free)?;
        state.free -= next.0;
        Some(next)
    }

    fn room(&self, bytes: usize) -> Room {
        Room {
            window: self.clone(),
            bytes,
        }
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        self.window.0.borrow_mut().free += self.bytes;
        self.window.let_in();
    }
}
