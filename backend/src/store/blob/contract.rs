//! What every implementation of [`Blobs`] keeps to; each one's tests call [`holds`].

use std::io::ErrorKind;

use super::{Blobs, PackId};

/// The same id for the same seed.
pub(crate) fn id(seed: u8) -> PackId {
    PackId(uuid::Uuid::from_bytes([seed; 16]))
}

/// Runs the whole contract; `open` opens the same store again each time, as a restart does.
pub(crate) fn holds<B: Blobs>(open: impl Fn() -> B) {
    what_is_sealed_can_be_read_after_a_restart(&open);
    what_is_not_sealed_never_was(&open);
    reading_past_the_end_is_an_error(&open);
    deleting_is_final_and_may_be_repeated(&open);
    a_pack_is_written_once(&open);
    what_is_set_aside_is_neither_listed_nor_read(&open);
    what_is_secured_is_as_it_was(&open);
}

fn put(blobs: &impl Blobs, pack: PackId, bytes: &[u8]) {
    let mut sink = blobs.begin(pack).unwrap();
    for piece in bytes.chunks(700_001) {
        sink.write(piece).unwrap();
    }
    sink.seal().unwrap();
}

fn what_is_sealed_can_be_read_after_a_restart<B: Blobs>(open: &impl Fn() -> B) {
    let bytes: Vec<u8> = (0..3_000_000u32).map(|at| (at % 251) as u8).collect();
    put(&open(), id(1), &bytes);
    put(&open(), id(2), b"");
    let blobs = open();
    assert_eq!(blobs.read(id(1), 0..3_000_000).unwrap(), bytes);
    assert_eq!(
        blobs.read(id(1), 1_234_567..1_234_570).unwrap(),
        bytes[1_234_567..1_234_570]
    );
    assert_eq!((blobs.len(id(1)).unwrap(), blobs.len(id(2)).unwrap()), (3_000_000, 0));
    let mut listed = blobs.list().unwrap();
    listed.sort();
    assert_eq!(listed, [id(1), id(2)]);
}

fn what_is_not_sealed_never_was<B: Blobs>(open: &impl Fn() -> B) {
    let blobs = open();
    let mut sink = blobs.begin(id(3)).unwrap();
    sink.write(&[1; 2_000_000]).unwrap();
    assert_eq!(blobs.read(id(3), 0..1).unwrap_err().kind(), ErrorKind::NotFound);
    drop(sink);
    assert!(!open().list().unwrap().contains(&id(3)));
    put(&blobs, id(3), b"now");
    assert_eq!(open().read(id(3), 0..3).unwrap(), b"now");
}

fn reading_past_the_end_is_an_error<B: Blobs>(open: &impl Fn() -> B) {
    let blobs = open();
    put(&blobs, id(4), b"four");
    assert_eq!(blobs.read(id(4), 2..5).unwrap_err().kind(), ErrorKind::UnexpectedEof);
    assert_eq!(blobs.read(id(5), 0..1).unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(blobs.len(id(5)).unwrap_err().kind(), ErrorKind::NotFound);
}

fn deleting_is_final_and_may_be_repeated<B: Blobs>(open: &impl Fn() -> B) {
    let blobs = open();
    put(&blobs, id(6), b"six");
    blobs.delete(id(6)).unwrap();
    blobs.delete(id(6)).unwrap();
    assert_eq!(open().read(id(6), 0..1).unwrap_err().kind(), ErrorKind::NotFound);
}

fn a_pack_is_written_once<B: Blobs>(open: &impl Fn() -> B) {
    let blobs = open();
    put(&blobs, id(7), b"seven");
    let again = blobs.begin(id(7)).and_then(|mut sink| {
        sink.write(b"other")?;
        sink.seal()
    });
    assert!(again.is_err());
    assert_eq!(open().read(id(7), 0..5).unwrap(), b"seven");
}

fn what_is_set_aside_is_neither_listed_nor_read<B: Blobs>(open: &impl Fn() -> B) {
    let blobs = open();
    put(&blobs, id(8), b"eight");
    blobs.set_aside(id(8)).unwrap();
    assert!(!open().list().unwrap().contains(&id(8)));
    assert_eq!(open().read(id(8), 0..1).unwrap_err().kind(), ErrorKind::NotFound);
}

fn what_is_secured_is_as_it_was<B: Blobs>(open: &impl Fn() -> B) {
    let bytes = vec![9; 1_500_000];
    put(&open(), id(9), &bytes);
    open().secure(id(9)).unwrap();
    let blobs = open();
    assert_eq!(blobs.read(id(9), 0..1_500_000).unwrap(), bytes);
    assert!(blobs.list().unwrap().contains(&id(9)));
    assert_eq!(blobs.secure(id(10)).unwrap_err().kind(), ErrorKind::NotFound);
}
