//! Which orders this machine has taken on: written durably before anything is done, so that no order runs twice,
//! whoever shows it again and whenever. Only one that failed may be tried again, within its time.

mod direct;

use std::time::Duration;

use beckon_shared::{
    error::{ErrorCode, Refusal},
    id::{Hash, TransferId},
    order::{CLOCK_GRACE, LONGEST_WAIT, Order, SignedOrder},
    time::Timestamp,
    transfer::{Progress, TransferState},
    wire,
};
use redb::{
    Database, ReadableDatabase, ReadableTable, ReadableTableMetadata, StorageError, TableDefinition, WriteTransaction,
};
use serde::{Deserialize, Serialize};

use crate::{clock, fault, sound, state::StateDir};

/// The file in the state folder.
const FILE: &str = "journal.redb";
/// Memory for pages of the file. Bytes.
const CACHE: usize = 1 << 20;
/// How long an order is remembered after it lapsed. By then its own expiry refuses it; the rest is for people who look.
const REMEMBER: Duration = Duration::from_secs(30 * 24 * 3600);

/// So many cancellations of orders that were never shown are remembered, so that no server fills the disk with them.
const UNSEEN_MAX: u64 = 4096;

/// Order id to [`Row`]. The digit in a table's name is the version of its records.
const ORDERS: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("order.1");
/// Id of an order that was cancelled before it was shown, to when such an order has lapsed for certain (milliseconds since 1970).
const UNSEEN: TableDefinition<'_, &[u8], i64> = TableDefinition::new("unseen.1");
/// Id of an order that is not over, and that a person let go on although much of its root is missing.
const ANSWERED: TableDefinition<'_, &[u8], ()> = TableDefinition::new("answered.1");
/// Id of an order that goes on until somebody ends it.
const STANDING: TableDefinition<'_, &[u8], ()> = TableDefinition::new("standing.1");
/// One row: what was issued before this moment (milliseconds since 1970) is not known any more.
const FLOOR: TableDefinition<'_, (), i64> = TableDefinition::new("floor.1");

/// The orders that this machine has taken on.
#[derive(Debug)]
pub(crate) struct Journal {
    db: Database,
    /// Whether the one before was found lost or damaged at this start.
    was_lost: bool,
}

/// How an order ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Ended {
    /// Where it stands for good.
    pub(crate) state: TransferState,
    /// The final counts.
    pub(crate) progress: Progress,
    /// What went wrong with the whole of it.
    pub(crate) error: Option<Refusal>,
}

impl Ended {
    /// A person cancelled it.
    pub(crate) fn cancelled() -> Self {
        Self {
            state: TransferState::Cancelled,
            progress: Progress::default(),
            error: None,
        }
    }
}

/// What an order that is shown means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Admission {
    /// It is new, and now written down.
    New,
    /// It was taken on before and has not ended: go on with it.
    Continue,
    /// It has ended like this: nothing is done again.
    Ended(Ended),
}

#[derive(Clone, Serialize, Deserialize)]
struct Row {
    /// Of the order's signed bytes: another order under the same id is none.
    order: Hash,
    expires: Timestamp,
    ended: Option<Ended>,
}

impl Journal {
    /// Opens the journal of a state folder. If there was one and it is lost or damaged, then nobody knows which orders ran:
    /// all that were issued until now are refused from then on.
    pub(crate) fn open(state: &StateDir, had_one: bool) -> Result<Self, Refusal> {
        let is_there = state.has(FILE);
        let opened = open_database(state)?;
        let (db, is_lost) = match opened {
            Ok(db) => (db, had_one && !is_there),
            Err(redb::Error::DatabaseAlreadyOpen) => {
                let advice = "another agent uses this state folder; see: beckon status, or give --state another folder";
                return Err(Refusal::new(ErrorCode::Conflict, advice));
            }
            Err(cause) => {
                let aside = state.set_aside(FILE)?;
                tracing::error!(%cause, aside = %aside.display(), "the journal of orders was damaged");
                (open_database(state)?.map_err(|cause| unusable(&cause))?, true)
            }
        };
        let journal = Self { db, was_lost: is_lost };
        if is_lost {
            journal.set_floor().map_err(|cause| unusable(&cause))?;
        }
        Ok(journal)
    }

