//! One value of each kind, always the same.

use super::super::*;
use crate::{
    browse::{Answer, Ask, Conflict, FromMachine, ListAsk, Page, Side, ToMachine},
    bulk::{CommitUpload, CopyGrant},
    certificate::{DeviceCertificate, Role, SUITE},
    chunk::{ChunkKey, ChunkRef},
    commit::{ChainHead, Change, Commit},
    delta::{Recipe, Step},
    device::{DeviceKind, InterfaceKind, NetAddress, Platform, RootView},
    entry::{Direction, Entry, EntryKind, SortKey, SourceStamp},
    error::ErrorCode,
    id::{ChunkId, Hash, RootId},
    keys::{AccountKey, DeviceKeys},
    limits::{Hours, Limits},
    manifest::{Content, FileContent, Manifest},
    order::{Extent, FollowOrder, Followed, Order, OrderBody, ReceiveOrder, Selection, UploadOrder, WatchOrder},
    path::{Name, RootPath},
    statement::{Revocation, Standing},
    transfer::Task,
};

pub(super) fn account() -> AccountKey {
    AccountKey::from_bytes(&[1; 32])
}

pub(super) fn controller() -> DeviceKeys {
    DeviceKeys::from_bytes(&[2; 64])
}

pub(super) fn machine() -> DeviceKeys {
    DeviceKeys::from_bytes(&[3; 64])
}

pub(super) fn chain(keys: &DeviceKeys, kind: DeviceKind, role: Role) -> Chain {
    let certificate = DeviceCertificate {
        suite: SUITE,
        account: account().id(),
        keys: keys.public(),
        kind,
        role,
        issued: Timestamp(1_000),
        not_after: None,
        epoch: 0,
    };
    Chain::by_account(&certificate, &account())
}

pub(super) fn transfer() -> TransferId {
    TransferId::new(Timestamp(1_700_000_000_000), [8; 10])
}

pub(super) fn space() -> SpaceId {
    SpaceId::new(Timestamp(1_600_000_000_000), [4; 10])
}

pub(super) fn root() -> RootId {
    RootId([0x11; 16])
}

pub(super) fn path() -> RootPath {
    RootPath::new(&b"Tender/\xff\n2026"[..]).unwrap()
}

pub(super) fn label(text: &str) -> Label {
    Label::new(text).unwrap()
}

pub(super) fn refusal() -> Refusal {
    Refusal::new(ErrorCode::Away, "office-pc is away")
}

pub(super) fn request(body: Request) -> ToServer {
    ToServer::Request {
        id: 7,
        body: Box::new(body),
    }
}

pub(super) fn ask(body: Ask) -> ToMachine {
    ToMachine::Ask { id: 7, body }
}

pub(super) fn answer(result: Result<Answer, Refusal>) -> FromMachine {
    FromMachine::Reply { id: 7, result }
}

pub(super) fn problem() -> Problem {
    Problem {
        path: path(),
        code: ErrorCode::NotReadable,
        message: "give the right".into(),
    }
}

pub(super) fn progress() -> Progress {
    Progress {
        files_total: 1,
        files_done: 2,
        bytes_total: 300,
        bytes_done: 70_000,
        bytes_sent: 5,
        failed: 6,
        torn: 7,
        walked: true,
        files_unchanged: 8,
        bytes_present: 9,
        bytes_own: 10,
        bytes_direct: 11,
        bytes_server: 12,
        conflicts: 13,
    }
}

pub(super) fn root_view() -> RootView {
    RootView {
        id: root(),
        name: label("Documents"),
        writable: false,
    }
}

pub(super) fn hello() -> Hello {
    Hello {
        name: label("office-pc"),
        kind: DeviceKind::Agent,
        os: "Debian 12".into(),
        version: "0.1.0".into(),
        platform: Platform::Unix,
        addresses: vec![address()],
        lan_port: Some(8441),
        roots: vec![root_view()],
        statement: 3,
    }
}

