//! `beckon transfers read`: a file of a transfer, also while its machine still uploads it.

use std::{ffi::OsString, path::PathBuf, sync::Arc};

use beckon_shared::{
    error::{ErrorCode, Refusal},
    id::TransferId,
    path::RootPath,
};
use reqwest::{
    StatusCode,
    header::{HeaderMap, HeaderValue, RANGE},
};

use super::{
    download::{Broken, Sink, pour},
    file::{Stdout, failure, written},
    local::{self, Clash, Place},
    part::{Finish, Leftover, Part, Sync},
    range::ByteRange,
};
use crate::{
    cli::Here,
    http::{Api, percent},
    output::{Exit, Failure, size, visible},
};

/// What `transfers read` is told.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Id of the transfer
    id: TransferId,
    /// The file, below the root of the transfer
    path: OsString,
    /// File or folder to write to; standard output if absent or -
    #[arg(short = 'o', long, value_name = "FILE|DIR")]
    output: Option<PathBuf>,
    /// Replace a file that is there already
    #[arg(long)]
    force: bool,
    /// Only these bytes: A-B (both included), A- or -N for the last N
    #[arg(long, value_name = "A-B", allow_hyphen_values = true)]
    range: Option<ByteRange>,
}

/// Reads what is stored already from the server, and the rest from the machine.
pub(crate) async fn read(here: &Here, args: Args) -> Result<Exit, Failure> {
    let path =
        RootPath::new(args.path.as_encoded_bytes()).map_err(|bad| Failure::usage(format!("{bad}; see: beckon ls")))?;
    let api = here.api(&here.controller()?)?;
    let source = Source {
        url: format!("/api/transfers/{}/content?path={}", args.id, percent(path.as_bytes())),
        range: args.range,
    };
    let output = args.output.as_deref().filter(|output| output.as_os_str() != "-");
    let Some(output) = output else {
        source.copy(&api, &mut Stdout::default()).await.map_err(written)?;
        return Ok(Exit::Done);
    };
    let own_name = path.split_last().and_then(|(_, name)| local::os_name(&name));
    let clash = if args.force { Clash::Replace } else { Clash::Refuse };
    let place = Place::of(Some(output), own_name).map_err(|error| Failure::file(output, &error))?;
    let shown = place.path.clone();
    let len = source
        .to_place(&api, place, clash)
        .await
        .map_err(|broken| failure(broken, &shown))?;
    let result = serde_json::json!({ "path": shown.to_string_lossy(), "size": len });
    here.out.one(&result, || {
        format!("{}: {}", visible(shown.as_os_str().as_encoded_bytes()), size(len))
    })?;
    Ok(Exit::Done)
}

/// What is read.
struct Source {
    url: String,
    range: Option<ByteRange>,
}

impl Source {
    /// It comes in one piece or not at all: what came before a break may be of a file that has changed.
    async fn to_place(&self, api: &Api, place: Place, clash: Clash) -> Result<u64, Broken> {
        local::may_take(&place.folder, &place.name, clash)?;
        let mut part = Part::open(Arc::new(place.folder), &place.name, Leftover::Forget).await?;
        if let Err(broken) = self.copy(api, &mut part).await {
            part.discard();
            return Err(broken);
        }
        let len = part.len();
        let finish = Finish {
            mode: 0,
            mtime: None,
            sync: Sync::Each,
            clash,
        };
        part.finish(finish).await?;
        Ok(len)
    }

    async fn copy(&self, api: &Api, sink: &mut impl Sink) -> Result<(), Broken> {
        let mut headers = HeaderMap::new();
        if let Some(range) = self.range {
            let header = HeaderValue::from_str(&format!("bytes={range}"));
            headers.insert(RANGE, header.map_err(|_| Failure::internal("a range has no header"))?);
        }
        let response = api.download(&self.url, headers).await?;
        if response.status() == StatusCode::RANGE_NOT_SATISFIABLE {
            let advice = "the file is not as long as that; choose a range inside it";
            return Err(Failure::from(Refusal::new(ErrorCode::BadRequest, advice)).into());
        }
        pour(api, response, sink).await?;
        Ok(sink.pause().await?)
    }
}
