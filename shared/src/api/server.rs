//! `/api/status`: what anyone may know of a server.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::time::Timestamp;

/// What anyone may know of a server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Status {
    /// Always `beckon`.
    pub name: String,
    /// Version of the program.
    pub version: String,
    /// Whether it has an account yet.
    pub set_up: bool,
    /// The versions of the control protocol that it speaks.
    pub protocols: Vec<String>,
    /// Its clock.
    pub now: Timestamp,
}
