//! Trees from a server that means harm or has damage.

use std::collections::BTreeMap;

use beckon_shared::{
    api::{Blob, drive::NodeView},
    id::{Hash, NodeId, VersionId},
};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::TcpListener,
};

use super::*;
use crate::{
    cli::place::DrivePlace,
    origin::Origin,
    output::{Format, Output},
    server::Server,
    state::StateDir,
};

/// A row whose path is not checked as a client would make it, with the content that the server gives out for it.
struct Fake {
    path: &'static str,
    kind: EntryKind,
    content: &'static [u8],
    /// What the listing says of the content.
    hash: Hash,
}

fn file(path: &'static str, content: &'static [u8]) -> Fake {
    Fake {
        path,
        kind: EntryKind::File,
        content,
        hash: Hash::of(content),
    }
}

fn link(path: &'static str, target: &'static [u8]) -> Fake {
    Fake {
        path,
        kind: EntryKind::Symlink,
        content: target,
        hash: Hash::of(target),
    }
}

fn folder(path: &'static str) -> Fake {
    Fake {
        path,
        kind: EntryKind::Folder,
        content: b"",
        hash: Hash::of(b""),
    }
}

fn id(at: usize) -> NodeId {
    NodeId::new(Timestamp(at as i64), [0; 10])
}

fn row(at: usize, fake: &Fake) -> serde_json::Value {
    let name = fake.path.rsplit('/').next().unwrap();
    let node = NodeView {
        id: id(at),
        parent: None,
        name: name.to_owned(),
        name_bytes: None,
        kind: fake.kind,
        size: fake.content.len() as u64,
        mtime: Timestamp(1_000_000),
        head: Some(VersionId::new(Timestamp(0), [0; 10])),
        hash: Some(fake.hash),
        torn: false,
        mode: if fake.kind == EntryKind::Folder { 0o750 } else { 0o640 },
        target: (fake.kind == EntryKind::Symlink).then(|| Blob(fake.content.to_vec())),
        deleted: None,
        device: None,
        stored: None,
        versions: 1,
    };
    serde_json::json!({ "path": URL_SAFE_NO_PAD.encode(fake.path), "node": node })
}

async fn serve(fakes: Vec<Fake>) -> Api {
    crate::cli::tests::install_tls();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = Origin::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
    let rows: Vec<_> = fakes.iter().enumerate().map(|(at, fake)| row(at, fake)).collect();
    let tree = serde_json::json!({ "rows": rows, "next": null }).to_string();
    let files: BTreeMap<String, &[u8]> = fakes
        .iter()
        .enumerate()
        .map(|(at, fake)| (id(at).to_string(), fake.content))
        .collect();
    let files = Arc::new(files);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (tree, files) = (tree.clone(), Arc::clone(&files));
            tokio::spawn(async move {
                let mut stream = BufReader::new(stream);
                let (mut first, mut line) = (String::new(), String::new());
                stream.read_line(&mut first).await.unwrap();
                while stream.read_line(&mut line).await.unwrap_or(0) > 2 {
                    line.clear();
                }
                let body = match files.iter().find(|(id, _)| first.contains(&format!("/file/{id}?"))) {
                    Some((_, content)) => content.to_vec(),
                    None => tree.into_bytes(),
                };
                let head = format!(
                    "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
                    body.len()
                );
                stream
                    .get_mut()
                    .write_all(&[head.as_bytes(), &body].concat())
                    .await
                    .unwrap();
            });
        }
    });
    Api::anonymous(&Server::new(origin, None).unwrap()).unwrap()
}

struct Temporary {
    here: Here,
    root: tempfile::TempDir,
}

fn temporary() -> Temporary {
    let root = tempfile::tempdir().unwrap();
    let state = StateDir::open(&root.path().join("state")).unwrap();
    let here = Here {
        state,
        out: Output { format: Format::Json },
        ca: None,
        timeout: None,
        is_relay_only: false,
        awaited: std::sync::Mutex::default(),
    };
    Temporary { here, root }
}

fn read(folder: &Path, name: &str) -> Option<Vec<u8>> {
    local::open_folder(folder).ok()?.read(name).ok()
}

async fn fetch(temporary: &Temporary, api: &Api) -> Result<Exit, Failure> {
    fetch_with(temporary, api, Clash::Refuse).await
}

async fn fetch_with(temporary: &Temporary, api: &Api, clash: Clash) -> Result<Exit, Failure> {
    get(
        &temporary.here,
        api,
        &DrivePlace::Node(id(99)).query(),
        &temporary.root.path().join("target"),
        clash,
    )
    .await
}

