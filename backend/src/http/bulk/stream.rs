//! Answers that are as large as what is asked for: made only as fast as the client takes them, a few at a time.

use std::{io, time::Duration};

use actix_web::HttpResponse;
use beckon_shared::error::ErrorCode;
use bytes::Bytes;
use futures_util::{Stream, StreamExt, TryStreamExt, stream};
use tokio::{
    sync::{Semaphore, SemaphorePermit, mpsc},
    time::timeout,
};
use tokio_util::sync::CancellationToken;

use super::{PATIENCE, body::cut_off};
use crate::{
    drive::body::until_cut,
    error::{Failure, refusal_of},
    store::Error,
};

/// So many answers, or pieces of long ones, are made at once, of all machines together: each has up to about 4 MiB in memory.
static TURNS: Semaphore = Semaphore::const_new(32);

/// Who has to wait longer for a turn is to come again.
const TURN: Duration = Duration::from_secs(30);

/// Bytes that are in memory anyway are handed on in pieces of so much.
const PIECE: usize = 256 << 10;

/// What is made for the client, piece after piece.
type Made = Option<Result<Vec<Bytes>, Error>>;

/// The right to make an answer.
pub(super) struct Turn {
    _permit: SemaphorePermit<'static>,
}

impl Turn {
    /// Waits for it, for a while.
    pub(super) async fn wait(cut: &CancellationToken) -> Result<Self, Failure> {
        let full = || {
            Failure::new(
                ErrorCode::TooMany,
                "the server is read at as many places as it can bear; ask again in a moment",
            )
        };
        let turn = cut.run_until_cancelled(timeout(TURN, TURNS.acquire()));
        let permit = turn.await.ok_or_else(cut_off)?.map_err(|_| full())?;
        permit.map(Self::of).map_err(|_| full())
    }

    fn of(permit: SemaphorePermit<'static>) -> Self {
        Self { _permit: permit }
    }

    /// Answers bytes that are there, and keeps the turn as long as they are.
    pub(super) fn bytes(self, bytes: Vec<u8>, cut: CancellationToken) -> HttpResponse {
        let mut rest = Bytes::from(bytes);
        let pieces = std::iter::from_fn(move || {
            let _kept = &self;
            let piece = rest.split_to(rest.len().min(PIECE));
            (!piece.is_empty()).then(|| Ok(vec![piece]))
        });
        answer(stream::iter(pieces), cut)
    }

    /// Answers what is made piece by piece, until it ends or `cut` fires. Only while a piece is made does it take a turn:
    /// a slow client keeps nobody else waiting.
    pub(super) fn stream(
        self,
        pieces: impl Stream<Item = Result<Vec<Bytes>, Error>> + Send + 'static,
        cut: CancellationToken,
    ) -> HttpResponse {
        answer(self.each(pieces), cut)
    }

    fn each(
        self,
        pieces: impl Stream<Item = Result<Vec<Bytes>, Error>> + Send + 'static,
    ) -> impl Stream<Item = Result<Vec<Bytes>, Error>> + Send {
        stream::unfold((Some(self), pieces.boxed()), |(first, mut pieces)| async move {
            let turn = match first {
                Some(turn) => Ok(turn),
                None => TURNS.acquire().await.map(Self::of),
            };
            let made = match turn {
                Ok(_kept) => pieces.next().await?,
                Err(closed) => Err(Error::Io(io::Error::other(closed))),
            };
            Some((made, (None, pieces)))
        })
    }
}

/// Answers what comes. Who takes nothing for too long is given up.
fn answer(
    pieces: impl Stream<Item = Result<Vec<Bytes>, Error>> + Send + 'static,
    cut: CancellationToken,
) -> HttpResponse {
    let (out, made) = mpsc::channel(1);
    tokio::spawn(make(pieces, out, PATIENCE));
    let body = until_cut(taken(made).boxed(), cut);
    HttpResponse::Ok()
        .content_type("application/octet-stream")
        // An error in the middle breaks the connection off: only the log can say why.
        .streaming(body.inspect_err(|error| drop(refusal_of(error))))
}

async fn make(pieces: impl Stream<Item = Result<Vec<Bytes>, Error>>, out: mpsc::Sender<Made>, patience: Duration) {
    let mut pieces = std::pin::pin!(pieces);
    loop {
        let made = pieces.next().await;
        let is_last = !matches!(made, Some(Ok(_)));
        let sent = timeout(patience, out.send(made)).await;
        if is_last || !matches!(sent, Ok(Ok(()))) {
            return;
        }
    }
}

/// What was made, one piece after the other. It ends well only if that is said.
fn taken(made: mpsc::Receiver<Made>) -> impl Stream<Item = Result<Bytes, Error>> + Send {
    let pieces = stream::try_unfold(made, async |mut made| match made.recv().await {
        Some(Some(pieces)) => Ok(Some((stream::iter(pieces?.into_iter().map(Ok)), made))),
        Some(None) => Ok(None),
        None => Err(Error::Io(io::Error::other("an answer was given up: nobody took it"))),
    });
    pieces.try_flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pieces(count: usize) -> impl Stream<Item = Result<Vec<Bytes>, Error>> {
        stream::iter((0..count).map(|_| Ok(vec![Bytes::from_static(b"a"), Bytes::from_static(b"b")])))
    }

    async fn turn() -> Turn {
        Turn::wait(&CancellationToken::new()).await.unwrap()
    }

    #[tokio::test]
    async fn an_answer_that_is_taken_comes_whole_and_ends_well() {
        let (out, made) = mpsc::channel(1);
        let (taken, ()) = tokio::join!(
            taken(made).try_collect::<Vec<Bytes>>(),
            make(turn().await.each(pieces(3)), out, PATIENCE)
        );
        assert_eq!(taken.unwrap().concat(), b"ababab");
    }

    #[tokio::test]
    async fn clients_that_take_slowly_keep_nobody_else_waiting() {
        let mut slow = Vec::new();
        for _ in 0..40 {
            let turn = timeout(TURN / 2, turn()).await.expect("a turn soon");
            let mut answer = turn.each(pieces(3)).boxed();
            assert!(answer.next().await.is_some());
            slow.push(answer);
        }
        assert_eq!(slow.swap_remove(0).count().await, 2);
    }

    #[tokio::test]
    async fn an_answer_that_nobody_takes_is_given_up_and_never_looks_whole() {
        let (out, made) = mpsc::channel(1);
        make(pieces(3), out, Duration::from_millis(1)).await;
        let taken: Vec<_> = taken(made).collect().await;
        assert!(matches!(taken[..], [Ok(_), Ok(_), Err(_)]));
    }

    #[tokio::test]
    async fn an_error_is_the_last_that_is_told() {
        let (out, made) = mpsc::channel(1);
        let failing = pieces(1).chain(stream::once(async { Err(Error::bad_row("test")) }));
        let (taken, ()) = tokio::join!(
            taken(made).collect::<Vec<_>>(),
            make(failing.chain(pieces(5)), out, PATIENCE)
        );
        assert!(matches!(taken[..], [Ok(_), Ok(_), Err(Error::Database(_))]));
    }
}
