//! What machines that copy a root read: commits, manifests and chunks of just that root.

use std::fs;

use beckon_shared::{
    api::drive::MakeCurrent,
    bulk::{ChunkHeader, CommitRecord, Encoding},
    commit::{Change, commit_hash, decode_changes},
    delta::{Known, Recipe, parts},
    id::{ChunkId, Hash, NodeId},
    manifest::Content,
    path::RootPath,
    wire,
};
use bytes::Bytes;
use futures_util::TryStreamExt;

use super::damage::packs;

use crate::store::{
    meta::{
        self,
        copy::{Within, commits, manifests, readable},
        drive::current::make_current,
    },
    read::{Stored, as_recipe, assemble},
    testing::{Fixture, Machine, noise, pieces},
};

const ALL: usize = usize::MAX;

async fn source(machine: &Machine) -> i64 {
    let (access, on) = (machine.access, machine.store.meta.read());
    let found = meta::source::find(on, &machine.space(), access.device, access.root)
        .await
        .unwrap();
    found.unwrap().no
}

async fn commits_after(machine: &Machine, after: u64, budget: usize) -> Vec<CommitRecord> {
    commits(machine.store.meta.read(), source(machine).await, after, budget)
        .await
        .unwrap()
}

async fn stored(machine: &Machine, within: Within, ids: &[ChunkId]) -> Vec<Stored> {
    let space = machine.access.space;
    let places = readable(machine.store.meta.read(), space, within, ids).await.unwrap();
    let runs = machine.store.stored(space, places.into_values().collect());
    runs.try_concat().await.unwrap()
}

fn ids(machine: &Machine, content: &[u8]) -> Vec<ChunkId> {
    pieces(content).iter().map(|piece| machine.key.id(piece)).collect()
}

#[tokio::test]
async fn commits_come_as_they_were_signed_in_order_and_in_parts() {
    let fixture = Fixture::new().await;
    let access = fixture.account(1).await;
    let mut machine = fixture.machine(&access, 1).await;
    let many: Vec<String> = (0..700).map(|at| format!("folder/{at}")).collect();
    let many: Vec<(&str, &[u8])> = many.iter().map(|name| (name.as_str(), &b"same"[..])).collect();
    machine.upload(&many).await;
    machine.upload(&[("one", b"1")]).await;
    machine.upload(&[("one", b"2"), ("two", b"2")]).await;
    let records = commits_after(&machine, 0, ALL).await;
    let mut parent = Hash([0; 32]);
    for (number, record) in (1..).zip(&records) {
        let commit = record.commit.verify(&machine.public()).unwrap();
        assert_eq!((commit.number, commit.parent), (number, parent));
        assert_eq!(commit.changes, Hash::of(&record.changes));
        parent = commit_hash(&record.commit);
    }
    let counts: Vec<usize> = records
        .iter()
        .map(|record| decode_changes(&record.changes).unwrap().len())
        .collect();
    assert_eq!(counts, [700, 1, 2]);
    let count = async |after, budget| commits_after(&machine, after, budget).await.len();
    assert!(commits_after(&machine, 2, ALL).await == records[2..]);
    assert_eq!(count(0, 1).await, 1, "one at least");
    // What is before the elements of the list is not counted.
    let first = records[0].commit.bytes.len() + records[0].changes.len() - 2;
    assert_eq!((count(0, first).await, count(0, first + 1).await), (1, 2));
    assert!(commits_after(&machine, 3, ALL).await.is_empty());
    assert!(commits_after(&machine, u64::MAX, ALL).await.is_empty());
}

#[tokio::test]
async fn manifests_are_those_of_the_root_in_the_order_asked() {
    let fixture = Fixture::new().await;
    let access = fixture.account(1).await;
    let mut machine = fixture.machine(&access, 1).await;
    let mut other = fixture.machine(&access, 2).await;
    machine.upload(&[("a", b"first"), ("b", b"b")]).await;
    machine.upload(&[("a", b"second")]).await;
    other.upload(&[("secret", b"secret")]).await;
    let encoded = |content: &[u8]| wire::encode(&machine.file(content));
    let hash = |content: &[u8]| Hash::of(&encoded(content));
    let asked = [
        hash(b"second"),
        hash(b"secret"),
        hash(b"first"),
        hash(b"nothing"),
        hash(b"b"),
    ];
    let of_root = async |asked: &[Hash], budget| {
        let on = machine.store.meta.read();
        manifests(on, source(&machine).await, asked, budget).await.unwrap()
    };
    let expected = [
        Some(encoded(b"second")),
        None,
        Some(encoded(b"first")),
        None,
        Some(encoded(b"b")),
    ];
    assert_eq!(of_root(&asked, ALL).await, expected);
    assert_eq!(of_root(&asked, 1).await, expected[..1]);
    assert_eq!(
        of_root(&[asked[1], asked[0], asked[2]], 1).await,
        [None, expected[0].clone()]
    );
}

