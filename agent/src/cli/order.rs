//! Orders of every kind, made and signed by this device, and placed with the server.

use std::time::Duration;

use beckon_shared::{
    device::DeviceView,
    error::{ErrorCode, Refusal},
    id::{DeviceId, Hash},
    order::{LONGEST_WAIT, Order, OrderBody, SignedOrder},
    path::{Label, RootPath},
    signature::Signed,
    transfer::{Task, TransferView},
    wire::Request,
};

use super::{
    control::{self, Control},
    place::{Live, LiveRef},
    word::word,
};
use crate::{clock, http::Api, output::Failure, state::Controller};

/// An order to be.
pub(super) struct Draft<'a> {
    /// Who signs.
    pub(super) controller: &'a Controller,
    /// Who is to carry it out.
    pub(super) device: DeviceId,
    /// How long it may wait for that machine.
    pub(super) life: Duration,
}

impl<'a> Draft<'a> {
    /// An order that waits as long as orders may.
    pub(super) fn patient(controller: &'a Controller, device: DeviceId) -> Self {
        Self {
            controller,
            device,
            life: LONGEST_WAIT,
        }
    }

    /// Signs the order and places it, with what travels beside it. `what` tells people what it is about.
    pub(super) async fn place(
        &self,
        api: &Api,
        control: &mut Control<'_>,
        body: OrderBody,
        what: String,
        beside: Option<Vec<u8>>,
    ) -> Result<TransferView, Failure> {
        if let Some(bytes) = beside {
            let path = format!("/api/selections/{}", Hash::of(&bytes));
            api.put_bytes(&path, bytes).await?;
        }
        let order = Box::new(self.sign(body)?.1);
        control.place(Request::PlaceOrder { order, what }).await
    }

    /// Signs the order.
    pub(super) fn sign(&self, body: OrderBody) -> Result<(Order, SignedOrder), Failure> {
        let sign_in = self.controller.sign_in.as_ref().ok_or_else(Failure::not_signed_in)?;
        let account = self.controller.account();
        let issued = clock::now();
        let order = Order {
            suite: 0,
            signer: self.controller.keys.id(),
            signer_account: account,
            target_account: account,
            target: self.device,
            id: clock::new_transfer_id(),
            issued,
            expires: issued + self.life,
            body,
        };
        let signed = SignedOrder {
            order: Signed::sign(&order, self.controller.keys.signing()),
            signer: sign_in.chain.clone(),
        };
        Ok((order, signed))
    }
}

/// A place in a root of a machine, by ids and by the names that people know.
#[derive(Debug, Clone)]
pub(super) struct Spot {
    /// The machine's name.
    pub(super) machine: Label,
    /// The machine, the root and the path below it.
    pub(super) at: LiveRef,
    /// The root's name.
    pub(super) root_name: Label,
    /// Whether orders may write in the root, as far as the machine has told.
    pub(super) writable: bool,
}

impl Spot {
    /// What a person typed, or a listing named. A machine alone names no place in a root.
    pub(super) fn find(control: &Control<'_>, place: &Live) -> Result<Self, Failure> {
        let machine = control.meant(place)?;
        let (root, path) = match place {
            Live::Machine(name) => {
                return Err(Failure::usage(format!(
                    "name a root of {name}, as in {name}:ROOT; see: beckon ls {}",
                    word(name.as_str())
                )));
            }
            Live::Inside { root, path, .. } => (control::root_of(machine, root)?, path),
            Live::Ref(token) => (token.root, &token.path),
        };
        let at = LiveRef {
            device: machine.id,
            root,
            path: path.clone(),
        };
        Self::on(machine, at)
    }

    /// A place of which the ids are known.
    pub(super) fn on(machine: &DeviceView, at: LiveRef) -> Result<Self, Failure> {
        let known = machine.roots.iter().find(|root| root.id == at.root);
        Ok(Self {
            machine: machine.name.clone(),
            root_name: control::root_name(machine, at.root)?,
            writable: known.is_some_and(|root| root.writable),
            at,
        })
    }

    /// As people write it.
    pub(super) fn text(&self) -> String {
        let path = &self.at.path;
        let below = if path.is_root() { "" } else { "/" };
        format!("{}:{}{below}{}", self.machine, self.root_name, path.display())
    }

    /// As it is typed in a command.
    pub(super) fn typed(&self) -> String {
        word(&self.text())
    }

    /// Refuses a root that its owner did not mark for writing.
    pub(super) fn must_be_writable(&self) -> Result<(), Failure> {
        if self.writable {
            return Ok(());
        }
        let (machine, root) = (&self.machine, &self.root_name);
        let name = word(root.as_str());
        let advice =
            format!("{machine}:{root} is for reading only; on {machine} itself run: beckon roots writable {name} on");
        Err(Refusal::new(ErrorCode::NotAllowed, advice).into())
    }

    /// Refuses anything but a whole root.
    pub(super) fn must_be_whole(&self, verb: &str) -> Result<(), Failure> {
        let (machine, root) = (&self.machine, &self.root_name);
        match self.at.path.is_root() {
            true => Ok(()),
            false => Err(Failure::usage(format!(
                "a whole root is {verb}; write {machine}:{root}"
            ))),
        }
    }

    /// The newest open transfer of this kind in the root.
    pub(super) fn open_transfer<'a>(&self, control: &'a Control<'_>, task: Task) -> Option<&'a TransferView> {
        let is_it = |one: &&TransferView| one.task == task && !one.state.is_over() && self.is_root_of(one);
        control.transfers().into_iter().find(is_it)
    }

    /// Whether a transfer is one of this root.
    pub(super) fn is_root_of(&self, transfer: &TransferView) -> bool {
        transfer.device == self.at.device && transfer.root_id == self.at.root
    }

    /// The path below the root, as transfers tell it.
    pub(super) fn what(&self) -> String {
        beckon_shared::order::what(std::slice::from_ref::<RootPath>(&self.at.path), 1)
    }
}
