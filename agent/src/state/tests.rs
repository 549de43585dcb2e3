//! Records survive a round trip, are private, and damage is said aloud.

use std::sync::Arc;

use beckon_shared::{
    certificate::{Chain, DeviceCertificate, Role, SUITE},
    device::DeviceKind,
    id::SpaceId,
    keys::AccountKey,
    path::Label,
    statement::Standing,
};

use super::*;
use crate::{clock, identity};

pub(crate) fn sample_machine() -> Machine {
    let account = AccountKey::from_bytes(&[7; 32]);
    let keys = identity::new_keys();
    let certificate = DeviceCertificate {
        suite: SUITE,
        account: account.id(),
        keys: keys.public(),
        kind: DeviceKind::Agent,
        role: Role::Source,
        issued: clock::now(),
        not_after: None,
        epoch: 0,
    };
    Machine {
        server: Origin::parse("http://127.0.0.1:8440").unwrap(),
        account_key: account.public(),
        space: SpaceId::new(clock::now(), [1; 10]),
        name: Label::new("studio").unwrap(),
        chain: Chain::by_account(&certificate, &account),
        keys,
        standing: Standing::default(),
        roots: Vec::new(),
        closed: Vec::new(),
        has_journal: false,
        lan: Default::default(),
    }
}

use crate::origin::Origin;

#[test]
fn a_machine_comes_back_as_it_was_saved() {
    let folder = tempfile::tempdir().unwrap();
    let state = StateDir::open(&folder.path().join("new/state")).unwrap();
    assert!(state.machine().unwrap().is_none());
    let machine = sample_machine();
    state.save_machine(&machine).unwrap();
    let back = state.machine().unwrap().unwrap();
    assert_eq!(back.identity().device(), machine.keys.id());
    assert_eq!((back.name, back.chain), (machine.name, machine.chain));
}

#[test]
fn a_machine_that_was_saved_before_closed_roots_were_kept_has_none() {
    let mut machine = serde_json::to_value(sample_machine()).unwrap();
    machine.as_object_mut().unwrap().remove("closed").unwrap();
    let bytes = serde_json::to_vec(&serde_json::json!({ "version": 1, "record": machine })).unwrap();
    assert_eq!(record::decode::<Machine>(&bytes).unwrap().closed, []);
}

#[cfg(unix)]
#[test]
#[allow(clippy::disallowed_methods, reason = "a test looks at its own temporary files")]
fn nobody_else_can_read_the_state() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state");
    let state = StateDir::open(&path).unwrap();
    state.save_machine(&sample_machine()).unwrap();
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&path), 0o700);
    assert_eq!(mode(&state.file(MACHINE)), 0o600);
}

#[test]
fn a_damaged_record_is_named_and_not_overwritten_by_a_guess() {
    let folder = tempfile::tempdir().unwrap();
    let state = StateDir::open(folder.path()).unwrap();
    state.write_bytes(MACHINE, b"{ half").unwrap();
    let refusal = state.machine().unwrap_err();
    assert_eq!(refusal.code, ErrorCode::Damaged);
    assert!(refusal.message.contains(MACHINE), "{}", refusal.message);
    state.write_bytes(MACHINE, br#"{"version": 99, "record": {}}"#).unwrap();
    assert!(state.machine().unwrap_err().message.contains("update it"));
}

#[test]
fn only_one_agent_runs_on_a_state_folder() {
    let folder = tempfile::tempdir().unwrap();
    let state = StateDir::open(folder.path()).unwrap();
    let first = state.lock_run().unwrap();
    assert_eq!(state.lock_run().unwrap_err().code, ErrorCode::Conflict);
    drop(first);
    assert!(state.lock_run().is_ok());
}

#[test]
fn changes_by_several_at_once_are_all_kept() {
    let folder = tempfile::tempdir().unwrap();
    let state = Arc::new(StateDir::open(folder.path()).unwrap());
    state.save_machine(&sample_machine()).unwrap();
    let add = |number: u8| {
        let state = Arc::clone(&state);
        move || {
            let root = RootConfig {
                id: beckon_shared::id::RootId([number; 16]),
                name: Label::new(format!("root {number}")).unwrap(),
                path: "/".into(),
                writable: false,
                ignore: String::new(),
            };
            state
                .update_machine(|machine| {
                    machine.roots.push(root);
                    Ok(())
                })
                .unwrap();
        }
    };
    let threads: Vec<_> = (0..8).map(|number| std::thread::spawn(add(number))).collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    assert_eq!(state.machine().unwrap().unwrap().roots.len(), 8);
}

#[test]
fn a_private_file_is_never_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("words");
    create_private_file(&path, b"first").unwrap();
    assert!(
        create_private_file(&path, b"second")
            .unwrap_err()
            .message
            .contains("not overwritten")
    );
    assert_eq!(read_small_file(&path, 10).unwrap(), b"first");
    assert_eq!(read_small_file(&path, 3).unwrap_err().code, ErrorCode::BadRequest);
}
