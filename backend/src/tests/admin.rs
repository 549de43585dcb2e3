//! Administrators: who gets in, what they may do, and what of others they never see.

use beckon_shared::{
    api::{
        account::Usage,
        admin::{AccountRow, ChangeAccount, Invitation, InvitationView, Level, NewInvitation, Sample, Stats},
    },
    error::{ErrorCode, Refusal},
    id::AccountId,
};
use reqwest::{Method, Response, StatusCode};

use super::{
    client::Control,
    person::{Person, join_as, post},
    server::TestServer,
};

const MIB: u64 = 1 << 20;

async fn invite(ann: &Person, admin: bool, quota: Option<u64>) -> Invitation {
    let body = NewInvitation { hours: 1, admin, quota };
    let response = ann.post("/api/admin/invitations", &body).await;
    assert_eq!(response.status(), StatusCode::OK);
    response.json().await.unwrap()
}

pub(super) async fn invited(ann: &Person, name: &str, admin: bool) -> Person {
    let code = invite(ann, admin, None).await.code;
    Person::sign_up_with(&ann.url, &code, name).await.unwrap()
}

async fn change(by: &Person, id: AccountId, disabled: bool, quota: Option<u64>) -> Response {
    let body = ChangeAccount {
        disabled: Some(disabled),
        quota: Some(quota),
    };
    put(by, id, &body).await
}

async fn put(by: &Person, id: AccountId, body: &ChangeAccount) -> Response {
    let path = format!("/api/admin/accounts/{id}");
    by.request(Method::PUT, &path).json(body).send().await.unwrap()
}

async fn code_of(response: Response) -> ErrorCode {
    response.json::<Refusal>().await.unwrap().code
}

#[tokio::test]
async fn an_invitation_makes_one_account_with_what_it_allows() {
    let server = TestServer::start().await;
    let ann = Person::sign_up(&server).await;
    let invitation = invite(&ann, false, Some(3 * MIB)).await;
    let open: Vec<InvitationView> = ann.read("/api/admin/invitations").await;
    assert_eq!(
        (open.len(), open[0].id, open[0].quota),
        (1, invitation.id, Some(3 * MIB))
    );
    let taken = Person::sign_up_with(&server.url, &invitation.code, "ann").await;
    assert_eq!(taken.err().map(|refused| refused.code), Some(ErrorCode::NameTaken));
    let bob = Person::sign_up_with(&server.url, &invitation.code.to_lowercase(), "Bob")
        .await
        .unwrap();
    assert!(!bob.signed_in.admin && bob.space() != ann.space());
    assert_eq!(
        bob.read::<Usage>("/api/usage").await,
        Usage {
            used: 0,
            quota: Some(3 * MIB)
        }
    );
    let again = Person::sign_up_with(&server.url, &invitation.code, "Eve").await.err();
    assert_eq!(again.map(|refused| refused.code), Some(ErrorCode::BadSetupCode));
    assert!(
        ann.read::<Vec<InvitationView>>("/api/admin/invitations")
            .await
            .is_empty()
    );
    let late = Person::sign_up_with(&server.url, &server.setup_code, "Eve").await.err();
    assert!(late.is_some_and(|refused| refused.message.contains("ask an administrator")));
    server.stop().await;
}

#[tokio::test]
async fn of_many_who_use_an_invitation_at_once_one_gets_in() {
    let server = TestServer::start().await;
    let ann = Person::sign_up(&server).await;
    let code = invite(&ann, false, None).await.code;
    let names = ["Bob", "Eve", "Dan", "Joe"];
    let all = names.map(|name| Person::sign_up_with(&server.url, &code, name));
    let got = futures_util::future::join_all(all).await;
    assert_eq!(got.iter().filter(|person| person.is_ok()).count(), 1);
    assert_eq!(ann.read::<Vec<AccountRow>>("/api/admin/accounts").await.len(), 2);
    server.stop().await;
}

#[tokio::test]
async fn a_withdrawn_or_lapsed_invitation_opens_nothing() {
    let server = TestServer::start().await;
    let ann = Person::sign_up(&server).await;
    let (one, two) = (invite(&ann, false, None).await, invite(&ann, false, None).await);
    let path = format!("/api/admin/invitations/{}", one.id);
    let withdraw = || ann.request(Method::DELETE, &path).send();
    assert_eq!(withdraw().await.unwrap().status(), StatusCode::NO_CONTENT);
    assert_eq!(withdraw().await.unwrap().status(), StatusCode::NOT_FOUND);
    let beside = server.beside().await;
    beside.meta().run("UPDATE invitation SET expires = 1").await;
    for code in [one.code, two.code, "no code".to_owned()] {
        let refused = Person::sign_up_with(&server.url, &code, "Bob").await.err().unwrap();
        assert_eq!(refused.code, ErrorCode::BadSetupCode);
    }
    for hours in [0, 721] {
        let body = NewInvitation {
            hours,
            admin: false,
            quota: None,
        };
        assert_eq!(
            code_of(ann.post("/api/admin/invitations", &body).await).await,
            ErrorCode::BadRequest
        );
    }
    server.stop().await;
}

