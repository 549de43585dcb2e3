//! Names that are free in a folder.

use beckon_shared::path::{NAME_MAX, Name};
use sea_orm::ConnectionTrait;

use super::{Error, sql};

/// The name itself, or with ` (2)`, ` (3)`... behind it where that is taken.
pub(crate) async fn free_name(on: &impl ConnectionTrait, parent: i64, wanted: &Name) -> Result<Name, Error> {
    let mut candidate = wanted.clone();
    let mut number = 2;
    while is_taken(on, parent, &candidate).await? {
        candidate = numbered(wanted, number);
        number += 1;
    }
    Ok(candidate)
}

/// Whether a live node in the folder has this name.
pub(crate) async fn is_taken(on: &impl ConnectionTrait, parent: i64, name: &Name) -> Result<bool, Error> {
    let text = "SELECT 1 AS one FROM node WHERE parent = $1 AND name = $2 AND deleted_at IS NULL";
    Ok(on
        .query_one_raw(sql(text, on, [parent.into(), name.as_bytes().into()]))
        .await?
        .is_some())
}

/// `name (2)`, with the name cut where both together would be too long.
pub(crate) fn numbered(name: &Name, number: u32) -> Name {
    let suffix = format!(" ({number})");
    let mut end = name.as_bytes().len().min(NAME_MAX - suffix.len());
    // Not in the middle of a character of UTF-8.
    while end > 0 && name.as_bytes().get(end).is_some_and(|byte| byte & 0xc0 == 0x80) {
        end -= 1;
    }
    let bytes = [&name.as_bytes()[..end], suffix.as_bytes()].concat();
    Name::new(bytes).unwrap_or_else(|_| name.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_goes_behind_the_name_and_never_makes_it_too_long() {
        assert_eq!(numbered(&Name::new(*b"notes").unwrap(), 2).as_bytes(), b"notes (2)");
        let long = Name::new("é".repeat(382)).unwrap();
        let numbered = numbered(&long, 10);
        assert!(numbered.as_bytes().len() <= NAME_MAX);
        assert!(numbered.as_str().is_some_and(|name| name.ends_with("é (10)")));
    }
}
