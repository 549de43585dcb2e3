//! Many small files in one answer: a request for each would cost more than its bytes.

use std::{ffi::OsString, sync::Arc};

use beckon_shared::{
    api::drive::{Contents, TreeRow},
    entry::EntryKind,
};
use bytes::Bytes;
use cap_std::fs::Dir;
use reqwest::Response;

use super::{Fetch, Fetched, WHEN, Wanted, file, local};
use crate::{
    cli::get::{
        download::{Broken, Sink},
        part::{Finish, Leftover, Part},
    },
    http::Api,
    output::{Failure, moved},
};

/// Content that is asked for at once. Bytes.
const GROUP_MAX: u64 = 8 << 20;

/// So many groups are under way at the same time: one is written while others come.
pub(super) const GROUPS: usize = 4;

/// Whether a row is a file that comes better together with others.
pub(super) fn is_small(row: &TreeRow) -> bool {
    row.node.kind == EntryKind::File && row.node.size <= Contents::SMALL
}

/// Groups of rows, each small enough for one answer.
pub(super) fn groups(rows: Vec<TreeRow>) -> Vec<Vec<TreeRow>> {
    let mut groups: Vec<Vec<TreeRow>> = Vec::new();
    let mut bytes = 0;
    for row in rows {
        bytes += row.node.size;
        match groups.last_mut() {
            Some(group) if bytes <= GROUP_MAX && group.len() < Contents::MAX => group.push(row),
            _ => {
                bytes = row.node.size;
                groups.push(vec![row]);
            }
        }
    }
    groups
}

/// A file that is to come, and its place.
struct Missing {
    row: TreeRow,
    wanted: Wanted,
    folder: Arc<Dir>,
    name: OsString,
}

impl Fetch<'_> {
    /// Fetches a group. What does not come together with the others is fetched by itself, which tells what is wrong with it.
    pub(super) async fn group(&self, rows: Vec<TreeRow>) -> Result<(), Failure> {
        let (mut missing, mut alone) = (Vec::new(), Vec::new());
        for row in rows {
            match self.missing(&row) {
                Some(new) => missing.push(new),
                // It is there already, perhaps the same, or cannot be there.
                None => alone.push(row),
            }
        }
        let came = match self.fetch_all(&missing).await {
            Ok(()) => missing.len(),
            Err((came, broken)) => {
                tracing::debug!(?broken, came, "the rest of a group is fetched one by one");
                came
            }
        };
        alone.extend(missing.drain(came..).map(|missing| missing.row));
        missing
            .iter()
            .for_each(|missing| self.count(&missing.row, Fetched::New));
        for row in alone {
            self.leaf(row).await?;
        }
        Ok(())
    }

    fn missing(&self, row: &TreeRow) -> Option<Missing> {
        let (above, name) = row.path.split_last()?;
        let name = local::os_name(&name)?;
        let folder = local::folder_below(&self.top, &above).ok()?;
        let is_new = folder
            .symlink_metadata(&name)
            .is_err_and(|cause| cause.kind() == std::io::ErrorKind::NotFound);
        let wanted = Wanted::head(&row.node)?;
        is_new.then(|| Missing {
            row: row.clone(),
            wanted,
            folder: Arc::new(folder),
            name,
        })
    }

    /// Says how many came before something broke.
    async fn fetch_all(&self, missing: &[Missing]) -> Result<(), (usize, Broken)> {
        if missing.is_empty() {
            return Ok(());
        }
        let asked = Contents {
            versions: missing.iter().map(|missing| missing.wanted.version).collect(),
        };
        let response = self
            .api
            .download_by("/api/drive/contents", &asked)
            .await
            .map_err(|failure| (0, failure.into()))?;
        let mut answer = Answer {
            api: self.api,
            response,
            rest: Bytes::new(),
        };
        for (came, missing) in missing.iter().enumerate() {
            answer.file(missing).await.map_err(|broken| (came, broken))?;
        }
        Ok(())
    }
}

/// An answer that is being taken apart.
struct Answer<'a> {
    api: &'a Api,
    response: Response,
    rest: Bytes,
}

impl Answer<'_> {
    async fn file(&mut self, missing: &Missing) -> Result<(), Broken> {
        let wanted = &missing.wanted;
        let mut part = Part::open(Arc::clone(&missing.folder), &missing.name, Leftover::Forget).await?;
        let poured = self.pour(wanted.size, &mut part).await;
        if poured.is_err() || part.hash() != wanted.hash {
            part.discard();
            return poured.and_then(|()| Err(file::damaged().into()));
        }
        Ok(part
            .finish(Finish {
                mode: wanted.mode,
                mtime: Some(local::system_time(wanted.mtime)),
                sync: WHEN,
                clash: local::Clash::Refuse,
            })
            .await?)
    }

    async fn pour(&mut self, mut left: u64, part: &mut Part) -> Result<(), Broken> {
        while left > 0 {
            if self.rest.is_empty() {
                let piece = self
                    .response
                    .chunk()
                    .await
                    .map_err(|error| self.api.transport(&error))?;
                self.rest = piece.ok_or_else(|| Failure::unreachable("the server", "the answer was cut off"))?;
            }
            let len = usize::try_from(left).unwrap_or(usize::MAX).min(self.rest.len());
            part.write(&self.rest.split_to(len)).await?;
            moved(len as u64);
            left -= len as u64;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use beckon_shared::{api::drive::NodeView, id::NodeId, path::RootPath, time::Timestamp};

    use super::*;

    fn row(number: usize, size: u64) -> TreeRow {
        let node = NodeView {
            id: NodeId::new(Timestamp(0), [0; 10]),
            parent: None,
            name: number.to_string(),
            name_bytes: None,
            kind: EntryKind::File,
            size,
            mtime: Timestamp(0),
            head: None,
            hash: None,
            torn: false,
            deleted: None,
            mode: 0,
            target: None,
            device: None,
            stored: None,
            versions: 1,
        };
        TreeRow {
            path: RootPath::new(number.to_string()).unwrap(),
            node,
        }
    }

    #[test]
    fn groups_keep_every_row_in_order_and_stay_small() {
        let rows: Vec<_> = (0..2000)
            .map(|number| row(number, (number as u64 * 7919) % (1 << 20)))
            .collect();
        let groups = groups(rows.clone());
        assert!(groups.iter().all(|group| group.len() <= Contents::MAX));
        assert!(
            groups
                .iter()
                .all(|group| group.iter().map(|row| row.node.size).sum::<u64>() <= GROUP_MAX)
        );
        assert_eq!(groups.into_iter().flatten().collect::<Vec<_>>(), rows);
    }

    #[test]
    fn only_small_files_come_together() {
        assert!(is_small(&row(1, Contents::SMALL)) && !is_small(&row(1, Contents::SMALL + 1)));
        let mut folder = row(1, 0);
        folder.node.kind = EntryKind::Folder;
        assert!(!is_small(&folder));
    }
}
