//! Ann has an older state of a file written onto another machine, which is away for a while.

use std::{fs, time::Duration};

use beckon_tests::{
    Account, Machine, Server,
    page::{button, css, field, heading, role, text},
    sample, wait_until,
};

use crate::scene;

const LONG: Duration = Duration::from_secs(90);

#[test]
fn an_older_state_is_written_to_a_machine_that_comes_back_later() {
    let server = Server::start();
    let ann = Account::sign_up(&server, "ann");
    let [files, backup] = [(); 2].map(|()| tempfile::tempdir().unwrap());
    let plan = files.path().join("plan.txt");
    let _desk = Machine::join(&ann, "desk").root("Documents", files.path()).start();
    let mut nas = Machine::join(&ann, "nas")
        .writable_root("Backup", backup.path())
        .start();
    let page = scene::sign_in(&server, "ann");
    let store = |content: &str| {
        sample::text(&plan, content);
        ann.cli().run(["upload", "desk:Documents", "--wait"]).expect_ok();
    };
    store("the first plan");
    let now = "const now = Date.now(); while (Date.now() <= now + 2) {} return new Date(now + 1).toISOString();";
    let then = page.script(now, &[]).as_str().expect("a time").to_owned();
    store("another plan");
    page.go(&format!("/drive/desk/Documents?at={then}"));
    page.right_click(role("row", "plan.txt"));
    page.click(role("menuitem", "Restore to a machine …"));
    page.see(heading("Restore plan.txt to a machine"));
    page.see(role("radio", "Backup"));
    page.expect_accessible();
    page.screenshot("restore-dialog");
    page.fill(field("File in it"), " ");
    page.click(button("Restore"));
    page.see(text("A file needs a name."));
    page.fill(field("File in it"), "back/plan.txt");
    let typed = page.focus();
    nas.stop();
    // The dialog is below the list of machines, which says so.
    wait_until("the server knows that it is away", LONG, || {
        let machines = ann.cli().run(["--json", "machines"]).json();
        machines
            .as_array()
            .is_some_and(|all| all.iter().any(|one| one["name"] == "nas" && one["online"] == false))
    });
    assert_eq!(page.focus(), typed, "the keyboard stays where it was");
    assert_eq!(page.value(field("File in it")), "back/plan.txt");
    page.click(button("Restore"));
    page.see(text("nas is away. It begins by itself when it is back."));
    page.see_gone(css("dialog[open]"));
    nas.restart();
    let restored = backup.path().join("back/plan.txt");
    wait_until("it is written", LONG, || {
        fs::read_to_string(&restored).is_ok_and(|content| content == "the first plan")
    });
}

#[test]
fn what_a_removed_machine_stored_is_restored_once() {
    let server = Server::start();
    let ann = Account::sign_up(&server, "ann");
    let [files, backup] = [(); 2].map(|()| tempfile::tempdir().unwrap());
    sample::text(&files.path().join("plan.txt"), "the plan");
    let _stolen = Machine::join(&ann, "stolen").root("Documents", files.path()).start();
    let _nas = Machine::join(&ann, "nas")
        .writable_root("Backup", backup.path())
        .start();
    ann.cli().run(["upload", "stolen:Documents", "--wait"]).expect_ok();
    let password = ann.password_file().display().to_string();
    ann.cli()
        .run(["device", "revoke", "stolen", "--password-file", &password])
        .expect_ok();
    let page = scene::sign_in(&server, "ann");
    page.go("/drive/stolen");
    page.right_click(role("row", "Documents"));
    page.click(role("menuitem", "Keep a copy on a machine …"));
    page.see(text(
        "stolen was removed, so a copy of it cannot be kept up to date. Restore it to a machine instead.",
    ));
    page.right_click(role("row", "Documents"));
    page.click(role("menuitem", "Restore to a machine …"));
    page.see(heading("Restore Documents to a machine"));
    page.fill(field("Folder in it"), "back");
    page.click(button("Restore"));
    page.see_gone(css("dialog[open]"));
    let restored = backup.path().join("back/plan.txt");
    wait_until("it is written", LONG, || {
        fs::read_to_string(&restored).is_ok_and(|content| content == "the plan")
    });
}
