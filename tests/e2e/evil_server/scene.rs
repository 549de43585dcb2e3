//! What every test begins with: the evil server and a real machine that has joined Ann's account there.

use std::{cell::RefCell, collections::BTreeSet, fs, path::Path};

use beckon_shared::{
    api::{Bytes, Packed, account::SignInStart, join::OfferView},
    certificate::Role,
    device::{DeviceKind, DeviceView},
    id::{DeviceId, RootId, TransferId},
    join::{JoinCode, Terms},
    keys::DevicePublicKeys,
    order::{Order, OrderBody, Selection, SignedOrder, UploadOrder},
    password::KdfParams,
    path::{Label, RootPath},
    transfer::TransferState,
    wire::{self, Auth, FromServer, Request},
};
use beckon_tests::{Joining, Machine};
use tempfile::TempDir;

use super::{
    account::{Account, Device, EPOCH, HOUR, new_transfer_id, now},
    opens::Opens,
    server::{EvilServer, Lies, Relay, Seen, Shown},
};

/// The one file that honest orders of [`Scene::assert_untouched`] ask for.
const WITNESS: &str = "witness.txt";
/// What no attack may open: a folder with files.
pub(super) const SECRET: &str = "secret";
/// A file in it.
pub(super) const DIARY: &str = "secret/diary.txt";

/// Ann's machine `desk` with its root `Documents`, at a server that is against her.
pub(super) struct Scene {
    pub(super) ann: Account,
    /// A controller of Ann's.
    pub(super) owner: Device,
    pub(super) machine: Machine,
    pub(super) server: EvilServer,
    pub(super) opens: Opens,
    /// Orders that the machine was right to carry out.
    honest: RefCell<BTreeSet<TransferId>>,
    _folder: TempDir,
}

impl Scene {
    #[track_caller]
    pub(super) fn new() -> Self {
        Self::with(|joining| joining)
    }

    /// The machine joins with what `open` opens besides.
    #[track_caller]
    pub(super) fn with(open: impl FnOnce(Joining) -> Joining) -> Self {
        let ann = Account::new(1);
        let folder = tempfile::tempdir().unwrap();
        fill(folder.path());
        let code = JoinCode::new([9; 16]);
        let server = EvilServer::start(truths(&ann, &code));
        let opens = Opens::watch(folder.path());
        let joining = Machine::join_with(server.url(), &code.text(), "desk").root("Documents", folder.path());
        let machine = open(joining).start();
        let scene = Self {
            owner: ann.controller(2),
            ann,
            machine,
            server,
            opens,
            honest: RefCell::default(),
            _folder: folder,
        };
        scene.assert_only_the_root_opened();
        let row = scene.row();
        scene.server.lie(|lies| lies.devices = vec![row]);
        scene
    }

    /// How the machine came in last.
    pub(super) fn auth(&self) -> Auth {
        let newest = |seen: &Seen| {
            let mut newest_first = seen.auths.iter().rev();
            newest_first.find(|auth| auth.hello.kind == DeviceKind::Agent).cloned()
        };
        self.server.wait_for("the machine has come", newest)
    }

    /// The machine's public keys.
    pub(super) fn keys(&self) -> DevicePublicKeys {
        self.auth().chain.device.peek().unwrap().keys
    }

    /// The machine.
    pub(super) fn desk(&self) -> DeviceId {
        self.keys().id()
    }

    /// The machine's only root.
    pub(super) fn root(&self) -> RootId {
        self.auth().hello.roots[0].id
    }

    /// The machine in the control list, truly.
    pub(super) fn row(&self) -> DeviceView {
        let Auth { chain, hello, .. } = self.auth();
        DeviceView {
            id: self.desk(),
            name: hello.name,
            kind: hello.kind,
            os: hello.os,
            version: hello.version,
            platform: hello.platform,
            online: true,
            address: "127.0.0.1".to_owned(),
            port: 1,
            addresses: Vec::new(),
            lan_port: None,
            roots: hello.roots,
            first_seen: now(),
            last_seen: now(),
            revoked: false,
            joined_by_code: false,
            certificate: chain,
            limits: beckon_shared::limits::Limits::default(),
        }
    }

    /// An order to upload what is at `path`, as an honest program would write it.
    pub(super) fn order(&self, signer: &Device, path: &str) -> Order {
        let selection = Selection::Inline(vec![RootPath::new(path).unwrap()]);
        Order {
            suite: 0,
            signer: signer.id(),
            signer_account: self.ann.id(),
            target_account: self.ann.id(),
            target: self.desk(),
            id: new_transfer_id(),
            issued: now(),
            expires: now() + HOUR,
            body: OrderBody::Upload(UploadOrder {
                root: self.root(),
                root_name: Label::new("Documents").unwrap(),
                space: self.server.space(),
                selection,
            }),
        }
    }

    #[track_caller]
    pub(super) fn push(&self, order: &SignedOrder) {
        self.server.push(&FromServer::Order(Box::new(order.clone())));
    }

