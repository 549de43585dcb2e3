//! From a password to two secrets: one that signs in, and one that unwraps the account key and never leaves the client.

use std::fmt;

use argon2::{Algorithm, Argon2, Block, Params, Version};
use chacha20poly1305::{
    KeyInit, XChaCha20Poly1305,
    aead::{Aead, Payload},
};
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;
use utoipa::ToSchema;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::{
    id::{AccountId, Hash},
    keys::AccountKey,
    wire,
};

/// BLAKE3 derive-key contexts: each makes an independent secret of the same root.
const AUTH: &str = "beckon v1 password auth-secret";
const KEK: &str = "beckon v1 password key-encryption-key";
const AUTH_HASH: &str = "beckon v1 auth-secret-hash";
const WRAP_HASH: &str = "beckon v1 wrapped-key-hash";
const FAKE_SALT: &str = "beckon v1 fake-salt";

/// Opens the associated data of a wrap.
const WRAP_LABEL: &[u8] = b"beckon wrapped-key v1\0";
/// The only suite of a wrap so far: XChaCha20-Poly1305 over the seed of the account key.
const WRAP_SUITE: u8 = 0;
/// XChaCha20's nonce: long enough to be random. Bytes.
const NONCE_LEN: usize = 24;

/// The longest password, in bytes: more would only cost time to hash.
pub const PASSWORD_MAX: usize = 1024;
/// The shortest new password, in characters (NIST SP 800-63B).
pub const PASSWORD_MIN: usize = 8;

/// Costs of Argon2id (RFC 9106).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct KdfParams {
    /// Memory in KiB.
    pub memory_kib: u32,
    /// Passes over that memory.
    pub passes: u32,
    /// Parallel lanes; 1 so far.
    pub lanes: u32,
}

impl KdfParams {
    /// For new passwords; also the least that a client accepts: 64 MiB, 3 passes.
    pub const STANDARD: Self = Self {
        memory_kib: 64 * 1024,
        passes: 3,
        lanes: 1,
    };
    /// The most that a client accepts, so that a server cannot exhaust it: 256 MiB, 10 passes.
    pub const HIGHEST: Self = Self {
        memory_kib: 256 * 1024,
        passes: 10,
        lanes: 1,
    };

    /// Whether a client may derive with them: a server that asks for less would make guessing cheap.
    pub fn check(&self) -> Result<(), BadPassword> {
        let (low, high) = (Self::STANDARD, Self::HIGHEST);
        let in_limits = (low.memory_kib..=high.memory_kib).contains(&self.memory_kib)
            && (low.passes..=high.passes).contains(&self.passes)
            && self.lanes == low.lanes;
        if in_limits { Ok(()) } else { Err(BadPassword::Params) }
    }
}

/// Why no secrets come of a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadPassword {
    /// Nothing was typed.
    #[error("type the password")]
    Empty,
    /// A new password has under [`PASSWORD_MIN`] characters.
    #[error("choose a password of at least 8 characters")]
    Short,
    /// It has over [`PASSWORD_MAX`] bytes.
    #[error("choose a password of at most 1,024 bytes")]
    Long,
    /// The costs are outside what a client accepts.
    #[error("the server asks for unsafe password settings; do not sign in, and tell whoever runs it")]
    Params,
    /// There is no memory for the derivation.
    #[error("not enough memory to check the password; close other programs and try again")]
    Memory,
}

/// Whether somebody may choose this password. The only rule is its length.
pub fn check_new(password: &str) -> Result<(), BadPassword> {
    check(password)?;
    if password.chars().count() < PASSWORD_MIN {
        return Err(BadPassword::Short);
    }
    Ok(())
}

fn check(password: &str) -> Result<(), BadPassword> {
    match password.len() {
        0 => Err(BadPassword::Empty),
        1..=PASSWORD_MAX => Ok(()),
        _ => Err(BadPassword::Long),
    }
}

/// What a password yields.
#[derive(Debug)]
pub struct PasswordSecrets {
    /// Proves the password to the server.
    pub auth: AuthSecret,
    /// Opens the account key; never sent.
    pub kek: KeyEncryptionKey,
}

impl PasswordSecrets {
    /// Length of both secrets together, in bytes.
    pub const LEN: usize = 64;

    /// Both secrets, for the way from the thread that derived them to the one that asked.
    pub fn to_bytes(&self) -> Zeroizing<[u8; Self::LEN]> {
        let mut bytes = Zeroizing::new([0; Self::LEN]);
        bytes[..32].copy_from_slice(&self.auth.0);
        bytes[32..].copy_from_slice(&self.kek.0);
        bytes
    }

