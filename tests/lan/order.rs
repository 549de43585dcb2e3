//! Orders that are given to a machine in its LAN are orders like any other, once the server hears of them.

use std::fs;

use beckon_tests::{Account, Cli, net::Host, wait_until};
use serde_json::Value;

use crate::scene::{Desk, Home, LONG, MIB, SOON, World, json, names};

/// A laptop and a machine in one LAN, and another terminal of the same person elsewhere.
struct Scene<'a> {
    home: Home<'a>,
    ann: Account,
    desk: Desk,
    other: Cli,
    _hosts: [Host; 2],
}

impl<'a> Scene<'a> {
    fn in_world(world: &'a World) -> Self {
        let (home, work) = (world.home("home", 77, 77), world.home("work", 88, 88));
        let ((laptop, _), (office, _)) = (home.computer("laptop", 20), work.computer("office", 30));
        let ann = world.ann(&Cli::on(&laptop));
        let desk = Desk::join(&ann, home.computer("desk", 10));
        let other = Cli::on(&office);
        ann.login(&other).expect_ok();
        Self {
            home,
            ann,
            desk,
            other,
            _hosts: [laptop, office],
        }
    }

    /// The laptop reaches nothing but its LAN from here on.
    fn cut_laptop_off(&self) {
        names(self.ann.cli(), "desk:Documents");
        self.home.router.lose_from("192.168.77.20");
    }

    fn cut_machine_off(&self) {
        let events = self.other.start(["events", "--json"]);
        wait_until("the events are open", SOON, || !events.lines().is_empty());
        self.home.router.lose_from("192.168.77.10");
        wait_until("the machine is away", LONG, || {
            let lines = events.lines();
            lines
                .iter()
                .any(|line| line.contains("\"desk\"") && line.contains("\"online\":false"))
        });
    }

    /// Orders these places; the transfer's id.
    fn order(&self, places: &[String]) -> String {
        let mut args = vec!["upload"];
        args.extend(places.iter().map(String::as_str));
        let ordered = json(&self.ann.cli().with_limit(LONG), &args);
        ordered["id"].as_str().expect("an id").to_owned()
    }

    /// The transfer as the other terminal sees it, if it is known to the server.
    fn seen(&self, id: &str) -> Option<Value> {
        let output = self.other.run(["--json", "transfers", "show", id]);
        (output.code() == 0).then(|| output.json())
    }

    fn wait_seen(&self, id: &str, what: &str, fits: impl Fn(&Value) -> bool) -> Value {
        let mut last = None;
        wait_until(what, LONG, || {
            last = self.seen(id);
            last.as_ref().is_some_and(&fits)
        });
        last.expect("it was seen")
    }

    fn wait_done(&self, id: &str) -> Value {
        let done = self.wait_seen(id, "it is over", |transfer| !transfer["ended"].is_null());
        assert_eq!(done["state"], "done", "{done}");
        done
    }

    /// Nothing is under way on the machine any more.
    fn wait_idle(&self) {
        wait_until("the machine is at rest", LONG, || {
            json(self.desk.machine.cli(), &["status"])["agent"]["orders"] == 0
        });
    }

    fn steer(&self, act: &str, id: &str) -> Value {
        json(&self.other, &["transfers", act, id])
    }
}

#[test]
fn an_order_given_in_the_lan_tells_its_story_on_every_terminal() {
    let Some(world) = World::new() else { return };
    let scene = Scene::in_world(&world);
    scene.desk.put("film", MIB);
    scene.cut_laptop_off();
    let id = scene.order(&["desk:Documents/film".to_owned()]);
    let done = scene.wait_done(&id);
    assert_eq!(done["given_directly"], true);
    assert_eq!(done["what"], "film");
    assert!(
        done["ordered_by"].as_str().is_some_and(|name| !name.is_empty()),
        "{done}"
    );
    let told = scene.other.run(["transfers", "show", &id]).expect_ok().stdout();
    assert!(told.contains("given to the machine directly"), "{told}");
    scene.home.router.lose_nothing();
    assert_eq!(json(scene.ann.cli(), &["wait", &id])["state"], "done");
    let again = scene.order(&["desk:Documents/film".to_owned()]);
    assert_eq!(
        scene.wait_done(&again)["given_directly"],
        false,
        "by way of the server again"
    );
}