#[tokio::test]
async fn a_tree_comes_whole_and_the_second_time_nothing_comes() {
    let api = serve(vec![
        folder("d"),
        file("d/a", b"one"),
        file("b", b""),
        link("d/l", b"../b"),
    ])
    .await;
    let temporary = temporary();
    assert_eq!(fetch(&temporary, &api).await.unwrap(), Exit::Done);
    let target = temporary.root.path().join("target");
    assert_eq!(read(&target, "d/a").unwrap(), b"one");
    assert_eq!(read(&target, "b").unwrap(), b"");
    assert_eq!(read(&target, "d/l").unwrap(), b"", "the link leads to b");
    assert_eq!(fetch(&temporary, &api).await.unwrap(), Exit::Done);
}

#[tokio::test]
async fn folders_have_the_times_and_modes_of_their_sources_however_much_was_put_into_them() {
    let api = serve(vec![folder("d"), folder("d/e"), file("d/e/a", b"a"), file("d/z", b"z")]).await;
    let temporary = temporary();
    // The second time the folders are there already, and only a file comes anew.
    for _ in 0..2 {
        assert_eq!(fetch(&temporary, &api).await.unwrap(), Exit::Done);
        let top = local::open_folder(&temporary.root.path().join("target")).unwrap();
        for path in ["d", "d/e"] {
            let meta = top.metadata(path).unwrap();
            assert_eq!(
                meta.modified().unwrap().into_std(),
                local::system_time(Timestamp(1_000_000)),
                "{path}"
            );
            #[cfg(unix)]
            assert_eq!(cap_std::fs::MetadataExt::mode(&meta) & 0o777, 0o750, "{path}");
        }
        top.remove_file("d/e/a").unwrap();
    }
}

#[tokio::test]
async fn a_tree_cannot_write_outside_of_its_target() {
    let temporary = temporary();
    let outside: &'static str = String::leak(temporary.root.path().join("outside").to_string_lossy().into_owned());
    local::make_folder(Path::new(outside)).unwrap();
    let target = temporary.root.path().join("target");
    let top = local::make_folder(&target).unwrap();
    local::make_symlink(&top, "planted".as_ref(), outside.as_bytes(), Clash::Refuse).unwrap();
    let api = serve(vec![
        link("way", outside.as_bytes()),
        file("way/escaped", b"evil"),
        file("planted/escaped", b"evil"),
        file("good", b"good"),
    ])
    .await;
    assert_eq!(fetch(&temporary, &api).await.unwrap(), Exit::Partly);
    assert_eq!(
        local::open_folder(Path::new(outside))
            .unwrap()
            .entries()
            .unwrap()
            .count(),
        0
    );
    assert_eq!(read(&target, "good").unwrap(), b"good");
}

#[tokio::test]
async fn a_path_that_climbs_is_not_even_understood() {
    for path in ["../escaped", "/escaped", "a/../../escaped"] {
        let api = serve(vec![file(path, b"evil")]).await;
        let temporary = temporary();
        assert!(fetch(&temporary, &api).await.is_err(), "{path}");
        assert!(read(temporary.root.path(), "escaped").is_none(), "{path}");
    }
}

#[tokio::test]
async fn a_damaged_file_is_named_and_the_others_come() {
    let damaged = Fake {
        hash: Hash::of(b"what was stored"),
        ..file("bad", b"what came out")
    };
    let api = serve(vec![file("a", b"a"), damaged, file("z", b"z")]).await;
    let temporary = temporary();
    assert_eq!(fetch(&temporary, &api).await.unwrap(), Exit::Partly);
    let target = temporary.root.path().join("target");
    assert_eq!(
        (read(&target, "a"), read(&target, "bad"), read(&target, "z")),
        (Some(b"a".to_vec()), None, Some(b"z".to_vec()))
    );
    assert_eq!(
        local::open_folder(&target).unwrap().entries().unwrap().count(),
        2,
        "nothing temporary is left"
    );
}

#[tokio::test]
async fn what_is_there_is_replaced_only_where_it_differs_and_only_if_that_is_wanted() {
    let api = serve(vec![file("same", b"12345"), file("other", b"12345")]).await;
    let temporary = temporary();
    let target = temporary.root.path().join("target");
    let top = local::make_folder(&target).unwrap();
    top.write("same", b"12345").unwrap();
    top.write("other", b"abcde").unwrap();
    let before = top.metadata("same").unwrap().modified().unwrap();
    assert_eq!(fetch(&temporary, &api).await.unwrap(), Exit::Partly);
    assert_eq!(read(&target, "other").unwrap(), b"abcde");
    assert_eq!(fetch_with(&temporary, &api, Clash::Replace).await.unwrap(), Exit::Done);
    assert_eq!(top.metadata("same").unwrap().modified().unwrap(), before);
    assert_eq!(read(&target, "other").unwrap(), b"12345");
}
