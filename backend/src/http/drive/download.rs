//! Stored content over HTTP: files and folders as ZIP, whole or in ranges, always as attachments that run nothing.

use std::{ops::Range, sync::Arc};

use actix_web::{
    HttpRequest, HttpResponse, HttpResponseBuilder,
    body::SizedStream,
    http::{
        Method,
        header::{self, HeaderName},
    },
    web,
};
use beckon_shared::{
    api::drive::Contents,
    disposition::attachment,
    error::{ErrorCode, Refusal},
    id::VersionId,
    manifest::Content,
};
use bytes::Bytes;
use futures_util::{Stream, StreamExt, TryStreamExt, stream};
use tokio_util::sync::CancellationToken;

use super::query::Query;
use crate::{
    access::{GrantedSpace, Right},
    app::App,
    drive::{
        archive,
        body::{self, Body},
        range::{Conditions, Wanted},
        view::version_id,
    },
    error::{Answer, Failure, refusal_of},
    http::guard::SignedIn,
    store::{
        Error, Store,
        meta::drive::{Place, Row},
        read::VersionContent,
    },
};

/// What is sent with all stored content: whatever it is, a browser runs nothing of it.
const HEADERS: [(&str, &str); 6] = [
    ("content-type", "application/octet-stream"),
    ("content-security-policy", "sandbox; default-src 'none'"),
    ("x-content-type-options", "nosniff"),
    ("cross-origin-resource-policy", "same-origin"),
    ("cache-control", "private, no-cache"),
    ("accept-ranges", "bytes"),
];

/// The content of a file. Answers ranges; `ETag` is the hash of the content.
#[utoipa::path(
    get, path = "/api/drive/file/{node}", tag = "drive",
    params(
        ("node" = String, Path, description = "The file"),
        ("version" = Option<String>, Query, description = "An older version; absent means the newest"),
        ("at" = Option<String>, Query, description = "As it stood at this time (RFC 3339)"),
    ),
    responses(
        (status = 200, content_type = "application/octet-stream"),
        (status = 206, content_type = "application/octet-stream"),
        (status = 304), (status = 404, body = Refusal), (status = 416, body = Refusal),
        (status = 500, body = Refusal, description = "`damaged`: stored bytes do not match their hash"),
    ),
)]
pub(crate) async fn file(signed_in: SignedIn, app: web::Data<App>, request: HttpRequest) -> Answer {
    let query = Query::of(&request);
    let space = signed_in.access.own_space(Right::Read)?;
    let row = query
        .when()?
        .find(app.meta().read(), &space, &place(&request, &query)?)
        .await?;
    let content = opened(&app.store, &space, &row, query.get("version")?).await?;
    let Content::File(file) = &content.manifest.content else {
        return Err(not_a_file(&row));
    };
    let download = Download {
        name: String::from_utf8_lossy(&row.node.name).into_owned(),
        etag: format!("\"{}\"", file.hash),
        total: content.size(),
    };
    let store = app.store.clone();
    download
        .answer(&request, signed_in.cut, async move |range| {
            Ok(read(&store, &content, range))
        })
        .await
}

/// The content of a file that is named by its path.
#[utoipa::path(
    get, path = "/api/drive/file", tag = "drive",
    params(
        ("path" = String, Query, description = "Names from the top, joined by `/`, any bytes percent-encoded"),
        ("version" = Option<String>, Query, description = "An older version; absent means the newest"),
        ("at" = Option<String>, Query, description = "As it stood at this time (RFC 3339)"),
    ),
    responses(
        (status = 200, content_type = "application/octet-stream"),
        (status = 206, content_type = "application/octet-stream"),
        (status = 304), (status = 404, body = Refusal), (status = 416, body = Refusal),
        (status = 500, body = Refusal, description = "`damaged`: stored bytes do not match their hash"),
    ),
)]
pub(crate) async fn file_by_path(signed_in: SignedIn, app: web::Data<App>, request: HttpRequest) -> Answer {
    file(signed_in, app, request).await
}

