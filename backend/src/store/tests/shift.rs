//! What machines that are watched remove and move.

use std::time::{Duration, Instant};

use beckon_shared::{
    api::drive::Move,
    bulk::CommitReply,
    commit::{ChainHead, Change},
    error::ErrorCode,
    id::NodeId,
    path::{Name, RootPath},
};

use crate::{
    access::{Access, Opens},
    clock::Clock,
    store::{
        Error,
        meta::{
            self,
            drive::{
                Place,
                change::{delete, move_node, restore},
                find,
                head::Origin,
                outdated::outdated,
            },
        },
        testing::{Fixture, Machine, RESERVE, folder, gone, moved},
    },
    worker::{self, expiry::DELETED_KEPT},
};

async fn watched(files: &[(&str, &[u8])]) -> (Fixture, Access, Machine) {
    let fixture = Fixture::new().await;
    let access = fixture.account(1).await;
    let mut machine = fixture.watch(&access, 1).await;
    machine.upload(files).await;
    (fixture, access, machine)
}

async fn shift(machine: &mut Machine, changes: &[Change]) {
    let before = machine.head;
    let reply = machine.shift(changes).await.unwrap();
    assert!(
        matches!(reply, CommitReply::Committed(head) if head.number == before.number + 1),
        "{reply:?}"
    );
}

fn code(answer: Result<CommitReply, Error>) -> ErrorCode {
    answer.unwrap_err().refusal().code
}

async fn is_there(machine: &Machine, path: &str) -> bool {
    machine.version_of(path).await.is_some()
}

/// A node by its place in the drive.
async fn at(machine: &Machine, path: &str) -> NodeId {
    let names = path.split('/').map(|name| Name::new(name).unwrap()).collect();
    let found = find(machine.store.meta.read(), &machine.space(), &Place::Path(names)).await;
    found.unwrap().id().unwrap()
}

/// A person moves something in the drive.
async fn place(machine: &Machine, node: NodeId, parent: Option<NodeId>, name: Option<&str>) {
    let asked = Move {
        node,
        parent,
        name: name.map(|name| Name::new(name).unwrap()),
    };
    let now = machine.store.clock.now();
    move_node(&machine.store.meta, &machine.space(), &asked, now)
        .await
        .unwrap();
}

async fn epoch(machine: &Machine) -> u64 {
    let (space, access) = (machine.space(), machine.access);
    let found = meta::source::find(machine.store.meta.read(), &space, access.device, access.root).await;
    found.unwrap().unwrap().epoch.cast_unsigned()
}

/// The paths that the machine is told of as not in the drive as it committed them.
async fn told(machine: &Machine) -> Vec<String> {
    let path = RootPath::root();
    let origin = Origin {
        device: machine.access.device,
        root: machine.access.root,
        path: &path,
    };
    let told = outdated(machine.store.meta.read(), &machine.space(), &origin)
        .await
        .unwrap();
    told.places.iter().map(|place| place.path.display()).collect()
}

#[tokio::test]
async fn what_a_machine_removes_goes_to_deleted_with_all_below_and_can_be_restored() {
    let (fixture, _, mut machine) = watched(&[("a/b/c", b"c"), ("a/d", b"d"), ("e", b"e")]).await;
    let node = at(&machine, "laptop/home/a").await;
    shift(&mut machine, &[gone("a"), gone("e"), gone("never/was")]).await;
    assert_eq!(machine.names(&["laptop", "home"]).await, [""; 0]);
    assert!(!is_there(&machine, "a/b/c").await && !is_there(&machine, "e").await);
    let now = fixture.clock.now();
    restore(&machine.store.meta, &machine.space(), &[node], now)
        .await
        .unwrap();
    assert_eq!(machine.read("a/b/c").await.unwrap(), b"c");
    let version = machine.version_of("a/d").await.unwrap();
    machine.upload(&[("a/d", b"again")]).await;
    let again = machine.version_of("a/d").await.unwrap();
    assert_eq!(
        (again.0.no, again.1 == version.1),
        (version.0.no, false),
        "the same file goes on"
    );
}

