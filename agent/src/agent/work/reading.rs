//! What an order that is not over lets be read before it is stored.

use std::sync::Arc;

use beckon_shared::{
    error::{ErrorCode, Refusal},
    id::TransferId,
    order::{OrderBody, Selection, UploadOrder},
    path::RootPath,
};
use tokio_util::sync::CancellationToken;

use super::{super::Agent, Work};
use crate::root::Root;

impl Agent {
    /// The root in which a file of a transfer may be read, and what ends the right to it.
    pub(crate) fn may_read(
        &self,
        transfer: &TransferId,
        path: &RootPath,
    ) -> Result<(Arc<Root>, CancellationToken), Refusal> {
        let (upload, end) = self.work.standing(transfer).ok_or_else(not_under_way)?;
        let root = self.root_named(&upload.root, &upload.root_name)?;
        let holds = |paths: &[RootPath]| paths.iter().any(|one| one.holds(path));
        let is_selected = match &upload.selection {
            Selection::Inline(paths) => holds(paths),
            Selection::Detached(_) => holds(&self.live.durable.selection(transfer).ok_or_else(not_under_way)?),
        };
        match is_selected && !path.is_root() {
            true => Ok((root, end)),
            false => Err(Refusal::new(
                ErrorCode::NotFound,
                "this transfer does not hold this file; look at what was selected for it",
            )),
        }
    }
}

impl Work {
    /// The order of a transfer that was taken on and is neither over nor about to end.
    fn standing(&self, id: &TransferId) -> Option<(UploadOrder, CancellationToken)> {
        let orders = self.open();
        let open = orders.get(id).filter(|open| open.verdict.is_none() && !open.is_over)?;
        match &open.body {
            OrderBody::Upload(upload) => Some((upload.clone(), open.stops.cancel.clone())),
            _ => None,
        }
    }
}

fn not_under_way() -> Refusal {
    Refusal::new(
        ErrorCode::Conflict,
        "the machine does not work on this transfer now; resume it, or wait for its turn, then read the file again",
    )
}
