//! Damage on the disk: it is named, it hurts nothing else, and another upload heals it. The index can be made anew.

use std::{fs, path::PathBuf, time::Duration};

use beckon_shared::{bulk::CommitReply, error::ErrorCode};

use crate::{
    check::{CheckOptions, check},
    store::{
        blob::Blobs,
        meta::{self, chunk::Place},
        pack::{self, PackId},
        testing::{Fixture, Machine, chunk, noise},
    },
    worker::collect,
};

pub(super) fn packs(fixture: &Fixture) -> Vec<PathBuf> {
    let folders = fs::read_dir(fixture.folder.path().join("packs"))
        .unwrap()
        .map(|entry| entry.unwrap().path());
    folders
        .flat_map(|folder| fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()))
        .collect()
}

async fn run_check(fixture: &Fixture, read_data: bool, rebuild_index: bool) -> (bool, String) {
    let options = CheckOptions {
        data: fixture.folder.path().to_owned(),
        database: fixture.database.clone(),
        read_data,
        rebuild_index,
    };
    let mut out = Vec::new();
    let sound = check(options, &mut out).await.unwrap();
    (sound, String::from_utf8(out).unwrap())
}

/// Two files in packs of their own, the first one's content damaged.
async fn damaged() -> (Fixture, Machine) {
    let fixture = Fixture::new().await;
    let access = fixture.account(1).await;
    let mut machine = fixture.machine(&access, 1).await;
    machine.upload(&[("hurt.bin", &noise(1, 60_000))]).await;
    let pack = packs(&fixture).remove(0);
    machine.upload(&[("well.bin", &noise(2, 60_000))]).await;
    let mut bytes = fs::read(&pack).unwrap();
    bytes[30_000] ^= 1;
    fs::write(&pack, bytes).unwrap();
    (fixture, machine)
}

#[tokio::test]
async fn a_sound_store_is_called_sound() {
    let fixture = Fixture::new().await;
    let access = fixture.account(1).await;
    let mut machine = fixture.machine(&access, 1).await;
    machine
        .upload(&[("a", &noise(1, 5_000_000)), ("b", &[5; 100_000])])
        .await;
    let (sound, text) = run_check(&fixture, true, false).await;
    assert!(sound, "{text}");
    assert!(text.starts_with("sound: 1 packs"), "{text}");
}

#[tokio::test]
async fn reading_names_the_damaged_file_and_others_work() {
    let (_fixture, machine) = damaged().await;
    let (node, _) = machine.head_of("hurt.bin").await.unwrap();
    let refusal = machine.read("hurt.bin").await.unwrap_err().refusal();
    assert_eq!(refusal.code, ErrorCode::Damaged);
    let id = beckon_shared::id::NodeId::from_slice(&node.id).unwrap();
    assert!(refusal.message.contains(&id.to_string()));
    assert_eq!(machine.read("well.bin").await.unwrap(), noise(2, 60_000));
}

#[tokio::test]
async fn the_check_names_every_damaged_chunk_and_who_needs_it() {
    let (fixture, machine) = damaged().await;
    assert!(run_check(&fixture, false, false).await.0, "only --read-data reads");
    let (sound, text) = run_check(&fixture, true, false).await;
    assert!(!sound);
    assert!(
        text.contains(&format!("damaged chunk {}", machine.key.id(&noise(1, 60_000)))),
        "{text}"
    );
    assert!(text.contains("needed by laptop/home/hurt.bin"), "{text}");
    assert!(!text.contains("well.bin"), "{text}");
    assert!(text.contains("damaged: 1 chunks, 1 of 2 packs; 1 versions"), "{text}");
}

#[tokio::test]
async fn a_lost_pack_is_found_without_reading() {
    let (fixture, _machine) = damaged().await;
    for pack in packs(&fixture) {
        fs::remove_file(pack).unwrap();
    }
    let (sound, text) = run_check(&fixture, false, false).await;
    assert!(!sound);
    assert!(text.contains("hurt.bin") && text.contains("well.bin"), "{text}");
}

