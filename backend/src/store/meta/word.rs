//! How values of the protocol stand in columns: enums as the words of their JSON, lists as JSON, ids as bytes.

use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use crate::store::Error;

/// The word of a fieldless enum.
pub(crate) fn word<T: Serialize>(value: T) -> String {
    match serde_json::to_value(value) {
        Ok(Value::String(word)) => word,
        // Only enums without fields are given, and their JSON is a string.
        _ => String::new(),
    }
}

/// The enum that a word stands for.
pub(crate) fn from_word<T: DeserializeOwned>(word: String) -> Result<T, Error> {
    serde_json::from_value(Value::String(word)).map_err(|_| Error::bad_row("word"))
}

/// A value as JSON.
pub(crate) fn json<T: Serialize + ?Sized>(value: &T) -> String {
    // Plain values always have a JSON form.
    serde_json::to_string(value).unwrap_or_default()
}

/// The value that a JSON text stands for.
pub(crate) fn from_json<T: DeserializeOwned>(text: &str) -> Result<T, Error> {
    serde_json::from_str(text).map_err(|_| Error::bad_row("JSON"))
}

/// Bytes of a fixed length.
pub(crate) fn array<const N: usize>(bytes: Vec<u8>) -> Result<[u8; N], Error> {
    bytes.try_into().map_err(|_| Error::bad_row("binary value"))
}

/// A count that fits its type.
pub(crate) fn number<T: TryFrom<i64>>(value: i64) -> Result<T, Error> {
    T::try_from(value).map_err(|_| Error::bad_row("number"))
}

/// A count as a column holds it.
pub(crate) fn column(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// A name as it is compared: without case.
pub(crate) fn name_key(name: &str) -> String {
    name.to_lowercase()
}
