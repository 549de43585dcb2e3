//! The recovery key: 24 words (BIP-39, English) that open the account when the password is lost.

use std::fmt;

use bip39::{Language, Mnemonic};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::password::{AuthSecret, KeyEncryptionKey};

/// BLAKE3 derive-key contexts: each makes an independent secret of the same entropy.
const AUTH: &str = "beckon v1 recovery auth-secret";
const KEK: &str = "beckon v1 recovery key-encryption-key";

/// How many words there are: 256 bits and a checksum of 8.
pub const WORDS: usize = 24;

/// 256 random bits, shown once as words.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct RecoveryKey([u8; 32]);

/// Why a text is not a recovery key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadWords {
    /// There are more or fewer than [`WORDS`].
    #[error("the recovery key has 24 words, here are {0}; type them all, in order")]
    Count(usize),
    /// A word is not in the list.
    #[error("word {place} is not one of the recovery words; compare it with what you wrote down")]
    Unknown {
        /// Counted from 1. The word itself stays out of messages, which may be logged.
        place: usize,
    },
    /// All are words of the list, but not these in this order.
    #[error("one of the words is wrong or two are swapped; compare them with what you wrote down")]
    Checksum,
}

impl RecoveryKey {
    /// Makes a key of 32 random bytes.
    pub fn from_entropy(entropy: [u8; 32]) -> Self {
        Self(entropy)
    }

    /// Reads the words; case and white space do not matter.
    pub fn parse(text: &str) -> Result<Self, BadWords> {
        let text = Zeroizing::new(text.to_lowercase());
        let count = text.split_whitespace().count();
        if count != WORDS {
            return Err(BadWords::Count(count));
        }
        let mnemonic = Mnemonic::parse_in_normalized(Language::English, &text).map_err(|bad| match bad {
            bip39::Error::UnknownWord(at) => BadWords::Unknown { place: at + 1 },
            _ => BadWords::Checksum,
        })?;
        let (bytes, len) = mnemonic.to_entropy_array();
        let bytes = Zeroizing::new(bytes);
        let entropy = bytes[..len].try_into().map_err(|_| BadWords::Checksum)?;
        Ok(Self(entropy))
    }

    /// The words, in order.
    pub fn words(&self) -> Vec<&'static str> {
        // 32 bytes are one of the lengths that BIP-39 knows, so this does not fail.
        Mnemonic::from_entropy_in(Language::English, &self.0).map(|words| words.words().collect()).unwrap_or_default()
    }

    /// Proves the words to the server.
    pub fn auth(&self) -> AuthSecret {
        AuthSecret::derive(AUTH, &self.0)
    }

    /// Opens the account key; never sent.
    pub fn kek(&self) -> KeyEncryptionKey {
        KeyEncryptionKey::derive(KEK, &self.0)
    }
}

impl fmt::Debug for RecoveryKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RecoveryKey(..)")
    }
}
