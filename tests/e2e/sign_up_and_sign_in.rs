//! Ann makes the first account, signs in on other terminals, loses her password and gets back in.

use std::{fs, os::unix::fs::PermissionsExt, path::Path};

use beckon_shared::{api::account::SignInStart, password};
use beckon_tests::{Account, Browser, Cli, FakeClock, Machine, Output, Server, curl, wait_for};
use serde_json::json as object;

use crate::scene::{SOON, expect_refusal, files_below, json, rows, run, text};

/// Signs up with a password file of the terminal's own.
#[track_caller]
fn sign_up(cli: &Cli, url: &str, code: &str, name: &str) -> Output {
    let password = cli
        .secret_file("password", "a long enough password\n")
        .display()
        .to_string();
    let words = cli.file("words").display().to_string();
    let secrets = ["--password-file", &password, "--recovery-file", &words];
    run(
        cli,
        &[&["sign-up", url, "--setup", code, "--name", name], &secrets[..]].concat(),
    )
}

#[track_caller]
fn login(cli: &Cli, url: &str, name: &str, password: &str) -> Output {
    let file = cli.secret_file("password", password).display().to_string();
    run(cli, &["login", url, "--name", name, "--password-file", &file])
}

#[test]
fn the_set_up_code_makes_the_first_account_and_no_second_one() {
    let server = Server::start();
    let code = server.set_up_code();
    let (ann, bob) = (Cli::new(), Cli::new());
    let signed_up = sign_up(&ann, server.url(), &code, "ann").expect_ok().json();
    assert_eq!(
        (text(&signed_up, "name"), signed_up["admin"].as_bool()),
        ("ann".into(), Some(true))
    );
    let words = fs::read_to_string(ann.file("words")).unwrap();
    assert_eq!(words.split_whitespace().count(), 24);

    let refused = sign_up(&bob, server.url(), &code, "bob");
    expect_refusal(&refused, 3, "bad-setup-code");
    assert!(text(&refused.json_error(), "message").contains("invit"), "{refused}");
    assert!(
        !bob.file("words").exists(),
        "words of an account that does not exist stay behind"
    );
}

#[test]
fn a_server_that_has_an_account_prints_no_set_up_code() {
    let mut server = Server::start();
    Account::sign_up(&server, "ann");
    server.restart();
    let lines = server.process().lines();
    assert!(lines.iter().all(|line| !line.contains("set up at")), "{lines:?}");
}

#[test]
fn a_set_up_code_of_another_server_is_refused() {
    let (server, other) = (Server::start(), Server::start());
    let output = sign_up(&Cli::new(), server.url(), &other.set_up_code(), "ann");
    expect_refusal(&output, 3, "bad-setup-code");
}

#[test]
fn a_set_up_code_lapses_after_15_minutes_and_reset_setup_makes_another() {
    let clock = FakeClock::new();
    let server = clock
        .env()
        .into_iter()
        .fold(Server::options(), |options, (name, value)| options.env(name, value));
    let server = server.start();
    let old = server.set_up_code();
    clock.shift("+16m");
    expect_refusal(&sign_up(&Cli::new(), server.url(), &old, "ann"), 3, "bad-setup-code");

    let mut command = std::process::Command::new(beckon_tests::binary::path("beckon-server"));
    let output = command
        .args(["reset-setup", "--data"])
        .arg(server.data())
        .envs(clock.env())
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let printed = String::from_utf8(output.stdout).unwrap();
    let (_, code) = printed
        .trim()
        .rsplit_once('#')
        .unwrap_or_else(|| panic!("no code: {printed}"));
    sign_up(&Cli::new(), server.url(), code, "ann").expect_ok();
}

#[test]
fn a_wrong_password_and_an_unknown_name_read_the_same() {
    let server = Server::start();
    Account::sign_up(&server, "ann");
    let wrong = login(&Cli::new(), server.url(), "ann", "a wrong password of hers");
    let unknown = login(&Cli::new(), server.url(), "bob", "a wrong password of hers");
    expect_refusal(&wrong, 3, "wrong-password");
    assert_eq!(wrong.json_error(), unknown.json_error());
    assert_eq!(wrong.code(), unknown.code());
}

