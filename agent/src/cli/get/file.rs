//! One file, to a place on the disk or to standard output.

use std::{
    io::{self, IsTerminal, Write},
    path::Path,
    sync::Arc,
};

use beckon_shared::{
    api::drive::NodeView,
    error::{ErrorCode, Refusal},
    id::Hash,
};
use cap_std::fs::Dir;
use reqwest::{
    StatusCode,
    header::{HeaderMap, HeaderValue, RANGE},
};

use super::{
    Args, Wanted,
    download::{Broken, Sink, Source, download},
    local::{self, Clash, Fetched, Place},
    name_of,
    part::{self, Finish, Leftover, Part, Sync},
    range::ByteRange,
    shown_name,
};
use crate::{
    cli::Here,
    http::Api,
    output::{Bar, Exit, Failure, remark, size, visible},
};

/// Fetches a file, or a range of it.
pub(super) async fn get(here: &Here, api: &Api, wanted: &Wanted, args: &Args) -> Result<Exit, Failure> {
    let (output, range) = (args.output.as_deref(), args.range);
    let to_stdout = output.map_or(range.is_some(), |output| output.as_os_str() == "-");
    let bar = bar(here, to_stdout);
    bar.total(range.map_or(Some(wanted.size), |range| range.len_of(wanted.size)));
    let done = match (range, to_stdout) {
        (Some(range), true) => copy_range(api, wanted, range, &mut Stdout::default()).await,
        (None, true) => to_standard_output(api, wanted).await,
        (_, false) => to_disk(here, api, wanted, place(wanted, output)?, args).await,
    };
    drop(bar);
    done.map_err(|failure| with_name(failure, wanted))?;
    if wanted.torn {
        let name = wanted
            .name
            .as_ref()
            .map(|name| visible(name.as_bytes()))
            .unwrap_or_default();
        remark(here.out, &format!("beckon: {name}: {TORN}"));
    }
    Ok(Exit::Done)
}

/// Shows how far it is, unless the content itself goes to a terminal.
pub(super) fn bar(here: &Here, to_stdout: bool) -> Bar {
    match to_stdout && std::io::stdout().is_terminal() {
        true => Bar::hidden(),
        false => Bar::new(here.out),
    }
}

/// What is said of a torn version beside its name.
pub(super) const TORN: &str =
    "this version is torn: the file changed while it was read; upload it again when it is at rest";

async fn to_disk(here: &Here, api: &Api, wanted: &Wanted, place: Place, args: &Args) -> Result<(), Failure> {
    let (range, clash) = (args.range, args.clash());
    let path = place.path.clone();
    let fetched = match range {
        Some(range) => range_to_place(api, wanted, range, place, clash).await?,
        None => to_place(api, wanted, place, clash).await?,
    };
    report(here, wanted, &path, range, fetched)
}

/// The server knows a damaged file by its id, people by its name.
fn with_name(failure: Failure, wanted: &Wanted) -> Failure {
    let Some(name) = wanted.name.as_ref().filter(|_| failure.is(ErrorCode::Damaged)) else {
        return failure;
    };
    let message = format!("{}: {}", visible(name.as_bytes()), failure.message);
    Failure { message, ..failure }
}

fn place(wanted: &Wanted, output: Option<&Path>) -> Result<Place, Failure> {
    let name = wanted.name.as_ref().and_then(local::os_name);
    Place::of(output, name).map_err(|error| Failure::file(output.unwrap_or(Path::new(".")), &error))
}

fn report(
    here: &Here,
    wanted: &Wanted,
    path: &Path,
    range: Option<ByteRange>,
    fetched: Fetched,
) -> Result<(), Failure> {
    let bytes = range
        .map_or(Some(wanted.size), |range| range.len_of(wanted.size))
        .unwrap_or(0);
    let result = serde_json::json!({
        "path": path.to_string_lossy(), "size": bytes, "hash": range.is_none().then(|| wanted.hash.to_string()),
        "node": wanted.node, "version": wanted.version, "torn": wanted.torn, "skipped": fetched == Fetched::Same,
    });
    here.out.one(&result, || {
        let path = visible(path.as_os_str().as_encoded_bytes());
        match fetched {
            Fetched::New => format!("{path}: {}", size(bytes)),
            Fetched::Same => format!("{path}: was there already, the same"),
        }
    })
}

