//! What is stored, as browsers and `curl` fetch it: attachments, ranges, conditions, ZIPs.

use std::{fs, process::Command};

use beckon_tests::sample;
use serde_json::Value;

use crate::scene::{Desk, MIB, get, hash, json, node, rows, text, upload};

#[test]
fn a_file_comes_as_an_attachment_that_no_browser_runs() {
    let desk = Desk::with(|folder| sample::text(&folder.join("evil \"page\" 文.html"), "<script>alert(1)</script>"));
    desk.upload();
    let browser = desk.browser();
    let id = node(&browser, "desk/Documents/evil \"page\" 文.html");
    let answer = browser.get(&format!("/api/drive/file/{id}"), &[]).expect_status(200);
    assert_eq!(answer.text(), "<script>alert(1)</script>");
    let disposition = answer.expect_header("content-disposition");
    assert!(
        disposition.starts_with("attachment")
            && disposition.contains("filename*=UTF-8''evil%20%22page%22%20%E6%96%87.html"),
        "{disposition}"
    );
    assert!(answer.expect_header("content-security-policy").contains("sandbox"));
    assert_eq!(answer.expect_header("x-content-type-options"), "nosniff");
    assert_eq!(answer.expect_header("content-type"), "application/octet-stream");
    assert_eq!(answer.expect_header("content-length"), answer.body.len().to_string());
    let by_path = browser.get(
        "/api/drive/file?path=desk%2FDocuments%2Fevil%20%22page%22%20%E6%96%87.html",
        &[],
    );
    assert_eq!(by_path.body, answer.body);
}

#[test]
fn ranges_and_conditions_of_a_file_are_kept() {
    let desk = Desk::with(|folder| sample::random_file(&folder.join("file"), MIB + 3, 2));
    desk.upload();
    let whole = fs::read(desk.path("file")).unwrap();
    let browser = desk.browser();
    let url = format!("/api/drive/file/{}", node(&browser, "desk/Documents/file"));
    let first = browser.get(&url, &[]).expect_status(200);
    assert_eq!(first.body, whole);
    let tag = first.expect_header("etag").to_owned();
    assert!(tag.starts_with('"'), "a strong tag: {tag}");
    assert_eq!(first.expect_header("accept-ranges"), "bytes");

    let head = browser.get(&url, &["--head"]).expect_status(200);
    assert_eq!(head.expect_header("content-length"), whole.len().to_string());
    let same = browser.get(&url, &["--header", &format!("if-none-match: {tag}")]);
    assert_eq!((same.status, same.body.len()), (304, 0));
    let part = browser
        .get(&url, &["--header", "range: bytes=1000-1999"])
        .expect_status(206);
    assert_eq!(part.body, whole[1000..2000]);
    assert_eq!(
        part.expect_header("content-range"),
        format!("bytes 1000-1999/{}", whole.len())
    );
    assert_eq!(
        browser
            .get(&url, &["--header", "range: bytes=-3"])
            .expect_status(206)
            .body,
        whole[whole.len() - 3..]
    );
    let beyond = browser
        .get(&url, &["--header", "range: bytes=9999999-"])
        .expect_status(416);
    assert_eq!(
        beyond.expect_header("content-range"),
        format!("bytes */{}", whole.len())
    );
    let held = browser.get(
        &url,
        &["--header", "range: bytes=0-9", "--header", &format!("if-range: {tag}")],
    );
    assert_eq!(held.status, 206);
    let changed = browser.get(
        &url,
        &["--header", "range: bytes=0-9", "--header", "if-range: \"other\""],
    );
    assert_eq!((changed.status, changed.body.len()), (200, whole.len()));

    sample::change_byte(&desk.path("file"), 5);
    desk.upload();
    let newer = browser
        .get(&url, &["--header", &format!("if-none-match: {tag}")])
        .expect_status(200);
    assert_ne!(newer.expect_header("etag"), tag);
}

#[test]
fn a_folder_is_a_zip_of_known_length_that_goes_on_where_it_broke() {
    let desk = Desk::with(sample::small_tree);
    desk.upload();
    let browser = desk.browser();
    let url = format!("/api/drive/zip/{}", node(&browser, "desk/Documents"));
    let whole = browser.get(&url, &[]).expect_status(200);
    assert_eq!(whole.expect_header("content-length"), whole.body.len().to_string());
    assert!(
        whole.expect_header("content-disposition").contains("Documents.zip"),
        "{whole:?}"
    );
    let half = whole.body.len() / 2;
    let tag = whole.expect_header("etag").to_owned();
    let rest = browser.get(
        &url,
        &[
            "--header",
            &format!("range: bytes={half}-"),
            "--header",
            &format!("if-range: {tag}"),
        ],
    );
    assert_eq!((rest.status, &rest.body[..]), (206, &whole.body[half..]));
    let folder = tempfile::tempdir().unwrap();
    let zip = folder.path().join("all.zip");
    fs::write(&zip, &whole.body).unwrap();
    let test = Command::new("unzip").args(["-t", "-qq"]).arg(&zip).output().unwrap();
    assert!(test.status.success(), "{test:?}");
}

#[test]
fn a_browser_sees_the_same_drive_as_the_terminal() {
    let desk = Desk::with(sample::small_tree);
    upload(desk.cli(), "desk:Documents");
    let browser = desk.browser();
    let list = browser
        .get("/api/drive/list?path=desk%2FDocuments", &[])
        .expect_status(200)
        .json();
    let terminal = json(desk.cli(), &["drive", "ls", "desk/Documents"]);
    let names = |rows: &[Value]| -> Vec<_> { rows.iter().map(|row| text(row, "name")).collect() };
    assert_eq!(names(rows(&list["children"])), names(rows(&terminal)));
    let folder = tempfile::tempdir().unwrap();
    let to = folder.path().join("video.bin");
    get(desk.cli(), "desk/Documents/video.bin", &to);
    let served = browser.get(
        &format!("/api/drive/file/{}", node(&browser, "desk/Documents/video.bin")),
        &[],
    );
    assert_eq!(blake3::hash(&served.body), hash(&to));
}
