//! How a transfer came to stand as it does, a line for each change: when, how long, and what was done meanwhile.

use beckon_shared::{
    api::transfer::{TransferDetail, TransferEvent},
    time::Timestamp,
    transfer::Task,
};

use crate::{
    cli::{span::about, transfer::words::stand},
    output::{size, time},
};

/// The lines, oldest first; none where nothing is known.
pub(super) fn lines(detail: &TransferDetail, now: Timestamp) -> Vec<String> {
    let mut lines = Vec::new();
    for (at, event) in detail.events.iter().enumerate() {
        let next = detail.events.get(at + 1).copied();
        let next = next.or_else(|| TransferEvent::still(&detail.transfer, now));
        lines.push(line(detail.transfer.task, event, next.as_ref()));
    }
    if !lines.is_empty() {
        lines.insert(0, "  story".to_owned());
    }
    lines
}

fn line(task: Task, event: &TransferEvent, next: Option<&TransferEvent>) -> String {
    let stood = stand(task, event.state, event.hold);
    let Some(next) = next else {
        return format!("    {}  {stood}", time(event.at));
    };
    let (done, sent) = (event.done_until(next), event.sent_until(next));
    let meanwhile = match (done, sent) {
        (0, 0) => String::new(),
        // What a machine fetches is not sent by it.
        (done, _) if task.writes() => format!(", {} done", size(done)),
        _ => format!(", {} done, {} sent", size(done), size(sent)),
    };
    let lasted = about(next.at.since(event.at));
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
            given_directly: false,
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
