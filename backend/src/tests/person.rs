//! A person with an account, and devices of theirs.

use std::time::Duration;

use beckon_shared::{
    api::{
        Bytes, Packed,
        account::{ChangePassword, NewDevice, NewPassword, Prove, Proved, SignInFinish, SignUp, SignedIn},
        device::NewStatement,
        join::{Join, Joined, NewJoinCode},
    },
    certificate::{Chain, DeviceCertificate, Role, SUITE},
    device::{DeviceKind, Platform},
    error::Refusal,
    id::{AccountId, DeviceId, SpaceId},
    join::{JoinCode, Terms},
    keys::{AccountKey, DeviceKeys},
    password::{AuthSecret, KdfParams, WrappedKey},
    path::Label,
    signature::Signed,
    statement::{self, Revocation, Statement},
    time::Timestamp,
};
use reqwest::{Method, Response, StatusCode};
use serde::{Serialize, de::DeserializeOwned};

use super::server::TestServer;
use crate::clock::{Clock, SystemClock, random};

pub(super) fn now() -> Timestamp {
    SystemClock.now()
}

/// An account, seen from one signed-in device.
pub(super) struct Person {
    pub(super) url: String,
    pub(super) account: AccountKey,
    pub(super) device: Device,
    pub(super) cookie: String,
    pub(super) signed_in: SignedIn,
    /// Proves the password; what it is derived from does not matter to the server.
    pub(super) secret: [u8; 32],
}

/// A device with its keys.
pub(super) struct Device {
    pub(super) keys: DeviceKeys,
    pub(super) kind: DeviceKind,
    pub(super) chain: Chain,
}

impl Device {
    /// A command line that the account certifies.
    pub(super) fn certified(account: &AccountKey) -> Self {
        let keys = DeviceKeys::from_bytes(&random(&SystemClock));
        let certificate = DeviceCertificate {
            suite: SUITE,
            account: account.id(),
            keys: keys.public(),
            kind: DeviceKind::Cli,
            role: Role::Controller,
            issued: now(),
            not_after: Some(now() + Duration::from_secs(86_400)),
            epoch: 0,
        };
        Self {
            chain: Chain::by_account(&certificate, account),
            kind: DeviceKind::Cli,
            keys,
        }
    }

    pub(super) fn id(&self) -> DeviceId {
        self.keys.id()
    }

    pub(super) fn new_device(&self, name: &str) -> NewDevice {
        NewDevice {
            certificate: Packed(self.chain.clone()),
            name: Label::new(name).unwrap(),
            kind: self.kind,
            os: "test".into(),
            version: "0".into(),
            platform: Platform::Unix,
        }
    }
}

fn wrapped() -> WrappedKey {
    WrappedKey::from_bytes(vec![0; WrappedKey::LEN]).unwrap()
}

fn new_password(secret: [u8; 32]) -> NewPassword {
    NewPassword {
        salt: Bytes([5; 16]),
        params: KdfParams::STANDARD,
        auth: Bytes(secret),
        wrapped: Packed(wrapped()),
    }
}

/// The cookie that an answer sets, as `name=value`.
fn cookie_of(response: &Response) -> String {
    let cookie = response.headers()["set-cookie"].to_str().unwrap();
    cookie.split(';').next().unwrap().to_owned()
}

thread_local! {
    /// Each test has a thread and a runtime of its own, and making a client takes long.
    static CLIENT: reqwest::Client = reqwest::Client::new();
}

/// A request without any header.
pub(super) fn bare(method: Method, url: &str) -> reqwest::RequestBuilder {
    CLIENT.with(|client| client.request(method, url))
}

/// A request as programs other than browsers send it.
pub(super) fn request(url: &str, method: Method, path: &str) -> reqwest::RequestBuilder {
    bare(method, &format!("{url}{path}"))
        .header("x-beckon", "1")
        .header("origin", url)
}

pub(super) async fn post(url: &str, path: &str, body: &impl Serialize) -> Response {
    request(url, Method::POST, path).json(body).send().await.unwrap()
}

impl Person {
    /// Signs up with the server's set-up code.
    pub(super) async fn sign_up(server: &TestServer) -> Self {
        Self::sign_up_with(&server.url, &server.setup_code, "Ann")
            .await
            .unwrap_or_else(|refused| panic!("{refused}"))
    }

    /// Signs up with a code, perhaps of an invitation.
    pub(super) async fn sign_up_with(url: &str, code: &str, name: &str) -> Result<Self, Refusal> {
        let account = AccountKey::from_bytes(&random(&SystemClock));
        let device = Device::certified(&account);
        let secret = random(&SystemClock);
        let body = SignUp {
            setup_code: code.to_owned(),
            name: Label::new(name).unwrap(),
            account_key: Packed(account.public()),
            password: new_password(secret),
            recovery_auth: Bytes([9; 32]),
            recovery_wrapped: Packed(wrapped()),
            device: device.new_device("terminal"),
        };
        let response = post(url, "/api/sign-up", &body).await;
        if response.status() != StatusCode::OK {
            return Err(response.json().await.unwrap());
        }
        let cookie = cookie_of(&response);
        let signed_in = response.json().await.unwrap();
        Ok(Self {
            url: url.to_owned(),
            account,
            device,
            cookie,
            signed_in,
            secret,
        })
    }