    /// Takes an order on that was verified. It is on the disk before this returns.
    pub(crate) fn admit(&self, order: &Order, signed: &SignedOrder) -> Result<Admission, Refusal> {
        let hash = Hash::of(&signed.order.bytes);
        self.verdict(self.try_admit(order, hash, |_| Ok(true)))
    }

    fn verdict(&self, verdict: Result<Verdict, redb::Error>) -> Result<Admission, Refusal> {
        match verdict.map_err(|cause| unusable(&cause))? {
            Verdict::Admitted(admission) => Ok(admission),
            Verdict::OtherBytes => Err(other_bytes()),
            Verdict::NoRoom => Err(direct::no_room()),
            Verdict::BelowFloor(floor) => {
                let advice = format!(
                    "this machine lost its record of the orders from before {floor}, so it takes none of them; give the order again after that time"
                );
                Err(Refusal::new(ErrorCode::BadOrder, advice))
            }
        }
    }

    /// Whether an order of this id was taken on, and that is remembered.
    pub(crate) fn knows(&self, id: TransferId) -> Result<bool, Refusal> {
        let look = || -> Result<bool, redb::Error> {
            let read = self.db.begin_read()?;
            Ok(read.open_table(ORDERS)?.get(id.as_bytes())?.is_some())
        };
        look().map_err(|cause| unusable(&cause))
    }

    /// Whether exactly this order was taken on and is not over.
    pub(crate) fn is_under_way(&self, signed: &SignedOrder) -> Result<bool, Refusal> {
        let Ok(claimed) = signed.order.peek() else {
            return Ok(false);
        };
        let known = self.known(&claimed, Hash::of(&signed.order.bytes));
        let known = known.map_err(|cause| unusable(&cause))?;
        Ok(matches!(known, Some(Verdict::Admitted(Admission::Continue))))
    }

    /// Writes down how an order ended; from then on it is not done again, unless it failed and [`Journal::reopen`] says so.
    pub(crate) fn end(&self, id: TransferId, ended: &Ended) -> Result<(), Refusal> {
        self.try_end(id, ended).map_err(|cause| unusable(&cause))
    }

    /// Ends an order that is not over, one too that was not shown yet; how it has ended then.
    pub(crate) fn cancel(&self, id: TransferId) -> Result<Ended, Refusal> {
        let cancelled = Ended::cancelled();
        let changed = self.try_change(id, |row| {
            let news = row.ended.is_none().then(|| Row {
                ended: Some(cancelled.clone()),
                ..row.clone()
            });
            (news, row.ended)
        });
        let known = changed.map_err(|cause| unusable(&cause))?;
        if known.is_none() {
            self.try_remember_unseen(id).map_err(|cause| unusable(&cause))?;
        }
        Ok(known.flatten().unwrap_or(cancelled))
    }

    /// Lets an order that failed, at least in part, be gone on with when it is shown again; how it had ended, if it is one.
    /// Nobody proves that a person wants this: whoever says so can have no more done than the order says, while it counts.
    pub(crate) fn reopen(&self, id: TransferId) -> Result<Option<Ended>, Refusal> {
        let failed = self.try_change(id, |row| {
            let failed = row
                .ended
                .clone()
                .filter(|ended| matches!(ended.state, TransferState::Failed | TransferState::Partly));
            let news = failed.is_some().then_some(Row { ended: None, ..row });
            (news, failed)
        });
        Ok(failed.map_err(|cause| unusable(&cause))?.flatten())
    }

    /// A person lets an order that is not over go on although much of its root is missing. Others have no such question.
    pub(crate) fn answer(&self, id: TransferId) -> Result<(), Refusal> {
        self.try_answer(id).map_err(|cause| unusable(&cause))
    }

    /// Whether a person let an order go on although much of its root is missing.
    pub(crate) fn is_answered(&self, id: TransferId) -> Result<bool, Refusal> {
        let look = || -> Result<bool, redb::Error> {
            let read = self.db.begin_read()?;
            Ok(read.open_table(ANSWERED)?.get(id.as_bytes())?.is_some())
        };
        look().map_err(|cause| unusable(&cause))
    }

    /// What the machine's owner should know of it: that it was lost, as long as orders are refused for that reason.
    pub(crate) fn note(&self, now: Timestamp) -> Option<String> {
        let floor = self.floor().ok()??;
        let counts = self.was_lost || now <= floor + LONGEST_WAIT;
        counts.then(|| {
            format!("the record of orders was lost or damaged and begun anew: orders from before {floor} are refused, so that none runs twice; give those that did not end again. What was uploaded is safe")
        })
    }

