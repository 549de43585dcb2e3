//! One table of all errors that one program of Beckon tells another.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What a caller can do about an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// The request was wrong; the same again fails again.
    Request,
    /// The caller has not the right.
    Right,
    /// What was asked for is not there.
    Absent,
    /// It does not fit the present state; read again, then decide.
    State,
    /// A limit; wait or free something.
    Limit,
    /// The other side has a fault.
    Fault,
}

/// Makes the enum and its table at once, so that they cannot differ.
macro_rules! error_codes {
    ($($(#[$doc:meta])* $code:ident = $name:literal, $class:ident, $status:literal, retry $retry:literal;)*) => {
        /// The name of an error, fixed for scripts. In binary frames it is a number that is never reused.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
        pub enum ErrorCode {
            $($(#[$doc])* #[serde(rename = $name)] $code,)*
        }

        impl ErrorCode {
            /// Every code, in the order of its number.
            pub const ALL: &[Self] = &[$(Self::$code),*];

            /// The name in JSON and on the command line.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$code => $name),* }
            }

            /// What a caller can do about it.
            pub const fn class(self) -> Class {
                match self { $(Self::$code => Class::$class),* }
            }

            /// The HTTP status that carries it.
            pub const fn status(self) -> u16 {
                match self { $(Self::$code => $status),* }
            }

            /// Whether the same request may succeed later without any change.
            pub const fn may_retry(self) -> bool {
                match self { $(Self::$code => $retry),* }
            }
        }
    };
}

error_codes! {
    /// Something in the request is malformed or out of its limits.
    BadRequest = "bad-request", Request, 400, retry false;
    /// No valid session, ticket or certificate.
    NotSignedIn = "not-signed-in", Right, 401, retry false;
    /// Wrong name or password (one error for both).
    WrongPassword = "wrong-password", Right, 401, retry false;
    /// Signed in, but without this right.
    NotAllowed = "not-allowed", Right, 403, retry false;
    /// The device was revoked.
    Revoked = "revoked", Right, 403, retry false;
    /// Nothing is there under this id or path (or it is another account's).
    NotFound = "not-found", Absent, 404, retry false;
    /// The name is taken.
    NameTaken = "name-taken", State, 409, retry false;
    /// Somebody else changed it meanwhile.
    Conflict = "conflict", State, 409, retry false;
    /// The code was used up or has expired.
    CodeSpent = "code-spent", State, 410, retry false;
    /// The set-up code is wrong or has expired.
    BadSetupCode = "bad-setup-code", Right, 403, retry false;
    /// Larger than this end accepts.
    TooLarge = "too-large", Limit, 413, retry false;
    /// Too many requests from this address or account.
    TooMany = "too-many", Limit, 429, retry true;
    /// The server's disk or the account's quota is full.
    NoRoom = "no-room", Limit, 507, retry true;
    /// The machine is away.
    Away = "away", State, 503, retry true;
    /// The server is going down or restarting.
    GoingAway = "going-away", Fault, 503, retry true;
    /// Stored bytes do not match their hash.
    Damaged = "damaged", Fault, 500, retry false;
    /// The machine may not read it.
    NotReadable = "not-readable", Right, 403, retry false;
    /// It is of a kind that is not read (a pipe, socket or device).
    NotAFile = "not-a-file", State, 409, retry false;
    /// It changed while it was read.
    Changing = "changing", State, 409, retry true;
    /// The order's signature, target or time does not stand.
    BadOrder = "bad-order", Right, 403, retry false;
    /// The two ends have no protocol version in common.
    BadVersion = "bad-version", Request, 426, retry false;
    /// The two ends' clocks are too far apart.
    BadClock = "bad-clock", State, 409, retry false;
    /// A fault inside this end; its log says more.
    Internal = "internal", Fault, 500, retry true;
}

/// An error as it travels: a code for programs, a message that tells a person what to do next.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema, thiserror::Error)]
#[error("{message}")]
pub struct Refusal {
    /// From the table.
    pub code: ErrorCode,
    /// At most a few hundred bytes; never an internal cause.
    pub message: String,
    /// Whether the same request may succeed later.
    pub retry: bool,
}

impl Refusal {
    /// An error with a message that says what to do.
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            retry: code.may_retry(),
        }
    }
}
