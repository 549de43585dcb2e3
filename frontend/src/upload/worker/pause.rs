//! Asks the server until it answers, and waits as long as each failure demands.

use beckon_shared::error::{ErrorCode, Refusal};

use super::{
    counters::WithoutRoom,
    remote::{Failure, Remote},
};
use crate::dom;

/// After the first break, and the most after many. Milliseconds.
const NETWORK: (u32, u32) = (200, 10_000);
/// After the first word that there is no room, and the most after many. Milliseconds.
const ROOM: (u32, u32) = (2_000, 30_000);
/// A fault of the server that stays for so many questions in a row is not waited for any longer.
const FAULTS_MAX: u32 = 12;
/// A server that refuses so many fresh tickets in a row will not take any.
const TICKETS_MAX: u32 = 4;

/// Asks until there is an answer; an error is final.
pub(super) async fn until_answered<T>(
    remote: &Remote,
    ask: impl AsyncFn() -> Result<T, Failure>,
) -> Result<T, Refusal> {
    let mut pause = Pause {
        remote,
        breaks: 0,
        faults: 0,
        tickets: 0,
        no_room: 0,
        waiting: None,
    };
    loop {
        remote.page.gate.pass().await;
        match ask().await {
            Ok(answer) => return Ok(answer),
            Err(failure) => pause.after(failure).await?,
        }
    }
}

/// The waits of one question.
struct Pause<'a> {
    remote: &'a Remote,
    breaks: u32,
    faults: u32,
    tickets: u32,
    no_room: u32,
    waiting: Option<WithoutRoom<'a>>,
}

impl Pause<'_> {
    async fn after(&mut self, failure: Failure) -> Result<(), Refusal> {
        match failure {
            Failure::Break => self.wait_for_network().await,
            Failure::Ticket => self.begin().await?,
            Failure::Refused(refusal) => self.after_refusal(refusal).await?,
        }
        Ok(())
    }

    async fn after_refusal(&mut self, refusal: Refusal) -> Result<(), Refusal> {
        match refusal.code {
            ErrorCode::NoRoom => self.wait_for_room().await,
            // A body that was cut short or damaged on its way is malformed too.
            ErrorCode::Internal | ErrorCode::BadRequest if self.faults < FAULTS_MAX => {
                self.faults += 1;
                self.wait_for_network().await;
            }
            ErrorCode::Internal => return Err(refusal),
            _ if refusal.retry => self.wait_for_network().await,
            _ => return Err(refusal),
        }
        Ok(())
    }

    async fn wait_for_network(&mut self) {
        dom::sleep(grown(NETWORK, self.breaks)).await;
        self.breaks += 1;
    }

    async fn wait_for_room(&mut self) {
        if self.waiting.is_none() {
            self.waiting = Some(self.remote.counters.without_room());
        }
        dom::sleep(grown(ROOM, self.no_room)).await;
        self.no_room += 1;
    }

    async fn begin(&mut self) -> Result<(), Refusal> {
        if self.tickets >= TICKETS_MAX {
            let advice =
                "the server does not take the ticket that it gave out; see its log, then put the files in again";
            return Err(Refusal::new(ErrorCode::NotAllowed, advice));
        }
        match self.remote.begin().await {
            Ok(_) => self.tickets += 1,
            Err(Failure::Refused(refusal)) if !refusal.retry => return Err(refusal),
            Err(_) => self.wait_for_network().await,
        }
        Ok(())
    }
}

/// Doubles from the first to the most.
fn grown((first, most): (u32, u32), times: u32) -> u32 {
    first.saturating_mul(1 << times.min(16)).min(most)
}

#[cfg(test)]
mod tests {
    use wasm_bindgen_test::wasm_bindgen_test;

    use super::*;

    #[wasm_bindgen_test]
    fn waits_double_up_to_the_most() {
        let waits: Vec<_> = (0..5).map(|times| grown(ROOM, times)).collect();
        assert_eq!(waits, [2_000, 4_000, 8_000, 16_000, 30_000]);
        assert_eq!(grown(NETWORK, u32::MAX), 10_000);
    }
}
