//! What is kept of orders that controllers gave to this machine directly, until the server has acknowledged them, or they
//! are over.

use beckon_shared::{
    error::{ErrorCode, Refusal},
    id::{Hash, TransferId},
    order::{Order, SignedOrder},
    wire,
};
use redb::{
    ReadTransaction, ReadableDatabase, ReadableTable, ReadableTableMetadata, TableDefinition, WriteTransaction,
};

use super::{Admission, Journal, ORDERS, Row, corrupted, unusable};
use crate::sound;

/// Id of an order that the server has not acknowledged, to the order as it was signed.
const UNSHOWN: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("unshown.1");
/// Id of an order that is not over, or failed and may be tried again, to the selection that was given beside it.
const BESIDE: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("beside.1");

/// So many orders wait to be shown to the server. A controller that is out of its mind must not fill the disk.
const UNSHOWN_MAX: u64 = 64;
/// So many selections are kept, each of at most [`BESIDE_MAX`](beckon_shared::browse::BESIDE_MAX) bytes.
const BESIDE_MOST: u64 = 32;

impl Journal {
    /// Takes an order on that was verified and that the server may not know, with the selection that came beside it. A new
    /// one is kept to be shown. It is on the disk before this returns.
    pub(crate) fn admit_directly(
        &self,
        order: &Order,
        signed: &SignedOrder,
        selection: Option<&[u8]>,
    ) -> Result<Admission, Refusal> {
        let (id, hash) = (order.id, Hash::of(&signed.order.bytes));
        self.verdict(self.try_admit(order, hash, |write| keep(write, id, signed, selection)))
    }

    /// Whether the server has yet to acknowledge an order.
    pub(crate) fn is_unshown(&self, id: TransferId) -> Result<bool, Refusal> {
        let look = || -> Result<bool, redb::Error> {
            let read = self.db.begin_read()?;
            Ok(read.open_table(UNSHOWN)?.get(id.as_bytes())?.is_some())
        };
        look().map_err(|cause| unusable(&cause))
    }

    /// The orders that the server has yet to acknowledge, the oldest first.
    pub(crate) fn unshown(&self) -> Result<Vec<SignedOrder>, Refusal> {
        let look = || -> Result<Vec<SignedOrder>, redb::Error> {
            let read = self.db.begin_read()?;
            let table = read.open_table(UNSHOWN)?;
            let rows = table.iter()?.map(|row| {
                let (_, signed) = row?;
                wire::decode(signed.value()).map_err(|_| corrupted())
            });
            rows.collect()
        };
        look().map_err(|cause| unusable(&cause))
    }

    /// The server has said what it makes of an order, so it is not shown again.
    pub(crate) fn shown(&self, id: TransferId) -> Result<(), Refusal> {
        let forget = || -> Result<(), redb::Error> {
            let write = self.db.begin_write()?;
            write.open_table(UNSHOWN)?.remove(id.as_bytes())?;
            write.commit()?;
            Ok(())
        };
        forget().map_err(|cause| unusable(&cause))
    }

    /// The selection that was given beside an order, as long as that may go on.
    pub(crate) fn selection(&self, id: TransferId) -> Result<Option<Vec<u8>>, Refusal> {
        let look = || -> Result<Option<Vec<u8>>, redb::Error> {
            let read = self.db.begin_read()?;
            let stored = read.open_table(BESIDE)?.get(id.as_bytes())?;
            Ok(stored.map(|bytes| bytes.value().to_vec()))
        };
        look().map_err(|cause| unusable(&cause))
    }
}

fn keep(
    write: &WriteTransaction,
    id: TransferId,
    signed: &SignedOrder,
    selection: Option<&[u8]>,
) -> Result<bool, redb::Error> {
    let mut unshown = write.open_table(UNSHOWN)?;
    let mut beside = write.open_table(BESIDE)?;
    if beside.len()? >= BESIDE_MOST {
        let orders = write.open_table(ORDERS)?;
        let is_open = |id: &[u8]| match orders.get(id) {
            Ok(Some(stored)) => wire::decode::<Row>(stored.value()).is_ok_and(|row| row.ended.is_none()),
            _ => false,
        };
        beside.retain(|id, _| is_open(id))?;
    }
    let has_room = unshown.len()? < UNSHOWN_MAX && (selection.is_none() || beside.len()? < BESIDE_MOST);
    if has_room {
        unshown.insert(id.as_bytes(), wire::encode(signed).as_slice())?;
        if let Some(bytes) = selection {
            beside.insert(id.as_bytes(), bytes)?;
        }
    }
    Ok(has_room)
}

/// An order is done or cancelled.
pub(super) fn drop_selection(write: &WriteTransaction, id: TransferId) -> Result<(), redb::Error> {
    write.open_table(BESIDE)?.remove(id.as_bytes())?;
    Ok(())
}

/// Forgets what belongs to no known order.
pub(super) fn prune(write: &WriteTransaction, is_known: impl Fn(&[u8]) -> bool) -> Result<(), redb::Error> {
    write.open_table(UNSHOWN)?.retain(|id, _| is_known(id))?;
    write.open_table(BESIDE)?.retain(|id, _| is_known(id))?;
    Ok(())
}

/// Makes what is not there yet.
pub(super) fn open_tables(write: &WriteTransaction) -> Result<(), redb::Error> {
    write.open_table(UNSHOWN)?;
    write.open_table(BESIDE)?;
    Ok(())
}

/// All that is kept here.
pub(super) fn digest(read: &ReadTransaction, digest: &mut sound::Digest) -> Result<(), redb::Error> {
    sound::add(read, UNSHOWN, digest)?;
    sound::add(read, BESIDE, digest)
}

pub(super) fn no_room() -> Refusal {
    Refusal::new(
        ErrorCode::TooMany,
        "too many orders wait on the machine until it reaches its server, or too many long selections until they are stored; give the order again later, or order whole folders instead of many files",
    )
}