    /// Pushes an order that the machine has to carry out, and waits until it has.
    #[track_caller]
    pub(super) fn obey(&self, order: &SignedOrder) {
        let id = order.order.peek().unwrap().id;
        self.allow(id);
        self.push(order);
        let state = self.end_of(id);
        assert_eq!(state, TransferState::Done, "an honest order is carried out");
    }

    /// The machine is right to begin with this order.
    pub(super) fn allow(&self, id: TransferId) {
        self.honest.borrow_mut().insert(id);
    }

    /// How the machine says that an order ended.
    #[track_caller]
    pub(super) fn end_of(&self, id: TransferId) -> TransferState {
        self.server.wait_for("the machine ends the order", |seen| {
            seen.requests.iter().find_map(|request| match request {
                Request::EndTransfer { transfer, state, .. } if *transfer == id => Some(*state),
                _ => None,
            })
        })
    }

    /// Waits until the machine says that it has carried an order out, whatever it says of it besides.
    #[track_caller]
    pub(super) fn wait_done(&self, id: TransferId) {
        self.server.wait_for("the order is done", |seen| {
            let done = seen.requests.iter().any(|request| {
                matches!(request, Request::EndTransfer { transfer, state: TransferState::Done, .. } if *transfer == id)
            });
            done.then_some(())
        });
    }

    /// How often the machine asked for what it needs to carry out this order.
    pub(super) fn times_begun(&self, id: TransferId) -> usize {
        self.begun().iter().filter(|begun| **begun == id).count()
    }

    /// Pushes orders that the machine must refuse, and waits until it has said so of each.
    #[track_caller]
    pub(super) fn refuse(&self, orders: &[(&str, SignedOrder)]) {
        for (what, order) in orders {
            self.push(order);
            let id = order.order.peek().map(|order| order.id);
            if let Ok(id) = id {
                assert_eq!(self.end_of(id), TransferState::Failed, "{what}");
                assert_eq!(self.times_begun(id), 0, "{what}");
            }
        }
        self.assert_untouched();
    }

    /// Panics if the machine opened any file below its root, or set out to carry out a dishonest order, since this was
    /// asked last.
    ///
    /// An honest order comes last. A machine works on one order of a root at a time, so that it has ended all that it
    /// may have begun; and the file of the honest order must be seen to be opened, or else nothing would be seen at all.
    #[track_caller]
    pub(super) fn assert_untouched(&self) {
        let order = self.owner.sign(&self.order(&self.owner, WITNESS));
        let id = order.order.peek().unwrap().id;
        self.obey(&order);
        let mut opened = self.opens.take();
        opened.remove(Path::new(""));
        assert!(
            opened.remove(Path::new(WITNESS)),
            "an honest order opens its file, which is seen"
        );
        assert!(opened.is_empty(), "opened: {opened:?}");
        let have = format!("POST /bulk/{id}/have");
        assert!(
            self.server.seen(|seen| seen.http.contains(&have)),
            "an honest order asks what is missing"
        );
        let mut dishonest = self.begun();
        dishonest.retain(|id| !self.honest.borrow().contains(id));
        assert!(dishonest.is_empty(), "begun: {dishonest:?}");
    }

    #[track_caller]
    fn assert_only_the_root_opened(&self) {
        let mut opened = self.opens.take();
        opened.remove(Path::new(""));
        assert!(opened.is_empty(), "opened while joining: {opened:?}");
    }

    fn begun(&self) -> Vec<TransferId> {
        self.server.seen(|seen| {
            let begun = seen.requests.iter().filter_map(|request| match request {
                Request::BeginTransfer { transfer } => Some(*transfer),
                _ => None,
            });
            begun.collect()
        })
    }
}

fn fill(folder: &Path) {
    fs::write(folder.join(WITNESS), "I was there").unwrap();
    fs::create_dir(folder.join(SECRET)).unwrap();
    fs::write(folder.join(DIARY), "dear diary").unwrap();
    fs::create_dir(folder.join(SECRET).join("deep")).unwrap();
    fs::write(folder.join(SECRET).join("deep/letter.txt"), "dear Ann").unwrap();
}

/// What an honest server would say of Ann's account.
fn truths(ann: &Account, code: &JoinCode) -> Lies {
    let terms = Terms {
        role: Role::Source,
        issued: now(),
        not_after: now() + HOUR,
        uses: 1,
        epoch: EPOCH,
    };
    let (offer, mac) = code.offer(ann.key(), &terms).unwrap();
    Lies {
        challenge: wire::encode(&FromServer::Challenge { nonce: [4; 32] }),
        account_key: ann.public(),
        statement: None,
        orders: Vec::new(),
        withholds_grants: false,
        shown: Shown::Truly,
        devices: Vec::new(),
        relay: Relay::ToMachine,
        offer: OfferView {
            offer: Packed(offer),
            mac: Bytes(mac),
        },
        sign_in: SignInStart {
            salt: Bytes([6; 16]),
            params: KdfParams::STANDARD,
        },
        proved: None,
        selection: Vec::new(),
        copies: None,
    }
}
