//! The password never leaves the browser, and nothing that opens the account does: every byte that it sends is looked at.

use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use beckon_shared::{
    api::account::{Proved, SignInStart},
    password::{self, PasswordSecrets, WrapKind},
};
use beckon_tests::{
    Server, curl,
    page::{Page, button, css, field, heading, role, text},
};
use serde_json::json;

use crate::{scene, wire::Wire};

/// Long and odd enough that no chance puts it on the wire.
const PASSWORD: &str = "correct horse of mei";
const NEW_PASSWORD: &str = "the second Pferd of mei, längst gewählt";

#[test]
fn nothing_that_opens_the_account_is_sent() {
    let server = Server::start();
    let wire = Wire::to("127.0.0.1", server.address());
    let page = Page::open(&format!("{}/setup", wire.url()));
    page.see(field("Set-up code"));
    listen_to_sockets(&page);
    page.go(&format!("/setup#{}", server.set_up_code()));
    page.reload();
    scene::make_account(&page, "mei");
    page.click(button("Skip for now"));
    page.see_path("/machines");
    sign_out(&page);
    scene::sign_in_here(&page, "mei", "wrong horse of mei");
    page.see(text("Name and password do not match."));
    page.fill(field("Password"), PASSWORD);
    page.click(button("Sign in"));
    page.see_path("/machines");
    let first = Secrets::of(&server, "mei", PASSWORD);
    change_password(&page);
    let second = Secrets::of(&server, "mei", NEW_PASSWORD);
    page.see(role("button", "Account: mei"));

    let (http, frames) = (wire.sent(), sent_frames(&page));
    assert!(frames.len() > 100, "no frames of sockets were heard");
    // What is meant to be sent is found, so what must not be would be, too.
    assert!(
        holds(&http, first.auth.as_slice()),
        "the proof of the password was not heard"
    );
    assert!(
        holds(&http, second.auth.as_slice()),
        "the proof of the new password was not heard"
    );
    for (what, secret) in first
        .forbidden(PASSWORD)
        .into_iter()
        .chain(second.forbidden(NEW_PASSWORD))
    {
        assert!(!holds(&http, &secret), "{what} was sent over HTTP");
        assert!(!holds(&frames, &secret), "{what} was sent over a socket");
    }
    assert!(!holds(&http, b"wrong horse of mei"), "a mistyped password was sent");
}

#[test]
fn what_is_sent_is_heard_in_every_form() {
    let server = Server::start();
    let wire = Wire::to("127.0.0.1", server.address());
    let page = Page::open(&format!("{}/sign-in", wire.url()));
    page.see(css("main"));
    listen_to_sockets(&page);
    page.reload();
    page.see(css("main"));
    let body = "const [secret, done] = arguments;
        const headers = { 'x-beckon': '1', 'content-type': 'application/json' };
        (async () => {
            await fetch('/api/status?a=' + encodeURIComponent(secret));
            await fetch('/api/sign-in/start', { method: 'POST', headers, body: JSON.stringify({ name: btoa('x' + secret) }) });
            // Sending fails before the socket is open; it was heard by then.
            const socket = new WebSocket(location.origin.replace('http', 'ws') + '/socket', 'none');
            try { socket.send(new TextEncoder().encode(secret)); } catch {}
            socket.addEventListener('error', () => done(true));
        })();";
    page.expect_error("WebSocket");
    page.script_async(body, &[json!("a secret in clear")]);
    let http = wire.sent();
    assert!(holds(&http, b"a secret in clear"));
    let encoded = STANDARD.encode("xa secret in clear");
    assert!(http.windows(encoded.len()).any(|part| part == encoded.as_bytes()));
    assert!(holds(&sent_frames(&page), b"a secret in clear"));
}

/// Says every frame that goes out, before it does.
fn listen_to_sockets(page: &Page) {
    let source = "const send = WebSocket.prototype.send;
        WebSocket.prototype.send = function (data) {
            const bytes = typeof data === 'string' ? new TextEncoder().encode(data)
                : new Uint8Array(data.buffer ? data.buffer.slice(data.byteOffset, data.byteOffset + data.byteLength) : data);
            const kept = JSON.parse(sessionStorage.getItem('heard') || '[]');
            kept.push(Array.from(bytes));
            sessionStorage.setItem('heard', JSON.stringify(kept));
            return send.call(this, data);
        };";
    page.devtools("Page.addScriptToEvaluateOnNewDocument", json!({ "source": source }));
}

fn sent_frames(page: &Page) -> Vec<u8> {
    let heard = page.script("return JSON.parse(sessionStorage.getItem('heard') || '[]').flat()", &[]);
    let bytes = heard.as_array().expect("bytes");
    bytes
        .iter()
        .map(|byte| u8::try_from(byte.as_u64().unwrap()).unwrap())
        .collect()
}

