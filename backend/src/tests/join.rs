//! Machines join by codes.

use beckon_shared::error::{ErrorCode, Refusal};
use futures_util::future::join_all;
use reqwest::{Method, StatusCode};

use super::{
    client::Control,
    person::{Person, join_as, join_with, joined},
    server::TestServer,
};
use beckon_shared::wire::FromServer;

#[tokio::test]
async fn sixty_four_machines_at_once_get_one_use_of_a_single_use_code() {
    let server = TestServer::start().await;
    let ann = Person::sign_up(&server).await;
    let code = ann.join_code(1).await;
    let tries = (0..64).map(|_| join_with(&server.url, &code, "laptop"));
    let statuses: Vec<StatusCode> = join_all(tries)
        .await
        .iter()
        .map(|(_, response)| response.status())
        .collect();
    assert_eq!(statuses.iter().filter(|status| **status == StatusCode::OK).count(), 1);
    assert_eq!(
        statuses.iter().filter(|status| **status == StatusCode::GONE).count(),
        63,
        "{statuses:?}"
    );
    server.stop().await;
}

#[tokio::test]
async fn a_machine_that_lost_the_answer_asks_again_and_uses_nothing_up() {
    let server = TestServer::start().await;
    let ann = Person::sign_up(&server).await;
    let code = ann.join_code(2).await;
    let (machine, first) = join_with(&server.url, &code, "laptop").await;
    let again = join_as(&server.url, &code, &machine, "laptop").await;
    assert_eq!(
        (joined(first).await.device, joined(again).await.name.as_str()),
        (machine.id(), "laptop")
    );
    let (_, second) = join_with(&server.url, &code, "laptop").await;
    assert_eq!(joined(second).await.name, "laptop (2)");
    server.stop().await;
}

#[tokio::test]
async fn a_machine_that_joins_appears_in_open_control_lists_at_once() {
    let server = TestServer::start().await;
    let ann = Person::sign_up(&server).await;
    let (mut open, _) = Control::open(&server.url, &ann.device).await;
    let machine = ann.add_machine("laptop").await;
    let row = open.until(|frame| match frame {
        FromServer::Devices(part) => part.rows.into_iter().find(|row| row.id == machine.id()),
        _ => None,
    });
    let row = row.await;
    assert!(!row.online && row.joined_by_code && row.name.as_str() == "laptop");
    server.stop().await;
}

#[tokio::test]
async fn a_code_that_was_withdrawn_makes_no_machine() {
    let server = TestServer::start().await;
    let ann = Person::sign_up(&server).await;
    let code = ann.join_code(1).await;
    let (_, response) = join_with(&server.url, &code, "laptop").await;
    assert_eq!(response.status(), StatusCode::OK);
    let path = format!("/api/join-codes/{}", code.lookup());
    assert_eq!(
        ann.request(Method::DELETE, &path).send().await.unwrap().status(),
        StatusCode::NO_CONTENT
    );
    let gone = ann.get(&format!("/api/join/{}", code.lookup())).await;
    assert_eq!(gone.json::<Refusal>().await.unwrap().code, ErrorCode::CodeSpent);
    server.stop().await;
}
