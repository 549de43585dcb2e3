//! Chance that can be had again: all of it follows from one number.

use std::{
    env,
    ops::Range,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

/// Says in the environment from which number chance follows, to have the same once more.
pub const SEED_VARIABLE: &str = "BECKON_FAULT_SEED";

/// Numbers that follow from a seed.
#[derive(Clone, Debug)]
pub struct Chance(u64);

impl Chance {
    /// Of a seed.
    pub const fn of(seed: u64) -> Self {
        Self(seed)
    }

    /// Of the seed in [`SEED_VARIABLE`], else of a new one. Says which, so that it stands with a failure.
    pub fn from_env() -> Self {
        let said = env::var(SEED_VARIABLE).ok().map(|text| {
            text.parse()
                .unwrap_or_else(|_| panic!("{SEED_VARIABLE} is to be a number, and is {text}"))
        });
        let seed = said.unwrap_or_else(|| {
            let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("it is after 1970");
            now.as_secs()
        });
        eprintln!("the same once more: {SEED_VARIABLE}={seed}");
        Self::of(seed)
    }

    /// A number in a range that is not empty.
    pub fn number(&mut self, range: Range<u64>) -> u64 {
        range.start + self.next() % (range.end - range.start)
    }

    /// Whether what happens so many times of a hundred happens now.
    pub fn percent(&mut self, percent: u64) -> bool {
        self.number(0..100) < percent
    }

    /// A time of so many milliseconds.
    pub fn millis(&mut self, range: Range<u64>) -> Duration {
        Duration::from_millis(self.number(range))
    }

    /// SplitMix64 (Steele, Lea, Flood 2014).
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_numbers_and_all_of_a_range() {
        let numbers = |seed| {
            let mut chance = Chance::of(seed);
            (0..200).map(|_| chance.number(3..9)).collect::<Vec<_>>()
        };
        assert_eq!(numbers(7), numbers(7));
        assert_ne!(numbers(7), numbers(8));
        assert!((3..9).all(|number| numbers(7).contains(&number)));
        assert!(numbers(7).iter().all(|number| (3..9).contains(number)));
    }
}
