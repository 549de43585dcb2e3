//! Joining at a server that the test plays.

use std::time::Duration;

use beckon_shared::{
    api::{Bytes, Packed},
    certificate::Role,
    id::{DeviceId, SpaceId},
    join::Terms,
    keys::AccountKey,
    signature::Signed,
    statement::Statement,
};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
};

use super::*;
use crate::{
    output::{Format, Output},
    state::StateDir,
};

/// A server with one join code.
struct Fake {
    account: AccountKey,
    code: JoinCode,
    /// A device that it sends away, and why.
    refuses: Option<(DeviceId, ErrorCode)>,
}

impl Fake {
    fn new(refuses: Option<(DeviceId, ErrorCode)>) -> Self {
        Self {
            account: AccountKey::from_bytes(&[1; 32]),
            code: JoinCode::new([2; 16]),
            refuses,
        }
    }

    fn offer(&self) -> OfferView {
        let issued = clock::now();
        let terms = Terms {
            role: Role::Source,
            issued,
            not_after: issued + Duration::from_secs(900),
            uses: 1,
            epoch: 0,
        };
        let (offer, mac) = self.code.offer(&self.account, &terms).unwrap();
        OfferView {
            offer: Packed(offer),
            mac: Bytes(mac),
        }
    }

    fn join(&self, body: &[u8]) -> (u16, String) {
        let join: Join = serde_json::from_slice(body).unwrap();
        let device = join.device.certificate.0.peek().unwrap().device;
        match self.refuses {
            Some((refused, code)) if refused == device => {
                (code.status(), serde_json::to_string(&Refusal::new(code, "no")).unwrap())
            }
            _ => {
                let space = SpaceId::new(clock::now(), [1; 10]);
                let joined = Joined {
                    account: self.account.id(),
                    space,
                    device,
                    name: "desk".to_owned(),
                };
                (200, serde_json::to_string(&joined).unwrap())
            }
        }
    }

    async fn answer(&self, stream: TcpStream, offer: &str) {
        let mut stream = BufReader::new(stream);
        let (mut first, mut line, mut len) = (String::new(), String::new(), 0);
        stream.read_line(&mut first).await.unwrap();
        while stream.read_line(&mut line).await.unwrap() > 2 {
            if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
                len = value.trim().parse().unwrap();
            }
            line.clear();
        }
        let mut body = vec![0; len];
        stream.read_exact(&mut body).await.unwrap();
        let (status, text) = if first.starts_with("POST") {
            self.join(&body)
        } else {
            (200, offer.to_owned())
        };
        let head = format!(
            "HTTP/1.1 {status} As Said\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
            text.len()
        );
        stream.get_mut().write_all((head + &text).as_bytes()).await.unwrap();
    }

    async fn start(self) -> Origin {
        crate::cli::tests::install_tls();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let origin = Origin::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
        let offer = serde_json::to_string(&self.offer()).unwrap();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                self.answer(stream, &offer).await;
            }
        });
        origin
    }
}

/// A device that was a machine of the account before.
struct Before {
    here: Here,
    keys: DeviceKeys,
    _folder: tempfile::TempDir,
}

fn before() -> Before {
    let folder = tempfile::tempdir().unwrap();
    let state = StateDir::open(folder.path()).unwrap();
    let family = crate::orders::tests::Family::new(1);
    let machine = Machine {
        server: Origin::parse("http://127.0.0.1:1").unwrap(),
        account_key: family.account.public(),
        space: SpaceId::new(clock::now(), [1; 10]),
        name: Label::new("desk").unwrap(),
        keys: identity::copy_keys(&family.machine.keys),
        chain: family.machine.chain,
        standing: Standing::default(),
        roots: Vec::new(),
        closed: Vec::new(),
        has_journal: true,
        lan: Default::default(),
    };
    state.save_machine(&machine).unwrap();
    let here = Here {
        state,
        out: Output { format: Format::Json },
        ca: None,
        timeout: None,
        is_relay_only: false,
        awaited: std::sync::Mutex::default(),
    };
    Before {
        here,
        keys: machine.keys,
        _folder: folder,
    }
}

async fn join(before: &Before, url: Origin) -> Result<Machine, Failure> {
    let code = JoinCode::new([2; 16]).text().to_string();
    run(
        &before.here,
        Args {
            url,
            code,
            name: None,
            roots: Vec::new(),
            no_lan: true,
        },
    )
    .await?;
    Ok(before.here.state.machine().unwrap().unwrap())
}

#[tokio::test]
async fn a_machine_that_joins_again_stays_the_same_device_and_keeps_its_record_of_orders() {
    let before = before();
    let machine = join(&before, Fake::new(None).start().await).await.unwrap();
    assert_eq!(machine.keys.id(), before.keys.id());
    assert!(machine.has_journal);
}

#[tokio::test]
async fn a_machine_that_was_revoked_unheard_comes_with_new_keys() {
    let before = before();
    let fake = Fake::new(Some((before.keys.id(), ErrorCode::Revoked)));
    let machine = join(&before, fake.start().await).await.unwrap();
    assert_ne!(machine.keys.id(), before.keys.id());
    assert_eq!(machine.chain.peek().unwrap().device, machine.keys.id());
}

#[tokio::test]
async fn a_machine_that_knows_that_it_was_revoked_does_not_try_its_old_keys() {
    let before = before();
    let account = AccountKey::from_bytes(&[1; 32]);
    before
        .here
        .state
        .update_machine(|machine| {
            let revocation = machine
                .standing
                .revoke(&account.public(), &[before.keys.id()], clock::now())
                .unwrap();
            machine
                .standing
                .accept(
                    &Signed::sign(&Statement::Revocation(revocation), account.signing()),
                    &account.public(),
                )
                .unwrap();
            Ok(())
        })
        .unwrap();
    let machine = join(&before, Fake::new(None).start().await).await.unwrap();
    assert_ne!(machine.keys.id(), before.keys.id());
}

#[tokio::test]
async fn a_machine_that_joins_again_cannot_take_another_name_in_passing() {
    let before = before();
    let (url, code) = (Fake::new(None).start().await, JoinCode::new([2; 16]).text().to_string());
    let name = |name: &str| Label::new(name).ok();
    let args = |name| Args {
        url: url.clone(),
        code: code.clone(),
        name,
        roots: Vec::new(),
        no_lan: true,
    };
    let failure = run(&before.here, args(name("office"))).await.unwrap_err();
    assert!(
        failure.is(ErrorCode::Conflict) && failure.message.contains("the machine desk already"),
        "{failure}"
    );
    run(&before.here, args(name("desk"))).await.unwrap();
}

#[tokio::test]
async fn any_other_refusal_is_told_and_changes_nothing() {
    let before = before();
    let fake = Fake::new(Some((before.keys.id(), ErrorCode::CodeSpent)));
    assert!(
        join(&before, fake.start().await)
            .await
            .unwrap_err()
            .is(ErrorCode::CodeSpent)
    );
    assert_eq!(
        before.here.state.machine().unwrap().unwrap().keys.id(),
        before.keys.id()
    );
}
