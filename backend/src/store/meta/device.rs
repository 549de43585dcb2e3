//! The control list: every device of an account that ever visited.

use beckon_shared::{
    api::account::NewDevice,
    certificate::{Chain, DeviceCertificate},
    device::{DeviceKind, DeviceView, Hello, NetAddress, Platform, RootView},
    error::{ErrorCode, Refusal},
    id::{AccountId, DeviceId, RootId},
    limits::Limits,
    path::Label,
    signature::PublicKey,
    time::Timestamp,
    wire,
};
use sea_orm::{ActiveModelTrait, ActiveValue::Set, ConnectionTrait, IntoActiveModel, QueryOrder, entity::prelude::*};
use serde::Deserialize;
use serde_json::Value;

use super::{
    Txn, sql,
    word::{array, from_json, from_word, json, name_key, number, word},
};
use crate::{error::not_found, store::Error};

/// A row.
#[derive(Debug, Clone, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "device")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    account: Vec<u8>,
    #[sea_orm(primary_key, auto_increment = false)]
    id: Vec<u8>,
    name: String,
    name_key: String,
    kind: String,
    role: String,
    os: String,
    version: String,
    platform: String,
    certificate: Vec<u8>,
    joined_by_code: bool,
    addresses: String,
    lan_port: Option<i64>,
    roots: String,
    address: String,
    port: i64,
    first_seen: i64,
    last_seen: i64,
    revoked_at: Option<i64>,
    limits: String,
}

/// None.
#[derive(Debug, Clone, Copy, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}
impl ActiveModelBehavior for ActiveModel {}

/// A device of an account.
#[derive(Debug, Clone)]
pub(crate) struct Device {
    /// The hash of its keys.
    pub(crate) id: DeviceId,
    /// Unique among the account's devices that are not revoked.
    pub(crate) name: Label,
    /// The sort of program.
    pub(crate) kind: DeviceKind,
    /// Proof of its keys.
    pub(crate) certificate: Chain,
    /// Whether the account revoked it.
    pub(crate) revoked: bool,
    /// What its owner opened.
    pub(crate) roots: Vec<RootView>,
    /// How fast it may send.
    pub(crate) limits: Limits,
    /// As controllers see it, when it is away.
    view: DeviceView,
}

impl Device {
    /// As controllers see it.
    pub(crate) fn view(self, online: bool) -> DeviceView {
        DeviceView { online, ..self.view }
    }

    /// The name of a root, as last told; its id where it is not known.
    pub(crate) fn root_name(&self, root: &RootId) -> Result<Label, Error> {
        if *root == RootId::of_files(&self.id) {
            return Label::new("Files").map_err(|_| Error::bad_row("label"));
        }
        let known = self
            .roots
            .iter()
            .find(|known| known.id == *root)
            .map(|known| known.name.clone());
        known.map_or_else(
            || Label::new(root.to_string()).map_err(|_| Error::bad_row("root id")),
            Ok,
        )
    }

    /// The key that it signs with, as its certificate says. The certificate was verified before it was stored.
    pub(crate) fn signing_key(&self) -> Result<PublicKey, Error> {
        let certificate = self
            .certificate
            .device
            .peek()
            .map_err(|_| Error::bad_row("certificate"))?;
        Ok(certificate.keys.sign)
    }
}

/// A device that signs in or joins, with where it came from.
#[derive(Debug)]
pub(crate) struct Arrival<'a> {
    /// What it says of itself.
    pub(crate) device: &'a NewDevice,
    /// Its certificate, verified.
    pub(crate) certificate: &'a DeviceCertificate,
    /// Where the request came from.
    pub(crate) from: std::net::SocketAddr,
    /// When.
    pub(crate) now: Timestamp,
}

/// The account's devices, the first one first.
pub(crate) async fn list(on: &impl ConnectionTrait, account: &AccountId) -> Result<Vec<Device>, Error> {
    let rows = Entity::find()
        .filter(Column::Account.eq(account.as_bytes()))
        .order_by_asc(Column::FirstSeen)
        .all(on)
        .await?;
    rows.into_iter().map(parse).collect()
}

