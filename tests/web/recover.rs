//! Mei forgot her password: her 24 words let her in, and lock out whoever was in.

use beckon_tests::{
    Account, Server,
    page::{Page, button, css, field, heading, link, text},
};

use crate::scene;

#[test]
fn the_words_set_a_new_password_and_end_all_other_sessions() {
    let server = Server::start();
    let account = Account::sign_up(&server, "mei");
    let words = std::fs::read_to_string(account.recovery_file()).unwrap();
    let elsewhere = scene::sign_in(&server, "mei");
    let page = Page::open(&format!("{}/sign-in", server.url()));
    page.click(link("Use recovery key"));
    page.see(heading("Recover your account"));
    page.expect_accessible();
    page.fill(field("Name"), "mei");
    page.fill(field("Recovery words"), words.trim());
    page.see(text("24 of 24 words"));
    page.fill(field("New password"), "another horse of mei");
    page.screenshot("recover");
    page.click(button("Set new password"));
    page.see_path("/machines");
    elsewhere.see_path("/sign-in");
    elsewhere.see(text("The session has ended. Sign in again."));
    elsewhere.screenshot("sign-in-ended");
    elsewhere.expect_accessible();
    scene::sign_in_here(&elsewhere, "mei", &scene::password_of("mei"));
    elsewhere.see(text("Name and password do not match."));
    elsewhere.fill(field("Password"), "another horse of mei");
    elsewhere.click(button("Sign in"));
    elsewhere.see_path("/machines");
}

#[test]
fn mistakes_in_the_words_are_told_by_their_place() {
    let server = Server::start();
    let account = Account::sign_up(&server, "mei");
    let words = std::fs::read_to_string(account.recovery_file()).unwrap();
    let words: Vec<&str> = words.split_whitespace().collect();
    let page = Page::open(&format!("{}/recover", server.url()));
    page.fill(field("Name"), "mei");
    page.fill(field("New password"), "another horse of mei");
    let try_words = |typed: String, said: &str| {
        page.fill(field("Recovery words"), &typed);
        page.click(button("Set new password"));
        page.see(text(said));
    };
    try_words(words[..23].join(" "), "The recovery key has 24 words; here are 23.");
    let mut mistyped = words.clone();
    mistyped[4] = "beckon";
    try_words(mistyped.join(" "), "Word 5 is not one of the recovery words.");
    page.see_count(css("[aria-invalid=true]"), 1);
    page.expect_accessible();
    let other = Account::sign_up(&Server::start(), "ann");
    let other = std::fs::read_to_string(other.recovery_file()).unwrap();
    page.fill(field("Recovery words"), other.trim());
    page.click(button("Set new password"));
    page.see(text("Name and recovery words do not match. Check both."));
}
