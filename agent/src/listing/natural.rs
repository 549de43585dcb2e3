//! The order in which people look for names: without case, numbers by value.

use std::cmp::Ordering;

/// Compares two names: letters without case, runs of digits by value; what is equal so far, by its bytes.
pub(super) fn compare(a: &[u8], b: &[u8]) -> Ordering {
    compare_tokens(a, b).then_with(|| a.cmp(b))
}

fn compare_tokens(a: &[u8], b: &[u8]) -> Ordering {
    // Names of a folder often begin alike. What is skipped must end where a token ends: before its digits, or in plain letters.
    let equal = a.iter().zip(b).take_while(|(a, b)| a == b).count();
    let is_plain = |byte: &u8| byte.is_ascii() && !byte.is_ascii_digit();
    let start = a[..equal].iter().rposition(is_plain).map_or(0, |last| last + 1);
    let (mut a, mut b) = (Tokens(&a[start..]), Tokens(&b[start..]));
    loop {
        return match (a.next(), b.next()) {
            (None, None) => Ordering::Equal,
            (None, Some(_)) => Ordering::Less,
            (Some(_), None) => Ordering::Greater,
            (Some(a), Some(b)) => match a.cmp(&b) {
                Ordering::Equal => continue,
                unequal => unequal,
            },
        };
    }
}

/// A piece of a name. No letter is a decimal digit of ASCII, so numbers stand among the letters where digits would.
#[derive(PartialEq, Eq)]
enum Token<'a> {
    /// Digits without leading zeros.
    Number(&'a [u8]),
    /// A folded letter, or 0x110000 and above for a byte that is no text.
    Letter(u32),
}

impl Ord for Token<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Number(a), Self::Number(b)) => a.len().cmp(&b.len()).then_with(|| a.cmp(b)),
            (Self::Letter(a), Self::Letter(b)) => a.cmp(b),
            (Self::Number(_), Self::Letter(letter)) => u32::from('0').cmp(letter),
            (Self::Letter(letter), Self::Number(_)) => letter.cmp(&u32::from('0')),
        }
    }
}

impl PartialOrd for Token<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

struct Tokens<'a>(&'a [u8]);

impl<'a> Iterator for Tokens<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        let first = *self.0.first()?;
        if first.is_ascii_digit() {
            return Some(self.number());
        }
        if first.is_ascii() {
            self.0 = &self.0[1..];
            return Some(Token::Letter(first.to_ascii_lowercase().into()));
        }
        Some(self.wide_letter(first))
    }
}

impl<'a> Tokens<'a> {
    fn number(&mut self) -> Token<'a> {
        let len = self.0.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let (digits, rest) = self.0.split_at(len);
        self.0 = rest;
        let zeros = digits.iter().take_while(|digit| **digit == b'0').count();
        Token::Number(&digits[zeros..])
    }

    /// Of a letter whose lower case is several, only the first counts here; the bytes decide the rest.
    fn wide_letter(&mut self, first: u8) -> Token<'a> {
        let len = match first {
            0xc2..=0xdf => 2,
            0xe0..=0xef => 3,
            0xf0..=0xf4 => 4,
            _ => 1,
        };
        let letter = self
            .0
            .get(..len)
            .and_then(|bytes| std::str::from_utf8(bytes).ok())
            .and_then(|text| text.chars().next());
        let (taken, token) = match letter {
            Some(letter) => (len, letter.to_lowercase().next().unwrap_or(letter).into()),
            None => (1, 0x11_0000 + u32::from(first)),
        };
        self.0 = &self.0[taken..];
        Token::Letter(token)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sorted(mut names: Vec<&str>) -> Vec<&str> {
        names.sort_by(|a, b| compare(a.as_bytes(), b.as_bytes()));
        names
    }

    #[test]
    fn numbers_go_by_value_and_letters_without_case() {
        let expected = [
            "IMG_2.jpg",
            "img_10.jpg",
            "img_010.png",
            "Readme",
            "readme.md",
            "Übung",
            "übungen",
        ];
        assert_eq!(sorted(expected.into_iter().rev().collect()), expected);
        assert_eq!(sorted(vec!["a1", "a", "B", "1", "_"]), ["1", "_", "a", "a1", "B"]);
    }

    #[test]
    fn numbers_of_any_length_are_compared() {
        let long = format!("x{}", "9".repeat(60));
        assert_eq!(
            compare(long.as_bytes(), format!("x1{}", "0".repeat(60)).as_bytes()),
            Ordering::Less
        );
        assert_eq!(
            compare(b"x007", b"x7"),
            Ordering::Less,
            "equal by value, so the bytes decide"
        );
    }

    proptest! {
        #[test]
        fn the_order_is_total(a in any::<Vec<u8>>(), b in any::<Vec<u8>>(), c in "[aA01é9]{0,4}") {
            let c = c.into_bytes();
            prop_assert_eq!(compare(&a, &b), compare(&b, &a).reverse());
            prop_assert_eq!(compare(&a, &b) == Ordering::Equal, a == b);
            if compare(&a, &b) != Ordering::Greater && compare(&b, &c) != Ordering::Greater {
                prop_assert_ne!(compare(&a, &c), Ordering::Greater);
            }
        }

        #[test]
        fn the_order_of_like_names_is_transitive(a in "[aA01é_]{0,5}", b in "[aA01é_]{0,5}", c in "[aA01é_]{0,5}") {
            if compare(a.as_bytes(), b.as_bytes()) != Ordering::Greater && compare(b.as_bytes(), c.as_bytes()) != Ordering::Greater {
                prop_assert_ne!(compare(a.as_bytes(), c.as_bytes()), Ordering::Greater);
            }
        }
    }
}
