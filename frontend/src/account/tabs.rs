//! What the tabs of this browser tell each other: who signs in or out does so in all of them.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
};

use wasm_bindgen::{JsCast, prelude::Closure};
use web_sys::{BroadcastChannel, MessageEvent};

use crate::{dom, identity};

const CHANNEL: &str = "beckon.tabs";
/// Tabs of one browser answer at once; this only bounds the wait for one that never does. Milliseconds.
const PATIENCE: u32 = 200;

/// What one tab says to all others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Word {
    /// Somebody signed in.
    SignedIn,
    /// Somebody signed out.
    SignedOut,
    /// Is anybody signed in?
    Asking,
    /// Yes.
    Here,
}

impl Word {
    const ALL: [(Self, &'static str); 4] = [
        (Self::SignedIn, "signed-in"),
        (Self::SignedOut, "signed-out"),
        (Self::Asking, "asking"),
        (Self::Here, "here"),
    ];
}

thread_local! {
    static OPEN: RefCell<Option<Rc<BroadcastChannel>>> = const { RefCell::new(None) };
    static ANSWERED: Cell<bool> = const { Cell::new(false) };
}

/// Says something to the other tabs.
pub(super) fn tell(word: Word) {
    let text = Word::ALL
        .into_iter()
        .find(|(known, _)| *known == word)
        .map(|(_, text)| text);
    let open = OPEN.with_borrow(Clone::clone);
    if let (Some(channel), Some(text)) = (open, text) {
        let _ = channel.post_message(&text.into());
    }
}

/// Hears the other tabs for as long as the page lives. A browser without channels has tabs that know nothing of each other.
pub(super) fn listen(hear: impl Fn(Word) + 'static) {
    let Ok(channel) = BroadcastChannel::new(CHANNEL) else {
        return;
    };
    let heard = Closure::<dyn FnMut(MessageEvent)>::new(move |event: MessageEvent| {
        let said = event.data().as_string();
        let word = Word::ALL.into_iter().find(|(_, text)| said.as_deref() == Some(*text));
        match word {
            Some((Word::Asking, _)) if identity::current().is_some() => tell(Word::Here),
            Some((Word::Here, _)) => ANSWERED.set(true),
            Some((word, _)) => hear(word),
            None => {}
        }
    });
    channel.set_onmessage(Some(heard.as_ref().unchecked_ref()));
    heard.forget();
    OPEN.set(Some(Rc::new(channel)));
}

/// Whether somebody is signed in in another tab.
pub(super) async fn is_any_signed_in() -> bool {
    ANSWERED.set(false);
    tell(Word::Asking);
    dom::sleep(PATIENCE).await;
    ANSWERED.get()
}