    pub(super) fn id(&self) -> AccountId {
        self.account.id()
    }

    pub(super) fn space(&self) -> SpaceId {
        self.signed_in.space
    }

    pub(super) async fn prove(&self, secret: [u8; 32]) -> Response {
        post(
            &self.url,
            "/api/sign-in",
            &Prove {
                name: self.signed_in.account_name.to_lowercase(),
                auth: Bytes(secret),
            },
        )
        .await
    }

    /// Signs another device of the same person in.
    pub(super) async fn on_another_device(&self) -> Self {
        let account = AccountKey::from_bytes(&self.account.to_bytes());
        let device = Device::certified(&account);
        let proved: Proved = self.prove(self.secret).await.json().await.unwrap();
        let body = SignInFinish {
            ticket: proved.ticket,
            device: device.new_device("terminal"),
        };
        let response = post(&self.url, "/api/sign-in/finish", &body).await;
        assert_eq!(response.status(), StatusCode::OK);
        let cookie = cookie_of(&response);
        let signed_in = response.json().await.unwrap();
        Self {
            url: self.url.clone(),
            account,
            device,
            cookie,
            signed_in,
            secret: self.secret,
        }
    }

    /// A request with the session's cookie.
    pub(super) fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        request(&self.url, method, path).header("cookie", &self.cookie)
    }

    pub(super) async fn get(&self, path: &str) -> Response {
        self.request(Method::GET, path).send().await.unwrap()
    }

    pub(super) async fn read<T: DeserializeOwned>(&self, path: &str) -> T {
        self.get(path).await.json().await.unwrap()
    }

    pub(super) async fn post(&self, path: &str, body: &impl Serialize) -> Response {
        self.request(Method::POST, path).json(body).send().await.unwrap()
    }

    /// Makes a join code.
    pub(super) async fn join_code(&self, uses: u32) -> JoinCode {
        let code = JoinCode::new(random(&SystemClock));
        let terms = Terms {
            role: Role::Source,
            issued: now(),
            not_after: now() + Duration::from_secs(900),
            uses,
            epoch: 0,
        };
        let (offer, mac) = code.offer(&self.account, &terms).unwrap();
        let body = NewJoinCode {
            lookup: code.lookup(),
            offer: Packed(offer),
            mac: Bytes(mac),
        };
        assert_eq!(
            self.post("/api/join-codes", &body).await.status(),
            StatusCode::NO_CONTENT
        );
        code
    }

    /// Lets a new machine join.
    pub(super) async fn add_machine(&self, name: &str) -> Device {
        let code = self.join_code(1).await;
        let (machine, response) = join_with(&self.url, &code, name).await;
        assert_eq!(response.status(), StatusCode::OK, "{:?}", response.text().await);
        machine
    }

    /// Revokes a device.
    pub(super) async fn revoke(&self, device: DeviceId, number: u64) -> Response {
        let account = self.id();
        let revocation = Revocation {
            account,
            number,
            at: now(),
            revoked: vec![device],
            lowest_epoch: 0,
        };
        let statement = Signed::sign(&Statement::Revocation(revocation), self.account.signing());
        self.post(
            "/api/statements",
            &NewStatement {
                statement: Packed(statement),
            },
        )
        .await
    }

    /// Sets a new password, signed by `key`.
    pub(super) async fn change_password(&self, secret: [u8; 32], key: &AccountKey) -> Response {
        let proved: Proved = self.prove(self.secret).await.json().await.unwrap();
        let password = new_password(secret);
        let said = statement::NewPassword {
            account: self.id(),
            at: now(),
            auth_hash: AuthSecret::from_bytes(secret).hash(),
            salt: password.salt.0,
            params: password.params,
            wrap_hash: password.wrapped.0.hash(),
        };
        let statement = Packed(Signed::sign(&Statement::NewPassword(said), key.signing()));
        self.post(
            "/api/password",
            &ChangePassword {
                ticket: proved.ticket,
                password,
                statement,
            },
        )
        .await
    }
}

/// Joins a new machine as the program does: it learns the offer from the server.
pub(super) async fn join_with(url: &str, code: &JoinCode, name: &str) -> (Device, Response) {
    let path = format!("/api/join/{}", code.lookup());
    let offer: beckon_shared::api::join::OfferView = request(url, Method::GET, &path)
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    code.check(&offer.offer.0, &offer.mac.0, now()).unwrap();
    let keys = DeviceKeys::from_bytes(&random(&SystemClock));
    let chain = code
        .certify(&offer.offer.0, keys.public(), Role::Source, now())
        .unwrap();
    let machine = Device {
        keys,
        kind: DeviceKind::Agent,
        chain,
    };
    let response = join_as(url, code, &machine, name).await;
    (machine, response)
}

/// Joins a machine that has its keys.
pub(super) async fn join_as(url: &str, code: &JoinCode, machine: &Device, name: &str) -> Response {
    post(
        url,
        &format!("/api/join/{}", code.lookup()),
        &Join {
            device: machine.new_device(name),
        },
    )
    .await
}

/// The answer to a join that worked.
pub(super) async fn joined(response: Response) -> Joined {
    response.json().await.unwrap()
}
