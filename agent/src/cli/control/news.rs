//! Keeps what the account says to all its devices.

use beckon_shared::{
    error::{ErrorCode, Refusal},
    signature::{PublicKey, Signed},
    statement::{Acceptance, Statement},
};

use crate::state::StateDir;

/// Checks a statement and keeps it for the commands to come.
pub(in crate::cli) fn keep_statement(
    state: &StateDir,
    account_key: &PublicKey,
    statement: &Signed<Statement>,
) -> Result<(), Refusal> {
    let mut known = state.controller()?.map(|known| known.standing).unwrap_or_default();
    let acceptance = known.accept(statement, account_key);
    match acceptance.map_err(|bad| Refusal::new(ErrorCode::NotAllowed, bad.to_string()))? {
        Acceptance::Stale => Ok(()),
        Acceptance::Accepted => state
            .update_controller(|controller| {
                // Another command may know more by now, or have signed in to another account.
                if controller.account_key == *account_key {
                    let _ = controller.standing.accept(statement, account_key);
                }
            })
            .map(drop),
    }
}

#[cfg(test)]
mod tests {
    use beckon_shared::{
        id::{DeviceId, SpaceId},
        statement::Standing,
    };

    use super::*;
    use crate::{clock, identity::copy_keys, orders::tests::Family, origin::Origin, state::Controller};

    fn controller(family: &Family) -> Controller {
        Controller {
            server: Origin::parse("https://drive.example").unwrap(),
            account_name: "me".to_owned(),
            account_key: family.account.public(),
            space: SpaceId::new(clock::now(), [1; 10]),
            device_name: "desk".to_owned(),
            keys: copy_keys(&family.controller),
            standing: Standing::default(),
            sign_in: None,
        }
    }

    /// So many statements, each revoking one device more.
    fn statements(family: &Family, count: u8) -> Vec<Signed<Statement>> {
        let (mut standing, account_key) = (Standing::default(), family.account.public());
        let revocations = (0..count).map(|number| {
            let device = DeviceId::from_slice(&[number; DeviceId::LEN]).unwrap();
            let revocation = standing.revoke(&account_key, &[device], clock::now()).unwrap();
            let signed = Signed::sign(&Statement::Revocation(revocation), family.account.signing());
            standing.accept(&signed, &account_key).unwrap();
            signed
        });
        revocations.collect()
    }

    #[test]
    fn what_another_command_learnt_meanwhile_is_not_taken_back() {
        let folder = tempfile::tempdir().unwrap();
        let (state, family) = (StateDir::open(folder.path()).unwrap(), Family::new(1));
        let account_key = family.account.public();
        for _ in 0..8 {
            state.save_controller(&controller(&family)).unwrap();
            let said = statements(&family, 16);
            std::thread::scope(|threads| {
                for statement in &said {
                    threads.spawn(|| keep_statement(&state, &account_key, statement).unwrap());
                }
            });
            assert_eq!(state.controller().unwrap().unwrap().standing.number(), 16);
        }
    }
}
