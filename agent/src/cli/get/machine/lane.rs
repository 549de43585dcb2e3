//! The line over which content comes: so much under way at once, each piece verified, patient while no way stands.

use std::{
    future::Future,
    ops::Range,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use beckon_shared::{
    browse::{Answer, Ask, READ_MAX, Route},
    entry::{Entry, SourceStamp},
    error::{Class, ErrorCode, Refusal},
    id::{Hash, RootId},
    path::RootPath,
};
use futures_util::{Stream, StreamExt, stream};
use serde::Serialize;
use tokio::{
    sync::{Semaphore, SemaphorePermit},
    time::Instant,
};

use crate::session::Reach;

/// The unit that is asked for, verified and counted. Bytes.
pub(super) const PIECE: u32 = READ_MAX;

/// Content under way or not yet written: 60 MB/s at a round trip of 50 ms take 3 MB on the line. Bytes.
const WINDOW: u32 = 8 << 20;
/// Asks under way: with a round trip of 50 ms some thousand small files come in a second.
const ASKS: usize = 128;
/// Pieces of one file under way.
const AHEAD: usize = (WINDOW / PIECE) as usize;
/// How long no way to the machine may stand before it is given up.
const PATIENCE: Duration = Duration::from_secs(90);
/// Pauses between two attempts.
const SHORTEST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(4);
/// A piece that came damaged is asked for so often.
const TRIES: u32 = 3;

/// A machine that can be asked, over whatever way.
pub(super) trait Machine: Sync {
    /// Asks for something; any number at once.
    fn ask(&self, body: Ask) -> impl Future<Output = Result<Answer, Refusal>> + Send;
    /// The way that asks take now.
    fn route(&self) -> Route;
}

impl Machine for Reach {
    async fn ask(&self, body: Ask) -> Result<Answer, Refusal> {
        Self::ask(self, body).await
    }

    fn route(&self) -> Route {
        Self::route(self).unwrap_or(Route::Relay)
    }
}

/// Bytes of files that came, by what became of them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub(super) struct Counts {
    /// By way of the server.
    pub(super) relay: u64,
    /// Straight.
    pub(super) direct: u64,
    /// Arrived whole, once each.
    pub(super) verified: u64,
    /// Verified again from what an earlier run had fetched.
    pub(super) kept: u64,
}

/// A root of a machine, from which much is fetched.
pub(super) struct Lane<M> {
    machine: M,
    root: RootId,
    window: Semaphore,
    asks: Semaphore,
    heard: Mutex<Instant>,
    relay: AtomicU64,
    direct: AtomicU64,
    verified: AtomicU64,
    kept: AtomicU64,
}

/// Verified bytes, and their place in the window until they are written.
pub(super) struct Piece<'a> {
    /// The bytes.
    pub(super) bytes: Vec<u8>,
    /// Their BLAKE3.
    pub(super) hash: Hash,
    /// Its place.
    pub(super) room: SemaphorePermit<'a>,
}

impl<M: Machine> Lane<M> {
    /// A lane to this root.
    pub(super) fn new(machine: M, root: RootId) -> Self {
        Self {
            machine,
            root,
            window: Semaphore::new(WINDOW as usize),
            asks: Semaphore::new(ASKS),
            heard: Mutex::new(Instant::now()),
            relay: AtomicU64::new(0),
            direct: AtomicU64::new(0),
            verified: AtomicU64::new(0),
            kept: AtomicU64::new(0),
        }
    }

    /// The root.
    pub(super) fn root(&self) -> RootId {
        self.root
    }

    /// What came so far.
    pub(super) fn counts(&self) -> Counts {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        Counts {
            relay: read(&self.relay),
            direct: read(&self.direct),
            verified: read(&self.verified),
            kept: read(&self.kept),
        }
    }

