//! Whose turn it is to search: what is searched for takes time and a connection to the database.

use std::{
    collections::HashMap,
    sync::{Arc, LazyLock, Mutex, PoisonError, Weak},
};

use beckon_shared::{
    error::{ErrorCode, Refusal},
    id::AccountId,
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, SemaphorePermit};

use crate::{
    error::{Answer, Failure},
    store::Error,
};

/// Searches at the same time: fewer than there are connections that read.
static ALL: Semaphore = Semaphore::const_new(2);

/// Searches of one account that wait for each other; who types fast gives most of them up again.
const WAITING_MAX: usize = 16;

type Own = Mutex<HashMap<AccountId, Weak<Semaphore>>>;

/// The accounts that search or wait, each with a turn of its own.
static OWN: LazyLock<Own> = LazyLock::new(Own::default);

/// Lets the next one search when it is dropped.
#[derive(Debug)]
pub(super) struct Turn {
    _all: SemaphorePermit<'static>,
    _own: OwnedSemaphorePermit,
}

/// Waits until it is an account's turn. The one that it has itself comes first, so that it keeps no others waiting.
pub(super) async fn take(account: AccountId) -> Answer<Turn> {
    let own = own(account)?.acquire_owned().await.map_err(|_| closed())?;
    let all = ALL.acquire().await.map_err(|_| closed())?;
    Ok(Turn { _all: all, _own: own })
}

fn own(account: AccountId) -> Answer<Arc<Semaphore>> {
    let mut own = OWN.lock().unwrap_or_else(PoisonError::into_inner);
    own.retain(|_, turn| turn.strong_count() > 0);
    let turn = own
        .get(&account)
        .and_then(Weak::upgrade)
        .unwrap_or_else(|| Arc::new(Semaphore::new(1)));
    // Each that searches or waits holds it.
    if Arc::strong_count(&turn) > WAITING_MAX {
        return Err(Refusal::new(
            ErrorCode::TooMany,
            "too many searches at once; wait a moment and try again",
        )
        .into());
    }
    own.insert(account, Arc::downgrade(&turn));
    Ok(turn)
}

fn closed() -> Failure {
    Error::refused(ErrorCode::GoingAway, "the server is going down; try again in a moment").into()
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[tokio::test]
    async fn an_account_searches_once_at_a_time_and_hears_when_it_asks_too_often() {
        let (ann, bob) = (AccountId([1; 32]), AccountId([2; 32]));
        let first = take(ann).await.unwrap();
        let mut waiting: Vec<_> = (1..WAITING_MAX).map(|_| Box::pin(take(ann))).collect();
        for one in &mut waiting {
            assert!(one.now_or_never().is_none());
        }
        let refused = take(ann).await.unwrap_err();
        assert!(refused.to_string().contains("too many searches"), "{refused}");
        drop(take(bob).await.unwrap());
        drop(first);
        drop(waiting.remove(0).await.unwrap());
        drop(waiting);
        assert!(take(ann).await.is_ok());
    }
}
