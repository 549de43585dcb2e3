//! Packs on a disk that fails at any two operations, under a server that is killed and started again in between: what was
//! called sealed, or is listed, is there after lost power all the same.

use std::{
    collections::BTreeSet,
    io,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use super::{
    chance::Chance,
    disk::{Doing, Ending, Fault, SimDisk},
    luck::Luck,
    platter::Platter,
    record::{DATA, PIECE},
};
use crate::store::{
    blob::{Blobs, disk::DiskBlobs},
    pack::PackId,
};

/// In the same folder, all of them.
fn pack(number: u8) -> PackId {
    let mut bytes = [0xab; 16];
    bytes[0] = number;
    PackId(uuid::Uuid::from_bytes(bytes))
}

fn content(number: u8) -> Vec<u8> {
    vec![number; 3 * PIECE]
}

fn put(blobs: &DiskBlobs, number: u8) -> io::Result<()> {
    let mut sink = blobs.begin(pack(number))?;
    sink.write(&content(number))?;
    sink.seal()
}

fn blobs_on(disk: SimDisk) -> io::Result<DiskBlobs> {
    DiskBlobs::on(Arc::new(disk), Path::new(DATA), PIECE)
}

/// Starts as the server does, and tries again where that fails.
fn start(disk: &SimDisk) -> DiskBlobs {
    let start = || {
        let blobs = blobs_on(disk.revived())?;
        blobs.sweep()?;
        Ok::<_, io::Error>(blobs)
    };
    (0..4).find_map(|_| start().ok()).unwrap()
}

/// Panics unless each of these is there whatever the lost power left.
fn survive(disk: &SimDisk, sealed: &BTreeSet<u8>, told: &str) {
    for luck in [Luck::None, Luck::All].into_iter().chain((0..6).map(Luck::Some)) {
        let left = blobs_on(SimDisk::new(disk.platter().crashed(luck))).unwrap();
        for number in sealed {
            let wanted = content(*number);
            let read = left.read(pack(*number), 0..wanted.len() as u64);
            assert!(
                read.is_ok_and(|read| read == wanted),
                "pack {number} of {sealed:?} is lost where {told} and {luck:?} is left"
            );
        }
    }
}

/// Starts, seals two packs, is killed, starts again and seals two more, while the operations with these numbers fail; how
/// many operations there were.
fn seal_some(failing: [usize; 2]) -> usize {
    let disk = SimDisk::new(Platter::default());
    let count = Arc::new(AtomicUsize::new(0));
    let counting = count.clone();
    disk.set_faults(Some(Box::new(move |_| {
        let number = counting.fetch_add(1, Ordering::SeqCst);
        failing.contains(&number).then_some(Fault::Broken)
    })));
    let mut sealed = BTreeSet::new();
    let mut blobs = start(&disk);
    for number in 0..4 {
        if number == 2 {
            disk.end(Ending::Killed);
            blobs = start(&disk);
        }
        if put(&blobs, number).is_ok() {
            sealed.insert(number);
        }
    }
    disk.set_faults(None);
    disk.end(Ending::Killed);
    let blobs = start(&disk);
    // What is found later is indexed as well.
    let found = blobs.list().unwrap();
    let found = (0..4).filter(|number| found.contains(&pack(*number)) && blobs.secure(pack(*number)).is_ok());
    sealed.extend(found);
    survive(&disk, &sealed, &format!("the operations {failing:?} fail"));
    count.load(Ordering::SeqCst)
}

#[test]
fn a_pack_that_is_sealed_survives_whatever_failed_before() {
    let operations = seal_some([usize::MAX; 2]);
    assert!(operations > 40, "{operations}");
    for first in 0..operations {
        for second in first..operations {
            seal_some([first, second]);
        }
    }
}

/// Seals packs from four threads at once where folders often fail to be synced.
fn seal_at_once(seed: u64) {
    let disk = SimDisk::new(Platter::default());
    let blobs = start(&disk);
    let mut chance = Chance::new(seed);
    disk.set_faults(Some(Box::new(move |doing| {
        (doing == Doing::Sync && chance.once_in(4)).then_some(Fault::Broken)
    })));
    let sealed = std::thread::scope(|scope| {
        let seal = |first: u8| (first..first + 6).filter(|number| put(&blobs, *number).is_ok());
        let sealing = [0, 6, 12, 18].map(|first| scope.spawn(move || seal(first).collect::<Vec<_>>()));
        sealing.map(|thread| thread.join().unwrap()).concat()
    });
    survive(&disk, &sealed.into_iter().collect(), "folders fail to be synced");
}

#[test]
fn packs_that_are_sealed_at_once_in_one_folder_do_not_hide_each_others_failures() {
    (0..200).for_each(seal_at_once);
}
