//! Names and paths inside a root: bytes that cannot climb out of it.

use std::fmt;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

/// Longest name in bytes: 255 UTF-16 units as WTF-8 (NTFS); Linux allows 255 bytes.
pub const NAME_MAX: usize = 765;
/// Longest path inside a root in bytes (Linux's PATH_MAX).
pub const PATH_MAX: usize = 4096;

/// The bytes given cannot name anything inside a root.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadPath {
    /// Nothing stands between two slashes.
    #[error("a path has no empty part; write folder/file, without a slash at the start or end")]
    Empty,
    /// A part is `.` or `..`.
    #[error("a path inside a root has no part '.' or '..'")]
    Dots,
    /// A part holds a NUL byte or a slash.
    #[error("a name holds neither a slash nor a NUL byte")]
    Forbidden,
    /// A name is over [`NAME_MAX`] or a path over [`PATH_MAX`] bytes.
    #[error("this path is too long: a name has at most 765 bytes, a path 4,096")]
    TooLong,
}

/// One name in a folder: 1 to [`NAME_MAX`] bytes (WTF-8 from Windows), no slash, no NUL, neither `.` nor `..`.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Name(Vec<u8>);

impl Name {
    /// Checks the bytes.
    pub fn new(bytes: impl Into<Vec<u8>>) -> Result<Self, BadPath> {
        let bytes = bytes.into();
        match bytes.as_slice() {
            [] => Err(BadPath::Empty),
            b"." | b".." => Err(BadPath::Dots),
            long if long.len() > NAME_MAX => Err(BadPath::TooLong),
            any if any.iter().any(|byte| matches!(byte, 0 | b'/')) => Err(BadPath::Forbidden),
            _ => Ok(Self(bytes)),
        }
    }

    /// The raw bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The name as text, if it is UTF-8.
    pub fn as_str(&self) -> Option<&str> {
        std::str::from_utf8(&self.0).ok()
    }

    /// What people are shown: what is not UTF-8 becomes U+FFFD. Not an address.
    pub fn display(&self) -> String {
        String::from_utf8_lossy(&self.0).into_owned()
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.display())
    }
}

/// A path below a root: names joined by `/`, empty for the root itself, at most [`PATH_MAX`] bytes.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct RootPath(Vec<u8>);

impl RootPath {
    /// The root itself.
    pub const fn root() -> Self {
        Self(Vec::new())
    }

    /// Checks bytes of the form `folder/file`; empty is the root.
    pub fn new(bytes: impl Into<Vec<u8>>) -> Result<Self, BadPath> {
        let bytes = bytes.into();
        if bytes.len() > PATH_MAX {
            return Err(BadPath::TooLong);
        }
        if !bytes.is_empty() {
            for part in bytes.split(|byte| *byte == b'/') {
                Name::new(part)?;
            }
        }
        Ok(Self(bytes))
    }

    /// The entry called `name` in this folder.
    pub fn join(&self, name: &Name) -> Result<Self, BadPath> {
        let mut bytes = self.0.clone();
        if !bytes.is_empty() {
            bytes.push(b'/');
        }
        bytes.extend_from_slice(name.as_bytes());
        if bytes.len() > PATH_MAX {
            return Err(BadPath::TooLong);
        }
        Ok(Self(bytes))
    }

    /// The names from the root down.
    pub fn names(&self) -> impl DoubleEndedIterator<Item = Name> + '_ {
        self.0
            .split(|byte| *byte == b'/')
            .filter(|part| !part.is_empty())
            .map(|part| Name(part.to_vec()))
    }

    /// The folder above and the name in it; nothing above the root.
    pub fn split_last(&self) -> Option<(Self, Name)> {
        if self.is_root() {
            return None;
        }
        Some(match self.0.iter().rposition(|byte| *byte == b'/') {
            Some(at) => (Self(self.0[..at].to_vec()), Name(self.0[at + 1..].to_vec())),
            None => (Self::root(), Name(self.0.clone())),
        })
    }

    /// Whether this is the root itself.
    pub fn is_root(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether `other` is this path or lies below it.
    pub fn holds(&self, other: &Self) -> bool {
        self.is_root()
            || other
                .0
                .strip_prefix(self.0.as_slice())
                .is_some_and(|rest| rest.is_empty() || rest[0] == b'/')
    }

    /// The raw bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// What people are shown: what is not UTF-8 becomes U+FFFD. Not an address.
    pub fn display(&self) -> String {
        String::from_utf8_lossy(&self.0).into_owned()
    }
}

