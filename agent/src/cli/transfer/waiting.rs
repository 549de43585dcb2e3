//! Waiting for a transfer, with a bar on a terminal that shows how far it is.

use beckon_shared::transfer::{Hold, TransferState, TransferView};

use super::{
    is_settled,
    show::unknown,
    words::{question, state},
};
use crate::{
    cli::{
        Here,
        control::{Control, News},
    },
    output::{Bar, Exit, Failure, Output, count, remark, visible},
};

/// Follows a transfer until it is over or up to date, also through broken connections. One that needs an answer of a person
/// would never get there by itself: it is a failure that says so.
pub(crate) async fn until_settled(
    here: &Here,
    control: &mut Control<'_>,
    transfer: TransferView,
) -> Result<TransferView, Failure> {
    let shown = Shown::new(here.out);
    // Its end may have been told while something else was waited for.
    let mut latest = newest(control.transfer(transfer.id), transfer);
    let mut told = Hold::None;
    while !is_settled(&latest) {
        shown.show(&latest);
        if latest.hold != told {
            told = latest.hold;
            if let Some(why) = stands_still(&latest) {
                remark(here.out, &why);
            }
        }
        if latest.hold == Hold::Question {
            return Err(unanswered(&latest));
        }
        here.waits_for_machine((latest.hold == Hold::Away).then_some(&latest.machine));
        latest = next(control, latest).await?;
    }
    here.waits_for_machine(None);
    Ok(latest)
}

/// How a transfer stands after the next change of anything.
pub(crate) async fn next(control: &mut Control<'_>, latest: TransferView) -> Result<TransferView, Failure> {
    let news = control.next().await?;
    let known = control.transfer(latest.id);
    match news {
        // A server that was put back from a back-up counts from an earlier revision.
        News::Again => known.cloned().ok_or_else(unknown),
        _ => Ok(newest(known, latest)),
    }
}

/// What is told once to who waits for something that stands still: nothing else would be seen where there is no bar.
fn stands_still(transfer: &TransferView) -> Option<String> {
    let (machine, id) = (visible(transfer.machine.as_bytes()), transfer.id);
    match transfer.hold {
        Hold::Away => Some(format!("{machine} is away; waiting until it is back")),
        Hold::User => Some(format!("it is paused; to have it go on: beckon transfers resume {id}")),
        Hold::NoRoom | Hold::Schedule => Some(format!("{}; waiting", state(transfer))),
        Hold::None | Hold::Question | Hold::Current => None,
    }
}

fn unanswered(transfer: &TransferView) -> Failure {
    Failure {
        exit: Exit::Failed,
        code: "question",
        message: question(transfer),
        retry: true,
    }
}

/// What is known of a transfer by now: an answer may be older than what the control list has, or newer.
pub(crate) fn newest(known: Option<&TransferView>, answer: TransferView) -> TransferView {
    known
        .filter(|known| known.revision >= answer.revision)
        .cloned()
        .unwrap_or(answer)
}

/// How far a transfer is, as a bar on a terminal; it goes when this is dropped.
pub(crate) struct Shown(Bar);

impl Shown {
    pub(crate) fn new(out: Output) -> Self {
        Self(Bar::new(out))
    }

    /// Shows how far it is.
    pub(crate) fn show(&self, transfer: &TransferView) {
        let progress = &transfer.progress;
        // Before the walk has ended the total would only grow.
        let total = progress.walked.then_some(progress.bytes_total);
        self.0.total(total);
        self.0.done(progress.bytes_done);
        self.0.note(&note(transfer));
    }
}

fn note(transfer: &TransferView) -> String {
    let progress = &transfer.progress;
    let more = if progress.walked { "" } else { "+" };
    let state = match (transfer.state, transfer.hold) {
        (TransferState::Running, Hold::None) => String::new(),
        _ => format!("{}, ", state(transfer)),
    };
    let all = count(progress.files_total, "file").replace(" file", &format!("{more} file"));
    format!("{state}{} of {all}", progress.files_done)
}

#[cfg(test)]
mod tests {
    use beckon_shared::transfer::Progress;

    use super::{super::tests::transfer, *};

    #[test]
    fn an_end_that_was_told_before_it_was_waited_for_counts() {
        let of = |revision, state| TransferView {
            revision,
            ..transfer(state)
        };
        let (queued, done) = (of(1, TransferState::Queued), of(5, TransferState::Done));
        assert_eq!(newest(Some(&done), queued.clone()), done);
        assert_eq!(newest(Some(&queued), done.clone()), done);
        assert_eq!(newest(None, queued.clone()), queued);
    }

    #[test]
    fn the_bar_says_how_many_files_and_why_nothing_moves() {
        let mut running = transfer(TransferState::Running);
        running.progress = Progress {
            files_done: 2,
            files_total: 9,
            ..Progress::default()
        };
        assert_eq!(note(&running), "2 of 9+ files");
        running.progress.walked = true;
        running.hold = Hold::Away;
        assert_eq!(note(&running), "running (machine away), 2 of 9 files");
    }
}