#[tokio::test]
async fn a_touched_file_under_a_chosen_head_keeps_the_manifest_that_its_commit_names() {
    let fixture = Fixture::new().await;
    let access = fixture.account(1).await;
    let mut machine = fixture.machine(&access, 1).await;
    machine.upload(&[("a", b"old")]).await;
    let (node, old) = machine.version_of("a").await.unwrap();
    machine.upload(&[("a", b"new")]).await;
    let chosen = MakeCurrent {
        node: NodeId::from_slice(&node.id).unwrap(),
        version: old,
    };
    make_current(&fixture.store.meta, &*fixture.store.clock, &machine.space(), &chosen)
        .await
        .unwrap();
    let mut manifest = machine.file(b"new");
    if let Content::File(file) = &mut manifest.content {
        file.read_ns += 1;
    }
    machine
        .commit(machine.sign(&[("a", Some(manifest.clone()))]))
        .await
        .unwrap();
    let encoded = wire::encode(&manifest);
    let on = machine.store.meta.read();
    let found = manifests(on, source(&machine).await, &[Hash::of(&encoded)], ALL)
        .await
        .unwrap();
    assert_eq!(found, [Some(encoded)]);
}

#[tokio::test]
async fn chunks_are_read_that_versions_of_the_root_use_or_that_are_pinned_for_the_transfer() {
    let fixture = Fixture::new().await;
    let access = fixture.account(1).await;
    let mut machine = fixture.machine(&access, 1).await;
    let mut other = fixture.machine(&access, 2).await;
    let mut stranger = fixture.machine(&fixture.account(2).await, 3).await;
    let (own, both, theirs) = (noise(1, 300_000), noise(2, 70_000), noise(3, 70_000));
    machine.upload(&[("own", &own), ("both", &both)]).await;
    machine.upload(&[("own", b"newer")]).await;
    other.upload(&[("both", &both), ("theirs", &theirs)]).await;
    stranger.upload(&[("own", &own)]).await;
    machine.send(&[b"not committed"]).await.unwrap();
    let within = Within::Root(source(&machine).await);
    let all = [&ids(&machine, &own)[..], &ids(&machine, &both)].concat();
    let mut read: Vec<_> = stored(&machine, within, &all)
        .await
        .iter()
        .map(|one| one.header.id)
        .collect();
    read.sort();
    let mut expected = all.clone();
    expected.sort();
    assert_eq!(read, expected, "older versions too");
    for hidden in [&theirs[..], b"not committed"] {
        assert!(stored(&machine, within, &ids(&machine, hidden)).await.is_empty());
    }
    let of_stranger = Within::Root(source(&stranger).await);
    assert!(stored(&machine, of_stranger, &all).await.is_empty());
    let sent = Within::Transfer(machine.access.transfer);
    assert_eq!(stored(&machine, sent, &ids(&machine, b"not committed")).await.len(), 1);
    assert!(stored(&machine, sent, &ids(&machine, &theirs)).await.is_empty());
    machine.store.end_transfer(machine.access.transfer).await.unwrap();
    assert!(stored(&machine, sent, &all).await.is_empty());
}

#[tokio::test]
async fn chunks_come_as_frames_of_what_is_stored() {
    let fixture = Fixture::new().await;
    let access = fixture.account(1).await;
    let mut machine = fixture.machine(&access, 1).await;
    let small: Vec<Vec<u8>> = (0..300u16)
        .map(|at| noise(at.into(), 10 + usize::from(at) * 7))
        .collect();
    let text = b"the same again ".repeat(20_000);
    let large = noise(999, 3_000_000);
    let mut contents: Vec<&[u8]> = small.iter().map(Vec::as_slice).collect();
    contents.extend([&text[..], &large]);
    let names: Vec<String> = (0..contents.len()).map(|at| at.to_string()).collect();
    let files: Vec<(&str, &[u8])> = names.iter().map(String::as_str).zip(contents.iter().copied()).collect();
    machine.upload(&files).await;
    let wanted: Vec<ChunkId> = contents.iter().flat_map(|content| ids(&machine, content)).collect();
    let found = stored(&machine, Within::Root(source(&machine).await), &wanted).await;
    assert_eq!(found.len(), wanted.len());
    for one in &found {
        let header = ChunkHeader::parse(one.frame.first_chunk().unwrap()).unwrap();
        assert_eq!(header, one.header);
        assert_eq!(one.frame.len(), ChunkHeader::LEN + header.stored_len as usize);
        assert_eq!(machine.key.id(&one.content().unwrap()), header.id);
    }
    let packed = found.iter().filter(|one| one.header.encoding == Encoding::Zstd);
    assert!(packed.count() > 0, "what is stored packed stays packed");
}

