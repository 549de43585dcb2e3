//! What a handler answers instead of what was asked: a [`Refusal`] as JSON, never an internal cause.

use std::{fmt, time::Duration};

use actix_web::{
    HttpResponse, ResponseError,
    body::BoxBody,
    http::{StatusCode, header},
};
use beckon_shared::error::{Class, ErrorCode, Refusal};

use crate::store;

/// What a handler gives back.
pub(crate) type Answer<T = HttpResponse> = Result<T, Failure>;

/// A refusal on its way to an HTTP client.
#[derive(Debug)]
pub(crate) struct Failure {
    refusal: Refusal,
    retry_after: Option<Duration>,
}

impl Failure {
    /// With a message that says what to do.
    pub(crate) fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Refusal::new(code, message).into()
    }

    /// Nothing is there, or it is another account's.
    pub(crate) fn not_found() -> Self {
        not_found().into()
    }

    /// A limit was reached; the same may be asked again after a while.
    pub(crate) fn too_many(wait: Duration) -> Self {
        // Rounded up, so that who waits as told is not refused again.
        let wait = Duration::from_secs(wait.as_secs() + 1);
        let message = format!("too many attempts; wait {} seconds and try again", wait.as_secs());
        Self {
            refusal: Refusal::new(ErrorCode::TooMany, message),
            retry_after: Some(wait),
        }
    }
    /// With when to come back, where the same may be asked again.
    pub(crate) fn retry_in(mut self, wait: Duration) -> Self {
        if self.refusal.retry {
            self.retry_after.get_or_insert(wait);
        }
        self
    }
}

/// Nothing is there, or it is another account's.
pub(crate) fn not_found() -> Refusal {
    Refusal::new(
        ErrorCode::NotFound,
        "there is nothing here; it may have been removed: reload the list",
    )
}

/// A fault inside the server, whose cause is in the log.
pub(crate) fn internal() -> Refusal {
    Refusal::new(
        ErrorCode::Internal,
        "the server could not do this; try again, and look into its log if it happens again",
    )
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        Self {
            refusal,
            retry_after: None,
        }
    }
}

impl From<store::Error> for Failure {
    fn from(error: store::Error) -> Self {
        refusal_of(&error).into()
    }
}

/// What a client is told of an error of the store; the cause of a fault goes to the log.
pub(crate) fn refusal_of(error: &store::Error) -> Refusal {
    let refusal = error.refusal();
    if refusal.code.class() == Class::Fault {
        tracing::error!(cause = %error, "the store failed");
    }
    refusal
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.refusal.fmt(f)
    }
}

impl ResponseError for Failure {
    fn status_code(&self) -> StatusCode {
        StatusCode::from_u16(self.refusal.code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    fn error_response(&self) -> HttpResponse<BoxBody> {
        let mut response = HttpResponse::build(self.status_code());
        if let Some(wait) = self.retry_after {
            response.insert_header((header::RETRY_AFTER, wait.as_secs()));
        }
        response.json(&self.refusal)
    }
}