fn sign_out(page: &Page) {
    page.click(button("Account: mei"));
    page.click(role("menuitem", "Sign out"));
    page.see_path("/sign-in");
}

fn change_password(page: &Page) {
    page.go("/settings");
    page.see(heading("Settings"));
    page.click(button("Change password"));
    page.fill(field("Current password"), PASSWORD);
    page.fill(field("New password"), NEW_PASSWORD);
    page.click(css("dialog button[type=submit]"));
    page.see(text("The password is changed; all other sessions have ended"));
}

/// All that a password yields, made once more outside the browser.
struct Secrets {
    auth: Vec<u8>,
    root: Vec<u8>,
    kek: Vec<u8>,
    account_key: Vec<u8>,
}

impl Secrets {
    fn of(server: &Server, name: &str, password: &str) -> Self {
        let start: SignInStart = post(server, "/api/sign-in/start", &json!({ "name": name }));
        let secrets = password::derive(password, &start.salt.0, &start.params).expect("secrets");
        let auth = URL_SAFE_NO_PAD.encode(secrets.auth.as_bytes());
        let proved: Proved = post(server, "/api/sign-in", &json!({ "name": name, "auth": auth }));
        let key = secrets
            .kek
            .unwrap(&proved.wrapped.0, &proved.account, WrapKind::Password, 1)
            .expect("the key");
        let both = secrets.to_bytes();
        Self {
            auth: both[..PasswordSecrets::LEN / 2].to_vec(),
            kek: both[PasswordSecrets::LEN / 2..].to_vec(),
            root: root(password, &start),
            account_key: key.to_bytes().to_vec(),
        }
    }

    fn forbidden(&self, password: &str) -> Vec<(&'static str, Vec<u8>)> {
        let wide = password.encode_utf16().flat_map(u16::to_le_bytes).collect();
        vec![
            ("the password", password.as_bytes().to_vec()),
            ("the password in UTF-16", wide),
            (
                "a fast hash of the password",
                blake3::hash(password.as_bytes()).as_bytes().to_vec(),
            ),
            ("what Argon2 made of it", self.root.clone()),
            ("the key-encryption key", self.kek.clone()),
            ("the account key", self.account_key.clone()),
        ]
    }
}

fn root(password: &str, start: &SignInStart) -> Vec<u8> {
    let costs = start.params;
    let params = argon2::Params::new(costs.memory_kib, costs.passes, costs.lanes, Some(32)).expect("costs");
    let mut root = vec![0; 32];
    argon2::Argon2::new(argon2::Algorithm::Argon2id, argon2::Version::V0x13, params)
        .hash_password_into(password.as_bytes(), &start.salt.0, &mut root)
        .expect("a root");
    root
}

fn post<T: serde::de::DeserializeOwned>(server: &Server, path: &str, body: &serde_json::Value) -> T {
    let body = body.to_string();
    let url = format!("{}{path}", server.url());
    let headers = [
        "-H",
        "x-beckon: 1",
        "-H",
        "content-type: application/json",
        "-d",
        body.as_str(),
        url.as_str(),
    ];
    serde_json::from_str(&curl(headers).expect_status(200).text()).expect("an answer")
}

/// Whether bytes hold a secret: as it is, as hex, percent-encoded, in JSON, or anywhere inside base64.
fn holds(bytes: &[u8], secret: &[u8]) -> bool {
    forms(secret)
        .iter()
        .any(|form| bytes.windows(form.len()).any(|part| part == form))
}

fn forms(secret: &[u8]) -> Vec<Vec<u8>> {
    let percent: String = secret
        .iter()
        .map(|byte| match byte.is_ascii_alphanumeric() {
            true => char::from(*byte).to_string(),
            false => format!("%{byte:02X}"),
        })
        .collect();
    let mut forms = vec![
        secret.to_vec(),
        hex::encode(secret).into_bytes(),
        hex::encode_upper(secret).into_bytes(),
        percent.clone().into_bytes(),
        percent.replace("%20", "+").into_bytes(),
    ];
    // Base64 of other bytes with the secret among them looks in three ways; the ends depend on their neighbours.
    for before in 0..3 {
        let padded = [vec![0; before], secret.to_vec()].concat();
        let (skip, whole) = ([0, 2, 3][before], padded.len() * 8 / 6);
        for engine in [&STANDARD, &URL_SAFE_NO_PAD] {
            forms.push(engine.encode(&padded).as_bytes()[skip..whole].to_vec());
        }
    }
    forms
}
