//! When each way to a machine is tried: decisions alone, without clock, lines or tasks.

use std::time::Duration;

use tokio::time::Instant;

/// The first pause before direct is tried again; each further one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_secs(2);
/// No pause is longer: by then the machine may have come into the same network.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// A direct line that stood for so long was good: the next pause is the first one again.
const STEADY: Duration = Duration::from_secs(30);
/// A relay that is there on demand gives direct so long at the start, while that is dialled.
const GRACE: Duration = Duration::from_millis(300);
/// Not even for somebody who waits is a way tried again sooner.
const SHORTEST_PAUSE: Duration = Duration::from_millis(200);

/// A way to a machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// By way of the server.
    Relay,
    /// Straight.
    Direct,
}

/// Whether a way is to be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Use {
    /// It is not.
    Never,
    /// When somebody waits and nothing else stands; at the start the relay lets direct go first for a moment.
    OnDemand,
    /// From the start.
    AtOnce,
}

/// Which ways are tried and when.
#[derive(Debug)]
pub(super) struct Plan {
    relay: Course,
    direct: Course,
    begun: Instant,
}

#[derive(Debug)]
struct Course {
    way: Way,
    stand: Stand,
    pause: Duration,
}

/// How a way stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stand {
    Never,
    Rest {
        /// When it last failed or broke.
        since: Option<Instant>,
        /// When to try it even if nobody waits.
        until: Option<Instant>,
    },
    Dialling,
    Up {
        since: Instant,
    },
}

impl Plan {
    pub(super) fn new(relay: Use, direct: Use, now: Instant) -> Self {
        Self {
            relay: Course::new(Way::Relay, relay, now),
            direct: Course::new(Way::Direct, direct, now),
            begun: now,
        }
    }

    /// The ways to be dialled now; they count as being dialled from here on.
    pub(super) fn due(&mut self, now: Instant, somebody_waits: bool) -> Vec<Way> {
        let is_wanted = somebody_waits && !self.stands();
        let mut due = Vec::new();
        for way in [Way::Direct, Way::Relay] {
            let is_due = self.due_at(way, is_wanted).is_some_and(|at| at <= now);
            if is_due {
                self.course(way).stand = Stand::Dialling;
                due.push(way);
            }
        }
        due
    }

    /// When to ask [`Plan::due`] again.
    pub(super) fn wakes_at(&self, somebody_waits: bool, now: Instant) -> Option<Instant> {
        let is_wanted = somebody_waits && !self.stands();
        let times = [Way::Direct, Way::Relay].map(|way| self.due_at(way, is_wanted));
        times.into_iter().flatten().map(|at| at.max(now)).min()
    }

    /// A way that was dialled stands.
    pub(super) fn opened(&mut self, way: Way, now: Instant) {
        self.course(way).stand = Stand::Up { since: now };
    }

    /// A way that was dialled failed, or one that stood broke.
    pub(super) fn ended(&mut self, way: Way, now: Instant) {
        self.course(way).rest(now);
    }

    /// Whether a way is never used.
    pub(super) fn is_never(&self, way: Way) -> bool {
        self.seen(way).stand == Stand::Never
    }

    /// When to dial a way, if it is to be dialled at all.
    fn due_at(&self, way: Way, is_wanted: bool) -> Option<Instant> {
        let Stand::Rest { since, until } = self.seen(way).stand else {
            return None;
        };
        // Somebody who waits need not wait for the end of the pause.
        let soon = match since {
            Some(since) => since + SHORTEST_PAUSE,
            None if self.direct.stand == Stand::Dialling => self.begun + GRACE,
            None => self.begun,
        };
        [is_wanted.then_some(soon), until].into_iter().flatten().min()
    }

    fn stands(&self) -> bool {
        [&self.relay, &self.direct]
            .iter()
            .any(|course| matches!(course.stand, Stand::Up { .. }))
    }

    fn seen(&self, way: Way) -> &Course {
        match way {
            Way::Relay => &self.relay,
            Way::Direct => &self.direct,
        }
    }

    fn course(&mut self, way: Way) -> &mut Course {
        match way {
            Way::Relay => &mut self.relay,
            Way::Direct => &mut self.direct,
        }
    }
}

impl Course {
    fn new(way: Way, to_be: Use, now: Instant) -> Self {
        let rest = |until| Stand::Rest { since: None, until };
        Self {
            way,
            pause: FIRST_PAUSE,
            stand: match to_be {
                Use::Never => Stand::Never,
                Use::OnDemand => rest(None),
                Use::AtOnce => rest(Some(now)),
            },
        }
    }

