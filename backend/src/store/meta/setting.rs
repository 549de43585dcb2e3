//! Values of which the server has one each: its secret, the set-up code made by `reset-setup`.

use sea_orm::ConnectionTrait;

use super::{Txn, sql};
use crate::store::Error;

/// Names of settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Setting {
    /// 32 random bytes from which fake salts are made.
    Secret,
    /// Hash and end of the set-up code that `reset-setup` made.
    SetUpCode,
}

impl Setting {
    fn name(self) -> &'static str {
        match self {
            Self::Secret => "secret",
            Self::SetUpCode => "set-up-code",
        }
    }
}

/// The value, if it was ever set.
pub(crate) async fn get(on: &impl ConnectionTrait, setting: Setting) -> Result<Option<Vec<u8>>, Error> {
    let row = on
        .query_one_raw(sql(
            "SELECT value FROM setting WHERE name = $1",
            on,
            [setting.name().into()],
        ))
        .await?;
    Ok(row.map(|row| row.try_get("", "value")).transpose()?)
}

/// Sets the value, whatever it was.
pub(crate) async fn set(txn: &Txn, setting: Setting, value: Vec<u8>) -> Result<(), Error> {
    let text =
        "INSERT INTO setting (name, value) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET value = excluded.value";
    txn.execute_raw(sql(text, txn, [setting.name().into(), value.into()]))
        .await?;
    Ok(())
}

/// Forgets the value.
pub(crate) async fn clear(txn: &Txn, setting: Setting) -> Result<(), Error> {
    txn.execute_raw(sql("DELETE FROM setting WHERE name = $1", txn, [setting.name().into()]))
        .await?;
    Ok(())
}