#[tokio::test]
async fn what_a_machine_moves_keeps_its_versions_and_all_that_is_below_it() {
    let (_fixture, _, mut machine) = watched(&[("a/b/c", b"c"), ("f", b"1")]).await;
    machine.upload(&[("f", b"2")]).await;
    let (c, f) = (
        machine.version_of("a/b/c").await.unwrap(),
        machine.version_of("f").await.unwrap(),
    );
    shift(&mut machine, &[moved("a/b", "x"), moved("f", "a/g")]).await;
    assert_eq!(machine.names(&["laptop", "home"]).await, ["a", "x"]);
    assert_eq!(machine.names(&["laptop", "home", "a"]).await, ["g"]);
    let (node, version) = machine.version_of("x/c").await.unwrap();
    assert_eq!((node.no, version), (c.0.no, c.1));
    let (node, version) = machine.version_of("a/g").await.unwrap();
    assert_eq!((node.no, version), (f.0.no, f.1));
    let versions = meta::check::versions_of(machine.store.meta.read(), node.no).await;
    assert_eq!(versions.unwrap(), 2);
    assert!(!is_there(&machine, "a/b/c").await && !is_there(&machine, "f").await);
}

#[tokio::test]
async fn changes_count_in_their_order_and_what_stood_in_the_way_goes_to_deleted() {
    let (_fixture, _, mut machine) = watched(&[("a", b"a"), ("b", b"b")]).await;
    shift(&mut machine, &[moved("a", "t"), moved("b", "a"), moved("t", "b")]).await;
    assert_eq!(
        (machine.read("a").await.unwrap(), machine.read("b").await.unwrap()),
        (b"b".to_vec(), b"a".to_vec())
    );
    shift(&mut machine, &[moved("a", "b")]).await;
    assert_eq!(machine.names(&["laptop", "home"]).await, ["b"]);
    assert_eq!(machine.read("b").await.unwrap(), b"b");
    let old = machine
        .store
        .meta
        .number("SELECT COUNT(*) AS number FROM node WHERE deleted_at IS NOT NULL")
        .await;
    assert_eq!(old, 1);
    shift(&mut machine, &[moved("b", "B"), gone("B"), moved("B", "c")]).await;
    assert_eq!(machine.names(&["laptop", "home"]).await, [""; 0]);
}

#[tokio::test]
async fn a_folder_takes_another_ones_place_and_what_was_below_its_own_target_goes() {
    let (_fixture, _, mut machine) = watched(&[("a/in", b"a"), ("b/in", b"b"), ("b/more", b"b")]).await;
    shift(&mut machine, &[moved("a", "b")]).await;
    assert_eq!(machine.names(&["laptop", "home"]).await, ["b"]);
    assert_eq!(machine.names(&["laptop", "home", "b"]).await, ["in"]);
    assert_eq!(machine.read("b/in").await.unwrap(), b"a");
    shift(&mut machine, &[moved("b/in", "b")]).await;
    assert_eq!(
        machine.names(&["laptop", "home"]).await,
        [""; 0],
        "what stood there went first, with what was to come"
    );
}

#[tokio::test]
async fn nothing_at_the_old_place_is_no_error_and_the_new_one_stays() {
    let (_fixture, _, mut machine) = watched(&[("a", b"a")]).await;
    shift(&mut machine, &[moved("gone", "a"), gone("gone/too")]).await;
    assert_eq!(machine.read("a").await.unwrap(), b"a");
}

#[tokio::test]
async fn folders_above_the_new_place_are_made_where_a_person_deleted_them() {
    let (fixture, _, mut machine) = watched(&[("a", b"a"), ("deep/er/b", b"b")]).await;
    let deep = at(&machine, "laptop/home/deep").await;
    delete(&machine.store.meta, &machine.space(), &[deep], fixture.clock.now())
        .await
        .unwrap();
    shift(&mut machine, &[moved("a", "deep/er/a")]).await;
    assert_eq!(machine.read("deep/er/a").await.unwrap(), b"a");
    assert_eq!(machine.names(&["laptop", "home", "deep", "er"]).await, ["a"]);
}

