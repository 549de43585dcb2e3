//! Being found in a local network by name service (RFC 6762, RFC 6763): who knows the machine's id recognises it, and others
//! learn that some agent is there.

mod announce;
mod find;

use beckon_shared::id::DeviceId;

pub(crate) use announce::announce;
pub(crate) use find::find;

/// What agents are listed under.
const SERVICE: &str = "_beckon._tcp.local.";
/// The key of the one property.
const TAG: &str = "t";
/// Set apart from all else that might ever be hashed with a device's id as the key.
const PURPOSE: &[u8] = b"beckon mdns\0";

/// What an agent says of itself for an hour.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Sign {
    /// Random: its name, for the instance and for the host.
    nonce: [u8; 16],
}

impl Sign {
    fn name(&self) -> String {
        hex::encode(self.nonce)
    }

    /// Says to who knows `device` whose sign it is.
    fn tag(&self, device: &DeviceId) -> String {
        let message = [PURPOSE, &self.nonce].concat();
        let hash = blake3::keyed_hash(&device.0, &message);
        hex::encode(hash.as_bytes().get(..16).unwrap_or_default())
    }

    /// The sign of this name.
    fn of_name(name: &str) -> Option<Self> {
        let mut nonce = [0; 16];
        hex::decode_to_slice(name, &mut nonce).ok()?;
        Some(Self { nonce })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_knows_the_machine_recognises_its_sign_and_two_signs_have_nothing_in_common() {
        let (machine, other) = (DeviceId([7; 32]), DeviceId([8; 32]));
        let [one, two] = [1, 2].map(|seed| Sign { nonce: [seed; 16] });
        assert_eq!(Sign::of_name(&one.name()), Some(one.clone()));
        assert_eq!(one.tag(&machine), "0972a4a227e68adbb0a4291ecb0ea3f3");
        assert_ne!(one.tag(&machine), one.tag(&other));
        assert_ne!(one.tag(&machine), two.tag(&machine));
    }

    #[test]
    fn what_is_no_name_of_a_sign_is_none() {
        for name in ["", "studio", "00", &"0".repeat(33), &"g".repeat(32), &"0".repeat(4000)] {
            assert_eq!(Sign::of_name(name), None);
        }
    }
}
