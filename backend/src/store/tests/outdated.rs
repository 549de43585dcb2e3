//! What machines are told of the places where the drive does not hold what they brought.

use beckon_shared::{
    api::drive::{MakeCurrent, Outdated, OutdatedPlace},
    bulk::is_same_era,
    entry::InDrive,
    id::{NodeId, VersionId},
    path::{Name, RootPath},
};

use crate::{
    access::Access,
    clock::Clock,
    store::{
        meta::{
            drive::{
                Place,
                change::{delete, restore},
                current::make_current,
                find,
                head::Origin,
                outdated::outdated,
            },
            purge::purge,
        },
        testing::{Fixture, Machine},
    },
};

async fn uploaded() -> (Fixture, Access, Machine) {
    let fixture = Fixture::new().await;
    let access = fixture.account(1).await;
    let mut machine = fixture.machine(&access, 1).await;
    machine
        .upload(&[("many/a", b"a"), ("many/b", b"b"), ("other/c", b"c")])
        .await;
    (fixture, access, machine)
}

async fn told(machine: &Machine, folder: &str) -> Outdated {
    let path = RootPath::new(folder).unwrap();
    let origin = Origin {
        device: machine.access.device,
        root: machine.access.root,
        path: &path,
    };
    outdated(machine.store.meta.read(), &machine.space(), &origin)
        .await
        .unwrap()
}

async fn places(machine: &Machine, folder: &str) -> Vec<(String, InDrive)> {
    let told = told(machine, folder).await;
    let place = |place: &OutdatedPlace| (place.path.display(), place.state);
    told.places.iter().map(place).collect()
}

/// A node below the root, or its folder.
async fn node(machine: &Machine, path: &str) -> NodeId {
    let machines = machine.names(&[]).await;
    let top = machines.iter().find(|name| *name != "Files").unwrap();
    let root = machine.names(&[top]).await.remove(0);
    let names = [top.as_str(), &root].into_iter().chain(path.split_terminator('/'));
    let place = Place::Path(names.map(|name| Name::new(name).unwrap()).collect());
    let found = find(machine.store.meta.read(), &machine.space(), &place).await;
    found.unwrap().id().unwrap()
}

async fn gone(fixture: &Fixture, machine: &Machine, path: &str) -> NodeId {
    let node = node(machine, path).await;
    delete(&machine.store.meta, &machine.space(), &[node], fixture.clock.now())
        .await
        .unwrap();
    node
}

fn one(path: &str, state: InDrive) -> Vec<(String, InDrive)> {
    vec![(path.into(), state)]
}

#[tokio::test]
async fn what_was_deleted_is_told_until_it_is_restored_or_uploaded_again() {
    let (fixture, _, mut machine) = uploaded().await;
    assert_eq!(places(&machine, "").await, []);
    let first = gone(&fixture, &machine, "many/a").await;
    assert_eq!(places(&machine, "").await, one("many/a", InDrive::No));
    assert_eq!(places(&machine, "many/a").await, one("many/a", InDrive::No));
    assert_eq!(places(&machine, "other").await, []);
    let now = fixture.clock.now();
    restore(&machine.store.meta, &machine.space(), &[first], now)
        .await
        .unwrap();
    assert_eq!(places(&machine, "").await, []);
    gone(&fixture, &machine, "many/a").await;
    machine.upload(&[("many/a", b"a")]).await;
    assert_eq!(places(&machine, "").await, []);
}

#[tokio::test]
async fn of_a_deleted_folder_only_the_folder_is_told() {
    let (fixture, _, mut machine) = uploaded().await;
    machine.upload(&[("many/deep/x", b"x")]).await;
    gone(&fixture, &machine, "many/b").await;
    gone(&fixture, &machine, "many").await;
    assert_eq!(places(&machine, "many/deep").await, one("many", InDrive::No));
}

#[tokio::test]
async fn a_version_that_a_person_chose_is_not_what_the_machine_has() {
    let (fixture, _, mut machine) = uploaded().await;
    let (_, old) = machine.version_of("other/c").await.unwrap();
    machine.upload(&[("other/c", b"newer")]).await;
    choose(&fixture, &machine, old).await;
    assert_eq!(places(&machine, "").await, one("other/c", InDrive::Changed));
    machine.upload(&[("other/c", b"newer")]).await;
    assert_eq!(
        places(&machine, "").await,
        one("other/c", InDrive::Changed),
        "the choice stays"
    );
    machine.upload(&[("other/c", b"the newest")]).await;
    assert_eq!(places(&machine, "").await, []);
}

async fn choose(fixture: &Fixture, machine: &Machine, version: VersionId) {
    let asked = MakeCurrent {
        node: node(machine, "other/c").await,
        version,
    };
    make_current(&machine.store.meta, &*fixture.clock, &machine.space(), &asked)
        .await
        .unwrap();
}

#[tokio::test]
async fn once_something_is_removed_for_good_a_new_era_begins() {
    let (fixture, _, machine) = uploaded().await;
    let before = told(&machine, "").await.epoch;
    let row = machine.version_of("many/a").await.unwrap().0;
    gone(&fixture, &machine, "many/a").await;
    assert!(is_same_era(before, told(&machine, "").await.epoch));
    let now = fixture.clock.now().0;
    purge(&machine.store.meta, &*fixture.clock, row.no, now).await.unwrap();
    let after = told(&machine, "").await;
    assert!(after.epoch > before && !is_same_era(before, after.epoch), "{after:?}");
}

#[tokio::test]
async fn of_a_root_whose_folder_was_deleted_nothing_is_held() {
    let (fixture, _, machine) = uploaded().await;
    gone(&fixture, &machine, "").await;
    assert_eq!(places(&machine, "many").await, one("", InDrive::No));
}
