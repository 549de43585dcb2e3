//! How a transfer stands, in words.

use beckon_shared::{
    id::RootId,
    time::Timestamp,
    transfer::{Hold, Priority, Task, TransferState, TransferView},
};

use crate::{
    cli::{span::about, word::word},
    output::{count, visible, visible_text},
};

/// What it is about: what a machine stores, `MACHINE:ROOT/PATH`, or where it writes what.
pub(crate) fn subject(transfer: &TransferView) -> String {
    let [machine, root, what] =
        [&transfer.machine, &transfer.root, &transfer.what].map(|text| visible(text.as_bytes()));
    let from = || transfer.from.as_deref().map(|from| visible(from.as_bytes()));
    let below = if what.is_empty() { "" } else { "/" };
    match transfer.task {
        Task::Upload => format!("{machine}:{root}{below}{what}"),
        Task::Watch => format!("{machine}:{root}"),
        Task::Follow | Task::Copy => {
            let from = from().map(|from| format!("{from} to ")).unwrap_or_default();
            format!("{from}{machine}:{root}{below}{what}")
        }
        Task::Send => {
            let from = from().map(|from| format!(" from {from}")).unwrap_or_default();
            format!("{what}{from} to {machine}:{root}")
        }
    }
}

/// A task.
pub(crate) fn task(task: Task) -> &'static str {
    match task {
        Task::Upload => "upload",
        Task::Watch => "watch",
        Task::Follow => "follow",
        Task::Copy => "copy",
        Task::Send => "send",
    }
}

/// State and hold.
pub(crate) fn state(transfer: &TransferView) -> String {
    let stood = stand(transfer.task, transfer.state, transfer.hold);
    match (has_lapsed(transfer), transfer.progress.failed) {
        (true, _) => "failed (lapsed)".to_owned(),
        (false, failed) if failed > 0 && transfer.hold == Hold::Current => {
            format!("{stood} but for {}", count(failed, "file"))
        }
        (false, _) => stood,
    }
}

/// A state and a hold.
pub(super) fn stand(task: Task, state: TransferState, hold: Hold) -> String {
    if (state, hold) == (TransferState::Running, Hold::Current) {
        return "up to date".to_owned();
    }
    let state = match state {
        TransferState::Queued => "queued",
        TransferState::Running => "running",
        TransferState::Done => "done",
        TransferState::Partly => "partly",
        TransferState::Failed => "failed",
        TransferState::Cancelled => "cancelled",
    };
    let hold = match hold {
        Hold::None => return state.to_owned(),
        Hold::User => "paused",
        Hold::Away => "machine away",
        Hold::NoRoom if task.writes() => "no room on the machine",
        Hold::NoRoom => "no room on the server",
        Hold::Schedule => "sends nothing now",
        Hold::Question => "has a question",
        Hold::Current => "up to date",
    };
    format!("{state} ({hold})")
}

/// Whether its order was not carried out in its time.
fn has_lapsed(transfer: &TransferView) -> bool {
    let late = transfer.ended.is_some_and(|ended| ended >= transfer.expires);
    transfer.state == TransferState::Failed && late
}

/// Why it stands as it does, where the state alone does not say it all: when a machine that is away was here last and how
/// long its order waits, or what went wrong.
pub(super) fn reason(transfer: &TransferView, last_seen: Option<Timestamp>, now: Timestamp) -> Option<String> {
    let machine = visible(transfer.machine.as_bytes());
    match transfer.hold {
        Hold::Away => {}
        Hold::Question => return Some(question(transfer)),
        // Whether there is an hour at which it may, or sending is switched off, the limits say.
        Hold::Schedule => {
            return Some(format!(
                "{machine} may not send at this hour, or at all; see or change when: beckon device limit {}",
                word(&machine)
            ));
        }
        _ => return transfer.error.as_deref().map(visible_text),
    }
    let seen = last_seen.map_or_else(
        || format!("{machine} is away"),
        |at| format!("{machine} was last seen {} ago", about(now.since(at))),
    );
    // What has begun goes on whenever the machine is back.
    let lapses = match transfer.state {
        TransferState::Queued if now < transfer.expires => {
            format!(", the order lapses in {}", about(transfer.expires.since(now)))
        }
        TransferState::Queued => ", the order has lapsed".to_owned(),
        _ => String::new(),
    };
    Some(seen + &lapses)
}

/// What a person is asked, and how to answer.
pub(super) fn question(transfer: &TransferView) -> String {
    let (machine, id) = (visible(transfer.machine.as_bytes()), transfer.id);
    // Who puts files in by hand is a browser or a command, which needs somebody there.
    let is_by_hand = transfer.root_id == RootId::of_files(&transfer.device);
    let advice = match transfer.task.writes() {
        true => format!(
            "{machine} waits for an answer, because much of its copy is missing, or would go to the trash. If a disk was taken \
             out, put it back. Then, or if that is as it should be: beckon transfers resume {id}"
        ),
        false if is_by_hand => {
            format!("{machine} has to be given its files once more: choose or put the same ones there again")
        }
        false => format!(
            "{machine} waits for an answer, because files that it had are missing. If their disk was taken out, put it back. \
             Then, or if they are gone for good: beckon transfers resume {id}"
        ),
    };
    format!("{advice}; to end it: beckon transfers cancel {id}")
}