    fn floor(&self) -> Result<Option<Timestamp>, redb::Error> {
        let read = self.db.begin_read()?;
        Ok(read.open_table(FLOOR)?.get(())?.map(|floor| Timestamp(floor.value())))
    }

    /// Forgets orders that lapsed long ago, but not those that go on until somebody ends them.
    pub(crate) fn prune(&self, now: Timestamp) -> Result<(), Refusal> {
        self.try_prune(now).map_err(|cause| unusable(&cause))
    }

    fn set_floor(&self) -> Result<(), redb::Error> {
        // An order may carry a time that lies ahead of this machine's clock by as much as clocks may differ.
        let until = clock::now() + CLOCK_GRACE;
        tracing::error!(%until, "which orders ran before is not known any more: those given until then are refused");
        let write = self.db.begin_write()?;
        write.open_table(FLOOR)?.insert((), until.0)?;
        write.commit()?;
        Ok(())
    }

    /// `keep` writes what is kept beside a new order in the same transaction; false if there is no room for it.
    fn try_admit(
        &self,
        order: &Order,
        hash: Hash,
        keep: impl FnOnce(&WriteTransaction) -> Result<bool, redb::Error>,
    ) -> Result<Verdict, redb::Error> {
        if let Some(verdict) = self.known(order, hash)? {
            return Ok(verdict);
        }
        let row = Row {
            order: hash,
            expires: order.expires,
            ended: None,
        };
        let write = self.db.begin_write()?;
        if !keep(&write)? {
            return Ok(Verdict::NoRoom);
        }
        write
            .open_table(ORDERS)?
            .insert(order.id.as_bytes(), wire::encode(&row).as_slice())?;
        if order.body.is_standing() {
            write.open_table(STANDING)?.insert(order.id.as_bytes(), ())?;
        }
        fault::point("order-unwritten");
        write.commit()?;
        fault::point("order-journaled");
        Ok(Verdict::Admitted(Admission::New))
    }

    fn known(&self, order: &Order, hash: Hash) -> Result<Option<Verdict>, redb::Error> {
        let floor = self.floor()?;
        let read = self.db.begin_read()?;
        let stored = read.open_table(ORDERS)?.get(order.id.as_bytes())?;
        let Some(stored) = stored else {
            if read.open_table(UNSEEN)?.get(order.id.as_bytes())?.is_some() {
                return Ok(Some(Verdict::Admitted(Admission::Ended(Ended::cancelled()))));
            }
            return Ok(floor.filter(|floor| order.issued < *floor).map(Verdict::BelowFloor));
        };
        let row: Row = wire::decode(stored.value()).map_err(|_| corrupted())?;
        Ok(Some(match row {
            Row { order, .. } if order != hash => Verdict::OtherBytes,
            Row { ended: Some(ended), .. } => Verdict::Admitted(Admission::Ended(ended)),
            Row { .. } => Verdict::Admitted(Admission::Continue),
        }))
    }

    fn try_end(&self, id: TransferId, ended: &Ended) -> Result<(), redb::Error> {
        let over = |row: Row| {
            let ended = Some(ended.clone());
            (Some(Row { ended, ..row }), ())
        };
        self.try_change(id, over)?.ok_or_else(corrupted)
    }

    /// Puts another row in place of a known order's, if `change` gives one, and answers what else it gives.
    fn try_change<T>(
        &self,
        id: TransferId,
        change: impl FnOnce(Row) -> (Option<Row>, T),
    ) -> Result<Option<T>, redb::Error> {
        let write = self.db.begin_write()?;
        let answer = {
            let mut orders = write.open_table(ORDERS)?;
            let stored = orders
                .get(id.as_bytes())?
                .map(|stored| wire::decode::<Row>(stored.value()));
            let Some(row) = stored else { return Ok(None) };
            let (news, answer) = change(row.map_err(|_| corrupted())?);
            if let Some(row) = news {
                let is_over = |ended: &Ended| matches!(ended.state, TransferState::Done | TransferState::Cancelled);
                // What failed may be tried again.
                if row.ended.as_ref().is_some_and(is_over) {
                    direct::drop_selection(&write, id)?;
                }
                orders.insert(id.as_bytes(), wire::encode(&row).as_slice())?;
                // Who has it done once more is asked once more.
                write.open_table(ANSWERED)?.remove(id.as_bytes())?;
            }
            answer
        };
        write.commit()?;
        Ok(Some(answer))
    }

