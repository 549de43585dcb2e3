//! Mei lets Ann in: the link holds a code, and Ann makes an account of her own.

use beckon_tests::{
    Server,
    page::{Page, button, field, heading, role, text},
};

use crate::scene;

#[test]
fn who_is_invited_makes_an_account_of_their_own() {
    let server = Server::start();
    let mei = scene::sign_up(&server, "mei");
    let code = invite(&mei);
    let page = Page::open(&format!("{}/invite#{code}", server.url()));
    page.see(heading("Join Beckon"));
    assert!(!page.url().contains('#'), "the code stays in the address");
    page.screenshot("invite");
    page.expect_accessible();
    // Names are unique without case; the code is not used up by the try.
    page.fill(field("Name"), "MEI");
    page.fill(field("Password"), &scene::password_of("ann"));
    page.click(button("Continue"));
    page.click(role("checkbox", "I have put the words in a safe place"));
    page.click(button("Create account"));
    page.see(text("This name is taken on this server. Choose another one."));
    page.see(text(
        "The password that you typed and your recovery words stay as they are.",
    ));
    page.fill(field("Name"), "ann");
    page.click(button("Continue"));
    page.click(role("checkbox", "I have put the words in a safe place"));
    page.click(button("Create account"));
    page.see(heading("Add your first machine"));
    page.click(button("Skip for now"));
    page.see(button("Account: ann"));
    scene::sign_in(&server, "ann");

    let late = Page::open(&format!("{}/invite#{code}", server.url()));
    late.fill(field("Name"), "bob");
    late.fill(field("Password"), &scene::password_of("bob"));
    late.click(button("Continue"));
    late.click(role("checkbox", "I have put the words in a safe place"));
    late.click(button("Create account"));
    late.see(text("The server does not take this code."));
}

fn invite(page: &Page) -> String {
    let body = "const done = arguments[0];
        fetch('/api/admin/invitations', {
            method: 'POST', headers: { 'x-beckon': '1', 'content-type': 'application/json' },
            body: JSON.stringify({ hours: 24, admin: false, quota: null }),
        }).then((answer) => answer.json()).then((invitation) => done(invitation.code));";
    page.script_async(body, &[]).as_str().expect("a code").to_owned()
}
