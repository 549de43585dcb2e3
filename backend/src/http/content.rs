//! `/api/transfers/{id}/content`: a file of a transfer, also while its machine still uploads it.
//!
//! What the transfer has committed comes from the store. Else the machine is asked on its control socket, and answers at
//! `/bulk/live/TICKET` with segments: bytes of its disk, and chunks that are in the store already.

mod answer;
mod body;
mod reads;

pub(crate) use self::reads::Reads;

use std::{ops::Range, time::Duration};

use actix_web::{HttpRequest, web};
use beckon_shared::{
    bulk::Segment,
    entry::SourceStamp,
    error::{ErrorCode, Refusal},
    id::{Hash, TransferId},
    manifest::Content,
    path::RootPath,
    wire::{self, FromServer, ReadLive},
};
use futures_util::StreamExt;
use tokio::time::timeout;

use self::{
    body::{Source, told},
    reads::{Asked, Reader},
};
use super::{
    drive::{download::Download, query::Query},
    guard::SignedIn,
};
use crate::{
    access::{GrantedSpace, Right},
    app::App,
    clock::random,
    drive::{
        body::{Body, exactly},
        view::version_id,
    },
    error::Answer,
    store::{
        Error,
        meta::{
            self,
            drive::head::{Origin, heads_of},
            transfer::Transfer,
        },
        read::VersionContent,
    },
};

/// A machine that is there begins to answer within this.
const ANSWER: Duration = Duration::from_secs(10);

/// When to come back to a machine that is busy or away.
const COME_BACK: Duration = Duration::from_secs(5);

/// The paths of this folder.
pub(crate) fn routes(cfg: &mut web::ServiceConfig) {
    cfg.service(
        web::resource("/api/transfers/{id}/content")
            .route(web::get().to(content))
            .route(web::head().to(content)),
    )
    .route("/bulk/live/{ticket}", web::post().to(answer::take));
}

/// A file of a transfer, also while it is uploaded. Answers ranges; `ETag` follows the file on the machine.
#[utoipa::path(
    get, path = "/api/transfers/{id}/content",
    params(
        ("id" = String, Path),
        ("path" = String, Query, description = "Names below the root of the transfer, joined by `/`, any bytes percent-encoded"),
    ),
    responses(
        (status = 200, content_type = "application/octet-stream"),
        (status = 206, content_type = "application/octet-stream"),
        (status = 304), (status = 404, body = Refusal), (status = 416, body = Refusal),
        (status = 409, body = Refusal, description = "`changing`: the file changed since the upload began with it; `conflict`: the transfer is over or paused"),
        (status = 429, body = Refusal, description = "The machine is read at too many places at once; `Retry-After` says when to come back"),
        (status = 503, body = Refusal, description = "`away`: the machine is away or does not answer"),
    ),
)]
pub(super) async fn content(
    by: SignedIn,
    app: web::Data<App>,
    id: web::Path<TransferId>,
    request: HttpRequest,
) -> Answer {
    answered(by, app, &id, &request)
        .await
        .map_err(|failure| failure.retry_in(COME_BACK))
}

async fn answered(by: SignedIn, app: web::Data<App>, id: &TransferId, request: &HttpRequest) -> Answer {
    let path = Query::of(request).below_root()?;
    let transfer = meta::transfer::find(app.meta().read(), &by.access.account, id).await?;
    let space = by.access.space(transfer.space, Right::Read)?;
    if let Some(content) = stored(&app, &space, &transfer, &path).await? {
        let download = download(&path, stored_tag(id, &content), content.size());
        let store = app.store.clone();
        let open = async move |range: Range<u64>| {
            let len = range.end - range.start;
            Ok(exactly(store.read_chunks(&content, range).boxed(), len))
        };
        return download.answer(request, by.cut, open).await;
    }
    readable(&transfer)?;
    let file = ask(&app, &transfer, &path, 0..0).await?.file;
    let download = download(&path, tag(id, &file.stamp), file.size);
    let open = async |range: Range<u64>| live(&app, space, &transfer, &path, file, range).await;
    download.answer(request, by.cut, open).await
}

fn download(path: &RootPath, etag: String, total: u64) -> Download {
    let name = path.split_last().map(|(_, name)| name.display()).unwrap_or_default();
    Download { name, etag, total }
}

/// The same for a file on the machine and once it is stored, so that who reads on goes on.
fn tag(transfer: &TransferId, stamp: &SourceStamp) -> String {
    format!("\"{}\"", Hash::of(&wire::encode(&(transfer, stamp))))
}

