//! How a transfer stands, in words.

use beckon_shared::{
    time::Timestamp,
    transfer::{Hold, Priority, TransferState, TransferView},
};

use crate::{
    cli::span::about,
    output::{visible, visible_text},
};

/// What it uploads: `MACHINE:ROOT/PATH`.
pub(super) fn subject(transfer: &TransferView) -> String {
    let [machine, root, what] =
        [&transfer.machine, &transfer.root, &transfer.what].map(|text| visible(text.as_bytes()));
    format!("{machine}:{root}/{what}")
}

/// State and hold.
pub(super) fn state(transfer: &TransferView) -> String {
    match has_lapsed(transfer) {
        true => "failed (lapsed)".to_owned(),
        false => stand(transfer.state, transfer.hold),
    }
}

/// A state and a hold.
pub(super) fn stand(state: TransferState, hold: Hold) -> String {
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
        Hold::NoRoom => "no room on the server",
        Hold::Schedule => "sends nothing now",
        Hold::Question => "has a question",
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
        // Whether there is an hour at which it may, or sending is switched off, the limits say.
        Hold::Schedule => {
            return Some(format!(
                "{machine} may not send at this hour, or at all; see or change when: beckon device limit {machine}"
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

/// What stands behind a transfer in a list, in brackets.
pub(super) fn notes(transfer: &TransferView, last_seen: Option<Timestamp>, now: Timestamp) -> String {
    let priority = match transfer.priority {
        Priority::Normal => None,
        other => Some(format!("{} priority", priority(other))),
    };
    let notes: Vec<String> = priority.into_iter().chain(reason(transfer, last_seen, now)).collect();
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
