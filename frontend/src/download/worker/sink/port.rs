//! The other end of the service worker's stream, which says when it wants more.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
};

use futures_channel::oneshot;
use js_sys::{Array, Object, Reflect, Uint8Array};
use wasm_bindgen::{JsCast, JsValue, prelude::Closure};
use web_sys::{MessageEvent, MessagePort};

use super::Broken;
use crate::dom;

/// The browser asks for a download that it was sent to long before. Milliseconds.
const OPEN_MS: u32 = 30_000;

/// A stream.
pub(super) struct Port {
    port: MessagePort,
    wants: Rc<Wants>,
    is_whole: bool,
    // Called as long as the port lives.
    _heard: Closure<dyn FnMut(MessageEvent)>,
}

/// What the other end said.
#[derive(Default)]
struct Wants {
    is_asked_for: Cell<bool>,
    /// So many more pieces.
    pieces: Cell<u32>,
    is_cancelled: Rc<Cell<bool>>,
    waiting: RefCell<Option<oneshot::Sender<()>>>,
}

impl Wants {
    fn hear(&self, said: &JsValue) {
        match said.as_string().as_deref() {
            Some("open") => self.is_asked_for.set(true),
            Some("pull") => self.pieces.set(self.pieces.get() + 1),
            Some("cancel") => self.is_cancelled.set(true),
            _ => return,
        }
        if let Some(waiting) = self.waiting.take() {
            let _ = waiting.send(());
        }
    }

    /// Waits until something is so.
    async fn until(&self, is_so: impl Fn(&Self) -> bool) -> Result<(), Broken> {
        loop {
            if self.is_cancelled.get() {
                return Err(Broken::Cancelled);
            }
            if is_so(self) {
                return Ok(());
            }
            let (tell, told) = oneshot::channel();
            self.waiting.replace(Some(tell));
            let _ = told.await;
        }
    }
}

impl Port {
    /// `is_cancelled` becomes true when a person ends it in the browser.
    pub(super) fn new(beside: JsValue, is_cancelled: Rc<Cell<bool>>) -> Option<Self> {
        let port: MessagePort = beside.dyn_into().ok()?;
        let wants = Rc::new(Wants {
            is_cancelled,
            ..Wants::default()
        });
        let other = Rc::clone(&wants);
        let heard = Closure::<dyn FnMut(MessageEvent)>::new(move |event: MessageEvent| other.hear(&event.data()));
        // This starts the port too.
        port.set_onmessage(Some(heard.as_ref().unchecked_ref()));
        Some(Self {
            port,
            wants,
            is_whole: false,
            _heard: heard,
        })
    }

    /// Waits until the browser has asked for it, then tells it the length.
    pub(super) async fn open(&self, size: Option<u64>) -> Result<(), Broken> {
        let asked = self.wants.until(|wants| wants.is_asked_for.get());
        dom::within(OPEN_MS, asked).await.ok_or(Broken::Silent)??;
        let size = size.map_or(JsValue::NULL, |size| JsValue::from_f64(size as f64));
        let head = Object::new();
        // Fails only for what is no object.
        let _ = Reflect::set(&head, &"size".into(), &size);
        let _ = self.port.post_message(&head);
        Ok(())
    }

    pub(super) async fn write(&self, bytes: &[u8]) -> Result<(), Broken> {
        self.wants.until(|wants| wants.pieces.get() > 0).await?;
        self.wants.pieces.set(self.wants.pieces.get() - 1);
        let bytes = Uint8Array::from(bytes);
        let moved = Array::of1(&bytes.buffer());
        // A detached port says nothing; whoever watches the service worker notices that it is gone.
        let _ = self.port.post_message_with_transferable(&bytes, &moved);
        Ok(())
    }

    pub(super) fn close(mut self) {
        self.is_whole = true;
    }
}

impl Drop for Port {
    fn drop(&mut self) {
        let last = if self.is_whole { "end" } else { "fail" };
        let _ = self.port.post_message(&last.into());
        self.port.set_onmessage(None);
        self.port.close();
    }
}