pub(super) fn address() -> NetAddress {
    NetAddress {
        address: "192.168.1.7".into(),
        prefix: 24,
        interface: "eth0".into(),
        kind: InterfaceKind::Ethernet,
        mac: Some("aa:bb:cc:dd:ee:ff".into()),
    }
}

pub(super) fn auth() -> Auth {
    let claim = AuthClaim {
        origin: "https://drive.example".into(),
        device: machine().id(),
        server_nonce: [9; 32],
        own_nonce: [10; 32],
        version: ControlVersion::V1,
    };
    Auth {
        chain: chain(&machine(), DeviceKind::Agent, Role::Source),
        claim: Signed::sign(&claim, machine().signing()),
        hello: hello(),
    }
}

pub(super) fn statement() -> Signed<Statement> {
    let revocation: Revocation = Standing::default()
        .revoke(&account().public(), &[controller().id()], Timestamp(2_000))
        .unwrap();
    Signed::sign(&Statement::Revocation(revocation), account().signing())
}

pub(super) fn welcome() -> Welcome {
    Welcome {
        account: account().id(),
        account_key: account().public(),
        space: space(),
        name: label("office-pc"),
        now: Timestamp(1_700_000_000_000),
        statement: Some(statement()),
    }
}

pub(super) fn order() -> Order {
    Order {
        suite: 0,
        signer: controller().id(),
        signer_account: account().id(),
        target_account: account().id(),
        target: machine().id(),
        id: transfer(),
        issued: Timestamp(1_700_000_000_000),
        expires: Timestamp(1_700_000_600_000),
        body: OrderBody::Upload(UploadOrder {
            root: root(),
            root_name: label("Documents"),
            space: space(),
            selection: Selection::Inline(vec![path()]),
        }),
    }
}

pub(super) fn signed_order() -> SignedOrder {
    SignedOrder {
        order: Signed::sign(&order(), controller().signing()),
        signer: chain(&controller(), DeviceKind::Cli, Role::Controller),
    }
}

pub(super) fn transfer_view() -> TransferView {
    TransferView {
        id: transfer(),
        device: machine().id(),
        machine: "office-pc".into(),
        root: "Documents".into(),
        what: "Tender".into(),
        state: TransferState::Running,
        hold: Hold::None,
        progress: progress(),
        error: None,
        created: Timestamp(1),
        expires: Timestamp(2),
        ended: None,
        revision: 9,
        priority: Priority::High,
        task: Task::Follow,
        from: Some("office-pc/Documents".into()),
        root_id: root(),
        origin: Some(Followed {
            device: controller().id(),
            root: root(),
            path: RootPath::root(),
        }),
    }
}

pub(super) fn followed() -> Order {
    let body = OrderBody::Follow(FollowOrder {
        root: root(),
        root_name: label("Copies"),
        path: path(),
        space: space(),
        from: Followed {
            device: controller().id(),
            root: root(),
            path: RootPath::root(),
        },
        extent: Extent::At(ChainHead {
            number: 7,
            hash: Hash([8; 32]),
        }),
    });
    Order { body, ..order() }
}

pub(super) fn watched() -> Order {
    let body = OrderBody::Watch(WatchOrder {
        root: root(),
        root_name: label("Documents"),
        space: space(),
    });
    Order { body, ..order() }
}

pub(super) fn received() -> Order {
    let body = OrderBody::Receive(ReceiveOrder {
        root: root(),
        root_name: label("Inbox"),
        path: path(),
        space: space(),
        files: Hash([9; 32]),
    });
    Order { body, ..order() }
}

pub(super) fn conflict() -> Conflict {
    Conflict {
        transfer: transfer(),
        root: root(),
        path: path(),
        kept: Some(path()),
        ours: Some(Side { size: 1, mtime_ns: -2 }),
        theirs: None,
    }
}

