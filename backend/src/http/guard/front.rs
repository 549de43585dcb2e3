//! What holds for every request: the host that it names, the origin that it comes from, the headers of its answer.

use std::time::Duration;

use actix_web::{
    HttpMessage, HttpResponse,
    body::{BoxBody, MessageBody},
    dev::{Payload, ServiceRequest, ServiceResponse},
    error::PayloadError,
    http::{
        Method,
        header::{self, HeaderMap, HeaderName, HeaderValue},
    },
    middleware::Next,
    web,
};
use beckon_shared::{error::ErrorCode, route};
use bytes::Bytes;
use futures_util::{Stream, StreamExt, stream};
use tokio::time::{Instant, timeout_at};

use super::{super::origin::host, app};
use crate::{app::App, config::Origin, error::Failure};

/// For load balancers, which name no host.
const HEALTH: &str = "/healthz";

/// How long a body may take that is not of bulk data, and one that may have [`beckon_shared::order::SELECTION_MAX`] bytes.
const BODY_TIME: Duration = Duration::from_secs(30);
const SELECTION_TIME: Duration = Duration::from_secs(300);

/// Refuses what is sent to another host or from another origin, and sets the headers of every answer.
pub(crate) async fn front(
    mut request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, actix_web::Error> {
    let is_private = ["/api", "/bulk"].iter().any(|part| request.path().starts_with(part));
    let mut origin = None;
    let mut response = match admit(&request) {
        Ok(own) => {
            origin = own;
            limit_body(&mut request);
            let traffic = app(request.request())?.watch.traffic.clone();
            let body = traffic.clone().incoming(request.take_payload());
            request.set_payload(body);
            let response = next.call(request).await?.map_into_boxed_body();
            response.map_body(|_, body| traffic.outgoing(body))
        }
        Err(failure) => request.into_response(HttpResponse::from_error(failure)),
    };
    let headers = response.headers_mut();
    for (name, value) in beckon_assets::HEADERS {
        set(headers, name, value);
    }
    if is_private {
        set(headers, "cache-control", "no-store");
    }
    if let Some(origin) = origin {
        set_by_way(headers, &origin);
    }
    Ok(response)
}

/// Sets what browsers heed only where they trust the way that an answer comes; Chromium logs an error for it elsewhere.
fn set_by_way(headers: &mut HeaderMap, origin: &Origin) {
    if origin.is_secure() {
        set(headers, "strict-transport-security", "max-age=31536000");
    }
    if origin.is_secure() || origin.is_this_machine() {
        set(headers, "cross-origin-opener-policy", "same-origin");
    }
}

/// Bulk bodies have limits of their own, and what comes over an upgraded connection has none.
fn limit_body(request: &mut ServiceRequest) {
    let time = match request.path() {
        path if path.starts_with("/bulk/") || !changes(request) => return,
        path if path.starts_with("/api/selections/") => SELECTION_TIME,
        _ => BODY_TIME,
    };
    let body = until(request.take_payload(), Instant::now() + time);
    request.set_payload(Payload::Stream {
        payload: body.boxed_local(),
    });
}

/// A body that ends with an error when it takes too long.
fn until(
    body: impl Stream<Item = Result<Bytes, PayloadError>> + Unpin,
    end: Instant,
) -> impl Stream<Item = Result<Bytes, PayloadError>> {
    stream::unfold(body, move |mut body| async move {
        let piece = timeout_at(end, body.next())
            .await
            .unwrap_or(Some(Err(PayloadError::Incomplete(None))));
        Some((piece?, body))
    })
}

fn changes(request: &ServiceRequest) -> bool {
    !matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS)
}

fn set(headers: &mut HeaderMap, name: &'static str, value: &'static str) {
    let name = HeaderName::from_static(name);
    if !headers.contains_key(&name) {
        headers.insert(name, HeaderValue::from_static(value));
    }
}

/// The origin that the request was sent to, if it may go on.
fn admit(request: &ServiceRequest) -> Result<Option<Origin>, Failure> {
    if request.path() == HEALTH {
        return Ok(None);
    }
    let Some(app) = request.app_data::<web::Data<App>>() else {
        return Err(crate::error::internal().into());
    };
    let own = app.origins.of(host(request.headers(), request.uri())).ok_or_else(|| {
        let message = format!(
            "this server does not answer under that address; use {}, or start it with --public-url and that address",
            app.origins.main()
        );
        Failure::new(ErrorCode::BadRequest, message)
    })?;
    check_origin(request, &own)?;
    Ok(Some(own))
}

/// A browser names the page that a request comes from; a request that changes something must come from ours.
///
/// Programs other than browsers may leave `Origin` out as long as they carry no cookie that somebody could ride on.
fn check_origin(request: &ServiceRequest, own: &Origin) -> Result<(), Failure> {
    let headers = request.headers();
    let refuse = |message| Err(Failure::new(ErrorCode::NotAllowed, message));
    let changes = changes(request);
    match headers.get(header::ORIGIN) {
        Some(origin) if origin.as_bytes() != own.as_str().as_bytes() => {
            return refuse("this request comes from another site; open this server's own address");
        }
        None if changes && headers.contains_key(header::COOKIE) => {
            return refuse("a request with a cookie that changes something must carry its Origin");
        }
        _ => {}
    }
    let is_bulk = request.path().starts_with("/bulk/");
    if changes && !is_bulk && !headers.contains_key(route::MUTATION_HEADER) {
        return refuse("a request that changes something must carry the header x-beckon");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_body_that_stands_still_ends_with_an_error() {
        let still = stream::iter([Ok(Bytes::from_static(b"{"))]).chain(stream::pending());
        let mut body = Box::pin(until(still, Instant::now() + Duration::from_millis(20)));
        assert_eq!(body.next().await.unwrap().unwrap(), "{");
        assert!(body.next().await.unwrap().is_err());
    }

    #[tokio::test]
    async fn a_body_that_comes_in_time_comes_whole() {
        let pieces = stream::iter(["a", "b"].map(|piece| Ok(Bytes::from_static(piece.as_bytes()))));
        let body = until(pieces, Instant::now() + BODY_TIME);
        assert_eq!(body.map(Result::unwrap).collect::<Vec<_>>().await, ["a", "b"]);
    }
}