#[tokio::test]
async fn uploading_again_heals() {
    let (fixture, mut machine) = damaged().await;
    assert!(machine.read("hurt.bin").await.is_err());
    let before = machine.epoch;
    machine.begin().await;
    assert!(machine.epoch > before, "the machine is made to ask again");
    let content = noise(1, 60_000);
    assert!(
        fixture
            .store
            .have(&machine.access, &[machine.key.id(&content)])
            .await
            .unwrap()
            .get(0),
        "it is asked for"
    );
    assert!(matches!(
        machine.upload(&[("hurt.bin", &content)]).await,
        CommitReply::Committed(_)
    ));
    assert_eq!(machine.read("hurt.bin").await.unwrap(), content);
    assert!(run_check(&fixture, true, false).await.0);
}

#[tokio::test]
async fn a_rebuilt_index_is_the_same() {
    let fixture = Fixture::new().await;
    let access = fixture.account(1).await;
    let mut machine = fixture.machine(&access, 1).await;
    let other = fixture.account(2).await;
    let mut other = fixture.machine(&other, 2).await;
    machine
        .upload(&[("a", &noise(1, 5_000_000)), ("b", &noise(2, 100))])
        .await;
    other.upload(&[("a", &noise(1, 5_000_000))]).await;
    // Of a chunk that two packs hold the one in the earlier pack counts.
    fixture.clock.advance(Duration::from_secs(1));
    machine
        .upload(&[("b", &noise(3, 100)), ("c", &noise(1, 5_000_000))])
        .await;
    let on = fixture.store.meta.read();
    let before = meta::check::whole_index(on).await.unwrap();
    // What an abandoned pack left behind never counts.
    fs::copy(&packs(&fixture)[0], fixture.folder.path().join("packs/tmp/left-behind")).unwrap();
    let (sound, text) = run_check(&fixture, true, true).await;
    assert!(sound, "{text}");
    assert!(meta::check::whole_index(on).await.unwrap() == before);
    assert_eq!(machine.read("c").await.unwrap(), noise(1, 5_000_000));
}

#[tokio::test]
async fn what_a_rebuilt_index_lacks_is_asked_for_and_heals_every_version() {
    let fixture = Fixture::new().await;
    let access = fixture.account(1).await;
    let mut machine = fixture.machine(&access, 1).await;
    let content = noise(1, 60_000);
    machine.upload(&[("old", &content), ("twin", &content)]).await;
    fs::remove_file(packs(&fixture).remove(0)).unwrap();
    machine.upload(&[("old", &noise(2, 60_000))]).await;
    let epoch = machine.epoch;
    let (sound, text) = run_check(&fixture, false, true).await;
    assert!(!sound && text.contains("laptop/home/twin"), "{text}");
    machine.begin().await;
    assert!(machine.epoch > epoch, "the machine is made to ask again");
    assert!(
        fixture
            .store
            .have(&machine.access, &[machine.key.id(&content)])
            .await
            .unwrap()
            .get(0),
        "it is asked for"
    );
    machine.send(&[&content]).await.unwrap();
    fixture.store.end_transfer(machine.access.transfer).await.unwrap();
    for _ in 0..4 {
        fixture.clock.advance(Duration::from_secs(24 * 3600 + 1));
        let plan = collect::plan(&fixture.store).await.unwrap();
        collect::execute(&fixture.store, &plan).await.unwrap();
    }
    assert_eq!(machine.read("twin").await.unwrap(), content);
    let (sound, text) = run_check(&fixture, true, false).await;
    assert!(sound, "the old version of `old` reads too: {text}");
}

#[tokio::test]
async fn a_damaged_header_loses_nothing_when_the_index_is_rebuilt() {
    let fixture = Fixture::new().await;
    let access = fixture.account(1).await;
    let mut machine = fixture.machine(&access, 1).await;
    machine.upload(&[("a", &noise(1, 60_000))]).await;
    let pack = packs(&fixture).remove(0);
    let mut bytes = fs::read(&pack).unwrap();
    bytes[2] ^= 1;
    fs::write(&pack, bytes).unwrap();
    let (sound, text) = run_check(&fixture, true, true).await;
    assert!(
        sound && text.contains("is damaged; what of it is whole is taken"),
        "{text}"
    );
    assert_eq!(machine.read("a").await.unwrap(), noise(1, 60_000));
}

