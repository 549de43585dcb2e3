//! Ann keeps a copy of a machine's folder on another one, and chooses where both sides were changed.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use beckon_tests::{
    Account, Machine, Server,
    page::{Page, button, css, heading, link, role, text},
    sample, wait_until,
};
use tempfile::TempDir;

use crate::{browse_a_machine::row, scene};

const LONG: Duration = Duration::from_secs(90);

/// `desk` with a folder, `nas` with one that may be written and one that may not, and a browser at the folder of `desk`.
struct Two {
    page: Page,
    ann: Account,
    desk: Machine,
    nas: Machine,
    files: TempDir,
    backup: TempDir,
    _media: TempDir,
    _server: Server,
}

impl Two {
    fn new() -> Self {
        let server = Server::start();
        let ann = Account::sign_up(&server, "ann");
        let [files, backup, media] = [(); 3].map(|()| tempfile::tempdir().unwrap());
        sample::text(&files.path().join("plan.txt"), "the plan");
        sample::text(&files.path().join("Kestrel/notes.txt"), "notes");
        let desk = Machine::join(&ann, "desk").root("Documents", files.path()).start();
        let nas = Machine::join(&ann, "nas")
            .writable_root("Backup", backup.path())
            .root("Media", media.path())
            .start();
        let page = scene::sign_in(&server, "ann");
        page.set_limit(LONG);
        page.see(text("nas"));
        let two = Self {
            page,
            ann,
            desk,
            nas,
            files,
            backup,
            _media: media,
            _server: server,
        };
        two.open_documents();
        two
    }

    fn open_documents(&self) {
        self.page.go(&format!("/machine/{}", self.desk.id()));
        self.page.click(row("Documents"));
    }

    /// Where a file of the copy lies.
    fn copied(&self, name: &str) -> PathBuf {
        self.backup.path().join("Documents").join(name)
    }

    #[track_caller]
    fn wait_for(&self, file: &Path, content: &str) {
        wait_until("the copy holds it", LONG, || {
            fs::read_to_string(file).is_ok_and(|found| found == content)
        });
    }
}

#[test]
fn a_copy_is_asked_for_in_a_dialog_and_kept_current() {
    let two = Two::new();
    let page = &two.page;
    page.click(button("Keep a copy …"));
    page.see(heading("Keep a copy of desk/Documents"));
    page.see(text("run on nas itself: beckon roots writable Media on"));
    page.see(role("checkbox", "Keep Documents uploaded too"));
    page.expect_accessible();
    page.screenshot("copy-dialog");
    page.click(button("Make the copy"));
    page.see_gone(css("dialog[open]"));
    two.wait_for(&two.copied("plan.txt"), "the plan");
    two.wait_for(&two.copied("Kestrel/notes.txt"), "notes");
    page.see(css(".switch[aria-checked='true']"));
    page.see(link("Kept as a copy on nas/Backup/Documents"));
    sample::text(&two.files.path().join("later.txt"), "later");
    two.wait_for(&two.copied("later.txt"), "later");
    page.expect_accessible();
    page.screenshot("machine-copied");
    page.go(&format!("/machine/{}", two.nas.id()));
    page.see(link("Holds a copy of desk/Documents"));
    // It is found by what it is, whatever it is called.
    two.ann.cli().run(["device", "rename", "desk", "office"]).expect_ok();
    page.see(link("Holds a copy of office/Documents"));
    page.go(&format!("/machine/{}", two.desk.id()));
    page.see(link("Kept as a copy on nas/Backup/Documents"));
    page.click(link("Kept as a copy on nas/Backup/Documents"));
    page.see(heading("Documents"));
    page.see(text("Following"));
    page.see(text("From the server"));
    page.expect_accessible();
    page.screenshot("transfer-follow");
    page.click(button("Stop following"));
    page.see(text("Stopped"));
    assert!(two.copied("plan.txt").exists(), "what was copied stays");
}

#[test]
fn a_file_that_both_sides_changed_is_chosen_by_one_click() {
    let two = Two::new();
    let page = &two.page;
    page.click(button("Keep a copy …"));
    page.click(button("Make the copy"));
    let copy = two.copied("plan.txt");
    two.wait_for(&copy, "the plan");
    // It is an edit of the copy only once that stands.
    two.page.see(css(".relations .state[data-state='current']"));
    sample::text(&copy, "changed on nas");
    sample::text(&two.files.path().join("plan.txt"), "changed on desk");
    two.wait_for(&copy, "changed on desk");
    page.go("/transfers");
    page.see(heading("Needs you"));
    page.screenshot("transfers-conflict");
    page.click(button("Choose"));
    page.see(heading("Changed on the machine"));
    page.see(text("Documents/plan.txt"));
    page.see(text("At the source, desk"));
    page.see(text("In the copy, on nas"));
    page.expect_accessible();
    page.screenshot("conflict");
    page.click(button("Keep the copy’s"));
    two.wait_for(&copy, "changed on nas");
    page.see(text("Nothing is left to choose."));
    page.see_focus("h2 \"Changed on the machine\"");
    page.go("/transfers");
    page.see_gone(text("Waits for a choice"));
}

#[test]
fn a_conflict_on_a_machine_that_is_away_waits_for_it() {
    let mut two = Two::new();
    two.page.click(button("Keep a copy …"));
    two.page.click(button("Make the copy"));
    let copy = two.copied("plan.txt");
    two.wait_for(&copy, "the plan");
    // It is an edit of the copy only once that stands.
    two.page.see(css(".relations .state[data-state='current']"));
    sample::text(&copy, "changed on nas");
    sample::text(&two.files.path().join("plan.txt"), "changed on desk");
    two.page.go("/transfers");
    two.page.click(button("Choose"));
    two.page.see(button("Keep both"));
    two.nas.stop();
    two.page.see(text("nas is away. Which files these are"));
    two.nas.restart();
    two.page.click(button("Keep both"));
    two.page.see(text("Nothing is left to choose."));
}
