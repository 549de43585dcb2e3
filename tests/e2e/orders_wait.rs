//! Orders wait for machines that are away, and say why; which goes first and how fast is steered from any terminal.

use beckon_tests::{sample, wait_until};
use serde_json::{Value, json as value};

use crate::scene::{Desk, LONG, SOON, expect_refusal, json, number, rows, run, text, transfer};

fn desk() -> Desk {
    Desk::with(|root| {
        sample::text(&root.join("a"), "one");
        sample::text(&root.join("b"), "two");
    })
}

fn wait_away(desk: &Desk) {
    wait_until("the machine is away", SOON, || {
        json(desk.cli(), &["machines"])[0]["online"] == false
    });
}

/// State and hold since the beginning.
fn story(shown: &Value) -> Vec<String> {
    let events = rows(&shown["events"]).iter();
    events
        .map(|event| format!("{} {}", text(event, "state"), text(event, "hold")))
        .collect()
}

#[test]
fn an_order_for_a_machine_that_is_away_says_why_it_waits_and_begins_when_it_is_here() {
    let mut desk = desk();
    desk.machine.stop();
    wait_away(&desk);
    let waiting = json(desk.cli(), &["upload", "desk:Documents", "--expires", "2h"]);
    let withdrawn = json(desk.cli(), &["upload", "desk:Documents/a"]);
    for placed in [&waiting, &withdrawn] {
        assert_eq!(text(placed, "hold"), "away", "{placed}");
        assert!(text(placed, "reason").starts_with("desk was last seen "), "{placed}");
    }
    let other = desk.ann.other_terminal();
    let list = other.run(["transfers"]).expect_ok().stdout();
    for part in ["desk was last seen ", " ago, the order lapses in 1"] {
        assert!(list.contains(part), "{part}: {list}");
    }
    let (id, withdrawn) = (text(&waiting, "id"), text(&withdrawn, "id"));
    let first = json(&other, &["transfers", "priority", &id, "high"]);
    assert_eq!(
        (text(&first, "priority"), text(&first, "hold")),
        ("high".into(), "away".into())
    );
    json(&other, &["cancel", &withdrawn]);
    desk.machine.restart();
    let ended = json(&desk.cli().with_limit(LONG), &["wait", &id]);
    assert_eq!(
        (text(&ended, "state"), text(&ended, "priority")),
        ("done".into(), "high".into())
    );
    assert_eq!(text(&transfer(desk.cli(), &withdrawn), "state"), "cancelled");
    expect_refusal(&run(desk.cli(), &["transfers", "priority", &id, "low"]), 1, "conflict");
}

#[test]
fn a_transfer_tells_its_story() {
    let mut desk = desk();
    desk.machine.stop();
    wait_away(&desk);
    let id = text(
        &json(desk.cli(), &["upload", "desk:Documents/a", "desk:Documents/b"]),
        "id",
    );
    desk.machine.restart();
    json(&desk.cli().with_limit(LONG), &["wait", &id]);
    let shown = transfer(desk.cli(), &id);
    assert_eq!(
        story(&shown),
        ["queued none", "queued away", "queued none", "running none", "done none"]
    );
    assert_eq!(
        (shown["selected"].clone(), number(&shown, "selected_total")),
        (value!(["a", "b"]), 2)
    );
    assert!(
        shown["node"].is_string() && !text(&shown, "ordered_by").is_empty(),
        "{shown}"
    );
    let told = desk.cli().run(["transfers", "show", &id]).expect_ok().stdout();
    for part in [
        "story",
        "queued (machine away)",
        "6 B done",
        "selected",
        "priority normal",
    ] {
        assert!(told.contains(part), "{part}: {told}");
    }
    let unknown = run(
        desk.cli(),
        &["transfers", "show", "01a203e4-646c-76a7-9c7c-a6ac00dd03ca"],
    );
    expect_refusal(&unknown, 1, "not-found");
}

#[test]
fn how_fast_a_machine_may_send_is_set_on_one_terminal_and_seen_on_all() {
    let desk = desk();
    let limits = |shown: &Value| shown["limits"].clone();
    let free = value!({ "rate": null, "full_speed": null });
    assert_eq!(limits(&json(desk.cli(), &["device", "limit", "desk"])), free);
    let set = [
        "device",
        "limit",
        "desk",
        "--rate",
        "2MiB",
        "--full-speed",
        "22:00-07:00",
    ];
    let expected = value!({ "rate": 2 << 20, "full_speed": { "from": 1320, "to": 420 } });
    assert_eq!(limits(&json(desk.cli(), &set)), expected);
    let other = desk.ann.other_terminal();
    assert_eq!(limits(&json(&other, &["device", "show", "desk"])), expected);
    let told = other.run(["device", "limit", "desk"]).expect_ok().stdout();
    assert!(
        told.contains("at most 2.0 MiB/s, and as fast as it can from 22:00 to 07:00"),
        "{told}"
    );
    json(&other, &["device", "limit", "desk", "--none"]);
    assert_eq!(limits(&json(desk.cli(), &["device", "show", "desk"])), free);
    for wrong in [
        &["device", "limit", "desk", "--full-speed", "22:00-07:00"][..],
        &["device", "limit", "desk", "--rate", "fast"],
        &["device", "limit", "desk", "--rate", "1MiB", "--none"],
    ] {
        run(desk.cli(), wrong).expect_code(2);
    }
    let devices = json(desk.cli(), &["devices"]);
    let terminal = rows(&devices).iter().find(|row| row["kind"] == "cli").unwrap();
    let refused = run(desk.cli(), &["device", "limit", &text(terminal, "id"), "--rate", "0"]);
    expect_refusal(&refused, 2, "bad-request");
}