/// All that is in a folder, as one ZIP file. Answers ranges as long as nothing in the folder changes.
#[utoipa::path(
    get, path = "/api/drive/zip/{node}", tag = "drive",
    params(
        ("node" = String, Path, description = "The folder"),
        ("at" = Option<String>, Query, description = "As it stood at this time (RFC 3339)"),
    ),
    responses(
        (status = 200, content_type = "application/octet-stream"),
        (status = 206, content_type = "application/octet-stream"),
        (status = 304), (status = 404, body = Refusal), (status = 416, body = Refusal),
    ),
)]
pub(crate) async fn zip(signed_in: SignedIn, app: web::Data<App>, request: HttpRequest) -> Answer {
    let space = signed_in.access.own_space(Right::Read)?;
    let query = Query::of(&request);
    let when = query.when()?;
    let folder = when.find(app.meta().read(), &space, &place(&request, &query)?).await?;
    let archive = archive::of_folder(app.meta(), folder, when).await?;
    let layout = Arc::new(archive.layout);
    let download = Download {
        name: archive.name,
        etag: format!("\"{}\"", layout.hash()),
        total: layout.total_len(),
    };
    let (store, versions) = (app.store.clone(), Arc::new(archive.versions));
    let open = move |entry: usize, range| {
        let (store, version) = (store.clone(), versions.get(entry).copied().flatten());
        async move {
            let version = version.ok_or_else(|| Error::bad_row("entry of an archive"))?;
            let content = store.open_version(&space, version).await?;
            body::begun(read(&store, &content, range)).await
        }
    };
    download
        .answer(&request, signed_in.cut, async move |range| {
            Ok(body::of_archive(layout, range, open))
        })
        .await
}

/// All that is in a folder that is named by its path, as one ZIP file.
#[utoipa::path(
    get, path = "/api/drive/zip", tag = "drive",
    params(
        ("path" = Option<String>, Query, description = "Names from the top, joined by `/`, any bytes percent-encoded; absent means the top"),
        ("at" = Option<String>, Query, description = "As it stood at this time (RFC 3339)"),
    ),
    responses(
        (status = 200, content_type = "application/octet-stream"),
        (status = 206, content_type = "application/octet-stream"),
        (status = 304), (status = 404, body = Refusal), (status = 416, body = Refusal),
    ),
)]
pub(crate) async fn zip_by_path(signed_in: SignedIn, app: web::Data<App>, request: HttpRequest) -> Answer {
    zip(signed_in, app, request).await
}

/// The contents of many small files in one answer: a request for each would cost more than its bytes.
#[utoipa::path(
    post, path = "/api/drive/contents", tag = "drive", request_body = Contents,
    responses(
        (status = 200, content_type = "application/octet-stream"),
        (status = 400, body = Refusal), (status = 404, body = Refusal),
        (status = 500, body = Refusal, description = "`damaged`: stored bytes do not match their hash"),
    ),
)]
pub(crate) async fn contents(signed_in: SignedIn, app: web::Data<App>, asked: web::Json<Contents>) -> Answer {
    if asked.versions.len() > Contents::MAX {
        return Err(Failure::new(
            ErrorCode::TooLarge,
            format!("ask for at most {} versions at once", Contents::MAX),
        ));
    }
    let space = signed_in.access.own_space(Right::Read)?;
    let opened = app.store.open_small(&space, &asked.versions).await?;
    let total = opened.iter().map(VersionContent::size).sum();
    let whole = body::exactly(app.store.read_all(&opened).boxed(), total);
    let mut response = HttpResponse::Ok();
    for header in HEADERS.into_iter().filter(|(name, _)| *name != "accept-ranges") {
        response.insert_header(header);
    }
    Ok(response.body(SizedStream::new(total, sent(whole, signed_in.cut).await?)))
}

/// A body whose first bytes are there, which ends when `cut` fires.
async fn sent(body: Body, cut: CancellationToken) -> Result<impl Stream<Item = Result<Bytes, Error>>, Error> {
    let body = body::until_cut(body::begun(body).await?, cut);
    // An error in the middle breaks the connection off: only the log can say why.
    Ok(body.inspect_err(|error| drop(refusal_of(error))))
}

