//! Downloads, in the worker that holds the sessions: reads a machine piece by piece, many pieces at once, verifies each, and
//! hands them on in order to what saves them. What is slow at the end slows all before it, so memory stays bounded.

mod archive;
mod file;
mod leftover;
mod piece;
mod sink;
mod source;
mod tally;
#[cfg(test)]
mod tests;
mod walk;
mod window;

use std::{
    cell::{Cell, RefCell},
    collections::HashMap,
    rc::Rc,
};

use beckon_shared::{
    error::{ErrorCode, Refusal},
    wire,
};
use futures_channel::oneshot;
use futures_util::future::{Either, select};
use js_sys::Array;
use wasm_bindgen::JsValue;
use wasm_bindgen_futures::spawn_local;

use self::{
    sink::{Broken, Sink},
    source::Source,
    tally::Tally,
};
use super::message::{DownloadId, FromWorker, Job, Leftovers, ToWorker, Told, What};
use crate::{
    session::worker::{Lane, tell_download},
    text,
};

thread_local! {
    static UNDER_WAY: RefCell<HashMap<DownloadId, oneshot::Sender<Broken>>> = RefCell::default();
}

/// The page wants something.
pub(crate) fn take(message: Vec<u8>, beside: JsValue) {
    match wire::decode(&message) {
        Ok(ToWorker::Start(job)) => spawn_local(run(*job, beside)),
        Ok(ToWorker::Cancel(id)) => end(id, Broken::Cancelled),
        Ok(ToWorker::Gone(id)) => end(id, Broken::Gone),
        Err(_) => {}
    }
}

fn end(id: DownloadId, why: Broken) {
    if let Some(end) = UNDER_WAY.with_borrow_mut(|all| all.remove(&id)) {
        let _ = end.send(why);
    }
}

/// What a person hears of a download that was ended from outside. The browser forgets one that was cancelled there, so the
/// page may find it gone before the next write finds it cancelled.
fn ended_by(why: Broken, is_cancelled: bool) -> Told {
    match why {
        Broken::Cancelled => Told::Cancelled,
        Broken::Gone if is_cancelled => Told::Cancelled,
        broken => Told::Failed(broken.refusal()),
    }
}

/// Why a download ends before all is written.
#[derive(Debug, PartialEq, Eq)]
enum Stop {
    /// The machine, or the way to it.
    Refused(Refusal),
    /// What takes the bytes.
    Broken(Broken),
}

impl From<Refusal> for Stop {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<Broken> for Stop {
    fn from(broken: Broken) -> Self {
        Self::Broken(broken)
    }
}

async fn run(job: Job, beside: JsValue) {
    let (end, ended) = oneshot::channel();
    UNDER_WAY.with_borrow_mut(|all| all.insert(job.id, end));
    text::set_lang(job.lang);
    let tally = Rc::new(Tally::default());
    let lane = Rc::new(Lane::open(job.machine));
    let is_cancelled = Rc::new(Cell::new(false));
    let (blob, told) = {
        let source = Source::new(Rc::clone(&lane), Rc::clone(&tally));
        let work = std::pin::pin!(work(&job, beside, source, Rc::clone(&is_cancelled)));
        let tell = |figures| say(job.id, Told::Progress(figures), &JsValue::NULL);
        let watch = std::pin::pin!(tally.watch(|| lane.route(), tell));
        // Whatever is over first ends the others: what is dropped here lets go of its file and its session.
        match select(select(work, ended), watch).await {
            Either::Left((Either::Left(((blob, told), _)), _)) => (blob, told),
            Either::Left((Either::Right((why, _)), _)) => {
                let why = why.unwrap_or(Broken::Cancelled);
                (JsValue::NULL, ended_by(why, is_cancelled.get()))
            }
            Either::Right(((), _)) => (JsValue::NULL, Told::Cancelled),
        }
    };
    UNDER_WAY.with_borrow_mut(|all| all.remove(&job.id));
    if matches!(told, Told::Done(_)) {
        say(job.id, Told::Progress(tally.figures(lane.route())), &JsValue::NULL);
    }
    say(job.id, told, &blob);
}

async fn work(job: &Job, beside: JsValue, source: Source<Rc<Lane>>, is_cancelled: Rc<Cell<bool>>) -> (JsValue, Told) {
    let done = async {
        let mut sink = Sink::new(job.into, beside, is_cancelled)?;
        let left = match &job.what {
            What::File(place) => {
                file::download(&source, place, &mut sink).await?;
                Leftovers::default()
            }
            What::Archive(tops) => archive::download(&source, tops, &mut sink).await?,
        };
        Ok((sink.close().await?, left))
    };
    match done.await {
        Ok((blob, left)) => (blob, Told::Done(left)),
        Err(Stop::Broken(Broken::Cancelled)) => (JsValue::NULL, Told::Cancelled),
        Err(Stop::Broken(broken)) => (JsValue::NULL, Told::Failed(broken.refusal())),
        Err(Stop::Refused(refusal)) => (JsValue::NULL, Told::Failed(refusal)),
    }
}

fn say(id: DownloadId, told: Told, beside: &JsValue) {
    tell_download(wire::encode(&FromWorker { id, told }), beside, &Array::new());
}

/// The file is not what it was.
fn changing() -> Refusal {
    Refusal::new(ErrorCode::Changing, text::error::machine_changing())
}
