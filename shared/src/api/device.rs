//! `/api/devices`, `/api/statements`: the control list, visits, names, revocation.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Packed;
use crate::{id::VisitId, path::Label, signature::Signed, statement::Statement, time::Timestamp};

/// `GET /api/devices/{id}/visits`: the newest 500 visits, newest first.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct VisitView {
    /// The visit.
    pub id: VisitId,
    /// Address as the server saw it.
    pub address: String,
    /// The port beside it.
    pub port: u16,
    /// Version of the program.
    pub version: String,
    /// When it began.
    pub started: Timestamp,
    /// When it ended; absent while it lasts.
    pub ended: Option<Timestamp>,
}

/// `PATCH /api/devices/{id}`: a new name. Answered by 204.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Rename {
    /// Unique in the account.
    #[schema(value_type = String)]
    pub name: Label,
}

/// `PUT /api/devices/{id}/limits`: how fast a machine may send. Answered by 204; the machine obeys at once or when it is back.
pub type SetLimits = crate::limits::Limits;

/// `POST /api/statements`: a revocation, numbered one above the last. Answered by 204 once everything of the revoked devices is closed.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewStatement {
    /// By the account key.
    #[schema(value_type = String)]
    pub statement: Packed<Signed<Statement>>,
}
