//! Times and rules over HTTP: who may, and what is answered.

use std::time::Duration;

use actix_web::web::Json;
use beckon_shared::{
    api::drive::{OriginView, RetentionPlan, RetentionView, Rewind, Rewound, SetRetention},
    path::RootPath,
    retention::Retention,
    time::Timestamp,
};

use super::handler::{Site, bytes, code, json, names, request, site};
use crate::http::drive::{past, retention};

const NOTHING: &str = "keep_all_days=0&forever=false";

/// The present moment, over now.
fn tick(site: &Site) -> Timestamp {
    use crate::clock::Clock;
    let now = site.fixture.clock.now();
    site.fixture.clock.advance(Duration::from_secs(60));
    now
}

/// Another account, in the same server.
async fn stranger(site: &Site) -> Site {
    let access = site.fixture.account(7).await;
    let mut other = super::handler::site().await;
    other.app = site.app.clone();
    other.access = access;
    other
}

async fn plan(site: &Site, query: &str) -> crate::error::Answer {
    retention::plan(site.signed_in(), site.app.clone(), request(query)).await
}

async fn set(site: &Site, asked: SetRetention) -> crate::error::Answer {
    retention::set(site.signed_in(), site.app.clone(), Json(asked)).await
}

#[actix_web::test]
async fn a_time_is_taken_by_lists_files_and_archives() {
    let mut site = site().await;
    let then = tick(&site);
    site.upload(&[("docs/a.txt", b"changed"), ("docs/new", b"n")]).await;
    site.delete("laptop/home/docs/sub").await;
    tick(&site);
    let listed = site.list(&format!("path=laptop/home/docs&at={then}")).await;
    assert_eq!(names(&listed), ["a.txt", "link", "sub"]);
    assert_eq!(
        names(&site.list("path=laptop/home/docs").await),
        ["a.txt", "link", "new"]
    );
    let tree = site.tree(&format!("path=laptop&at={then}")).await;
    assert!(
        tree.rows
            .iter()
            .any(|row| row.path.display() == "home/docs/sub/big.bin")
    );
    let file = format!("path=laptop/home/docs/a.txt&at={then}");
    assert_eq!(bytes(site.file(&file).await.unwrap()).await, b"hello");
    let zip = bytes(site.zip(&format!("path=laptop/home/docs&at={then}"), None).await).await;
    assert!(zip.windows(11).any(|window| window == b"sub/big.bin"));
    assert_eq!(code(site.file("path=laptop/home/docs/a.txt&at=tomorrow").await), 400);
    assert_eq!(
        code(site.file("path=laptop/home/docs/a.txt&at=1999-01-01T00:00:00Z").await),
        404
    );
}

#[actix_web::test]
async fn nobody_looks_into_the_past_of_another_account() {
    let site = site().await;
    let now = tick(&site);
    let docs = site.node("laptop/home/docs").await;
    let other = stranger(&site).await;
    let asked = |place: &str| request(&format!("{place}&at={now}"));
    for place in [format!("node={docs}"), "path=laptop/home/docs".to_owned()] {
        let origin = past::origin(other.signed_in(), other.app.clone(), asked(&place)).await;
        assert_eq!(code(origin), 404, "{place}");
        let listed = super::super::list_folder(other.signed_in(), other.app.clone(), asked(&place)).await;
        assert_eq!(code(listed), 404, "{place}");
    }
    let rewind = Rewind {
        node: Some(docs),
        path: None,
        at: now,
    };
    let rewound = past::rewind(other.signed_in(), other.app.clone(), Json(rewind)).await;
    assert_eq!(code(rewound), 404);
    let (device, root) = (site.machine.access.device, site.machine.access.root);
    let planned = plan(&other, &format!("{NOTHING}&device={device}&root={root}")).await;
    assert_eq!(code(planned), 404);
    let view: RetentionView = json(retention::show(other.signed_in(), other.app.clone()).await).await;
    assert!(view.roots.is_empty());
}

#[actix_web::test]
async fn a_folder_is_put_back_and_its_origin_told() {
    let mut site = site().await;
    let then = tick(&site);
    site.upload(&[("docs/a.txt", b"changed")]).await;
    tick(&site);
    let asked = Rewind {
        node: None,
        path: Some(RootPath::new("laptop/home/docs").unwrap()),
        at: then,
    };
    let told: Rewound = json(past::rewind(site.signed_in(), site.app.clone(), Json(asked)).await).await;
    assert_eq!((told.changed, told.back, told.same), (1, 0, 2));
    let file = site.file("path=laptop/home/docs/a.txt").await.unwrap();
    assert_eq!(bytes(file).await, b"hello");
    let asked = |query: String| past::origin(site.signed_in(), site.app.clone(), request(&query));
    let origin: OriginView = json(asked(format!("path=laptop/home/docs/sub&at={then}")).await).await;
    assert_eq!((origin.path.display().as_str(), origin.head.number), ("docs/sub", 2));
    assert_eq!(
        code(asked("path=laptop/home/docs/a.txt".to_owned()).await),
        409,
        "a person chose it"
    );
    assert_eq!(code(asked("path=Files".to_owned()).await), 409);
}

#[actix_web::test]
async fn a_rule_is_set_with_the_token_of_its_plan_alone() {
    let mut site = site().await;
    tick(&site);
    site.upload(&[("docs/a.txt", b"changed")]).await;
    tick(&site);
    let seen: RetentionPlan = json(plan(&site, NOTHING).await).await;
    assert_eq!((seen.versions, seen.files), (1, 1));
    assert_eq!(seen.first[0].path.display(), "laptop/home/docs/a.txt");
    let rule = Retention {
        forever: false,
        ..Retention::EVERYTHING
    };
    let asked = |rule, token: &str| SetRetention {
        device: None,
        root: None,
        rule: Some(rule),
        token: token.to_owned(),
    };
    assert_eq!(code(set(&site, asked(rule, "")).await), 409);
    let unsound = Retention {
        keep_all_days: 9,
        daily_days: 3,
        ..rule
    };
    assert_eq!(code(set(&site, asked(unsound, &seen.token)).await), 400);
    assert_eq!(code(plan(&site, "keep_all_days=x").await), 400);
    set(&site, asked(rule, &seen.token)).await.unwrap();
    let view: RetentionView = json(retention::show(site.signed_in(), site.app.clone()).await).await;
    assert_eq!(view.default, rule);
    assert_eq!(view.roots.len(), 1);
    assert_eq!(
        (view.roots[0].path.display().as_str(), view.roots[0].rule),
        ("laptop/home", None)
    );
}
