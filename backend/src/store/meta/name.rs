//! Names that are free in a folder.

use std::collections::HashSet;

use beckon_shared::{
    error::ErrorCode,
    path::{NAME_MAX, Name},
};
use sea_orm::{ConnectionTrait, Value};

use super::{Error, places, sql};

/// How often a name may be taken, ` (100)` the last of them: each is looked for while nobody else can write.
pub(crate) const NUMBER_MAX: u32 = 100;

/// The name itself, or with ` (2)`, ` (3)`... behind it where that is taken.
pub(crate) async fn free_name(on: &impl ConnectionTrait, parent: i64, wanted: &Name) -> Result<Name, Error> {
    if taken(on, parent, std::slice::from_ref(wanted)).await?.is_empty() {
        return Ok(wanted.clone());
    }
    first_free(on, parent, wanted, |_| false).await
}

/// The first of ` (2)`, ` (3)`... behind a name that is neither reserved nor the name of a live node in the folder.
pub(crate) async fn first_free(
    on: &impl ConnectionTrait,
    parent: i64,
    wanted: &Name,
    is_reserved: impl Fn(&Name) -> bool,
) -> Result<Name, Error> {
    // Most often the first one is free.
    for numbers in [2..=3, 4..=NUMBER_MAX] {
        let candidates = numbers.map(|number| numbered(wanted, number));
        let candidates: Vec<Name> = candidates.filter(|name| !is_reserved(name)).collect();
        let taken = taken(on, parent, &candidates).await?;
        if let Some(free) = candidates.into_iter().find(|name| !taken.contains(name.as_bytes())) {
            return Ok(free);
        }
    }
    Err(Error::refused(
        ErrorCode::NameTaken,
        format!("there are {NUMBER_MAX} things of one name in a folder of the drive; rename or move some of them"),
    ))
}

/// Those of these names that live nodes in the folder have.
async fn taken(on: &impl ConnectionTrait, parent: i64, names: &[Name]) -> Result<HashSet<Vec<u8>>, Error> {
    if names.is_empty() {
        return Ok(HashSet::new());
    }
    let text = format!(
        "SELECT name FROM node WHERE parent = $1 AND deleted_at IS NULL AND name IN ({})",
        places(2, names.len())
    );
    let names = names.iter().map(|name| name.as_bytes().into());
    let values = std::iter::once(Value::from(parent)).chain(names);
    let rows = on.query_all_raw(sql(&text, on, values)).await?;
    rows.iter().map(|row| Ok(row.try_get("", "name")?)).collect()
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