#[test]
fn an_unknown_name_has_salt_and_costs_like_a_known_one_and_always_the_same() {
    let server = Server::start();
    Account::sign_up(&server, "ann");
    let start = |name: &str| start_of_sign_in(server.url(), name);
    let (known, unknown) = (start("ann"), start("bob"));
    assert_eq!(known.params, unknown.params);
    assert!(
        unknown.salt == start("bob").salt,
        "a fake that changes tells that it is one"
    );
    assert!(
        unknown.salt != start("carl").salt,
        "one fake for all tells that it is one"
    );
}

fn start_of_sign_in(url: &str, name: &str) -> SignInStart {
    let (origin, body) = (format!("origin: {url}"), object!({ "name": name }).to_string());
    let url = format!("{url}/api/sign-in/start");
    let headers = [
        "--header",
        "x-beckon: 1",
        "--header",
        &origin,
        "--header",
        "content-type: application/json",
    ];
    let answer = curl([&headers[..], &["--data-raw", &body, &url]].concat()).expect_status(200);
    serde_json::from_value(answer.json()).unwrap()
}

#[test]
fn another_terminal_signs_in_and_sees_the_same_devices() {
    let server = Server::start();
    let ann = Account::sign_up(&server, "ann");
    let other = ann.other_terminal();
    let ids = |cli: &Cli| -> Vec<_> {
        rows(&json(cli, &["devices"]))
            .iter()
            .map(|device| text(device, "id"))
            .collect()
    };
    let (mut one, mut two) = (ids(ann.cli()), ids(&other));
    one.sort();
    two.sort();
    assert_eq!((one.len(), &one), (2, &two));
}

#[test]
fn an_account_can_be_named_without_regard_to_case() {
    let server = Server::start();
    let ann = Account::sign_up(&server, "Ann");
    let password = ann.password_file().display().to_string();
    let cli = Cli::new();
    run(
        &cli,
        &["login", server.url(), "--name", "aNN", "--password-file", &password],
    )
    .expect_ok();
}

#[test]
fn a_new_password_ends_every_other_session_and_the_old_password() {
    let server = Server::start();
    let ann = Account::sign_up(&server, "ann");
    let other = ann.other_terminal();
    let old = ann.password_file().display().to_string();
    let new = ann
        .cli()
        .secret_file("new", "another long password\n")
        .display()
        .to_string();
    ann.cli()
        .run(["passwd", "--password-file", &old, "--new-password-file", &new])
        .expect_ok();

    run(ann.cli(), &["sessions"]).expect_ok();
    expect_refusal(&run(&other, &["sessions"]), 3, "not-signed-in");
    expect_refusal(&run(&other, &["devices"]), 3, "not-signed-in");
    expect_refusal(
        &run(
            &other,
            &["login", server.url(), "--name", "ann", "--password-file", &old],
        ),
        3,
        "wrong-password",
    );
    run(
        &other,
        &["login", server.url(), "--name", "ann", "--password-file", &new],
    )
    .expect_ok();
    run(&other, &["devices"]).expect_ok();
}

#[test]
fn the_password_is_not_changed_without_the_old_one() {
    let server = Server::start();
    let ann = Account::sign_up(&server, "ann");
    let wrong = ann
        .cli()
        .secret_file("wrong", "not the old password\n")
        .display()
        .to_string();
    let output = run(
        ann.cli(),
        &["passwd", "--password-file", &wrong, "--new-password-file", &wrong],
    );
    expect_refusal(&output, 3, "wrong-password");
    ann.login(&Cli::new()).expect_ok();
}

