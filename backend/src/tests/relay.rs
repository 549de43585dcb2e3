//! Sessions by way of the server.

use beckon_shared::{
    id::DeviceId,
    wire::{FromServer, Reply, Request, SESSION_PROTOCOL},
};
use futures_util::{SinkExt, StreamExt};
use tokio_tungstenite::tungstenite::{self, Message};

use super::{
    client::{Control, dial},
    person::Person,
    server::TestServer,
};

async fn tickets(controller: &mut Control, machine: &mut Control, device: DeviceId) -> [String; 2] {
    let Ok(Reply::Ticket(own)) = controller.ask(Request::OpenSession { device }).await else {
        panic!("a ticket")
    };
    let pushed = machine.until(|frame| match frame {
        FromServer::Session { ticket } => Some(ticket),
        _ => None,
    });
    [own, pushed.await].map(|ticket| format!("/relay/{}", hex::encode(ticket)))
}

#[tokio::test]
async fn two_ends_are_joined_once_and_cut_when_one_is_revoked() {
    let server = TestServer::start().await;
    let ann = Person::sign_up(&server).await;
    let device = ann.add_machine("laptop").await;
    let (mut controller, _) = Control::open(&server.url, &ann.device).await;
    let (mut machine, _) = Control::open(&server.url, &device).await;
    let [own, theirs] = tickets(&mut controller, &mut machine, device.id()).await;
    let mut one = dial(&server.url, &own, SESSION_PROTOCOL).await.unwrap();
    let mut two = dial(&server.url, &theirs, SESSION_PROTOCOL).await.unwrap();
    let sealed = vec![0xa5; 70_000];
    one.send(Message::Binary(sealed.clone().into())).await.unwrap();
    assert_eq!(two.next().await.unwrap().unwrap().into_data(), sealed);
    two.send(Message::Binary(vec![1].into())).await.unwrap();
    assert_eq!(one.next().await.unwrap().unwrap().into_data().len(), 1);
    let again = dial(&server.url, &own, SESSION_PROTOCOL).await;
    assert!(matches!(again, Err(tungstenite::Error::Http(response)) if response.status().as_u16() == 404));
    ann.revoke(device.id(), 1).await;
    let closed = tokio::time::timeout(std::time::Duration::from_secs(5), one.next())
        .await
        .unwrap();
    assert!(matches!(closed, Some(Ok(Message::Close(Some(close)))) if u16::from(close.code) == 1008));
    server.stop().await;
}

#[tokio::test]
async fn when_one_end_closes_the_other_gets_all_that_was_sent_and_then_the_end() {
    let server = TestServer::start().await;
    let ann = Person::sign_up(&server).await;
    let device = ann.add_machine("laptop").await;
    let (mut controller, _) = Control::open(&server.url, &ann.device).await;
    let (mut machine, _) = Control::open(&server.url, &device).await;
    let [own, theirs] = tickets(&mut controller, &mut machine, device.id()).await;
    let mut one = dial(&server.url, &own, SESSION_PROTOCOL).await.unwrap();
    let mut two = dial(&server.url, &theirs, SESSION_PROTOCOL).await.unwrap();
    let writer = tokio::spawn(async move {
        for number in 0..200_u8 {
            one.send(Message::Binary(vec![number; 60_000].into())).await.unwrap();
        }
        one.close(None).await.unwrap();
        while let Some(Ok(_)) = one.next().await {}
    });
    let mut got = 0;
    while let Some(Ok(message)) = two.next().await {
        got += usize::from(message.is_binary());
    }
    assert_eq!(got, 200);
    writer.await.unwrap();
    server.stop().await;
}
