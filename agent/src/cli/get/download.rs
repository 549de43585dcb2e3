//! Bytes of one resource, however often the connection breaks: each try goes on where the last one ended.

use std::{io, time::Duration};

use beckon_shared::error::{ErrorCode, Refusal};
use reqwest::{
    Response, StatusCode,
    header::{CONTENT_LENGTH, CONTENT_RANGE, ETAG, HeaderMap, HeaderValue, IF_RANGE, RANGE},
};

use crate::{
    http::Api,
    output::{Failure, moved},
};

/// Tries without a single new byte before it is given up.
const TRIES: u32 = 5;
/// Pauses between two tries.
const SHORTEST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// A body that says nothing for so long is broken.
const SILENCE: Duration = Duration::from_secs(60);

/// Takes the bytes in.
pub(super) trait Sink {
    /// How many it has.
    fn len(&self) -> u64;
    /// Forgets them all.
    async fn restart(&mut self) -> io::Result<()>;
    /// Takes the next ones.
    async fn write(&mut self, bytes: &[u8]) -> io::Result<()>;
    /// Makes sure that what was taken survives the end of this program.
    async fn pause(&mut self) -> io::Result<()>;
}

/// What is downloaded.
#[derive(Debug, Clone)]
pub(super) struct Source {
    /// Path and query at the server.
    pub(super) url: String,
    /// The strong entity tag (RFC 9110, 8.8.3) of what a sink has already, if it is known.
    pub(super) etag: Option<HeaderValue>,
}

/// Why it is not whole.
#[derive(Debug)]
pub(super) enum Broken {
    /// The server or the network.
    Remote(Failure),
    /// The disk, or whatever the bytes go to.
    Local(io::Error),
}

impl From<Failure> for Broken {
    fn from(failure: Failure) -> Self {
        Self::Remote(failure)
    }
}

impl From<io::Error> for Broken {
    fn from(error: io::Error) -> Self {
        Self::Local(error)
    }
}

/// Fills the sink with the whole resource and gives its length. `told` hears the entity tag as soon as it is known.
pub(super) async fn download(
    api: &Api,
    source: &mut Source,
    sink: &mut impl Sink,
    mut told: impl FnMut(&HeaderValue) -> io::Result<()>,
) -> Result<u64, Broken> {
    let (mut tries, mut pause) = (TRIES, SHORTEST_PAUSE);
    moved(sink.len());
    loop {
        let before = sink.len();
        let failure = match once(api, source, sink, &mut told).await {
            Ok(len) => return Ok(len),
            Err(Broken::Remote(failure)) if failure.retry => failure,
            Err(broken) => {
                sink.pause().await?;
                return Err(broken);
            }
        };
        sink.pause().await?;
        (tries, pause) = if sink.len() > before {
            (TRIES, SHORTEST_PAUSE)
        } else {
            (tries - 1, pause)
        };
        if tries == 0 {
            return Err(failure.into());
        }
        tracing::debug!(failure = failure.code, "a download goes on after a pause");
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

async fn once(
    api: &Api,
    source: &mut Source,
    sink: &mut impl Sink,
    told: &mut impl FnMut(&HeaderValue) -> io::Result<()>,
) -> Result<u64, Broken> {
    let response = api.download(&source.url, headers(source, sink.len())).await?;
    if response.status() == StatusCode::RANGE_NOT_SATISFIABLE {
        // The sink has more than there is, or exactly all of it; only the length tells which.
        if total_of(&response) == Some(sink.len()) {
            return Ok(sink.len());
        }
        sink.restart().await?;
        return Err(Failure {
            retry: true,
            ..changed()
        }
        .into());
    }
    if let Some(etag) = response
        .headers()
        .get(ETAG)
        .filter(|etag| !etag.as_bytes().starts_with(b"W/"))
    {
        told(etag)?;
        source.etag = Some(etag.clone());
    }
    let total = total_of(&response);
    if start_of(&response) != sink.len() {
        sink.restart().await?;
        if start_of(&response) != 0 {
            return Err(Failure {
                retry: true,
                ..changed()
            }
            .into());
        }
    }
    pour(api, response, sink).await?;
    match total {
        Some(total) if total != sink.len() => Err(Failure {
            retry: true,
            ..cut(api)
        }
        .into()),
        _ => Ok(sink.len()),
    }
}

/// Takes in the rest of an answer.
pub(super) async fn pour(api: &Api, mut response: Response, sink: &mut impl Sink) -> Result<(), Broken> {
    loop {
        let piece = tokio::time::timeout(SILENCE, response.chunk())
            .await
            .map_err(|_| api.silent())?;
        match piece.map_err(|error| api.transport(&error))? {
            Some(piece) => {
                sink.write(&piece).await?;
                moved(piece.len() as u64);
            }
            None => return Ok(()),
        }
    }
}

/// Asks for what is missing; the whole, if what is there belongs to another content by now.
fn headers(source: &Source, from: u64) -> HeaderMap {
    let mut headers = HeaderMap::new();
    if let (1.., Ok(range)) = (from, HeaderValue::from_str(&format!("bytes={from}-"))) {
        headers.insert(RANGE, range);
        headers.extend(source.etag.clone().map(|etag| (IF_RANGE, etag)));
    }
    headers
}

/// Where a body begins in the whole.
fn start_of(response: &Response) -> u64 {
    if response.status() != StatusCode::PARTIAL_CONTENT {
        return 0;
    }
    content_range(response).and_then(|(start, _)| start).unwrap_or(0)
}

/// The length of the whole.
fn total_of(response: &Response) -> Option<u64> {
    match response.status() {
        StatusCode::PARTIAL_CONTENT | StatusCode::RANGE_NOT_SATISFIABLE => content_range(response)?.1,
        _ => response.headers().get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok(),
    }
}

/// `bytes 5-9/10` or `bytes */10` (RFC 9110, 14.4): the first byte and the length of the whole.
fn content_range(response: &Response) -> Option<(Option<u64>, Option<u64>)> {
    let text = response
        .headers()
        .get(CONTENT_RANGE)?
        .to_str()
        .ok()?
        .strip_prefix("bytes ")?;
    let (range, total) = text.split_once('/')?;
    let start = range.split_once('-').and_then(|(start, _)| start.parse().ok());
    Some((start, total.parse().ok()))
}

fn changed() -> Failure {
    Refusal::new(
        ErrorCode::Conflict,
        "what was fetched changed on the server meanwhile; fetch it again",
    )
    .into()
}

fn cut(api: &Api) -> Failure {
    let mut failure = api.silent();
    failure.message = failure
        .message
        .replace("it does not answer in time", "the download was cut off");
    failure
}

#[cfg(test)]
mod tests;
