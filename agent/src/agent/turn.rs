//! Whose turn it is: few transfers work at once and one in each root, by priority and then by age.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::{Mutex, MutexGuard, PoisonError},
};

use beckon_shared::{
    id::{RootId, TransferId},
    transfer::Priority,
};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// So many transfers work at once, each in a root of its own, whose commits must follow one another: more would only share
/// the same disk and line.
const TRANSFERS_MAX: usize = 2;
/// So many priorities are remembered of transfers whose order has not come yet.
const PRIORITIES_MAX: usize = 4096;

/// Who works and who waits.
#[derive(Debug, Default)]
pub(super) struct Turns {
    queue: Mutex<Queue>,
    news: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct Queue {
    /// Ids begin with the time of the order, so the oldest stands first.
    waiting: BTreeMap<TransferId, RootId>,
    working: BTreeMap<TransferId, Working>,
    /// Those that are not normal.
    priorities: HashMap<TransferId, Priority>,
}

#[derive(Debug)]
struct Working {
    root: RootId,
    yields: CancellationToken,
}

/// The turn of a transfer, until it is dropped.
#[derive(Debug)]
pub(super) struct Turn<'a> {
    turns: &'a Turns,
    id: TransferId,
    /// Cancelled with the token that the transfer gave, and when a more urgent one needs the place.
    pub(super) yields: CancellationToken,
}

/// Waits until it is dropped.
struct Place<'a> {
    turns: &'a Turns,
    id: TransferId,
}

