//! The finer second level inside changed chunks: a chunk told as parts of chunks that the other end has, and what is new.
//!
//! Chunks are cut once more, into parts of about 2 KiB, by the same content-defined cuts; equal parts are found by the first
//! 8 bytes of their keyed BLAKE3. Two different parts that look equal make a recipe whose outcome has another id than the
//! chunk: whoever assembles it checks the id, and asks for the chunk itself.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use crate::{
    chunk::{CHUNK_MAX, ChunkKey},
    id::ChunkId,
    wire,
};

/// What a part measures at least (the last one of a chunk may be shorter), on average, and at most. Bytes.
const PART: (usize, usize, usize) = (512, 2048, 8192);

/// A recipe names at most this many chunks to take parts from.
pub const BASES_MAX: usize = 64;

/// A part of a chunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Part {
    /// The first bytes of its keyed BLAKE3.
    pub hint: [u8; 8],
    /// Bytes.
    pub len: u16,
}

/// A chunk as parts of others and what is new.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recipe {
    /// The chunks that parts are taken from, at most [`BASES_MAX`].
    pub bases: Vec<ChunkId>,
    /// What follows what.
    pub steps: Vec<Step>,
}

/// A piece of a [`Recipe`]. Numbers of variants are never used again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Step {
    /// Bytes of a base.
    Copy {
        /// Its place among the bases.
        base: u8,
        /// From here.
        from: u32,
        /// So many.
        len: u32,
    },
    /// Bytes that stand here.
    New(#[serde(with = "serde_bytes")] Vec<u8>),
}

/// The parts of a chunk's content, in order.
pub fn parts(key: &ChunkKey, bytes: &[u8]) -> Vec<Part> {
    ranges(bytes).map(|range| part(key, &bytes[range])).collect()
}

fn ranges(bytes: &[u8]) -> impl Iterator<Item = std::ops::Range<usize>> + '_ {
    let (min, average, max) = PART;
    let cutter = fastcdc::v2020::FastCDC::new(bytes, min, average, max);
    cutter.map(|chunk| chunk.offset..chunk.offset + chunk.length)
}

fn part(key: &ChunkKey, bytes: &[u8]) -> Part {
    let id = key.id(bytes);
    let mut hint = [0; 8];
    hint.copy_from_slice(&id.0[..8]);
    // No part is longer than 8 KiB.
    Part {
        hint,
        len: bytes.len() as u16,
    }
}

/// Where parts of chunks lie that the other end has.
#[derive(Debug, Default)]
pub struct Known {
    parts: HashMap<Part, (ChunkId, u32)>,
}

impl Known {
    /// Notes the parts of a chunk.
    pub fn add(&mut self, id: ChunkId, parts: &[Part]) {
        let mut at = 0;
        for part in parts {
            self.parts.entry(*part).or_insert((id, at));
            at += u32::from(part.len);
        }
    }

    /// Whether nothing is known.
    pub fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }

    /// A chunk told out of known parts, if that saves an eighth of it at least.
    pub fn recipe(&self, key: &ChunkKey, bytes: &[u8]) -> Option<Vec<u8>> {
        let mut recipe = Recipe {
            bases: Vec::new(),
            steps: Vec::new(),
        };
        for range in ranges(bytes) {
            let piece = &bytes[range];
            match self.parts.get(&part(key, piece)) {
                Some((id, from)) if recipe.place(id).is_some() => recipe.copy(id, *from, piece.len() as u32),
                _ => recipe.add(piece),
            }
        }
        let encoded = wire::encode(&recipe);
        (encoded.len() <= bytes.len() - bytes.len() / 8).then_some(encoded)
    }
}

