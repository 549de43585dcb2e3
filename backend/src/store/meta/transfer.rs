//! Transfers: an order, and how far its machine is with it.

pub(crate) mod event;
pub(crate) mod problem;
pub(crate) mod selection;

use std::collections::HashSet;

use beckon_shared::{
    error::{ErrorCode, Refusal},
    id::{AccountId, DeviceId, Hash, NodeId, RootId, SpaceId, TransferId},
    order::{Order, OrderBody, SignedOrder},
    time::Timestamp,
    transfer::{Hold, Progress, Task, TransferState, TransferView},
    wire,
};
use sea_orm::{
    ActiveValue::{NotSet, Set},
    ConnectionTrait, IntoActiveModel, QueryOrder, QuerySelect, UpdateMany,
    entity::prelude::*,
};

use super::{
    Txn,
    entity::node,
    source, sql,
    word::{array, column, from_word, number, word},
};
use crate::{
    access::{GrantedSpace, Origin},
    error::not_found,
    store::Error,
};

/// So many transfers are listed.
const LISTED: u64 = 500;

/// So many transfers of an account may be open at once: all those of a machine are looked at when it comes.
const OPEN_MAX: i64 = 1000;

/// A row.
#[derive(Debug, Clone, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "transfer")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    id: Vec<u8>,
    account: Vec<u8>,
    device: Vec<u8>,
    signer: Vec<u8>,
    signed_order: Vec<u8>,
    space: Vec<u8>,
    root: Vec<u8>,
    selection: Option<Vec<u8>>,
    machine: String,
    root_name: String,
    what: String,
    state: String,
    hold: String,
    files_total: i64,
    files_done: i64,
    bytes_total: i64,
    bytes_done: i64,
    bytes_sent: i64,
    failed: i64,
    torn: i64,
    walked: bool,
    error: Option<String>,
    created: i64,
    expires: i64,
    ended: Option<i64>,
    revision: i64,
    unheard: bool,
    priority: String,
    files_unchanged: i64,
    bytes_present: i64,
    given_directly: bool,
    task: String,
    origin: Option<String>,
    origin_device: Option<Vec<u8>>,
    origin_root: Option<Vec<u8>>,
    bytes_own: i64,
    bytes_direct: i64,
    bytes_server: i64,
    conflicts: i64,
}

/// None.
#[derive(Debug, Clone, Copy, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}
impl ActiveModelBehavior for ActiveModel {}

/// A transfer with its order.
#[derive(Debug, Clone)]
pub(crate) struct Transfer {
    /// The account.
    pub(crate) account: AccountId,
    /// The order as it was signed.
    pub(crate) order: SignedOrder,
    /// Where the content is.
    pub(crate) space: SpaceId,
    /// The root of the machine that it is about.
    pub(crate) root: RootId,
    /// Of a copy: whose commits it is made of.
    pub(crate) origin: Option<Origin>,
    /// Hash of the selection, where that travels beside the order.
    pub(crate) selection: Option<Hash>,
    /// The controller that ordered it.
    pub(crate) signer: DeviceId,
    /// Whether it was cancelled, or queued again after it failed, and its machine does not know yet.
    pub(crate) unheard: bool,
    /// Whether the controller gave the order to the machine, which showed it here.
    pub(crate) given_directly: bool,
    /// As terminals see it.
    pub(crate) view: TransferView,
}

impl Transfer {
    /// Its id.
    pub(crate) fn id(&self) -> TransferId {
        self.view.id
    }

    /// Whether the device that ordered it does the work itself, as a browser does that uploads.
    pub(crate) fn is_own_work(&self) -> bool {
        self.signer == self.view.device
    }

    /// Whether it is a copy that ends when the device that it is of is revoked.
    pub(crate) fn trusts_origin(&self) -> bool {
        match self.order.order.peek() {
            Ok(Order {
                body: OrderBody::Follow(follow),
                ..
            }) => follow.trusts_origin(),
            _ => false,
        }
    }
}

