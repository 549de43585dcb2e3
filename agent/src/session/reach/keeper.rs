//! Opens the lines that the plan wants, and shows everyone who asks which of them stand.

use std::sync::Arc;

use beckon_shared::{browse::Route, error::Refusal};
use futures_util::{StreamExt, future::BoxFuture, stream::FuturesUnordered};
use tokio::{sync::watch, time::Instant};
use tokio_util::sync::CancellationToken;

use super::{
    Dial,
    plan::{Plan, Way},
};
use crate::session::Session;

/// A line to the machine that was opened.
#[derive(Debug)]
pub(super) struct Line {
    /// None other of this reach has it.
    pub(super) number: u32,
    /// The way that it takes.
    pub(super) route: Route,
    /// What runs over it.
    pub(super) session: Session,
}

/// What stands at the moment.
#[derive(Debug, Default)]
pub(super) struct Lines {
    relay: Slot,
    direct: Slot,
}

/// How one way stands.
#[derive(Debug, Default)]
struct Slot {
    line: Option<Arc<Line>>,
    is_never: bool,
    /// So many attempts failed.
    failures: u64,
    /// Why the last one did.
    refusal: Option<Refusal>,
}

impl Lines {
    pub(super) fn new(plan: &Plan) -> Self {
        let slot = |way| Slot {
            is_never: plan.is_never(way),
            ..Slot::default()
        };
        Self {
            relay: slot(Way::Relay),
            direct: slot(Way::Direct),
        }
    }

    /// The line to be used: direct where it stands.
    pub(super) fn best(&self) -> Option<&Arc<Line>> {
        self.all().find(|line| !line.session.is_over())
    }

    /// The line of this number, if it still stands.
    pub(super) fn of_number(&self, number: u32) -> Option<&Arc<Line>> {
        self.all().find(|line| line.number == number && !line.session.is_over())
    }

    /// How many attempts of each way failed so far.
    pub(super) fn failures(&self) -> [u64; 2] {
        [self.relay.failures, self.direct.failures]
    }

    /// Why there is no line, once each way that is used failed again since `before`.
    pub(super) fn gave_up(&self, before: [u64; 2]) -> Option<Refusal> {
        let slots = [&self.relay, &self.direct];
        let failed = |(slot, before): (&&Slot, u64)| slot.is_never || slot.failures > before;
        let gave_up = slots.iter().zip(before).all(failed);
        // What the server says of the machine tells more than that nobody answered.
        let refusals = slots.iter().find_map(|slot| slot.refusal.clone());
        gave_up.then(|| refusals.unwrap_or_else(crate::session::controller::lost))
    }

    fn all(&self) -> impl Iterator<Item = &Arc<Line>> {
        [&self.direct, &self.relay]
            .into_iter()
            .filter_map(|slot| slot.line.as_ref())
    }

    fn slot(&mut self, way: Way) -> &mut Slot {
        match way {
            Way::Relay => &mut self.relay,
            Way::Direct => &mut self.direct,
        }
    }
}

/// What happened to a way.
enum Event {
    Dialled(Way, Result<(Session, Route), Refusal>),
    Ended(Way),
}

/// Opens lines for as long as anybody may ask.
pub(super) struct Keeper {
    pub(super) dial: Arc<dyn Dial>,
    pub(super) plan: Plan,
    pub(super) lines: watch::Sender<Lines>,
    /// So many wait for a line; its end is the end of all who ask.
    pub(super) waiting: watch::Receiver<usize>,
    pub(super) end: CancellationToken,
}

impl Keeper {
    /// Runs until nobody can ask any more.
    pub(super) async fn run(mut self) {
        let (end, dial) = (self.end.clone(), Arc::clone(&self.dial));
        let mut events: FuturesUnordered<BoxFuture<'_, Event>> = FuturesUnordered::new();
        let mut number = 0;
        loop {
            let (now, somebody_waits) = (Instant::now(), *self.waiting.borrow() > 0);
            for way in self.plan.due(now, somebody_waits) {
                events.push(Box::pin(dialled(&*dial, way)));
            }
            let wake = self.plan.wakes_at(somebody_waits, now);
            tokio::select! {
                () = end.cancelled() => break,
                Some(event) = events.next(), if !events.is_empty() => {
                    if let Event::Dialled(way, Ok((session, _))) = &event {
                        events.push(Box::pin(ended(*way, session.ended())));
                        number += 1;
                    }
                    self.take(event, number);
                }
                changed = self.waiting.changed() => if changed.is_err() { break },
                () = tokio::time::sleep_until(wake.unwrap_or(now)), if wake.is_some() => {}
            }
        }
        self.close();
    }

    fn take(&mut self, event: Event, number: u32) {
        let now = Instant::now();
        match event {
            Event::Dialled(way, Ok((session, route))) => {
                tracing::debug!(?way, ?route, "a line stands");
                self.plan.opened(way, now);
                let line = Arc::new(Line { number, route, session });
                self.lines.send_modify(|lines| lines.slot(way).line = Some(line));
            }
            Event::Dialled(way, Err(refusal)) => {
                tracing::debug!(?way, %refusal, "no line");
                self.plan.ended(way, now);
                self.lines.send_modify(|lines| {
                    let slot = lines.slot(way);
                    slot.failures += 1;
                    slot.refusal = Some(refusal);
                });
            }
            Event::Ended(way) => {
                self.plan.ended(way, now);
                self.lines.send_modify(|lines| lines.slot(way).line = None);
            }
        }
    }

    /// Whoever still waits for an answer learns that there will be none.
    fn close(self) {
        self.lines.send_modify(|lines| {
            for slot in [&mut lines.relay, &mut lines.direct] {
                if let Some(line) = slot.line.take() {
                    line.session.close();
                }
            }
        });
    }
}

async fn dialled(dial: &dyn Dial, way: Way) -> Event {
    Event::Dialled(way, dial.dial(way).await)
}

async fn ended(way: Way, end: impl Future<Output = ()>) -> Event {
    end.await;
    Event::Ended(way)
}
