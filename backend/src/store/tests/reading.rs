//! Reading content back.

use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt};

use crate::store::testing::{Fixture, noise};

#[tokio::test]
async fn any_range_reads_the_same_bytes() {
    let fixture = Fixture::new().await;
    let access = fixture.account(1).await;
    let mut machine = fixture.machine(&access, 1).await;
    let mut content = noise(1, 3_000_000);
    content.extend(vec![7; 3_000_000]);
    machine.upload(&[("big", &content), ("empty", b"")]).await;
    let (_, version) = machine.head_of("big").await.unwrap();
    let len = content.len() as u64;
    for range in [
        0..len,
        0..1,
        len - 1..len,
        1_234_567..4_567_890,
        len..len,
        5..5,
        len - 3..len + 100,
    ] {
        let pieces: Vec<Bytes> = fixture
            .store
            .read_chunks(&version, range.clone())
            .try_collect()
            .await
            .unwrap();
        let end = range.end.min(len) as usize;
        assert!(pieces.concat() == content[range.start as usize..end], "{range:?}");
    }
    assert_eq!(machine.read("empty").await.unwrap(), b"");
}

#[tokio::test]
async fn a_reader_that_goes_away_stops_the_reading() {
    let fixture = Fixture::new().await;
    let access = fixture.account(1).await;
    let mut machine = fixture.machine(&access, 1).await;
    machine.upload(&[("big", &noise(1, 20_000_000))]).await;
    let (_, version) = machine.head_of("big").await.unwrap();
    let mut stream = fixture.store.read_chunks(&version, 0..20_000_000);
    assert!(stream.next().await.unwrap().is_ok());
    drop(stream);
    fixture.store.close().await.unwrap();
}