/// Records a new transfer.
pub(crate) async fn insert(txn: &Txn, transfer: &Transfer) -> Result<(), Error> {
    Entity::insert(model(transfer).into_active_model())
        .exec_without_returning(txn)
        .await?;
    event::note(txn, &transfer.view, transfer.view.created).await
}

/// Whoever's transfer this is: its id must not be taken by another account's either.
pub(crate) async fn of_anyone(on: &impl ConnectionTrait, id: &TransferId) -> Result<Option<Transfer>, Error> {
    Entity::find_by_id(id.as_bytes().to_vec())
        .one(on)
        .await?
        .map(parse)
        .transpose()
}

/// A transfer of the account, which must be there.
pub(crate) async fn find(on: &impl ConnectionTrait, account: &AccountId, id: &TransferId) -> Result<Transfer, Error> {
    let found = of_anyone(on, id).await?.filter(|transfer| transfer.account == *account);
    found.ok_or_else(|| not_found().into())
}

/// A transfer that this machine carries out, which must be there.
pub(crate) async fn find_of(
    on: &impl ConnectionTrait,
    account: &AccountId,
    device: &DeviceId,
    id: &TransferId,
) -> Result<Transfer, Error> {
    let transfer = find(on, account, id).await?;
    if transfer.view.device == *device {
        Ok(transfer)
    } else {
        Err(not_found().into())
    }
}

/// The account's newest transfers, newest first, and all that are not over however old they are: who counts those counts
/// right.
pub(crate) async fn recent(on: &impl ConnectionTrait, account: &AccountId) -> Result<Vec<Transfer>, Error> {
    let of_account = || {
        Entity::find()
            .filter(Column::Account.eq(account.as_bytes()))
            .order_by_desc(Column::Created)
            .order_by_desc(Column::Id)
    };
    let mut rows = of_account().limit(LISTED).all(on).await?;
    let open = of_account().filter(Column::Ended.is_null()).all(on).await?;
    let listed: HashSet<Vec<u8>> = rows.iter().map(|row| row.id.clone()).collect();
    rows.extend(open.into_iter().filter(|row| !listed.contains(&row.id)));
    rows.into_iter().map(parse).collect()
}

/// What a machine has still to do, the oldest first.
pub(crate) async fn open_of(
    on: &impl ConnectionTrait,
    account: &AccountId,
    device: &DeviceId,
) -> Result<Vec<Transfer>, Error> {
    let rows = Entity::find()
        .filter(Column::Account.eq(account.as_bytes()))
        .filter(Column::Device.eq(device.as_bytes()))
        .filter(Column::Ended.is_null())
        .order_by_asc(Column::Created)
        .all(on)
        .await?;
    rows.into_iter().map(parse).collect()
}

/// The open watches of a machine's root.
pub(crate) async fn watches_of(on: &impl ConnectionTrait, of: &Transfer) -> Result<Vec<Transfer>, Error> {
    let rows = Entity::find()
        .filter(Column::Account.eq(of.account.as_bytes()))
        .filter(Column::Device.eq(of.view.device.as_bytes()))
        .filter(Column::Root.eq(of.root.as_bytes()))
        .filter(Column::Space.eq(of.space.as_bytes()))
        .filter(Column::Task.eq(word(Task::Watch)))
        .filter(Column::Ended.is_null())
        .all(on)
        .await?;
    rows.into_iter().map(parse).collect()
}

/// The open transfers that copy what a device committed of any of its roots, or of this one.
pub(crate) async fn copies_of(
    on: &impl ConnectionTrait,
    account: &AccountId,
    device: &DeviceId,
    root: Option<&RootId>,
) -> Result<Vec<Transfer>, Error> {
    let mut query = Entity::find()
        .filter(Column::Account.eq(account.as_bytes()))
        .filter(Column::OriginDevice.eq(device.as_bytes()))
        .filter(Column::Ended.is_null());
    if let Some(root) = root {
        query = query.filter(Column::OriginRoot.eq(root.as_bytes()));
    }
    let rows = query.order_by_asc(Column::Created).all(on).await?;
    rows.into_iter().map(parse).collect()
}

