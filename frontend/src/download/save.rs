//! How the browser saves what comes: by a stream of our service worker where that runs, else into a file that a person
//! chooses, else out of memory.

mod service;

use std::time::Duration;

use beckon_shared::error::{ErrorCode, Refusal};
use js_sys::{Array, Function, Object, Promise, Reflect};
use leptos::{prelude::set_timeout, task::spawn_local};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;

use self::service::Stream;
use super::{
    Wanted,
    message::{DownloadId, Into},
};
use crate::{dom, format, text::download as words};

/// More is not gathered in the browser's memory. Bytes.
const MEMORY_MAX: u64 = 256 << 20;
/// The browser has begun to save after this long. Milliseconds.
const SAVED_MS: u32 = 60_000;
/// The service worker hears of its downloads so often; browsers end idle ones after 30 s. Milliseconds.
const ALIVE_MS: f64 = 8_000.0;

/// Where the bytes of a download go.
pub(super) struct Target {
    pub(super) into: Into,
    /// What the worker gets, and what of it is moved there.
    pub(super) beside: JsValue,
    pub(super) moved: Array,
    stream: Option<Stream>,
    told: f64,
}

/// Why there is no place.
pub(super) enum Cannot {
    /// A person closed the browser's dialog.
    Cancelled,
    /// This page has none for so much.
    Refused(Refusal),
}

/// Finds the best place. `gone` is called when the browser ended a stream on its own.
pub(super) async fn target(
    id: DownloadId,
    wanted: &Wanted,
    gone: impl Fn(DownloadId) + 'static,
) -> Result<Target, Cannot> {
    if let Some((stream, port)) = Stream::open(id, &wanted.name, gone).await {
        let moved = Array::of1(&port);
        return Ok(Target::new(Into::Stream, port.into(), moved, Some(stream)));
    }
    match pick(&wanted.name).await {
        Picked::File(handle) => return Ok(Target::new(Into::Disk, handle, Array::new(), None)),
        Picked::Nothing => return Err(Cannot::Cancelled),
        Picked::NoPicker => {}
    }
    match wanted.size {
        Some(size) if size > MEMORY_MAX => {
            let says = words::too_large(&format::bytes(MEMORY_MAX));
            Err(Cannot::Refused(Refusal::new(ErrorCode::TooLarge, says)))
        }
        _ => Ok(Target::new(Into::Memory(MEMORY_MAX), JsValue::NULL, Array::new(), None)),
    }
}

impl Target {
    fn new(into: Into, beside: JsValue, moved: Array, stream: Option<Stream>) -> Self {
        Self {
            into,
            beside,
            moved,
            stream,
            told: js_sys::Date::now(),
        }
    }

    /// The worker that made the bytes is gone.
    pub(super) fn abandon(self) {
        if let Some(stream) = &self.stream {
            stream.abandon();
        }
    }

    /// Keeps the browser from ending what saves the bytes; called whenever the worker tells something, as timers of a page
    /// that is not seen are slow.
    pub(super) fn keep_alive(&mut self) {
        let now = js_sys::Date::now();
        if let Some(stream) = self.stream.as_ref().filter(|_| now - self.told >= ALIVE_MS) {
            self.told = now;
            stream.keep_alive();
        }
    }
}

enum Picked {
    File(JsValue),
    Nothing,
    NoPicker,
}

/// Asks for a file, where the browser can.
async fn pick(name: &str) -> Picked {
    let window: JsValue = dom::window().into();
    let picker = Reflect::get(&window, &"showSaveFilePicker".into());
    let Some(picker) = picker.ok().and_then(|picker| picker.dyn_into::<Function>().ok()) else {
        return Picked::NoPicker;
    };
    let options = Object::new();
    // Fails only for what is no object.
    let _ = Reflect::set(&options, &"suggestedName".into(), &name.into());
    let asked = picker.call1(&window, &options).map(|asked| asked.dyn_into::<Promise>());
    let Ok(Ok(asked)) = asked else {
        return Picked::NoPicker;
    };
    match JsFuture::from(asked).await {
        Ok(handle) => Picked::File(handle),
        Err(error) => match error.dyn_ref::<web_sys::DomException>() {
            Some(error) if error.name() == "AbortError" => Picked::Nothing,
            _ => Picked::NoPicker,
        },
    }
}

/// Has the browser save what was gathered in memory.
pub(super) fn hand_over(blob: &JsValue, name: &str) {
    let Some(blob) = blob.dyn_ref::<web_sys::Blob>() else {
        return;
    };
    let Ok(url) = web_sys::Url::create_object_url_with_blob(blob) else {
        return;
    };
    dom::download(&url, name);
    spawn_local(async move {
        dom::sleep(SAVED_MS).await;
        let _ = web_sys::Url::revoke_object_url(&url);
    });
}

/// Removes what began a download, when the browser has surely taken it over.
fn later(act: impl FnOnce() + 'static) {
    set_timeout(act, Duration::from_millis(SAVED_MS.into()));
}