impl Turns {
    /// Waits for the turn of a transfer.
    pub(super) async fn take(&self, id: TransferId, root: RootId, pause: &CancellationToken) -> Turn<'_> {
        let mut news = self.news.subscribe();
        self.change(|queue| _ = queue.waiting.insert(id, root));
        let _place = Place { turns: self, id };
        loop {
            let yields = pause.child_token();
            if self.queue().begin(id, root, &yields) {
                self.news.send_modify(|count| *count += 1);
                return Turn {
                    turns: self,
                    id,
                    yields,
                };
            }
            // The sender stands in `self`.
            let _ = news.changed().await;
        }
    }

    /// Puts a transfer where it stands among the others from now on; it need not be known yet.
    pub(super) fn prioritise(&self, id: TransferId, priority: Priority) {
        self.change(|queue| {
            if priority == Priority::Normal {
                queue.priorities.remove(&id);
            } else if queue.priorities.len() < PRIORITIES_MAX || queue.priorities.contains_key(&id) {
                queue.priorities.insert(id, priority);
            } else {
                tracing::warn!(%id, ?priority, "too many transfers have a priority; this one counts as normal");
            }
        });
    }

    /// Forgets the priority of a transfer that is over.
    pub(super) fn forget(&self, id: TransferId) {
        self.prioritise(id, Priority::Normal);
    }

    #[cfg(test)]
    pub(super) fn priority(&self, id: TransferId) -> Priority {
        self.queue().priority(&id)
    }

    fn change(&self, change: impl FnOnce(&mut Queue)) {
        let mut queue = self.queue();
        change(&mut queue);
        queue.make_room();
        drop(queue);
        self.news.send_modify(|count| *count += 1);
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Queue {
    fn priority(&self, id: &TransferId) -> Priority {
        self.priorities.get(id).copied().unwrap_or_default()
    }

    /// Begins, if there is a place and nobody stands before it who could take it.
    fn begin(&mut self, id: TransferId, root: RootId, yields: &CancellationToken) -> bool {
        let is_next = self.working.len() < TRANSFERS_MAX && self.next() == Some(id);
        if is_next {
            self.waiting.remove(&id);
            let yields = yields.clone();
            self.working.insert(id, Working { root, yields });
            self.make_room();
        }
        is_next
    }

    /// The first of the most urgent whose root is free.
    fn next(&self) -> Option<TransferId> {
        let busy: BTreeSet<&RootId> = self.working.values().map(|working| &working.root).collect();
        let can_begin = self.waiting.iter().filter(|(_, root)| !busy.contains(root));
        can_begin
            .map(|(id, _)| *id)
            .min_by_key(|id| (std::cmp::Reverse(self.priority(id)), *id))
    }

    /// Has one that works stop for the sake of one that waits and is more urgent. The most urgent may wait for a root whose
    /// own transfer is as urgent; then the next one may still need a place.
    fn make_room(&self) {
        if self.working.values().any(|working| working.yields.is_cancelled()) {
            return;
        }
        let mut waiting: Vec<_> = self.waiting.iter().collect();
        waiting.sort_by_key(|(id, _)| (std::cmp::Reverse(self.priority(id)), **id));
        let yields = waiting.into_iter().find_map(|(urgent, root)| {
            let (id, working) = self.in_the_way_of(root)?;
            (self.priority(id) < self.priority(urgent)).then_some((urgent, id, working))
        });
        if let Some((urgent, id, working)) = yields {
            tracing::info!(%id, %urgent, "a transfer lets a more urgent one go first");
            working.yields.cancel();
        }
    }

    /// Who would have to stop before one could begin in this root, if anybody.
    fn in_the_way_of(&self, root: &RootId) -> Option<(&TransferId, &Working)> {
        match self.working.iter().find(|(_, working)| working.root == *root) {
            Some(same_root) => Some(same_root),
            None if self.working.len() < TRANSFERS_MAX => None,
            None => self
                .working
                .iter()
                .min_by_key(|(id, _)| (self.priority(id), std::cmp::Reverse(**id))),
        }
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        if self.turns.queue().waiting.contains_key(&self.id) {
            self.turns.change(|queue| _ = queue.waiting.remove(&self.id));
        }
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.turns.change(|queue| _ = queue.working.remove(&self.id));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use beckon_shared::time::Timestamp;
    use tokio::{sync::mpsc, task::JoinHandle};

    use super::*;

    /// Transfers that say when they begin and end when they are told to, or when they are to yield.
    struct Bench {
        turns: Arc<Turns>,
        began: (mpsc::UnboundedSender<u8>, mpsc::UnboundedReceiver<u8>),
    }

    impl Bench {
        fn new() -> Self {
            Self {
                turns: Arc::default(),
                began: mpsc::unbounded_channel(),
            }
        }

        /// Waits for its turn until it has it, and again when it had to yield.
        async fn enter(&self, number: u8, root: u8) -> (JoinHandle<()>, CancellationToken) {
            let (turns, began, end) = (Arc::clone(&self.turns), self.began.0.clone(), CancellationToken::new());
            let ended = end.clone();
            let task = tokio::spawn(async move {
                while !ended.is_cancelled() {
                    let turn = turns
                        .take(id(number), RootId([root; 16]), &CancellationToken::new())
                        .await;
                    began.send(number).unwrap();
                    tokio::select! {
                        () = turn.yields.cancelled() => {}
                        () = ended.cancelled() => {}
                    }
                }
            });
            // On the one thread of the test it stands in the queue after this.
            tokio::task::yield_now().await;
            (task, end)
        }

        fn is_quiet(&mut self) -> bool {
            self.began.1.try_recv().is_err()
        }
    }

    fn id(number: u8) -> TransferId {
        TransferId::new(Timestamp(i64::from(number)), [number; 10])
    }

    #[tokio::test]
    async fn the_urgent_go_first_and_then_the_oldest() {
        let mut bench = Bench::new();
        let (_a, end_a) = bench.enter(1, 1).await;
        let (_b, end_b) = bench.enter(2, 2).await;
        let mut others = Vec::new();
        bench.turns.prioritise(id(9), Priority::Low);
        for number in [9, 8, 7] {
            others.push(bench.enter(number, number).await);
        }
        assert_eq!(
            (bench.began.1.recv().await, bench.began.1.recv().await),
            (Some(1), Some(2))
        );
        end_a.cancel();
        assert_eq!(bench.began.1.recv().await, Some(7), "the oldest");
        others[2].1.cancel();
        assert_eq!(bench.began.1.recv().await, Some(8));
        others[1].1.cancel();
        assert_eq!(bench.began.1.recv().await, Some(9), "the low one at last");
        end_b.cancel();
    }

    #[tokio::test]
    async fn the_youngest_of_the_least_urgent_lets_an_urgent_one_go_first_and_goes_on_after() {
        let mut bench = Bench::new();
        let _one = bench.enter(1, 1).await;
        let _two = bench.enter(2, 2).await;
        assert_eq!(
            (bench.began.1.recv().await, bench.began.1.recv().await),
            (Some(1), Some(2))
        );
        let (_urgent, end) = bench.enter(3, 3).await;
        assert!(bench.is_quiet(), "it is no more urgent than they are");
        bench.turns.prioritise(id(3), Priority::High);
        assert_eq!(bench.began.1.recv().await, Some(3));
        end.cancel();
        assert_eq!(bench.began.1.recv().await, Some(2), "the younger one had yielded");
    }

    #[tokio::test]
    async fn one_works_in_a_root_and_lets_an_urgent_one_of_the_same_root_go_first() {
        let mut bench = Bench::new();
        let _one = bench.enter(1, 1).await;
        assert_eq!(bench.began.1.recv().await, Some(1));
        let (same_root, _) = bench.enter(2, 1).await;
        let _other_root = bench.enter(3, 3).await;
        assert_eq!(
            bench.began.1.recv().await,
            Some(3),
            "it passes by who must wait for a root"
        );
        bench.turns.prioritise(id(2), Priority::High);
        assert_eq!(bench.began.1.recv().await, Some(2));
        same_root.abort();
        assert!(same_root.await.unwrap_err().is_cancelled());
        assert_eq!(bench.began.1.recv().await, Some(1));
    }

    #[tokio::test]
    async fn who_must_wait_for_a_root_does_not_hold_up_an_urgent_one_that_needs_only_a_place() {
        let mut bench = Bench::new();
        bench.turns.prioritise(id(1), Priority::High);
        bench.turns.prioritise(id(2), Priority::Low);
        let _high = bench.enter(1, 1).await;
        let _low = bench.enter(2, 2).await;
        assert_eq!(
            (bench.began.1.recv().await, bench.began.1.recv().await),
            (Some(1), Some(2))
        );
        for number in [3, 4] {
            bench.turns.prioritise(id(number), Priority::High);
        }
        let _same_root = bench.enter(3, 1).await;
        let _other_root = bench.enter(4, 4).await;
        let began = tokio::time::timeout(std::time::Duration::from_secs(10), bench.began.1.recv());
        assert_eq!(began.await, Ok(Some(4)), "the low one lets it go first");
    }

    #[test]
    fn priorities_are_bounded_and_forgotten() {
        let turns = Turns::default();
        let many = |at: usize| TransferId::new(Timestamp(at as i64), [0; 10]);
        for at in 0..=PRIORITIES_MAX {
            turns.prioritise(many(at), Priority::High);
        }
        let known = |at: usize| turns.queue().priorities.contains_key(&many(at));
        assert!(known(0) && !known(PRIORITIES_MAX));
        turns.forget(many(0));
        turns.prioritise(many(PRIORITIES_MAX), Priority::High);
        assert!(!known(0) && known(PRIORITIES_MAX));
    }

    #[tokio::test]
    async fn whoever_waits_no_more_is_in_nobodys_way() {
        let mut bench = Bench::new();
        let (first, _) = bench.enter(1, 1).await;
        assert_eq!(bench.began.1.recv().await, Some(1));
        let (gone, _) = bench.enter(2, 1).await;
        gone.abort();
        assert!(gone.await.unwrap_err().is_cancelled());
        let _third = bench.enter(3, 1).await;
        first.abort();
        assert_eq!(bench.began.1.recv().await, Some(3));
        assert!(bench.turns.queue().waiting.is_empty());
    }
}
