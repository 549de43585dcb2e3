//! Packs on a disk that fails at any two operations: what was called sealed, or is listed, is
//! there after lost power all the same.

use std::{collections::BTreeSet, io, path::Path, sync::Arc};

use super::{
    disk::SimDisk,
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

/// Seals four packs while the operations with these numbers fail; how many operations there were.
fn seal_some(failing: [usize; 2]) -> usize {
    let disk = SimDisk::new(Platter::default());
    let blobs = blobs_on(disk.clone()).unwrap();
    let (count, counted) = (
        Arc::new(std::sync::atomic::AtomicUsize::new(0)),
        std::sync::atomic::Ordering::SeqCst,
    );
    let counting = count.clone();
    disk.set_faults(Some(Box::new(move |_| {
        failing.contains(&counting.fetch_add(1, counted))
    })));
    let sealed: Vec<u8> = (0..4).filter(|number| put(&blobs, *number).is_ok()).collect();
    disk.set_faults(None);
    // What is found later is indexed as well.
    let found = blobs.list().unwrap();
    let found = (0..4).filter(|number| found.contains(&pack(*number)) && blobs.secure(pack(*number)).is_ok());
    let sealed: BTreeSet<u8> = sealed.into_iter().chain(found).collect();
    for luck in [Luck::None, Luck::All].into_iter().chain((0..6).map(Luck::Some)) {
        let left = blobs_on(SimDisk::new(disk.platter().crashed(luck))).unwrap();
        for number in &sealed {
            let wanted = content(*number);
            let read = left.read(pack(*number), 0..wanted.len() as u64);
            assert!(
                read.is_ok_and(|read| read == wanted),
                "pack {number} of {sealed:?} is lost where the operations {failing:?} fail and {luck:?} is left"
            );
        }
    }
    count.load(counted)
}

#[test]
fn a_pack_that_is_sealed_survives_whatever_failed_before() {
    let operations = seal_some([usize::MAX; 2]);
    assert!(operations > 20, "{operations}");
    for first in 0..operations {
        for second in first..operations {
            seal_some([first, second]);
        }
    }
}