/// One device of the account.
pub(crate) async fn get(
    on: &impl ConnectionTrait,
    account: &AccountId,
    id: &DeviceId,
) -> Result<Option<Device>, Error> {
    Entity::find_by_id((account.as_bytes().to_vec(), id.as_bytes().to_vec()))
        .one(on)
        .await?
        .map(parse)
        .transpose()
}

/// One device of the account, which must be there.
pub(crate) async fn find(on: &impl ConnectionTrait, account: &AccountId, id: &DeviceId) -> Result<Device, Error> {
    get(on, account, id).await?.ok_or_else(|| not_found().into())
}

/// Records a device that signs in or joins: a new row, or the old one with its new certificate. Returns its name.
pub(crate) async fn arrive(txn: &Txn, account: &AccountId, arrival: &Arrival<'_>) -> Result<String, Error> {
    let id = arrival.certificate.keys.id();
    let Some(known) = get(txn, account, &id).await? else {
        return insert(txn, account, arrival).await;
    };
    if known.revoked {
        return Err(Refusal::new(
            ErrorCode::Revoked,
            "this device was revoked; let it make new keys and try again",
        )
        .into());
    }
    if known.kind != arrival.certificate.kind {
        return Err(Refusal::new(
            ErrorCode::BadRequest,
            "these device keys belong to another kind of program; make new ones",
        )
        .into());
    }
    let row = ActiveModel {
        account: Set(account.as_bytes().to_vec()),
        id: Set(id.as_bytes().to_vec()),
        role: Set(word(arrival.certificate.role)),
        os: Set(arrival.device.os.clone()),
        version: Set(arrival.device.version.clone()),
        platform: Set(word(arrival.device.platform)),
        certificate: Set(wire::encode(&arrival.device.certificate.0)),
        joined_by_code: Set(arrival.device.certificate.0.enrolment.is_some()),
        last_seen: Set(arrival.now.0),
        ..Default::default()
    };
    row.update(txn).await?;
    Ok(known.name.to_string())
}

async fn insert(txn: &Txn, account: &AccountId, arrival: &Arrival<'_>) -> Result<String, Error> {
    let name = free_name(txn, account, &arrival.device.name).await?;
    let certificate = &arrival.device.certificate.0;
    let row = Model {
        account: account.as_bytes().to_vec(),
        id: arrival.certificate.keys.id().as_bytes().to_vec(),
        name_key: name_key(name.as_str()),
        name: name.to_string(),
        kind: word(arrival.certificate.kind),
        role: word(arrival.certificate.role),
        os: arrival.device.os.clone(),
        version: arrival.device.version.clone(),
        platform: word(arrival.device.platform),
        certificate: wire::encode(certificate),
        joined_by_code: certificate.enrolment.is_some(),
        addresses: json::<[NetAddress]>(&[]),
        lan_port: None,
        roots: json::<[RootView]>(&[]),
        address: arrival.from.ip().to_string(),
        port: arrival.from.port().into(),
        first_seen: arrival.now.0,
        last_seen: arrival.now.0,
        revoked_at: None,
        limits: json(&Limits::default()),
    };
    Entity::insert(row.into_active_model())
        .exec_without_returning(txn)
        .await?;
    Ok(name.to_string())
}

/// The wanted name, with ` (2)` or so behind it where it is taken.
async fn free_name(txn: &Txn, account: &AccountId, wanted: &Label) -> Result<Label, Error> {
    let devices = list(txn, account).await?;
    let taken: std::collections::HashSet<String> = devices
        .iter()
        .filter(|device| !device.revoked)
        .map(|device| name_key(device.name.as_str()))
        .collect();
    let numbered = (2..).map(|number| {
        let suffix = format!(" ({number})");
        let kept: String = wanted.as_str().chars().take(64 - suffix.len()).collect();
        Label::new(kept.trim_end().to_owned() + &suffix)
    });
    let names = std::iter::once(Ok(wanted.clone())).chain(numbered);
    let free = names.flatten().find(|name| !taken.contains(&name_key(name.as_str())));
    Ok(free.unwrap_or_else(|| wanted.clone()))
}

