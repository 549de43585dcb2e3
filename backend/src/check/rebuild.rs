//! Making the index anew out of the packs, which describe themselves, and the manifests.

use std::{collections::HashSet, io, sync::Arc};

use tokio::task::spawn_blocking;

use super::Check;
use crate::store::{
    Error,
    blob::Blobs,
    meta::{Txn, check, chunk::NewPack, collect},
    pack::{PackId, salvage::salvage},
};

impl Check<'_> {
    /// Replaces all rows of packs and chunks, and which version needs which chunk, in one transaction.
    ///
    /// What a version needs and no pack holds is indexed as damaged, and every machine is made to ask what is missing.
    pub(super) async fn rebuild_index(&mut self) -> Result<(), Error> {
        let blobs = self.blobs.clone();
        let mut packs = spawn_blocking(move || blobs.list()).await.map_err(io::Error::other)??;
        // Ids begin with the time: the chunk that was stored first is the one that counts, as it was before.
        packs.sort();
        let txn = self.meta.write().await?;
        let named: HashSet<PackId> = collect::packs(&txn).await?.iter().map(|pack| pack.id).collect();
        check::clear(&txn).await?;
        let chunks = self.index_packs(&txn, &packs, &named).await?;
        let lost = NewPack {
            id: PackId::new(&*self.clock),
            len: 0,
        };
        let mut after = 0;
        while let Some(last) = self.relink_some(&txn, lost, after).await? {
            after = last;
        }
        check::bump_epochs(&txn).await?;
        txn.commit().await?;
        self.say(format_args!(
            "rebuilt the index: {} packs with {chunks} chunks",
            packs.len()
        ))
    }

    /// Indexes what is sound in packs and returns how many chunks that is. Those that are not `named` by a row are made durable first.
    async fn index_packs(&mut self, txn: &Txn, packs: &[PackId], named: &HashSet<PackId>) -> Result<usize, Error> {
        let keys = Arc::new(check::keys(txn).await?);
        let mut chunks = 0;
        for id in packs.iter().copied() {
            let (blobs, keys, is_named) = (self.blobs.clone(), keys.clone(), named.contains(&id));
            let read = spawn_blocking(move || {
                let found = salvage(&*blobs, id, &keys);
                if !is_named && found.as_ref().is_ok_and(|found| !found.chunks.is_empty()) {
                    secure(&*blobs, id)?;
                }
                Ok::<_, io::Error>(found)
            });
            let found = match read.await.map_err(io::Error::other)?? {
                Ok(found) => found,
                Err(error) => {
                    self.say(format_args!("pack {id} cannot be read; it is left out ({error})"))?;
                    continue;
                }
            };
            if !found.is_whole {
                self.say(format_args!("pack {id} is damaged; what of it is whole is taken"))?;
            }
            // One in which nothing is known stays without a row: the server puts it aside and does not drop it.
            if !found.chunks.is_empty() {
                chunks += found.chunks.len();
                check::reindex(txn, &*self.clock, found.pack, &found.chunks).await?;
            }
        }
        Ok(chunks)
    }

    /// The row number of the last version that was linked; none when there are no more.
    async fn relink_some(&self, txn: &Txn, lost: NewPack, after: i64) -> Result<Option<i64>, Error> {
        let versions = check::versions_after(txn, after).await?;
        for version in &versions {
            let missing = check::missing(txn, version).await?;
            if !missing.is_empty() {
                check::index_lost(txn, &*self.clock, lost, version.space, &missing).await?;
            }
            check::relink(txn, version).await?;
        }
        Ok(versions.last().map(|last| last.no))
    }
}

fn secure(blobs: &dyn Blobs, pack: PackId) -> io::Result<()> {
    blobs.secure(pack).map_err(|error| {
        let what = format!(
            "pack {pack} cannot be written anew ({error}); nothing was changed: see that there is room, then try again"
        );
        io::Error::new(error.kind(), what)
    })
}
