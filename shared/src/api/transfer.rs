//! `/api/transfers`, `/api/selections`: what the machines were ordered to do.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::transfer::Problem;

/// `GET /api/transfers/{id}/problems?after=N`: at most 1,000 problems after the first N.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Problems {
    /// The problems.
    pub problems: Vec<Problem>,
    /// How many there are in all.
    pub total: u64,
}

/// What a terminal does with a transfer. None of these needs a signature: they narrow an order and never widen it.
/// Numbers of variants are never used again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Act {
    /// Stands still until somebody resumes it: hold `user`.
    Pause,
    /// Goes on.
    Resume,
    /// Ends it for good; what is stored already stays.
    Cancel,
    /// Runs again, for what failed: of a transfer that is `failed` or `partly`.
    Retry,
}

/// `POST /api/transfers/{id}/steer`: answered by 204 once recorded; all terminals see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Steer {
    /// What to do.
    pub act: Act,
}
