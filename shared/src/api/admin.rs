//! `/api/admin/...`: what administrators see and do. Never a name of a file, and nothing of any content.

use serde::{Deserialize, Deserializer, Serialize};
use utoipa::ToSchema;

use crate::{
    id::{AccountId, InvitationId, TransferId},
    time::Timestamp,
    transfer::{Progress, TransferState},
};

/// `GET /api/admin/accounts`: a list of these, by name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AccountRow {
    /// The account.
    pub id: AccountId,
    /// Its name.
    pub name: String,
    /// Whether it administers the server.
    pub admin: bool,
    /// Whether it is shut out.
    pub disabled: bool,
    /// When it was made.
    pub created: Timestamp,
    /// The last visit of any of its devices.
    pub last_seen: Option<Timestamp>,
    /// Its devices that are not revoked.
    pub devices: u32,
    /// Those that are online.
    pub online: u32,
    /// Bytes of its drive, as its quota counts them.
    pub used: u64,
    /// The most bytes that its drive may hold; absent is as much as there is.
    pub quota: Option<u64>,
}

/// `PUT /api/admin/accounts/{id}`: what is absent stays as it is, whoever else changes it meanwhile. Answered by 204 once
/// everything of a disabled account is closed. Nobody can disable themselves.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangeAccount {
    /// Shuts the account out (no sign-in, no socket, nothing deleted), or lets it in again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disabled: Option<bool>,
    /// The most bytes that its drive may hold; `null` is as much as there is.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    #[schema(value_type = Option<u64>)]
    pub quota: Option<Option<u64>>,
}

/// A field that is there, so that `null` is not taken for absent.
fn present<'de, T: Deserialize<'de>, D: Deserializer<'de>>(field: D) -> Result<Option<T>, D::Error> {
    T::deserialize(field).map(Some)
}

/// `POST /api/admin/invitations`: lets one person make an account. Answered by [`Invitation`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewInvitation {
    /// Hours that it counts, 1 to 720.
    pub hours: u32,
    /// Whether the new account administers the server.
    pub admin: bool,
    /// The quota of the new account.
    pub quota: Option<u64>,
}

/// An invitation with its code, which is told only now. It is used once, in place of the set-up code of a sign-up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Invitation {
    /// The invitation.
    pub id: InvitationId,
    /// The code; the link is `ORIGIN/invite#CODE`.
    pub code: String,
    /// When it lapses.
    pub expires: Timestamp,
}

/// `GET /api/admin/invitations`: those that can still be used; `DELETE /api/admin/invitations/{id}` withdraws one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct InvitationView {
    /// The invitation.
    pub id: InvitationId,
    /// When it was made.
    pub created: Timestamp,
    /// When it lapses.
    pub expires: Timestamp,
    /// Whether the new account administers the server.
    pub admin: bool,
    /// The quota of the new account.
    pub quota: Option<u64>,
}

/// `GET /api/admin/stats`: the server as it is now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Stats {
    /// Version of the program.
    pub version: String,
    /// When it started.
    pub started: Timestamp,
    /// Its clock.
    pub now: Timestamp,
    /// Resident memory of the server, in bytes; absent where the system does not say.
    pub memory: Option<u64>,
    /// Accounts in all.
    pub accounts: u32,
    /// Devices that are not revoked.
    pub devices: u32,
    /// Machines among them.
    pub machines: u32,
    /// Devices that are online.
    pub online: u32,
    /// Machines that are online.
    pub machines_online: u32,
    /// What is stored.
    pub stored: Stored,
    /// Bytes free where the store lies; absent where that has no end.
    pub disk_free: Option<u64>,
    /// Bytes of the disk in all.
    pub disk_total: Option<u64>,
    /// Bytes that came in over HTTP bodies and relays since the start.
    pub received: u64,
    /// Bytes that went out over HTTP bodies and relays since the start.
    pub sent: u64,
    /// How many transfers are not over.
    pub transfers_total: u32,
    /// The newest 500 of them.
    pub transfers: Vec<RunningTransfer>,
    /// What works in the background.
    pub workers: Vec<WorkerView>,
    /// How the server is, worst first.
    pub health: Vec<Finding>,
}

/// How much is stored, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct Stored {
    /// Contents of all versions.
    pub content: u64,
    /// Different chunks of them: what dedup leaves.
    pub unique: u64,
    /// What they take on disk: what compression leaves.
    pub disk: u64,
}

/// A transfer without what it is of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RunningTransfer {
    /// The transfer.
    pub id: TransferId,
    /// The account's name.
    pub account: String,
    /// The machine's name.
    pub machine: String,
    /// Its state.
    pub state: TransferState,
    /// How far it is.
    pub progress: Progress,
}

/// Something that works in the background.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct WorkerView {
    /// Its name: `collect`, `expiry`, `stats`.
    pub name: String,
    /// Whether it works now.
    pub busy: bool,
    /// When it last ended.
    pub last: Option<Timestamp>,
    /// What came of it, in a few words.
    pub outcome: String,
    /// When it works again.
    pub next: Option<Timestamp>,
}

/// How grave a finding is; a later one is worse.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Level {
    /// All is well.
    Well,
    /// Somebody should look.
    Look,
    /// It does not work.
    Broken,
}

/// What a finding is about; the words for people are the client's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Topic {
    /// The database answers, or does not.
    Database,
    /// The disk does what it is told.
    Disk,
    /// Room on the disk.
    Room,
    /// Background work.
    Workers,
    /// Whether browsers come by TLS.
    Tls,
    /// Uploads that failed in the last day.
    Transfers,
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Finding {
    /// What it is about.
    pub topic: Topic,
    /// How grave it is.
    pub level: Level,
    /// One sentence in English: what was found, and what to do.
    pub text: String,
}

/// How far back a history goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Span {
    /// 24 hours, a sample each 5 minutes.
    Day,
    /// 30 days, a sample each 3 hours.
    Month,
    /// 365 days, a sample each day.
    Year,
}

/// `GET /api/admin/history?span=day|month|year`: a list of these, oldest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Sample {
    /// When it was taken.
    pub at: Timestamp,
    /// What was stored.
    pub stored: Stored,
    /// Bytes that came in since the sample before.
    pub received: u64,
    /// Bytes that went out since the sample before.
    pub sent: u64,
    /// Devices online.
    pub online: u32,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_absent_quota_stays_and_null_takes_it_away() {
        for (json, quota) in [
            ("{}", None),
            (r#"{"quota":null}"#, Some(None)),
            (r#"{"quota":5}"#, Some(Some(5))),
        ] {
            let change = ChangeAccount { disabled: None, quota };
            assert_eq!(serde_json::to_string(&change).unwrap(), json);
            assert_eq!(serde_json::from_str::<ChangeAccount>(json).unwrap(), change);
        }
    }
}
