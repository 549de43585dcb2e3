//! The page, as the worker sees it: it signs, and it has the control socket.

use std::{
    cell::{Cell, RefCell},
    collections::HashMap,
};

use beckon_shared::{
    error::{ErrorCode, Refusal},
    transfer::{Hold, Progress},
};
use futures_channel::oneshot;
use js_sys::Array;
use wasm_bindgen::JsValue;

use crate::{
    upload::message::{self, Answer, Ask, FromWorker},
    worker,
};

/// The page that this worker works for.
#[derive(Default)]
pub(super) struct Page {
    /// Closed while the upload stands still.
    pub(super) gate: Gate,
    asked: RefCell<HashMap<u32, oneshot::Sender<Result<Answer, Refusal>>>>,
    next: Cell<u32>,
}

impl Page {
    /// Asks for what only the page can do.
    pub(super) async fn ask(&self, ask: Ask) -> Result<Answer, Refusal> {
        let id = self.next.replace(self.next.get().wrapping_add(1));
        let (tell, answer) = oneshot::channel();
        self.asked.borrow_mut().insert(id, tell);
        say(&FromWorker::Ask { id, ask });
        // The sender stays in the map until it is used.
        answer.await.unwrap_or_else(|_| Err(misunderstood()))
    }

    /// The page has answered.
    pub(super) fn answered(&self, id: u32, result: Result<Answer, Refusal>) {
        if let Some(tell) = self.asked.borrow_mut().remove(&id) {
            let _ = tell.send(result);
        }
    }
}

/// Tells how far it is.
pub(super) fn progress(hold: Hold, progress: Progress) {
    say(&FromWorker::Progress { hold, progress });
}

/// Tells the page something.
pub(super) fn say(message: &FromWorker) {
    worker::tell(&message::pack(message, &JsValue::NULL), &Array::new());
}

/// The page and the worker are not of the same making.
pub(super) fn misunderstood() -> Refusal {
    Refusal::new(
        ErrorCode::BadVersion,
        "the page and the server do not understand each other; reload the page and put the files in again",
    )
}

/// Where work waits while it is to stand still.
#[derive(Default)]
pub(super) struct Gate {
    closed: Cell<bool>,
    waiting: RefCell<Vec<oneshot::Sender<()>>>,
}

impl Gate {
    /// Whoever comes by waits.
    pub(super) fn close(&self) {
        self.closed.set(true);
    }

    /// All go on.
    pub(super) fn open(&self) {
        self.closed.set(false);
        for waiting in self.waiting.take() {
            let _ = waiting.send(());
        }
    }

    /// Goes through when it is open.
    pub(super) async fn pass(&self) {
        while self.closed.get() {
            let (tell, opened) = oneshot::channel();
            self.waiting.borrow_mut().push(tell);
            let _ = opened.await;
        }
    }

    /// Whether it is closed.
    pub(super) fn is_closed(&self) -> bool {
        self.closed.get()
    }
}
