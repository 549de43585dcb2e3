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
