//! Proving a password or the recovery words to the server, and opening the account key with them.

use std::time::Duration;

use beckon_shared::{
    api::{
        Bytes, Packed,
        account::{NewDevice, NewPassword, Prove, Proved, SignInName, SignInStart},
    },
    certificate::{Chain, DeviceCertificate, Role, SUITE},
    device::DeviceKind,
    error::{ErrorCode, Refusal},
    keys::{AccountKey, DeviceKeys},
    password::{self, KdfParams, KeyEncryptionKey, PasswordSecrets, WrapKind, WrappedKey},
    path::Label,
    recovery::RecoveryKey,
    signature::{PublicKey, Signed},
    statement::{self, Standing, Statement},
};

use super::{Computer, Problem};
use crate::{api, dom, identity::this_browser, text, worker::kdf};

/// The server does not count the wraps of an account key, so each is the first of its kind.
const WRAP_VERSION: u32 = 1;
/// On one's own computer a browser's certificate lasts 30 days; signing in again renews it.
const OWN_LIFE: Duration = Duration::from_secs(30 * 24 * 3600);
/// On a computer that is somebody else's: half a day.
const FOREIGN_LIFE: Duration = Duration::from_secs(12 * 3600);

/// The account key in clear, and what the server said when the proof was good.
#[derive(Debug)]
pub(super) struct Opened {
    /// The key; wiped when dropped.
    pub(super) key: AccountKey,
    /// For the call that this proof was made for.
    pub(super) ticket: Bytes<32>,
    /// What the account has said so far, verified.
    pub(super) standing: Standing,
}

/// What this browser knows of the account already; another key than this is refused before anything is opened.
pub(super) type Pinned<'a> = Option<(&'a PublicKey, &'a Standing)>;

/// Proves a password and opens the account key.
pub(super) async fn open(name: &str, password: &str, pinned: Pinned<'_>) -> Result<Opened, Problem> {
    let start: SignInStart = api::post("/api/sign-in/start", &SignInName { name: name.to_owned() }).await?;
    let secrets = kdf::derive(password, &start.salt.0, &start.params).await??;
    open_by_secrets(name, &secrets, pinned).await
}

/// Proves what was derived from a password.
pub(super) async fn open_by_secrets(
    name: &str,
    secrets: &PasswordSecrets,
    pinned: Pinned<'_>,
) -> Result<Opened, Problem> {
    let proof = Prove {
        name: name.to_owned(),
        auth: Bytes(*secrets.auth.as_bytes()),
    };
    let proved = api::post("/api/sign-in", &proof).await?;
    opened(proved, &secrets.kek, WrapKind::Password, pinned)
}

/// Proves the recovery words and opens the account key.
pub(super) async fn open_by_words(name: &str, words: &RecoveryKey, pinned: Pinned<'_>) -> Result<Opened, Problem> {
    let proof = Prove {
        name: name.to_owned(),
        auth: Bytes(*words.auth().as_bytes()),
    };
    let proved = api::post("/api/recover", &proof).await?;
    opened(proved, &words.kek(), WrapKind::Recovery, pinned)
}

fn opened(proved: Proved, kek: &KeyEncryptionKey, kind: WrapKind, pinned: Pinned<'_>) -> Result<Opened, Problem> {
    if pinned.is_some_and(|(key, _)| *key != proved.account_key.0) {
        return Err(Problem::OtherAccount);
    }
    let key = kek.unwrap(&proved.wrapped.0, &proved.account, kind, WRAP_VERSION);
    let key = key.map_err(|cause| Refusal::new(ErrorCode::Damaged, cause.to_string()))?;
    if key.public() != proved.account_key.0 {
        return Err(Problem::OtherAccount);
    }
    let mut standing = pinned.map(|(_, standing)| standing.clone()).unwrap_or_default();
    if let Some(statement) = &proved.statement {
        let accepted = standing.accept(&statement.0, &key.public());
        accepted.map_err(|cause| Refusal::new(ErrorCode::NotAllowed, cause.to_string()))?;
    }
    Ok(Opened {
        key,
        ticket: proved.ticket,
        standing,
    })
}

/// A password that is to open the account key from now on.
#[derive(Debug)]
pub(super) struct Chosen {
    /// For the server.
    pub(super) password: NewPassword,
    /// Proves it, and opens the wrap.
    pub(super) secrets: PasswordSecrets,
}

/// Wraps the account key by a new password.
pub(super) async fn choose(password: &str, key: &AccountKey) -> Result<Chosen, Problem> {
    password::check_new(password)?;
    let (salt, params) = (dom::random(), KdfParams::STANDARD);
    let secrets = kdf::derive(password, &salt, &params).await??;
    let wrapped = wrap(&secrets.kek, key, WrapKind::Password)?;
    let auth = Bytes(*secrets.auth.as_bytes());
    let password = NewPassword {
        salt: Bytes(salt),
        params,
        auth,
        wrapped,
    };
    Ok(Chosen { password, secrets })
}

