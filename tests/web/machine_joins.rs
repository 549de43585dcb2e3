//! Mei adds a machine: she copies the line from the page, runs it there, and the machine appears by itself.

use std::{env, path::Path, process::Command, time::Duration};

use beckon_tests::{
    Account, Machine, Process, Server, binary,
    page::{Options, Page, button, css, field, heading, link, role, text},
    sample,
};
use tempfile::TempDir;
use thirtyfour::Key;

use crate::scene;

/// How long the line may take until the machine is online.
const LONG: Duration = Duration::from_secs(60);

/// A shell that runs the line, as its user would. Dropping it ends what it runs.
struct Shell {
    process: Process,
    home: TempDir,
}

impl Shell {
    fn run(line: &str) -> Self {
        let home = tempfile::tempdir().unwrap();
        sample::text(&home.path().join("My documents/letter.txt"), "Dear all");
        let file = home.path().join("line.sh");
        std::fs::write(&file, format!("{line}\n")).unwrap();
        let programs = binary::path("beckon").parent().map(Path::to_owned).unwrap();
        let path = format!("{}:{}", programs.display(), env::var("PATH").unwrap_or_default());
        let through = ["sh".into(), file.into_os_string()];
        let log = home.path().join("log");
        let process = Process::start_through(&through, "beckon", "shell", &log, |command| {
            command.env("HOME", home.path()).env("PATH", path);
            command.env("BECKON_STATE", home.path().join("state"));
        });
        Self { process, home }
    }
}

impl Drop for Shell {
    fn drop(&mut self) {
        // The agent is a child of the shell, and would outlive it.
        let state = self.home.path().join("state");
        let stopped = Command::new(binary::path("beckon"))
            .arg("--state")
            .arg(state)
            .arg("stop")
            .status();
        assert!(stopped.is_ok(), "{stopped:?}");
    }
}

#[test]
fn the_line_on_the_page_makes_a_machine_that_appears_by_itself() {
    let server = Server::start();
    let page = scene::sign_up(&server, "mei");
    page.see(heading("No machines yet"));
    page.screenshot("machines-empty");
    page.click(link("Add machine"));
    page.see(heading("Add a machine"));
    page.fill(field("Folder to open"), "~/My documents");
    page.see(text("Waiting for the machine …"));
    page.screenshot("add-machine");
    page.expect_accessible();
    let line = page.script("return document.querySelector('.command code').textContent", &[]);
    let line = line.as_str().unwrap();
    assert!(line.contains("beckon join "), "{line}");
    // The network of whoever runs this is none of the story's.
    let shell = Shell::run(&line.replacen("beckon join ", "beckon join --no-lan ", 1));
    let name = shell.process.wait_for_line("online as ", LONG);
    let name = name.split(' ').next().unwrap().to_owned();
    page.see(text(format!("{name} joined.")));
    page.see(text("Its folders can be opened now."));
    page.press(Key::Escape);
    page.see_gone(heading("Add a machine"));
    page.see(text("joined by code"));
    page.see_focus(&format!("a \"{name}\""));
    page.click(button("Confirm"));
    page.see_gone(text("joined by code"));
    page.expect_accessible();
    page.click(link(&name));
    page.see(text("My documents"));
    drop(shell);
}

#[test]
fn a_machine_that_another_terminal_confirmed_is_marked_until_it_is_confirmed_here() {
    let server = Server::start();
    let ann = Account::sign_up(&server, "ann");
    let page = scene::sign_in(&server, "ann");
    page.see(heading("No machines yet"));
    let machine = Machine::join(&ann, "desk").start();
    page.see(text("joined by code"));
    ann.cli().run(["device", "confirm", "desk"]).expect_ok();
    page.see(css(".badge.warn[title*='which this browser cannot check']"));
    page.go(&format!("/device/{}", machine.id()));
    page.see(text("The server says that it was confirmed on another terminal"));
    page.expect_accessible();
    page.click(button("Confirm"));
    page.see_gone(button("Confirm"));
    page.see(text("desk is confirmed as your machine"));
    page.see(text("joined by a join code, which was confirmed"));
    page.see_focus("h1 \"desk\"");
    page.go("/machines");
    page.see(link("desk"));
    assert!(!page.has(text("joined by code")), "it is marked again");
    // Who sees the list for the first time has the server's word only.
    let other = scene::sign_in(&server, "ann");
    other.see(link("desk"));
    assert!(!other.has(text("joined by code")));
}

#[test]
fn the_command_follows_the_system_and_the_folder() {
    let server = Server::start();
    let page = scene::sign_up(&server, "mei");
    page.go("/machines#add");
    page.see(heading("Add a machine"));
    page.see(text("&& beckon run"));
    page.click(button("Windows"));
    page.see(text("if ($?) { beckon run }"));
    assert_eq!(page.value(field("Folder to open")), "~\\Documents");
    page.fill(field("Folder to open"), "nowhere");
    page.see(text("Write a folder of that machine"));
    page.click(button("Linux"));
    page.fill(field("Folder to open"), "/srv/it's");
    page.see(text("'\\''"));
    page.click(role("checkbox", "Allow Beckon to write into this folder"));
    page.see(text(":rw"));
    page.expect_accessible();
}

#[test]
fn on_a_phone_the_dialog_is_a_sheet() {
    let server = Server::start();
    drop(scene::sign_up(&server, "mei"));
    let phone: Page = scene::sign_in_with(Options::default().phone(), &server, "mei");
    phone.click(link("Add machine"));
    phone.see(heading("Add a machine"));
    phone.screenshot("add-machine");
    phone.expect_accessible();
    let bottom = phone.script(
        "return innerHeight - document.querySelector('dialog[open]').getBoundingClientRect().bottom",
        &[],
    );
    assert!(
        bottom.as_f64().unwrap().abs() < 2.0,
        "the sheet does not stand at the bottom: {bottom}"
    );
}