async fn to_place(api: &Api, wanted: &Wanted, place: Place, clash: Clash) -> Result<Fetched, Failure> {
    let result = fetch(api, wanted, Arc::new(place.folder), &place.name, Sync::Each, clash).await;
    result.map_err(|broken| failure(broken, &place.path))
}

/// In the words of the command line.
pub(super) fn failure(broken: Broken, path: &Path) -> Failure {
    match broken {
        Broken::Remote(failure) => failure,
        Broken::Local(error) => Failure::file(path, &error),
    }
}

/// Fetches a whole file into a folder, unless the same is there already.
pub(super) async fn fetch(
    api: &Api,
    wanted: &Wanted,
    folder: Arc<Dir>,
    name: &std::ffi::OsStr,
    sync: Sync,
    clash: Clash,
) -> Result<Fetched, Broken> {
    if let Some(file) = local::open_same_size(&folder, name, wanted.size)
        && part::hash_of(file).await? == wanted.hash
    {
        return Ok(Fetched::Same);
    }
    local::may_take(&folder, name, clash)?;
    let finish = Finish {
        mode: wanted.mode,
        mtime: Some(local::system_time(wanted.mtime)),
        sync,
        clash,
    };
    let mut leftover = Leftover::Keep;
    loop {
        let mut part = Part::open(Arc::clone(&folder), name, leftover).await?;
        let resumed = part.len() > 0;
        let is_whole = part.len() == wanted.size && part.hash() == wanted.hash;
        if !is_whole {
            let mut source = Source {
                url: wanted.url(),
                etag: None,
            };
            download(api, &mut source, &mut part, |_| Ok(())).await?;
        }
        if part.hash() == wanted.hash {
            part.finish(finish).await?;
            return Ok(Fetched::New);
        }
        if !resumed {
            part.discard();
            return Err(damaged().into());
        }
        // What an earlier try left was of another content.
        leftover = Leftover::Forget;
    }
}

pub(super) fn damaged() -> Failure {
    Refusal::new(
        ErrorCode::Damaged,
        "what came does not match its hash; upload it again, or get an older version (beckon drive versions)",
    )
    .into()
}

/// Standard output as a place for bytes: what went out cannot be taken back.
#[derive(Default)]
pub(super) struct Stdout {
    hasher: blake3::Hasher,
    len: u64,
    /// Bytes that come again after a restart and went out already.
    skip: u64,
}

impl Sink for Stdout {
    fn len(&self) -> u64 {
        self.len - self.skip
    }

    /// The content of a version never changes, so its first bytes are those that went out.
    async fn restart(&mut self) -> io::Result<()> {
        self.skip = self.len;
        Ok(())
    }

    async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let again = usize::try_from(self.skip).unwrap_or(usize::MAX).min(bytes.len());
        self.skip -= again as u64;
        let bytes = &bytes[again..];
        self.hasher.update(bytes);
        self.len += bytes.len() as u64;
        std::io::stdout().lock().write_all(bytes)
    }

    async fn pause(&mut self) -> io::Result<()> {
        std::io::stdout().lock().flush()
    }
}

async fn to_standard_output(api: &Api, wanted: &Wanted) -> Result<(), Failure> {
    let mut out = Stdout::default();
    let mut source = Source {
        url: wanted.url(),
        etag: None,
    };
    let done = download(api, &mut source, &mut out, |_| Ok(())).await;
    let done = match done {
        Ok(_) => out.pause().await.map_err(Broken::Local),
        Err(broken) => Err(broken),
    };
    done.map_err(written)?;
    if Hash(*out.hasher.finalize().as_bytes()) == wanted.hash {
        Ok(())
    } else {
        Err(damaged())
    }
}

