//! Finding the nodes of paths by the names that they have now.
//!
//! Where a folder stands in a file's place or a file in a folder's, neither gives way: the path goes to the first of
//! `name (2)`, `name (3)`... that is free, and there again the next time, since that node says what it should have been
//! called. What somebody named so themselves is never taken for it.

use std::collections::{HashMap, HashSet};

use beckon_shared::path::{Name, RootPath};
use sea_orm::{ConnectionTrait, TryGetable, Value};

use super::{Bound, Tree, fits, pairs};
use crate::store::meta::{
    BATCH, Error,
    entity::Kind,
    name::{NUMBER_MAX, numbered},
    sql,
};

/// A path that looks for its node.
struct Asked {
    path: RootPath,
    wanted: Kind,
    folder: i64,
    /// What the path says.
    name: Name,
    /// Under which name it looks.
    candidate: Name,
}

/// A live node, and what it should have been called if it got a number.
type Live = (Bound, Option<Name>);

impl Asked {
    /// Whether a node of the candidate's name is the one.
    fn is_met_by(&self, (bound, instead_of): &Live) -> bool {
        let is_own = self.candidate == self.name || instead_of.as_ref() == Some(&self.name);
        is_own && fits(bound.kind, self.wanted)
    }
}

impl Tree<'_> {
    /// Finds the live nodes of paths whose folders are found. Those that find none are to be made.
    pub(super) async fn find_level_by_name(&mut self, level: &[(&RootPath, Kind)]) -> Result<(), Error> {
        let asked = level.iter().filter_map(|(path, wanted)| {
            let (folder, name, path) = self.binding(path)?;
            Some(Asked {
                path,
                wanted: *wanted,
                folder,
                candidate: name.clone(),
                name,
            })
        });
        let mut asked: Vec<Asked> = asked.collect();
        let named: HashSet<(i64, Name)> = asked.iter().map(|one| (one.folder, one.name.clone())).collect();
        for number in 2..=NUMBER_MAX + 1 {
            let live = self.live(&asked).await?;
            let mut again = Vec::new();
            for mut one in asked {
                let key = (one.folder, one.candidate.clone());
                let is_anothers = one.candidate != one.name && named.contains(&key);
                match live.get(&key) {
                    Some(live) if !is_anothers && one.is_met_by(live) => _ = self.bound.insert(one.path, live.0),
                    Some(_) => {
                        one.candidate = numbered(&one.name, number);
                        again.push(one);
                    }
                    None => {}
                }
            }
            asked = again;
        }
        Ok(())
    }

    async fn live(&self, asked: &[Asked]) -> Result<HashMap<(i64, Name), Live>, Error> {
        let mut live = HashMap::new();
        for asked in asked.chunks(BATCH) {
            let text = format!(
                "WITH w(folder, name) AS (VALUES {}) SELECT n.no, n.parent, n.name, n.kind, n.head, \
                 CASE WHEN n.source_parent IS NULL THEN n.source_name END AS instead_of \
                 FROM w CROSS JOIN node n WHERE n.parent = w.folder AND n.name = w.name AND n.deleted_at IS NULL",
                pairs(asked.len())
            );
            let values = asked
                .iter()
                .flat_map(|one| [Value::from(one.folder), one.candidate.as_bytes().into()]);
            for row in self.txn.query_all_raw(sql(&text, self.txn, values)).await? {
                let name = Name::new(row.try_get::<Vec<u8>>("", "name")?).map_err(|_| Error::bad_row("name"))?;
                let bound = Bound {
                    no: row.try_get("", "no")?,
                    kind: Kind::try_get(&row, "", "kind").map_err(|_| Error::bad_row("kind"))?,
                    head: row.try_get("", "head")?,
                    is_new: false,
                };
                let instead_of: Option<Vec<u8>> = row.try_get("", "instead_of")?;
                let instead_of = instead_of.map(Name::new).transpose();
                let instead_of = instead_of.map_err(|_| Error::bad_row("name"))?;
                live.insert((row.try_get("", "parent")?, name), (bound, instead_of));
            }
        }
        Ok(live)
    }
}
