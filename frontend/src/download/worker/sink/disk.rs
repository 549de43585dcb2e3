//! A file that a person chose. Its new content takes the old one's place when it is closed, and not before.

use js_sys::{Function, Promise, Reflect, Uint8Array};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;

use super::Broken;

/// A `FileSystemFileHandle`, and its stream once that is open.
pub(super) struct Disk {
    handle: JsValue,
    stream: Option<JsValue>,
}

impl Disk {
    pub(super) fn new(handle: JsValue) -> Self {
        Self { handle, stream: None }
    }

    pub(super) async fn open(&mut self) -> Result<(), Broken> {
        self.stream = Some(call(&self.handle, "createWritable", &JsValue::UNDEFINED).await?);
        Ok(())
    }

    pub(super) async fn write(&mut self, bytes: &[u8]) -> Result<(), Broken> {
        let stream = self.stream.as_ref().ok_or(Broken::NotWritten)?;
        call(stream, "write", &Uint8Array::from(bytes)).await.map(drop)
    }

    pub(super) async fn close(mut self) -> Result<(), Broken> {
        let stream = self.stream.take().ok_or(Broken::NotWritten)?;
        call(&stream, "close", &JsValue::UNDEFINED).await.map(drop)
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        if let Some(stream) = self.stream.take() {
            let _ = begin(&stream, "abort", &JsValue::UNDEFINED);
        }
    }
}

async fn call(object: &JsValue, method: &str, argument: &JsValue) -> Result<JsValue, Broken> {
    let promise = begin(object, method, argument).ok_or(Broken::NotWritten)?;
    JsFuture::from(promise).await.map_err(|_| Broken::NotWritten)
}

fn begin(object: &JsValue, method: &str, argument: &JsValue) -> Option<Promise> {
    let method: Function = Reflect::get(object, &method.into()).ok()?.dyn_into().ok()?;
    method.call1(object, argument).ok()?.dyn_into().ok()
}
