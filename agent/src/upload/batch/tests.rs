//! Whatever is read comes out of the batches whole and in order.

use beckon_shared::{
    chunk::CHUNK_MIN,
    entry::{EntryKind, SourceStamp},
    id::{Hash, TransferId},
};
use proptest::prelude::*;

use super::*;

const KEY: ChunkKey = ChunkKey([1; 32]);

/// Content that comes in pieces of odd lengths, and may fail at its end.
struct Fake<'a> {
    left: &'a [u8],
    most: usize,
}

impl Source for Fake<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let len = into.len().min(self.left.len()).min(self.most);
        into[..len].copy_from_slice(&self.left[..len]);
        self.left = &self.left[len..];
        Ok(len)
    }

    fn meta(&self) -> io::Result<FileMeta> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

fn finished(at: usize) -> Finished {
    let stamp = SourceStamp {
        size: 0,
        mtime_ns: 0,
        ctime_ns: 0,
        file_id: 0,
    };
    let row = Row {
        kind: EntryKind::File,
        stamp,
        read_ns: 0,
        mode: 0,
        hash: Hash([0; 32]),
    };
    Finished {
        path: RootPath::new(at.to_string()).unwrap(),
        manifest: Vec::new(),
        size: 0,
        row,
        torn: false,
        silent: false,
        replaces: None,
    }
}

fn noise(len: usize, seed: u8) -> Vec<u8> {
    let mut bytes = vec![0; len];
    blake3::Hasher::new_keyed(&[seed; 32]).finalize_xof().fill(&mut bytes);
    bytes
}

/// Reads all contents on a thread; takes the batches as they come.
fn batches_of(contents: Vec<Vec<u8>>, most: usize) -> (Vec<ContentSum>, Vec<Batch>) {
    let (out, mut batches) = mpsc::channel(1);
    let reading = std::thread::spawn(move || {
        let mut all = Batches::new(KEY, Arc::default(), out);
        let read = |(at, content): (usize, &Vec<u8>)| {
            let content = all.read(&mut Fake { left: content, most }).unwrap();
            all.finish(finished(at)).unwrap();
            content
        };
        let read = contents.iter().enumerate().map(read).collect();
        all.flush().unwrap();
        read
    });
    let mut taken = Vec::new();
    while let Some(batch) = batches.blocking_recv() {
        // A copy, so that the buffer goes back.
        let bytes = Bytes::copy_from_slice(&batch.bytes);
        taken.push(Batch { bytes, ..batch });
    }
    (reading.join().unwrap(), taken)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn batches_are_complete_and_in_order(
        sizes in prop::collection::vec(prop_oneof![0..3usize, 1..200_000usize, 1_000_000..12_000_000usize], 1..8),
        most in prop_oneof![1000..70_000usize, Just(usize::MAX)],
    ) {
        let contents: Vec<_> = sizes.iter().zip(0..).map(|(size, seed)| noise(*size, seed)).collect();
        let (read, batches) = batches_of(contents.clone(), most);
        let mut chunks = batches.iter().flat_map(|batch| batch.pieces.iter().map(|piece| (piece.id, batch.content(piece))));
        for (content, read) in contents.iter().zip(&read) {
            prop_assert_eq!((read.size, read.hash), (content.len() as u64, Hash::of(content)));
            prop_assert_eq!(read.crc32, crc32fast::hash(content));
            let mut whole = Vec::new();
            for chunk in &read.chunks {
                let (id, bytes) = chunks.next().unwrap();
                prop_assert_eq!((id, KEY.id(&bytes), bytes.len()), (chunk.id, chunk.id, chunk.len as usize));
                whole.extend_from_slice(&bytes);
            }
            prop_assert!(whole == *content);
            prop_assert!(read.chunks.iter().rev().skip(1).all(|chunk| chunk.len as usize >= CHUNK_MIN));
        }
        prop_assert!(chunks.next().is_none());
        let order: Vec<_> = batches.iter().flat_map(|batch| &batch.finished).map(|one| one.path.display()).collect();
        prop_assert_eq!(order, (0..contents.len()).map(|at| at.to_string()).collect::<Vec<_>>());
    }
}

#[test]
fn cuts_do_not_depend_on_what_was_read_before() {
    let content = noise(9_000_000, 1);
    let (alone, _) = batches_of(vec![content.clone()], usize::MAX);
    let (after, _) = batches_of(vec![noise(7_777_777, 2), content], 12_345);
    assert_eq!(alone[0].chunks, after[1].chunks);
}

#[test]
fn a_batch_ends_after_a_thousand_entries() {
    let (_, batches) = batches_of(vec![Vec::new(); 2500], usize::MAX);
    let counts: Vec<_> = batches.iter().map(|batch| batch.finished.len()).collect();
    assert_eq!(counts, [1000, 1000, 500]);
}

#[test]
fn what_is_rewound_does_not_travel() {
    let (out, mut batches) = mpsc::channel(1);
    let mut all = Batches::new(KEY, Arc::default(), out);
    let (kept, dropped) = (noise(1000, 1), noise(1000, 2));
    all.read(&mut Fake {
        left: &kept,
        most: usize::MAX,
    })
    .unwrap();
    let mark = all.mark();
    all.read(&mut Fake {
        left: &dropped,
        most: usize::MAX,
    })
    .unwrap();
    all.rewind(mark);
    std::thread::spawn(move || all.flush().unwrap()).join().unwrap();
    let batch = batches.blocking_recv().unwrap();
    assert_eq!(
        batch.pieces.iter().map(|piece| piece.id).collect::<Vec<_>>(),
        [KEY.id(&kept)]
    );
}

#[test]
fn of_a_large_file_each_chunk_is_known_once_its_batch_is_durable_and_nothing_of_a_rewound_one() {
    let (out, mut batches) = mpsc::channel(8);
    let content = noise(20_000_000, 1);
    let stamp = finished(0).row.stamp;
    let files = crate::live::DurableFiles::default();
    let begin = |name: &str| files.begin(TransferId(uuid::Uuid::nil()), &RootPath::new(name).unwrap(), stamp);
    let (kept, broken) = (begin("kept"), begin("broken"));
    let followed = Arc::clone(&kept);
    let unread = Arc::clone(&broken);
    let sum = std::thread::spawn(move || {
        let mut all = Batches::new(KEY, Arc::default(), out);
        let mut read = |file, left: &[u8]| {
            let mark = all.mark();
            all.follow(Some(file));
            let most = usize::MAX;
            (all.read(&mut Fake { left, most }).unwrap(), mark)
        };
        let (sum, _) = read(followed, &content);
        let (_, mark) = read(unread, &content[..50_000]);
        all.rewind(mark);
        all.flush().unwrap();
        sum
    })
    .join()
    .unwrap();
    let mut ends = sum.chunks.iter().scan(0, |end, chunk| {
        *end += u64::from(chunk.len);
        Some(*end - 1)
    });
    let mut durable = 0;
    while let Ok(batch) = batches.try_recv() {
        let chunks = batch.pieces.len();
        assert_eq!(kept.at(durable), None, "not before the batch is durable");
        batch.stored().in_turn();
        for _ in 0..chunks {
            let last = ends.next().unwrap();
            let place = kept.at(last).expect("it is durable");
            assert_eq!(place.skip + 1, place.chunk_len);
            durable = last + 1;
        }
    }
    assert_eq!(durable, sum.size);
    assert_eq!(broken.at(0), None);
}
