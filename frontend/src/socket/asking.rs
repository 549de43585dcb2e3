//! Requests that wait for their replies, by number.

use std::{
    cell::{Cell, RefCell},
    collections::HashMap,
};

use futures_channel::oneshot;

/// Who waits for which answer.
#[derive(Debug)]
pub(crate) struct Waiting<T> {
    next: Cell<u32>,
    senders: RefCell<HashMap<u32, oneshot::Sender<T>>>,
}

impl<T> Default for Waiting<T> {
    fn default() -> Self {
        Self {
            next: Cell::new(1),
            senders: RefCell::default(),
        }
    }
}

impl<T> Waiting<T> {
    /// A fresh number, and where its answer comes out. The receiver errs if the line ends first.
    pub(crate) fn enter(&self) -> (u32, oneshot::Receiver<T>) {
        let id = self.next.get();
        self.next.set(id.wrapping_add(1));
        let (sender, receiver) = oneshot::channel();
        self.senders.borrow_mut().insert(id, sender);
        (id, receiver)
    }

    /// The answer came.
    pub(crate) fn answer(&self, id: u32, answer: T) {
        let sender = self.senders.borrow_mut().remove(&id);
        if let Some(sender) = sender {
            let _ = sender.send(answer);
        }
    }

    /// Nobody waits for it any more.
    pub(crate) fn forget(&self, id: u32) {
        self.senders.borrow_mut().remove(&id);
    }

    /// The line ended: everybody who waits hears it.
    pub(crate) fn forget_all(&self) {
        let senders = self.senders.take();
        drop(senders);
    }

    /// Whether nobody waits.
    pub(crate) fn is_empty(&self) -> bool {
        self.senders.borrow().is_empty()
    }
}