#[test]
fn an_order_waits_on_the_machine_until_it_reaches_the_server_also_when_its_agent_starts_anew() {
    let Some(world) = World::new() else { return };
    let mut scene = Scene::in_world(&world);
    let files: Vec<String> = (0..120)
        .map(|at| format!("a file with a name that is rather long {at}"))
        .collect();
    for name in &files {
        fs::write(scene.desk.documents.path().join(name), name).unwrap();
    }
    scene.cut_laptop_off();
    scene.cut_machine_off();
    let places: Vec<String> = files.iter().map(|name| format!("desk:Documents/{name}")).collect();
    let id = scene.order(&places);
    assert_eq!(scene.seen(&id), None, "the server has not heard of it");
    scene.desk.machine.kill();
    scene.desk.machine.launch();
    wait_until("it is taken up again", SOON, || {
        json(scene.desk.machine.cli(), &["status"])["agent"]["orders"] == 1
    });
    assert_eq!(scene.seen(&id), None);
    let late = scene.desk.documents.path().join(&files[7]);
    fs::remove_file(&late).unwrap();
    scene.home.router.lose_nothing();
    let ended = |transfer: &Value| !transfer["ended"].is_null();
    let partly = scene.wait_seen(&id, "it is over", ended);
    assert_eq!(
        (&partly["state"], &partly["files_done"]),
        (&"partly".into(), &119.into())
    );
    assert_eq!(
        (&partly["selected_total"], &partly["given_directly"]),
        (&120.into(), &true.into())
    );
    assert!(
        partly["what"].as_str().is_some_and(|what| what.contains(" +")),
        "{partly}"
    );
    fs::write(&late, &files[7]).unwrap();
    scene.wait_idle();
    scene.steer("retry", &id);
    let done = scene.wait_done(&id);
    assert_eq!(
        done["files_done"], 120,
        "by the selection that the machine has handed over"
    );
    scene.wait_idle();
    // What was selected is let go of with its end, and may still stand in what was seen first.
    let told = scene.seen(&id);
    scene.desk.machine.restart();
    scene.wait_idle();
    assert_eq!(scene.seen(&id), told, "it does not run again");
}

#[test]
fn a_transfer_that_was_ordered_in_the_lan_is_paused_resumed_and_cancelled_from_elsewhere() {
    let Some(world) = World::new() else { return };
    let mut scene = Scene::in_world(&world);
    scene.desk.put("film", 160 * MIB);
    scene.desk.cable.limit(4);
    scene.cut_laptop_off();
    let id = scene.order(&["desk:Documents/film".to_owned()]);
    let film = |transfer: &Value| transfer["bytes_done"].as_u64().is_some_and(|bytes| bytes > 0);
    scene.wait_seen(&id, "it runs", |transfer| {
        transfer["state"] == "running" && film(transfer)
    });
    assert_eq!(scene.steer("pause", &id)["hold"], "user");
    scene.wait_idle();
    assert_eq!(scene.steer("resume", &id)["hold"], "none");
    wait_until("it goes on", LONG, || {
        json(scene.desk.machine.cli(), &["status"])["agent"]["orders"] == 1
    });
    scene.desk.machine.kill();
    scene.wait_seen(&id, "it waits", |transfer| transfer["hold"] == "away");
    assert_eq!(scene.steer("cancel", &id)["state"], "cancelled");
    scene.desk.machine.restart();
    scene.wait_idle();
    let cancelled = scene.seen(&id).expect("it is known");
    assert_eq!(cancelled["state"], "cancelled");
    scene.desk.machine.restart();
    scene.wait_idle();
    assert_eq!(scene.seen(&id), Some(cancelled), "that holds");
}

#[test]
fn a_terminal_that_was_revoked_orders_nothing_in_the_lan() {
    let Some(world) = World::new() else { return };
    let scene = Scene::in_world(&world);
    scene.desk.put("film", MIB);
    scene.cut_laptop_off();
    let devices = json(&scene.other, &["devices"]);
    let terminals = devices
        .as_array()
        .into_iter()
        .flatten()
        .filter(|row| row["kind"] == "cli");
    let laptop = terminals
        .min_by_key(|row| row["first_seen"].to_string())
        .expect("the laptop came first");
    let name = laptop["name"].as_str().expect("a name");
    let password = scene.ann.password_file().display().to_string();
    scene
        .other
        .run(["device", "revoke", name, "--password-file", &password])
        .expect_ok();
    let refused = scene
        .ann
        .cli()
        .with_limit(LONG)
        .run(["--json", "upload", "desk:Documents/film"]);
    assert_ne!(refused.code(), 0, "{refused}");
    assert_eq!(json(&scene.other, &["transfers"]), Value::Array(Vec::new()));
}
