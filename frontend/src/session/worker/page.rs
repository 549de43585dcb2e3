//! The page, as the worker sees it: it has the control socket and the control list.

use beckon_shared::error::Refusal;

use super::{super::message::FromWorker, super::message::Question, super::message::Told, tell};
use crate::{api, socket::asking::Waiting};

thread_local! {
    static ASKED: Waiting<Result<Told, Refusal>> = Waiting::default();
}

/// Asks for what only the page can do.
pub(super) async fn ask(question: Question) -> Result<Told, Refusal> {
    let (id, answer) = ASKED.with(Waiting::enter);
    tell(&FromWorker::Ask { id, question });
    // The sender stays where it is until it is used.
    answer.await.unwrap_or_else(|_| Err(api::not_understood()))
}

/// The page has answered.
pub(super) fn answered(id: u32, result: Result<Told, Refusal>) {
    ASKED.with(|asked| asked.answer(id, result));
}
