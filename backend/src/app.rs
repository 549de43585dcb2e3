//! What all requests share, and which paths there are.

use std::sync::Arc;

use actix_web::{error::JsonPayloadError, web};
use beckon_shared::{error::ErrorCode, route};

use crate::{
    admin::Watch,
    clock::Clock,
    config::Config,
    control,
    error::Failure,
    http::{self, limit::Limits, origin::Origins},
    hub::Hub,
    order::{Live, News},
    relay::{self, Relays},
    setup::SetUp,
    store::{Store, meta::Meta},
};

/// A JSON body is at most this long. Bytes.
const JSON_MAX: usize = 1 << 20;

/// A JSON body of somebody who is not signed in is at most this long: there may be many at once. Bytes.
const SMALL_JSON_MAX: usize = 32 << 10;

/// What all requests share.
pub(crate) struct App {
    /// The settings.
    pub(crate) config: Config,
    /// Where the server may be reached.
    pub(crate) origins: Origins,
    /// Time and chance.
    pub(crate) clock: Arc<dyn Clock>,
    /// What is kept.
    pub(crate) store: Store,
    /// Who is connected.
    pub(crate) hub: Hub,
    /// Transfers that move.
    pub(crate) live: Live,
    /// What machines were told that there is something to read.
    pub(crate) news: News,
    /// Sessions between devices.
    pub(crate) relays: Relays,
    /// What machines are asked to read.
    pub(crate) reads: http::content::Reads,
    /// How often strangers may try.
    pub(crate) limits: Limits,
    /// The code that makes the first account.
    pub(crate) setup: SetUp,
    /// Makes the fake salts of unknown names.
    pub(crate) secret: [u8; 32],
    /// What the server knows of itself.
    pub(crate) watch: Watch,
}

impl App {
    /// The database.
    pub(crate) fn meta(&self) -> &Meta {
        &self.store.meta
    }
}

/// Every path that the server answers.
pub(crate) fn routes(cfg: &mut web::ServiceConfig) {
    cfg.app_data(json(JSON_MAX))
        .app_data(web::PathConfig::default().error_handler(|_, _| Failure::not_found().into()))
        .app_data(web::QueryConfig::default().error_handler(|error, _| bad_request(&error).into()))
        .configure(http::status::routes)
        .configure(http::openapi::routes)
        .configure(http::account::routes)
        .configure(http::admin::routes)
        .configure(http::device::routes)
        .configure(http::join::routes)
        .configure(http::transfer::routes)
        .configure(http::content::routes)
        .configure(http::drive::routes)
        .configure(http::bulk::routes)
        .route(route::SOCKET, web::get().to(control::open))
        .route(&format!("{}/{{ticket}}", route::RELAY), web::get().to(relay::open))
        .default_service(web::to(http::page::answer));
}

/// How JSON is taken from somebody who is not signed in.
pub(crate) fn small_json() -> web::JsonConfig {
    json(SMALL_JSON_MAX)
}

fn json(limit: usize) -> web::JsonConfig {
    web::JsonConfig::default()
        .limit(limit)
        .error_handler(move |error, _| bad_body(&error, limit).into())
}

/// Does `work` to its end, also if whoever asked for it hangs up: the future of a request is dropped then, and what was
/// committed must still be carried out.
pub(crate) async fn to_the_end<T: Send + 'static>(
    work: impl Future<Output = Result<T, Failure>> + Send + 'static,
) -> Result<T, Failure> {
    tokio::spawn(work).await.unwrap_or_else(|error| {
        tracing::error!(cause = %error, "a request was not carried out");
        Err(crate::error::internal().into())
    })
}

fn bad_body(error: &JsonPayloadError, limit: usize) -> Failure {
    match error {
        JsonPayloadError::Overflow { .. } | JsonPayloadError::OverflowKnownLength { .. } => Failure::new(
            ErrorCode::TooLarge,
            format!("the request is larger than {} KiB; send less at once", limit >> 10),
        ),
        JsonPayloadError::Payload(_) => Failure::new(
            ErrorCode::BadRequest,
            "the body ended early or took too long; send it again",
        ),
        other => bad_request(other),
    }
}

fn bad_request(error: &dyn std::fmt::Display) -> Failure {
    Failure::new(
        ErrorCode::BadRequest,
        format!("the request is malformed ({error}); see /api/openapi.json"),
    )
}

#[cfg(test)]
mod tests {
    use futures_util::poll;
    use tokio::sync::oneshot;

    use super::*;

    #[tokio::test]
    async fn work_is_done_to_its_end_when_nobody_waits_for_it() {
        let (begin, began) = oneshot::channel::<()>();
        let (end, ended) = oneshot::channel();
        let mut request = Box::pin(to_the_end(async move {
            began.await.unwrap();
            end.send("done").unwrap();
            Ok(())
        }));
        assert!(poll!(&mut request).is_pending());
        drop(request);
        begin.send(()).unwrap();
        assert_eq!(ended.await.unwrap(), "done");
    }
}
