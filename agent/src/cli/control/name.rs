//! Devices and roots by the names that people type.

use beckon_shared::{
    device::{DeviceKind, DeviceView},
    error::{ErrorCode, Refusal},
    id::{DeviceId, RootId},
    path::Label,
};

use crate::{cli::word::word, output::Failure};

/// Among devices of which those that still count come first.
pub(super) fn named<'a>(devices: &[&'a DeviceView], name: &str) -> Option<&'a DeviceView> {
    let (id, folded) = (name.parse::<DeviceId>().ok(), name.to_lowercase());
    let find = |is: &dyn Fn(&DeviceView) -> bool| devices.iter().copied().find(|device| is(device));
    find(&|device| id == Some(device.id))
        .or_else(|| find(&|device| !device.revoked && device.name.as_str() == name))
        .or_else(|| find(&|device| device.name.as_str().to_lowercase() == folded))
}

/// The device as a machine that can be asked.
pub(super) fn usable(device: &DeviceView) -> Result<&DeviceView, Failure> {
    if device.kind != DeviceKind::Agent {
        return Err(not_found(format!(
            "{} is no machine, it only commands others; see: beckon machines",
            device.name
        )));
    }
    if device.revoked {
        return Err(Refusal::new(
            ErrorCode::Revoked,
            format!("{} was revoked; join it again to use it", device.name),
        )
        .into());
    }
    Ok(device)
}

/// The root of this name on a machine, as the server tells it.
pub(crate) fn root_of(machine: &DeviceView, name: &Label) -> Result<RootId, Failure> {
    let root = machine.roots.iter().find(|root| root.name == *name);
    let machine_name = &machine.name;
    root.map(|root| root.id).ok_or_else(|| match machine.roots.as_slice() {
        // Its agent tells them, each time that it comes online.
        [] if !machine.online => not_found(format!(
            "{machine_name} has told no roots yet; start beckon run there, then try again"
        )),
        _ => not_found(format!(
            "{machine_name} has no root called {name}; see: beckon ls {}",
            word(machine_name.as_str())
        )),
    })
}

/// The name of this root on a machine, as the server tells it.
pub(crate) fn root_name(machine: &DeviceView, id: RootId) -> Result<Label, Failure> {
    let root = machine.roots.iter().find(|root| root.id == id);
    root.map(|root| root.name.clone()).ok_or_else(|| {
        not_found(format!(
            "this root of {} is closed; see: beckon ls {}",
            machine.name,
            word(machine.name.as_str())
        ))
    })
}

/// What was named is not there.
pub(crate) fn not_found(message: impl Into<String>) -> Failure {
    Refusal::new(ErrorCode::NotFound, message).into()
}

#[cfg(test)]
mod tests {
    use beckon_shared::{device::Platform, time::Timestamp};

    use super::*;
    use crate::orders::tests::Family;

    /// A row of the control list in which nothing matters but name, id and whether it still counts.
    fn row(name: &str, seed: u8, revoked: bool) -> DeviceView {
        let family = Family::new(seed);
        DeviceView {
            id: family.machine.device(),
            name: Label::new(name).unwrap(),
            kind: DeviceKind::Agent,
            os: String::new(),
            version: String::new(),
            platform: Platform::here(),
            online: false,
            address: String::new(),
            port: 0,
            addresses: Vec::new(),
            lan_port: None,
            roots: Vec::new(),
            first_seen: Timestamp(0),
            last_seen: Timestamp(0),
            revoked,
            joined_by_code: false,
            certificate: family.machine.chain,
            limits: beckon_shared::limits::Limits::default(),
        }
    }

    #[test]
    fn a_name_means_the_machine_that_has_it_now_and_an_id_means_the_one_with_that_id() {
        let (now, other, before) = (row("desk", 10, false), row("Desk2", 20, false), row("desk", 30, true));
        let devices = [&now, &other, &before];
        let id = |name: &str| named(&devices, name).map(|device| device.id);
        assert_eq!(
            (id("desk"), id("DESK"), id("desk2"), id("absent")),
            (Some(now.id), Some(now.id), Some(other.id), None)
        );
        assert_eq!(id(&before.id.to_string()), Some(before.id));
        assert_eq!(
            named(&[&other, &before], "desk").map(|device| device.id),
            Some(before.id)
        );
    }

    #[test]
    fn a_machine_that_was_never_online_is_to_be_started_first() {
        let name = Label::new("Documents").unwrap();
        let machine = row("desk", 10, false);
        assert!(
            root_of(&machine, &name)
                .unwrap_err()
                .message
                .contains("start beckon run there")
        );
        let online = DeviceView {
            online: true,
            ..machine
        };
        assert!(
            root_of(&online, &name)
                .unwrap_err()
                .message
                .contains("no root called Documents")
        );
    }
}
