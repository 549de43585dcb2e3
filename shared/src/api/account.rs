//! `/api/sign-up`, `/api/sign-in`, `/api/recover`, `/api/password`, `/api/sessions`: accounts and who is signed in.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Bytes, Packed};
use crate::{
    certificate::Chain,
    device::{DeviceKind, Platform},
    id::{AccountId, DeviceId, SignInId, SpaceId},
    password::{KdfParams, WrappedKey},
    path::Label,
    signature::{PublicKey, Signed},
    statement::Statement,
    time::Timestamp,
};

/// What the server keeps for a password or the recovery words: enough to check them, nothing to open the account key with.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct NewPassword {
    /// Salt of the key derivation.
    pub salt: Bytes<16>,
    /// Costs of the key derivation.
    pub params: KdfParams,
    /// Proof of the password, stored hashed.
    pub auth: Bytes<32>,
    /// The account key under the password's key.
    #[schema(value_type = String)]
    pub wrapped: Packed<WrappedKey>,
}

/// A device that signs in.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct NewDevice {
    /// Signed by the account key.
    #[schema(value_type = String)]
    pub certificate: Packed<Chain>,
    /// Wanted name.
    #[schema(value_type = String)]
    pub name: Label,
    /// The sort of program.
    pub kind: DeviceKind,
    /// Operating system and release, at most 128 bytes.
    pub os: String,
    /// Version of the program, at most 64 bytes.
    pub version: String,
    /// Path alphabet.
    pub platform: Platform,
}

/// `POST /api/sign-up`: the first account by the set-up code, later ones by an invitation's code. Answered by [`SignedIn`].
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SignUp {
    /// As the server printed it, or an invitation's.
    pub setup_code: String,
    /// The account's name, unique on the server without case.
    #[schema(value_type = String)]
    pub name: Label,
    /// The account's public key.
    #[schema(value_type = String)]
    pub account_key: Packed<PublicKey>,
    /// The password.
    pub password: NewPassword,
    /// Proof of the recovery words, stored hashed.
    pub recovery_auth: Bytes<32>,
    /// The account key under the recovery words' key.
    #[schema(value_type = String)]
    pub recovery_wrapped: Packed<WrappedKey>,
    /// The first device.
    pub device: NewDevice,
}

/// `POST /api/sign-in/start`: asks how to derive keys from the password. Answered by [`SignInStart`].
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SignInName {
    /// The account's name.
    pub name: String,
}

/// How to derive keys from the password; unknown names get a fake that stays the same.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct SignInStart {
    /// Salt of the key derivation.
    pub salt: Bytes<16>,
    /// Costs of the key derivation.
    pub params: KdfParams,
}

/// `POST /api/sign-in` and `POST /api/recover`: proves the password or the recovery words. Answered by [`Proved`].
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Prove {
    /// The account's name.
    pub name: String,
    /// Derived from the password or the words.
    pub auth: Bytes<32>,
}

/// The proof was good: what is needed to open the account key and go on.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Proved {
    /// The account.
    pub account: AccountId,
    /// Its public key.
    #[schema(value_type = String)]
    pub account_key: Packed<PublicKey>,
    /// The account key, wrapped by what was proved.
    #[schema(value_type = String)]
    pub wrapped: Packed<WrappedKey>,
    /// Its newest revocation.
    #[schema(value_type = Option<String>)]
    pub statement: Option<Packed<Signed<Statement>>>,
    /// The lowest certificate epoch that still counts: certificates are made with it.
    pub epoch: u32,
    /// For the finishing call, within five minutes, once.
    pub ticket: Bytes<32>,
}

/// `POST /api/sign-in/finish`: signs a device in. Answered by [`SignedIn`].
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SignInFinish {
    /// From [`Proved`].
    pub ticket: Bytes<32>,
    /// The device.
    pub device: NewDevice,
}

/// `POST /api/password` (by session) and `POST /api/recover/finish` (by ticket): a new password.
/// Ends all other sessions; answered by 204.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangePassword {
    /// From [`Proved`]; for the session's own account, which must be the same.
    pub ticket: Bytes<32>,
    /// The password.
    pub password: NewPassword,
    /// A [`Statement::NewPassword`] over just these values, by the account key.
    #[schema(value_type = String)]
    pub statement: Packed<Signed<Statement>>,
}

/// The session is open: its cookie came in the same answer.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct SignedIn {
    /// The account.
    pub account: AccountId,
    /// Its name as first written.
    pub account_name: String,
    /// Whether it administers the server.
    pub admin: bool,
    /// The account's space.
    pub space: SpaceId,
    /// The device.
    pub device: DeviceId,
    /// Its name, made unique.
    pub device_name: String,
    /// The session.
    pub session: SignInId,
    /// When it ends by itself.
    pub expires: Timestamp,
}

/// `GET /api/sessions`: a list of these; `DELETE /api/sessions/{id}` ends one, and its device's sockets.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct SignInView {
    /// The session.
    pub id: SignInId,
    /// Its device.
    pub device: DeviceId,
    /// The device's name.
    pub device_name: String,
    /// Address at its last request.
    pub address: String,
    /// When it was opened.
    pub created: Timestamp,
    /// Its last request, to a minute.
    pub used: Timestamp,
    /// When it ends by itself.
    pub expires: Timestamp,
    /// Whether it is the one that asks.
    pub current: bool,
}

/// `GET /api/usage`: how full the account's drive is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Usage {
    /// Bytes that count against the quota: the contents of all its versions, each chunk once.
    pub used: u64,
    /// The most that it may hold; absent is as much as there is.
    pub quota: Option<u64>,
}
