//! Large files of which something is stored: only what changed in them travels.

use super::*;

/// More than one batch holds.
const LEN: usize = 20 << 20;

fn noise(seed: u8, len: usize) -> Vec<u8> {
    let mut bytes = vec![0; len];
    blake3::Hasher::new().update(&[seed]).finalize_xof().fill(&mut bytes);
    bytes
}

/// A bench with a large file that is stored, and its content.
async fn stored() -> (Bench, Vec<u8>) {
    let (bench, content) = (Bench::new(), noise(1, LEN));
    bench.write("large", &content);
    bench.done(&[""]).await;
    bench.server.with(|store| {
        assert_eq!((store.outlines, store.parts_asked), (0, 0), "nothing was there before");
        store.wire = 0;
    });
    (bench, content)
}

/// Uploads what the file now holds; what of it travelled.
async fn changed(bench: &Bench, content: &[u8]) -> usize {
    bench.write("large", content);
    // The time is that of the write before, but the size or the change time is not.
    let progress = bench.done(&[""]).await;
    assert_eq!(progress.bytes_total, content.len() as u64);
    bench.server.with(|store| {
        assert!(store.content(&below("large")) == content);
        std::mem::take(&mut store.wire)
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn single_bytes_and_an_insertion_cost_about_themselves() {
    let (bench, mut content) = stored().await;
    for at in [10, 3_000_001, 9_999_999, 17_000_000] {
        content[at] ^= 1;
    }
    let put_in = noise(2, 300_007);
    content.splice(6_000_003..6_000_003, put_in.iter().copied());
    let wire = changed(&bench, &content).await;
    // The ends of what was put in share their chunks with what was there.
    assert!(wire < put_in.len() + 100_000, "{wire}");
    let (outlines, parts) = bench.server.with(|store| (store.outlines, store.parts_asked));
    assert_eq!(outlines, 1);
    assert!(parts < 20, "the parts of {parts} chunks were asked");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_changed_everywhere_is_told_in_recipes_too() {
    let (bench, mut content) = stored().await;
    (0..LEN).step_by(50_000).for_each(|at| content[at] ^= 1);
    let wire = changed(&bench, &content).await;
    assert!(wire < LEN / 8, "{wire}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_became_another_is_soon_sent_as_it_is() {
    let (bench, _) = stored().await;
    let wire = changed(&bench, &noise(3, LEN + 5)).await;
    assert!(wire >= LEN);
    let parts = bench.server.with(|store| store.parts_asked);
    assert!(parts < LEN / (128 << 10), "the parts of {parts} chunks were asked");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_cannot_follow_gets_the_chunks_themselves() {
    let (bench, mut content) = stored().await;
    bench.server.with(|store| store.follows_recipes = false);
    (0..LEN).step_by(1_000_000).for_each(|at| content[at] ^= 1);
    let wire = changed(&bench, &content).await;
    assert!(wire > 20 * 64 * 1024, "{wire}");
    let refused = bench.server.with(|store| store.refused_recipes);
    assert!((1..=16).contains(&refused), "{refused} times");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_version_before_has_is_not_asked_for_and_is_sent_where_it_was_lost() {
    let (bench, mut content) = stored().await;
    bench.server.with(|store| store.asked = 0);
    content[LEN - 100_000] ^= 1;
    changed(&bench, &content).await;
    let asked = bench.server.with(|store| std::mem::take(&mut store.asked));
    assert!((1..=2).contains(&asked), "{asked} chunks were asked for");
    let before = bench.server.with(|store| {
        let first = store.chunks_of(&below("large"))[0].id;
        store.lost = vec![first];
        store.commits
    });
    content[LEN - 200_000] ^= 1;
    changed(&bench, &content).await;
    bench.server.with(|store| {
        assert_eq!(store.commits, before + 2, "one in vain, and one once it was sent again");
        assert!(store.asked > 40, "then all of the file is asked for");
    });
}