impl Chosen {
    /// Says with the account key that this password takes the place of the old one.
    pub(super) fn statement(&self, key: &AccountKey) -> Signed<Statement> {
        let password = statement::NewPassword {
            account: key.id(),
            at: dom::now(),
            auth_hash: self.secrets.auth.hash(),
            salt: self.password.salt.0,
            params: self.password.params,
            wrap_hash: self.password.wrapped.0.hash(),
        };
        Signed::sign(&Statement::NewPassword(password), key.signing())
    }
}

/// The account key under the recovery words.
pub(super) fn wrap_by_words(words: &RecoveryKey, key: &AccountKey) -> Result<Packed<WrappedKey>, Problem> {
    wrap(&words.kek(), key, WrapKind::Recovery)
}

fn wrap(kek: &KeyEncryptionKey, key: &AccountKey, kind: WrapKind) -> Result<Packed<WrappedKey>, Problem> {
    let wrapped = kek.wrap(key, kind, WRAP_VERSION, dom::random());
    let wrapped = wrapped.map_err(|cause| Refusal::new(ErrorCode::Internal, cause.to_string()))?;
    Ok(Packed(wrapped))
}

/// Certifies this browser as a controller of the account.
pub(super) fn certify(key: &AccountKey, keys: &DeviceKeys, epoch: u32, computer: Computer) -> Chain {
    let issued = dom::now();
    let life = match computer {
        Computer::Own => OWN_LIFE,
        Computer::Foreign => FOREIGN_LIFE,
    };
    let certificate = DeviceCertificate {
        suite: SUITE,
        account: key.id(),
        keys: keys.public(),
        kind: DeviceKind::Browser,
        role: Role::Controller,
        issued,
        not_after: Some(issued + life),
        epoch,
    };
    Chain::by_account(&certificate, key)
}

/// What this browser tells of itself when it signs in. One that is somebody else's is told apart in the list of devices.
pub(super) fn new_device(chain: Chain, computer: Computer) -> Result<NewDevice, Problem> {
    let fallback = || Label::new("Browser").map_err(|bad| Refusal::new(ErrorCode::Internal, bad.to_string()));
    let name = this_browser::name().map_or_else(fallback, Ok)?;
    let not_mine = || Label::new(text::account::not_my_device(&name)).ok();
    let not_mine = (!computer.is_own()).then(not_mine).flatten();
    Ok(NewDevice {
        certificate: Packed(chain),
        name: not_mine.unwrap_or(name),
        kind: DeviceKind::Browser,
        os: this_browser::os(),
        version: this_browser::VERSION.to_owned(),
        platform: this_browser::platform(),
    })
}

#[cfg(test)]
mod tests {
    use beckon_shared::keys::account_id;
    use wasm_bindgen_test::wasm_bindgen_test;

    use super::*;

    fn proved_by(words: &RecoveryKey, account: &AccountKey) -> Option<Proved> {
        Some(Proved {
            account: account_id(&account.public()),
            account_key: Packed(account.public()),
            wrapped: wrap_by_words(words, account).ok()?,
            statement: None,
            epoch: 0,
            ticket: Bytes([0; 32]),
        })
    }

    #[wasm_bindgen_test]
    fn a_server_that_shows_another_account_key_gets_nowhere() {
        let (mine, other) = (AccountKey::from_bytes(&[1; 32]), AccountKey::from_bytes(&[2; 32]));
        let words = RecoveryKey::from_entropy([3; 32]);
        let proved = proved_by(&words, &other).expect("a proof");
        let standing = Standing::default();
        let open = |pinned: &PublicKey| {
            let pinned = Some((pinned, &standing));
            opened(proved.clone(), &words.kek(), WrapKind::Recovery, pinned)
        };
        assert!(matches!(open(&mine.public()), Err(Problem::OtherAccount)));
        assert!(open(&other.public()).is_ok());
    }

    #[wasm_bindgen_test]
    fn a_browser_that_is_not_ones_own_is_certified_for_half_a_day() {
        let (key, keys) = (AccountKey::from_bytes(&[1; 32]), DeviceKeys::from_bytes(&[2; 64]));
        let life = |computer| {
            let certificate = certify(&key, &keys, 0, computer)
                .verify(&key.public(), Some(&keys.id()), dom::now(), &Standing::default())
                .expect("a certificate");
            certificate.not_after.map(|end| end.since(certificate.issued))
        };
        assert_eq!(
            (life(Computer::Own), life(Computer::Foreign)),
            (Some(OWN_LIFE), Some(FOREIGN_LIFE))
        );
    }
}
