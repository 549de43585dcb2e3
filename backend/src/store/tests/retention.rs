//! Rules for older versions: the plan, setting it, and what is deleted.

use std::{sync::Arc, time::Duration};

use beckon_shared::{error::ErrorCode, retention::Retention};

use crate::{
    access::Access,
    clock::Clock,
    retention::{Plan, Proposal, adopt, apply, plan},
    store::{
        meta::{collect, retention::DEFAULT, source},
        testing::{Fixture, Machine, noise},
    },
};

const DAY: Duration = Duration::from_secs(24 * 3600);

/// Only the newest version.
const NOTHING: Retention = Retention {
    keep_all_days: 0,
    daily_days: 0,
    weekly_days: 0,
    monthly_days: 0,
    forever: false,
};

struct Kept {
    fixture: Fixture,
    access: Access,
    laptop: Machine,
}

impl Kept {
    /// `file` has three versions of 2, 1 and 0 days ago, each of content of its own.
    async fn new() -> Self {
        let fixture = Fixture::new().await;
        let access = fixture.account(1).await;
        let mut laptop = fixture.machine(&access, 1).await;
        for seed in 1..=3 {
            laptop.upload(&[("file", &noise(seed, 1000)), ("once", b"o")]).await;
            if seed < 3 {
                fixture.clock.advance(DAY);
            }
        }
        // As if its transfers were over.
        collect::release_stale_pins(&fixture.store.meta).await.unwrap();
        Self {
            fixture,
            access,
            laptop,
        }
    }

    async fn plan(&self, source: i64, rule: Option<Retention>) -> Plan {
        let proposal = Proposal { source, rule };
        let (meta, space) = (&self.fixture.store.meta, self.laptop.space());
        plan(meta, &space, &proposal, self.fixture.clock.now()).await.unwrap()
    }

    async fn set(&self, source: i64, rule: Option<Retention>, token: &str) -> Result<(), ErrorCode> {
        let clock: Arc<dyn Clock> = self.fixture.clock.clone();
        let proposal = Proposal { source, rule };
        let set = adopt(
            &self.fixture.store.meta,
            &*clock,
            &self.laptop.space(),
            &proposal,
            token,
        )
        .await;
        set.map_err(|error| error.refusal().code)
    }

    /// A day after a rule was set.
    async fn apply(&self) -> u64 {
        self.fixture.clock.advance(DAY);
        self.apply_now().await
    }

    async fn apply_now(&self) -> u64 {
        let clock: Arc<dyn Clock> = self.fixture.clock.clone();
        apply(&self.fixture.store.meta, &*clock, self.laptop.access.space)
            .await
            .unwrap()
    }

    async fn versions(&self) -> i64 {
        self.fixture
            .store
            .meta
            .number("SELECT COUNT(*) AS number FROM version WHERE kind = 1")
            .await
    }

    async fn source(&self) -> i64 {
        let (on, access) = (self.fixture.store.meta.read(), &self.laptop.access);
        let found = source::find(on, &self.laptop.space(), access.device, access.root).await;
        found.unwrap().unwrap().no
    }
}

#[tokio::test]
async fn a_rule_deletes_what_its_plan_said_and_no_more() {
    let kept = Kept::new().await;
    assert_eq!(kept.apply().await, 0, "nothing goes without a rule");
    let plan = kept.plan(DEFAULT, Some(NOTHING)).await;
    assert_eq!(
        (plan.versions, plan.files, plan.bytes, plan.at_least),
        (2, 1, 2000, false)
    );
    assert_eq!(plan.first.len(), 2);
    assert_eq!(kept.versions().await, 4, "a plan deletes nothing");
    kept.set(DEFAULT, Some(NOTHING), &plan.token).await.unwrap();
    assert_eq!(kept.versions().await, 4, "nor does setting it");
    assert_eq!(kept.apply().await, 2);
    assert_eq!(kept.apply().await, 0);
    assert_eq!(kept.versions().await, 2);
    assert_eq!(kept.laptop.read("file").await.unwrap(), noise(3, 1000));
    let marked = collect::to_delete(kept.fixture.store.meta.read(), kept.fixture.clock.now().0, 9)
        .await
        .unwrap();
    assert_eq!(marked.len(), 2, "what only they needed is collected later");
    let uses =
        "SELECT COUNT(*) AS number FROM manifest m WHERE NOT EXISTS (SELECT 1 FROM version v WHERE v.no = m.version)";
    assert_eq!(kept.fixture.store.meta.number(uses).await, 0);
}

#[tokio::test]
async fn room_is_counted_as_if_the_versions_had_never_been() {
    let kept = Kept::new().await;
    let records = "SELECT records AS number FROM space_usage";
    let before = kept.fixture.store.meta.number(records).await;
    let of_two = kept.fixture.store.meta.number(
        "SELECT CAST(SUM(512 + LENGTH(bytes)) AS BIGINT) AS number FROM manifest m JOIN version v ON v.no = m.version \
         WHERE v.size = 1000 AND v.no < (SELECT MAX(no) FROM version WHERE size = 1000)",
    );
    let of_two = of_two.await;
    let plan = kept.plan(DEFAULT, Some(NOTHING)).await;
    kept.set(DEFAULT, Some(NOTHING), &plan.token).await.unwrap();
    kept.apply().await;
    assert_eq!(kept.fixture.store.meta.number(records).await, before - of_two);
}