    /// The secrets that [`Self::to_bytes`] gave out.
    pub fn from_bytes(bytes: &[u8; Self::LEN]) -> Self {
        let (mut auth, mut kek) = ([0; 32], [0; 32]);
        auth.copy_from_slice(&bytes[..32]);
        kek.copy_from_slice(&bytes[32..]);
        Self {
            auth: AuthSecret(auth),
            kek: KeyEncryptionKey(kek),
        }
    }
}

/// Derives both secrets. Takes about a second and the memory that `params` says; not for a thread that must stay responsive.
///
/// The password is taken as the UTF-8 bytes that were typed: no Unicode normalisation, so a composed and a decomposed
/// accent are different passwords.
pub fn derive(password: &str, salt: &[u8; 16], params: &KdfParams) -> Result<PasswordSecrets, BadPassword> {
    check(password)?;
    params.check()?;
    let root = stretch(password, salt, params)?;
    Ok(PasswordSecrets {
        auth: AuthSecret::derive(AUTH, &root),
        kek: KeyEncryptionKey::derive(KEK, &root),
    })
}

/// Argon2id. Its memory is wiped: what stays of it would let others guess cheaply.
fn stretch(password: &str, salt: &[u8; 16], params: &KdfParams) -> Result<Zeroizing<[u8; 32]>, BadPassword> {
    let params =
        Params::new(params.memory_kib, params.passes, params.lanes, Some(32)).map_err(|_| BadPassword::Params)?;
    let mut memory = Zeroizing::new(Vec::new());
    memory
        .try_reserve_exact(params.block_count())
        .map_err(|_| BadPassword::Memory)?;
    memory.resize(params.block_count(), Block::default());
    let mut root = Zeroizing::new([0; 32]);
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_into_with_memory(password.as_bytes(), salt, root.as_mut_slice(), memory.as_mut_slice())
        .map_err(|_| BadPassword::Params)?;
    Ok(root)
}

/// A salt for a name that does not exist: always the same one, and not to be told from a real one without the server's secret.
pub fn fake_salt(server_secret: &[u8; 32], name: &str) -> [u8; 16] {
    let key = Zeroizing::new(blake3::derive_key(FAKE_SALT, server_secret));
    let hash = blake3::keyed_hash(&key, name.as_bytes());
    let mut salt = [0; 16];
    salt.copy_from_slice(&hash.as_bytes()[..16]);
    salt
}

/// Proves to the server that one knows the password or the recovery words.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct AuthSecret([u8; 32]);

impl AuthSecret {
    pub(crate) fn derive(context: &str, root: &[u8; 32]) -> Self {
        Self(blake3::derive_key(context, root))
    }

    /// As it came over TLS from a client.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// As it is sent to the server.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// What the server stores. A fast hash is enough: the secret has 256 bits, and guessing the password behind it costs Argon2id each time.
    pub fn hash(&self) -> Hash {
        Hash(blake3::derive_key(AUTH_HASH, &self.0))
    }

    /// Whether this is the secret whose hash was stored; takes the same time for every answer.
    pub fn matches(&self, stored: &Hash) -> bool {
        self.hash().0.ct_eq(&stored.0).into()
    }
}

impl fmt::Debug for AuthSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AuthSecret(..)")
    }
}

/// What opens the account key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum WrapKind {
    /// The password.
    Password,
    /// The recovery words.
    Recovery,
}

/// An account key, encrypted: `suite (1) ‖ nonce (24) ‖ XChaCha20-Poly1305 of the seed (32 + 16)`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WrappedKey(Vec<u8>);

impl WrappedKey {
    /// Length in bytes.
    pub const LEN: usize = 1 + NONCE_LEN + AccountKey::LEN + 16;

    /// Checks the length and the suite.
    pub fn from_bytes(bytes: Vec<u8>) -> Result<Self, BadWrap> {
        let wrapped = Self(bytes);
        wrapped.parts()?;
        Ok(wrapped)
    }

    /// As it is stored.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// What a [`crate::statement::NewPassword`] names it by.
    pub fn hash(&self) -> Hash {
        Hash(blake3::derive_key(WRAP_HASH, &self.0))
    }

    /// Nonce and ciphertext.
    fn parts(&self) -> Result<([u8; NONCE_LEN], &[u8]), BadWrap> {
        if self.0.len() != Self::LEN {
            return Err(BadWrap::Malformed);
        }
        let (head, ciphertext) = self.0.split_at(1 + NONCE_LEN);
        if head[0] != WRAP_SUITE {
            return Err(BadWrap::Suite);
        }
        let nonce = head[1..].try_into().map_err(|_| BadWrap::Malformed)?;
        Ok((nonce, ciphertext))
    }
}

