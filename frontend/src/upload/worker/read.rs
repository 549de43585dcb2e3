//! Reads files piece by piece into batches.

use beckon_shared::{
    entry::SourceStamp,
    error::ErrorCode,
    id::Hash,
    manifest::{Content, ContentSum, FileContent, Manifest},
    transfer::Problem,
    wire,
};
use futures_channel::mpsc;
use futures_util::{SinkExt, StreamExt, stream};
use js_sys::{ArrayBuffer, Uint8Array};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{DomException, File};

use super::{
    Item,
    batch::{Batch, Filler, Finished},
    remote::Remote,
};
use crate::{dom, upload::message::Facts};

/// So much is read at once. Bytes.
const SLICE: u64 = 1 << 20;
/// So many files are opened ahead: a small file costs a round trip to the browser's other process.
const AHEAD: usize = 4;

/// Where what is read goes.
pub(super) struct Reader<'a> {
    pub(super) remote: &'a Remote,
    pub(super) items: &'a [Item],
    pub(super) problems: mpsc::UnboundedSender<Problem>,
    pub(super) out: mpsc::Sender<Batch>,
}

/// Nobody takes batches any more: the upload ends for another reason.
struct Stopped;

impl Reader<'_> {
    /// Reads these entries, in this order.
    pub(super) async fn read_all(mut self, wanted: Vec<usize>, mut filler: Filler) {
        let items = self.items;
        let open = |at: usize| async move {
            let first = match &items[at].file {
                Some(file) => slice(file, 0).await,
                None => Ok(Vec::new()),
            };
            (at, dom::now().0, first)
        };
        let mut opened = stream::iter(wanted).map(open).buffered(AHEAD);
        while let Some((at, read_at, first)) = opened.next().await {
            if self.read(at, read_at, first, &mut filler).await.is_err() {
                return;
            }
        }
        let _ = self.hand_over(filler.take()).await;
    }

    async fn read(
        &mut self,
        at: usize,
        read_at: i64,
        first: Result<Vec<u8>, JsValue>,
        filler: &mut Filler,
    ) -> Result<(), Stopped> {
        let entry = &self.items[at].entry;
        let finished = match (entry.file, &self.items[at].file) {
            (None, _) => Some(folder()),
            (Some(facts), Some(file)) => match self.content(file, facts, first, filler).await? {
                Ok(content) => Some(manifest(facts, read_at, content)),
                Err(problem) => {
                    filler.abandon();
                    self.fail(at, problem);
                    None
                }
            },
            (Some(_), None) => {
                self.fail(at, gone());
                None
            }
        };
        if let Some(manifest) = finished {
            filler.finish(Finished {
                entry: at,
                path: entry.path.clone(),
                manifest: wire::encode(&manifest),
                size: entry.file.map_or(0, |facts| facts.size),
                is_file: entry.file.is_some(),
            });
        }
        self.hand_over_if_full(filler).await
    }

    async fn content(
        &mut self,
        file: &File,
        facts: Facts,
        first: Result<Vec<u8>, JsValue>,
        filler: &mut Filler,
    ) -> Result<Result<ContentSum, (ErrorCode, &'static str)>, Stopped> {
        let (mut read, mut next) = (0, first);
        let mut ends = Vec::new();
        loop {
            match next {
                Err(cause) => return Ok(Err(why(&cause))),
                Ok(bytes) if bytes.is_empty() && read < facts.size => return Ok(Err(changed())),
                Ok(bytes) => {
                    let to = read + bytes.len() as u64;
                    if read == 0 || to >= facts.size {
                        ends.push((read, Hash::of(&bytes)));
                    }
                    read = to;
                    filler.push(&bytes);
                }
            }
            if read >= facts.size {
                return Ok(match ends.len() == 1 || is_same(file, &ends).await {
                    true => Ok(filler.end()),
                    false => Err(changed()),
                });
            }
            self.hand_over_if_full(filler).await?;
            self.remote.page.gate.pass().await;
            next = slice(file, read).await;
        }
    }

    async fn hand_over_if_full(&mut self, filler: &mut Filler) -> Result<(), Stopped> {
        match filler.is_full() {
            true => self.hand_over(filler.take()).await,
            false => Ok(()),
        }
    }

    async fn hand_over(&mut self, batch: Option<Batch>) -> Result<(), Stopped> {
        match batch {
            Some(batch) => self.out.send(batch).await.map_err(|_| Stopped),
            None => Ok(()),
        }
    }

    fn fail(&self, at: usize, (code, message): (ErrorCode, &str)) {
        self.remote.counters.failed();
        // Nobody takes problems any more only when the upload ends.
        let _ = self.problems.unbounded_send(Problem {
            path: self.items[at].entry.path.clone(),
            code,
            message: message.to_owned(),
        });
    }
}

/// The bytes of a file from a place on, up to [`SLICE`].
async fn slice(file: &File, from: u64) -> Result<Vec<u8>, JsValue> {
    let blob = file.slice_with_f64_and_f64(from as f64, (from + SLICE) as f64)?;
    let buffer = JsFuture::from(blob.array_buffer()).await?;
    Ok(Uint8Array::new(&buffer.unchecked_into::<ArrayBuffer>()).to_vec())
}

/// Whether these slices still hold what they held: a browser may read on in a file that is written over meanwhile.
async fn is_same(file: &File, slices: &[(u64, Hash)]) -> bool {
    for (from, before) in slices {
        let now = slice(file, *from).await;
        if !now.is_ok_and(|bytes| Hash::of(&bytes) == *before) {
            return false;
        }
    }
    true
}

fn manifest(facts: Facts, read_at: i64, content: ContentSum) -> Manifest {
    let mtime_ns = facts.modified.saturating_mul(1_000_000);
    let file = FileContent {
        stamp: SourceStamp {
            size: facts.size,
            mtime_ns,
            ctime_ns: 0,
            file_id: 0,
        },
        read_ns: read_at.saturating_mul(1_000_000),
        hash: content.hash,
        crc32: content.crc32,
        torn: false,
        sparse: false,
        chunks: content.chunks,
    };
    Manifest {
        suite: 0,
        mode: 0,
        mtime_ns,
        content: Content::File(file),
    }
}

fn folder() -> Manifest {
    Manifest {
        suite: 0,
        mode: 0,
        mtime_ns: dom::now().0.saturating_mul(1_000_000),
        content: Content::Folder,
    }
}

/// A browser does not read a file that changed since it was chosen.
fn why(cause: &JsValue) -> (ErrorCode, &'static str) {
    let name = cause.dyn_ref().map(DomException::name).unwrap_or_default();
    match name.as_str() {
        "NotReadableError" => changed(),
        "NotFoundError" => gone(),
        _ => (
            ErrorCode::NotReadable,
            "this browser may not read it; give it the right to, then choose it again",
        ),
    }
}

fn changed() -> (ErrorCode, &'static str) {
    (
        ErrorCode::Changing,
        "it changed since it was chosen, or may not be read; choose it again",
    )
}

fn gone() -> (ErrorCode, &'static str) {
    (
        ErrorCode::NotFound,
        "it is not there any more; choose it where it is now",
    )
}
