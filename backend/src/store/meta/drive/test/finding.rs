//! Searching by name, and what was stored last.

use std::time::{Duration, Instant};

use beckon_shared::{api::drive::Move, id::NodeId, path::Name};
use sea_orm::{ActiveValue::Set, EntityTrait};

use crate::{
    clock::{Clock, random},
    store::{
        meta::{
            drive::{
                Place,
                change::{delete, move_node, restore},
                find,
                search::{Cursor, folded, recent, search},
            },
            entity::{Kind, node},
            numbers,
        },
        testing::{Fixture, Machine},
    },
};

async fn found(machine: &Machine, text: &str) -> Vec<String> {
    let found = search(machine.store.meta.read(), &machine.space(), text, None, 100).await;
    let path = |path: Vec<u8>| String::from_utf8(path).unwrap();
    found.unwrap().into_iter().map(|found| path(found.path)).collect()
}

async fn id(machine: &Machine, path: &str) -> NodeId {
    let names = path.split('/').map(|name| Name::new(name).unwrap()).collect();
    let row = find(machine.store.meta.read(), &machine.space(), &Place::Path(names)).await;
    row.unwrap().id().unwrap()
}

#[tokio::test]
async fn names_are_found_by_a_part_in_any_script_and_case() {
    let fixture = Fixture::new().await;
    let access = fixture.account(1).await;
    let mut machine = fixture.machine(&access, 1).await;
    let names = [
        "Überweisung.PDF",
        "年度報告/報告書.txt",
        "100%.txt",
        "100x.txt",
        "a/b/c/Café",
    ];
    machine.upload(&names.map(|name| (name, &b"x"[..]))).await;
    assert_eq!(found(&machine, "überW").await, ["laptop/home/Überweisung.PDF"]);
    assert_eq!(
        found(&machine, "報告").await,
        ["laptop/home/年度報告/報告書.txt", "laptop/home/年度報告"]
    );
    assert_eq!(found(&machine, "100%").await, ["laptop/home/100%.txt"]);
    assert_eq!(found(&machine, "CAFE\u{301}").await, ["laptop/home/a/b/c/Café"]);
    assert_eq!(found(&machine, "laptop").await, ["laptop"]);
    assert!(found(&machine, "nothing of this").await.is_empty());
    let other = fixture.account(2).await;
    let stranger = fixture.machine(&other, 2).await;
    assert_eq!(found(&stranger, "home").await, ["laptop/home"]);
}

#[tokio::test]
async fn what_is_renamed_deleted_or_restored_is_found_as_it_is_now() {
    let fixture = Fixture::new().await;
    let access = fixture.account(1).await;
    let mut machine = fixture.browser(&access, 1).await;
    machine.upload(&[("before", b"x"), ("folder/inside", b"y")]).await;
    let (meta, space, now) = (&fixture.store.meta, machine.space(), fixture.clock.now());
    let asked = Move {
        node: id(&machine, "Files/before").await,
        parent: None,
        name: Some(Name::new("AFTER").unwrap()),
    };
    move_node(meta, &space, &asked, now).await.unwrap();
    assert!(found(&machine, "before").await.is_empty());
    assert_eq!(found(&machine, "after").await, ["Files/AFTER"]);
    let folder = id(&machine, "Files/folder").await;
    delete(meta, &space, &[folder], now).await.unwrap();
    assert!(found(&machine, "inside").await.is_empty());
    machine.upload(&[("folder/other", b"y")]).await;
    restore(meta, &space, &[folder], now).await.unwrap();
    assert_eq!(found(&machine, "inside").await, ["Files/folder (restored)/inside"]);
    assert_eq!(found(&machine, "RESTORED").await, ["Files/folder (restored)"]);
}

#[tokio::test]
async fn the_files_that_were_stored_last_come_first() {
    let fixture = Fixture::new().await;
    let access = fixture.account(1).await;
    let mut machine = fixture.machine(&access, 1).await;
    for name in ["one", "two", "three"] {
        machine.upload(&[(name, name.as_bytes())]).await;
    }
    machine.upload(&[("one", b"anew")]).await;
    let recent = recent(fixture.store.meta.read(), &machine.space(), 2).await.unwrap();
    let paths: Vec<_> = recent
        .iter()
        .map(|found| String::from_utf8_lossy(&found.path))
        .collect();
    assert_eq!(paths, ["laptop/home/one", "laptop/home/three"]);
}

#[tokio::test]
async fn a_hundred_thousand_names_are_searched_in_pages_and_at_once() {
    let fixture = Fixture::new().await;
    let access = fixture.account(1).await;
    let machine = fixture.machine(&access, 1).await;
    fill(&fixture, &machine).await;
    let on = fixture.store.meta.read();
    let first = search(on, &machine.space(), "MÜNCHEN 7777", None, 6).await.unwrap();
    let after = Cursor::behind(&first.last().unwrap().row);
    let rest = search(on, &machine.space(), "münchen 7777", Some(after), 100)
        .await
        .unwrap();
    assert_eq!((first.len(), rest.len()), (6, 5), "7777 and 77770 to 77779");
    let started = Instant::now();
    assert!(
        search(on, &machine.space(), "not among them", None, 100)
            .await
            .unwrap()
            .is_empty()
    );
    // Some tens of milliseconds on an idle machine; tests share theirs.
    assert!(started.elapsed() < Duration::from_secs(2), "{:?}", started.elapsed());
}

/// 100,000 files.
async fn fill(fixture: &Fixture, machine: &Machine) {
    let (txn, clock) = (fixture.store.meta.write().await.unwrap(), &*fixture.clock);
    let first = numbers(&txn, 100_000).await.unwrap();
    let file = |at: i64| {
        let name = format!("Reise nach München {at}.jpg");
        node::ActiveModel {
            no: Set(first + at),
            id: Set(NodeId::new(clock.now(), random(clock)).as_bytes().to_vec()),
            space: Set(machine.space().column()),
            parent: Set(None),
            folded: Set(folded(name.as_bytes())),
            name: Set(name.into_bytes()),
            kind: Set(Kind::File),
            head: Set(None),
            source: Set(None),
            source_parent: Set(None),
            source_name: Set(None),
            created: Set(0),
            deleted_at: Set(None),
        }
    };
    for batch in 0..200 {
        let rows = (0..500).map(|at| file(batch * 500 + at));
        node::Entity::insert_many(rows)
            .exec_without_returning(&txn)
            .await
            .unwrap();
    }
    txn.commit().await.unwrap();
}
