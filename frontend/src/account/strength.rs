//! How hard a password is to guess, roughly: a hint for people, never a rule.

use std::collections::BTreeSet;

use beckon_shared::password::PASSWORD_MIN;

/// The highest strength; 0 is a password that is too short to be taken.
pub(crate) const STRONGEST: u8 = 4;

/// A text with so many different characters repeats itself no more than language does.
const VARIOUS: usize = 12;

/// From 0 to [`STRONGEST`].
pub(crate) fn strength(password: &str) -> u8 {
    let count = password.chars().count();
    if count < PASSWORD_MIN {
        return 0;
    }
    let different = password.chars().collect::<BTreeSet<_>>().len();
    // Repetitions say little; in long texts letters come again by nature.
    let variety = (different as f64 / count.min(VARIOUS) as f64).min(1.0);
    match bits_per_char(password) * count as f64 * variety {
        ..28.0 => 1,
        28.0..45.0 => 2,
        45.0..70.0 => 3,
        _ => STRONGEST,
    }
}

/// People choose words and dates, so that a character tells less than its alphabet would allow.
fn bits_per_char(password: &str) -> f64 {
    let has = |test: fn(char) -> bool| password.chars().any(test);
    let kinds = [
        has(|c| c.is_ascii_lowercase()),
        has(|c| c.is_ascii_uppercase()),
        has(|c| c.is_ascii_digit()),
        has(|c| c.is_ascii_punctuation()),
    ];
    match kinds.into_iter().filter(|has| *has).count() {
        _ if has(|c| !c.is_ascii()) => 5.5,
        0 | 1 if has(|c| c.is_ascii_digit()) => 2.2,
        0 | 1 => 2.8,
        2 => 3.4,
        _ => 4.2,
    }
}

#[cfg(test)]
mod tests {
    use wasm_bindgen_test::wasm_bindgen_test;

    use super::*;

    #[wasm_bindgen_test]
    fn longer_and_more_various_is_stronger() {
        let strengths = [
            "short",
            "12345678",
            "aaaaaaaaaaaaaaaaaaaa",
            "Tr0ub4dor&3",
            "correct horse battery",
        ];
        assert_eq!(strengths.map(strength), [0, 1, 1, 2, 3]);
        assert_eq!(strength("correct horse battery staple lake"), STRONGEST);
        assert_eq!(strength("密码"), 0);
    }
}
