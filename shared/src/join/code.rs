//! How a secret of 128 bits is written so that people can copy it, and the set-up code, which is nothing but that.

use std::fmt;

use subtle::ConstantTimeEq;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::id::Hash;

/// BLAKE3 derive-key context of what the server stores.
const SETUP_HASH: &str = "beckon v1 setup-code-hash";

/// Crockford's base 32: no I, L, O or U.
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
/// Symbols of a code: 128 bits of secret and 12 of checksum, 5 bits each.
const SYMBOLS: usize = 28;
/// What the symbols hold, filled up with 4 zero bits to whole bytes.
const PACKED: usize = 18;
const GROUP: usize = 7;

/// Why a text is not a code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadCode {
    /// It does not begin as such codes do.
    #[error("a join code begins with bk1-; copy it again, whole")]
    Prefix,
    /// It has more or fewer symbols than 28.
    #[error(
        "a code has 28 letters and digits (after bk1-, if it is a join code), this one has {0}; copy it again, whole"
    )]
    Length(usize),
    /// A character is none of the 32.
    #[error("{0:?} does not occur in a code; look at it again")]
    Symbol(char),
    /// One or more symbols were mistaken.
    #[error("this code has a typing error; compare it with the original")]
    Checksum,
}

/// How the codes of one kind are written.
pub(super) struct Format {
    prefix: &'static str,
    /// BLAKE3 derive-key context of the checksum; another one for each kind, so that none is taken for another.
    check: &'static str,
}

impl Format {
    pub(super) const JOIN: Self = Self {
        prefix: "bk1-",
        check: "beckon v1 join-code checksum",
    };
    const SETUP: Self = Self {
        prefix: "",
        check: "beckon v1 setup-code checksum",
    };

    /// The secret and behind it the first 12 bits of its hash.
    fn pack(&self, secret: &[u8; 16]) -> Zeroizing<[u8; PACKED]> {
        let hash = blake3::derive_key(self.check, secret);
        let mut packed = Zeroizing::new([0; PACKED]);
        packed[..16].copy_from_slice(secret);
        packed[16..].copy_from_slice(&[hash[0], hash[1] & 0xf0]);
        packed
    }

    pub(super) fn write(&self, secret: &[u8; 16]) -> String {
        let packed = self.pack(secret);
        let mut text = String::with_capacity(self.prefix.len() + SYMBOLS + SYMBOLS / GROUP);
        text.push_str(self.prefix);
        for at in 0..SYMBOLS {
            if at > 0 && at % GROUP == 0 {
                text.push('-');
            }
            let (byte, shift) = place(at);
            let window = u16::from_be_bytes([packed[byte], packed[byte + 1]]);
            text.push(char::from(ALPHABET[usize::from(window >> shift & 31)]));
        }
        text
    }

    pub(super) fn parse(&self, text: &str) -> Result<Zeroizing<[u8; 16]>, BadCode> {
        let symbols = Zeroizing::new(fold(text));
        let symbols = symbols
            .strip_prefix(fold(self.prefix).as_str())
            .ok_or(BadCode::Prefix)?;
        if symbols.chars().count() != SYMBOLS {
            return Err(BadCode::Length(symbols.chars().count()));
        }
        let mut packed = Zeroizing::new([0; PACKED]);
        for (at, symbol) in symbols.chars().enumerate() {
            let (byte, shift) = place(at);
            let [high, low] = (value(symbol)? << shift).to_be_bytes();
            packed[byte] |= high;
            packed[byte + 1] |= low;
        }
        let mut secret = Zeroizing::new([0; 16]);
        secret.copy_from_slice(&packed[..16]);
        if self.pack(&secret) == packed {
            Ok(secret)
        } else {
            Err(BadCode::Checksum)
        }
    }
}

/// Where the 5 bits of a symbol stand: the byte in which they begin, and how far they are from the right of it and the next.
fn place(at: usize) -> (usize, usize) {
    (at * 5 / 8, 11 - at * 5 % 8)
}

fn value(symbol: char) -> Result<u16, BadCode> {
    let known = (0..).zip(ALPHABET).find(|(_, known)| char::from(**known) == symbol);
    known.map(|(value, _)| value).ok_or(BadCode::Symbol(symbol))
}

/// Upper case, without dashes and spaces, and with the letters that Crockford takes for digits as those digits.
fn fold(text: &str) -> String {
    let kept = text.chars().filter(|c| *c != '-' && !c.is_whitespace());
    kept.map(|c| match c.to_ascii_uppercase() {
        'O' => '0',
        'I' | 'L' => '1',
        other => other,
    })
    .collect()
}

/// The code that a server without accounts prints: whoever knows it signs up first.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
#[cfg_attr(test, derive(PartialEq, Eq))]
pub struct SetupCode([u8; 16]);

impl SetupCode {
    /// Makes a code of 16 random bytes.
    pub fn new(random: [u8; 16]) -> Self {
        Self(random)
    }

    /// Reads a code; case, dashes and spaces do not matter.
    pub fn parse(text: &str) -> Result<Self, BadCode> {
        Format::SETUP.parse(text).map(|secret| Self(*secret))
    }

    /// The code as people see it: `XXXXXXX-XXXXXXX-XXXXXXX-XXXXXXX`.
    pub fn text(&self) -> Zeroizing<String> {
        Zeroizing::new(Format::SETUP.write(&self.0))
    }

    /// What the server stores.
    pub fn hash(&self) -> Hash {
        Hash(blake3::derive_key(SETUP_HASH, &self.0))
    }

    /// Whether this is the code whose hash was stored; takes the same time for every answer.
    pub fn matches(&self, stored: &Hash) -> bool {
        self.hash().0.ct_eq(&stored.0).into()
    }
}

impl fmt::Debug for SetupCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SetupCode(..)")
    }
}