/// The node that the path names, else the query.
fn place(request: &HttpRequest, query: &Query) -> Answer<Place> {
    match request.match_info().get("node") {
        Some(id) => id.parse().map(Place::Node).map_err(|_| Failure::not_found()),
        None => query.place(),
    }
}

async fn opened(store: &Store, space: &GrantedSpace, row: &Row, version: Option<VersionId>) -> Answer<VersionContent> {
    if row.is_folder() {
        return Err(not_a_file(row));
    }
    let newest = row.head.as_ref().map(version_id).transpose()?;
    let version = version.or(newest).ok_or_else(|| {
        Failure::new(
            ErrorCode::NotFound,
            "no version of this file is complete yet; wait until its upload is done, or upload it again",
        )
    })?;
    let content = store.open_version(space, version).await?;
    if content.node != row.id()? {
        return Err(Failure::new(
            ErrorCode::NotFound,
            "this file has no such version; list its versions",
        ));
    }
    Ok(content)
}

fn not_a_file(row: &Row) -> Failure {
    let message = match row.is_folder() {
        true => "this is a folder; get it as a ZIP file by /api/drive/zip, or its files one by one",
        false => "this is a symbolic link, which has no content; its target stands in the listing",
    };
    Failure::new(ErrorCode::NotAFile, message)
}

fn read(store: &Store, content: &VersionContent, range: Range<u64>) -> Body {
    let len = range.end - range.start;
    body::exactly(store.read_chunks(content, range).boxed(), len)
}

/// Something that can be downloaded.
pub(in crate::http) struct Download {
    /// What it is called where it is saved.
    pub(in crate::http) name: String,
    /// A strong entity tag with its quotes.
    pub(in crate::http) etag: String,
    /// Bytes.
    pub(in crate::http) total: u64,
}

impl Download {
    /// Answers what the request asks for of it; `open` gives the bytes of a range.
    pub(in crate::http) async fn answer(
        self,
        request: &HttpRequest,
        cut: CancellationToken,
        open: impl AsyncFnOnce(Range<u64>) -> Result<Body, Error>,
    ) -> Answer {
        let conditions = Conditions {
            range: text(request, &header::RANGE),
            if_range: text(request, &header::IF_RANGE),
            if_none_match: text(request, &header::IF_NONE_MATCH),
        };
        let (mut response, range) = match conditions.wanted(self.total, &self.etag) {
            Wanted::Whole => (HttpResponse::Ok(), 0..self.total),
            Wanted::Part(range) => {
                let mut response = HttpResponse::PartialContent();
                response.insert_header((
                    header::CONTENT_RANGE,
                    format!("bytes {}-{}/{}", range.start, range.end - 1, self.total),
                ));
                (response, range)
            }
            // A browser puts these headers in the place of those that it kept, so all of them must be here again.
            Wanted::Unchanged => {
                let mut response = HttpResponse::NotModified();
                self.describe(&mut response);
                return Ok(response.finish());
            }
            Wanted::Unsatisfiable => return Ok(self.unsatisfiable()),
        };
        self.describe(&mut response);
        let len = range.end - range.start;
        if len == 0 || request.method() == Method::HEAD {
            return Ok(response.body(SizedStream::new(len, stream::empty::<Result<_, Error>>())));
        }
        Ok(response.body(SizedStream::new(len, sent(open(range).await?, cut).await?)))
    }

    fn describe(&self, response: &mut HttpResponseBuilder) {
        for header in HEADERS {
            response.insert_header(header);
        }
        response
            .insert_header((header::ETAG, self.etag.as_str()))
            .insert_header((header::CONTENT_DISPOSITION, attachment(&self.name)));
    }

    fn unsatisfiable(&self) -> HttpResponse {
        let message = format!("this has {} bytes and no more; ask for a range within them", self.total);
        HttpResponse::RangeNotSatisfiable()
            .insert_header((header::CONTENT_RANGE, format!("bytes */{}", self.total)))
            .json(Refusal::new(ErrorCode::BadRequest, message))
    }
}

fn text<'a>(request: &'a HttpRequest, name: &HeaderName) -> Option<&'a str> {
    request.headers().get(name).and_then(|value| value.to_str().ok())
}
