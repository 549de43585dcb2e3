//! How a transfer came to stand as it does, a line for each change: when, how long, and what was done meanwhile.

use beckon_shared::{
    api::transfer::{TransferDetail, TransferEvent},
    time::Timestamp,
};

use crate::{
    cli::{span::about, transfer::words::stand},
    output::{size, time},
};

/// The lines, oldest first; none where nothing is known.
pub(super) fn lines(detail: &TransferDetail, now: Timestamp) -> Vec<String> {
    let mut lines = Vec::new();
    for (at, event) in detail.events.iter().enumerate() {
        let until = detail.events.get(at + 1).map(Mark::from).or_else(|| still(detail, now));
        lines.push(line(event, until));
    }
    if !lines.is_empty() {
        lines.insert(0, "  story".to_owned());
    }
    lines
}

/// A moment, and what was done by then.
#[derive(Debug, Clone, Copy)]
struct Mark {
    at: Timestamp,
    bytes_done: u64,
    bytes_sent: u64,
}

impl From<&TransferEvent> for Mark {
    fn from(event: &TransferEvent) -> Self {
        Self {
            at: event.at,
            bytes_done: event.bytes_done,
            bytes_sent: event.bytes_sent,
        }
    }
}

/// This moment, for a transfer that is not over.
fn still(detail: &TransferDetail, now: Timestamp) -> Option<Mark> {
    let progress = &detail.transfer.progress;
    (!detail.transfer.state.is_over()).then_some(Mark {
        at: now,
        bytes_done: progress.bytes_done,
        bytes_sent: progress.bytes_sent,
    })
}

fn line(event: &TransferEvent, until: Option<Mark>) -> String {
    let stood = stand(event.state, event.hold);
    let Some(until) = until else {
        return format!("    {}  {stood}", time(event.at));
    };
    // A retry counts what is done anew.
    let done = until.bytes_done.saturating_sub(event.bytes_done);
    let sent = until.bytes_sent.saturating_sub(event.bytes_sent);
    let meanwhile = match (done, sent) {
        (0, 0) => String::new(),
        _ => format!(", {} done, {} sent", size(done), size(sent)),
    };
    let lasted = about(until.at.since(event.at));
    format!("    {}  {stood:<31}  {lasted}{meanwhile}", time(event.at))
}

#[cfg(test)]
mod tests {
    use beckon_shared::transfer::{Hold, Progress, TransferState, TransferView};

    use super::*;
    use crate::cli::transfer::tests::transfer;

    fn event(at: i64, state: TransferState, hold: Hold, bytes: u64) -> TransferEvent {
        TransferEvent {
            at: Timestamp(at * 1000),
            state,
            hold,
            bytes_done: bytes,
            bytes_sent: bytes / 2,
        }
    }

    #[test]
    fn each_state_says_how_long_it_lasted_and_what_was_done_in_it() {
        use TransferState::{Done, Queued, Running};
        let events = vec![
            event(0, Queued, Hold::Away, 0),
            event(50, Running, Hold::None, 0),
            event(60, Done, Hold::None, 4096),
        ];
        let mut detail = TransferDetail {
            transfer: transfer(Done),
            ordered_by: String::new(),
            selected: Vec::new(),
            selected_total: None,
            node: None,
            events,
        };
        let done = lines(&detail, Timestamp(99_000));
        let ends = ["  50 s", "  10 s, 4.0 KiB done, 2.0 KiB sent", "  done"];
        for (line, end) in done[1..].iter().zip(ends) {
            assert!(line.ends_with(end), "{line}");
        }
        detail.events.pop();
        detail.transfer = TransferView {
            progress: Progress {
                bytes_done: 1024,
                ..Progress::default()
            },
            ..transfer(Running)
        };
        let running = lines(&detail, Timestamp(52_000));
        assert!(running[2].ends_with("  2 s, 1.0 KiB done, 0 B sent"), "{running:?}");
        detail.events.clear();
        assert!(lines(&detail, Timestamp(0)).is_empty());
    }
}