/// What stands behind a transfer in a list, in brackets.
pub(super) fn notes(transfer: &TransferView, last_seen: Option<Timestamp>, now: Timestamp) -> String {
    let priority = match transfer.priority {
        Priority::Normal => None,
        other => Some(format!("{} priority", priority(other))),
    };
    let reason = match transfer.hold {
        Hold::Question => Some(format!("see: beckon transfers show {}", transfer.id)),
        _ => reason(transfer, last_seen, now),
    };
    let notes: Vec<String> = priority.into_iter().chain(reason).collect();
    match notes.is_empty() {
        true => String::new(),
        false => format!("  ({})", notes.join("; ")),
    }
}

/// A priority.
pub(super) fn priority(priority: Priority) -> &'static str {
    match priority {
        Priority::Low => "low",
        Priority::Normal => "normal",
        Priority::High => "high",
    }
}

#[cfg(test)]
mod tests {
    use super::{super::tests::transfer, *};

    const HOUR: i64 = 3_600_000;

    fn away(state: TransferState) -> TransferView {
        TransferView {
            hold: Hold::Away,
            expires: Timestamp(24 * HOUR),
            ..transfer(state)
        }
    }

    #[test]
    fn what_waits_for_a_machine_says_when_it_was_here_last_and_how_long_it_waits() {
        let now = Timestamp(4 * HOUR);
        let queued = away(TransferState::Queued);
        let told = |transfer: &TransferView, seen, now| reason(transfer, seen, now).unwrap();
        assert_eq!(
            told(&queued, Some(Timestamp(HOUR)), now),
            "laptop was last seen 3 h ago, the order lapses in 20 h"
        );
        assert_eq!(told(&queued, None, now), "laptop is away, the order lapses in 20 h");
        assert_eq!(
            told(&queued, None, queued.expires),
            "laptop is away, the order has lapsed"
        );
        assert_eq!(
            told(&away(TransferState::Running), Some(Timestamp(HOUR)), now),
            "laptop was last seen 3 h ago"
        );
        assert_eq!(reason(&transfer(TransferState::Running), Some(now), now), None);
    }

    #[test]
    fn each_task_says_what_is_stored_or_written_where() {
        let of = |task, what: &str, from: Option<&str>| {
            subject(&TransferView {
                task,
                what: what.to_owned(),
                from: from.map(str::to_owned),
                ..transfer(TransferState::Running)
            })
        };
        assert_eq!(of(Task::Upload, "a/b", None), "laptop:docs/a/b");
        assert_eq!(of(Task::Upload, "", None), "laptop:docs");
        assert_eq!(of(Task::Watch, "", None), "laptop:docs");
        let origin = Some("desk/Work\u{1b}");
        assert_eq!(of(Task::Follow, "", origin), "desk/Work\\u{1b} to laptop:docs");
        assert_eq!(of(Task::Copy, "x", None), "laptop:docs/x");
        assert_eq!(of(Task::Send, "a +2", Some("phone")), "a +2 from phone to laptop:docs");
    }

    #[test]
    fn what_is_kept_current_is_up_to_date_and_not_under_way() {
        let mut current = TransferView {
            task: Task::Watch,
            hold: Hold::Current,
            ..transfer(TransferState::Running)
        };
        assert_eq!(state(&current), "up to date but for 1 file");
        current.progress.failed = 0;
        assert_eq!(state(&current), "up to date");
    }

    #[test]
    fn a_question_says_what_is_asked_and_how_to_answer() {
        let asks = |task, root_id| {
            let asked = TransferView {
                task,
                root_id,
                hold: Hold::Question,
                ..transfer(TransferState::Running)
            };
            assert!(notes(&asked, None, Timestamp(0)).contains("beckon transfers show"));
            reason(&asked, None, Timestamp(0)).unwrap()
        };
        let root = RootId([1; 16]);
        assert!(asks(Task::Watch, root).contains("files that it had are missing"));
        assert!(asks(Task::Follow, root).contains("would go to the trash"));
        assert!(asks(Task::Follow, root).contains("beckon transfers resume"));
        let by_hand = RootId::of_files(&transfer(TransferState::Running).device);
        assert!(asks(Task::Upload, by_hand).contains("put the same ones there again"));
    }

    #[test]
    fn whose_disk_is_full_is_told() {
        let full = |task| stand(task, TransferState::Running, Hold::NoRoom);
        assert_eq!(full(Task::Watch), "running (no room on the server)");
        assert_eq!(full(Task::Follow), "running (no room on the machine)");
    }

    #[test]
    fn what_may_not_be_sent_now_promises_no_hour_and_says_where_to_look() {
        let held = TransferView {
            hold: Hold::Schedule,
            ..transfer(TransferState::Running)
        };
        assert_eq!(state(&held), "running (sends nothing now)");
        let why = reason(&held, None, Timestamp(0)).unwrap();
        assert!(why.ends_with("beckon device limit laptop"), "{why}");
    }

    #[test]
    fn what_lapsed_says_so_and_why() {
        let lapsed = TransferView {
            hold: Hold::None,
            ended: Some(Timestamp(24 * HOUR)),
            error: Some("the order has expired".to_owned()),
            priority: Priority::High,
            ..away(TransferState::Failed)
        };
        assert_eq!(state(&lapsed), "failed (lapsed)");
        assert_eq!(
            notes(&lapsed, None, Timestamp(0)),
            "  (high priority; the order has expired)"
        );
        let in_time = TransferView {
            ended: Some(Timestamp(HOUR)),
            ..lapsed
        };
        assert_eq!(state(&in_time), "failed");
        assert_eq!(notes(&transfer(TransferState::Done), None, Timestamp(0)), "");
    }
}