    /// The relay rests until somebody needs it; direct is an upgrade, which is worth a try by itself.
    fn rest(&mut self, now: Instant) {
        let was_steady = matches!(self.stand, Stand::Up { since } if now.saturating_duration_since(since) >= STEADY);
        if was_steady {
            self.pause = FIRST_PAUSE;
        }
        let until = (self.way == Way::Direct).then_some(now + self.pause);
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
        self.stand = Stand::Rest {
            since: Some(now),
            until,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A plan, and the seconds that passed.
    struct Played {
        plan: Plan,
        begun: Instant,
    }

    impl Played {
        fn new(relay: Use, direct: Use) -> Self {
            let begun = Instant::now();
            Self {
                plan: Plan::new(relay, direct, begun),
                begun,
            }
        }

        fn at(&self, millis: u64) -> Instant {
            self.begun + Duration::from_millis(millis)
        }

        fn due(&mut self, millis: u64, somebody_waits: bool) -> Vec<Way> {
            let now = self.at(millis);
            self.plan.due(now, somebody_waits)
        }

        /// After how many milliseconds it wants to be asked again.
        fn wakes(&self, millis: u64, somebody_waits: bool) -> Option<u128> {
            let wakes = self.plan.wakes_at(somebody_waits, self.at(millis))?;
            Some((wakes - self.begun).as_millis())
        }
    }

    #[test]
    fn both_ways_are_dialled_once_at_the_start() {
        let mut played = Played::new(Use::AtOnce, Use::AtOnce);
        assert_eq!(played.wakes(0, false), Some(0));
        assert_eq!(played.due(0, false), [Way::Direct, Way::Relay]);
        assert_eq!(played.due(1, true), []);
        assert_eq!(played.wakes(1, true), None);
    }

    #[test]
    fn a_way_that_is_not_to_be_used_never_is() {
        let mut played = Played::new(Use::AtOnce, Use::Never);
        assert_eq!(played.due(0, true), [Way::Relay]);
        let now = played.at(9);
        played.plan.ended(Way::Relay, now);
        assert_eq!(played.due(60_000, true), [Way::Relay]);
        assert!(played.plan.is_never(Way::Direct) && !played.plan.is_never(Way::Relay));
    }

    #[test]
    fn a_way_on_demand_lets_the_other_one_go_first() {
        let mut played = Played::new(Use::OnDemand, Use::AtOnce);
        assert_eq!(played.due(0, true), [Way::Direct]);
        assert_eq!(played.wakes(1, false), None);
        assert_eq!(played.wakes(1, true), Some(300));
        assert_eq!(played.due(300, true), [Way::Relay]);
        let mut played = Played::new(Use::OnDemand, Use::AtOnce);
        played.due(0, true);
        let now = played.at(20);
        played.plan.opened(Way::Direct, now);
        assert_eq!(played.due(400, true), [], "it is not needed");
        let mut played = Played::new(Use::OnDemand, Use::AtOnce);
        played.due(0, true);
        let now = played.at(20);
        played.plan.ended(Way::Direct, now);
        assert_eq!(played.due(20, true), [Way::Relay], "there is nothing to wait for");
    }

    #[test]
    fn direct_is_tried_again_after_pauses_that_grow_and_the_relay_only_for_who_waits() {
        let mut played = Played::new(Use::AtOnce, Use::AtOnce);
        played.due(0, false);
        let mut now = 0;
        let now_at = played.at(now);
        played.plan.ended(Way::Relay, now_at);
        for pause in [2, 4, 8, 16, 32, 60, 60] {
            let ended = played.at(now);
            played.plan.ended(Way::Direct, ended);
            assert_eq!(played.wakes(now, false), Some(u128::from(now + pause * 1000)));
            now += pause * 1000;
            assert_eq!(played.due(now - 1, false), []);
            assert_eq!(played.due(now, false), [Way::Direct]);
        }
        assert_eq!(played.due(now, true), [Way::Relay]);
    }

    #[test]
    fn who_waits_with_nothing_standing_has_both_tried_but_not_in_a_frenzy() {
        let mut played = Played::new(Use::AtOnce, Use::AtOnce);
        played.due(0, true);
        let now = played.at(10);
        for way in [Way::Relay, Way::Direct] {
            played.plan.ended(way, now);
        }
        assert_eq!(played.due(11, true), []);
        assert_eq!(played.wakes(11, true), Some(210));
        assert_eq!(played.due(210, true), [Way::Direct, Way::Relay]);
    }

    #[test]
    fn a_line_that_stood_for_long_makes_the_pause_short_again_and_one_that_flaps_does_not() {
        let mut played = Played::new(Use::Never, Use::AtOnce);
        played.due(0, false);
        let (up, down) = (played.at(0), played.at(1000));
        played.plan.opened(Way::Direct, up);
        played.plan.ended(Way::Direct, down);
        assert_eq!(played.due(3000, false), [Way::Direct]);
        let (up, down) = (played.at(3000), played.at(4000));
        played.plan.opened(Way::Direct, up);
        played.plan.ended(Way::Direct, down);
        assert_eq!(played.wakes(4000, false), Some(8000));
        assert_eq!(played.due(8000, false), [Way::Direct]);
        let up = played.at(8000);
        played.plan.opened(Way::Direct, up);
        played.plan.ended(Way::Direct, up + STEADY);
        assert_eq!(played.wakes(38_000, false), Some(40_000));
    }
}
