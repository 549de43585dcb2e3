//! The handlers over a real store that a machine uploaded to.

use std::{collections::BTreeSet, path::Path, process::Command};

use actix_web::{
    HttpRequest, HttpResponse, body,
    http::header,
    test::TestRequest,
    web::{Data, Json},
};
use beckon_shared::{
    api::drive::{Deleted, Heads, HeadsOf, Listing, Move, Nodes, Tree, VersionView},
    error::ErrorCode,
    id::{NodeId, SignInId},
    manifest::{Content, Manifest},
    path::{Name, RootPath},
    time::Timestamp,
};
use serde::de::DeserializeOwned;

use super::super::*;
use crate::{
    access::Access,
    config::Cli,
    error::Answer,
    http::{content::Reads, drive::download, limit::Limits, origin::Origins},
    hub::Hub,
    order::Live,
    relay::Relays,
    setup::SetUp,
    store::testing::{Fixture, Machine, noise},
};

pub(super) struct Site {
    pub(super) fixture: Fixture,
    pub(super) app: Data<App>,
    pub(super) access: Access,
    pub(super) machine: Machine,
}

/// The machine has uploaded `laptop/home/docs/a.txt`, `docs/sub/big.bin` and `docs/link`.
pub(super) async fn site() -> Site {
    let fixture = Fixture::new().await;
    let access = fixture.account(1).await;
    let machine = fixture.machine(&access, 1).await;
    let app = App {
        config: Cli::load(["beckon-server"]).unwrap().config,
        origins: Origins::new(None, "127.0.0.1:1".parse().unwrap(), false).unwrap(),
        clock: fixture.clock.clone(),
        store: fixture.store.clone(),
        hub: Hub::default(),
        live: Live::default(),
        news: crate::order::News::default(),
        relays: Relays::default(),
        reads: Reads::default(),
        limits: Limits::default(),
        setup: SetUp::default(),
        secret: [0; 32],
        watch: crate::admin::Watch::new(beckon_shared::time::Timestamp(0)),
    };
    let mut site = Site {
        fixture,
        app: Data::new(app),
        access,
        machine,
    };
    site.upload(&[("docs/a.txt", b"hello"), ("docs/sub/big.bin", &big())])
        .await;
    let link = Manifest {
        suite: 0,
        mode: 0o777,
        mtime_ns: 0,
        content: Content::Symlink(b"a.txt".to_vec()),
    };
    site.machine
        .commit(site.machine.sign(&[("docs/link", Some(link))]))
        .await
        .unwrap();
    site
}

fn big() -> Vec<u8> {
    noise(9, 1_500_000)
}

impl Site {
    pub(super) async fn upload(&mut self, files: &[(&str, &[u8])]) {
        let contents: Vec<&[u8]> = files.iter().map(|file| file.1).collect();
        self.machine.send(&contents).await.unwrap();
        let changes: Vec<_> = files
            .iter()
            .map(|(path, content)| (*path, Some(self.manifest(content))))
            .collect();
        self.machine.commit(self.machine.sign(&changes)).await.unwrap();
    }

    fn manifest(&self, content: &[u8]) -> Manifest {
        let mut manifest = self.machine.file(content);
        if let Content::File(file) = &mut manifest.content {
            file.crc32 = crc32fast::hash(content);
        }
        manifest
    }

    pub(super) fn signed_in(&self) -> SignedIn {
        SignedIn {
            access: self.access.clone(),
            device: self.machine.access.device,
            session: SignInId::new(Timestamp(0), [0; 10]),
            expires: Timestamp(i64::MAX),
            cut: Default::default(),
        }
    }

    pub(super) async fn list(&self, query: &str) -> Listing {
        json(list_folder(self.signed_in(), self.app.clone(), request(query)).await).await
    }

    pub(super) async fn tree(&self, query: &str) -> Tree {
        json(list_tree(self.signed_in(), self.app.clone(), request(query)).await).await
    }

    async fn deleted(&self, query: &str) -> Deleted {
        json(list_deleted(self.signed_in(), self.app.clone(), request(query)).await).await
    }

    pub(super) async fn node(&self, path: &str) -> NodeId {
        self.list(&format!("path={path}")).await.node.unwrap().id
    }