#[tokio::test]
async fn what_a_person_moved_or_renamed_in_the_drive_stays_where_it_is_and_is_bound_anew() {
    let (_fixture, _, mut machine) = watched(&[("a/f", b"f"), ("a/g", b"g"), ("other/x", b"x")]).await;
    let [f, g, other] = ["a/f", "a/g", "other"].map(|path| format!("laptop/home/{path}"));
    let other = at(&machine, &other).await;
    place(&machine, at(&machine, &f).await, Some(other), None).await;
    place(&machine, at(&machine, &g).await, None, Some("called otherwise")).await;
    shift(&mut machine, &[moved("a/f", "new"), moved("a/g", "newer")]).await;
    assert_eq!(machine.names(&["laptop", "home", "other"]).await, ["f", "x"]);
    assert_eq!(machine.names(&["laptop", "home", "a"]).await, ["called otherwise"]);
    machine.upload(&[("new", b"f2"), ("newer", b"g2")]).await;
    assert_eq!(machine.names(&["laptop", "home"]).await, ["a", "other"]);
    assert_eq!(
        (machine.read("new").await.unwrap(), machine.read("newer").await.unwrap()),
        (b"f2".to_vec(), b"g2".to_vec())
    );
    shift(&mut machine, &[gone("other"), gone("new"), gone("a")]).await;
    assert_eq!(machine.names(&["laptop", "home"]).await, [""; 0]);
}

#[tokio::test]
async fn a_folder_never_comes_to_lie_in_itself() {
    let (_fixture, _, mut machine) = watched(&[("a/f", b"f"), ("b/g", b"g")]).await;
    let [a, b] = [at(&machine, "laptop/home/a").await, at(&machine, "laptop/home/b").await];
    place(&machine, b, Some(a), None).await;
    shift(&mut machine, &[moved("a", "b/a")]).await;
    assert_eq!(
        machine.names(&["laptop", "home", "a"]).await,
        ["b", "f"],
        "its place stays"
    );
    assert_eq!(machine.read("b/a/f").await.unwrap(), b"f");
}

#[tokio::test]
async fn a_name_that_is_taken_gets_a_number_and_one_with_a_number_moves_along() {
    let (_fixture, _, mut machine) = watched(&[("a/f", b"f"), ("b/g", b"g")]).await;
    let b = at(&machine, "laptop/home/b").await;
    place(&machine, at(&machine, "laptop/home/b/g").await, None, Some("f")).await;
    shift(&mut machine, &[moved("a/f", "b/f")]).await;
    assert_eq!(machine.names(&["laptop", "home", "b"]).await, ["f", "f (2)"]);
    shift(&mut machine, &[moved("b/f", "f")]).await;
    assert_eq!(machine.names(&["laptop", "home"]).await, ["a", "b", "f"]);
    assert_eq!(machine.read("f").await.unwrap(), b"f");
    assert_eq!(at(&machine, "laptop/home/b").await, b);
}

#[tokio::test]
async fn what_was_moved_away_from_below_a_removed_folder_goes_too_unless_it_is_in_files() {
    let (_fixture, _, mut machine) =
        watched(&[("a/f", b"f"), ("a/sub/g", b"g"), ("a/kept", b"k"), ("b/x", b"x")]).await;
    let b = at(&machine, "laptop/home/b").await;
    place(&machine, at(&machine, "laptop/home/a/f").await, Some(b), None).await;
    place(&machine, at(&machine, "laptop/home/a/sub").await, Some(b), None).await;
    place(
        &machine,
        at(&machine, "laptop/home/a/kept").await,
        Some(at(&machine, "Files").await),
        None,
    )
    .await;
    shift(&mut machine, &[gone("a")]).await;
    assert_eq!(machine.names(&["laptop", "home"]).await, ["b"]);
    assert_eq!(machine.names(&["laptop", "home", "b"]).await, ["x"]);
    assert_eq!(machine.names(&["Files"]).await, ["kept"]);
}

