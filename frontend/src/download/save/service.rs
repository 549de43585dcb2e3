//! The page's side of the service worker (`boot/save.js`), which answers `/save/ID` with what comes over a port.

use std::{cell::RefCell, collections::HashMap, rc::Rc};

use beckon_shared::disposition;
use futures_channel::oneshot;
use futures_util::{
    FutureExt,
    future::{LocalBoxFuture, Shared},
};
use js_sys::{Array, Object, Reflect};
use wasm_bindgen::{JsCast, JsValue, prelude::Closure};
use wasm_bindgen_futures::JsFuture;
use web_sys::{
    HtmlIFrameElement, MessageChannel, MessageEvent, MessagePort, RegistrationOptions, ServiceWorker,
    ServiceWorkerContainer, ServiceWorkerRegistration, ServiceWorkerState, ServiceWorkerUpdateViaCache,
};

use super::{DownloadId, later};
use crate::dom;

/// Its address, and below what it answers: no page of the app lies there.
const SCRIPT: &str = "/save.js";
const SCOPE: &str = "/save/";
/// It is there after this long, or will not be. Milliseconds.
const READY_MS: u32 = 10_000;

/// A download that the browser was sent to.
pub(super) struct Stream {
    address: String,
    service: ServiceWorker,
    frame: HtmlIFrameElement,
}

struct Known {
    /// Who waits until the service worker knows of it.
    ready: Option<oneshot::Sender<()>>,
    gone: Rc<dyn Fn()>,
}

type Finding = Shared<LocalBoxFuture<'static, Option<ServiceWorker>>>;

thread_local! {
    /// The service worker, while it is being looked for.
    static FINDING: RefCell<Option<Finding>> = const { RefCell::new(None) };
    static KNOWN: RefCell<HashMap<String, Known>> = RefCell::default();
}

impl Stream {
    /// Sends the browser to a fresh address, whose bytes come over the port; nothing where there is no service worker.
    pub(super) async fn open(
        id: DownloadId,
        name: &str,
        gone: impl Fn(DownloadId) + 'static,
    ) -> Option<(Self, MessagePort)> {
        let service = service().await?;
        let channel = MessageChannel::new().ok()?;
        let address = hex::encode(dom::random::<16>());
        let (ready, is_ready) = oneshot::channel();
        let known = Known {
            ready: Some(ready),
            gone: Rc::new(move || gone(id)),
        };
        KNOWN.with_borrow_mut(|all| all.insert(address.clone(), known));
        let port = channel.port2();
        let announced = object(&[
            ("id", address.as_str().into()),
            ("disposition", disposition::attachment(name).into()),
        ]);
        let posted = service.post_message_with_transferable(&announced, &Array::of1(&port));
        let is_known = posted.is_ok() && matches!(dom::within(READY_MS, is_ready).await, Some(Ok(())));
        let frame = is_known.then(|| frame(&address)).flatten();
        let Some(frame) = frame else {
            KNOWN.with_borrow_mut(|all| all.remove(&address));
            return None;
        };
        let stream = Self {
            address,
            service,
            frame,
        };
        Some((stream, channel.port1()))
    }

    /// Nobody makes the bytes any more: the browser is to give it up.
    pub(super) fn abandon(&self) {
        let lost = object(&[("lost", self.address.as_str().into())]);
        let _ = self.service.post_message(&lost);
    }

    /// The service worker is not idle, and says so if it does not know of this one any more.
    pub(super) fn keep_alive(&self) {
        let alive = Array::of1(&self.address.as_str().into());
        let _ = self.service.post_message(&object(&[("alive", alive.into())]));
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        KNOWN.with_borrow_mut(|all| all.remove(&self.address));
        let frame = self.frame.clone();
        later(move || frame.remove());
    }
}

/// A frame that nobody sees loads the address: unlike a link it asks the service worker, and unlike the page it does not
/// leave anything.
fn frame(address: &str) -> Option<HtmlIFrameElement> {
    let document = dom::document();
    let frame: HtmlIFrameElement = document.create_element("iframe").ok()?.dyn_into().ok()?;
    frame.set_hidden(true);
    frame.set_attribute("aria-hidden", "true").ok()?;
    frame.set_src(&format!("{SCOPE}{address}"));
    document.body()?.append_child(&frame).ok()?;
    Some(frame)
}

/// Our service worker. All who want it while it is being looked for wait for the same; later it is looked for anew, as it
/// may have been replaced.
async fn service() -> Option<ServiceWorker> {
    let finding = FINDING.with_borrow_mut(|finding| {
        let begin = || async { dom::within(READY_MS, find()).await? }.boxed_local().shared();
        finding.get_or_insert_with(begin).clone()
    });
    let found = finding.clone().await;
    FINDING.with_borrow_mut(|now| {
        if now.as_ref().is_some_and(|now| now.ptr_eq(&finding)) {
            *now = None;
        }
    });
    found
}

/// Registered when it is needed first.
async fn find() -> Option<ServiceWorker> {
    let navigator = dom::window().navigator();
    // Only secure pages have it; and not all of those.
    let container = Reflect::get(&navigator, &"serviceWorker".into()).ok()?;
    let container: ServiceWorkerContainer = container.dyn_into().ok()?;
    listen(&container);
    let options = RegistrationOptions::new();
    options.set_scope(SCOPE);
    options.set_update_via_cache(ServiceWorkerUpdateViaCache::None);
    let registered = JsFuture::from(container.register_with_options(SCRIPT, &options));
    active(&registered.await.ok()?.dyn_into().ok()?).await
}

/// Waits until it runs.
async fn active(registration: &ServiceWorkerRegistration) -> Option<ServiceWorker> {
    let Some(coming) = registration.installing().or_else(|| registration.waiting()) else {
        return registration.active();
    };
    loop {
        match coming.state() {
            ServiceWorkerState::Activated => return Some(coming),
            ServiceWorkerState::Redundant => return registration.active(),
            _ => {}
        }
        let (tell, changed) = oneshot::channel();
        let tell = Closure::once(move || _ = tell.send(()));
        coming.set_onstatechange(Some(tell.as_ref().unchecked_ref()));
        let _ = changed.await;
        coming.set_onstatechange(None);
    }
}

fn listen(container: &ServiceWorkerContainer) {
    if container.onmessage().is_some() {
        return;
    }
    let heard = Closure::<dyn FnMut(MessageEvent)>::new(|event: MessageEvent| hear(&event.data()));
    container.set_onmessage(Some(heard.as_ref().unchecked_ref()));
    // As long as the page lives.
    heard.forget();
}

fn hear(said: &JsValue) {
    let ready = Reflect::get(said, &"ready".into()).ok().and_then(|id| id.as_string());
    let waiting = ready.and_then(|id| KNOWN.with_borrow_mut(|all| all.get_mut(&id)?.ready.take()));
    if let Some(waiting) = waiting {
        let _ = waiting.send(());
    }
    let gone = Reflect::get(said, &"gone".into())
        .ok()
        .and_then(|gone| gone.dyn_into::<Array>().ok());
    for id in gone.iter().flat_map(Array::iter).filter_map(|id| id.as_string()) {
        if let Some(gone) = KNOWN.with_borrow(|all| all.get(&id).map(|known| Rc::clone(&known.gone))) {
            gone();
        }
    }
}

fn object(fields: &[(&str, JsValue)]) -> Object {
    let object = Object::new();
    for (name, value) in fields {
        // Fails only for what is no object.
        let _ = Reflect::set(&object, &(*name).into(), value);
    }
    object
}