pub(super) fn holder() -> Holder {
    Holder {
        address: "203.0.113.7".into(),
        addresses: vec![address()],
        lan_port: Some(8441),
        certificate: chain(&machine(), DeviceKind::Agent, Role::Source),
    }
}

pub(super) fn copy_grant() -> CopyGrant {
    CopyGrant {
        ticket: [7; 32],
        chunk_key: ChunkKey([8; 32]),
        origin: Some(chain(&machine(), DeviceKind::Agent, Role::Source)),
    }
}

pub(super) fn recipe() -> Recipe {
    Recipe {
        bases: vec![ChunkId([1; 32])],
        steps: vec![
            Step::Copy {
                base: 0,
                from: 300,
                len: 2048,
            },
            Step::New(vec![1, 2, 3]),
        ],
    }
}

pub(super) fn grant() -> UploadGrant {
    UploadGrant {
        ticket: [7; 32],
        space: space(),
        chunk_key: ChunkKey([8; 32]),
        head: ChainHead::EMPTY,
        epoch: 4,
    }
}

pub(super) fn device_view() -> DeviceView {
    DeviceView {
        id: machine().id(),
        name: label("office-pc"),
        kind: DeviceKind::Agent,
        os: "Debian 12".into(),
        version: "0.1.0".into(),
        platform: Platform::Unix,
        online: true,
        address: "203.0.113.9".into(),
        port: 40_000,
        addresses: vec![address()],
        lan_port: None,
        roots: vec![root_view()],
        first_seen: Timestamp(1),
        last_seen: Timestamp(2),
        revoked: false,
        joined_by_code: true,
        certificate: chain(&machine(), DeviceKind::Agent, Role::Source),
        limits: limits(),
    }
}

pub(super) fn limits() -> Limits {
    Limits {
        rate: Some(1 << 20),
        full_speed: Some(Hours { from: 1320, to: 420 }),
    }
}

pub(super) fn list_ask() -> ListAsk {
    ListAsk {
        root: root(),
        path: path(),
        sort: SortKey::Size,
        direction: Direction::Descending,
        offset: 500,
        max_bytes: 65_536,
        snapshot: Some(2),
    }
}

pub(super) fn stamp() -> SourceStamp {
    SourceStamp {
        size: 5,
        mtime_ns: -6,
        ctime_ns: 7,
        file_id: 8,
    }
}

pub(super) fn page() -> Page {
    let entry = Entry {
        name: Name::new(&b"\xfe"[..]).unwrap(),
        kind: EntryKind::Symlink,
        stamp: stamp(),
        target: Some(b"/etc".to_vec()),
    };
    Page {
        snapshot: 2,
        total: 1,
        offset: 0,
        entries: vec![entry],
        next: 1,
    }
}

pub(super) fn file_manifest() -> Manifest {
    let chunks = vec![ChunkRef {
        id: ChunkId([1; 32]),
        len: 5,
    }];
    let file = FileContent {
        stamp: stamp(),
        read_ns: 9,
        hash: Hash([2; 32]),
        crc32: 0xdead_beef,
        torn: false,
        sparse: true,
        chunks,
    };
    Manifest {
        suite: 0,
        mode: 0o644,
        mtime_ns: -6,
        content: Content::File(file),
    }
}

pub(super) fn commit() -> Commit {
    Commit {
        suite: 0,
        space: space(),
        device: machine().id(),
        root: root(),
        number: 1,
        parent: Hash([0; 32]),
        changes: Hash::of(&encode(&changes())),
        at: Timestamp(3),
    }
}

pub(super) fn changes() -> Vec<Change> {
    vec![Change::Put {
        path: path(),
        manifest: Hash::of(&encode(&file_manifest())),
    }]
}

pub(super) fn commit_upload() -> CommitUpload {
    CommitUpload {
        commit: Signed::sign(&commit(), machine().signing()),
        changes: encode(&changes()),
        manifests: vec![encode(&file_manifest())],
    }
}