/// In the words of the command line, of standard output.
pub(super) fn written(broken: Broken) -> Failure {
    match broken {
        Broken::Remote(failure) => failure,
        Broken::Local(error) => Failure::output(error),
    }
}

async fn range_to_place(
    api: &Api,
    wanted: &Wanted,
    range: ByteRange,
    place: Place,
    clash: Clash,
) -> Result<Fetched, Failure> {
    let at = |error: io::Error| Failure::file(&place.path, &error);
    local::may_take(&place.folder, &place.name, clash).map_err(at)?;
    let mut part = Part::open_range(Arc::new(place.folder), &place.name)
        .await
        .map_err(at)?;
    if let Err(failure) = copy_range(api, wanted, range, &mut part).await {
        part.discard();
        return Err(failure);
    }
    let finish = Finish {
        mode: wanted.mode,
        mtime: None,
        sync: Sync::Each,
        clash,
    };
    part.finish(finish).await.map_err(at)?;
    Ok(Fetched::New)
}

/// A range is too short a thing to go on with: it comes in one piece or not at all.
async fn copy_range(api: &Api, wanted: &Wanted, range: ByteRange, sink: &mut impl Sink) -> Result<(), Failure> {
    let outside = || {
        let advice = format!("the file has {} bytes; choose a range inside it", wanted.size);
        Failure::from(Refusal::new(ErrorCode::BadRequest, advice))
    };
    let len = range.len_of(wanted.size).ok_or_else(outside)?;
    let mut headers = HeaderMap::new();
    let header = HeaderValue::from_str(&format!("bytes={range}"));
    headers.insert(RANGE, header.map_err(|_| Failure::internal("a range has no header"))?);
    let mut response = api.download(&wanted.url(), headers).await?;
    if response.status() != StatusCode::PARTIAL_CONTENT {
        return Err(outside());
    }
    while let Some(piece) = response.chunk().await.map_err(|error| api.transport(&error))? {
        sink.write(&piece).await.map_err(Failure::output)?;
    }
    sink.pause().await.map_err(Failure::output)?;
    if sink.len() == len {
        Ok(())
    } else {
        Err(Failure::unreachable("the server", "the range was cut off"))
    }
}

/// A symlink comes as a symlink.
pub(super) fn get_symlink(here: &Here, node: &NodeView, output: Option<&Path>, clash: Clash) -> Result<Exit, Failure> {
    let target = node.target.as_ref().ok_or_else(super::nothing_stored)?;
    let at = |error: io::Error| Failure::file(output.unwrap_or(Path::new(".")), &error);
    let place = Place::of(output, name_of(node).as_ref().and_then(local::os_name)).map_err(at)?;
    local::make_symlink(&place.folder, &place.name, &target.0, clash).map_err(at)?;
    let result =
        serde_json::json!({ "path": place.path.to_string_lossy(), "target": String::from_utf8_lossy(&target.0) });
    here.out
        .one(&result, || format!("{} -> {}", shown_name(node), visible(&target.0)))?;
    Ok(Exit::Done)
}

#[cfg(test)]
mod tests {
    use beckon_shared::{
        id::{NodeId, VersionId},
        path::Name,
        time::Timestamp,
    };

    use super::*;

    #[test]
    fn damage_is_told_with_the_files_name_and_nothing_else_is() {
        let wanted = Wanted {
            node: NodeId::new(Timestamp(0), [0; 10]),
            version: VersionId::new(Timestamp(0), [0; 10]),
            name: Some(Name::new("today\n.md").unwrap()),
            size: 0,
            hash: Hash::of(b""),
            mtime: Timestamp(0),
            mode: 0,
            torn: false,
        };
        let told = |code| with_name(Refusal::new(code, "do this").into(), &wanted).message;
        assert_eq!(told(ErrorCode::Damaged), "today\\n.md: do this");
        assert_eq!(told(ErrorCode::Away), "do this");
    }
}
