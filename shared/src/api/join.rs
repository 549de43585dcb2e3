//! `/api/join-codes` (for controllers) and `/api/join/{lookup}` (for who holds a code).

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Bytes, Packed, account::NewDevice};
use crate::{
    certificate::Role,
    id::{AccountId, DeviceId, Hash, SpaceId},
    join::JoinOffer,
    time::Timestamp,
};

/// `POST /api/join-codes`: what the server keeps of a code. Answered by 204.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewJoinCode {
    /// Derived from the code.
    pub lookup: Hash,
    /// The account's key and the enrolment certificate.
    #[schema(value_type = String)]
    pub offer: Packed<JoinOffer>,
    /// Over the offer, by a key derived from the code.
    pub mac: Bytes<32>,
}

/// `GET /api/join-codes`: codes that can still be used; `DELETE /api/join-codes/{lookup}` withdraws one.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct JoinCodeView {
    /// Derived from the code.
    pub lookup: Hash,
    /// What a device that joins by it may be.
    pub role: Role,
    /// How often it can still be used.
    pub uses_left: u32,
    /// When it lapses.
    pub expires: Timestamp,
}

/// `GET /api/join/{lookup}`: what the code proves.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct OfferView {
    /// The account's key and the enrolment certificate.
    #[schema(value_type = String)]
    pub offer: Packed<JoinOffer>,
    /// Over the offer, by a key derived from the code.
    pub mac: Bytes<32>,
}

/// `POST /api/join/{lookup}`: uses the code up by one. Answered by [`Joined`]; the same device again gets the same answer.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Join {
    /// The machine, certified by the enrolment key.
    pub device: NewDevice,
}

/// The machine is in the control list.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Joined {
    /// The account.
    pub account: AccountId,
    /// The account's space.
    pub space: SpaceId,
    /// The machine.
    pub device: DeviceId,
    /// Its name, made unique.
    pub name: String,
}
