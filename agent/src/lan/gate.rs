//! How many strangers may stand at the endpoint: few at once, and few new ones a second from each address.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

/// So many connections at once may not have proved yet who they are.
const STRANGERS_MAX: usize = 8;
/// Of them so many from one address, so that nobody stands in the way alone.
const STRANGERS_OF_ONE: usize = 4;
/// An address that came so often is let in again after this time, once.
const AGAIN_AFTER: Duration = Duration::from_millis(200);
/// So many may come in a row: a page that opens some sessions and a few downloads.
const IN_A_ROW: u32 = 10;
/// So many addresses are kept in mind.
const SOURCES_MAX: usize = 512;

/// Counts those who stand there.
#[derive(Debug, Default)]
pub(super) struct Gate {
    inside: Mutex<Inside>,
}

#[derive(Debug, Default)]
struct Inside {
    strangers: usize,
    sources: HashMap<IpAddr, Source>,
}

#[derive(Debug)]
struct Source {
    strangers: usize,
    /// When all that came is forgotten. Later by [`AGAIN_AFTER`] for each that comes.
    forgotten: Instant,
}

/// A stranger's place; free again when this is dropped.
#[derive(Debug)]
pub(super) struct Place {
    gate: Arc<Gate>,
    source: IpAddr,
}

impl Gate {
    /// Lets a stranger in, if there is a place.
    pub(super) fn enter(self: &Arc<Self>, source: IpAddr, now: Instant) -> Option<Place> {
        let mut inside = self.inside.lock().unwrap_or_else(PoisonError::into_inner);
        inside.enter(source, now).then(|| Place {
            gate: Arc::clone(self),
            source,
        })
    }
}

impl Inside {
    fn enter(&mut self, source: IpAddr, now: Instant) -> bool {
        if self.sources.len() >= SOURCES_MAX && !self.sources.contains_key(&source) {
            self.sources
                .retain(|_, source| source.strangers > 0 || source.forgotten > now);
            if self.sources.len() >= SOURCES_MAX {
                return false;
            }
        }
        let known = self.sources.entry(source).or_insert(Source {
            strangers: 0,
            forgotten: now,
        });
        let forgotten = known.forgotten.max(now) + AGAIN_AFTER;
        // Who comes too often is not let in later for having tried.
        if forgotten > now + AGAIN_AFTER * IN_A_ROW {
            return false;
        }
        known.forgotten = forgotten;
        if known.strangers >= STRANGERS_OF_ONE || self.strangers >= STRANGERS_MAX {
            return false;
        }
        known.strangers += 1;
        self.strangers += 1;
        true
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut inside = self.gate.inside.lock().unwrap_or_else(PoisonError::into_inner);
        inside.strangers = inside.strangers.saturating_sub(1);
        if let Some(source) = inside.sources.get_mut(&self.source) {
            source.strangers = source.strangers.saturating_sub(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(last: u32) -> IpAddr {
        std::net::Ipv4Addr::from_bits(0x0a00_0000 + last).into()
    }

    #[test]
    fn only_a_few_strangers_stand_there_at_once() {
        let (gate, now) = (Arc::<Gate>::default(), Instant::now());
        let mut places: Vec<_> = (0..8).map(|n| gate.enter(source(n), now).unwrap()).collect();
        assert!(gate.enter(source(99), now).is_none());
        places.pop();
        let place = gate.enter(source(99), now);
        assert!(place.is_some(), "a place was free again");
        assert!(gate.enter(source(98), now).is_none());
    }

    #[test]
    fn one_address_does_not_take_all_places() {
        let (gate, now) = (Arc::<Gate>::default(), Instant::now());
        let places: Vec<_> = (0..10).filter_map(|_| gate.enter(source(1), now)).collect();
        assert_eq!(places.len(), 4);
        assert!(gate.enter(source(2), now).is_some());
    }

    #[test]
    fn an_address_is_let_in_five_times_a_second_and_a_few_times_in_a_row() {
        let (gate, begun) = (Arc::<Gate>::default(), Instant::now());
        let come = |after: u64| gate.enter(source(1), begun + Duration::from_millis(after)).is_some();
        let in_a_row = (0..100).filter(|_| come(0)).count();
        assert_eq!(in_a_row, 10);
        let in_ten_seconds = (1..=10_000).filter(|after| come(*after)).count();
        assert_eq!(in_ten_seconds, 50);
        assert!(gate.enter(source(2), begun).is_some(), "others are let in meanwhile");
    }

    #[test]
    fn the_memory_of_addresses_is_bounded_and_forgets_those_who_left() {
        let (gate, now) = (Arc::<Gate>::default(), Instant::now());
        for n in 0..512 {
            drop(gate.enter(source(n), now).unwrap());
        }
        assert!(gate.enter(source(512), now).is_none());
        assert!(gate.enter(source(3), now).is_some(), "who is known may come");
        assert!(gate.enter(source(512), now + AGAIN_AFTER * 2).is_some());
        assert_eq!(gate.inside.lock().unwrap().sources.len(), 1);
    }
}