/// The machines that copy what a device committed of a root, with their transfers: of those that are open.
pub(crate) async fn copiers_of(
    on: &impl ConnectionTrait,
    account: &AccountId,
    origin: &Origin,
) -> Result<Vec<(DeviceId, TransferId)>, Error> {
    let text = "SELECT device, id FROM transfer WHERE account = $1 AND origin_device = $2 AND origin_root = $3 AND ended IS NULL";
    let values = [account.as_bytes(), origin.device.as_bytes(), origin.root.as_bytes()].map(|id| id.to_vec().into());
    let rows = on.query_all_raw(sql(text, on, values)).await?;
    rows.iter()
        .map(|row| {
            let id: Vec<u8> = row.try_get("", "id")?;
            Ok((
                DeviceId(array(row.try_get("", "device")?)?),
                TransferId::from_slice(&id).map_err(|_| Error::bad_row("transfer id"))?,
            ))
        })
        .collect()
}

/// What was cancelled while its machine was not here to hear it.
pub(crate) async fn cancelled_unheard_of(
    on: &impl ConnectionTrait,
    account: &AccountId,
    device: &DeviceId,
) -> Result<Vec<Transfer>, Error> {
    let rows = Entity::find()
        .filter(Column::Account.eq(account.as_bytes()))
        .filter(Column::Device.eq(device.as_bytes()))
        // As the index says it.
        .filter(Expr::cust("unheard"))
        .filter(Column::State.eq(word(TransferState::Cancelled)))
        .all(on)
        .await?;
    rows.into_iter().map(parse).collect()
}

/// Every transfer that is not over, of all accounts.
pub(crate) async fn all_open(on: &impl ConnectionTrait) -> Result<Vec<Transfer>, Error> {
    let rows = Entity::find().filter(Column::Ended.is_null()).all(on).await?;
    rows.into_iter().map(parse).collect()
}

/// The newest transfers that are not over, of all accounts.
pub(crate) async fn newest_open(on: &impl ConnectionTrait) -> Result<Vec<Transfer>, Error> {
    let rows = Entity::find()
        .filter(Column::Ended.is_null())
        .order_by_desc(Column::Created)
        .limit(LISTED)
        .all(on)
        .await?;
    rows.into_iter().map(parse).collect()
}

/// How many transfers are not over, of all accounts.
pub(crate) async fn count_open(on: &impl ConnectionTrait) -> Result<u32, Error> {
    let count = Entity::find().filter(Column::Ended.is_null()).count(on).await?;
    Ok(u32::try_from(count).unwrap_or(u32::MAX))
}

/// Every transfer that is not over though its order expired before this moment, of all accounts.
pub(crate) async fn open_beyond(on: &impl ConnectionTrait, expired: Timestamp) -> Result<Vec<Transfer>, Error> {
    let rows = Entity::find()
        .filter(Column::Ended.is_null())
        .filter(Column::Expires.lt(expired.0))
        .all(on)
        .await?;
    rows.into_iter().map(parse).collect()
}

/// Refuses one more open transfer where the account has too many.
pub(crate) async fn check_room(txn: &Txn, account: &AccountId) -> Result<(), Error> {
    let text = "SELECT COUNT(*) AS open FROM transfer WHERE account = $1 AND ended IS NULL";
    let row = txn.query_one_raw(sql(text, txn, [account.as_bytes().into()])).await?;
    let open: i64 = row.ok_or_else(|| Error::bad_row("count"))?.try_get("", "open")?;
    if open < OPEN_MAX {
        return Ok(());
    }
    Err(Error::refused(
        ErrorCode::TooMany,
        format!("{OPEN_MAX} transfers of this account are not over; wait until some are done, or cancel some"),
    ))
}