/// Records what a device tells of itself. Its name stays: people may have changed it.
pub(crate) async fn hello(txn: &Txn, account: &AccountId, id: &DeviceId, hello: &Hello) -> Result<(), Error> {
    let row = ActiveModel {
        account: Set(account.as_bytes().to_vec()),
        id: Set(id.as_bytes().to_vec()),
        os: Set(hello.os.clone()),
        version: Set(hello.version.clone()),
        platform: Set(word(hello.platform)),
        addresses: Set(json(&hello.addresses)),
        lan_port: Set(hello.lan_port.map(i64::from)),
        roots: Set(json(&hello.roots)),
        ..Default::default()
    };
    row.update(txn).await?;
    Ok(())
}

/// Records where a device visits from.
pub(crate) async fn visited(
    txn: &Txn,
    account: &AccountId,
    id: &DeviceId,
    from: std::net::SocketAddr,
    now: Timestamp,
) -> Result<(), Error> {
    let row = ActiveModel {
        account: Set(account.as_bytes().to_vec()),
        id: Set(id.as_bytes().to_vec()),
        address: Set(from.ip().to_string()),
        port: Set(from.port().into()),
        last_seen: Set(now.0),
        ..Default::default()
    };
    row.update(txn).await?;
    Ok(())
}

/// Records a sign of life.
pub(crate) async fn seen(txn: &Txn, account: &AccountId, id: &DeviceId, now: Timestamp) -> Result<(), Error> {
    let text = "UPDATE device SET last_seen = $3 WHERE account = $1 AND id = $2";
    txn.execute_raw(sql(
        text,
        txn,
        [
            account.as_bytes().to_vec().into(),
            id.as_bytes().to_vec().into(),
            now.0.into(),
        ],
    ))
    .await?;
    Ok(())
}

/// Where the account's devices that are not revoked came from when they were last here.
pub(crate) async fn addresses(on: &impl ConnectionTrait, account: &AccountId) -> Result<Vec<std::net::IpAddr>, Error> {
    let text = "SELECT DISTINCT address FROM device WHERE account = $1 AND revoked_at IS NULL";
    let rows = on
        .query_all_raw(sql(text, on, [account.as_bytes().to_vec().into()]))
        .await?;
    let parse = |row: &sea_orm::QueryResult| {
        row.try_get::<String>("", "address")?
            .parse()
            .map_err(|_| Error::bad_row("address"))
    };
    rows.iter().map(parse).collect()
}

/// Gives a device another name.
pub(crate) async fn rename(txn: &Txn, account: &AccountId, id: &DeviceId, name: &Label) -> Result<(), Error> {
    find(txn, account, id).await?;
    let key = name_key(name.as_str());
    let taken = list(txn, account)
        .await?
        .into_iter()
        .any(|other| other.id != *id && !other.revoked && name_key(other.name.as_str()) == key);
    if taken {
        return Err(Refusal::new(ErrorCode::NameTaken, "another device has this name; choose another one").into());
    }
    let row = ActiveModel {
        account: Set(account.as_bytes().to_vec()),
        id: Set(id.as_bytes().to_vec()),
        name: Set(name.to_string()),
        name_key: Set(key),
        ..Default::default()
    };
    row.update(txn).await?;
    Ok(())
}

/// Records that a controller confirmed a device that joined by a code.
pub(crate) async fn confirm(txn: &Txn, account: &AccountId, id: &DeviceId) -> Result<(), Error> {
    if find(txn, account, id).await?.revoked {
        let message = "this device was revoked and cannot be confirmed; let it join again with a new code";
        return Err(Refusal::new(ErrorCode::Revoked, message).into());
    }
    let row = ActiveModel {
        account: Set(account.as_bytes().to_vec()),
        id: Set(id.as_bytes().to_vec()),
        joined_by_code: Set(false),
        ..Default::default()
    };
    row.update(txn).await?;
    Ok(())
}

