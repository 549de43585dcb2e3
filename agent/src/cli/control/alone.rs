//! Doing without the server: the control list is the one that was last seen, and machines in this network answer themselves.

use std::{pin::pin, sync::PoisonError, time::Duration};

use beckon_shared::{device::DeviceView, error::ErrorCode, id::DeviceId};

use super::{Control, connect_failure, known};
use crate::{
    cli::{Here, place::Live},
    connection::ConnectError,
    output::Failure,
    session::Reach,
    state::Controller,
};

/// A command that could do without the server begins to do so when it has not answered for so long.
const SERVER_PATIENCE: Duration = Duration::from_secs(3);
/// The pause before the machine is tried again, while neither it nor the server answers.
const AGAIN_AFTER: Duration = Duration::from_secs(1);

impl<'a> Control<'a> {
    /// Like [`Control::open`]; but if the server cannot be reached, or the machine that is meant is there before it, the
    /// control list is the one that was last seen.
    pub(crate) async fn open_even_alone(
        here: &'a Here,
        controller: &Controller,
        place: &Live,
    ) -> Result<Self, Failure> {
        let mut control = Self::closed(here, controller)?;
        let connected = {
            let mut connecting = pin!(control.connect());
            match tokio::time::timeout(SERVER_PATIENCE, &mut connecting).await {
                Ok(connected) => connected,
                Err(_) => tokio::select! {
                    connected = &mut connecting => connected,
                    alone = Self::answered(here, controller, place) => return Ok(alone),
                },
            }
        };
        match connected {
            Ok(told) => told.map(|()| control),
            Err(error @ ConnectError::Unreachable(_)) => Self::alone(here, controller, connect_failure(error)),
            Err(error) => Err(connect_failure(error)),
        }
    }

    /// Whether the server could not be reached, so that only what is in this network can be.
    pub(crate) fn is_alone(&self) -> bool {
        self.connection.is_err()
    }

    /// The machine of a place, which may be away.
    pub(crate) fn meant(&self, place: &Live) -> Result<&DeviceView, Failure> {
        match place {
            Live::Machine(machine) | Live::Inside { machine, .. } => self.machine(machine),
            Live::Ref(token) => self.machine_of(token.device),
        }
    }

    /// With what is kept here; `failure` is why there is nothing else.
    fn alone(here: &'a Here, controller: &Controller, failure: Failure) -> Result<Self, Failure> {
        let mut control = Self::closed(here, controller)?;
        let known = known::devices(&here.state, controller, here.out);
        control.devices = known.ok_or_else(|| failure.clone())?.into_iter().collect();
        control.connection = Err(failure);
        Ok(control)
    }

    /// Ends once the machine that is meant answers without the server.
    async fn answered(here: &'a Here, controller: &Controller, place: &Live) -> Self {
        let failure = Failure::unreachable(controller.server.as_str(), "no answer");
        let answered = async {
            let alone = Self::alone(here, controller, failure)?;
            let machine = alone.meant(place)?;
            let reach = alone.begin(machine);
            while let Err(refusal) = reach.ready().await {
                if refusal.code != ErrorCode::Away {
                    return Err(refusal.into());
                }
                tokio::time::sleep(AGAIN_AFTER).await;
            }
            alone.keep_reached(machine.id, reach);
            Ok::<Self, Failure>(alone)
        };
        match answered.await {
            Ok(alone) => alone,
            Err(_) => std::future::pending().await,
        }
    }

    fn keep_reached(&self, machine: DeviceId, reach: Reach) {
        *self.reached.lock().unwrap_or_else(PoisonError::into_inner) = Some((machine, reach));
    }

    /// The way to a machine that was found already, once.
    pub(super) fn take_reached(&self, machine: DeviceId) -> Option<Reach> {
        let mut reached = self.reached.lock().unwrap_or_else(PoisonError::into_inner);
        let found = reached.take_if(|(id, _)| *id == machine);
        found.map(|(_, reach)| reach)
    }
}
