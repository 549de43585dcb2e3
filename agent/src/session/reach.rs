//! A machine, over whichever way to it is best at the moment: the relay at once, straight as soon as that stands.

mod keeper;
mod plan;
mod view;

use std::sync::{Arc, Mutex, PoisonError};

use beckon_shared::{
    browse::{Answer, Ask, ListAsk, Route},
    error::Refusal,
};
use futures_util::future::BoxFuture;
use tokio::{sync::watch, time::Instant};
use tokio_util::sync::{CancellationToken, DropGuard};

use self::{
    keeper::{Keeper, Line, Lines},
    plan::Plan,
    view::Views,
};
use super::{
    Session,
    controller::{Unanswered, lost},
};
use crate::listing;

pub(crate) use plan::{Use, Way};

/// An ask is put so often if line after line breaks under it.
const TRIES_MAX: usize = 5;

/// Opens lines to one machine.
pub(crate) trait Dial: Send + Sync + 'static {
    /// A session with the machine over this way, within a bounded time.
    fn dial(&self, way: Way) -> BoxFuture<'_, Result<(Session, Route), Refusal>>;
}

/// A machine that can be asked; clones are the same. Its lines close with the last of them.
#[derive(Clone)]
pub(crate) struct Reach(Arc<Inner>);

struct Inner {
    dial: Arc<dyn Dial>,
    uses: [Use; 2],
    lines: watch::Receiver<Lines>,
    /// So many wait for a line.
    waiting: watch::Sender<usize>,
    views: Mutex<Views>,
    end: CancellationToken,
    _over: DropGuard,
}

impl Reach {
    /// Begins to open lines, in the background.
    pub(crate) fn begin(dial: Arc<dyn Dial>, relay: Use, direct: Use) -> Self {
        let plan = Plan::new(relay, direct, Instant::now());
        let (lines, shown) = watch::channel(Lines::new(&plan));
        let (waiting, waited) = watch::channel(0);
        let end = CancellationToken::new();
        let keeper = Keeper {
            dial: Arc::clone(&dial),
            plan,
            lines,
            waiting: waited,
            end: end.clone(),
        };
        tokio::spawn(keeper.run());
        Self(Arc::new(Inner {
            dial,
            uses: [relay, direct],
            lines: shown,
            waiting,
            views: Mutex::default(),
            _over: end.clone().drop_guard(),
            end,
        }))
    }

    /// Waits until there is a line.
    ///
    /// # Errors
    ///
    /// Why there is none, once each way was tried.
    pub(crate) async fn ready(&self) -> Result<(), Refusal> {
        self.line().await.map(drop)
    }

    /// Asks the machine for something; any number at once. What breaks meanwhile is asked again over the next line.
    ///
    /// # Errors
    ///
    /// What the machine says; or why there is no line, once each way was tried.
    pub(crate) async fn ask(&self, ask: Ask) -> Result<Answer, Refusal> {
        self.ask_by(ask).await.map(|(answer, _)| answer)
    }

    /// Like [`Reach::ask`], with the way that the answer came.
    pub(crate) async fn ask_by(&self, ask: Ask) -> Result<(Answer, Route), Refusal> {
        if let Ask::List(list) = &ask
            && let Some(number) = list.snapshot
        {
            return self.go_on(list, number).await;
        }
        let is_list = matches!(ask, Ask::List(_));
        for _ in 0..TRIES_MAX {
            let line = self.line().await?;
            match line.session.try_ask(ask.clone()).await {
                Ok(answer) if is_list => return Ok((self.numbered(&line, answer), line.route)),
                Ok(answer) => return Ok((answer, line.route)),
                Err(Unanswered::Refused(refusal)) => return Err(refusal),
                Err(Unanswered::Lost) if may_repeat(&ask) => {}
                Err(Unanswered::Lost) => break,
            }
        }
        Err(lost())
    }