#[test]
fn the_24_words_set_a_new_password() {
    let server = Server::start();
    let ann = Account::sign_up(&server, "ann");
    let cli = Cli::new();
    let words = ann.recovery_file().display().to_string();
    let new = cli
        .secret_file("new", "a password after the loss\n")
        .display()
        .to_string();
    run(
        &cli,
        &[
            "recover",
            server.url(),
            "--name",
            "ann",
            "--words-file",
            &words,
            "--new-password-file",
            &new,
        ],
    )
    .expect_ok();

    expect_refusal(&run(ann.cli(), &["sessions"]), 3, "not-signed-in");
    expect_refusal(&ann_login_json(&ann, &Cli::new()), 3, "wrong-password");
    run(&cli, &["login", server.url(), "--name", "ann", "--password-file", &new]).expect_ok();
    // The account key is the same: what it certified before still stands, and it certifies anew.
    let code = run(&cli, &["join-code", "--password-file", &new]).expect_ok().json();
    assert!(text(&code, "code").to_ascii_lowercase().starts_with("bk1-"));
}

#[track_caller]
fn ann_login_json(ann: &Account, cli: &Cli) -> Output {
    let password = ann.password_file().display().to_string();
    run(
        cli,
        &["login", ann.url(), "--name", ann.name(), "--password-file", &password],
    )
}

#[test]
fn words_of_another_account_and_misspelt_words_open_nothing() {
    let server = Server::start();
    let ann = Account::sign_up(&server, "ann");
    let cli = Cli::new();
    let new = cli
        .secret_file("new", "a password of a stranger\n")
        .display()
        .to_string();
    let recover = |words: &str| {
        let file = cli.secret_file("words", words).display().to_string();
        run(
            &cli,
            &[
                "recover",
                server.url(),
                "--name",
                "ann",
                "--words-file",
                &file,
                "--new-password-file",
                &new,
            ],
        )
    };
    let strangers = format!("{}art", "abandon ".repeat(23));
    expect_refusal(&recover(&strangers), 3, "wrong-password");
    let words = fs::read_to_string(ann.recovery_file()).unwrap();
    let misspelt = words.replacen(char::is_alphabetic, "qq", 1);
    expect_refusal(&recover(&misspelt), 2, "usage");
    ann.login(&Cli::new()).expect_ok();
}

#[test]
fn a_session_is_ended_from_another_terminal() {
    let server = Server::start();
    let ann = Account::sign_up(&server, "ann");
    let other = ann.other_terminal();
    let mut events = other.start(["events", "--json"]);
    let sessions = json(ann.cli(), &["sessions"]);
    assert_eq!(rows(&sessions).len(), 2);
    let current: Vec<_> = rows(&sessions)
        .iter()
        .map(|session| session["current"] == true)
        .collect();
    assert_eq!(current.iter().filter(|current| **current).count(), 1, "{sessions}");
    let others = rows(&sessions)
        .iter()
        .find(|session| session["current"] == false)
        .unwrap();

    run(ann.cli(), &["sessions", "revoke", &text(others, "id")]).expect_ok();
    assert_eq!(rows(&json(ann.cli(), &["sessions"])).len(), 1);
    expect_refusal(&run(&other, &["sessions"]), 3, "not-signed-in");
    assert_eq!(events.wait(SOON).code(), Some(3), "what it listened to goes on");
}

#[test]
fn who_signs_out_is_out_and_comes_back_as_the_same_device() {
    let server = Server::start();
    let ann = Account::sign_up(&server, "ann");
    let other = ann.other_terminal();
    let browser = Browser::with_session_of(&other, server.url());
    browser.get("/api/sessions", &[]).expect_status(200);
    other.run(["logout"]).expect_ok();
    browser.get("/api/sessions", &[]).expect_status(401);
    expect_refusal(&run(&other, &["devices"]), 3, "not-signed-in");
    ann.login(&other).expect_ok();
    assert_eq!(rows(&json(&other, &["devices"])).len(), 2, "a third device came");
}

