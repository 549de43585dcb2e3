//! How long the two requests take that come for every thousand files. Run in release; prints, asserts loosely.

use std::{
    io::Write,
    time::{Duration, Instant},
};

use beckon_shared::bulk::CommitReply;

use crate::store::testing::{Fixture, noise};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_files_commit_fast() {
    let fixture = Fixture::new().await;
    let access = fixture.account(1).await;
    let mut machine = fixture.machine(&access, 1).await;
    let mut slowest = Duration::ZERO;
    for round in 0..5u64 {
        let contents: Vec<Vec<u8>> = (0..1000).map(|at| noise(round * 1000 + at, 2000)).collect();
        let pieces: Vec<&[u8]> = contents.iter().map(Vec::as_slice).collect();
        let ids: Vec<_> = contents.iter().map(|content| machine.key.id(content)).collect();
        let started = Instant::now();
        fixture.store.have(&machine.access, &ids).await.unwrap();
        let asked = started.elapsed();
        let started = Instant::now();
        machine.send(&pieces).await.unwrap();
        let sent = started.elapsed();
        let paths: Vec<String> = (0..1000)
            .map(|at| format!("some/folder-{round}-{}/file-{at}.dat", at / 50))
            .collect();
        let changes: Vec<_> = paths
            .iter()
            .zip(&contents)
            .map(|(path, content)| (path.as_str(), Some(machine.file(content))))
            .collect();
        let upload = machine.sign(&changes);
        let started = Instant::now();
        assert!(matches!(
            machine.commit(upload).await.unwrap(),
            CommitReply::Committed(_)
        ));
        let committed = started.elapsed();
        slowest = slowest.max(committed);
        let again = Instant::now();
        fixture.store.have(&machine.access, &ids).await.unwrap();
        let line = format!(
            "have {asked:?}, send {sent:?}, commit {committed:?}, have again {:?}\n",
            again.elapsed()
        );
        std::io::stderr().write_all(line.as_bytes()).unwrap();
    }
    assert!(slowest < Duration::from_secs(5), "{slowest:?}");
}