    /// The way that asks take now; nothing while there is no line.
    pub(crate) fn route(&self) -> Option<Route> {
        self.0.lines.borrow().best().map(|line| line.route)
    }

    /// Another line to the same machine, for bulk: what is asked here is not delayed by it. Where the machine may be reached
    /// straight, much is not sent by way of the server before that was tried.
    pub(crate) fn bulk(&self) -> Self {
        let [relay, direct] = self.0.uses;
        let relay = match (relay, direct) {
            (Use::AtOnce, Use::AtOnce | Use::OnDemand) => Use::OnDemand,
            (relay, _) => relay,
        };
        Self::begin(Arc::clone(&self.0.dial), relay, direct)
    }

    /// Ends all lines, for all clones.
    pub(crate) fn close(&self) {
        self.0.end.cancel();
    }

    /// The line that is best now, or the first one that stands.
    async fn line(&self) -> Result<Arc<Line>, Refusal> {
        let mut lines = self.0.lines.clone();
        let before = lines.borrow_and_update().failures();
        let mut waits = None;
        loop {
            {
                let now = lines.borrow_and_update();
                if let Some(best) = now.best() {
                    return Ok(Arc::clone(best));
                }
                if let Some(refusal) = now.gave_up(before) {
                    return Err(refusal);
                }
            }
            waits.get_or_insert_with(|| Waits::new(&self.0.waiting));
            if lines.changed().await.is_err() {
                return Err(lost());
            }
        }
    }

    /// A later page of a snapshot, which only the session that took it knows.
    async fn go_on(&self, list: &ListAsk, number: u64) -> Result<(Answer, Route), Refusal> {
        let found = self.views().find(number);
        let (line, there) = found.ok_or_else(listing::no_longer_kept)?;
        let line = self.0.lines.borrow().of_number(line).map(Arc::clone);
        let line = line.ok_or_else(listing::no_longer_kept)?;
        let ask = Ask::List(ListAsk {
            snapshot: Some(there),
            ..list.clone()
        });
        match line.session.try_ask(ask).await {
            Ok(answer) => Ok((self.numbered(&line, answer), line.route)),
            Err(Unanswered::Refused(refusal)) => Err(refusal),
            Err(Unanswered::Lost) => Err(listing::no_longer_kept()),
        }
    }

    fn numbered(&self, line: &Line, answer: Answer) -> Answer {
        match answer {
            Answer::Page(mut page) => {
                page.snapshot = self.views().number(line.number, page.snapshot);
                Answer::Page(page)
            }
            other => other,
        }
    }

    fn views(&self) -> std::sync::MutexGuard<'_, Views> {
        self.0.views.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Somebody who waits for a line.
struct Waits<'a>(&'a watch::Sender<usize>);

impl<'a> Waits<'a> {
    fn new(waiting: &'a watch::Sender<usize>) -> Self {
        waiting.send_modify(|count| *count += 1);
        Self(waiting)
    }
}

impl Drop for Waits<'_> {
    fn drop(&mut self) {
        self.0.send_modify(|count| *count -= 1);
    }
}

/// Whether an ask may be put again when its answer got lost.
fn may_repeat(ask: &Ask) -> bool {
    match ask {
        Ask::Roots
        | Ask::List(_)
        | Ask::Stat { .. }
        | Ask::Read { .. }
        | Ask::States { .. }
        | Ask::Fetch { .. }
        | Ask::Modes { .. }
        | Ask::Route
        | Ask::Ignore { .. }
        | Ask::SetIgnore { .. }
        | Ask::PreviewIgnore { .. }
        | Ask::Conflicts { .. }
        | Ask::Present(_)
        | Ask::Piece { .. } => true,
        // Done twice it says that there is no such conflict.
        Ask::Resolve { .. } => false,
        // The journal knows an order that it has.
        Ask::Order(_) | Ask::OrderWith { .. } => true,
        // A machine that is awake does not mind.
        Ask::Wake(_) => true,
    }
}

#[cfg(test)]
mod tests;
