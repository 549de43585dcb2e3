//! How fast a machine may send is set in one browser and seen in all.

use beckon_tests::{
    Account, Machine, Server,
    page::{button, css, field, role, text},
};

use crate::scene;

#[test]
fn limits_are_checked_beside_their_fields_and_seen_on_all_terminals() {
    let server = Server::start();
    let ann = Account::sign_up(&server, "ann");
    let machine = Machine::join(&ann, "desk").start();
    let (here, there) = (scene::sign_in(&server, "ann"), scene::sign_in(&server, "ann"));
    for page in [&here, &there] {
        page.go(&format!("/device/{}", machine.id()));
        page.see(text("As fast as it can"));
    }
    here.click(button("Change …"));
    here.click(role("checkbox", "No limit"));
    here.click(button("Save"));
    here.see(text("Write a speed as a number"));
    here.fill(field("At most"), "0,0001");
    here.see_gone(text("Write a speed as a number"));
    here.click(button("Save"));
    here.see(text("Less than 1,024 bytes a second gets nowhere."));
    here.fill(field("At most"), "2,5");
    here.click(role("checkbox", "Full speed each day"));
    here.script(
        "const until = document.querySelectorAll('dialog[open] input[type=time]')[1];
         until.value = '22:00'; until.dispatchEvent(new Event('input', { bubbles: true }));",
        &[],
    );
    here.click(button("Save"));
    here.see(text("From and until are the same time"));
    here.expect_accessible();
    here.screenshot("device-limits");
    here.script(
        "const until = document.querySelectorAll('dialog[open] input[type=time]')[1];
         until.value = '07:30'; until.dispatchEvent(new Event('input', { bubbles: true }));",
        &[],
    );
    here.click(button("Save"));
    here.see_gone(css("dialog[open]"));
    for page in [&here, &there] {
        page.see(text("At most 2.5 MB/s; at full speed from 22:00 to 07:30"));
    }
    let shown = ann.cli().run(["--json", "device", "show", "desk"]).json();
    let expected = serde_json::json!({ "rate": 2_500_000, "full_speed": { "from": 1320, "to": 450 } });
    assert_eq!(shown["limits"], expected);
    ann.cli().run(["device", "limit", "desk", "--none"]).expect_ok();
    here.see(text("As fast as it can"));
    here.click(button("Change …"));
    here.see(css("dialog[open] input[type=checkbox]:checked"));
}
