//! Private sessions with machines, one for each machine at a time: opened when first asked, kept, opened anew when cut.

use beckon_shared::{
    browse::{Answer, Ask},
    error::Refusal,
    id::DeviceId,
};

use crate::{api, store::Stores};

/// Asks a machine for something.
pub(crate) async fn ask(_stores: Stores, _machine: DeviceId, _body: Ask) -> Result<Answer, Refusal> {
    Err(api::offline())
}

/// Ends all sessions, as at signing out.
pub(crate) fn close_all() {}
