//! The account key, for the moment in which it is needed: opened by the password or the recovery words, and forgotten
//! when the command ends.

use std::time::Duration;

use beckon_shared::{
    api::{
        Bytes, Packed,
        account::{NewDevice, NewPassword, Prove, Proved, SignInName, SignInStart},
    },
    certificate::{Chain, DeviceCertificate, Role, SUITE},
    device::{DeviceKind, Platform},
    error::{ErrorCode, Refusal},
    id::AccountId,
    keys::{AccountKey, DeviceKeys},
    password::{self, BadPassword, KdfParams, KeyEncryptionKey, PasswordSecrets, WrapKind},
    path::Label,
    recovery::RecoveryKey,
    signature::{PublicKey, Signed},
    statement::{self, Standing, Statement},
    time::Timestamp,
};
use zeroize::Zeroizing;

use crate::{clock, hello, http::Api, output::Failure};

/// The server does not count the wraps of an account key, so each is the first of its kind.
const WRAP_VERSION: u32 = 1;
/// The certificate of a command line lasts so long; signing in again renews it.
const CERTIFICATE_LIFE: Duration = Duration::from_secs(365 * 24 * 3600);

/// The account key in clear, and what the server said when the proof was good.
pub(crate) struct Opened {
    /// The key; wiped when dropped.
    pub(crate) key: AccountKey,
    /// The server's answer.
    pub(crate) proved: Proved,
    /// What the account has said so far, verified.
    pub(crate) standing: Standing,
}

/// Proves the password and opens the account key.
///
/// `pinned` is the account key that this device knows already: another one is refused before anything is opened.
pub(crate) async fn open(
    api: &Api,
    name: &str,
    password: Zeroizing<String>,
    pinned: Option<(&PublicKey, &Standing)>,
) -> Result<Opened, Failure> {
    let start: SignInStart = api
        .post("/api/sign-in/start", &SignInName { name: name.to_owned() })
        .await?;
    start.params.check().map_err(bad_password)?;
    let secrets = derive(password, start.salt.0, start.params).await?;
    let proof = Prove {
        name: name.to_owned(),
        auth: Bytes(*secrets.auth.as_bytes()),
    };
    let proved = api.post("/api/sign-in", &proof).await?;
    opened(proved, &secrets.kek, WrapKind::Password, pinned)
}

/// Proves the recovery words and opens the account key.
pub(crate) async fn open_by_words(
    api: &Api,
    name: &str,
    words: &RecoveryKey,
    pinned: Option<(&PublicKey, &Standing)>,
) -> Result<Opened, Failure> {
    let proof = Prove {
        name: name.to_owned(),
        auth: Bytes(*words.auth().as_bytes()),
    };
    let proved = api.post("/api/recover", &proof).await?;
    opened(proved, &words.kek(), WrapKind::Recovery, pinned)
}

fn opened(
    proved: Proved,
    kek: &KeyEncryptionKey,
    kind: WrapKind,
    pinned: Option<(&PublicKey, &Standing)>,
) -> Result<Opened, Failure> {
    if pinned.is_some_and(|(key, _)| *key != proved.account_key.0) {
        return Err(another_account());
    }
    let key = kek.unwrap(&proved.wrapped.0, &proved.account, kind, WRAP_VERSION);
    let key = key.map_err(|cause| Failure::from(Refusal::new(ErrorCode::Damaged, cause.to_string())))?;
    if key.public() != proved.account_key.0 {
        return Err(another_account());
    }
    let mut standing = pinned.map(|(_, standing)| standing.clone()).unwrap_or_default();
    if let Some(statement) = &proved.statement {
        standing
            .accept(&statement.0, &key.public())
            .map_err(|cause| not_allowed(cause.to_string()))?;
    }
    Ok(Opened { key, proved, standing })
}

fn another_account() -> Failure {
    not_allowed(
        "the server shows another account key than the one that this device knows; do not go on, and ask whoever runs the server. If the account was made anew, start with another --state folder",
    )
}

fn not_allowed(message: impl Into<String>) -> Failure {
    Refusal::new(ErrorCode::NotAllowed, message).into()
}

fn bad_password(bad: BadPassword) -> Failure {
    match bad {
        BadPassword::Params => not_allowed(bad.to_string()),
        BadPassword::Memory => Failure::local("memory", bad.to_string()),
        BadPassword::Empty | BadPassword::Short | BadPassword::Long => Failure::usage(bad.to_string()),
    }
}

async fn derive(password: Zeroizing<String>, salt: [u8; 16], params: KdfParams) -> Result<PasswordSecrets, Failure> {
    let derived = tokio::task::spawn_blocking(move || password::derive(&password, &salt, &params)).await;
    derived
        .map_err(|_| Failure::internal("the password could not be checked"))?
        .map_err(bad_password)
}

/// A password that is to open the account key from now on.
pub(crate) struct Chosen {
    /// For the server.
    pub(crate) password: NewPassword,
    secrets: PasswordSecrets,
}

/// Refuses a password that nobody should choose, before anything is asked of a server.
pub(crate) fn check_new(password: &str) -> Result<(), Failure> {
    password::check_new(password).map_err(bad_password)
}

