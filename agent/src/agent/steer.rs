//! What a person does with a transfer from some terminal, as the server passes it on. Nothing of it is signed: it can keep
//! an order from being carried out, have one that failed tried again as far as the order itself still stands, and let one go
//! on that asks because much is missing. So a hostile server can answer that question too; what an order says it cannot change.

use std::sync::Arc;

use beckon_shared::{api::transfer::Act, error::Refusal, id::TransferId, transfer::Priority};

use super::{Agent, work::broken};
use crate::journal::Ended;

impl Agent {
    /// Does what is wanted; the same again changes nothing.
    pub(crate) async fn steer(self: &Arc<Self>, id: TransferId, act: Act) {
        tracing::info!(%id, ?act, "steered");
        let steered = match act {
            Act::Pause => {
                self.work.pause(id);
                Ok(())
            }
            // It goes on by the order, which follows, or is under way and waits for this answer.
            Act::Resume => self.go_on(id).await,
            Act::Cancel => self.cancel(id).await,
            Act::Retry => self.reopen(id).await,
        };
        if let Err(refusal) = steered {
            tracing::error!(%id, %refusal, "a transfer could not be steered");
        }
    }

    /// Puts an order where it stands among the others from now on.
    pub(crate) fn prioritise(&self, id: TransferId, priority: Priority) {
        tracing::info!(%id, ?priority, "prioritised");
        self.work.turns.prioritise(id, priority);
    }

    /// Ends an order, whether it is under way or paused, and says so.
    async fn cancel(self: &Arc<Self>, id: TransferId) -> Result<(), Refusal> {
        let _taking = self.work.taking.lock().await;
        if self.work.end_as(id, Ended::cancelled()) {
            return Ok(());
        }
        self.work.turns.forget(id);
        let agent = Arc::clone(self);
        let ended = tokio::task::spawn_blocking(move || {
            agent.index.forget_transfer(id);
            agent.forget_copy(id);
            agent.journal.cancel(id)
        });
        self.report_later(id, ended.await.map_err(|_| broken())??);
        Ok(())
    }

    /// Lets an order that failed be gone on with when it is shown again.
    async fn reopen(self: &Arc<Self>, id: TransferId) -> Result<(), Refusal> {
        let _taking = self.work.taking.lock().await;
        // Who has it tried again knows how it ended.
        self.work.forget_end(id);
        let agent = Arc::clone(self);
        let reopened = tokio::task::spawn_blocking(move || {
            let failed = agent.journal.reopen(id)?;
            if let Some(failed) = failed {
                // The count of what was sent goes on where it was.
                agent.index.tally(id).add(failed.progress.bytes_sent);
            }
            Ok(())
        });
        reopened.await.map_err(|_| broken())?
    }
}

#[cfg(test)]
mod tests;
