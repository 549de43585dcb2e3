//! How fast machines may send, as terminals set it.

use beckon_shared::{
    device::DeviceView,
    id::DeviceId,
    limits::{Hours, Limits},
    wire::FromServer,
};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::{
    client::Control,
    person::{Device, Person},
    server::TestServer,
};

struct Scene {
    server: TestServer,
    ann: Person,
    device: Device,
}

const SLOW: Limits = Limits {
    rate: Some(64_000),
    full_speed: Some(Hours { from: 1320, to: 420 }),
};

impl Scene {
    async fn new() -> Self {
        let server = TestServer::start().await;
        let ann = Person::sign_up(&server).await;
        let device = ann.add_machine("laptop").await;
        Self { server, ann, device }
    }

    async fn limit(&self, device: DeviceId, body: &Value) -> StatusCode {
        let path = format!("/api/devices/{device}/limits");
        let sent = self.ann.request(Method::PUT, &path).json(body).send().await;
        sent.unwrap().status()
    }

    /// The machine comes, and is told its limits right after it is let in.
    async fn come(&self) -> (Control, Limits) {
        let (mut machine, _) = Control::open(&self.server.url, &self.device).await;
        let FromServer::Limits(limits) = machine.frame().await else {
            panic!("limits follow the welcome")
        };
        (machine, limits)
    }

    async fn listed(&self) -> Limits {
        let listed: Vec<DeviceView> = self.ann.read("/api/devices").await;
        let row = listed.into_iter().find(|row| row.id == self.device.id());
        row.unwrap().limits
    }
}

#[tokio::test]
async fn limits_reach_the_machine_at_once_or_when_it_comes_and_every_terminal() {
    let scene = Scene::new().await;
    let (mut controller, _) = Control::open(&scene.server.url, &scene.ann.device).await;
    let (mut machine, at_first) = scene.come().await;
    assert_eq!(at_first, Limits::default());
    let set = json!({ "rate": 64_000, "full_speed": { "from": 1320, "to": 420 } });
    assert_eq!(scene.limit(scene.device.id(), &set).await, StatusCode::NO_CONTENT);
    let told = machine
        .until(|frame| match frame {
            FromServer::Limits(limits) => Some(limits),
            _ => None,
        })
        .await;
    assert_eq!(told, SLOW);
    let is_slow = |row: &DeviceView| row.id == scene.device.id() && row.limits == SLOW;
    let seen = controller.until(|frame| match frame {
        FromServer::Devices(part) => part.rows.into_iter().find(is_slow),
        _ => None,
    });
    assert!(seen.await.online);
    drop(machine);
    assert_eq!(scene.come().await.1, SLOW);
    assert_eq!(scene.limit(scene.device.id(), &json!({})).await, StatusCode::NO_CONTENT);
    assert_eq!((scene.come().await.1, scene.listed().await), Default::default());
    scene.server.stop().await;
}

#[tokio::test]
async fn limits_that_a_newer_server_stored_hide_no_device() {
    let scene = Scene::new().await;
    let beside = scene.server.beside().await;
    beside
        .meta()
        .run(r#"UPDATE device SET limits = '{"rate":64000,"full_speed":{"from":1320,"to":420},"burst":5}'"#)
        .await;
    assert_eq!((scene.listed().await, scene.come().await.1), (SLOW, SLOW));
    scene.server.stop().await;
}

#[tokio::test]
async fn limits_that_are_none_and_devices_that_have_none_are_refused() {
    let scene = Scene::new().await;
    for bad in [
        json!({ "rate": -1 }),
        json!({ "rate": "fast" }),
        json!({ "rate": 1023 }),
        json!({ "rate": 5000, "full_speed": { "from": 1440, "to": 0 } }),
        json!({ "burst": 5 }),
    ] {
        assert_eq!(
            scene.limit(scene.device.id(), &bad).await,
            StatusCode::BAD_REQUEST,
            "{bad}"
        );
    }
    let fine = json!({ "rate": 0 });
    assert_eq!(scene.limit(scene.ann.device.id(), &fine).await, StatusCode::BAD_REQUEST);
    assert_eq!(scene.limit(DeviceId([9; 32]), &fine).await, StatusCode::NOT_FOUND);
    let stranger = super::person::request(
        &scene.server.url,
        Method::PUT,
        &format!("/api/devices/{}/limits", scene.device.id()),
    );
    assert_eq!(
        stranger.json(&fine).send().await.unwrap().status(),
        StatusCode::UNAUTHORIZED
    );
    assert_eq!(scene.listed().await, Limits::default());
    scene.ann.revoke(scene.device.id(), 1).await;
    assert_eq!(scene.limit(scene.device.id(), &fine).await, StatusCode::FORBIDDEN);
    scene.server.stop().await;
}