/// Wraps the account key by a new password.
pub(crate) async fn choose(password: Zeroizing<String>, key: &AccountKey) -> Result<Chosen, Failure> {
    check_new(&password)?;
    let (salt, params) = (clock::random(), KdfParams::STANDARD);
    let secrets = derive(password, salt, params).await?;
    let wrapped = secrets.kek.wrap(key, WrapKind::Password, WRAP_VERSION, clock::random());
    let wrapped = wrapped.map_err(|_| Failure::internal("the account key could not be wrapped"))?;
    let auth = Bytes(*secrets.auth.as_bytes());
    Ok(Chosen {
        password: NewPassword {
            salt: Bytes(salt),
            params,
            auth,
            wrapped: Packed(wrapped),
        },
        secrets,
    })
}

impl Chosen {
    /// Says with the account key that this password takes the place of the old one.
    pub(crate) fn statement(&self, key: &AccountKey) -> Signed<Statement> {
        let password = statement::NewPassword {
            account: key.id(),
            at: clock::now(),
            auth_hash: self.secrets.auth.hash(),
            salt: self.password.salt.0,
            params: self.password.params,
            wrap_hash: self.password.wrapped.0.hash(),
        };
        Signed::sign(&Statement::NewPassword(password), key.signing())
    }
}

/// The account key under the recovery words.
pub(crate) fn wrap_by_words(words: &RecoveryKey, key: &AccountKey) -> Result<Packed<password::WrappedKey>, Failure> {
    let wrapped = words.kek().wrap(key, WrapKind::Recovery, WRAP_VERSION, clock::random());
    wrapped
        .map(Packed)
        .map_err(|_| Failure::internal("the account key could not be wrapped"))
}

/// Certifies this command line as a controller of the account.
pub(crate) fn certify(key: &AccountKey, keys: &DeviceKeys, epoch: u32) -> Chain {
    let issued = clock::now();
    Chain::by_account(&controller_certificate(key.id(), keys, issued, epoch), key)
}

fn controller_certificate(account: AccountId, keys: &DeviceKeys, issued: Timestamp, epoch: u32) -> DeviceCertificate {
    DeviceCertificate {
        suite: SUITE,
        account,
        keys: keys.public(),
        kind: DeviceKind::Cli,
        role: Role::Controller,
        issued,
        not_after: Some(issued + CERTIFICATE_LIFE),
        epoch,
    }
}

/// What a device tells of itself when it signs in or joins.
pub(crate) fn new_device(chain: Chain, name: Label, kind: DeviceKind) -> NewDevice {
    NewDevice {
        certificate: Packed(chain),
        name,
        kind,
        os: hello::os(),
        version: hello::VERSION.to_owned(),
        platform: Platform::here(),
    }
}

#[cfg(test)]
mod tests {
    use beckon_shared::keys::account_id;

    use super::*;

    const WEAK: KdfParams = KdfParams {
        memory_kib: 8,
        passes: 1,
        lanes: 1,
    };

    #[test]
    fn weak_settings_of_the_derivation_are_refused_as_not_allowed() {
        let failure = bad_password(WEAK.check().unwrap_err());
        assert_eq!(
            (failure.exit, failure.code),
            (crate::output::Exit::NotAllowed, "not-allowed")
        );
        assert!(failure.message.contains("do not sign in"), "{}", failure.message);
    }

    #[test]
    fn a_server_that_shows_another_account_key_gets_nowhere() {
        let (mine, other) = (AccountKey::from_bytes(&[1; 32]), AccountKey::from_bytes(&[2; 32]));
        let words = RecoveryKey::from_entropy([3; 32]);
        let proved = Proved {
            account: account_id(&other.public()),
            account_key: Packed(other.public()),
            wrapped: wrap_by_words(&words, &other).unwrap(),
            statement: None,
            epoch: 0,
            ticket: Bytes([0; 32]),
        };
        let standing = Standing::default();
        let result = opened(
            proved.clone(),
            &words.kek(),
            WrapKind::Recovery,
            Some((&mine.public(), &standing)),
        );
        assert_eq!(result.map(drop).unwrap_err().code, "not-allowed");
        assert!(
            opened(
                proved,
                &words.kek(),
                WrapKind::Recovery,
                Some((&other.public(), &standing))
            )
            .is_ok()
        );
    }

    #[test]
    fn a_new_password_is_vouched_for_by_the_account() {
        let key = AccountKey::from_bytes(&[1; 32]);
        let secrets = password::derive("correct horse", &[0; 16], &KdfParams::STANDARD).unwrap();
        let wrapped = secrets
            .kek
            .wrap(&key, WrapKind::Password, WRAP_VERSION, [0; 24])
            .unwrap();
        let password = NewPassword {
            salt: Bytes([0; 16]),
            params: KdfParams::STANDARD,
            auth: Bytes(*secrets.auth.as_bytes()),
            wrapped: Packed(wrapped),
        };
        let chosen = Chosen { password, secrets };
        let Ok(Statement::NewPassword(said)) = Statement::verify(&chosen.statement(&key), &key.public()) else {
            panic!("no statement")
        };
        assert_eq!(said.wrap_hash, chosen.password.wrapped.0.hash());
        assert_eq!(said.auth_hash, chosen.secrets.auth.hash());
    }
}