    pub(super) async fn delete(&self, path: &str) -> NodeId {
        let node = self.node(path).await;
        delete_nodes(self.signed_in(), self.app.clone(), Json(Nodes { nodes: vec![node] }))
            .await
            .unwrap();
        node
    }

    pub(super) async fn file(&self, query: &str) -> Answer {
        download::file(self.signed_in(), self.app.clone(), request(query)).await
    }

    pub(super) async fn zip(&self, query: &str, range: Option<(&str, &str)>) -> HttpResponse {
        let mut asked = TestRequest::with_uri(&format!("/?{query}"));
        if let Some((range, etag)) = range {
            asked = asked
                .insert_header((header::RANGE, range))
                .insert_header((header::IF_RANGE, etag));
        }
        download::zip(self.signed_in(), self.app.clone(), asked.to_http_request())
            .await
            .unwrap()
    }
}

pub(super) fn request(query: &str) -> HttpRequest {
    TestRequest::with_uri(&format!("/?{query}")).to_http_request()
}

pub(super) async fn json<T: DeserializeOwned>(answer: Answer) -> T {
    serde_json::from_slice(&bytes(answer.unwrap()).await).unwrap()
}

pub(super) async fn bytes(response: HttpResponse) -> Vec<u8> {
    body::to_bytes(response.into_body()).await.unwrap().to_vec()
}

fn etag(response: &HttpResponse) -> String {
    response
        .headers()
        .get(header::ETAG)
        .unwrap()
        .to_str()
        .unwrap()
        .to_owned()
}

pub(super) fn code(answer: Answer) -> u16 {
    actix_web::ResponseError::status_code(&answer.unwrap_err()).as_u16()
}

pub(super) fn names(listing: &Listing) -> Vec<&str> {
    listing.children.iter().map(|child| child.name.as_str()).collect()
}

#[actix_web::test]
async fn what_was_uploaded_is_listed_folder_by_folder_and_page_by_page() {
    let site = site().await;
    assert_eq!(names(&site.list("").await), ["Files", "laptop"]);
    let docs = site.list("path=laptop/home/docs").await;
    assert_eq!(names(&docs), ["a.txt", "link", "sub"]);
    assert_eq!(docs.children[1].target.as_ref().unwrap().0, b"a.txt");
    assert_eq!((docs.children[0].size, docs.children[0].mode), (5, 0o644));
    let first = site.list("path=laptop/home/docs&limit=1").await;
    assert_eq!(
        (names(&first), first.next.clone()),
        (vec!["a.txt"], Some(Name::new("a.txt").unwrap()))
    );
    let after = serde_json::to_string(&first.next).unwrap();
    let rest = site
        .list(&format!(
            "path=laptop/home/docs&limit=2&after={}",
            after.trim_matches('"')
        ))
        .await;
    assert_eq!((names(&rest), rest.next.clone()), (vec!["link", "sub"], None));
    assert_eq!(
        code(list_folder(site.signed_in(), site.app.clone(), request("path=nowhere")).await),
        404
    );
}

#[actix_web::test]
async fn a_tree_is_complete_in_pages_of_any_size() {
    let site = site().await;
    let whole = site.tree("path=laptop/home").await;
    let paths: Vec<_> = whole.rows.iter().map(|row| row.path.display()).collect();
    assert_eq!(
        paths,
        ["docs", "docs/a.txt", "docs/link", "docs/sub", "docs/sub/big.bin"]
    );
    let mut rows = Vec::new();
    let mut query = "path=laptop/home&limit=2".to_owned();
    loop {
        let page = site.tree(&query).await;
        rows.extend(page.rows);
        let Some(next) = page.next else { break };
        query = format!(
            "path=laptop/home&limit=2&after={}",
            serde_json::to_string(&next).unwrap().trim_matches('"')
        );
    }
    assert_eq!(rows, whole.rows);
}

