//! What the tabs of this browser tell each other: who signs in or out does so in all of them.

use std::{cell::RefCell, rc::Rc};

use beckon_shared::id::DeviceId;
use futures_channel::oneshot;
use wasm_bindgen::{JsCast, prelude::Closure};
use web_sys::{BroadcastChannel, MessageEvent};

use crate::{dom, identity};

const CHANNEL: &str = "beckon.tabs";
/// Tabs of one browser answer at once, unless they are busy; this bounds the wait where there is none. Milliseconds.
const PATIENCE: u32 = 1_000;

/// What one tab says to all others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Word {
    /// Somebody signed in, as this device: the browser's one cookie is theirs now.
    SignedIn(DeviceId),
    /// Somebody signed out.
    SignedOut,
    /// The person confirmed a machine.
    Confirmed(DeviceId),
    /// Is anybody signed in?
    Asking,
    /// Yes.
    Here,
}

/// Before the device in [`Word::SignedIn`].
const SIGNED_IN: &str = "signed-in ";
/// Before the device in [`Word::Confirmed`].
const CONFIRMED: &str = "confirmed ";

impl Word {
    fn text(self) -> String {
        match self {
            Self::SignedIn(device) => format!("{SIGNED_IN}{device}"),
            Self::Confirmed(device) => format!("{CONFIRMED}{device}"),
            Self::SignedOut => "signed-out".to_owned(),
            Self::Asking => "asking".to_owned(),
            Self::Here => "here".to_owned(),
        }
    }

    fn read(text: &str) -> Option<Self> {
        if let Some(device) = text.strip_prefix(SIGNED_IN) {
            return device.parse().ok().map(Self::SignedIn);
        }
        if let Some(device) = text.strip_prefix(CONFIRMED) {
            return device.parse().ok().map(Self::Confirmed);
        }
        [Self::SignedOut, Self::Asking, Self::Here]
            .into_iter()
            .find(|word| word.text() == text)
    }
}

thread_local! {
    static OPEN: RefCell<Option<Rc<BroadcastChannel>>> = const { RefCell::new(None) };
    /// Who waits to hear that somebody is signed in.
    static WAITING: RefCell<Option<oneshot::Sender<()>>> = const { RefCell::new(None) };
}

/// Says something to the other tabs.
pub(super) fn tell(word: Word) {
    if let Some(channel) = OPEN.with_borrow(Clone::clone) {
        let _ = channel.post_message(&word.text().into());
    }
}

/// Hears the other tabs for as long as the page lives. A browser without channels has tabs that know nothing of each other.
pub(super) fn listen(hear: impl Fn(Word) + 'static) {
    let Ok(channel) = BroadcastChannel::new(CHANNEL) else {
        return;
    };
    let heard = Closure::<dyn FnMut(MessageEvent)>::new(move |event: MessageEvent| {
        match event.data().as_string().as_deref().and_then(Word::read) {
            Some(Word::Asking) if identity::current().is_some() => tell(Word::Here),
            Some(Word::Here) => drop(WAITING.take().map(|waiting| waiting.send(()))),
            Some(word) => hear(word),
            None => {}
        }
    });
    channel.set_onmessage(Some(heard.as_ref().unchecked_ref()));
    heard.forget();
    OPEN.set(Some(Rc::new(channel)));
}

/// Whether somebody is signed in in another tab.
pub(super) async fn is_any_signed_in() -> bool {
    let (answer, answered) = oneshot::channel();
    WAITING.set(Some(answer));
    tell(Word::Asking);
    matches!(dom::within(PATIENCE, answered).await, Some(Ok(())))
}

#[cfg(test)]
mod tests {
    use wasm_bindgen_test::wasm_bindgen_test;

    use super::*;

    #[wasm_bindgen_test]
    fn a_word_is_heard_as_it_was_said() {
        let words = [
            Word::SignedIn(DeviceId([7; DeviceId::LEN])),
            Word::Confirmed(DeviceId([8; DeviceId::LEN])),
            Word::SignedOut,
            Word::Asking,
            Word::Here,
        ];
        for word in words {
            assert_eq!(Word::read(&word.text()), Some(word));
        }
        assert_eq!(Word::read("signed-in nobody"), None);
    }
}
