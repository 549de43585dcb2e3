//! Files that are two things at once are looked into: nothing of them runs.

use std::fs;

use beckon_tests::{
    Account, Machine, Server,
    page::{css, heading, text},
};
use thirtyfour::Key;

use crate::{browse_a_machine::row, scene};

const RUN: &str = "<script>try{parent.pwned=1}catch(e){}window.pwned=1</script>";

fn polyglots() -> Vec<(&'static str, Vec<u8>)> {
    let join = |start: &[u8], end: &str| [start, end.as_bytes()].concat();
    vec![
        ("01 page.html", join(b"<!doctype html>", RUN)),
        (
            "02 drawing.svg",
            join(
                b"<svg xmlns='http://www.w3.org/2000/svg' width='9' height='9' onload='window.pwned=1'>",
                &format!("{RUN}</svg>"),
            ),
        ),
        ("03 gif.js", join(b"GIF89a=1;", "window.pwned=1//")),
        ("04 gif.html", join(b"GIF89a", RUN)),
        ("05 png.html", join(b"\x89PNG\r\n\x1a\n", RUN)),
        ("06 jpeg.html", join(b"\xff\xd8\xff\xe0", RUN)),
        (
            "07 paper.pdf",
            join(
                b"%PDF-1.7\n1 0 obj<</Type/Catalog/OpenAction<</S/JavaScript/JS(app.alert(1))>>>>endobj\n",
                "trailer<</Root 1 0 R>>",
            ),
        ),
        ("08 paper.html", join(b"%PDF-1.7\n", RUN)),
        ("09 sound.mp3", join(b"ID3\x04\0\0\0\0\0\0", RUN)),
        ("10 film.mp4", join(b"\0\0\0\x20ftypisom\0\0\x02\0isomiso2", RUN)),
        ("11 film.webm", join(b"\x1a\x45\xdf\xa3", RUN)),
        (
            "12 page.xhtml",
            join(b"<?xml version='1.0'?><html xmlns='http://www.w3.org/1999/xhtml'>", RUN),
        ),
        (
            "13 sheet.xsl",
            join(b"<?xml version='1.0'?><?xml-stylesheet href='#'?>", RUN),
        ),
        ("14 bitmap.bmp", join(b"BM\0\0\0\0\0\0\0\0", RUN)),
        ("15 icon.ico", join(b"\0\0\x01\0\x01\0", RUN)),
        ("16 wide.txt", join(b"\xff\xfe", RUN)),
        ("17 mark.html", join(b"\xef\xbb\xbf", RUN)),
        (
            "18 seven.html",
            join(b"+ADw-script+AD4-window.pwned=1+ADw-/script+AD4-", RUN),
        ),
        (
            "19 mail.mht",
            join(b"MIME-Version: 1.0\nContent-Type: text/html\n\n", RUN),
        ),
        ("20 web.webp", join(b"RIFF\0\0\0\0WEBP", RUN)),
        ("21 wave.wav", join(b"RIFF\0\0\0\0WAVE", RUN)),
        ("22 box.avif", join(b"\0\0\0\x20ftypavif", RUN)),
        ("23 flac.flac", join(b"fLaC", RUN)),
        ("24 ogg.ogg", join(b"OggS", RUN)),
        ("25 style.css", join(b"@import 'javascript:window.pwned=1';", RUN)),
        (
            "26 link.url",
            join(b"[InternetShortcut]\nURL=javascript:window.pwned=1\n", RUN),
        ),
        ("27 module.mjs", b"window.pwned=1; export default 1".to_vec()),
        ("28 data.json", join(b"{\"a\":\"", RUN)),
        ("29 archive.zip", join(b"PK\x03\x04", RUN)),
        ("30 applet.swf", join(b"CWS\x0a", RUN)),
    ]
}

#[test]
fn thirty_polyglots_are_looked_into_and_nothing_runs() {
    let server = Server::start();
    let ann = Account::sign_up(&server, "ann");
    let files = tempfile::tempdir().unwrap();
    let polyglots = polyglots();
    for (name, bytes) in &polyglots {
        fs::write(files.path().join(name), bytes).unwrap();
    }
    let machine = Machine::join(&ann, "desk").root("Traps", files.path()).start();
    let page = scene::sign_in(&server, "ann");
    page.see(text("desk"));
    page.go(&format!("/machine/{}", machine.id()));
    page.click(row("Traps"));
    page.see(row("01 page.html"));
    page.press(Key::Home);
    for (name, _) in &polyglots {
        page.see(heading(*name));
        // Bones stand there while it is read.
        page.see_gone(css(".preview .bone"));
        page.see(css(".preview > *"));
        page.press(Key::Down);
    }
    page.press(Key::Home);
    page.see(css(".preview pre"));
    page.screenshot("preview-of-markup");
    assert_eq!(page.script("return window.pwned ?? null", &[]), serde_json::Value::Null);
    let kinds = page.script(
        "return document.querySelectorAll('.preview iframe, object, embed').length",
        &[],
    );
    assert_eq!(kinds, 0);
}