#[test]
fn nothing_that_opens_an_account_stands_in_the_data_folder() {
    let mut server = Server::start();
    let set_up_code = server.set_up_code();
    let ann = Account::sign_up(&server, "ann");
    let join_code = ann.join_code(&[]);
    let password = fs::read_to_string(ann.password_file()).unwrap().trim().to_owned();
    let words = fs::read_to_string(ann.recovery_file()).unwrap().trim().to_owned();
    let start = start_of_sign_in(server.url(), "ann");
    let keys = password::derive(&password, &start.salt.0, &start.params).unwrap();
    let cookie = Browser::with_session_of(ann.cli(), server.url()).cookie().to_owned();
    let (_, token) = cookie.split_once('=').unwrap();
    server.stop();

    let secrets = [
        ("password", password.as_bytes().to_vec()),
        ("proof of the password", keys.auth.as_bytes().to_vec()),
        ("recovery words", words.as_bytes().to_vec()),
        ("session token", token.as_bytes().to_vec()),
        (
            "session token's bytes",
            hex::decode(token).expect("a token is hexadecimal"),
        ),
        ("set-up code", set_up_code.into_bytes()),
        ("join code", join_code.into_bytes()),
    ];
    // What is looked for would be found: the name stands there in clear.
    let data = server.data();
    assert!(holds(&data, b"ann"), "this test looks at the wrong place");
    for (what, secret) in secrets {
        assert!(secret.len() >= 8, "{what} is too short to look for");
        assert!(!holds(&data, &secret), "the {what} stands in {}", data.display());
    }
    assert!(
        !server.process().log().contains(&password),
        "the password stands in the log"
    );
}

fn holds(folder: &Path, bytes: &[u8]) -> bool {
    let mut files = files_below(folder).into_iter();
    files.any(|file| {
        fs::read(file)
            .unwrap()
            .windows(bytes.len())
            .any(|window| window == bytes)
    })
}

#[test]
fn secrets_are_readable_by_their_owner_only() {
    let server = Server::start();
    let ann = Account::sign_up(&server, "ann");
    let machine = Cli::new();
    Machine::join(&ann, "desk").redeem(&machine).expect_ok();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(
        (
            mode(&ann.cli().state()),
            mode(&machine.state()),
            mode(ann.recovery_file())
        ),
        (0o700, 0o700, 0o600)
    );
    let kept = [files_below(&ann.cli().state()), files_below(&machine.state())].concat();
    assert!(kept.len() >= 2, "{kept:?}");
    for file in kept {
        assert_eq!(mode(&file) & 0o077, 0, "{}", file.display());
    }
    for file in files_below(&server.data()) {
        // Others cannot come that far, or cannot read it there.
        assert!(
            mode(&server.data()) & 0o077 == 0 || mode(&file) & 0o077 == 0,
            "{}",
            file.display()
        );
    }
}

#[test]
fn a_password_can_come_from_standard_input_but_not_from_an_argument() {
    let server = Server::start();
    let ann = Account::sign_up(&server, "ann");
    let password = fs::read_to_string(ann.password_file()).unwrap();
    let cli = Cli::new();
    cli.run_with_input(
        ["login", server.url(), "--name", "ann", "--password-file", "-"],
        &password,
    )
    .expect_ok();
    let refused = cli.run(["login", server.url(), "--name", "ann", "--password", "secret words"]);
    assert_eq!(refused.code(), 2, "{refused}");
}

#[test]
fn somebody_who_guesses_passwords_is_slowed_down() {
    let server = Server::start();
    Account::sign_up(&server, "ann");
    let (origin, url) = (
        format!("origin: {}", server.url()),
        format!("{}/api/sign-in", server.url()),
    );
    let auth = "A".repeat(43);
    let body = object!({ "name": "ann", "auth": auth }).to_string();
    let headers = [
        "--header",
        "x-beckon: 1",
        "--header",
        &origin,
        "--header",
        "content-type: application/json",
    ];
    let guess = || curl([&headers[..], &["--data-raw", &body, &url]].concat());
    let slowed = wait_for("guesses are refused", SOON, || {
        Some(guess()).filter(|answer| answer.status == 429)
    });
    assert_eq!(slowed.json()["code"], "too-many");
    assert!(slowed.expect_header("retry-after").parse::<u64>().unwrap() > 0);
}
