//! Making the index anew out of the packs, which describe themselves, and the manifests.

use std::{collections::HashSet, io, sync::Arc};

use beckon_shared::id::SpaceId;
use tokio::task::spawn_blocking;

use super::Check;
use crate::store::{
    Error,
    blob::Blobs,
    meta::{
        check,
        chunk::{NewChunk, NewPack},
    },
    pack::{self, Contents, NoPack, PackId},
};

impl Check<'_> {
    /// Replaces all rows of packs and chunks, and which version needs which chunk, in one transaction.
    pub(super) async fn rebuild_index(&mut self) -> Result<(), Error> {
        let spaces: HashSet<SpaceId> = check::keys(self.meta.read()).await?.into_keys().collect();
        let blobs = self.blobs.clone();
        let mut packs = spawn_blocking(move || blobs.list()).await.map_err(io::Error::other)??;
        // Ids begin with the time: the chunk that was stored first is the one that counts, as it was before.
        packs.sort();
        let txn = self.meta.write().await?;
        check::clear(&txn).await?;
        let mut chunks = 0;
        for id in &packs {
            let (len, contents) = read(self.blobs.clone(), *id).await?;
            let Ok(contents) = contents else {
                self.say(format_args!("pack {id} cannot be read; it is left out"))?;
                continue;
            };
            if !contents.complete || contents.records.iter().any(|record| !record.intact) {
                self.say(format_args!("pack {id} is damaged; what of it is whole is taken"))?;
            }
            let whole = new_chunks(&contents, &spaces);
            chunks += whole.len();
            check::reindex(&txn, &*self.clock, NewPack { id: *id, len }, &whole).await?;
        }
        let mut after = 0;
        while let Some(last) = relink_some(&txn, after).await? {
            after = last;
        }
        txn.commit().await?;
        self.say(format_args!("rebuilt the index: {} packs with {chunks} chunks", packs.len()))
    }
}

/// The row number of the last version that was linked; none when there are no more.
async fn relink_some(txn: &crate::store::meta::Txn, after: i64) -> Result<Option<i64>, Error> {
    let versions = check::versions_after(txn, after).await?;
    for version in &versions {
        // What is missing is told of when the versions are looked at.
        check::relink(txn, version).await?;
    }
    Ok(versions.last().map(|last| last.no))
}

async fn read(blobs: Arc<dyn Blobs>, id: PackId) -> Result<(u64, Result<Contents, NoPack>), Error> {
    let read = spawn_blocking(move || {
        let len = blobs.len(id)?;
        let contents = pack::parse(&blobs.read(id, 0..len)?);
        // A pack under another one's name was put there by hand: its chunks would be looked for elsewhere.
        Ok::<_, io::Error>((len, contents.and_then(|contents| if contents.id == id { Ok(contents) } else { Err(NoPack) })))
    });
    Ok(read.await.map_err(io::Error::other)??)
}

/// The whole records of spaces that there are.
fn new_chunks(contents: &Contents, spaces: &HashSet<SpaceId>) -> Vec<NewChunk> {
    let records = contents.records.iter().filter(|record| record.intact && spaces.contains(&record.space));
    records.map(|record| NewChunk { space: record.space, header: record.chunk, start: record.start as u64 }).collect()
}
