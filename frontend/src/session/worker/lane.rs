//! A session of its own for a download, so that no click waits behind its bytes.

use std::rc::Rc;

use beckon_shared::{
    browse::{Answer, Ask, Route},
    error::Refusal,
    id::DeviceId,
};

use super::ways::Ways;

/// Ways to a machine that nobody else uses; dropping it closes them.
pub(crate) struct Lane(Rc<Ways>);

impl Lane {
    /// Connects when something is asked first.
    pub(crate) fn open(machine: DeviceId) -> Self {
        Self(super::add(machine))
    }

    /// Asks the machine, any number of things at once. What only reads is asked again over the other way if one breaks or
    /// falls silent; refused as [`ErrorCode::Away`](beckon_shared::error::ErrorCode::Away) if none stands.
    pub(crate) async fn ask(&self, body: Ask) -> Result<Answer, Refusal> {
        self.0.ask(body).await
    }

    /// The way that is used now.
    pub(crate) fn route(&self) -> Option<Route> {
        self.0.route()
    }
}

impl Drop for Lane {
    fn drop(&mut self) {
        self.0.close();
    }
}
