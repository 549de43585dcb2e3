//! Mei looks who is signed in to her account, ends a session, removes a device and changes her password.

use beckon_tests::{
    Account, Server,
    page::{button, css, field, heading, role, text},
};
use thirtyfour::Key;

use crate::scene;

#[test]
fn a_session_that_is_ended_is_signed_out_at_once() {
    let server = Server::start();
    let page = scene::sign_up(&server, "mei");
    let other = scene::sign_in(&server, "mei");
    page.go("/settings");
    page.see(heading("Settings"));
    page.see_count(css(".settings li.setting"), 2);
    page.see(text("this browser"));
    page.screenshot("settings");
    page.expect_accessible();
    page.click(button("End the session of"));
    page.see_count(css(".settings li.setting"), 1);
    other.see_path("/sign-in");
    other.see(text("The session has ended. Sign in again."));
}

#[test]
fn a_revoked_browser_says_so_and_may_come_back_as_another_device() {
    let server = Server::start();
    let account = Account::sign_up(&server, "mei");
    let page = scene::sign_in(&server, "mei");
    let device = page.script_async(
        "const done = arguments[0]; fetch('/api/sessions/current').then((answer) => answer.json()).then(done)",
        &[],
    );
    let name = device["device_name"].as_str().unwrap().to_owned();
    let password = account.password_file().display().to_string();
    account
        .cli()
        .run(["device", "revoke", &name, "--password-file", &password])
        .expect_ok();
    page.see_path("/sign-in");
    page.see(text("This browser was removed from the account."));
    page.screenshot("sign-in-revoked");
    page.expect_accessible();
    page.fill(field("Password"), &scene::password_of("mei"));
    page.click(button("Sign in"));
    page.see_path("/machines");
    let again = page.script_async(
        "const done = arguments[0]; fetch('/api/sessions/current').then((answer) => answer.json()).then(done)",
        &[],
    );
    assert_ne!(again["device"], device["device"]);
}

#[test]
fn a_new_password_takes_the_place_of_the_old_one_everywhere() {
    let server = Server::start();
    let page = scene::sign_up(&server, "mei");
    let other = scene::sign_in(&server, "mei");
    page.go("/settings");
    page.click(button("Change password"));
    page.fill(field("Current password"), "wrong horse of mei");
    page.fill(field("New password"), "another horse of mei");
    page.expect_accessible();
    page.screenshot("settings-password");
    page.click(css("dialog button[type=submit]"));
    page.see(text("This is not your current password."));
    page.fill(field("Current password"), &scene::password_of("mei"));
    page.click(css("dialog button[type=submit]"));
    page.see(text("The password is changed; all other sessions have ended"));
    other.see_path("/sign-in");
    page.reload();
    page.see(heading("Settings"));
    other.fill(field("Password"), "another horse of mei");
    other.click(button("Sign in"));
    other.see_path("/machines");
}

#[test]
fn theme_and_language_are_kept() {
    let server = Server::start();
    let page = scene::sign_up(&server, "mei");
    page.go("/settings");
    page.click(button("Dark"));
    page.see(css("html[data-theme=dark]"));
    page.screenshot("settings-dark");
    page.expect_accessible();
    page.click(button("简体中文"));
    page.see(heading("设置"));
    page.see(role("group", "主题"));
    page.reload();
    page.see(heading("设置"));
    page.see(css("html[data-theme=dark]"));
    page.screenshot("settings-chinese");
    page.expect_accessible();
}

#[test]
fn the_password_is_asked_for_again_where_the_key_is_needed_and_gone() {
    let server = Server::start();
    let page = scene::sign_up(&server, "mei");
    // With the page the account's key goes, and a join code needs it.
    page.reload();
    page.see(button("Account: mei"));
    page.go("/machines#add");
    page.see(heading("Add a machine"));
    page.see(text("Your account's key signs it, and only your password opens that."));
    page.see_count(css("dialog[open]"), 1);
    page.screenshot("add-machine-password");
    page.expect_accessible();
    page.fill(field("Password"), "wrong horse of mei");
    page.click(button("Make the command"));
    page.see(text("This is not your current password."));
    page.fill(field("Password"), &scene::password_of("mei"));
    page.see_gone(text("This is not your current password."));
    page.press(Key::Enter);
    page.see(css(".command .code"));
    assert!(page.focus().starts_with("code"), "{}", page.focus());
}

#[test]
fn a_device_is_removed_with_the_password_typed_into_the_question() {
    let server = Server::start();
    let page = scene::sign_up(&server, "mei");
    let other = scene::sign_in(&server, "mei");
    page.reload();
    page.click(button("More for Chromium on Linux (2)"));
    page.click(role("menuitem", "Remove …"));
    page.see(text("This needs your account's key, which only your password opens."));
    page.expect_accessible();
    page.fill(field("Password"), &scene::password_of("mei"));
    page.click(button("Remove browser"));
    other.see_path("/sign-in");
    other.see(text("This browser was removed from the account."));
}

#[test]
fn a_new_password_is_another_one_and_the_list_shows_who_is_left() {
    let server = Server::start();
    let page = scene::sign_up(&server, "mei");
    let _other = scene::sign_in(&server, "mei");
    page.go("/settings");
    page.see_count(css("ul[aria-label='Signed in'] li"), 2);
    page.click(button("Change password"));
    page.fill(field("Current password"), &scene::password_of("mei"));
    page.fill(field("New password"), &scene::password_of("mei"));
    page.click(css("dialog button[type=submit]"));
    page.see(text("This is the password that you have. Choose another one."));
    page.fill(field("New password"), "another horse of mei");
    page.click(css("dialog button[type=submit]"));
    page.see(text("The password is changed; all other sessions have ended"));
    page.see_count(css("ul[aria-label='Signed in'] li"), 1);
}
