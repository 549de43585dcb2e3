//! How stories begin: accounts that are made and signed in to in the browser.

use beckon_tests::{
    Server,
    page::{Options, Page, button, field, heading, role},
};

/// Takes the kept files out of the browser, as where they are too large to be kept.
pub(crate) const LET_GO: &str = "
    const done = arguments[arguments.length - 1];
    const opened = indexedDB.open('beckon');
    opened.onsuccess = () => {
        const change = opened.result.transaction('upload', 'readwrite');
        const cursor = change.objectStore('upload').openCursor();
        cursor.onsuccess = () => cursor.result && cursor.result.update([cursor.result.value[0], null]);
        change.oncomplete = () => { opened.result.close(); done(true); };
    };";

/// The password of an account that a story makes, the same as [`beckon_tests::Account`] takes.
pub(crate) fn password_of(name: &str) -> String {
    format!("correct horse of {name}")
}

/// Makes the first account of a server in a new browser; the page shows its machines.
pub(crate) fn sign_up(server: &Server, name: &str) -> Page {
    sign_up_with(Options::default(), server, name)
}

/// As [`sign_up`], in a browser of one's choice.
pub(crate) fn sign_up_with(options: Options, server: &Server, name: &str) -> Page {
    let page = Page::open_with(options, &format!("{}/setup#{}", server.url(), server.set_up_code()));
    make_account(&page, name);
    page.click(button("Skip for now"));
    page.see_path("/machines");
    page
}

/// The first two steps of the set-up, from its form to the step of the first machine.
pub(crate) fn make_account(page: &Page, name: &str) {
    page.fill(field("Name"), name);
    page.fill(field("Password"), &password_of(name));
    page.click(button("Continue"));
    page.see(heading("Keep your recovery key"));
    page.click(role("checkbox", "I have put the words in a safe place"));
    page.click(button("Create account"));
    page.see(heading("Add your first machine"));
}

/// Signs in with the password in a new browser; the page shows the account's machines.
pub(crate) fn sign_in(server: &Server, name: &str) -> Page {
    sign_in_with(Options::default(), server, name)
}

/// As [`sign_in`], in a browser of one's choice.
pub(crate) fn sign_in_with(options: Options, server: &Server, name: &str) -> Page {
    let page = Page::open_with(options, &format!("{}/sign-in", server.url()));
    sign_in_here(&page, name, &password_of(name));
    page.see_path("/machines");
    page
}

/// Fills in the form of the sign-in page, which is open, and sends it.
pub(crate) fn sign_in_here(page: &Page, name: &str, password: &str) {
    page.fill(field("Name"), name);
    page.fill(field("Password"), password);
    page.click(button("Sign in"));
}
