//! Signatures: each over `context ‖ 0x00 ‖ bytes`, so that what was signed for one purpose is worth nothing for another.

use std::marker::PhantomData;

use ed25519_dalek::{Signer, SigningKey, VerifyingKey};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

/// Every purpose that a key of Beckon signs for. The list is closed: what is not here cannot be signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Context {
    /// A device proves itself on its control socket.
    Auth,
    /// A controller instructs a machine.
    Order,
    /// The account (or an enrolment key) vouches for a device.
    DeviceCert,
    /// The account vouches for the key in a join code.
    EnrolCert,
    /// The account revokes devices or changes its password.
    Statement,
    /// A device says what a root holds.
    Commit,
    /// The account gives another account a right.
    Grant,
}

impl Context {
    /// Every context, for tests that compare them.
    pub const ALL: [Self; 7] = [
        Self::Auth,
        Self::Order,
        Self::DeviceCert,
        Self::EnrolCert,
        Self::Statement,
        Self::Commit,
        Self::Grant,
    ];

    /// The bytes that open what is signed.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Auth => "beckon auth v1",
            Self::Order => "beckon order v1",
            Self::DeviceCert => "beckon device-cert v1",
            Self::EnrolCert => "beckon enrol-cert v1",
            Self::Statement => "beckon statement v1",
            Self::Commit => "beckon commit v1",
            Self::Grant => "beckon grant v1",
        }
    }

    fn message(self, bytes: &[u8]) -> Vec<u8> {
        [self.label().as_bytes(), &[0], bytes].concat()
    }
}

/// What can be signed: it names its purpose, so that no caller picks one.
pub trait Signable: Serialize + DeserializeOwned {
    /// The purpose.
    const CONTEXT: Context;
    /// The largest encoding that a verifier looks at, in bytes.
    const MAX_BYTES: usize;
}

/// A value as the exact bytes that were signed, with the Ed25519 signature over them (RFC 8032, verified strictly).
///
/// The value comes out only through [`Signed::verify`]; [`Signed::peek`] is for finding the key to verify with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signed<T> {
    /// The postcard encoding of the value.
    pub bytes: Vec<u8>,
    /// 64 bytes.
    pub signature: Vec<u8>,
    #[serde(skip)]
    value: PhantomData<fn() -> T>,
}

/// Why signed bytes were not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadSignature {
    /// The signature does not belong to these bytes, this purpose and this key.
    #[error("the signature does not fit")]
    Mismatch,
    /// The bytes are no value of this kind.
    #[error("the signed bytes are malformed")]
    Malformed,
}

impl<T: Signable> Signed<T> {
    /// Signs a value.
    pub fn sign(value: &T, key: &SigningKey) -> Self {
        // A Vec grows as it needs to; postcard fails only where its target is full or a length is unknown.
        let bytes = postcard::to_allocvec(value).unwrap_or_default();
        let signature = key.sign(&T::CONTEXT.message(&bytes)).to_bytes().to_vec();
        Self {
            bytes,
            signature,
            value: PhantomData,
        }
    }

    /// As it was kept; nothing is verified yet.
    pub fn kept(bytes: Vec<u8>, signature: Vec<u8>) -> Self {
        Self {
            bytes,
            signature,
            value: PhantomData,
        }
    }

    /// The value, if `key` signed exactly these bytes for this purpose.
    pub fn verify(&self, key: &PublicKey) -> Result<T, BadSignature> {
        let key = VerifyingKey::from_bytes(&key.0).map_err(|_| BadSignature::Mismatch)?;
        let signature = ed25519_dalek::Signature::from_slice(&self.signature).map_err(|_| BadSignature::Mismatch)?;
        if self.bytes.len() > T::MAX_BYTES {
            return Err(BadSignature::Malformed);
        }
        key.verify_strict(&T::CONTEXT.message(&self.bytes), &signature)
            .map_err(|_| BadSignature::Mismatch)?;
        self.peek()
    }

    /// The value, unverified: to learn whose key to verify with, and for nothing else.
    pub fn peek(&self) -> Result<T, BadSignature> {
        if self.bytes.len() > T::MAX_BYTES {
            return Err(BadSignature::Malformed);
        }
        crate::wire::decode(&self.bytes).map_err(|_| BadSignature::Malformed)
    }
}

/// An Ed25519 public key, 32 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct PublicKey(pub [u8; 32]);

impl From<&SigningKey> for PublicKey {
    fn from(key: &SigningKey) -> Self {
        Self(key.verifying_key().to_bytes())
    }
}
