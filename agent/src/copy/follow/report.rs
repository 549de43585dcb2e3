//! Tells the server what could not be written, in parts that fit a frame.

use beckon_shared::{
    error::Refusal,
    transfer::Problem,
    wire::{self, PART_MAX},
};

use super::Follow;
use crate::{
    copy::{
        server::{Remote, asked},
        source::Lines,
    },
    upload::pause::Pace,
};

impl<R: Remote, L: Lines> Follow<R, L> {
    /// Where there is something else to tell than before.
    pub(super) async fn tell_problems(&mut self) -> Result<(), Refusal> {
        let now: Vec<_> = self.problems.values().cloned().collect();
        if now != self.told {
            report(&*self.remote, self.pace, &now).await?;
            self.told = now;
        }
        Ok(())
    }
}

/// Tells these and no others any more.
pub(crate) async fn report<R: Remote>(remote: &R, pace: Pace, problems: &[Problem]) -> Result<(), Refusal> {
    let mut told = 0;
    loop {
        let rest = problems.get(told..).unwrap_or_default();
        let mut bytes = 0;
        let fits = |problem: &&Problem| {
            bytes += wire::encode(*problem).len();
            bytes <= PART_MAX
        };
        let part = rest.iter().take_while(fits).count().max(1).min(rest.len());
        let sent = rest.get(..part).unwrap_or_default();
        asked(remote, pace, || remote.report(told as u64, sent.to_vec())).await?;
        told += part;
        if told >= problems.len() {
            return Ok(());
        }
    }
}