#[tokio::test]
async fn the_invitations_of_an_administrator_who_is_shut_out_open_nothing() {
    let server = TestServer::start().await;
    let ann = Person::sign_up(&server).await;
    let mallory = invited(&ann, "Mallory", true).await;
    let (hers, anns) = (invite(&mallory, true, None).await, invite(&ann, false, None).await);
    assert_eq!(
        change(&ann, mallory.id(), true, None).await.status(),
        StatusCode::NO_CONTENT
    );
    let refused = Person::sign_up_with(&server.url, &hers.code, "Eve")
        .await
        .err()
        .unwrap();
    assert_eq!(refused.code, ErrorCode::BadSetupCode);
    assert!(Person::sign_up_with(&server.url, &anns.code, "Bob").await.is_ok());
    server.stop().await;
}

#[tokio::test]
async fn who_does_not_administer_is_told_so_everywhere() {
    let server = TestServer::start().await;
    let ann = Person::sign_up(&server).await;
    let bob = invited(&ann, "Bob", false).await;
    for path in ["accounts", "invitations", "stats", "history?span=day"] {
        let path = format!("/api/admin/{path}");
        assert_eq!(code_of(bob.get(&path).await).await, ErrorCode::NotAllowed, "{path}");
        let stranger = super::person::request(&server.url, Method::GET, &path).send().await;
        assert_eq!(stranger.unwrap().status(), StatusCode::UNAUTHORIZED, "{path}");
        assert_eq!(ann.get(&path).await.status(), StatusCode::OK, "{path}");
    }
    let body = NewInvitation {
        hours: 1,
        admin: true,
        quota: None,
    };
    assert_eq!(
        code_of(bob.post("/api/admin/invitations", &body).await).await,
        ErrorCode::NotAllowed
    );
    assert_eq!(
        code_of(change(&bob, ann.id(), true, None).await).await,
        ErrorCode::NotAllowed
    );
    server.stop().await;
}