#[actix_web::test]
async fn heads_and_versions_tell_what_is_safe() {
    let mut site = site().await;
    let path = serde_json::to_string(&RootPath::new("docs").unwrap()).unwrap();
    let (device, root) = (site.machine.access.device, site.machine.access.root);
    let query = format!("device={device}&root={root}&path={}", path.trim_matches('"'));
    let heads: Heads = json(list_heads(site.signed_in(), site.app.clone(), request(&query)).await).await;
    let stamps: Vec<_> = heads
        .heads
        .iter()
        .map(|head| (head.name.display(), head.stamp.map(|stamp| stamp.size), head.settled))
        .collect();
    assert_eq!(
        stamps,
        [
            ("a.txt".to_owned(), Some(5), true),
            ("link".to_owned(), None, true),
            ("sub".to_owned(), None, true)
        ]
    );
    let names = ["sub", "nowhere", "a.txt"]
        .map(|name| Name::new(name).unwrap())
        .to_vec();
    let asked = HeadsOf {
        device,
        root,
        path: RootPath::new("docs").unwrap(),
        names,
    };
    let some: Heads = json(look_up_heads(site.signed_in(), site.app.clone(), Json(asked)).await).await;
    assert_eq!(
        some.heads
            .iter()
            .map(|head| head.name.display())
            .collect::<BTreeSet<_>>(),
        BTreeSet::from(["a.txt".to_owned(), "sub".to_owned()])
    );

    site.upload(&[("docs/a.txt", b"hello again")]).await;
    let answer = list_versions(
        site.signed_in(),
        site.app.clone(),
        request("path=laptop/home/docs/a.txt"),
    )
    .await;
    let versions: Vec<VersionView> = json(answer).await;
    assert_eq!(
        versions
            .iter()
            .map(|version| (version.size, version.head))
            .collect::<Vec<_>>(),
        [(11, true), (5, false)]
    );
    let old = site
        .file(&format!("path=laptop/home/docs/a.txt&version={}", versions[1].id))
        .await
        .unwrap();
    assert_eq!(bytes(old).await, b"hello");
    assert_eq!(
        bytes(site.file("path=laptop/home/docs/a.txt").await.unwrap()).await,
        b"hello again"
    );
    let other = format!("path=laptop/home/docs/sub/big.bin&version={}", versions[1].id);
    assert_eq!(code(site.file(&other).await), 404);
}

#[actix_web::test]
async fn a_file_comes_back_equal_and_a_folder_is_none() {
    let site = site().await;
    let response = site.file("path=laptop/home/docs/sub/big.bin").await.unwrap();
    assert_eq!(etag(&response), format!("\"{}\"", blake3::hash(&big())));
    assert!(bytes(response).await == big());
    assert_eq!(
        code(site.file("path=laptop/home/docs").await),
        ErrorCode::NotAFile.status()
    );
    assert_eq!(
        code(site.file("path=laptop/home/docs/link").await),
        ErrorCode::NotAFile.status()
    );
    let stranger = SignedIn {
        access: site.fixture.account(2).await,
        ..site.signed_in()
    };
    let node = format!("node={}", site.node("laptop/home/docs/a.txt").await);
    assert_eq!(
        code(download::file(stranger, site.app.clone(), request(&node)).await),
        404
    );
}

#[actix_web::test]
async fn a_folder_comes_as_a_zip_that_unzip_accepts_and_that_resumes() {
    let mut site = site().await;
    let response = site.zip("path=laptop/home/docs", None).await;
    let tag = etag(&response);
    assert!(
        response
            .headers()
            .get(header::CONTENT_DISPOSITION)
            .unwrap()
            .to_str()
            .unwrap()
            .contains("docs.zip")
    );
    let whole = bytes(response).await;
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("a.zip"), &whole).unwrap();
    assert!(
        Command::new("unzip")
            .args(["-q", "a.zip"])
            .current_dir(&dir)
            .status()
            .unwrap()
            .success()
    );
    assert!(std::fs::read(dir.path().join("docs/sub/big.bin")).unwrap() == big());
    assert_eq!(
        std::fs::read_link(dir.path().join("docs/link")).unwrap(),
        Path::new("a.txt")
    );

    let rest = site.zip("path=laptop/home/docs", Some(("bytes=700000-", &tag))).await;
    assert_eq!(rest.status(), 206);
    assert!(bytes(rest).await == whole[700_000..]);
    site.upload(&[("docs/b.txt", b"new")]).await;
    let changed = site.zip("path=laptop/home/docs", Some(("bytes=700000-", &tag))).await;
    assert_eq!(changed.status(), 200);
}