/// Why an account key could not be unwrapped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadWrap {
    /// It is not a wrapped key.
    #[error("the stored account key is damaged; use the recovery words, or ask for a backup of the server")]
    Malformed,
    /// Made by a newer program.
    #[error("the account key was stored by a newer program; update this one")]
    Suite,
    /// The key does not open it, or it belongs to another account, kind or version.
    #[error("the account key does not open; check the password or the recovery words")]
    Wrong,
}

/// Encrypts an account key. Never sent, never stored.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct KeyEncryptionKey([u8; 32]);

impl KeyEncryptionKey {
    pub(crate) fn derive(context: &str, root: &[u8; 32]) -> Self {
        Self(blake3::derive_key(context, root))
    }

    /// Encrypts the key for its own account. `version` counts the account's wraps of this kind from 1; `nonce` is 24 random bytes.
    pub fn wrap(
        &self,
        key: &AccountKey,
        kind: WrapKind,
        version: u32,
        nonce: [u8; NONCE_LEN],
    ) -> Result<WrappedKey, BadWrap> {
        let aad = associated(&key.id(), kind, version);
        let seed = key.to_bytes();
        let ciphertext = self
            .cipher()
            .encrypt(
                &nonce.into(),
                Payload {
                    msg: seed.as_slice(),
                    aad: &aad,
                },
            )
            .map_err(|_| BadWrap::Wrong)?;
        Ok(WrappedKey([&[WRAP_SUITE], nonce.as_slice(), &ciphertext].concat()))
    }

    /// Decrypts the key, and checks that it is the account's.
    pub fn unwrap(
        &self,
        wrapped: &WrappedKey,
        account: &AccountId,
        kind: WrapKind,
        version: u32,
    ) -> Result<AccountKey, BadWrap> {
        let (nonce, ciphertext) = wrapped.parts()?;
        let aad = associated(account, kind, version);
        let seed = self
            .cipher()
            .decrypt(
                &nonce.into(),
                Payload {
                    msg: ciphertext,
                    aad: &aad,
                },
            )
            .map(Zeroizing::new)
            .map_err(|_| BadWrap::Wrong)?;
        let mut bytes = Zeroizing::new([0; AccountKey::LEN]);
        bytes.copy_from_slice(&seed);
        let key = AccountKey::from_bytes(&bytes);
        // The cipher does not commit to its key; the account id does.
        if key.id() == *account {
            Ok(key)
        } else {
            Err(BadWrap::Wrong)
        }
    }

    fn cipher(&self) -> XChaCha20Poly1305 {
        XChaCha20Poly1305::new(&self.0.into())
    }
}

impl fmt::Debug for KeyEncryptionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyEncryptionKey(..)")
    }
}

