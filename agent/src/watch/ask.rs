//! A question to a person: whether what is missing may be taken away.

use std::{
    pin::pin,
    time::{Duration, Instant},
};

use beckon_shared::{error::Refusal, transfer::Hold};

use super::{ASK_EVERY, FolderId, IfMissing, LOOKS_SHARE, Next, Queue, Quiet, Remote, Watch, top_of};

/// Whether something is back is looked for so often.
const LOOK_FOR_NEWS: Duration = Duration::from_secs(2);

/// Why nobody is asked any longer, or not for a moment.
enum Over {
    /// A person said that it may be taken away.
    Answered,
    /// What was missing may be back.
    Changed,
    /// It was paused.
    Paused,
}

impl<R: Remote> Watch<R> {
    /// Asks until a person answers, until what was missing is back, or until it is paused. Nothing is stored meanwhile, and
    /// then everything is looked at.
    pub(super) async fn ask(&mut self, queue: &impl Queue) -> Result<(), Refusal> {
        let mut answer = pin!(queue.answer());
        let mut top = top_of(&self.root).await;
        let mut rested = Instant::now();
        loop {
            self.quiet = Quiet::default();
            let over = tokio::select! {
                biased;
                () = &mut answer => Over::Answered,
                over = self.until_something_changes(&mut top, rested) => over,
            };
            match over {
                Over::Paused => return Ok(()),
                Over::Answered => {
                    self.if_missing = IfMissing::GoOn;
                    self.quiet.all_at(Instant::now());
                    return Ok(());
                }
                Over::Changed => {
                    let begun = Instant::now();
                    if let Next::GoOn = self.look_while_asking(queue).await? {
                        return Ok(());
                    }
                    rested = Instant::now() + begun.elapsed() * LOOKS_SHARE;
                }
            }
        }
    }

    async fn look_while_asking(&mut self, queue: &impl Queue) -> Result<Next, Refusal> {
        self.is_asking = true;
        let next = self.look_at_all(queue).await;
        self.is_asking = false;
        next
    }

    /// Waits until another folder is the root, as when a disk is back, or until the system tells of something after the rest.
    async fn until_something_changes(&mut self, top: &mut Option<FolderId>, rested: Instant) -> Over {
        let pause = self.pause.clone();
        let mut told: Option<Instant> = None;
        loop {
            if told.is_none_or(|told| told.elapsed() >= ASK_EVERY) {
                self.teller.tell(Hold::Question);
                (told, self.told) = (Some(Instant::now()), None);
            }
            let looking = pause.run_until_cancelled(tokio::time::sleep(LOOK_FOR_NEWS));
            if looking.await.is_none() {
                return Over::Paused;
            }
            let now = top_of(&self.root).await;
            if now != *top {
                *top = now;
                return Over::Changed;
            }
            self.listen();
            let is_told = self.quiet.next().is_some() || self.last.elapsed() >= self.every();
            if is_told && Instant::now() >= rested {
                return Over::Changed;
            }
        }
    }
}