/// Where in the drive the root lies that a transfer stores or copies, if anything of it was ever begun there and it is not
/// deleted.
pub(crate) async fn node_of(
    on: &impl ConnectionTrait,
    space: &GrantedSpace,
    transfer: &Transfer,
) -> Result<Option<NodeId>, Error> {
    let (device, root) = match transfer.origin {
        Some(origin) => (origin.device, origin.root),
        // Nothing of it enters the drive.
        None if transfer.view.task.writes() => return Ok(None),
        None => (transfer.view.device, transfer.root),
    };
    let Some(root) = source::find(on, space, device, root).await? else {
        return Ok(None);
    };
    if !source::is_live(on, root.folder).await? {
        return Ok(None);
    }
    let node = node::Entity::find_by_id(root.folder).one(on).await?;
    let id = node.map(|node| NodeId::from_slice(&node.id));
    id.transpose().map_err(|_| Error::bad_row("node id"))
}

/// Records what changes in a transfer's life, unless something newer is recorded: false then. A transfer that is over stays so.
pub(crate) async fn update(txn: &Txn, view: &TransferView, now: Timestamp) -> Result<bool, Error> {
    set(txn, view, now, Entity::update_many().filter(Column::Ended.is_null())).await
}

/// Records that a transfer that had failed is queued again; false as with [`update`].
pub(crate) async fn reopen(txn: &Txn, view: &TransferView, now: Timestamp) -> Result<bool, Error> {
    let failed = [TransferState::Failed, TransferState::Partly].map(word);
    set(
        txn,
        view,
        now,
        Entity::update_many().filter(Column::State.is_in(failed)),
    )
    .await
}

async fn set(txn: &Txn, view: &TransferView, now: Timestamp, which: UpdateMany<Entity>) -> Result<bool, Error> {
    let progress = &view.progress;
    let row = ActiveModel {
        root_name: Set(view.root.clone()),
        state: Set(word(view.state)),
        hold: Set(word(view.hold)),
        files_total: Set(column(progress.files_total)),
        files_done: Set(column(progress.files_done)),
        bytes_total: Set(column(progress.bytes_total)),
        bytes_done: Set(column(progress.bytes_done)),
        bytes_sent: Set(column(progress.bytes_sent)),
        failed: Set(column(progress.failed)),
        torn: Set(column(progress.torn)),
        walked: Set(progress.walked),
        files_unchanged: Set(column(progress.files_unchanged)),
        bytes_present: Set(column(progress.bytes_present)),
        bytes_own: Set(column(progress.bytes_own)),
        bytes_direct: Set(column(progress.bytes_direct)),
        bytes_server: Set(column(progress.bytes_server)),
        conflicts: Set(column(progress.conflicts)),
        priority: Set(word(view.priority)),
        error: Set(view.error.clone()),
        ended: Set(view.ended.map(|at| at.0)),
        revision: Set(column(view.revision)),
        // A machine that has begun has heard.
        unheard: if view.state == TransferState::Running {
            Set(false)
        } else {
            NotSet
        },
        ..Default::default()
    };
    let done = which
        .set(row)
        .filter(Column::Id.eq(view.id.as_bytes()))
        .filter(Column::Revision.lt(column(view.revision)))
        .exec(txn)
        .await?;
    if done.rows_affected != 1 {
        return Ok(false);
    }
    event::note(txn, view, now).await?;
    Ok(true)
}

/// Records whether a machine has still to hear that a transfer was cancelled or queued again.
pub(crate) async fn set_unheard(txn: &Txn, id: &TransferId, unheard: bool) -> Result<(), Error> {
    let text = "UPDATE transfer SET unheard = $2 WHERE id = $1";
    txn.execute_raw(sql(text, txn, [id.as_bytes().to_vec().into(), unheard.into()]))
        .await?;
    Ok(())
}

/// Refuses what is asked of a transfer that is over.
pub(crate) fn must_be_open(view: &TransferView) -> Result<(), Refusal> {
    if view.state.is_over() {
        return Err(Refusal::new(
            ErrorCode::Conflict,
            "this transfer is over; order it anew",
        ));
    }
    Ok(())
}