/// Records how fast a machine may send.
pub(crate) async fn set_limits(txn: &Txn, account: &AccountId, id: &DeviceId, limits: &Limits) -> Result<(), Error> {
    let row = ActiveModel {
        account: Set(account.as_bytes().to_vec()),
        id: Set(id.as_bytes().to_vec()),
        limits: Set(json(limits)),
        ..Default::default()
    };
    row.update(txn).await?;
    Ok(())
}

/// Marks a device as revoked; false if it was already, or is not there.
pub(crate) async fn revoke(txn: &Txn, account: &AccountId, id: &DeviceId, now: Timestamp) -> Result<bool, Error> {
    let text = "UPDATE device SET revoked_at = $3 WHERE account = $1 AND id = $2 AND revoked_at IS NULL";
    let values = [
        account.as_bytes().to_vec().into(),
        id.as_bytes().to_vec().into(),
        now.0.into(),
    ];
    Ok(txn.execute_raw(sql(text, txn, values)).await?.rows_affected() == 1)
}

/// Stored limits, as far as they are understood. What is not, such as what a newer release wrote, must not hide the device.
fn limits(text: &str, device: &DeviceId) -> Limits {
    from_json(text).unwrap_or_else(|_| {
        tracing::warn!(%device, "the stored limits are not understood and hold only in part; set them again");
        let stored: Value = from_json(text).unwrap_or_default();
        Limits {
            rate: Deserialize::deserialize(&stored["rate"]).unwrap_or_default(),
            full_speed: Deserialize::deserialize(&stored["full_speed"]).unwrap_or_default(),
        }
    })
}

fn parse(row: Model) -> Result<Device, Error> {
    let id = DeviceId(array(row.id)?);
    let name = Label::new(row.name).map_err(|_| Error::bad_row("device name"))?;
    let certificate: Chain = wire::decode(&row.certificate).map_err(|_| Error::bad_row("certificate"))?;
    let kind: DeviceKind = from_word(row.kind)?;
    let platform: Platform = from_word(row.platform)?;
    let roots: Vec<RootView> = from_json(&row.roots)?;
    let limits = limits(&row.limits, &id);
    let view = DeviceView {
        id,
        name: name.clone(),
        kind,
        os: row.os,
        version: row.version,
        platform,
        online: false,
        address: row.address,
        port: number(row.port)?,
        addresses: from_json(&row.addresses)?,
        lan_port: row.lan_port.map(number).transpose()?,
        roots: roots.clone(),
        first_seen: Timestamp(row.first_seen),
        last_seen: Timestamp(row.last_seen),
        revoked: row.revoked_at.is_some(),
        joined_by_code: row.joined_by_code,
        certificate: certificate.clone(),
        limits,
    };
    Ok(Device {
        id,
        name,
        kind,
        certificate,
        revoked: row.revoked_at.is_some(),
        roots,
        limits,
        view,
    })
}

#[cfg(test)]
mod tests {
    use beckon_shared::limits::Hours;

    use super::*;

    #[test]
    fn limits_that_a_newer_server_stored_hold_as_far_as_they_are_understood() {
        let slow = Limits {
            rate: Some(64_000),
            full_speed: Some(Hours { from: 1320, to: 420 }),
        };
        let rate_only = Limits {
            full_speed: None,
            ..slow
        };
        for (stored, understood) in [
            (json(&slow), slow),
            (
                r#"{"rate":64000,"full_speed":{"from":1320,"to":420},"burst":5}"#.to_owned(),
                slow,
            ),
            (
                r#"{"rate":64000,"full_speed":{"from":1320,"to":420,"days":["sat"]}}"#.to_owned(),
                rate_only,
            ),
            (r#"{"rate":"fast"}"#.to_owned(), Limits::default()),
            ("[]".to_owned(), Limits::default()),
            (String::new(), Limits::default()),
        ] {
            assert_eq!(limits(&stored, &DeviceId([1; 32])), understood, "{stored}");
        }
    }
}
