//! What a crash leaves of what was not synced.

use serde::{Deserialize, Serialize};

use super::chance::mix;

/// Decides for each change by its number alone, so that the same luck always leaves the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Luck {
    /// All that was not synced is lost.
    None,
    /// Nothing is lost: the program was killed, and the machine ran on.
    All,
    /// Some of it is lost or torn.
    Some(u64),
}

/// What becomes of a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Fate {
    /// As if it had never been.
    Lost,
    /// All of it is there.
    Kept,
    /// So many of its bytes are there: some, and not all.
    Torn(usize),
    /// The file has grown, and there are zeros where its bytes should be.
    Zeros,
}

impl Luck {
    /// Whether a change of a name is left.
    pub(super) fn keeps(self, change: u64) -> bool {
        match self {
            Self::None => false,
            Self::All => true,
            // How likely it is differs from luck to luck: one in eight to seven in eight.
            Self::Some(seed) => mix(seed ^ mix(change)) % 8 <= seed % 7,
        }
    }

    /// What is left of a write of so many bytes.
    pub(super) fn fate(self, change: u64, len: usize) -> Fate {
        let Self::Some(seed) = self else {
            return if self.keeps(change) { Fate::Kept } else { Fate::Lost };
        };
        let drawn = mix(seed.rotate_left(17) ^ mix(change));
        match (self.keeps(change), drawn % 4) {
            (true, 0) if len > 1 => Fate::Torn(1 + (drawn >> 8) as usize % (len - 1)),
            (true, 1) => Fate::Zeros,
            (true, _) => Fate::Kept,
            (false, _) => Fate::Lost,
        }
    }
}
