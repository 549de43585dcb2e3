//! Mei opens the set-up link, makes the first account and keeps her recovery words.

use beckon_tests::{
    Server,
    page::{Options, Page, button, css, field, heading, role, text},
};

use crate::scene;

#[test]
fn the_first_account_is_made_in_the_browser() {
    let server = Server::start();
    let page = Page::open(&format!("{}/setup#{}", server.url(), server.set_up_code()));
    page.see(heading("Set up Beckon"));
    page.see_path("/setup");
    assert!(
        !page.url().contains('#'),
        "the code stays in the address: {}",
        page.url()
    );
    assert_eq!(page.value(field("Set-up code")), server.set_up_code());
    page.reload();
    page.see(heading("Set up Beckon"));
    assert_eq!(
        page.value(field("Set-up code")),
        server.set_up_code(),
        "a reload lost the code"
    );
    page.fill(field("Name"), "mei");
    page.fill(field("Password"), &scene::password_of("mei"));
    page.screenshot("set-up");
    page.expect_accessible();
    page.click(button("Continue"));
    page.see(heading("Keep your recovery key"));
    page.see_count(css(".words li"), 24);
    assert_eq!(
        page.attribute(button("Create account"), "disabled").as_deref(),
        Some("true")
    );
    page.click(role("checkbox", "I have put the words in a safe place"));
    page.screenshot("set-up-recovery");
    page.expect_accessible();
    page.click(button("Create account"));
    page.see(heading("Add your first machine"));
    page.screenshot("set-up-machine");
    page.expect_accessible();
    page.click(button("Skip for now"));
    page.see_path("/machines");
    page.reload();
    page.see_path("/machines");
    page.see(button("Account: mei"));
}

#[test]
fn words_are_told_in_both_languages_and_do_not_change_with_them() {
    let server = Server::start();
    let options = Options::default().phone().dark();
    let page = Page::open_with(options, &format!("{}/setup#{}", server.url(), server.set_up_code()));
    page.fill(field("Name"), "mei");
    page.fill(field("Password"), &scene::password_of("mei"));
    page.click(button("Continue"));
    page.see(heading("Keep your recovery key"));
    let words = page.read_all(css(".words li"));
    page.click(button("English"));
    page.see(heading("请保存恢复密钥"));
    assert_eq!(page.read_all(css(".words li")), words);
    page.screenshot("set-up-recovery-chinese");
    page.expect_accessible();
}

#[test]
fn going_back_to_another_name_leaves_the_words_as_they_were() {
    let server = Server::start();
    let page = Page::open(&format!("{}/setup#{}", server.url(), server.set_up_code()));
    page.fill(field("Name"), "mei");
    page.fill(field("Password"), &scene::password_of("mei"));
    page.click(button("Continue"));
    page.see_count(css(".words li"), 24);
    let words = page.read_all(css(".words li"));
    page.click(button("Back"));
    page.fill(field("Name"), "lin");
    page.fill(field("Password"), &scene::password_of("lin"));
    page.click(button("Continue"));
    page.see_count(css(".words li"), 24);
    assert_eq!(page.read_all(css(".words li")), words);
}

#[test]
fn saved_words_are_those_on_the_screen_and_recover_the_account() {
    let server = Server::start();
    let page = Page::open(&format!("{}/setup#{}", server.url(), server.set_up_code()));
    page.fill(field("Name"), "mei");
    page.fill(field("Password"), &scene::password_of("mei"));
    page.click(button("Continue"));
    page.click(button("Save as file"));
    let file = std::fs::read_to_string(page.downloaded("beckon-recovery-key.txt")).unwrap();
    for word in page.read_all(css(".words li")) {
        assert!(file.contains(&word), "{word} is not in {file}");
    }
    assert!(file.contains(server.url()));
    page.click(role("checkbox", "I have put the words in a safe place"));
    page.click(button("Create account"));
    page.see(heading("Add your first machine"));
    let elsewhere = Page::open(&format!("{}/recover", server.url()));
    elsewhere.fill(field("Name"), "mei");
    elsewhere.fill(field("Recovery words"), &file);
    elsewhere.see(text("24 of 24 words"));
    elsewhere.fill(field("New password"), "another horse of mei");
    elsewhere.click(button("Set new password"));
    elsewhere.see_path("/machines");
}

#[test]
fn a_mistyped_code_is_told_while_it_is_typed() {
    let server = Server::start();
    let page = Page::open(&format!("{}/setup", server.url()));
    page.fill(field("Set-up code"), "abcd");
    page.fill(field("Name"), "a/b");
    page.fill(field("Password"), "short");
    page.click(button("Continue"));
    page.see(text(
        "The code has 28 letters and digits; here are 4. Copy it again, whole.",
    ));
    page.see(text("Choose a password of at least 8 characters."));
    page.see_count(css("[aria-invalid=true]"), 3);
    page.expect_accessible();
    page.screenshot("set-up-problems");
    let mut wrong = server.set_up_code();
    let last = wrong.pop();
    wrong.push(if last == Some('0') { '1' } else { '0' });
    page.fill(field("Set-up code"), &wrong);
    page.see(text("The code has a typing error. Compare it with the original."));
    page.fill(field("Set-up code"), &server.set_up_code().to_lowercase());
    page.see(text("The code is complete"));
}

#[test]
fn a_code_of_another_server_leads_back_to_its_field() {
    let (server, other) = (Server::start(), Server::start());
    let page = Page::open(&format!("{}/setup#{}", server.url(), other.set_up_code()));
    page.fill(field("Name"), "mei");
    page.fill(field("Password"), &scene::password_of("mei"));
    page.click(button("Continue"));
    page.click(role("checkbox", "I have put the words in a safe place"));
    page.click(button("Create account"));
    page.see(text("The server does not take this code."));
    assert_eq!(page.value(field("Name")), "mei");
}

#[test]
fn a_server_that_has_its_account_sends_newcomers_to_the_sign_in() {
    let server = Server::start();
    drop(scene::sign_up(&server, "mei"));
    let page = Page::open(&format!("{}/setup", server.url()));
    page.see(heading("This server has its account"));
    page.expect_accessible();
    page.click(beckon_tests::page::link("Sign in"));
    page.see(field("Password"));
}

#[test]
fn a_server_without_accounts_says_how_to_begin() {
    let server = Server::start();
    let page = Page::open(&format!("{}/drive", server.url()));
    page.see(heading("This server is not set up yet"));
    page.screenshot("sign-in-before-set-up");
    page.expect_accessible();
}