    fn try_remember_unseen(&self, id: TransferId) -> Result<(), redb::Error> {
        let lapsed = clock::now() + CLOCK_GRACE + LONGEST_WAIT;
        let write = self.db.begin_write()?;
        {
            let mut unseen = write.open_table(UNSEEN)?;
            if unseen.len()? < UNSEEN_MAX {
                unseen.insert(id.as_bytes(), lapsed.0)?;
            }
        }
        write.commit()?;
        Ok(())
    }

    fn try_answer(&self, id: TransferId) -> Result<(), redb::Error> {
        let write = self.db.begin_write()?;
        let is_open = {
            let orders = write.open_table(ORDERS)?;
            let stored = orders.get(id.as_bytes())?;
            let row = stored.map(|stored| wire::decode::<Row>(stored.value())).transpose();
            row.map_err(|_| corrupted())?.is_some_and(|row| row.ended.is_none())
        };
        if !is_open {
            return Ok(());
        }
        write.open_table(ANSWERED)?.insert(id.as_bytes(), ())?;
        write.commit()?;
        Ok(())
    }

    fn try_prune(&self, now: Timestamp) -> Result<(), redb::Error> {
        let write = self.db.begin_write()?;
        {
            let standing = write.open_table(STANDING)?;
            let goes_on =
                |id: &[u8], row: &Row| row.ended.is_none() && standing.get(id).is_ok_and(|standing| standing.is_some());
            let is_kept = |id: &[u8], row: &Row| row.expires + REMEMBER >= now || goes_on(id, row);
            let is_kept = |id: &[u8], stored: &[u8]| wire::decode(stored).is_ok_and(|row| is_kept(id, &row));
            write.open_table(ORDERS)?.retain(is_kept)?;
        }
        {
            let orders = write.open_table(ORDERS)?;
            let is_known = |id: &[u8]| orders.get(id).is_ok_and(|row| row.is_some());
            write.open_table(ANSWERED)?.retain(|id, ()| is_known(id))?;
            write.open_table(STANDING)?.retain(|id, ()| is_known(id))?;
            direct::prune(&write, is_known)?;
        }
        write
            .open_table(UNSEEN)?
            .retain(|_, lapsed| Timestamp(lapsed) + REMEMBER >= now)?;
        write.commit()?;
        Ok(())
    }
}

/// An id stands for one order for ever.
pub(crate) fn other_bytes() -> Refusal {
    Refusal::new(
        ErrorCode::BadOrder,
        "another order has the same id; give this one again, under an id of its own",
    )
}

enum Verdict {
    Admitted(Admission),
    OtherBytes,
    NoRoom,
    BelowFloor(Timestamp),
}

/// The outer error is one of the state folder, the inner one of the database in it.
fn open_database(state: &StateDir) -> Result<Result<Database, redb::Error>, Refusal> {
    let file = state.open_private(FILE)?;
    // On some kinds of damage redb panics instead of returning an error.
    let opened = std::panic::catch_unwind(|| {
        let mut db = Database::builder().set_cache_size(CACHE).create_file(file)?;
        // What it was mended to need not hold all that it held.
        sound::check(&mut db, |read, digest| {
            sound::add(read, ORDERS, digest)?;
            sound::add(read, FLOOR, digest)?;
            sound::add(read, UNSEEN, digest)?;
            sound::add(read, ANSWERED, digest)?;
            sound::add(read, STANDING, digest)?;
            direct::digest(read, digest)
        })?;
        let write = db.begin_write()?;
        write.open_table(ORDERS)?;
        write.open_table(FLOOR)?;
        write.open_table(UNSEEN)?;
        write.open_table(ANSWERED)?;
        write.open_table(STANDING)?;
        direct::open_tables(&write)?;
        write.commit()?;
        Ok(db)
    });
    Ok(opened.unwrap_or_else(|_| Err(corrupted())))
}

fn corrupted() -> redb::Error {
    StorageError::Corrupted("a row of the journal cannot be read".to_owned()).into()
}

fn unusable(cause: &redb::Error) -> Refusal {
    tracing::error!(%cause, "the journal of orders cannot be used");
    Refusal::new(
        ErrorCode::Internal,
        "the machine cannot write its journal of orders; check its disk, the agent's log says more",
    )
}

#[cfg(test)]
mod tests;
