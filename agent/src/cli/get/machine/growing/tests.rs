//! What an earlier run left counts only as far as it still verifies.
#![allow(clippy::disallowed_methods, reason = "a test looks at the files that are written")]

use std::fs;

use super::*;

const SIZE: u64 = 10 * PIECE as u64 + 5;

fn source() -> Source {
    Source {
        device: DeviceId([1; 32]),
        root: RootId([2; 16]),
        path: RootPath::new("a/large").unwrap(),
        stamp: SourceStamp {
            size: SIZE,
            mtime_ns: 1,
            ctime_ns: 2,
            file_id: 3,
        },
    }
}

fn piece(at: u64) -> Vec<u8> {
    let len = (SIZE - at * u64::from(PIECE)).min(PIECE.into());
    vec![at as u8 + 1; len as usize]
}

struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
        }
    }

    fn open(&self, source: &Source) -> Growing {
        let folder = Arc::new(local::open_folder(self.folder.path()).unwrap());
        Growing::open(folder, OsStr::new("large"), source).unwrap()
    }

    fn part(&self) -> std::path::PathBuf {
        self.folder.path().join(part_name(OsStr::new("large")))
    }

    fn note(&self) -> std::path::PathBuf {
        self.folder.path().join(note_name(OsStr::new("large")))
    }

    /// Leaves the first `count` pieces, as one that was killed does.
    fn leave(&self, count: u64) {
        let mut growing = self.open(&source());
        for at in 0..count {
            growing.write(&piece(at), Hash::of(&piece(at))).unwrap();
        }
    }
}

const DEFAULT: Finish = Finish {
    mode: 0,
    mtime: None,
    sync: crate::cli::get::part::Sync::Each,
    clash: local::Clash::Refuse,
};

#[test]
fn a_second_run_goes_on_behind_what_was_verified() {
    let place = Place::new();
    place.leave(4);
    let mut growing = place.open(&source());
    assert_eq!(growing.len(), 4 * u64::from(PIECE));
    for at in 4..=10 {
        growing.write(&piece(at), Hash::of(&piece(at))).unwrap();
    }
    growing.finish(DEFAULT).unwrap();
    let whole: Vec<u8> = (0..=10).flat_map(piece).collect();
    assert!(fs::read(place.folder.path().join("large")).unwrap() == whole);
    assert_eq!(fs::read_dir(place.folder.path()).unwrap().count(), 1);
}

#[test]
fn a_damaged_piece_and_all_behind_it_come_again() {
    let place = Place::new();
    place.leave(6);
    let mut bytes = fs::read(place.part()).unwrap();
    bytes[3 * PIECE as usize + 7] ^= 1;
    fs::write(place.part(), bytes).unwrap();
    assert_eq!(place.open(&source()).len(), 3 * u64::from(PIECE));
    // The note says no more than what is there.
    assert_eq!(place.open(&source()).len(), 3 * u64::from(PIECE));
}

#[test]
fn bytes_that_no_note_vouches_for_do_not_count() {
    let place = Place::new();
    place.leave(6);
    let note = fs::read(place.note()).unwrap();
    fs::write(place.note(), &note[..note.len() - HASH - 1]).unwrap();
    assert_eq!(place.open(&source()).len(), 4 * u64::from(PIECE));
    fs::write(place.note(), b"").unwrap();
    assert_eq!(place.open(&source()).len(), 0);
}

#[test]
fn another_state_of_the_file_begins_anew() {
    let place = Place::new();
    place.leave(6);
    let mut other = source();
    other.stamp.mtime_ns += 1;
    assert_eq!(place.open(&other).len(), 0);
    assert_eq!(fs::metadata(place.part()).unwrap().len(), 0);
}

#[test]
fn a_part_that_is_cut_short_counts_as_far_as_it_goes() {
    let place = Place::new();
    place.leave(6);
    let part = fs::OpenOptions::new().write(true).open(place.part()).unwrap();
    part.set_len(2 * u64::from(PIECE) + 99).unwrap();
    drop(part);
    assert_eq!(place.open(&source()).len(), 2 * u64::from(PIECE));
}

#[test]
fn a_small_file_leaves_nothing_behind() {
    let place = Place::new();
    let mut source = source();
    source.stamp.size = NOTED_FROM - 1;
    let mut growing = place.open(&source);
    growing.write(&piece(0), Hash::of(&piece(0))).unwrap();
    drop(growing);
    assert!(!place.note().exists());
    assert_eq!(place.open(&source).len(), 0);
}

#[cfg(target_os = "linux")]
#[test]
fn zeros_take_no_room() {
    use std::os::unix::fs::MetadataExt;
    let place = Place::new();
    let mut growing = place.open(&source());
    let zeros = vec![0; PIECE as usize];
    for _ in 0..10 {
        growing.write(&zeros, Hash::of(&zeros)).unwrap();
    }
    growing.write(b"end..", Hash::of(b"end..")).unwrap();
    growing.finish(DEFAULT).unwrap();
    let meta = fs::metadata(place.folder.path().join("large")).unwrap();
    assert_eq!(meta.len(), SIZE);
    assert!(meta.blocks() * 512 < SIZE / 2, "{} blocks", meta.blocks());
}
