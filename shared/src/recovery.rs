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

    /// Reads the words, alone or as the numbered list that people print and save; case and white space do not matter.
    pub fn parse(text: &str) -> Result<Self, BadWords> {
        let words = words_in(text);
        if words.len() != WORDS {
            return Err(BadWords::Count(words.len()));
        }
        let typed = Zeroizing::new(words.join(" "));
        let words = Zeroizing::new(typed.to_lowercase());
        let mnemonic = Mnemonic::parse_in_normalized(Language::English, &words).map_err(|bad| match bad {
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
        Mnemonic::from_entropy_in(Language::English, &self.0)
            .map(|words| words.words().collect())
            .unwrap_or_default()
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

/// The words in a text. Of a numbered list (`1. able 2. about`) they are what stands behind the numbers, so that a title
/// above it does not count.
pub fn words_in(text: &str) -> Vec<&str> {
    let parts = || text.split_whitespace();
    if !parts().any(|part| behind_number(part).is_some()) {
        // Numbers without a point come from printed pages.
        return parts().filter(|part| !is_number(part)).collect();
    }
    let mut words = Vec::new();
    let mut is_next = false;
    for part in parts() {
        match behind_number(part) {
            Some((number, rest)) => {
                if number == "1" {
                    // The list begins here; what looked like one before belongs to the title.
                    words.clear();
                }
                is_next = rest.is_empty();
                words.extend((!is_next).then_some(rest));
            }
            None if is_next => {
                words.push(part);
                is_next = false;
            }
            None => {}
        }
    }
    words
}

/// The number of `12.`, `12)` or `12.able`, and what stands right behind it.
fn behind_number(part: &str) -> Option<(&str, &str)> {
    let (number, rest) = part.split_once(['.', ')'])?;
    let is_word = rest.chars().all(|c| c.is_ascii_alphabetic());
    (is_number(number) && number.len() <= 2 && is_word).then_some((number, rest))
}

fn is_number(part: &str) -> bool {
    !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit())
}

impl fmt::Debug for RecoveryKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RecoveryKey(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{keys::AccountKey, password::WrapKind};

    fn key() -> RecoveryKey {
        RecoveryKey::from_entropy(std::array::from_fn(|at| at as u8))
    }

    #[test]
    fn no_bits_at_all_are_the_words_that_bip_39_says() {
        let words = RecoveryKey::from_entropy([0; 32]).words().join(" ");
        assert_eq!(words, format!("{}art", "abandon ".repeat(23)));
    }

    #[test]
    fn words_and_what_follows_from_them_never_change() {
        assert_eq!(
            key().words().join(" "),
            "abandon amount liar amount expire adjust cage candy arch gather drum bullet absurd math era live bid rhythm alien crouch range attend journey unaware"
        );
        assert_eq!(
            hex::encode(key().auth().as_bytes()),
            "1994208c604fa00d1c069347d87b113c642955f085e83fdd4b559048c45aae67"
        );
        assert_eq!(
            key().auth().hash().to_string(),
            "3812be97c7adc59eea65a0f66c62f74dba6e42850a0616c1ed1b6fdc4b0ead16"
        );
    }

    #[test]
    fn words_are_read_as_people_type_them() {
        let typed = key().words().join(" \n\t ").to_uppercase();
        let read = RecoveryKey::parse(&format!("  {typed} ")).unwrap();
        assert_eq!(read.0, key().0);
    }

    #[test]
    fn a_list_with_numbers_is_read_as_it_was_saved() {
        let list = |separator: &str, point: &str| {
            let lines = (1..).zip(key().words());
            let lines: Vec<_> = lines.map(|(at, word)| format!("{at:2}{point}{word}")).collect();
            lines.join(separator)
        };
        let saved = format!(
            "Beckon recovery key of 1. ann 7 at http://127.0.0.1:8440\n\n{}\n",
            list("\n", ". ")
        );
        let texts = [
            saved,
            list("\r\n", ". "),
            list(" ", ") "),
            list("\t", "."),
            list(" ", " "),
        ];
        for text in texts {
            let read = RecoveryKey::parse(&text).map(|read| read.0);
            assert_eq!(read, Ok(key().0), "{text}");
        }
        let without_one = list("\n", ". ").replace("liar", "");
        assert_eq!(RecoveryKey::parse(&without_one).map(|_| ()), Err(BadWords::Count(23)));
    }

    #[test]
    fn mistaken_words_are_named() {
        let parse = |words: &[&str]| RecoveryKey::parse(&words.join(" ")).map(|_| ());
        let mut words = key().words();
        assert_eq!(parse(&words[..23]), Err(BadWords::Count(23)));
        assert_eq!(parse(&words[..12]), Err(BadWords::Count(12)));
        words.swap(0, 1);
        assert_eq!(parse(&words), Err(BadWords::Checksum));
        words[4] = "beckon";
        assert_eq!(parse(&words), Err(BadWords::Unknown { place: 5 }));
        assert_eq!(parse(&[]), Err(BadWords::Count(0)));
    }

    #[test]
    fn the_words_open_what_they_wrapped() {
        let account = AccountKey::from_bytes(&[1; 32]);
        let wrapped = key().kek().wrap(&account, WrapKind::Recovery, 1, [4; 24]).unwrap();
        let read = RecoveryKey::parse(&key().words().join(" ")).unwrap();
        let opened = read
            .kek()
            .unwrap(&wrapped, &account.id(), WrapKind::Recovery, 1)
            .unwrap();
        assert_eq!(opened.public(), account.public());
    }

    #[test]
    fn debug_output_holds_no_secret() {
        assert_eq!(format!("{:?}", key()), "RecoveryKey(..)");
    }
}
