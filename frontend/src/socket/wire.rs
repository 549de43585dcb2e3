//! A WebSocket as whole binary messages in and out, for the control socket and for sessions.

use std::{cell::RefCell, rc::Rc};

use futures_channel::{mpsc, oneshot};
use futures_util::StreamExt;
use wasm_bindgen::{JsCast, closure::Closure};
use web_sys::{BinaryType, MessageEvent, WebSocket};

use crate::dom;

/// How long a connection to the server may take to stand. Milliseconds.
pub(crate) const OPEN_MS: u32 = 20_000;

/// There is no connection, or no longer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Cut;

/// One end of an open WebSocket; dropping it closes it.
#[derive(Debug)]
pub(crate) struct Wire {
    outgoing: Outgoing,
    incoming: mpsc::UnboundedReceiver<Vec<u8>>,
    _heard: [Closure<dyn FnMut(MessageEvent)>; 1],
    _ended: [Closure<dyn FnMut()>; 2],
}

/// What goes out; clones are the same socket.
#[derive(Debug, Clone)]
pub(crate) struct Outgoing(WebSocket);

impl Outgoing {
    /// Hands a message to the browser; false once the socket has ended.
    pub(crate) fn send(&self, message: &[u8]) -> bool {
        self.0.ready_state() == WebSocket::OPEN && self.0.send_with_u8_array(message).is_ok()
    }

    /// Ends the socket.
    pub(crate) fn close(&self) {
        let _ = self.0.close();
    }
}

impl Wire {
    /// Dials a path of this server.
    pub(crate) async fn dial(path: &str, protocols: &[&str]) -> Result<Self, Cut> {
        // `http` becomes `ws`, `https` becomes `wss`.
        let url = format!("{}{path}", dom::address().replacen("http", "ws", 1));
        Self::open(&url, protocols, OPEN_MS).await
    }

    /// Opens a socket and waits at most so many milliseconds until it stands.
    pub(crate) async fn open(url: &str, protocols: &[&str], deadline: u32) -> Result<Self, Cut> {
        let offered: js_sys::Array = protocols
            .iter()
            .map(|name| wasm_bindgen::JsValue::from_str(name))
            .collect();
        let socket = WebSocket::new_with_str_sequence(url, &offered).map_err(|_| Cut)?;
        socket.set_binary_type(BinaryType::Arraybuffer);
        let (sender, incoming) = mpsc::unbounded();
        let (opened, standing) = oneshot::channel();
        let wire = Self::listen(socket, sender, opened, incoming);
        match dom::within(deadline, standing).await {
            Some(Ok(())) => Ok(wire),
            _ => Err(Cut),
        }
    }

    fn listen(
        socket: WebSocket,
        sender: mpsc::UnboundedSender<Vec<u8>>,
        opened: oneshot::Sender<()>,
        incoming: mpsc::UnboundedReceiver<Vec<u8>>,
    ) -> Self {
        let waiting = Rc::new(RefCell::new((Some(sender), Some(opened))));
        let heard = Closure::<dyn FnMut(MessageEvent)>::new({
            let waiting = Rc::clone(&waiting);
            move |event: MessageEvent| take(&mut waiting.borrow_mut().0, &event)
        });
        let stands = Closure::<dyn FnMut()>::new({
            let waiting = Rc::clone(&waiting);
            move || {
                if let Some(opened) = waiting.borrow_mut().1.take() {
                    let _ = opened.send(());
                }
            }
        });
        let ended = Closure::<dyn FnMut()>::new(move || *waiting.borrow_mut() = (None, None));
        socket.set_onmessage(Some(heard.as_ref().unchecked_ref()));
        socket.set_onopen(Some(stands.as_ref().unchecked_ref()));
        socket.set_onclose(Some(ended.as_ref().unchecked_ref()));
        Self {
            outgoing: Outgoing(socket),
            incoming,
            _heard: [heard],
            _ended: [stands, ended],
        }
    }

    /// The next message; nothing once the socket has ended.
    pub(crate) async fn next(&mut self) -> Option<Vec<u8>> {
        self.incoming.next().await
    }

    /// The next message, if it comes in time.
    pub(crate) async fn next_within(&mut self, millis: u32) -> Option<Vec<u8>> {
        dom::within(millis, self.incoming.next()).await.flatten()
    }

    /// For those who send.
    pub(crate) fn outgoing(&self) -> Outgoing {
        self.outgoing.clone()
    }

    /// The sub-protocol that was agreed.
    pub(crate) fn protocol(&self) -> String {
        self.outgoing.0.protocol()
    }
}

/// Anything but bytes ends the stream: the protocol knows nothing else.
fn take(sender: &mut Option<mpsc::UnboundedSender<Vec<u8>>>, event: &MessageEvent) {
    let Ok(buffer) = event.data().dyn_into::<js_sys::ArrayBuffer>() else {
        *sender = None;
        return;
    };
    if let Some(sender) = sender {
        let _ = sender.unbounded_send(js_sys::Uint8Array::new(&buffer).to_vec());
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        let socket = &self.outgoing.0;
        socket.set_onmessage(None);
        socket.set_onopen(None);
        socket.set_onclose(None);
        self.outgoing.close();
    }
}