impl Recipe {
    /// Parses one that came over the wire.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let recipe: Self = wire::decode(bytes).ok()?;
        (recipe.bases.len() <= BASES_MAX).then_some(recipe)
    }

    /// The content of `len` bytes, out of `base`, which gives the content of a chunk; nothing if the recipe does not fit.
    pub fn assemble<B: AsRef<[u8]>>(&self, len: usize, mut base: impl FnMut(&ChunkId) -> Option<B>) -> Option<Vec<u8>> {
        if len > CHUNK_MAX {
            return None;
        }
        let bases = self.bases.iter().map(&mut base).collect::<Option<Vec<_>>>()?;
        let mut content = Vec::with_capacity(len);
        for step in &self.steps {
            let piece = match step {
                Step::New(bytes) => bytes.as_slice(),
                Step::Copy { base, from, len } => {
                    let base = bases.get(usize::from(*base))?.as_ref();
                    let from = *from as usize;
                    base.get(from..from.checked_add(*len as usize)?)?
                }
            };
            if content.len() + piece.len() > len {
                return None;
            }
            content.extend_from_slice(piece);
        }
        (content.len() == len).then_some(content)
    }

    /// The place of a base, which is made if there is room.
    fn place(&mut self, id: &ChunkId) -> Option<u8> {
        if let Some(at) = self.bases.iter().position(|base| base == id) {
            return u8::try_from(at).ok();
        }
        if self.bases.len() == BASES_MAX {
            return None;
        }
        self.bases.push(*id);
        u8::try_from(self.bases.len() - 1).ok()
    }

    fn copy(&mut self, id: &ChunkId, from: u32, len: u32) {
        let Some(at) = self.place(id) else { return };
        match self.steps.last_mut() {
            Some(Step::Copy {
                base,
                from: before,
                len: so_far,
            }) if *base == at && *before + *so_far == from => {
                *so_far += len;
            }
            _ => self.steps.push(Step::Copy { base: at, from, len }),
        }
    }

    fn add(&mut self, bytes: &[u8]) {
        match self.steps.last_mut() {
            Some(Step::New(before)) => before.extend_from_slice(bytes),
            _ => self.steps.push(Step::New(bytes.to_vec())),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    const KEY: ChunkKey = ChunkKey([7; 32]);

    fn noise(seed: u8, len: usize) -> Vec<u8> {
        let mut bytes = vec![0; len];
        blake3::Hasher::new().update(&[seed]).finalize_xof().fill(&mut bytes);
        bytes
    }

    fn known(chunks: &[Vec<u8>]) -> (Known, HashMap<ChunkId, Vec<u8>>) {
        let (mut known, mut held) = (Known::default(), HashMap::new());
        for chunk in chunks {
            let id = KEY.id(chunk);
            known.add(id, &parts(&KEY, chunk));
            held.insert(id, chunk.clone());
        }
        (known, held)
    }

    #[test]
    fn a_changed_byte_costs_a_part_and_not_a_chunk() {
        let old = noise(1, 256 << 10);
        let mut new = old.clone();
        new[100_000] ^= 1;
        let (known, held) = known(std::slice::from_ref(&old));
        let encoded = known.recipe(&KEY, &new).unwrap();
        assert!(encoded.len() < 10_000, "{}", encoded.len());
        let recipe = Recipe::parse(&encoded).unwrap();
        assert_eq!(recipe.assemble(new.len(), |id| held.get(id)), Some(new.clone()));
        assert_eq!(recipe.assemble(new.len() - 1, |id| held.get(id)), None);
        assert_eq!(recipe.assemble(new.len(), |_| None::<Vec<u8>>), None);
    }

    #[test]
    fn what_has_nothing_in_common_has_no_recipe() {
        let (known, _) = known(&[noise(1, 100_000)]);
        assert_eq!(known.recipe(&KEY, &noise(2, 100_000)), None);
        assert_eq!(Known::default().recipe(&KEY, &noise(2, 100_000)), None);
    }

    #[test]
    fn content_that_moved_between_chunks_is_found() {
        let old = [noise(1, 200_000), noise(2, 200_000)];
        let new = [&old[0][150_000..], &old[1][..120_000]].concat();
        let (known, held) = known(&old);
        let encoded = known.recipe(&KEY, &new).unwrap();
        let recipe = Recipe::parse(&encoded).unwrap();
        assert_eq!(recipe.bases.len(), 2);
        assert_eq!(recipe.assemble(new.len(), |id| held.get(id)), Some(new));
    }

    proptest! {
        #[test]
        fn any_bytes_are_no_recipe_or_one_that_cannot_overflow(bytes in proptest::collection::vec(any::<u8>(), 0..200), len in 0usize..4096) {
            if let Some(recipe) = Recipe::parse(&bytes)
                && let Some(content) = recipe.assemble(len, |_| Some([0; 64])) {
                prop_assert_eq!(content.len(), len);
            }
        }
    }
}