fn model(transfer: &Transfer) -> Model {
    let (view, progress) = (&transfer.view, &transfer.view.progress);
    Model {
        id: view.id.as_bytes().to_vec(),
        account: transfer.account.as_bytes().to_vec(),
        device: view.device.as_bytes().to_vec(),
        signer: transfer.signer.as_bytes().to_vec(),
        signed_order: wire::encode(&transfer.order),
        space: transfer.space.as_bytes().to_vec(),
        root: transfer.root.as_bytes().to_vec(),
        selection: transfer.selection.map(|hash| hash.as_bytes().to_vec()),
        machine: view.machine.clone(),
        root_name: view.root.clone(),
        what: view.what.clone(),
        state: word(view.state),
        hold: word(view.hold),
        files_total: column(progress.files_total),
        files_done: column(progress.files_done),
        bytes_total: column(progress.bytes_total),
        bytes_done: column(progress.bytes_done),
        bytes_sent: column(progress.bytes_sent),
        failed: column(progress.failed),
        torn: column(progress.torn),
        walked: progress.walked,
        error: view.error.clone(),
        created: view.created.0,
        expires: view.expires.0,
        ended: view.ended.map(|at| at.0),
        revision: column(view.revision),
        unheard: transfer.unheard,
        priority: word(view.priority),
        files_unchanged: column(progress.files_unchanged),
        bytes_present: column(progress.bytes_present),
        given_directly: transfer.given_directly,
        task: word(view.task),
        origin: view.from.clone(),
        origin_device: transfer.origin.map(|origin| origin.device.as_bytes().to_vec()),
        origin_root: transfer.origin.map(|origin| origin.root.as_bytes().to_vec()),
        bytes_own: column(progress.bytes_own),
        bytes_direct: column(progress.bytes_direct),
        bytes_server: column(progress.bytes_server),
        conflicts: column(progress.conflicts),
    }
}

fn parse(row: Model) -> Result<Transfer, Error> {
    let progress = Progress {
        files_total: number(row.files_total)?,
        files_done: number(row.files_done)?,
        bytes_total: number(row.bytes_total)?,
        bytes_done: number(row.bytes_done)?,
        bytes_sent: number(row.bytes_sent)?,
        failed: number(row.failed)?,
        torn: number(row.torn)?,
        walked: row.walked,
        files_unchanged: number(row.files_unchanged)?,
        bytes_present: number(row.bytes_present)?,
        bytes_own: number(row.bytes_own)?,
        bytes_direct: number(row.bytes_direct)?,
        bytes_server: number(row.bytes_server)?,
        conflicts: number(row.conflicts)?,
    };
    let order: SignedOrder = wire::decode(&row.signed_order).map_err(|_| Error::bad_row("order"))?;
    let view = TransferView {
        id: TransferId::from_slice(&row.id).map_err(|_| Error::bad_row("transfer id"))?,
        device: DeviceId(array(row.device)?),
        machine: row.machine,
        root: row.root_name,
        what: row.what,
        state: from_word::<TransferState>(row.state)?,
        hold: from_word::<Hold>(row.hold)?,
        progress,
        error: row.error,
        created: Timestamp(row.created),
        expires: Timestamp(row.expires),
        ended: row.ended.map(Timestamp),
        revision: number(row.revision)?,
        priority: from_word(row.priority)?,
        task: from_word(row.task)?,
        from: row.origin,
        root_id: RootId(array(row.root)?),
        // Only copies have one, and there are many others.
        origin: row
            .origin_device
            .as_ref()
            .and_then(|_| order.order.peek().ok()?.body.followed().cloned()),
    };
    let origin = row.origin_device.zip(row.origin_root).map(|(device, root)| {
        Ok::<_, Error>(Origin {
            device: DeviceId(array(device)?),
            root: RootId(array(root)?),
        })
    });
    Ok(Transfer {
        account: AccountId(array(row.account)?),
        order,
        space: SpaceId::from_slice(&row.space).map_err(|_| Error::bad_row("space id"))?,
        root: view.root_id,
        origin: origin.transpose()?,
        selection: row.selection.map(|hash| array(hash).map(Hash)).transpose()?,
        signer: DeviceId(array(row.signer)?),
        unheard: row.unheard,
        given_directly: row.given_directly,
        view,
    })
}
