//! Codes that people carry from one screen to another: a join code makes a device a machine of the account that made
//! it, the set-up code lets the first account in.

use std::fmt;

use ed25519_dalek::SigningKey;
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::{
    certificate::{BadCertificate, Chain, DeviceCertificate, EnrolmentCertificate, Role, SUITE},
    device::DeviceKind,
    id::Hash,
    keys::{AccountKey, DevicePublicKeys},
    order::CLOCK_GRACE,
    signature::{PublicKey, Signed},
    time::Timestamp,
    wire,
};

/// BLAKE3 derive-key contexts: each makes an independent value of the same secret.
const LOOKUP: &str = "beckon v1 join lookup-id";
const ENROLMENT: &str = "beckon v1 join enrolment-seed";
const MAC: &str = "beckon v1 join mac-key";
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
    #[error("a code has 28 letters and digits (after bk1-, if it is a join code), this one has {0}; copy it again, whole")]
    Length(usize),
    /// A character is none of the 32.
    #[error("{0:?} does not occur in a code; look at it again")]
    Symbol(char),
    /// One or more symbols were mistaken.
    #[error("this code has a typing error; compare it with the original")]
    Checksum,
}

/// How the codes of one kind are written.
struct Format {
    prefix: &'static str,
    /// BLAKE3 derive-key context of the checksum; another one for each kind, so that none is taken for another.
    check: &'static str,
}

impl Format {
    const JOIN: Self = Self { prefix: "bk1-", check: "beckon v1 join-code checksum" };
    const SETUP: Self = Self { prefix: "", check: "beckon v1 setup-code checksum" };

    /// The secret and behind it the first 12 bits of its hash.
    fn pack(&self, secret: &[u8; 16]) -> Zeroizing<[u8; PACKED]> {
        let hash = blake3::derive_key(self.check, secret);
        let mut packed = Zeroizing::new([0; PACKED]);
        packed[..16].copy_from_slice(secret);
        packed[16..].copy_from_slice(&[hash[0], hash[1] & 0xf0]);
        packed
    }

    fn write(&self, secret: &[u8; 16]) -> String {
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

    fn parse(&self, text: &str) -> Result<Zeroizing<[u8; 16]>, BadCode> {
        let symbols = Zeroizing::new(fold(text));
        let symbols = symbols.strip_prefix(fold(self.prefix).as_str()).ok_or(BadCode::Prefix)?;
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
        if self.pack(&secret) == packed { Ok(secret) } else { Err(BadCode::Checksum) }
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

/// A join code: whoever knows it can add machines to the account, and no controllers.
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub struct JoinCode([u8; 16]);

/// What a join code is to allow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Terms {
    /// The most that a machine which joins by it may be.
    pub role: Role,
    /// When it is made.
    pub issued: Timestamp,
    /// When it lapses.
    pub not_after: Timestamp,
    /// How many machines may join.
    pub uses: u32,
    /// The account's current epoch.
    pub epoch: u32,
}

/// What the server keeps of a join code and hands to whoever knows the lookup id. The MAC beside it proves the account key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JoinOffer {
    /// To be pinned by the machine that joins.
    pub account_key: PublicKey,
    /// Of the key that the code yields.
    pub enrolment: Signed<EnrolmentCertificate>,
}

/// Why a machine does not take an offer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadOffer {
    /// Whoever made it did not know the code.
    #[error("the server's answer does not belong to this code; do not join, and tell whoever runs the server")]
    Mac,
    /// The account key did not certify the code's key, or may not have done so.
    #[error(transparent)]
    Certificate(#[from] BadCertificate),
    /// It has lapsed by this machine's clock.
    #[error("this join code has expired; make a new one, or set this machine's clock")]
    Expired,
}

impl JoinCode {
    /// Makes a code of 16 random bytes.
    pub fn new(random: [u8; 16]) -> Self {
        Self(random)
    }

    /// Reads `bk1-...`; case, dashes and spaces do not matter.
    pub fn parse(text: &str) -> Result<Self, BadCode> {
        Format::JOIN.parse(text).map(|secret| Self(*secret))
    }

    /// The code as people see it: `bk1-XXXXXXX-XXXXXXX-XXXXXXX-XXXXXXX`.
    pub fn text(&self) -> Zeroizing<String> {
        Zeroizing::new(Format::JOIN.write(&self.0))
    }

    /// Under which the server keeps the offer; tells nothing of the code.
    pub fn lookup(&self) -> Hash {
        Hash(blake3::derive_key(LOOKUP, &self.0))
    }

    /// The key that certifies machines.
    pub fn enrolment_key(&self) -> SigningKey {
        SigningKey::from_bytes(&Zeroizing::new(blake3::derive_key(ENROLMENT, &self.0)))
    }

    /// What the server is to keep, and the MAC over it.
    pub fn offer(&self, account: &AccountKey, terms: &Terms) -> Result<(JoinOffer, [u8; 32]), BadCertificate> {
        if terms.role == Role::Controller {
            return Err(BadCertificate::Enrolment);
        }
        let certificate = EnrolmentCertificate {
            suite: SUITE,
            account: account.id(),
            key: PublicKey::from(&self.enrolment_key()),
            role: terms.role,
            issued: terms.issued,
            not_after: terms.not_after,
            uses: terms.uses,
            epoch: terms.epoch,
        };
        let offer = JoinOffer {
            account_key: account.public(),
            enrolment: Signed::sign(&certificate, account.signing()),
        };
        let mac = self.mac(&offer);
        Ok((offer, mac))
    }

    /// The enrolment certificate, if somebody who knew this code made the offer and it has not lapsed. Then its account key may be pinned.
    pub fn check(&self, offer: &JoinOffer, mac: &[u8; 32], now: Timestamp) -> Result<EnrolmentCertificate, BadOffer> {
        if !bool::from(self.mac(offer).ct_eq(mac)) {
            return Err(BadOffer::Mac);
        }
        let certificate = EnrolmentCertificate::verify(&offer.enrolment, &offer.account_key)?;
        if certificate.key != PublicKey::from(&self.enrolment_key()) {
            return Err(BadCertificate::Enrolment.into());
        }
        if now > certificate.not_after + CLOCK_GRACE {
            return Err(BadOffer::Expired);
        }
        Ok(certificate)
    }

    /// Certifies the machine that joins, without end, by an offer that [`Self::check`] accepted. A clock that is behind is led back into the code's time.
    pub fn certify(&self, offer: &JoinOffer, keys: DevicePublicKeys, role: Role, now: Timestamp) -> Result<Chain, BadCertificate> {
        let enrolment = EnrolmentCertificate::verify(&offer.enrolment, &offer.account_key)?;
        if !enrolment.role.includes(role) {
            return Err(BadCertificate::Enrolment);
        }
        let certificate = DeviceCertificate {
            suite: SUITE,
            account: enrolment.account,
            keys,
            kind: DeviceKind::Agent,
            role,
            issued: now.max(enrolment.issued),
            not_after: None,
            epoch: enrolment.epoch,
        };
        Ok(Chain::by_enrolment(&certificate, offer.enrolment.clone(), &self.enrolment_key()))
    }

    fn mac(&self, offer: &JoinOffer) -> [u8; 32] {
        let key = Zeroizing::new(blake3::derive_key(MAC, &self.0));
        *blake3::keyed_hash(&key, &wire::encode(offer)).as_bytes()
    }
}

impl fmt::Debug for JoinCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JoinCode(..)")
    }
}

/// The code that a server without accounts prints: whoever knows it signs up first.
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
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
