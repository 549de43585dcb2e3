//! Letters jump to the row whose name begins with them.

/// Letters that follow each other within this time are one word. Milliseconds.
const PAUSE_MS: f64 = 700.0;

/// What was typed lately.
#[derive(Debug, Clone, Default)]
pub(super) struct Typed {
    text: String,
    at: f64,
}

impl Typed {
    /// Whether a word is being typed.
    pub(super) fn goes_on(&self, now: f64) -> bool {
        !self.text.is_empty() && now - self.at < PAUSE_MS
    }

    /// Takes a letter.
    pub(super) fn add(&mut self, letter: &str, now: f64) {
        if !self.goes_on(now) {
            self.text.clear();
        }
        self.text.extend(letter.chars().flat_map(char::to_lowercase));
        self.at = now;
    }

    /// The row to jump to, from row `at` on and around. One letter, or the same one again and again, goes on to the next row.
    pub(super) fn find(&self, at: usize, count: usize, label: &dyn Fn(usize) -> Option<String>) -> Option<usize> {
        let first = self.text.chars().next()?;
        let same = self.text.chars().all(|letter| letter == first);
        let wanted = if same { first.to_string() } else { self.text.clone() };
        let start = if same { at + 1 } else { at };
        (0..count)
            .map(|step| (start + step) % count)
            .find(|index| label(*index).is_some_and(|label| begins_with(&label, &wanted)))
    }
}

fn begins_with(label: &str, wanted: &str) -> bool {
    let mut letters = label.chars().flat_map(char::to_lowercase);
    wanted.chars().all(|letter| letters.next() == Some(letter))
}

#[cfg(test)]
mod tests {
    use wasm_bindgen_test::wasm_bindgen_test;

    use super::*;

    const NAMES: [&str; 5] = ["alpha", "beta", "Bravo", "Ärger", "bz"];

    fn find(letters: &str, at: usize) -> Option<usize> {
        let mut typed = Typed::default();
        for letter in letters.chars() {
            typed.add(&letter.to_string(), 1000.0);
        }
        typed.find(at, NAMES.len(), &|index| Some(NAMES[index].to_owned()))
    }

    #[wasm_bindgen_test]
    fn letters_jump_to_names_without_regard_to_case() {
        assert_eq!(find("br", 0), Some(2));
        assert_eq!(find("B", 0), Some(1));
        assert_eq!(find("ä", 0), Some(3));
        assert_eq!(find("q", 0), None);
    }

    #[wasm_bindgen_test]
    fn the_same_letter_again_goes_around() {
        assert_eq!(find("b", 1), Some(2));
        assert_eq!(find("bb", 2), Some(4));
        assert_eq!(find("b", 4), Some(1));
    }

    #[wasm_bindgen_test]
    fn after_a_pause_a_new_word_begins() {
        let mut typed = Typed::default();
        typed.add("a", 0.0);
        typed.add("b", 5000.0);
        assert_eq!(typed.find(0, 5, &|index| Some(NAMES[index].to_owned())), Some(1));
    }
}
