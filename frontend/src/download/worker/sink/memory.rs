//! The browser's own memory, for pages that have nothing better. Each piece is a `Blob` at once, which the browser keeps
//! outside of the worker's memory and may put on a disk.

use js_sys::{Array, Uint8Array};
use wasm_bindgen::JsValue;
use web_sys::{Blob, BlobPropertyBag};

use super::Broken;

/// Of a type that the browser never shows.
const TYPE: &str = "application/octet-stream";

/// What is gathered.
pub(super) struct Memory {
    limit: u64,
    len: u64,
    parts: Array,
}

impl Memory {
    pub(super) fn new(limit: u64) -> Self {
        Self {
            limit,
            len: 0,
            parts: Array::new(),
        }
    }

    pub(super) fn open(&self, size: Option<u64>) -> Result<(), Broken> {
        match size {
            Some(size) if size > self.limit => Err(Broken::Full(self.limit)),
            _ => Ok(()),
        }
    }

    pub(super) fn write(&mut self, bytes: &[u8]) -> Result<(), Broken> {
        self.len += bytes.len() as u64;
        if self.len > self.limit {
            return Err(Broken::Full(self.limit));
        }
        let part = blob(&Array::of1(&Uint8Array::from(bytes))).ok_or(Broken::NotWritten)?;
        self.parts.push(&part);
        Ok(())
    }

    pub(super) fn close(self) -> Result<JsValue, Broken> {
        blob(&self.parts).map(JsValue::from).ok_or(Broken::NotWritten)
    }
}

fn blob(parts: &Array) -> Option<Blob> {
    let options = BlobPropertyBag::new();
    options.set_type(TYPE);
    Blob::new_with_blob_sequence_and_options(parts, &options).ok()
}