#[tokio::test]
async fn a_root_may_have_a_rule_of_its_own_and_lose_it_again() {
    let kept = Kept::new().await;
    let (source, all) = (kept.source().await, Retention::EVERYTHING);
    let plan = kept.plan(source, Some(all)).await;
    assert_eq!(plan.versions, 0);
    kept.set(source, Some(all), &plan.token).await.unwrap();
    let plan = kept.plan(DEFAULT, Some(NOTHING)).await;
    assert_eq!(plan.versions, 0, "the root has its own");
    kept.set(DEFAULT, Some(NOTHING), &plan.token).await.unwrap();
    assert_eq!(kept.apply().await, 0);
    let plan = kept.plan(source, None).await;
    assert_eq!(plan.versions, 2, "then the drive's rule holds");
    kept.set(source, None, &plan.token).await.unwrap();
    assert_eq!(kept.apply().await, 2);
}

#[tokio::test]
async fn nothing_goes_within_a_day_of_a_change_so_that_a_mistake_can_be_put_right() {
    let kept = Kept::new().await;
    let own = kept.source().await;
    let plan = kept.plan(own, Some(Retention::EVERYTHING)).await;
    kept.set(own, Some(Retention::EVERYTHING), &plan.token).await.unwrap();
    let plan = kept.plan(DEFAULT, Some(NOTHING)).await;
    kept.set(DEFAULT, Some(NOTHING), &plan.token).await.unwrap();
    assert_eq!(kept.apply().await, 0);
    let plan = kept.plan(own, None).await;
    kept.set(own, None, &plan.token).await.unwrap();
    assert_eq!(kept.apply_now().await, 0, "the root's own rule went a moment ago");
    kept.fixture.clock.advance(DAY - Duration::from_secs(1));
    assert_eq!(kept.apply_now().await, 0);
    let plan = kept.plan(own, Some(Retention::EVERYTHING)).await;
    kept.set(own, Some(Retention::EVERYTHING), &plan.token).await.unwrap();
    assert_eq!(kept.apply().await, 0, "it was put right in time");
    assert_eq!(kept.versions().await, 4);
}

#[tokio::test]
async fn what_a_file_held_for_long_is_not_old_on_the_day_when_it_is_changed() {
    let mut kept = Kept::new().await;
    let month = Retention {
        keep_all_days: 30,
        ..NOTHING
    };
    kept.fixture.clock.advance(DAY * 100);
    kept.laptop.upload(&[("file", &noise(4, 1000)), ("once", b"p")]).await;
    let plan = kept.plan(DEFAULT, Some(month)).await;
    assert_eq!(plan.versions, 2, "those whose place was taken a hundred days ago");
    kept.set(DEFAULT, Some(month), &plan.token).await.unwrap();
    assert_eq!(kept.apply().await, 2);
    kept.fixture.clock.advance(DAY * 28);
    assert_eq!(kept.apply_now().await, 0);
    assert_eq!(kept.apply().await, 2);
    assert_eq!(kept.versions().await, 2);
}

#[tokio::test]
async fn nobody_sets_what_he_did_not_see() {
    let mut kept = Kept::new().await;
    let plan = kept.plan(DEFAULT, Some(NOTHING)).await;
    let other = Retention {
        keep_all_days: 1,
        ..NOTHING
    };
    assert_eq!(
        kept.set(DEFAULT, Some(other), &plan.token).await,
        Err(ErrorCode::Conflict)
    );
    assert_eq!(
        kept.set(kept.source().await, Some(NOTHING), &plan.token).await,
        Err(ErrorCode::Conflict)
    );
    for token in ["", "x", "0-0", &plan.token[1..]] {
        assert_eq!(
            kept.set(DEFAULT, Some(NOTHING), token).await,
            Err(ErrorCode::Conflict),
            "{token}"
        );
    }
    kept.fixture.clock.advance(Duration::from_secs(60));
    kept.laptop.upload(&[("new", b"n")]).await;
    kept.set(DEFAULT, Some(NOTHING), &plan.token).await.unwrap();
    kept.laptop.upload(&[("file", &noise(4, 1000))]).await;
    assert_eq!(
        kept.set(DEFAULT, Some(NOTHING), &plan.token).await,
        Err(ErrorCode::Conflict)
    );
    kept.fixture.clock.advance(Duration::from_secs(20 * 60));
    let old = kept.plan(DEFAULT, Some(NOTHING)).await;
    kept.fixture.clock.advance(Duration::from_secs(20 * 60));
    assert_eq!(
        kept.set(DEFAULT, Some(NOTHING), &old.token).await,
        Err(ErrorCode::Conflict),
        "too old"
    );
}

#[tokio::test]
async fn what_the_machine_brought_last_stays_also_where_a_person_chose_another() {
    use beckon_shared::{api::drive::MakeCurrent, id::VersionId};

    use crate::store::meta::drive::{Place, current::make_current, find, versions};
    let kept = Kept::new().await;
    let (meta, space) = (&kept.fixture.store.meta, kept.laptop.space());
    let (node, _) = kept.laptop.version_of("file").await.unwrap();
    let id = beckon_shared::id::NodeId::from_slice(&node.id).unwrap();
    let row = find(meta.read(), &space, &Place::Node(id)).await.unwrap();
    let all = versions(meta.read(), &row).await.unwrap();
    let version = VersionId::from_slice(&all.last().unwrap().id).unwrap();
    let clock: Arc<dyn Clock> = kept.fixture.clock.clone();
    make_current(meta, &*clock, &space, &MakeCurrent { node: id, version })
        .await
        .unwrap();
    let plan = kept.plan(DEFAULT, Some(NOTHING)).await;
    assert_eq!(plan.versions, 2);
    kept.set(DEFAULT, Some(NOTHING), &plan.token).await.unwrap();
    kept.apply().await;
    let left = versions(meta.read(), &row).await.unwrap();
    assert!(
        left.iter().any(|version| version.no == all[0].no),
        "the newest of the machine"
    );
    assert_eq!(kept.laptop.read("file").await.unwrap(), noise(1, 1000));
    let _ = &kept.access;
}
