//! The control list as it was last seen, kept for when the server cannot be reached.

use beckon_shared::{
    device::DeviceView,
    id::{AccountId, DeviceId},
    time::Timestamp,
};

use crate::{
    origin::Origin,
    output::{Output, remark},
    state::{Controller, KnownDevices, StateDir},
};

/// Keeps the list, if it says anything new. It is of use only some day, so a failure is no reason to end.
pub(super) fn keep(state: &StateDir, server: Origin, account: AccountId, mut devices: Vec<DeviceView>) {
    for device in &mut devices {
        // What is of the moment would have the file written at every command.
        device.online = false;
        device.last_seen = Timestamp(0);
    }
    let known = KnownDevices {
        server,
        account,
        devices,
    };
    if let Err(refusal) = state.keep_devices(&known) {
        tracing::warn!(%refusal, "the control list could not be kept");
    }
}

/// The list that was last seen of this account at this server.
pub(super) fn devices(state: &StateDir, controller: &Controller, out: Output) -> Option<Vec<(DeviceId, DeviceView)>> {
    let known = state.known_devices().unwrap_or_else(|refusal| {
        remark(out, &refusal.message);
        None
    })?;
    let is_of_this_account = known.server == controller.server && known.account == controller.account();
    let devices = known.devices.into_iter().map(|device| (device.id, device));
    is_of_this_account.then(|| devices.collect())
}

#[cfg(test)]
mod tests {
    use beckon_shared::{id::SpaceId, path::Label, statement::Standing};

    use super::*;
    use crate::{clock, identity::copy_keys, orders::tests::Family, output::Format, session::tests::view};

    const OUT: Output = Output { format: Format::Json };

    fn controller(family: &Family, server: &str) -> Controller {
        Controller {
            server: Origin::parse(server).unwrap(),
            account_name: "me".to_owned(),
            account_key: family.account.public(),
            space: SpaceId::new(clock::now(), [1; 10]),
            device_name: "desk".to_owned(),
            keys: copy_keys(&family.controller),
            standing: Standing::default(),
            sign_in: None,
        }
    }

    #[test]
    fn the_list_is_there_for_this_account_at_this_server_and_nobody_else() {
        let folder = tempfile::tempdir().unwrap();
        let state = StateDir::open(folder.path()).unwrap();
        let (ours, others) = (Family::new(1), Family::new(50));
        let at_home = controller(&ours, "https://drive.example");
        assert!(devices(&state, &at_home, OUT).is_none(), "nothing was seen yet");
        let mut machine = view(&ours);
        machine.online = true;
        machine.last_seen = Timestamp(77);
        machine.name = Label::new("studio").unwrap();
        let seen = vec![machine.clone()];
        keep(&state, at_home.server.clone(), at_home.account(), seen);
        machine.online = false;
        machine.last_seen = Timestamp(0);
        assert_eq!(devices(&state, &at_home, OUT), Some(vec![(machine.id, machine)]));
        assert!(devices(&state, &controller(&ours, "https://other.example"), OUT).is_none());
        assert!(devices(&state, &controller(&others, "https://drive.example"), OUT).is_none());
        state.forget_devices().unwrap();
        assert!(devices(&state, &at_home, OUT).is_none(), "it was forgotten");
    }

    #[test]
    fn a_list_that_says_nothing_new_is_not_written_again_and_a_damaged_one_is_none() {
        let folder = tempfile::tempdir().unwrap();
        let state = StateDir::open(folder.path()).unwrap();
        let family = Family::new(1);
        let at_home = controller(&family, "https://drive.example");
        let written = || state.read_bytes("devices.json", 1 << 20).unwrap().unwrap();
        let see = |last_seen| {
            let mut machine = view(&family);
            machine.last_seen = Timestamp(last_seen);
            keep(&state, at_home.server.clone(), at_home.account(), vec![machine]);
        };
        see(1);
        let first = written();
        let marked = [first.as_slice(), b"\n\n"].concat();
        state.write_bytes("devices.json", &marked).unwrap();
        see(2);
        assert_eq!(written(), marked);
        state.write_bytes("devices.json", b"{").unwrap();
        assert!(devices(&state, &at_home, OUT).is_none());
        see(3);
        assert_eq!(written(), first);
    }
}
