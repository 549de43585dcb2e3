//! What machines are asked to read: each has a ticket, which counts once and only while somebody waits for the answer.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use beckon_shared::{
    bulk::Segment,
    error::{ErrorCode, Refusal},
    id::{AccountId, Hash},
};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// So much of an account is read live at once.
const READS_MAX: usize = 16;

/// Segments that wait for a slow reader; each has at most 256 KiB.
const AHEAD: usize = 4;

/// A segment, or why none comes any more.
pub(super) type Said = Result<Segment, Refusal>;

/// All live reads that are under way; clones share them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Reads(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    waiting: HashMap<Hash, Waiting>,
    under_way: HashMap<AccountId, usize>,
}

/// On whose behalf a machine is asked.
#[derive(Debug)]
pub(super) struct Reader {
    /// The account of both.
    pub(super) account: AccountId,
    /// Fires when the machine is revoked.
    pub(super) cut: CancellationToken,
}

/// Where a machine's answer goes.
#[derive(Debug)]
pub(super) struct Waiting {
    /// Takes the segments, at the pace of whoever reads.
    pub(super) segments: mpsc::Sender<Said>,
    /// Fires when the machine is revoked.
    pub(super) cut: CancellationToken,
}

/// A read that was asked for. Dropping it ends the machine's answer.
#[derive(Debug)]
pub(super) struct Asked {
    /// What the machine says.
    pub(super) segments: mpsc::Receiver<Said>,
    _place: Place,
}

/// Counts a read while it is under way.
#[derive(Debug)]
struct Place {
    reads: Reads,
    account: AccountId,
    ticket: Hash,
}

impl Reads {
    /// Waits for the answer that comes with this ticket.
    pub(super) fn open(&self, ticket: &[u8; 32], reader: Reader) -> Result<Asked, Refusal> {
        let ticket = Hash::of(ticket);
        let (sender, segments) = mpsc::channel(AHEAD);
        let mut state = self.lock();
        let under_way = state.under_way.entry(reader.account).or_default();
        if *under_way >= READS_MAX {
            let advice = format!(
                "at most {READS_MAX} files that are still uploading are read at once; close some, then try again"
            );
            return Err(Refusal::new(ErrorCode::TooMany, advice));
        }
        *under_way += 1;
        let waiting = Waiting {
            segments: sender,
            cut: reader.cut,
        };
        state.waiting.insert(ticket, waiting);
        drop(state);
        let place = Place {
            reads: self.clone(),
            account: reader.account,
            ticket,
        };
        Ok(Asked {
            segments,
            _place: place,
        })
    }

    /// Uses a ticket up.
    pub(super) fn take(&self, ticket: &[u8; 32]) -> Option<Waiting> {
        self.lock().waiting.remove(&Hash::of(ticket))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // No code that can panic runs under this lock.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut state = self.reads.lock();
        state.waiting.remove(&self.ticket);
        if let Some(under_way) = state.under_way.get_mut(&self.account) {
            *under_way -= 1;
            if *under_way == 0 {
                state.under_way.remove(&self.account);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reader(seed: u8) -> Reader {
        Reader {
            account: AccountId([seed; 32]),
            cut: CancellationToken::new(),
        }
    }

    #[test]
    fn a_ticket_counts_once_and_only_while_somebody_waits() {
        let reads = Reads::default();
        let asked = reads.open(&[1; 32], reader(1)).unwrap();
        assert!(reads.take(&[2; 32]).is_none());
        assert!(reads.take(&[1; 32]).is_some());
        assert!(reads.take(&[1; 32]).is_none());
        drop(asked);
        drop(reads.open(&[3; 32], reader(1)).unwrap());
        assert!(reads.take(&[3; 32]).is_none());
    }

    #[test]
    fn an_account_reads_so_much_at_once_and_holds_no_other_up() {
        let reads = Reads::default();
        let tickets = 0..READS_MAX as u8;
        let mut all: Vec<_> = tickets.map(|at| reads.open(&[at; 32], reader(1)).unwrap()).collect();
        assert_eq!(reads.open(&[99; 32], reader(1)).unwrap_err().code, ErrorCode::TooMany);
        assert!(reads.open(&[98; 32], reader(2)).is_ok());
        all.pop();
        all.push(reads.open(&[99; 32], reader(1)).unwrap());
        all.clear();
        assert!(reads.lock().under_way.is_empty() && reads.lock().waiting.is_empty());
    }
}
