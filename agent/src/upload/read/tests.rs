//! Files that change or fail while they are read.

use std::{collections::VecDeque, io};

use beckon_shared::{chunk::ChunkKey, id::RootId, path::Label};

use super::*;
use crate::{state::RootConfig, upload::batch::Batch};

fn meta(size: u64, mtime_ns: i64) -> FileMeta {
    FileMeta {
        stamp: SourceStamp {
            size,
            mtime_ns,
            ctime_ns: 0,
            file_id: 1,
        },
        mode: 0o600,
        allocated: size,
    }
}

/// Reads out as scripted, then says its stamp.
struct Fake {
    reads: VecDeque<io::Result<&'static [u8]>>,
    after: FileMeta,
}

impl Source for Fake {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let bytes = self.reads.pop_front().unwrap_or(Ok(b""))?;
        into[..bytes.len()].copy_from_slice(bytes);
        Ok(bytes.len())
    }

    fn meta(&self) -> io::Result<FileMeta> {
        Ok(self.after)
    }
}

struct Bench {
    site: Site,
    out: mpsc::Sender<Batch>,
    batches: mpsc::Receiver<Batch>,
    problems: mpsc::Receiver<Problem>,
}

fn bench() -> Bench {
    let (problems, told) = mpsc::channel(8);
    let (out, batches) = mpsc::channel(8);
    let root = RootConfig {
        id: RootId([1; 16]),
        name: Label::new("root").unwrap(),
        path: "/nowhere".into(),
        writable: false,
        ignore: String::new(),
    };
    let site = Site {
        root: Arc::new(Root::new(&root)),
        transfer: TransferId(uuid::Uuid::nil()),
        durable: Arc::default(),
        counters: Arc::default(),
        problems,
        stop: CancellationToken::new(),
        keeps: false,
        again: Mutex::default(),
    };
    Bench {
        site,
        out,
        batches,
        problems: told,
    }
}

/// Reads `item` once, then hands over what there is.
fn read(bench: &Bench, item: Item, mut file: Fake, before: FileMeta) {
    let batches = Batches::new(ChunkKey([1; 32]), Arc::default(), bench.out.clone());
    let mut reading = Reading {
        site: &bench.site,
        batches,
        folder: None,
    };
    reading.opened(before.stamp.size, item, &mut file, before).unwrap();
    reading.batches.flush().unwrap();
}

fn item() -> Item {
    Item::file(RootPath::new("file").unwrap(), 4)
}

fn content_of(finished: &Finished) -> FileContent {
    match Manifest::parse(&finished.manifest).unwrap().content {
        manifest::Content::File(file) => file,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_file_that_changes_while_it_is_read_is_read_three_times_and_then_torn() {
    let mut bench = bench();
    let file = || Fake {
        reads: [Ok(&b"half"[..]), Ok(b"more")].into(),
        after: meta(8, 2),
    };
    let mut item = item();
    for attempt in 1..ATTEMPTS {
        read(&bench, item, file(), meta(4, 1));
        assert!(bench.batches.try_recv().is_err(), "nothing of it travels");
        item = bench.site.again.lock().unwrap().pop().unwrap();
        assert_eq!(item.attempt, attempt);
    }
    read(&bench, item, file(), meta(4, 1));
    let batch = bench.batches.try_recv().unwrap();
    assert!(batch.finished[0].torn && content_of(&batch.finished[0]).torn);
    assert_eq!(content_of(&batch.finished[0]).size(), 8);
}

#[test]
fn a_file_that_is_shorter_than_it_says_is_torn_too() {
    let bench = bench();
    read(
        &bench,
        item(),
        Fake {
            reads: [Ok(&b"ha"[..])].into(),
            after: meta(4, 1),
        },
        meta(4, 1),
    );
    assert_eq!(bench.site.again.lock().unwrap().len(), 1);
}

#[test]
fn a_file_that_cannot_be_read_to_its_end_is_a_problem() {
    let mut bench = bench();
    let broken = io::Error::other("input/output error");
    read(
        &bench,
        item(),
        Fake {
            reads: [Ok(&b"ha"[..]), Err(broken)].into(),
            after: meta(4, 1),
        },
        meta(4, 1),
    );
    assert_eq!(bench.problems.try_recv().unwrap().code, ErrorCode::NotReadable);
    assert!(bench.batches.try_recv().is_err(), "nothing of it travels");
    assert_eq!(bench.site.counters.progress().failed, 1);
}

#[test]
fn a_quiet_file_is_committed_with_the_stamp_around_its_read() {
    let mut bench = bench();
    read(
        &bench,
        item(),
        Fake {
            reads: [Ok(&b"ha"[..]), Ok(b"lf")].into(),
            after: meta(4, 1),
        },
        meta(4, 1),
    );
    let batch = bench.batches.try_recv().unwrap();
    let file = content_of(&batch.finished[0]);
    assert_eq!(
        (file.stamp, file.torn, file.sparse, file.hash),
        (meta(4, 1).stamp, false, false, Hash::of(b"half"))
    );
    assert_eq!(batch.finished[0].row.hash, file.hash);
}

#[test]
fn known_content_travels_again_only_once_its_stamp_has_settled() {
    let row = |read_ns, mtime_ns| Row {
        kind: EntryKind::File,
        stamp: meta(4, mtime_ns).stamp,
        read_ns,
        mode: 0o600,
        hash: Hash::of(b"half"),
    };
    let long_ago = 1;
    let now = clock::now_ns();
    for (mtime_ns, batches) in [(long_ago, 1), (now, 0)] {
        let mut bench = bench();
        let item = Item {
            known: Some(Box::new(row(mtime_ns + 1, mtime_ns))),
            ..item()
        };
        let file = Fake {
            reads: [Ok(&b"half"[..])].into(),
            after: meta(4, mtime_ns),
        };
        read(&bench, item, file, meta(4, mtime_ns));
        assert_eq!(std::iter::from_fn(|| bench.batches.try_recv().ok()).count(), batches);
        assert_eq!(bench.site.counters.progress().files_done, 1 - batches as u64);
    }
}