#[tokio::test]
async fn a_machine_does_not_take_its_own_changes_for_those_of_others() {
    let (fixture, _, mut machine) = watched(&[("a/f", b"f"), ("b/g", b"g"), ("c", b"c")]).await;
    let before = epoch(&machine).await;
    shift(&mut machine, &[gone("a/f"), gone("b"), moved("c", "a/c")]).await;
    assert_eq!(epoch(&machine).await, before);
    let c = at(&machine, "laptop/home/a/c").await;
    delete(&machine.store.meta, &machine.space(), &[c], fixture.clock.now())
        .await
        .unwrap();
    assert_ne!(epoch(&machine).await, before);
    assert_eq!(told(&machine).await, ["a/c"], "only what somebody else deleted");
}

#[tokio::test]
async fn no_era_ends_when_what_a_machine_removed_itself_is_removed_for_good() {
    let (fixture, _, mut machine) = watched(&[("a/f", b"f"), ("b", b"b"), ("c", b"c")]).await;
    let before = epoch(&machine).await;
    shift(&mut machine, &[gone("a"), gone("b")]).await;
    fixture.clock.advance(DELETED_KEPT + Duration::from_secs(1));
    worker::round(&machine.store).await.unwrap();
    let left = machine
        .store
        .meta
        .number("SELECT COUNT(*) AS number FROM node WHERE deleted_at IS NOT NULL")
        .await;
    assert_eq!(left, 0);
    assert_eq!(epoch(&machine).await, before);
    let c = at(&machine, "laptop/home/c").await;
    delete(&machine.store.meta, &machine.space(), &[c], fixture.clock.now())
        .await
        .unwrap();
    fixture.clock.advance(DELETED_KEPT + Duration::from_secs(1));
    worker::round(&machine.store).await.unwrap();
    assert!(!beckon_shared::bulk::is_same_era(before, epoch(&machine).await));
}

#[tokio::test]
async fn machines_hear_of_theirs_that_went_with_anothers_folder() {
    let (fixture, access, mut machine) = watched(&[("a/f", b"f"), ("b/own", b"own")]).await;
    let mut other = fixture.watch(&access, 2).await;
    other.upload(&[("theirs/g", b"g")]).await;
    let a = at(&machine, "laptop/home/a").await;
    place(&machine, at(&machine, "laptop (2)/home/theirs").await, Some(a), None).await;
    place(&machine, at(&machine, "laptop/home/b").await, Some(a), None).await;
    let before = (epoch(&machine).await, epoch(&other).await);
    shift(&mut machine, &[gone("a")]).await;
    assert_ne!(epoch(&other).await, before.1);
    assert_ne!(epoch(&machine).await, before.0, "it has what it did not remove");
    assert_eq!(told(&other).await, ["theirs"]);
    assert_eq!(told(&machine).await, ["b"]);
    other.upload(&[("theirs/g", b"g")]).await;
    assert_eq!(other.read("theirs/g").await.unwrap(), b"g");
}

#[tokio::test]
async fn only_watches_shift_and_nothing_that_makes_no_sense() {
    let (_fixture, _, mut machine) = watched(&[("a/f", b"f")]).await;
    for (changes, wanted) in [
        (vec![gone("")], ErrorCode::BadRequest),
        (vec![moved("a", "")], ErrorCode::BadRequest),
        (vec![moved("", "a")], ErrorCode::BadRequest),
        (vec![moved("a", "a")], ErrorCode::BadRequest),
        (vec![moved("a", "a/b")], ErrorCode::BadRequest),
        (vec![gone(&vec!["d"; 513].join("/"))], ErrorCode::TooLarge),
    ] {
        assert_eq!(code(machine.shift(&changes).await), wanted, "{changes:?}");
    }
    let mixed = machine.sign(&[("a", None), ("new", Some(folder()))]);
    assert_eq!(code(machine.commit(mixed).await), ErrorCode::BadRequest);
    for opens in [Opens::Upload, Opens::Send] {
        machine.access.opens = opens;
        assert_eq!(code(machine.shift(&[gone("a")]).await), ErrorCode::NotAllowed);
        assert_eq!(code(machine.shift(&[moved("a", "b")]).await), ErrorCode::NotAllowed);
    }
    assert_eq!(machine.read("a/f").await.unwrap(), b"f");
}

