//! Finding nodes by a part of their names, and those that were stored last.

use std::{fmt, str::FromStr};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use sea_orm::{ConnectionTrait, Value};
use unicode_normalization::UnicodeNormalization;

use super::{
    Row, by_numbers,
    path::{Placed, placed},
};
use crate::{
    access::GrantedSpace,
    store::meta::{Error, sql},
};

/// Names that are looked at in one statement, which cannot be interrupted: the longest of them take about a tenth of a
/// second even where they are made to be slow to compare.
const NAMES: i64 = 2000;

/// A name as it is compared when it is searched for: without case, and without the differences between characters that
/// look and mean the same (NFKC: composed or not, of full or half width).
///
/// It stands in the database: another folding needs a migration that writes it anew.
pub(crate) fn folded(name: &[u8]) -> String {
    String::from_utf8_lossy(name).nfkc().collect::<String>().to_lowercase()
}

/// A place in the order of names, which stays where it is whatever happens to the node that stood there.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Cursor {
    folded: String,
    no: i64,
}

impl Cursor {
    /// Behind a node.
    pub(crate) fn behind(row: &Row) -> Self {
        Self {
            folded: row.node.folded.clone(),
            no: row.node.no,
        }
    }

    fn values(&self, space: &GrantedSpace) -> Vec<Value> {
        vec![space.column().into(), self.folded.as_str().into(), self.no.into()]
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = [&self.no.to_be_bytes(), self.folded.as_bytes()].concat();
        f.write_str(&URL_SAFE_NO_PAD.encode(bytes))
    }
}

/// It did not come from [`Cursor`]'s text.
#[derive(Debug)]
pub(crate) struct BadCursor;

impl FromStr for Cursor {
    type Err = BadCursor;

    fn from_str(text: &str) -> Result<Self, BadCursor> {
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| BadCursor)?;
        let (no, folded) = bytes.split_first_chunk().ok_or(BadCursor)?;
        let folded = std::str::from_utf8(folded).map_err(|_| BadCursor)?;
        // PostgreSQL takes no text with it, and no name has it.
        if folded.contains('\0') {
            return Err(BadCursor);
        }
        Ok(Self {
            folded: folded.to_owned(),
            no: i64::from_be_bytes(*no),
        })
    }
}

/// The live nodes of a space behind a place, by name.
const BEHIND: &str =
    "FROM node WHERE space = $1 AND deleted_at IS NULL AND (folded, no) > ($2, $3) ORDER BY folded, no";

/// At most `limit` live nodes whose names hold the text, by name, beginning behind `after`.
///
/// Looked for some names at a time, so that it ends soon after nobody wants to know any more.
pub(crate) async fn search(
    on: &impl ConnectionTrait,
    space: &GrantedSpace,
    text: &str,
    after: Option<Cursor>,
    limit: u64,
) -> Result<Vec<Placed>, Error> {
    let pattern = pattern(text);
    let mut from = after.unwrap_or_default();
    let mut found = Vec::new();
    while (found.len() as u64) < limit {
        found.extend(among(on, space, &pattern, &from).await?);
        match end(on, space, &from).await? {
            Some(end) => from = end,
            None => break,
        }
    }
    found.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    placed(on, by_numbers(on, &found).await?).await
}

/// The nodes that fit among the [`NAMES`] behind a place.
async fn among(
    on: &impl ConnectionTrait,
    space: &GrantedSpace,
    pattern: &str,
    from: &Cursor,
) -> Result<Vec<i64>, Error> {
    // Answered out of the index alone, which has the names of a space side by side.
    let text = format!(
        "SELECT no FROM (SELECT no, folded {BEHIND} LIMIT {NAMES}) AS page WHERE folded LIKE $4 ESCAPE '\\' ORDER BY folded, no"
    );
    let mut values = from.values(space);
    values.push(pattern.into());
    nos(on, &text, values).await
}

/// The last of the [`NAMES`] behind a place, if there are so many.
async fn end(on: &impl ConnectionTrait, space: &GrantedSpace, from: &Cursor) -> Result<Option<Cursor>, Error> {
    let text = format!("SELECT folded, no {BEHIND} LIMIT 1 OFFSET {}", NAMES - 1);
    let Some(row) = on.query_one_raw(sql(&text, on, from.values(space))).await? else {
        return Ok(None);
    };
    Ok(Some(Cursor {
        folded: row.try_get("", "folded")?,
        no: row.try_get("", "no")?,
    }))
}

/// The `limit` files of which a version was stored last, the newest first.
pub(crate) async fn recent(on: &impl ConnectionTrait, space: &GrantedSpace, limit: u64) -> Result<Vec<Placed>, Error> {
    let text = "SELECT no FROM node WHERE space = $1 AND deleted_at IS NULL AND kind = 1 AND head IS NOT NULL \
        ORDER BY head DESC LIMIT $2";
    let nos = nos(on, text, vec![space.column().into(), count(limit)]).await?;
    placed(on, by_numbers(on, &nos).await?).await
}

async fn nos(on: &impl ConnectionTrait, text: &str, values: Vec<Value>) -> Result<Vec<i64>, Error> {
    let rows = on.query_all_raw(sql(text, on, values)).await?;
    rows.iter().map(|row| Ok(row.try_get("", "no")?)).collect()
}

/// Everything that holds the text, which may have characters that mean something to `LIKE`.
fn pattern(text: &str) -> String {
    let mut pattern = String::from("%");
    for letter in folded(text.as_bytes()).chars() {
        if matches!(letter, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(letter);
    }
    pattern.push('%');
    pattern
}

fn count(limit: u64) -> Value {
    i64::try_from(limit).unwrap_or(i64::MAX).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_folded_beyond_ascii() {
        assert_eq!(folded("ÜBER Straße.TXT".as_bytes()), "über straße.txt");
        assert_eq!(folded("U\u{308}ber".as_bytes()), "über");
        assert_eq!(folded("ＡＢＣ　報告.pdf".as_bytes()), "abc 報告.pdf");
        assert_eq!(folded(b"caf\xe9"), "caf\u{fffd}");
    }

    #[test]
    fn a_cursor_survives_the_query() {
        let cursor = Cursor {
            folded: "報告 a/b".to_owned(),
            no: i64::MAX,
        };
        assert_eq!(cursor.to_string().parse::<Cursor>().unwrap(), cursor);
        for bad in ["", "*", "AAAA", "AAAAAAAAAAEA"] {
            assert!(bad.parse::<Cursor>().is_err(), "{bad}");
        }
    }

    #[test]
    fn what_people_type_is_never_a_wildcard() {
        assert_eq!(pattern("100%_\\A"), "%100\\%\\_\\\\a%");
    }
}
