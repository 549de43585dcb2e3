//! Codes that people carry from one screen to another: a join code makes a device a machine of the account that made
//! it, the set-up code lets the first account in.

mod code;

pub use code::{BadCode, SetupCode};

use std::fmt;

use ed25519_dalek::SigningKey;
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use self::code::Format;
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

/// A join code: whoever knows it can add machines to the account, and no controllers.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
#[cfg_attr(test, derive(PartialEq, Eq))]
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
    pub fn certify(
        &self,
        offer: &JoinOffer,
        keys: DevicePublicKeys,
        role: Role,
        now: Timestamp,
    ) -> Result<Chain, BadCertificate> {
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
        Ok(Chain::by_enrolment(
            &certificate,
            offer.enrolment.clone(),
            &self.enrolment_key(),
        ))
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;
    use crate::{
        certificate::tests::{NOW, account, device},
        statement::Standing,
        wire::{decode, encode},
    };

    const COUNTING: [u8; 16] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15];

    fn code() -> JoinCode {
        JoinCode::new(COUNTING)
    }

    fn terms() -> Terms {
        Terms {
            role: Role::Copy,
            issued: NOW,
            not_after: NOW + Duration::from_secs(900),
            uses: 2,
            epoch: 3,
        }
    }

    #[test]
    fn codes_and_what_follows_from_them_never_change() {
        assert_eq!(*code().text(), "bk1-000G40R-40M30E2-09185GR-38E1ZGN");
        assert_eq!(*JoinCode::new([0; 16]).text(), "bk1-0000000-0000000-0000000-000039K");
        assert_eq!(*JoinCode::new([0xff; 16]).text(), "bk1-ZZZZZZZ-ZZZZZZZ-ZZZZZZZ-ZZZZXW1");
        assert_eq!(*SetupCode::new(COUNTING).text(), "000G40R-40M30E2-09185GR-38E1XWS");
        assert_eq!(
            code().lookup().to_string(),
            "e85bcc3a11b14c4ad89ea52417ab2baf96daad7e20f42c89e258f71a5e1a9304"
        );
        assert_eq!(
            hex::encode(PublicKey::from(&code().enrolment_key()).0),
            "0e295a411e96f6d186fe7d24b9cc9ad33777ef25c700fe942f0b0b9708bc8be2"
        );
        assert_eq!(
            hex::encode(code().offer(&account(), &terms()).unwrap().1),
            "75fed4475ae481701111ccf5b41f2b41aab2b5f1047a720266f9d8d91a2e5b89"
        );
        assert_eq!(
            SetupCode::new(COUNTING).hash().to_string(),
            "212966ff0a3ee12fe5d7e878caf5124fb7ddc89c99f468c135a0f00a19612cd0"
        );
    }

    #[test]
    fn a_code_is_read_as_people_type_it() {
        let text = code().text();
        for typed in [
            text.to_lowercase(),
            text.replace('-', ""),
            format!(" {} \n", text.replace('-', " - ")),
        ] {
            assert_eq!(JoinCode::parse(&typed), Ok(code()), "{typed}");
        }
        let zeros = JoinCode::new([0; 16]).text().to_lowercase();
        let typed = zeros.replacen("bk1", "BKl", 1).replace('0', "o").replace('1', "I");
        assert_eq!(JoinCode::parse(&typed), Ok(JoinCode::new([0; 16])));
    }

    #[test]
    fn a_code_that_was_mistyped_says_how() {
        let text = code().text();
        assert_eq!(JoinCode::parse(&text[4..]), Err(BadCode::Prefix));
        assert_eq!(JoinCode::parse(""), Err(BadCode::Prefix));
        assert_eq!(JoinCode::parse(&text[..text.len() - 1]), Err(BadCode::Length(27)));
        assert_eq!(
            JoinCode::parse(&text.replacen("bk1-0", "bk1-U", 1)),
            Err(BadCode::Symbol('U'))
        );
        assert_eq!(
            JoinCode::parse(&text.replacen("bk1-0", "bk1-é", 1)),
            Err(BadCode::Symbol('é'))
        );
        assert_eq!(
            JoinCode::parse(&text.replacen("bk1-0", "bk1-2", 1)),
            Err(BadCode::Checksum)
        );
        let setup = SetupCode::new(COUNTING).text();
        assert_eq!(JoinCode::parse(&format!("bk1-{}", *setup)), Err(BadCode::Checksum));
    }

    #[test]
    fn a_setup_code_is_known_by_its_hash() {
        let code = SetupCode::new(COUNTING);
        assert_eq!(SetupCode::parse(&code.text().to_lowercase()), Ok(code.clone()));
        assert!(code.matches(&code.hash()));
        assert!(!SetupCode::new([0; 16]).matches(&code.hash()));
    }

    #[test]
    fn a_code_proves_the_account_and_certifies_a_machine() {
        let (offer, mac) = code().offer(&account(), &terms()).unwrap();
        let offer: JoinOffer = decode(&encode(&offer)).unwrap();
        let enrolment = code().check(&offer, &mac, NOW).unwrap();
        assert_eq!(
            (enrolment.role, enrolment.uses, offer.account_key),
            (Role::Copy, 2, account().public())
        );
        let keys = device(7);
        let chain = code().certify(&offer, keys.public(), Role::Source, NOW).unwrap();
        let made = chain
            .verify(&offer.account_key, Some(&keys.id()), NOW, &Standing::default())
            .unwrap();
        assert_eq!((made.role, made.not_after, made.epoch), (Role::Source, None, 3));
    }

    #[test]
    fn a_server_cannot_put_its_own_account_in_the_offer() {
        let (offer, mac) = code().offer(&account(), &terms()).unwrap();
        let rogue = AccountKey::from_bytes(&[9; 32]);
        let (theirs, their_mac) = JoinCode::new([9; 16]).offer(&rogue, &terms()).unwrap();
        assert_eq!(code().check(&theirs, &mac, NOW), Err(BadOffer::Mac));
        assert_eq!(code().check(&theirs, &their_mac, NOW), Err(BadOffer::Mac));
        let swapped = JoinOffer {
            account_key: rogue.public(),
            ..offer.clone()
        };
        assert_eq!(code().check(&swapped, &mac, NOW), Err(BadOffer::Mac));
        let mut flipped = mac;
        flipped[31] ^= 1;
        assert_eq!(code().check(&offer, &flipped, NOW), Err(BadOffer::Mac));
    }

    #[test]
    fn an_offer_for_another_codes_key_is_refused() {
        let (other, _) = JoinCode::new([9; 16]).offer(&account(), &terms()).unwrap();
        let mac = code().mac(&other);
        assert_eq!(
            code().check(&other, &mac, NOW),
            Err(BadOffer::Certificate(BadCertificate::Enrolment))
        );
    }

    #[test]
    fn a_code_makes_no_controller() {
        let refused = code().offer(
            &account(),
            &Terms {
                role: Role::Controller,
                ..terms()
            },
        );
        assert_eq!(refused, Err(BadCertificate::Enrolment));
        let (offer, _) = code()
            .offer(
                &account(),
                &Terms {
                    role: Role::Source,
                    ..terms()
                },
            )
            .unwrap();
        for role in [Role::Controller, Role::Copy] {
            assert_eq!(
                code().certify(&offer, device(7).public(), role, NOW),
                Err(BadCertificate::Enrolment)
            );
        }
    }

    #[test]
    fn an_expired_code_is_refused() {
        let (offer, mac) = code().offer(&account(), &terms()).unwrap();
        let end = terms().not_after + CLOCK_GRACE;
        assert!(code().check(&offer, &mac, end).is_ok());
        assert_eq!(
            code().check(&offer, &mac, end + Duration::from_millis(1)),
            Err(BadOffer::Expired)
        );
    }

    #[test]
    fn a_machine_whose_clock_is_behind_can_join() {
        let (offer, mac) = code().offer(&account(), &terms()).unwrap();
        let long_ago = Timestamp(0);
        code().check(&offer, &mac, long_ago).unwrap();
        let chain = code()
            .certify(&offer, device(7).public(), Role::Source, long_ago)
            .unwrap();
        assert!(
            chain
                .verify(&account().public(), None, NOW, &Standing::default())
                .is_ok()
        );
    }

    #[test]
    fn debug_output_holds_no_secret() {
        assert_eq!(
            format!("{:?} {:?}", code(), SetupCode::new(COUNTING)),
            "JoinCode(..) SetupCode(..)"
        );
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]

        #[test]
        fn every_code_is_read_back(secret: [u8; 16]) {
            prop_assert_eq!(JoinCode::parse(&JoinCode::new(secret).text()), Ok(JoinCode::new(secret)));
            prop_assert_eq!(SetupCode::parse(&SetupCode::new(secret).text()), Ok(SetupCode::new(secret)));
        }

        #[test]
        fn any_text_is_safe_to_read(text in "\\PC{0,40}", tail in "[0-9A-Za-z]{28}") {
            let _ = JoinCode::parse(&text);
            let _ = JoinCode::parse(&format!("bk1-{tail}"));
        }
    }
}
