//! The upload's own worker: reads, cuts, hashes, sends and commits, while the page stays free. What goes onto a machine it
//! measures first, and sends without a commit.
//!
//! Files are read one after the other into batches; two batches become durable at once; commits follow in order. What is held
//! back at one place slows the ones before it, so memory stays bounded whatever is uploaded.

mod batch;
mod chain;
mod counters;
mod measure;
mod page;
mod pause;
mod read;
mod remote;
mod run;
mod store;

use std::rc::Rc;

use js_sys::Array;
use wasm_bindgen::{JsCast, JsValue};
use web_sys::File;

use super::message::{self, Entry, Job, ToWorker};
use page::Page;

/// An entry with what can be read of it; a folder has nothing.
struct Item {
    entry: Entry,
    file: Option<File>,
}

/// Takes what the page says to this worker.
pub(crate) fn work() -> Box<dyn FnMut(JsValue)> {
    let page = Rc::new(Page::default());
    let (mut job, mut items): (Option<Job>, Vec<Item>) = (None, Vec::new());
    Box::new(move |message| {
        let Some((message, beside)) = message::unpack(message) else {
            return;
        };
        match message {
            ToWorker::Job(wanted) => job = Some(wanted),
            ToWorker::Entries(entries) => items.extend(with_files(entries, &beside)),
            ToWorker::Go => {
                if let Some(job) = job.take() {
                    let (page, items) = (page.clone(), std::mem::take(&mut items));
                    wasm_bindgen_futures::spawn_local(run::run(job, items, page));
                }
            }
            ToWorker::Pause => page.gate.close(),
            ToWorker::Resume => page.gate.open(),
            ToWorker::Answer { id, result } => page.answered(id, result),
        }
    })
}

fn with_files(entries: Vec<Entry>, beside: &JsValue) -> Vec<Item> {
    let files: Option<&Array> = beside.dyn_ref();
    let file = |at: usize| files?.get(u32::try_from(at).ok()?).dyn_into().ok();
    let entries = entries.into_iter().enumerate();
    entries.map(|(at, entry)| Item { entry, file: file(at) }).collect()
}