#[tokio::test]
async fn nothing_comes_to_stand_deeper_than_it_could_be_put() {
    let below = vec!["d"; 300].join("/");
    let (_fixture, _, mut machine) = watched(&[(&format!("a/{below}/f"), b"f"), (&format!("b/{below}/f"), b"f")]).await;
    assert_eq!(
        code(machine.shift(&[moved("a", &format!("b/{below}/a"))]).await),
        ErrorCode::TooLarge
    );
    shift(&mut machine, &[moved("a", "b/d/a")]).await;
    assert_eq!(machine.read(&format!("b/d/a/{below}/f")).await.unwrap(), b"f");
}

#[tokio::test]
async fn the_same_again_is_once_and_on_top_of_another_it_is_behind() {
    let (_fixture, _, mut machine) = watched(&[("a", b"a"), ("b", b"b")]).await;
    let upload = machine.sign_all(&[gone("a")], Vec::new());
    let first = machine.commit(upload.clone()).await.unwrap();
    machine.upload(&[("a", b"new")]).await;
    assert_eq!(machine.commit(upload).await.unwrap(), first);
    assert_eq!(machine.read("a").await.unwrap(), b"new");
    machine.head = ChainHead::EMPTY;
    assert!(matches!(
        machine.shift(&[gone("b")]).await.unwrap(),
        CommitReply::Behind(_)
    ));
    assert_eq!(machine.read("b").await.unwrap(), b"b");
}

#[tokio::test]
async fn in_a_root_whose_folder_was_deleted_nothing_is_there_to_shift() {
    let (fixture, _, mut machine) = watched(&[("a", b"a")]).await;
    let home = at(&machine, "laptop/home").await;
    delete(&machine.store.meta, &machine.space(), &[home], fixture.clock.now())
        .await
        .unwrap();
    shift(&mut machine, &[gone("a"), moved("a", "b")]).await;
    assert_eq!(machine.names(&["laptop"]).await, [""; 0]);
}

#[tokio::test]
async fn a_full_disk_and_a_full_quota_keep_nobody_from_removing() {
    let (fixture, _, mut machine) = watched(&[("a", b"a"), ("b", b"b")]).await;
    fixture.blobs.set_room(RESERVE - 1);
    machine.store.meta.run("UPDATE space SET quota = 1").await;
    shift(&mut machine, &[gone("a"), moved("b", "c")]).await;
    assert_eq!(machine.names(&["laptop", "home"]).await, ["c"]);
}

#[tokio::test]
async fn a_watch_pins_only_what_it_has_not_committed() {
    let (fixture, _, mut machine) = watched(&[]).await;
    let pins = async || fixture.store.meta.number("SELECT COUNT(*) AS number FROM pin").await;
    machine.send(&[b"one", b"two"]).await.unwrap();
    assert_eq!(pins().await, 2);
    machine
        .commit(machine.sign(&[("one", Some(machine.file(b"one")))]))
        .await
        .unwrap();
    assert_eq!(pins().await, 1);
    machine.access.opens = Opens::Upload;
    machine
        .commit(machine.sign(&[("two", Some(machine.file(b"two")))]))
        .await
        .unwrap();
    assert_eq!(pins().await, 1, "an upload keeps its pins until it ends");
}

#[tokio::test]
async fn a_large_folder_is_removed_and_restored_in_time_that_grows_with_it_and_no_faster() {
    let (fixture, _, mut machine) = watched(&[]).await;
    let begun = Instant::now();
    for folder in 0..5 {
        let names: Vec<String> = (0..1000).map(|file| format!("top/d{folder}/f{file}")).collect();
        let files: Vec<(&str, &[u8])> = names.iter().map(|name| (name.as_str(), &b"x"[..])).collect();
        machine.upload(&files).await;
    }
    let top = at(&machine, "laptop/home/top").await;
    // What looks at each pair of files takes ten times as long as they took to come.
    let limit = begun.elapsed() * 3;
    let begun = Instant::now();
    shift(&mut machine, &[gone("top")]).await;
    let now = fixture.clock.now();
    restore(&machine.store.meta, &machine.space(), &[top], now)
        .await
        .unwrap();
    assert!(begun.elapsed() < limit, "{:?}", begun.elapsed());
    assert!(is_there(&machine, "top/d4/f999").await);
}