#[tokio::test]
async fn damage_is_left_out_and_noted_and_neighbours_come() {
    let fixture = Fixture::new().await;
    let access = fixture.account(1).await;
    let mut machine = fixture.machine(&access, 1).await;
    let (hurt, well) = (noise(1, 60_000), noise(2, 60_000));
    machine.upload(&[("hurt", &hurt), ("well", &well)]).await;
    let wanted = [ids(&machine, &hurt), ids(&machine, &well)].concat();
    let space = machine.access.space;
    let within = Within::Root(source(&machine).await);
    let places = readable(machine.store.meta.read(), space, within, &wanted)
        .await
        .unwrap();
    let place = places[&wanted[0]];
    let path = packs(&fixture).remove(0);
    let mut bytes = fs::read(&path).unwrap();
    bytes[place.start as usize + 30_000] ^= 1;
    fs::write(&path, bytes).unwrap();
    let found = stored(&machine, within, &wanted).await;
    assert_eq!(found.iter().map(|one| one.header.id).collect::<Vec<_>>(), wanted[1..]);
    let after = readable(machine.store.meta.read(), space, within, &wanted)
        .await
        .unwrap();
    assert!(!after.contains_key(&wanted[0]), "it counts as missing now");
    fs::remove_file(path).unwrap();
    assert!(stored(&machine, within, &wanted).await.is_empty());
}

#[tokio::test]
async fn a_chunk_is_told_out_of_another_one_only_where_that_is_shorter() {
    let fixture = Fixture::new().await;
    let access = fixture.account(1).await;
    let mut machine = fixture.machine(&access, 1).await;
    let old = noise(1, 60_000);
    let mut new = old.clone();
    new[30_000] ^= 1;
    machine
        .upload(&[("old", &old), ("new", &new), ("other", &noise(2, 60_000))])
        .await;
    let id = |content: &[u8]| machine.key.id(content);
    let within = Within::Root(source(&machine).await);
    let one = async |content: &[u8]| stored(&machine, within, &[id(content)]).await.remove(0);
    let mut known = Known::default();
    known.add(id(&old), &parts(&machine.key, &old));
    let frame = as_recipe(&machine.key, &known, &one(&new).await).unwrap();
    assert!(frame.len() < 15_000, "{}", frame.len());
    let header = ChunkHeader::parse(frame.first_chunk().unwrap()).unwrap();
    assert_eq!(
        (header.id, header.encoding, header.len),
        (id(&new), Encoding::Recipe, 60_000)
    );
    let recipe = Recipe::parse(&frame[ChunkHeader::LEN..]).unwrap();
    let base = Bytes::from(old);
    let assembled = assemble(&machine.key, &header, &recipe, Encoding::Plain, |_| Some(&base)).unwrap();
    assert_eq!(
        (assembled.stored.to_vec(), assembled.header.encoding),
        (new.clone(), Encoding::Plain)
    );
    let wrong = Bytes::from(noise(3, 60_000));
    assert!(assemble(&machine.key, &header, &recipe, Encoding::Plain, |_| Some(&wrong)).is_none());
    assert!(assemble(&machine.key, &header, &recipe, Encoding::Plain, |_| None).is_none());
    assert!(as_recipe(&machine.key, &known, &one(&noise(2, 60_000)).await).is_none());
}

#[test]
fn a_list_of_changes_is_its_length_and_then_its_elements() {
    let changes: Vec<Change> = (0..300)
        .map(|at| Change::Remove {
            path: RootPath::new(format!("{at}")).unwrap(),
        })
        .collect();
    let mut joined = wire::encode(&(changes.len() as u64));
    changes.iter().for_each(|change| joined.extend(wire::encode(change)));
    assert_eq!(joined, wire::encode(&changes));
}
