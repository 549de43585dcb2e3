//! What all requests share, and which paths there are.

use std::sync::Arc;

use actix_web::{error::JsonPayloadError, web};
use beckon_shared::{error::ErrorCode, route};

use crate::{
    clock::Clock,
    config::Config,
    control, error::Failure,
    http::{self, limit::Limits, origin::Origins},
    hub::Hub,
    order::Live,
    relay::{self, Relays},
    setup::SetUp,
    store::{Store, meta::Meta},
};

/// A JSON body is at most this long. Bytes.
const JSON_MAX: usize = 1 << 20;

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
    /// Sessions between devices.
    pub(crate) relays: Relays,
    /// How often strangers may try.
    pub(crate) limits: Limits,
    /// The code that makes the first account.
    pub(crate) setup: SetUp,
    /// Makes the fake salts of unknown names.
    pub(crate) secret: [u8; 32],
}

impl App {
    /// The database.
    pub(crate) fn meta(&self) -> &Meta {
        &self.store.meta
    }
}

/// Every path that the server answers.
pub(crate) fn routes(cfg: &mut web::ServiceConfig) {
    cfg.app_data(web::JsonConfig::default().limit(JSON_MAX).error_handler(|error, _| bad_body(&error).into()))
        .app_data(web::PathConfig::default().error_handler(|_, _| Failure::not_found().into()))
        .app_data(web::QueryConfig::default().error_handler(|error, _| bad_request(&error).into()))
        .configure(http::status::routes)
        .configure(http::openapi::routes)
        .configure(http::account::routes)
        .configure(http::device::routes)
        .configure(http::join::routes)
        .configure(http::transfer::routes)
        .configure(http::drive::routes)
        .configure(http::bulk::routes)
        .route(route::SOCKET, web::get().to(control::open))
        .route(&format!("{}/{{ticket}}", route::RELAY), web::get().to(relay::open))
        .default_service(web::to(|| async { Err::<&str, _>(Failure::not_found()) }));
}

fn bad_body(error: &JsonPayloadError) -> Failure {
    match error {
        JsonPayloadError::Overflow { .. } | JsonPayloadError::OverflowKnownLength { .. } => {
            Failure::new(ErrorCode::TooLarge, format!("the request is larger than {} KiB; send less at once", JSON_MAX >> 10))
        }
        other => bad_request(other),
    }
}

fn bad_request(error: &dyn std::fmt::Display) -> Failure {
    Failure::new(ErrorCode::BadRequest, format!("the request is malformed ({error}); see /api/openapi.json"))
}