impl fmt::Debug for RootPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.display())
    }
}

/// Bytes on the wire, unpadded URL-safe base64 in JSON; parsed again where they come in.
macro_rules! serde_checked_bytes {
    ($name:ident) => {
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                if serializer.is_human_readable() {
                    serializer.serialize_str(&URL_SAFE_NO_PAD.encode(&self.0))
                } else {
                    self.0.serialize(serializer)
                }
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let bytes = if deserializer.is_human_readable() {
                    URL_SAFE_NO_PAD
                        .decode(String::deserialize(deserializer)?)
                        .map_err(D::Error::custom)?
                } else {
                    Vec::deserialize(deserializer)?
                };
                Self::new(bytes).map_err(D::Error::custom)
            }
        }

        impl utoipa::PartialSchema for $name {
            fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
                String::schema()
            }
        }
        impl utoipa::ToSchema for $name {}
    };
}

serde_checked_bytes!(Name);
serde_checked_bytes!(RootPath);

/// A machine's or root's name as people give it: 1 to 64 characters, no `/`, `:` or control character.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, utoipa::ToSchema)]
#[serde(transparent)]
pub struct Label(String);

/// The text cannot name a machine or a root.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "a name has 1 to 64 characters, does not start or end with a space, is not '.' or '..', and holds no '/', ':' or control character"
)]
pub struct BadLabel;

impl Label {
    /// Checks the text.
    pub fn new(text: impl Into<String>) -> Result<Self, BadLabel> {
        let text = text.into();
        let forbidden =
            |c: char| c.is_control() || matches!(c, '/' | ':' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        if text.is_empty()
            || text.chars().count() > 64
            || text.trim() != text
            || matches!(text.as_str(), "." | "..")
            || text.chars().any(forbidden)
        {
            return Err(BadLabel);
        }
        Ok(Self(text))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0)
    }
}

impl std::str::FromStr for Label {
    type Err = BadLabel;
    fn from_str(text: &str) -> Result<Self, BadLabel> {
        Self::new(text)
    }
}

impl<'de> Deserialize<'de> for Label {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::new(String::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_path_cannot_climb_out_of_its_root() {
        for bad in ["..", ".", "a/../b", "/etc", "a//b", "a/", "./a", "a/..", "\0", "a\0b"] {
            assert!(RootPath::new(bad).is_err(), "{bad:?}");
        }
        assert_eq!(RootPath::new("x".repeat(PATH_MAX + 1)), Err(BadPath::TooLong));
        assert_eq!(Name::new("x".repeat(NAME_MAX + 1)), Err(BadPath::TooLong));
        assert_eq!(Name::new("a/b"), Err(BadPath::Forbidden));
        assert!(RootPath::new("...").is_ok());
    }

    #[test]
    fn a_folder_holds_what_is_below_it_and_not_its_namesakes() {
        let path = |text: &str| RootPath::new(text).unwrap();
        assert!(path("a").holds(&path("a/b")) && path("a").holds(&path("a")) && path("").holds(&path("a")));
        assert!(!path("a").holds(&path("ab")) && !path("a/b").holds(&path("a")));
    }

    #[test]
    fn labels_hold_no_separators_and_no_tricks() {
        for bad in ["", " a", "a ", "a/b", "a:b", "a\nb", "..", "a\u{202e}b"] {
            assert!(Label::new(bad).is_err(), "{bad:?}");
        }
        assert!(Label::new("办公室 PC").is_ok());
        assert!(Label::new("x".repeat(65)).is_err());
    }

    proptest! {
        #[test]
        fn any_bytes_are_refused_or_survive_the_wire_and_json(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
            let Ok(path) = RootPath::new(bytes) else { return Ok(()) };
            prop_assert_eq!(crate::wire::decode::<RootPath>(&crate::wire::encode(&path)).ok(), Some(path.clone()));
            prop_assert_eq!(serde_json::from_str::<RootPath>(&serde_json::to_string(&path).unwrap()).ok(), Some(path.clone()));
            let mut rebuilt = RootPath::root();
            for name in path.names() {
                rebuilt = rebuilt.join(&name).unwrap();
            }
            prop_assert_eq!(rebuilt, path);
        }
    }
}
