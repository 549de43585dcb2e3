//! Which of its transfers a machine is to do first, as a person says on any terminal.

use beckon_shared::{
    error::ErrorCode,
    id::{AccountId, TransferId},
    transfer::{Priority, TransferView},
};

use super::{push::push, record};
use crate::{app::App, error::refusal_of, store::Error};

/// Gives a transfer that is not over its place among those of its machine. It is recorded first, so that it holds also for a
/// machine that is away.
pub(crate) async fn prioritise(
    app: &App,
    account: &AccountId,
    id: &TransferId,
    priority: Priority,
) -> Result<(), Error> {
    let moved = |view: &TransferView| {
        (view.priority != priority).then(|| TransferView {
            priority,
            ..view.clone()
        })
    };
    let view = record(app, account, id, moved).await?;
    if view.state.is_over() {
        return Err(Error::refused(
            ErrorCode::Conflict,
            "this transfer is over, so nothing is left to be done sooner or later",
        ));
    }
    // What cannot be told now, the next contact tells.
    if let Err(error) = push(app, account, id).await {
        refusal_of(&error);
    }
    Ok(())
}