fn stored_tag(transfer: &TransferId, content: &VersionContent) -> String {
    match &content.manifest.content {
        // A mixture, which is what neither stamp says.
        Content::File(file) if !file.torn => tag(transfer, &file.stamp),
        _ => format!("\"{}\"", Hash::of(&wire::encode(&*content.manifest))),
    }
}

/// What the transfer has committed of the file.
async fn stored(
    app: &App,
    space: &GrantedSpace,
    transfer: &Transfer,
    path: &RootPath,
) -> Result<Option<VersionContent>, Error> {
    let Some((folder, name)) = path.split_last() else {
        return Ok(None);
    };
    let origin = Origin {
        device: transfer.view.device,
        root: transfer.root,
        path: &folder,
    };
    let found = heads_of(app.meta().read(), space, &origin, &[name]).await?;
    let Some(head) = found.into_iter().find_map(|(_, head)| head) else {
        return Ok(None);
    };
    let ended = transfer.view.ended.map_or(i64::MAX, |ended| ended.0);
    if !(transfer.view.created.0..=ended).contains(&head.created) {
        return Ok(None);
    }
    let content = app.store.open_version(space, version_id(&head)?).await?;
    match content.manifest.content {
        Content::File(_) => Ok(Some(content)),
        _ => Err(Error::refused(
            ErrorCode::NotAFile,
            "this is a symbolic link, which has no content; its target stands in the listing",
        )),
    }
}

/// Whether a machine can be asked for files of the transfer.
fn readable(transfer: &Transfer) -> Result<(), Refusal> {
    let advice = match () {
        () if transfer.is_own_work() => {
            "the device that chose these files uploads them itself and hands nothing out before; wait until it is done, then get the file from the drive"
        }
        () if transfer.view.state.is_over() => {
            "this transfer is over and did not store this file; get what the drive holds of it, or upload it again"
        }
        () => return Ok(()),
    };
    Err(Refusal::new(ErrorCode::Conflict, advice))
}

/// A file as its machine tells of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct File {
    size: u64,
    stamp: SourceStamp,
}

/// A machine that has begun to answer.
struct Begun {
    file: File,
    asked: Asked,
}

/// Asks the machine for a range of a file, and waits until it says what the file is.
async fn ask(app: &App, transfer: &Transfer, path: &RootPath, range: Range<u64>) -> Result<Begun, Refusal> {
    let (account, device) = (transfer.account, transfer.view.device);
    let reader = Reader {
        account,
        cut: app.hub.cut_token(account, device),
    };
    let ticket = random(&*app.clock);
    let mut asked = app.reads.open(&ticket, reader)?;
    let wanted = ReadLive {
        ticket,
        transfer: transfer.id(),
        path: path.clone(),
        offset: range.start,
        len: range.end - range.start,
    };
    let machine = &transfer.view.machine;
    if !app
        .hub
        .to_device(&account, &device, &FromServer::ReadLive(Box::new(wanted)))
    {
        let advice =
            format!("{machine} is away, and this file is not stored yet; read it when the machine is online again");
        return Err(Refusal::new(ErrorCode::Away, advice));
    }
    match timeout(ANSWER, asked.segments.recv()).await {
        Ok(Some(Ok(Segment::File { size, stamp }))) => {
            let file = File { size, stamp };
            Ok(Begun { file, asked })
        }
        Ok(Some(Ok(Segment::Refused(refusal)))) => Err(told(refusal)),
        Ok(Some(Ok(_))) => Err(answer::malformed()),
        Ok(Some(Err(refusal))) => Err(refusal),
        Ok(None) | Err(_) => {
            let advice = format!("{machine} does not answer; check its connection, then read the file again");
            Err(Refusal::new(ErrorCode::Away, advice))
        }
    }
}

/// The bytes of a range of `file`.
async fn live(
    app: &App,
    space: GrantedSpace,
    transfer: &Transfer,
    path: &RootPath,
    file: File,
    range: Range<u64>,
) -> Result<Body, Error> {
    let begun = ask(app, transfer, path, range.clone()).await?;
    if begun.file != file {
        return Err(Error::refused(
            ErrorCode::Changing,
            "the file changed on its machine meanwhile; read it again from its start",
        ));
    }
    let source = Source {
        store: app.store.clone(),
        key: app.store.chunk_key(&space).await?,
        space,
    };
    Ok(body::bytes(source, begun.asked, range))
}