#[actix_web::test]
async fn deleting_tells_everybody_and_uploading_again_makes_it_anew() {
    let mut site = site().await;
    let mut changes = site.app.store.changes();
    let epoch = site.machine.epoch;
    let node = site.delete("laptop/home/docs").await;
    assert_eq!(changes.try_recv().unwrap().account, site.access.account);
    assert!(names(&site.list("path=laptop/home").await).is_empty());
    site.machine.begin().await;
    assert_ne!(site.machine.epoch, epoch, "the machine must look again");

    site.upload(&[("docs/a.txt", b"hello"), ("docs/sub/big.bin", &big())])
        .await;
    assert_ne!(site.node("laptop/home/docs").await, node);
    let gone = site.deleted("").await;
    assert_eq!(
        gone.rows
            .iter()
            .map(|row| (row.path.display(), row.node.id))
            .collect::<Vec<_>>(),
        [("laptop/home/docs".to_owned(), node)]
    );
    restore_nodes(site.signed_in(), site.app.clone(), Json(Nodes { nodes: vec![node] }))
        .await
        .unwrap();
    assert_eq!(names(&site.list("path=laptop/home").await), ["docs", "docs (restored)"]);
    assert_eq!(
        bytes(site.file("path=laptop/home/docs+(restored)/a.txt").await.unwrap()).await,
        b"hello"
    );
    assert!(site.deleted("").await.rows.is_empty());
}

#[actix_web::test]
async fn deleting_the_machines_folder_makes_room_for_a_new_one() {
    let mut site = site().await;
    site.delete("laptop").await;
    site.upload(&[("docs/a.txt", b"hello")]).await;
    site.machine.begin().await;
    site.upload(&[("docs/c.txt", b"more")]).await;
    assert_eq!(names(&site.list("path=laptop/home/docs").await), ["a.txt", "c.txt"]);
}

#[actix_web::test]
async fn what_was_moved_still_takes_the_uploads_of_its_machine() {
    let mut site = site().await;
    let asked = Move {
        node: site.node("laptop/home/docs").await,
        parent: Some(site.node("laptop").await),
        name: Some(Name::new("papers").unwrap()),
    };
    move_one(site.signed_in(), site.app.clone(), Json(asked)).await.unwrap();
    site.upload(&[("docs/a.txt", b"newer"), ("docs/new.txt", b"new")]).await;
    assert_eq!(
        names(&site.list("path=laptop/papers").await),
        ["a.txt", "link", "new.txt", "sub"]
    );
    assert_eq!(
        bytes(site.file("path=laptop/papers/a.txt").await.unwrap()).await,
        b"newer"
    );
}

#[actix_web::test]
async fn a_damaged_file_is_named_and_breaks_the_zip_off() {
    let site = site().await;
    let folders = std::fs::read_dir(site.fixture.folder.path().join("packs"))
        .unwrap()
        .map(|entry| entry.unwrap().path());
    for pack in folders
        .flat_map(|folder| std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()))
        .collect::<BTreeSet<_>>()
    {
        let mut bytes = std::fs::read(&pack).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        std::fs::write(&pack, bytes).unwrap();
    }
    let zip = site.zip("path=laptop/home/docs", None).await;
    assert!(body::to_bytes(zip.into_body()).await.is_err());
    assert_eq!(
        bytes(site.file("path=laptop/home/docs/a.txt").await.unwrap()).await,
        b"hello"
    );
    let range = TestRequest::with_uri("/?path=laptop/home/docs/sub/big.bin")
        .insert_header((header::RANGE, "bytes=0-10"))
        .to_http_request();
    let first = download::file(site.signed_in(), site.app.clone(), range).await.unwrap();
    assert_eq!(bytes(first).await.len(), 11, "what is sound is still read");
    let whole = site.file("path=laptop/home/docs/sub/big.bin").await;
    let failed = match whole {
        Ok(response) => body::to_bytes(response.into_body()).await.is_err(),
        Err(failure) => failure
            .to_string()
            .contains(&site.node("laptop/home/docs/sub/big.bin").await.to_string()),
    };
    assert!(failed);
}