#[tokio::test]
async fn a_pack_that_the_disk_cannot_read_does_not_stop_the_rebuilding() {
    let (fixture, machine) = damaged().await;
    let name = format!("{}.pack", PackId::new(&*fixture.clock));
    // A folder opens and cannot be read, whoever the user is.
    fs::create_dir(packs(&fixture)[0].with_file_name(name)).unwrap();
    let (_, text) = run_check(&fixture, false, true).await;
    assert!(
        text.contains("cannot be read; it is left out") && text.contains("rebuilt the index"),
        "{text}"
    );
    assert_eq!(machine.read("well.bin").await.unwrap(), noise(2, 60_000));
}

#[tokio::test]
async fn a_record_of_another_content_than_its_id_is_not_taken_for_the_chunk() {
    let fixture = Fixture::new().await;
    let access = fixture.account(1).await;
    let mut machine = fixture.machine(&access, 1).await;
    let forged = PackId(uuid::Uuid::from_bytes([0; 16]));
    let content = noise(1, 60_000);
    let false_one = chunk(machine.key.id(&content), &noise(9, 60_000));
    let mut sink = fixture.blobs.begin(forged).unwrap();
    sink.write(&pack::header(forged)).unwrap();
    sink.write(&pack::record(
        machine.access.space,
        &false_one.header,
        &false_one.stored,
    ))
    .unwrap();
    sink.write(&false_one.stored).unwrap();
    sink.write(&pack::footer(1)).unwrap();
    sink.seal().unwrap();
    machine.upload(&[("a", &content)]).await;
    let (sound, text) = run_check(&fixture, true, true).await;
    assert!(sound, "{text}");
    assert_eq!(machine.read("a").await.unwrap(), content);
}

#[tokio::test]
async fn a_read_that_fails_for_another_reason_is_no_damage() {
    let fixture = Fixture::new().await;
    let access = fixture.account(1).await;
    let mut machine = fixture.machine(&access, 1).await;
    machine.upload(&[("a", &noise(1, 60_000))]).await;
    fixture.blobs.fail_reads(Some(rustix::io::Errno::MFILE.raw_os_error()));
    assert_eq!(machine.read("a").await.unwrap_err().refusal().code, ErrorCode::Internal);
    fixture.blobs.fail_reads(None);
    assert!(
        !fixture
            .store
            .have(&machine.access, &[machine.key.id(&noise(1, 60_000))])
            .await
            .unwrap()
            .get(0)
    );
    assert_eq!(machine.read("a").await.unwrap(), noise(1, 60_000));
}

#[tokio::test]
async fn reading_all_takes_the_mark_off_what_is_sound() {
    let (fixture, machine) = damaged().await;
    let mut pack = packs(&fixture);
    pack.retain(|pack| fs::read(pack).unwrap().len() > 60_000);
    let hidden: Vec<(PathBuf, PathBuf)> = pack
        .into_iter()
        .map(|pack| (pack.clone(), pack.with_extension("away")))
        .collect();
    for (pack, away) in &hidden {
        fs::rename(pack, away).unwrap();
    }
    assert!(machine.read("well.bin").await.is_err());
    for (pack, away) in &hidden {
        fs::rename(away, pack).unwrap();
    }
    let id = machine.key.id(&noise(2, 60_000));
    assert!(fixture.store.have(&machine.access, &[id]).await.unwrap().get(0));
    let (_, text) = run_check(&fixture, true, false).await;
    assert!(text.contains(&format!("sound again: chunk {id}")), "{text}");
    assert!(!fixture.store.have(&machine.access, &[id]).await.unwrap().get(0));
}

#[tokio::test]
async fn a_chunk_that_is_elsewhere_by_now_is_not_marked() {
    let fixture = Fixture::new().await;
    let access = fixture.account(1).await;
    let machine = fixture.machine(&access, 1).await;
    let id = machine.send(&[&noise(1, 60_000)]).await.unwrap()[0];
    let on = fixture.store.meta.read();
    let place = meta::chunk::find(on, machine.access.space, &[id]).await.unwrap()[&id];
    let elsewhere = [
        Place {
            start: place.start + 1,
            ..place
        },
        Place {
            pack: PackId::new(&*fixture.clock),
            ..place
        },
    ];
    for place in elsewhere {
        meta::chunk::mark_damaged(&fixture.store.meta, &*fixture.clock, &place)
            .await
            .unwrap();
    }
    assert!(
        meta::chunk::durable(on, machine.access.space, &[id])
            .await
            .unwrap()
            .contains_key(&id)
    );
}
