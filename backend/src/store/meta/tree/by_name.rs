//! Finding the nodes of paths by the names that they have now.
//!
//! Where a folder stands in a file's place or a file in a folder's, neither gives way: the path goes to the first of
//! `name (2)`, `name (3)`... that can take it, and there again the next time.

use std::collections::HashMap;

use beckon_shared::path::{Name, RootPath};
use sea_orm::{ConnectionTrait, TryGetable, Value};

use super::{Bound, Tree, fits, pairs};
use crate::store::meta::{BATCH, Error, entity::Kind, name::numbered, sql};

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
        let mut number = 1;
        while !asked.is_empty() {
            number += 1;
            let live = self.live(&asked).await?;
            let mut again = Vec::new();
            for mut one in asked {
                match live.get(&(one.folder, one.candidate.clone())) {
                    Some(bound) if fits(bound.kind, one.wanted) => _ = self.bound.insert(one.path, *bound),
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

    async fn live(&self, asked: &[Asked]) -> Result<HashMap<(i64, Name), Bound>, Error> {
        let mut live = HashMap::new();
        for asked in asked.chunks(BATCH) {
            let text = format!(
                "WITH w(folder, name) AS (VALUES {}) SELECT n.no, n.parent, n.name, n.kind, n.head \
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
                live.insert((row.try_get("", "parent")?, name), bound);
            }
        }
        Ok(live)
    }
}