    /// Counts what was there from an earlier run.
    pub(super) fn keep(&self, bytes: u64) {
        self.kept.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Asks, and asks again while no way stands, for as long as there is hope.
    pub(super) async fn ask(&self, body: Ask) -> Result<Answer, Refusal> {
        let _turn = self.asks.acquire().await;
        let mut pause = SHORTEST_PAUSE;
        let mut failed = None;
        loop {
            let refusal = match self.machine.ask(body.clone()).await {
                Err(refusal) if is_away(&refusal) => refusal,
                answer => {
                    *self.heard() = Instant::now();
                    return answer;
                }
            };
            // Nothing may have been asked for long before this.
            let since = *failed.get_or_insert_with(Instant::now);
            if self.heard().max(since).elapsed() > PATIENCE {
                return Err(given_up(refusal));
            }
            tracing::debug!(%refusal, "asked again after a pause");
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// One entry as it is now.
    pub(super) async fn stat(&self, path: &RootPath) -> Result<Entry, Refusal> {
        let ask = Ask::Stat {
            root: self.root,
            path: path.clone(),
        };
        match self.ask(ask).await? {
            Answer::Page(page) => page.entries.into_iter().next().ok_or_else(misunderstood),
            _ => Err(misunderstood()),
        }
    }

    /// The pieces of a range of a file in one state, in order.
    pub(super) fn pieces(
        &self,
        path: &RootPath,
        stamp: SourceStamp,
        range: Range<u64>,
    ) -> impl Stream<Item = Result<Piece<'_>, Refusal>> {
        let end = range.end;
        let starts = range.step_by(PIECE as usize);
        stream::iter(starts)
            .map(move |start| {
                // At most a piece.
                let len = u32::try_from((end - start).min(PIECE.into())).unwrap_or(PIECE);
                self.piece(path.clone(), stamp, start, len)
            })
            .buffered(AHEAD)
    }

    /// One piece of at most [`PIECE`] bytes.
    pub(super) async fn piece(
        &self,
        path: RootPath,
        stamp: SourceStamp,
        offset: u64,
        len: u32,
    ) -> Result<Piece<'_>, Refusal> {
        // Never closed.
        let room = self.window.acquire_many(len).await.map_err(|_| misunderstood())?;
        let ask = Ask::Fetch {
            root: self.root,
            path,
            stamp,
            offset,
            len,
        };
        for _ in 0..TRIES {
            let Answer::Fetched { bytes, hash } = self.ask(ask.clone()).await? else {
                return Err(misunderstood());
            };
            self.count(bytes.len() as u64);
            if bytes.len() == len as usize && Hash::of(&bytes) == hash {
                self.verified.fetch_add(len.into(), Ordering::Relaxed);
                return Ok(Piece { bytes, hash, room });
            }
        }
        Err(Refusal::new(
            ErrorCode::Damaged,
            "what came does not match its hash, three times; check the machine's memory and disk, then try again",
        ))
    }

    fn count(&self, bytes: u64) {
        let count = match self.machine.route() {
            Route::Relay => &self.relay,
            Route::Direct | Route::Lan => &self.direct,
        };
        count.fetch_add(bytes, Ordering::Relaxed);
    }

    fn heard(&self) -> std::sync::MutexGuard<'_, Instant> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether nobody answered; everything else is an answer.
fn is_away(refusal: &Refusal) -> bool {
    matches!(refusal.code, ErrorCode::Away | ErrorCode::GoingAway)
        || (refusal.code.class() == Class::Limit && refusal.code.may_retry())
}

fn given_up(refusal: Refusal) -> Refusal {
    let message = format!(
        "{}; the same command goes on where it was cut off",
        refusal.message.trim_end_matches('.')
    );
    Refusal { message, ..refusal }
}

/// The machine answered something else than was asked.
pub(super) fn misunderstood() -> Refusal {
    Refusal::new(
        ErrorCode::BadVersion,
        "the machine answered something else than was asked; update the older of both programs",
    )
}
