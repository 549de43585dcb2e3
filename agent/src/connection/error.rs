//! Why there is no connection, or no answer.

use beckon_shared::{
    error::{Class, ErrorCode, Refusal},
    signature::Signed,
    statement::Statement,
};
use tokio_tungstenite::tungstenite;

use crate::origin::Origin;

/// Why a socket could not be opened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ConnectError {
    /// Nobody answers, or not as a server of Beckon does.
    #[error("cannot reach {0}: check that the server runs and that this device is online, then try again")]
    Unreachable(Origin),
    /// The server said no.
    #[error("{reason}")]
    Refused {
        /// Why.
        reason: Refusal,
        /// When to come back.
        back_in_ms: Option<u32>,
        /// What the account said that may explain it; nobody has checked it yet.
        statement: Option<Box<Signed<Statement>>>,
    },
    /// The server does not know the account that was pinned here.
    #[error(
        "the server at {0} is not the one that this device joined: its account has another key; check the address, and if it was set up anew, join or sign in again"
    )]
    OtherServer(Origin),
    /// The other end speaks something else.
    #[error("the server does not speak this program's protocol; update the older of the two")]
    Protocol,
}

impl ConnectError {
    pub(crate) fn unreachable(origin: &Origin) -> Self {
        Self::Unreachable(origin.clone())
    }

    /// What a failed WebSocket handshake means.
    pub(crate) fn from_handshake(error: tungstenite::Error, origin: &Origin) -> Self {
        match error {
            tungstenite::Error::Http(response) => {
                let said = response
                    .body()
                    .as_deref()
                    .and_then(|body| serde_json::from_slice(body).ok());
                said.map_or(Self::Protocol, |reason| Self::Refused {
                    reason,
                    back_in_ms: None,
                    statement: None,
                })
            }
            tungstenite::Error::Protocol(cause) => {
                tracing::debug!(%cause, "no WebSocket");
                Self::Protocol
            }
            cause => {
                tracing::debug!(%cause, "no WebSocket");
                Self::unreachable(origin)
            }
        }
    }

    /// Whether dialling again later may help without anybody doing something.
    pub(crate) fn may_retry(&self) -> bool {
        match self {
            Self::Unreachable(_) => true,
            Self::Refused { reason, .. } => reason.retry || reason.code.class() != Class::Right,
            Self::OtherServer(_) | Self::Protocol => false,
        }
    }

    /// In the words of the protocol.
    pub(crate) fn refusal(self) -> Refusal {
        let code = match &self {
            Self::Unreachable(_) => ErrorCode::GoingAway,
            Self::Refused { .. } => ErrorCode::Internal,
            Self::OtherServer(_) => ErrorCode::NotAllowed,
            Self::Protocol => ErrorCode::BadVersion,
        };
        match self {
            Self::Refused { reason, .. } => reason,
            other => Refusal::new(code, other.to_string()),
        }
    }
}

impl From<ConnectError> for Refusal {
    fn from(error: ConnectError) -> Self {
        error.refusal()
    }
}

/// Why a request has no reply.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum RequestError {
    /// The connection ended before; whether the request was carried out is not known.
    #[error("the connection to the server broke; try again")]
    Lost,
    /// The server said no.
    #[error(transparent)]
    Refused(#[from] Refusal),
}

impl RequestError {
    pub(crate) fn too_large() -> Self {
        Self::Refused(Refusal::new(
            ErrorCode::TooLarge,
            "this is more than fits into one request; ask for less at once",
        ))
    }
}

impl From<RequestError> for Refusal {
    fn from(error: RequestError) -> Self {
        match error {
            RequestError::Refused(refusal) => refusal,
            RequestError::Lost => Self::new(ErrorCode::GoingAway, error.to_string()),
        }
    }
}
