//! How long an answer is waited for before the server is taken for gone and asked again. That is always harmless: all that
//! is lost is what was on its way.

use std::{
    future::Future,
    sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed},
    time::Duration,
};

use tokio::time::Instant;

use super::remote::Failure;

/// A server that neither takes nor says anything for so long is taken for gone. Asked again, it has lost nothing; and as the
/// window follows the line, an answer on a slow one comes sooner.
pub(crate) const STALL: Duration = Duration::from_secs(20);
/// Each time that this was in vain it is doubled, so often at the most: on a line that is slower still, what was handed to the
/// system takes longer to arrive.
const IN_VAIN_MAX: u32 = 3;
/// How often it is looked whether something moved.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// What one transfer has learned of how slow its line is.
#[derive(Debug, Default)]
pub(super) struct Patience {
    /// How often in a row it was waited in vain.
    in_vain: AtomicU32,
}

/// Asks something small.
pub(crate) async fn soon<T>(question: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    tokio::time::timeout(STALL, question)
        .await
        .unwrap_or(Err(Failure::Break))
}

impl Patience {
    /// Asks something large, of which `moved` counts what the system takes. Only a line that answers is worth a long wait, so
    /// where it was waited in vain before, something small is asked first.
    pub(super) async fn flow<T>(
        &self,
        moved: &AtomicU64,
        small: impl Future<Output = Result<(), Failure>>,
        question: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, Failure> {
        let in_vain = self.in_vain.load(Relaxed);
        if in_vain > 0 {
            soon(small).await?;
        }
        tokio::select! {
            answer = question => {
                if !matches!(answer, Err(Failure::Break)) {
                    self.in_vain.store(0, Relaxed);
                }
                answer
            }
            () = stall(moved, STALL * (1 << in_vain)) => {
                // All that were on their way together tell of the same outage.
                let more = (in_vain + 1).min(IN_VAIN_MAX);
                let _ = self.in_vain.compare_exchange(in_vain, more, Relaxed, Relaxed);
                Err(Failure::Break)
            }
        }
    }
}

/// Ends when nothing moved for so long.
async fn stall(moved: &AtomicU64, patience: Duration) {
    let (mut before, mut since) = (0, Instant::now());
    while since.elapsed() < patience {
        tokio::time::sleep(LOOK_EVERY).await;
        let now = moved.load(Relaxed);
        if now != before {
            (before, since) = (now, Instant::now());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use super::*;
    use crate::upload::pause::Pace;

    /// Seconds until a question that is never answered is given up, if something small is answered so.
    async fn in_vain(patience: &Patience, small: Result<(), Failure>) -> u64 {
        let (still, begun) = (AtomicU64::new(0), Instant::now());
        let answer = patience.flow(&still, ready(small), pending::<Result<(), _>>());
        assert_eq!(answer.await, Err(Failure::Break));
        begun.elapsed().as_secs()
    }

    #[tokio::test(start_paused = true)]
    async fn a_line_on_which_nothing_moves_is_given_up_and_a_slow_one_is_not() {
        let (moved, begun) = (AtomicU64::new(0), Instant::now());
        let slow = async {
            for _ in 0..10 {
                tokio::time::sleep(STALL / 2).await;
                moved.fetch_add(1, Relaxed);
            }
            begun.elapsed()
        };
        let ((), slow) = tokio::join!(stall(&moved, STALL), slow);
        assert!((STALL..=STALL + LOOK_EVERY).contains(&(begun.elapsed() - slow)));
    }

    #[tokio::test(start_paused = true)]
    async fn one_outage_counts_once_however_many_were_on_their_way() {
        let patience = Patience::default();
        let all = tokio::join!(
            in_vain(&patience, Ok(())),
            in_vain(&patience, Ok(())),
            in_vain(&patience, Ok(())),
            in_vain(&patience, Ok(()))
        );
        assert_eq!(all, (20, 20, 20, 20));
        assert_eq!(in_vain(&patience, Ok(())).await, 40);
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_line_is_waited_for_longer_until_it_answers() {
        let patience = Patience::default();
        for seconds in [20, 40, 80, 160, 160] {
            assert_eq!(in_vain(&patience, Ok(())).await, seconds);
        }
        let still = AtomicU64::new(0);
        let answered = patience.flow(&still, ready(Ok(())), ready(Ok(())));
        assert_eq!(answered.await, Ok(()));
        assert_eq!(in_vain(&patience, Ok(())).await, 20);
    }

    /// Asks until there is an answer, which there is not before the end of an outage; how long after it.
    async fn resumed_after(outage: Duration) -> Duration {
        let (patience, still, end) = (Patience::default(), AtomicU64::new(0), Instant::now() + outage);
        let answer = || async move {
            match Instant::now() < end {
                true => pending().await,
                false => Ok(()),
            }
        };
        while patience.flow(&still, answer(), answer()).await.is_err() {
            tokio::time::sleep(Pace::NORMAL.network.1).await;
        }
        end.elapsed()
    }

    #[tokio::test(start_paused = true)]
    async fn whatever_an_outage_takes_it_goes_on_within_half_a_minute_of_its_end() {
        for seconds in 1..400 {
            let after = resumed_after(Duration::from_secs(seconds)).await;
            assert!(after <= Duration::from_secs(30), "{after:?} after {seconds} s");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_line_that_answers_nothing_is_not_waited_for_longer() {
        let patience = Patience::default();
        assert_eq!(in_vain(&patience, Ok(())).await, 20);
        assert_eq!(
            in_vain(&patience, Err(Failure::Break)).await,
            0,
            "the small question broke"
        );
        let (still, begun) = (AtomicU64::new(0), Instant::now());
        let silent = patience.flow(&still, pending(), ready(Ok(())));
        assert_eq!(silent.await, Err(Failure::Break));
        assert_eq!(begun.elapsed(), STALL);
    }
}
