//! Accounts: set-up, sign-in, recovery, and the account key for the moment in which it is needed.

use beckon_shared::{error::Refusal, keys::AccountKey};

use crate::store::Stores;

/// The account key, for certificates, join codes and revocations: from memory if the password was typed in the last 15
/// minutes, else the person is asked for the password in a dialog. `None` if the person thinks better of it.
pub(crate) async fn unlocked(_stores: Stores) -> Result<Option<std::rc::Rc<AccountKey>>, Refusal> {
    Ok(None)
}

/// At the start of the page: takes up the identity that this browser keeps, if its session still stands, and connects.
pub(crate) async fn resume(_stores: Stores) {}
