//! A piece of a chunk that no version holds yet.

use beckon_shared::{
    chunk::ChunkKey,
    error::ErrorCode,
    id::{ChunkId, NodeId},
};
use bytes::Bytes;
use tokio::sync::mpsc;

use super::{Error, Reading, Store, Wanted, meta};
use crate::access::GrantedSpace;

/// A piece of a chunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Piece {
    /// The chunk.
    pub(crate) chunk: ChunkId,
    /// Its length, as whoever wants it says.
    pub(crate) chunk_len: u32,
    /// From here in it.
    pub(crate) skip: u32,
    /// So many bytes.
    pub(crate) len: u32,
}

impl Store {
    /// The bytes of a piece. A chunk that the space does not hold, or not of that length, is not there.
    pub(crate) async fn read_piece(&self, space: &GrantedSpace, key: &ChunkKey, piece: Piece) -> Result<Bytes, Error> {
        let found = meta::chunk::find(self.meta.read(), space.id(), &[piece.chunk]).await?;
        let place = *found
            .get(&piece.chunk)
            .filter(|place| place.header.len == piece.chunk_len)
            .ok_or_else(gone)?;
        let wanted = Wanted {
            // None yet: see below.
            node: NodeId::new(Default::default(), [0; 10]),
            id: piece.chunk,
            from: piece.skip as usize,
            to: piece.skip as usize + piece.len as usize,
        };
        let (pieces, _) = mpsc::channel(1);
        let reading = Reading {
            store: self.clone(),
            space: *space,
            key: key.clone(),
            pieces,
        };
        match reading.read_run(vec![(wanted, place)]).await {
            Ok(bytes) => bytes.into_iter().next().ok_or_else(gone),
            // There is no node that could be named.
            Err(Error::Damaged { .. }) => Err(gone()),
            Err(other) => Err(other),
        }
    }
}

fn gone() -> Error {
    Error::refused(
        ErrorCode::Damaged,
        "a part of this file that was stored already is damaged or gone; the upload sends it again: read the file again in a while",
    )
}
