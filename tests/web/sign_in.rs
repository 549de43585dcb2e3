//! Signing in and out, on one's own computer and on somebody else's.

use beckon_tests::{
    Server,
    page::{Options, Page, button, css, field, heading, link, role, text},
};

use crate::scene;

#[test]
fn a_wrong_password_is_told_under_its_field() {
    let server = Server::start();
    drop(scene::sign_up(&server, "mei"));
    let page = Page::open(&format!("{}/drive/Files", server.url()));
    page.see(heading("Sign in"));
    page.expect_accessible();
    scene::sign_in_here(&page, "mei", "wrong horse of mei");
    page.see(text(
        "Name and password do not match. Check both, or use your recovery key.",
    ));
    assert!(page.focus().contains("Password"), "{}", page.focus());
    page.screenshot("sign-in-wrong");
    page.expect_accessible();
    page.fill(field("Password"), &scene::password_of("mei"));
    page.click(button("Sign in"));
    page.see_path("/drive/Files");
}

#[test]
fn the_button_says_what_takes_so_long() {
    let server = Server::start();
    drop(scene::sign_up(&server, "mei"));
    let page = Page::open_with(Options::default().dark(), &format!("{}/sign-in", server.url()));
    page.see(field("Name"));
    // What the button says is gathered by the page itself: a test that looks from outside may come too late.
    page.script(
        "window.said = []; new MutationObserver(() => { const button = document.querySelector('button[type=submit]');
         if (button) window.said.push(button.innerText + ' ' + button.getAttribute('aria-busy')); })
         .observe(document.body, { subtree: true, childList: true, characterData: true, attributes: true });",
        &[],
    );
    scene::sign_in_here(&page, "mei", &scene::password_of("mei"));
    page.see_path("/machines");
    let said = page.script("return window.said.join('\\n')", &[]);
    assert!(said.as_str().unwrap().contains("Opening your keys true"), "{said}");
}

#[test]
fn signing_out_ends_the_session_in_every_tab_and_keeps_the_device() {
    let server = Server::start();
    let page = scene::sign_up(&server, "mei");
    page.open_tab("/machines");
    page.see(button("Account: mei"));
    page.click(button("Account: mei"));
    page.click(role("menuitem", "Sign out"));
    page.see_path("/sign-in");
    page.switch_to_tab(0);
    page.see_path("/sign-in");
    page.go("/machines");
    page.see_path("/sign-in");
    assert_eq!(page.value(field("Name")), "mei");
    page.fill(field("Password"), &scene::password_of("mei"));
    page.click(button("Sign in"));
    page.see_path("/machines");
    // The same device again, not a second one.
    let devices = "return (await (await fetch('/api/devices')).json()).length";
    let count = page.script_async(
        &format!("const done = arguments[0]; (async () => {{ {devices} }})().then(done)"),
        &[],
    );
    assert_eq!(count, 1);
}

#[test]
fn on_somebody_elses_computer_nothing_outlives_the_tab() {
    let server = Server::start();
    drop(scene::sign_up(&server, "mei"));
    let page = Page::open(&format!("{}/sign-in", server.url()));
    page.click(role("checkbox", "This is not my computer"));
    scene::sign_in_here(&page, "mei", &scene::password_of("mei"));
    page.see_path("/machines");
    page.see(button("Account: mei"));
    page.reload();
    page.see(heading("Sign in"));
    assert_eq!(page.value(field("Name")), "");
    let stored = "const names = (await indexedDB.databases()).map((one) => one.name); let count = 0;
        for (const name of names) {
          const base = await new Promise((good) => { indexedDB.open(name).onsuccess = (event) => good(event.target.result); });
          for (const store of base.objectStoreNames) {
            count += await new Promise((good) => {
              base.transaction(store).objectStore(store).count().onsuccess = (event) => good(event.target.result);
            });
          }
        }
        return count + localStorage.length - (localStorage.getItem('beckon.prefs') ? 1 : 0);";
    let count = page.script_async(
        &format!("const done = arguments[0]; (async () => {{ {stored} }})().then(done)"),
        &[],
    );
    assert_eq!(count, 0, "something is kept");
    let open = "return (await fetch('/api/sessions/current')).status";
    let status = page.script_async(
        &format!("const done = arguments[0]; (async () => {{ {open} }})().then(done)"),
        &[],
    );
    assert_eq!(status, 401, "the session outlives the tab");
}

#[test]
fn a_guests_tab_that_does_not_answer_keeps_its_session_while_it_lives() {
    let server = Server::start();
    drop(scene::sign_up(&server, "mei"));
    let page = Page::open(&format!("{}/sign-in", server.url()));
    page.click(role("checkbox", "This is not my computer"));
    scene::sign_in_here(&page, "mei", &scene::password_of("mei"));
    page.see_path("/machines");
    page.see(button("Account: mei"));
    // As a tab that the browser froze, it says nothing to others.
    page.script("BroadcastChannel.prototype.postMessage = () => {}", &[]);
    page.open_tab("/sign-in");
    page.see(heading("Sign in"));
    page.switch_to_tab(0);
    let open = "return (await fetch('/api/sessions/current')).status";
    let status = page.script_async(
        &format!("const done = arguments[0]; (async () => {{ {open} }})().then(done)"),
        &[],
    );
    assert_eq!(status, 200, "another tab ended the session");
}

#[test]
fn another_page_than_ours_is_never_the_way_back() {
    let server = Server::start();
    drop(scene::sign_up(&server, "mei"));
    for other in ["//example.org/", "/%09/example.org/"] {
        let page = Page::open(&format!("{}/sign-in?to={other}", server.url()));
        scene::sign_in_here(&page, "mei", &scene::password_of("mei"));
        page.see_path("/machines");
    }
}

#[test]
fn the_sign_in_works_on_a_phone_in_chinese() {
    let server = Server::start();
    drop(scene::sign_up(&server, "mei"));
    let page = Page::open_with(
        Options::default().phone().chinese(),
        &format!("{}/sign-in", server.url()),
    );
    page.see(heading("登录"));
    page.see(link("使用恢复密钥"));
    page.see(css("html[lang='zh-CN']"));
    page.screenshot("sign-in-chinese");
    page.expect_accessible();
}
