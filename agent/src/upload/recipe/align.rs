//! Which chunks of an earlier version may hold what is now missing.

use std::{collections::HashMap, ops::Range};

use beckon_shared::{chunk::ChunkRef, id::ChunkId};

use super::hint;

/// Where one end of a change is not known, so much more is looked at there. Bytes.
const SLACK: u64 = 128 << 10;

/// Chunks of an earlier version, by their hints.
#[derive(Debug)]
pub(super) struct Old {
    chunks: Vec<([u8; 8], u32)>,
    /// Where each begins, and where the last one ends.
    starts: Vec<u64>,
    /// Nothing for a hint that stands more than once: it says nothing of a place.
    places: HashMap<[u8; 8], Option<u32>>,
}

/// Chunks of the new version that the earlier one has not, side by side.
#[derive(Debug, Default)]
struct Run {
    at: u64,
    len: u64,
    is_wanted: bool,
    /// The end, in the earlier version, of the chunk before.
    left: Option<u64>,
}

impl Old {
    /// What an outline says.
    pub(super) fn new(chunks: Vec<([u8; 8], u32)>) -> Self {
        let mut starts = vec![0];
        let mut places = HashMap::with_capacity(chunks.len());
        let mut end = 0;
        for (at, (hint, len)) in (0u32..).zip(&chunks) {
            end += u64::from(*len);
            starts.push(end);
            places
                .entry(*hint)
                .and_modify(|place| *place = None)
                .or_insert(Some(at));
        }
        Self { chunks, starts, places }
    }

    /// Whether a chunk of this name is among them.
    pub(super) fn holds(&self, hint: &[u8; 8]) -> bool {
        self.places.contains_key(hint)
    }

    /// How the chunk at a place is called.
    pub(super) fn hint(&self, at: u32) -> Option<[u8; 8]> {
        self.chunks.get(at as usize).map(|(hint, _)| *hint)
    }

    /// The places of chunks that vanished where wanted ones of these, which begin at `at` in the file, now stand; and by how
    /// much content has moved behind them, if before them it was `shift`.
    pub(super) fn vanished(
        &self,
        at: u64,
        chunks: &[ChunkRef],
        is_wanted: impl Fn(&ChunkId) -> bool,
        shift: i64,
    ) -> (Vec<u32>, i64) {
        let mut found = Vec::new();
        let (mut at, mut shift) = (at, shift);
        let mut run = Run { at, ..Run::default() };
        for chunk in chunks {
            let end = at + u64::from(chunk.len);
            match self.places.get(&hint(&chunk.id)) {
                None => {
                    run.len += u64::from(chunk.len);
                    run.is_wanted |= is_wanted(&chunk.id);
                }
                Some(None) => {}
                Some(Some(place)) => {
                    let (old, old_end) = (self.starts[*place as usize], self.starts[*place as usize + 1]);
                    self.look(&run, Some(old), shift, &mut found);
                    shift = old.cast_signed() - at.cast_signed();
                    run = Run {
                        at: end,
                        left: Some(old_end),
                        ..Run::default()
                    };
                }
            }
            at = end;
        }
        self.look(&run, None, shift, &mut found);
        found.sort_unstable();
        found.dedup();
        let stays = |place: &u32| chunks.iter().any(|chunk| self.hint(*place) == Some(hint(&chunk.id)));
        found.retain(|place| !stays(place));
        (found, shift)
    }

    /// Adds the places of chunks that may hold what a run does, if anything of it is wanted.
    fn look(&self, run: &Run, right: Option<u64>, shift: i64, found: &mut Vec<u32>) {
        if !run.is_wanted {
            return;
        }
        let guess = run.at.saturating_add_signed(shift);
        let range = match (run.left, right) {
            (Some(left), Some(right)) if left <= right => left..right,
            (Some(left), _) => left..left + run.len + SLACK,
            (None, Some(right)) => right.saturating_sub(run.len + SLACK)..right,
            (None, None) => guess.saturating_sub(SLACK)..guess + run.len + SLACK,
        };
        let most = 2 * (run.len + SLACK);
        if range.end - range.start <= most {
            found.extend(self.within(range));
        } else {
            // Much was taken out here: what is left of it stands at the ends.
            found.extend(self.within(range.start..range.start + most / 2));
            found.extend(self.within(range.end - most / 2..range.end));
        }
    }

    /// The places of chunks that have bytes in a range.
    fn within(&self, range: Range<u64>) -> Range<u32> {
        let first = self
            .starts
            .partition_point(|start| *start <= range.start)
            .saturating_sub(1);
        let end = self
            .starts
            .partition_point(|start| *start < range.end)
            .min(self.chunks.len());
        // An outline has at most 65,536 chunks.
        first as u32..end.max(first) as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEN: u32 = 256 << 10;

    fn id(name: u8) -> ChunkId {
        ChunkId([name; 32])
    }

    fn old(names: &[u8]) -> Old {
        Old::new(names.iter().map(|name| ([*name; 8], LEN)).collect())
    }

    /// The places for those above 100, which are new.
    fn vanished(old: &Old, at: u64, names: &[u8], shift: i64) -> (Vec<u32>, i64) {
        let chunks: Vec<_> = names
            .iter()
            .map(|name| ChunkRef {
                id: id(*name),
                len: LEN,
            })
            .collect();
        old.vanished(at * u64::from(LEN), &chunks, |id| id.0[0] > 100, shift * i64::from(LEN))
    }

    #[test]
    fn what_vanished_stands_between_the_same_neighbours() {
        let old = old(&[1, 2, 3, 4, 5, 6]);
        assert_eq!(vanished(&old, 0, &[1, 2, 103, 4, 5, 6], 0).0, [2]);
        assert_eq!(vanished(&old, 0, &[1, 102, 3, 4, 105, 6], 0).0, [1, 4]);
        assert_eq!(
            vanished(&old, 0, &[1, 102, 102, 102, 3], 0).0,
            [1],
            "something was put in"
        );
        assert_eq!(vanished(&old, 0, &[1, 2, 3, 4, 5, 6], 0).0, [0u32; 0]);
    }

    #[test]
    fn what_has_moved_is_looked_for_where_it_went() {
        let old = old(&[1, 2, 3, 4, 5, 6, 7, 8]);
        let (found, shift) = vanished(&old, 3, &[4, 5, 106], 0);
        assert_eq!((found, shift), (vec![5, 6], 0), "behind the last one that stays");
        let (found, shift) = vanished(&old, 5, &[4, 5], 0);
        assert_eq!((found, shift), (vec![], -2 * i64::from(LEN)));
        assert_eq!(vanished(&old, 7, &[106], shift / i64::from(LEN)).0, [4, 5, 6]);
        assert_eq!(vanished(&old, 0, &[101, 2], 0).0, [0]);
        assert_eq!(
            vanished(&old, 20, &[109], 0).0,
            [0u32; 0],
            "what is added at the end was never there"
        );
    }

    #[test]
    fn of_much_that_was_taken_out_only_the_ends_are_looked_at() {
        let names: Vec<u8> = (1..=60).collect();
        let (found, _) = vanished(&old(&names), 0, &[1, 102, 60], 0);
        assert_eq!(found, [1, 2, 57, 58]);
    }

    #[test]
    fn a_chunk_that_stands_at_many_places_says_nothing_of_a_place() {
        let old = old(&[9, 9, 9, 4, 5, 6]);
        assert_eq!(
            vanished(&old, 3, &[9, 105, 6], 0).0,
            [3, 4],
            "before the first one that stays"
        );
    }
}
