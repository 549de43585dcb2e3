//! Finding nodes by a part of their names, and those that were stored last.

use beckon_shared::id::NodeId;
use sea_orm::{ConnectionTrait, Value};
use unicode_normalization::UnicodeNormalization;

use super::{
    Place, by_numbers, find,
    path::{Placed, placed},
};
use crate::{
    access::GrantedSpace,
    store::meta::{Error, sql},
};

/// A name as it is compared when it is searched for: without case, and without the differences between characters that
/// look and mean the same (NFKC: composed or not, of full or half width).
///
/// It stands in the database: another folding needs a migration that writes it anew.
pub(crate) fn folded(name: &[u8]) -> String {
    String::from_utf8_lossy(name).nfkc().collect::<String>().to_lowercase()
}

/// At most `limit` live nodes whose names hold the text, by name, beginning behind `after`.
pub(crate) async fn search(
    on: &impl ConnectionTrait,
    space: &GrantedSpace,
    text: &str,
    after: Option<NodeId>,
    limit: u64,
) -> Result<Vec<Placed>, Error> {
    let mut values: Vec<Value> = vec![space.column().into(), pattern(text).into(), count(limit)];
    let mut from = "";
    if let Some(after) = after {
        let last = find(on, space, &Place::Node(after)).await?.node;
        values.extend([last.folded.into(), last.no.into()]);
        from = "AND (folded, no) > ($4, $5)";
    }
    // Answered out of the index alone, which has the names of a space side by side.
    let text = format!(
        "SELECT no FROM node WHERE space = $1 AND deleted_at IS NULL AND folded LIKE $2 ESCAPE '\\' {from} \
         ORDER BY folded, no LIMIT $3"
    );
    found(on, &text, values).await
}

/// The `limit` files of which a version was stored last, the newest first.
pub(crate) async fn recent(on: &impl ConnectionTrait, space: &GrantedSpace, limit: u64) -> Result<Vec<Placed>, Error> {
    let text = "SELECT no FROM node WHERE space = $1 AND deleted_at IS NULL AND kind = 1 AND head IS NOT NULL \
        ORDER BY head DESC LIMIT $2";
    found(on, text, vec![space.column().into(), count(limit)]).await
}

async fn found(on: &impl ConnectionTrait, text: &str, values: Vec<Value>) -> Result<Vec<Placed>, Error> {
    let rows = on.query_all_raw(sql(text, on, values)).await?;
    let nos: Vec<i64> = rows.iter().map(|row| row.try_get("", "no")).collect::<Result<_, _>>()?;
    placed(on, by_numbers(on, &nos).await?).await
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
    fn what_people_type_is_never_a_wildcard() {
        assert_eq!(pattern("100%_\\A"), "%100\\%\\_\\\\a%");
    }
}
