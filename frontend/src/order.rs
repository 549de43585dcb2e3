//! Orders: made and signed here, placed through the control socket.

use beckon_shared::{
    error::Refusal,
    id::{DeviceId, RootId},
    path::RootPath,
    transfer::TransferView,
};

use crate::{api, store::Stores};

/// Orders a machine to upload these entries of a root, with all that is below them. The transfer is in the stores when
/// this returns.
pub(crate) async fn upload(
    _stores: Stores,
    _machine: DeviceId,
    _root: RootId,
    _paths: Vec<RootPath>,
) -> Result<TransferView, Refusal> {
    Err(api::offline())
}
