//! Chunks that another machine is to write, delivered to a server in memory.

use beckon_shared::{
    chunk::{self, CHUNK_MAX, ChunkRef},
    error::ErrorCode,
};

use super::{
    fake::{Fault, KEY},
    *,
};
use crate::upload::deliver::{Delivery, Parcel};

/// A file cut as it stands now.
fn parcel(bench: &Bench, path: &str) -> Parcel {
    let root = bench.job(&[]).root;
    let (folder, name) = root.parent(&below(path)).unwrap();
    let stamp = folder.open_file(&name).unwrap().meta.stamp;
    let bytes = fs::read(bench.path(path)).unwrap();
    let (mut rest, mut chunks) = (bytes.as_slice(), Vec::new());
    while !rest.is_empty() {
        let (one, after) = rest.split_at(chunk::cut(&rest[..rest.len().min(CHUNK_MAX)]));
        chunks.push(ChunkRef {
            id: KEY.id(one),
            len: one.len() as u32,
        });
        rest = after;
    }
    Parcel {
        root,
        path: below(path),
        stamp,
        chunks,
    }
}

/// Delivers, and gives the bytes that were told to be with the server.
async fn delivered(bench: &Bench, parcels: Vec<Parcel>) -> Result<u64, Refusal> {
    let fast = (Duration::from_millis(1), Duration::from_millis(5));
    let pace = Pace {
        network: fast,
        room: fast,
        changing: fast,
    };
    let delivery = Delivery {
        shared: Arc::new(bench.shared(bench.server.clone(), pace)),
        parcels: parcels.into(),
        key: KEY,
    };
    let told = std::sync::atomic::AtomicU64::new(0);
    delivery.all(|bytes| _ = told.fetch_add(bytes, Relaxed)).await?;
    Ok(told.into_inner())
}

#[tokio::test(flavor = "multi_thread")]
async fn each_chunk_arrives_once_through_all_breaks() {
    let bench = Bench::new();
    bench.write("large", &noise(9 << 20, 1));
    bench.write("twin", &noise(9 << 20, 1));
    bench.write("small/one", b"one");
    bench.write("empty", b"");
    bench.server.with(|store| {
        store.faults.insert(1, Fault::Before(Failure::Break));
        store.faults.insert(3, Fault::After);
        store.faults.insert(5, Fault::Before(Failure::Ticket));
    });
    let parcels: Vec<Parcel> = ["large", "twin", "small/one", "empty"]
        .map(|path| parcel(&bench, path))
        .into();
    let told = delivered(&bench, parcels.clone()).await.unwrap();
    assert_eq!(told, (9 << 20) + 3, "what is twice there travels once");
    bench.server.with(|store| {
        for chunk in parcels.iter().flat_map(|parcel| &parcel.chunks) {
            assert_eq!(store.chunks[&chunk.id].len(), chunk.len as usize);
        }
        store.sent.clear();
        store.commits
    });
    delivered(&bench, parcels).await.unwrap();
    bench.server.with(|store| {
        assert_eq!(
            (store.sent.len(), store.commits),
            (0, 0),
            "nothing is sent again, and nothing committed"
        );
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_changed_since_it_was_cut_is_not_sent() {
    let bench = Bench::new();
    bench.write("a", b"before");
    let cut = parcel(&bench, "a");
    fs::write(bench.path("a"), b"behind").unwrap();
    let refusal = delivered(&bench, vec![cut.clone()]).await.unwrap_err();
    assert_eq!(refusal.code, ErrorCode::Changing);
    let same_stamp = Parcel {
        stamp: parcel(&bench, "a").stamp,
        ..cut
    };
    let refusal = delivered(&bench, vec![same_stamp]).await.unwrap_err();
    assert_eq!(
        refusal.code,
        ErrorCode::Changing,
        "the content counts, whatever the stamp says"
    );
    assert!(bench.server.with(|store| store.chunks.is_empty()));
}