#[tokio::test]
async fn a_disabled_account_is_out_at_once_and_back_when_it_is_enabled() {
    let server = TestServer::start().await;
    let ann = Person::sign_up(&server).await;
    let bob = invited(&ann, "Bob", false).await;
    let machine = bob.add_machine("laptop").await;
    let join_code = bob.join_code(1).await;
    let (controller, _) = Control::open(&server.url, &bob.device).await;
    let (agent, _) = Control::open(&server.url, &machine).await;
    assert_eq!(
        change(&ann, bob.id(), true, None).await.status(),
        StatusCode::NO_CONTENT
    );
    for socket in [controller, agent] {
        assert_eq!(socket.end().await, (Some((ErrorCode::NotAllowed, None)), Some(1008)));
    }
    assert_eq!(bob.get("/api/usage").await.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(code_of(bob.prove([1; 32]).await).await, ErrorCode::WrongPassword);
    let told: Refusal = bob.prove(bob.secret).await.json().await.unwrap();
    assert_eq!(told.code, ErrorCode::NotAllowed);
    assert!(told.message.contains("disabled"));
    let offer = bob.get(&format!("/api/join/{}", join_code.lookup())).await;
    assert_eq!(code_of(offer).await, ErrorCode::CodeSpent);
    let joined = join_as(&server.url, &join_code, &machine, "other").await;
    assert_eq!(code_of(joined).await, ErrorCode::NotAllowed);
    let (mut again, nonce) = Control::challenged(&server.url).await;
    let proof = Control::proof(&server.url, &machine, nonce);
    again.send(&beckon_shared::wire::ToServer::Auth(Box::new(proof))).await;
    assert_eq!(again.end().await.0, Some((ErrorCode::NotAllowed, None)));
    let rows: Vec<AccountRow> = ann.read("/api/admin/accounts").await;
    let names: Vec<_> = rows.iter().map(|row| (row.name.as_str(), row.disabled)).collect();
    assert_eq!(names, [("Ann", false), ("Bob", true)]);

    change(&ann, bob.id(), false, Some(MIB)).await;
    let back = bob.on_another_device().await;
    assert_eq!(back.read::<Usage>("/api/usage").await.quota, Some(MIB));
    let _here = Control::open(&server.url, &machine).await;
    let rows: Vec<AccountRow> = ann.read("/api/admin/accounts").await;
    assert_eq!((rows[1].devices, rows[1].online, rows[1].quota), (3, 1, Some(MIB)));
    server.stop().await;
}

#[tokio::test]
async fn what_a_change_leaves_out_stays_as_another_administrator_set_it() {
    let server = TestServer::start().await;
    let ann = Person::sign_up(&server).await;
    let bob = invited(&ann, "Bob", false).await;
    let stands = async || {
        let rows: Vec<AccountRow> = ann.read("/api/admin/accounts").await;
        (rows[1].disabled, rows[1].quota)
    };
    let disabled = |disabled| ChangeAccount {
        disabled: Some(disabled),
        quota: None,
    };
    let quota = |quota| ChangeAccount {
        disabled: None,
        quota: Some(quota),
    };
    let steps = [
        (quota(Some(MIB)), (false, Some(MIB))),
        (disabled(true), (true, Some(MIB))),
        (quota(Some(2 * MIB)), (true, Some(2 * MIB))),
        (ChangeAccount::default(), (true, Some(2 * MIB))),
        (quota(None), (true, None)),
        (disabled(false), (false, None)),
    ];
    for (body, after) in steps {
        assert_eq!(put(&ann, bob.id(), &body).await.status(), StatusCode::NO_CONTENT);
        assert_eq!(stands().await, after, "after {body:?}");
    }
    server.stop().await;
}

#[tokio::test]
async fn what_was_proved_before_an_account_was_disabled_opens_nothing() {
    let server = TestServer::start().await;
    let ann = Person::sign_up(&server).await;
    let bob = invited(&ann, "Bob", false).await;
    let proved: beckon_shared::api::account::Proved = bob.prove(bob.secret).await.json().await.unwrap();
    change(&ann, bob.id(), true, None).await;
    let body = beckon_shared::api::account::SignInFinish {
        ticket: proved.ticket,
        device: super::person::Device::certified(&bob.account).new_device("late"),
    };
    let late = post(&server.url, "/api/sign-in/finish", &body).await;
    assert_eq!(late.status(), StatusCode::UNAUTHORIZED);
    server.stop().await;
}

#[tokio::test]
async fn one_administrator_always_stays() {
    let server = TestServer::start().await;
    let ann = Person::sign_up(&server).await;
    let bob = invited(&ann, "Bob", true).await;
    assert!(bob.signed_in.admin);
    assert_eq!(
        code_of(change(&ann, ann.id(), true, None).await).await,
        ErrorCode::NotAllowed
    );
    let (one, two) = tokio::join!(change(&ann, bob.id(), true, None), change(&bob, ann.id(), true, None));
    let done = [one.status(), two.status()];
    let disabled = done.iter().filter(|status| **status == StatusCode::NO_CONTENT);
    assert_eq!(disabled.count(), 1, "{done:?}");
    let nobody = AccountId([7; 32]);
    let left = if done[0] == StatusCode::NO_CONTENT { &ann } else { &bob };
    assert_eq!(
        code_of(change(left, nobody, true, None).await).await,
        ErrorCode::NotFound
    );
    let own_quota = change(left, left.id(), false, Some(5)).await;
    assert_eq!(own_quota.status(), StatusCode::NO_CONTENT);
    let huge = change(left, left.id(), false, Some(u64::MAX)).await;
    assert_eq!(code_of(huge).await, ErrorCode::BadRequest);
    server.stop().await;
}

#[tokio::test]
async fn the_state_of_the_server_is_told_with_a_first_sample() {
    let server = TestServer::start().await;
    let ann = Person::sign_up(&server).await;
    let machine = ann.add_machine("laptop").await;
    let _here = Control::open(&server.url, &machine).await;
    let stats: Stats = ann.read("/api/admin/stats").await;
    assert_eq!((stats.accounts, stats.devices, stats.machines), (1, 2, 1));
    assert_eq!((stats.online, stats.machines_online), (1, 1));
    assert!(stats.memory.is_none_or(|bytes| bytes > 1_000_000));
    assert!(stats.disk_free.unwrap() <= stats.disk_total.unwrap());
    assert!(stats.received > 0 && stats.sent > 0);
    let names: Vec<_> = stats.workers.iter().map(|worker| worker.name.as_str()).collect();
    assert_eq!(names, ["collect", "expiry", "retention", "stats"]);
    assert_eq!(stats.health.len(), 6);
    assert!(
        stats
            .health
            .is_sorted_by_key(|finding| std::cmp::Reverse(finding.level))
    );
    let bad = |finding: &&beckon_shared::api::admin::Finding| finding.level == Level::Broken;
    assert_eq!(stats.health.iter().find(bad), None);
    let history: Vec<Sample> = ann.read("/api/admin/history?span=year").await;
    assert_eq!(history.len(), 1);
    assert_eq!(
        code_of(ann.get("/api/admin/history?span=ever").await).await,
        ErrorCode::BadRequest
    );
    server.stop().await;
}