fn associated(account: &AccountId, kind: WrapKind, version: u32) -> Vec<u8> {
    [WRAP_LABEL, &[WRAP_SUITE], &wire::encode(&(account, kind, version))].concat()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SALT: [u8; 16] = [3; 16];
    const NONCE: [u8; 24] = [4; 24];

    fn account() -> AccountKey {
        AccountKey::from_bytes(&[1; 32])
    }

    fn kek() -> KeyEncryptionKey {
        KeyEncryptionKey([5; 32])
    }

    fn wrapped() -> WrappedKey {
        kek().wrap(&account(), WrapKind::Password, 2, NONCE).unwrap()
    }

    #[test]
    fn what_follows_from_a_password_never_changes() {
        let secrets = derive("correct horse", &SALT, &KdfParams::STANDARD).unwrap();
        assert_eq!(
            hex::encode(secrets.auth.as_bytes()),
            "6e88f1bce6bf4662d1f972418f907ea11ce27a229461347b010191df4456ad9e"
        );
        assert_eq!(
            hex::encode(secrets.kek.0),
            "a69a7c6783202a4ab8b621b3d18bfc817e078ef5763bd849b6edba5c7437ca56"
        );
        assert_eq!(
            secrets.auth.hash().to_string(),
            "7b1071d1a39e32bd975cf14b8c5fbc1dbc0b4a094dbcd2672f1261581d642abb"
        );
    }

    #[test]
    fn the_bytes_of_a_wrap_never_change() {
        assert_eq!(
            hex::encode(wrapped().as_bytes()),
            "0004040404040404040404040404040404040404040404040455c72396652de9a88be7e25516d347b6ea51bd4838300f56f6edf6c32dd1273d5e047215f9c3c9496b492b56581e37ce"
        );
        assert_eq!(
            wrapped().hash().to_string(),
            "949e00c654f2b32495f70e5bbd9ce8f8d31fbcf3d27afa5542615c06ca565006"
        );
        assert_eq!(
            hex::encode(fake_salt(&[6; 32], "nobody")),
            "17dff0a1b3f0da4c7ef30730ac8ae939"
        );
    }

    #[test]
    fn passwords_of_bad_length_are_refused() {
        let derived = |password: &str| derive(password, &SALT, &KdfParams::STANDARD).map(|_| ());
        assert_eq!(derived(""), Err(BadPassword::Empty));
        assert_eq!(derived(&"x".repeat(1025)), Err(BadPassword::Long));
        assert_eq!(check_new("1234567"), Err(BadPassword::Short));
        assert_eq!(check_new("ééééééé"), Err(BadPassword::Short));
        assert_eq!(check_new("12345678"), Ok(()));
        assert_eq!(check_new(&"x".repeat(1025)), Err(BadPassword::Long));
    }

    #[test]
    fn weak_and_exhausting_parameters_are_refused() {
        let standard = KdfParams::STANDARD;
        assert_eq!((standard.check(), KdfParams::HIGHEST.check()), (Ok(()), Ok(())));
        for bad in [
            KdfParams {
                memory_kib: 64 * 1024 - 1,
                ..standard
            },
            KdfParams {
                memory_kib: 256 * 1024 + 1,
                ..standard
            },
            KdfParams { passes: 2, ..standard },
            KdfParams { passes: 11, ..standard },
            KdfParams { lanes: 0, ..standard },
            KdfParams { lanes: 2, ..standard },
        ] {
            assert_eq!(bad.check(), Err(BadPassword::Params), "{bad:?}");
            assert_eq!(
                derive("correct horse", &SALT, &bad).map(|_| ()),
                Err(BadPassword::Params)
            );
        }
    }

    #[test]
    fn an_auth_secret_is_known_by_its_hash() {
        let secret = AuthSecret::from_bytes([2; 32]);
        assert!(secret.matches(&secret.hash()));
        assert!(!AuthSecret::from_bytes([3; 32]).matches(&secret.hash()));
        assert_ne!(secret.hash().0, *secret.as_bytes());
    }

    #[test]
    fn a_wrap_opens_only_with_the_same_key_and_in_its_place() {
        let id = account().id();
        let opened = kek().unwrap(&wrapped(), &id, WrapKind::Password, 2).unwrap();
        assert_eq!(opened.public(), account().public());

        let refused = |kek: KeyEncryptionKey, account: AccountId, kind, version| {
            kek.unwrap(&wrapped(), &account, kind, version).map(|_| ()) == Err(BadWrap::Wrong)
        };
        assert!(refused(KeyEncryptionKey([6; 32]), id, WrapKind::Password, 2));
        assert!(refused(kek(), AccountId([0; 32]), WrapKind::Password, 2));
        assert!(refused(kek(), id, WrapKind::Recovery, 2));
        assert!(refused(kek(), id, WrapKind::Password, 1));
    }

    #[test]
    fn a_wrap_of_another_suite_or_length_is_refused() {
        let mut newer = wrapped().as_bytes().to_vec();
        newer[0] = 1;
        assert_eq!(WrappedKey::from_bytes(newer), Err(BadWrap::Suite));
        assert_eq!(WrappedKey::from_bytes(vec![0; 72]), Err(BadWrap::Malformed));
        assert_eq!(WrappedKey::from_bytes(wrapped().as_bytes().to_vec()), Ok(wrapped()));
        let empty: WrappedKey = wire::decode(&[0]).unwrap();
        assert_eq!(
            kek().unwrap(&empty, &account().id(), WrapKind::Password, 2).map(|_| ()),
            Err(BadWrap::Malformed)
        );
    }

    #[test]
    fn a_fake_salt_stays_the_same_and_tells_names_and_servers_apart() {
        let salt = fake_salt(&[6; 32], "nobody");
        assert_eq!(salt, fake_salt(&[6; 32], "nobody"));
        assert_ne!(salt, fake_salt(&[6; 32], "nobody2"));
        assert_ne!(salt, fake_salt(&[7; 32], "nobody"));
    }

    #[test]
    fn debug_output_holds_no_secret() {
        let secrets = PasswordSecrets {
            auth: AuthSecret([2; 32]),
            kek: kek(),
        };
        assert_eq!(
            format!("{secrets:?}"),
            "PasswordSecrets { auth: AuthSecret(..), kek: KeyEncryptionKey(..) }"
        );
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]

        #[test]
        fn a_changed_bit_never_unwraps(at in any::<prop::sample::Index>(), bit in 0..8_u8) {
            let mut bytes = wrapped().as_bytes().to_vec();
            let at = at.index(bytes.len());
            bytes[at] ^= 1 << bit;
            let opened = WrappedKey::from_bytes(bytes)
                .and_then(|wrapped| kek().unwrap(&wrapped, &account().id(), WrapKind::Password, 2));
            prop_assert!(opened.is_err());
        }
    }
}
