//! What runs beside the page, in workers: key derivation, uploads, sessions with machines. The same module, started by another function.
//!
//! The page starts a [`Worker`] for one [`Job`] and both ends post messages, as many as they like. A worker's first message
//! names its job; the job's own function takes all that follow.

pub(crate) mod kdf;

use beckon_shared::error::{ErrorCode, Refusal};
use js_sys::Array;
use wasm_bindgen::{JsCast, JsValue, prelude::Closure};
use web_sys::{DedicatedWorkerGlobalScope, Event, MessageEvent, WorkerOptions, WorkerType};

use crate::{dom, text};

/// What a worker can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Job {
    /// Derives secrets from a password, once.
    Derive,
    /// Puts files into the drive.
    Upload,
    /// Holds the sessions with machines.
    Session,
}

impl Job {
    const fn name(self) -> &'static str {
        match self {
            Self::Derive => "derive",
            Self::Upload => "upload",
            Self::Session => "session",
        }
    }

    /// The `meta` elements that name its script. Sessions have an address of their own, under which sockets to other
    /// places than the server are allowed.
    const fn addresses(self) -> &'static [&'static str] {
        match self {
            Self::Derive | Self::Upload => &["worker"],
            Self::Session => &["session-worker", "worker"],
        }
    }
}

/// Takes what the page says to this worker.
type Take = Box<dyn FnMut(JsValue)>;

/// In the worker: what does the job of this name.
fn work(name: &str) -> Option<Take> {
    let jobs: [(Job, fn() -> Take); 3] = [
        (Job::Derive, kdf::work),
        (Job::Upload, crate::upload::worker::work),
        (Job::Session, crate::session::worker::work),
    ];
    let (_, work) = jobs.into_iter().find(|(job, _)| job.name() == name)?;
    Some(work())
}

/// In the worker: waits for the job, then hands it all messages. The worker's first function.
pub(crate) fn serve() {
    let mut job: Option<Take> = None;
    let hear = move |event: MessageEvent| match &mut job {
        Some(take) => take(event.data()),
        none => *none = event.data().as_string().and_then(|name| work(&name)),
    };
    let hear = Closure::<dyn FnMut(MessageEvent)>::new(hear);
    scope().set_onmessage(Some(hear.as_ref().unchecked_ref()));
    // As long as the worker lives.
    hear.forget();
}

/// In the worker: tells the page something; what `moved` lists goes over without a copy.
pub(crate) fn tell(message: &JsValue, moved: &Array) {
    // Fails only for values that cannot be cloned, which no job posts.
    let _ = scope().post_message_with_transfer(message, moved);
}

fn scope() -> DedicatedWorkerGlobalScope {
    js_sys::global().unchecked_into()
}

/// What a page hears of its worker.
#[derive(Debug)]
pub(crate) enum Heard {
    /// The job said this.
    Message(JsValue),
    /// The worker could not start, or died; nothing follows.
    Broken,
}

/// In the page: a worker, ended when this is dropped.
#[derive(Debug)]
pub(crate) struct Worker {
    inner: web_sys::Worker,
    // The browser calls these as long as the worker lives.
    _message: Closure<dyn FnMut(MessageEvent)>,
    _error: Closure<dyn FnMut(Event)>,
}

impl Worker {
    /// Starts a worker for a job. It may be posted to at once: the worker keeps what comes before it is ready.
    pub(crate) fn spawn(job: Job, heard: impl FnMut(Heard) + 'static) -> Result<Self, Refusal> {
        let options = WorkerOptions::new();
        options.set_type(WorkerType::Module);
        let inner = address(job).and_then(|url| web_sys::Worker::new_with_options(&url, &options).ok());
        let inner = inner.ok_or_else(broken)?;
        let heard = std::rc::Rc::new(std::cell::RefCell::new(heard));
        let other = heard.clone();
        let message = Closure::<dyn FnMut(MessageEvent)>::new(move |event: MessageEvent| {
            (heard.borrow_mut())(Heard::Message(event.data()));
        });
        let error = Closure::<dyn FnMut(Event)>::new(move |_| (other.borrow_mut())(Heard::Broken));
        inner.set_onmessage(Some(message.as_ref().unchecked_ref()));
        inner.set_onerror(Some(error.as_ref().unchecked_ref()));
        let worker = Self {
            inner,
            _message: message,
            _error: error,
        };
        worker.post(&job.name().into(), &Array::new());
        Ok(worker)
    }

    /// Tells the job something; what `moved` lists goes over without a copy.
    pub(crate) fn post(&self, message: &JsValue, moved: &Array) {
        // Fails only for values that cannot be cloned, which nobody posts.
        let _ = self.inner.post_message_with_transfer(message, moved);
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.inner.set_onmessage(None);
        self.inner.set_onerror(None);
        self.inner.terminate();
    }
}

/// The worker's script, which the page names because its address holds a hash.
fn address(job: Job) -> Option<String> {
    job.addresses().iter().find_map(|name| dom::meta(name))
}

/// The browser runs no workers, or this one broke.
pub(crate) fn broken() -> Refusal {
    Refusal::new(ErrorCode::Internal, text::error::no_worker())
}
