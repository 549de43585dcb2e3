//! Every frame and every signed value: its bytes are pinned, it comes back the same, and damaged bytes never panic.

use std::fmt::Debug;

use proptest::prelude::*;

use super::*;
use crate::{
    api::drive::{Outdated, OutdatedPlace},
    browse::{Answer, Ask, FromMachine, ListAsk, Page, ToMachine},
    bulk::{CommitReply, CommitUpload, HaveRequest},
    certificate::{DeviceCertificate, Role, SUITE},
    chunk::{ChunkKey, ChunkRef},
    commit::{ChainHead, Change, Commit},
    device::{DeviceKind, InterfaceKind, NetAddress, Platform, RootView},
    entry::{Direction, Entry, EntryKind, InDrive, SortKey, SourceStamp},
    error::ErrorCode,
    id::{ChunkId, Hash, RootId},
    keys::{AccountKey, DeviceKeys},
    limits::{Hours, Limits},
    manifest::{Content, FileContent, Manifest},
    order::{Order, OrderBody, Selection, UploadOrder},
    path::{Name, RootPath},
    statement::{Revocation, Standing},
};

/// Calls `$visit` with the name and value of every pinned sample.
macro_rules! for_each_sample {
    ($visit:ident) => {
        $visit!("ToServer::Auth", ToServer::Auth(Box::new(auth())));
        $visit!("ToServer::Hello", ToServer::Hello(Box::new(hello())));
        $visit!(
            "ToServer::Request OpenSession",
            request(Request::OpenSession {
                device: machine().id()
            })
        );
        $visit!(
            "ToServer::Request PlaceOrder",
            request(Request::PlaceOrder {
                order: Box::new(signed_order()),
                what: "Tender".into()
            })
        );
        $visit!(
            "ToServer::Request BeginTransfer",
            request(Request::BeginTransfer { transfer: transfer() })
        );
        $visit!(
            "ToServer::Request ReportProblems",
            request(Request::ReportProblems {
                transfer: transfer(),
                offset: 3,
                problems: vec![problem()]
            })
        );
        $visit!(
            "ToServer::Request EndTransfer",
            request(Request::EndTransfer {
                transfer: transfer(),
                state: TransferState::Partly,
                progress: progress(),
                error: Some(refusal())
            })
        );
        $visit!(
            "ToServer::Progress",
            ToServer::Progress {
                transfer: transfer(),
                hold: Hold::NoRoom,
                progress: progress()
            }
        );
        $visit!("FromServer::Challenge", FromServer::Challenge { nonce: [9; 32] });
        $visit!("FromServer::Welcome", FromServer::Welcome(Box::new(welcome())));
        $visit!(
            "FromServer::Reply Done",
            FromServer::Reply {
                id: 7,
                result: Ok(Box::new(Reply::Done))
            }
        );
        $visit!(
            "FromServer::Reply Ticket",
            FromServer::Reply {
                id: 7,
                result: Ok(Box::new(Reply::Ticket([5; 32])))
            }
        );
        $visit!(
            "FromServer::Reply Transfer",
            FromServer::Reply {
                id: 7,
                result: Ok(Box::new(Reply::Transfer(Box::new(transfer_view()))))
            }
        );
        $visit!(
            "FromServer::Reply Grant",
            FromServer::Reply {
                id: 7,
                result: Ok(Box::new(Reply::Grant(Box::new(grant()))))
            }
        );
        $visit!(
            "FromServer::Reply refused",
            FromServer::Reply {
                id: 300,
                result: Err(refusal())
            }
        );
        $visit!(
            "FromServer::Devices",
            FromServer::Devices(Part {
                place: Place::Whole,
                rows: vec![device_view()]
            })
        );
        $visit!(
            "FromServer::Transfers",
            FromServer::Transfers(Part {
                place: Place::Change,
                rows: vec![transfer_view()]
            })
        );
        $visit!(
            "FromServer::DriveChanged",
            FromServer::DriveChanged {
                space: space(),
                revision: 12
            }
        );
        $visit!("FromServer::Order", FromServer::Order(Box::new(signed_order())));
        $visit!("FromServer::Session", FromServer::Session { ticket: [6; 32] });
        $visit!(
            "FromServer::Statement",
            FromServer::Statement(Box::new(statement()))
        );
        $visit!(
            "FromServer::GoAway",
            FromServer::GoAway {
                reason: refusal(),
                back_in_ms: Some(1500)
            }
        );
        $visit!(
            "FromServer::Steer",
            FromServer::Steer {
                transfer: transfer(),
                act: Act::Retry
            }
        );
        $visit!(
            "ToMachine::Open",
            ToMachine::Open {
                statement: Some(Box::new(statement()))
            }
        );
        $visit!("ToMachine::Ask Roots", ask(Ask::Roots));
        $visit!("ToMachine::Ask List", ask(Ask::List(list_ask())));
        $visit!(
            "ToMachine::Ask Stat",
            ask(Ask::Stat {
                root: root(),
                path: path()
            })
        );
        $visit!(
            "ToMachine::Ask Read",
            ask(Ask::Read {
                root: root(),
                path: path(),
                offset: 1 << 33,
                len: 4096
            })
        );
        $visit!(
            "ToMachine::Ask States",
            ask(Ask::States {
                root: root(),
                folders: vec![path()],
                drive: Box::new(Outdated {
                    epoch: 5,
                    places: vec![OutdatedPlace {
                        path: path(),
                        state: InDrive::No
                    }]
                })
            })
        );
        $visit!(
            "FromServer::Priority",
            FromServer::Priority {
                transfer: transfer(),
                priority: Priority::Low
            }
        );
        $visit!("FromServer::Limits", FromServer::Limits(limits()));
        $visit!(
            "FromServer::ReadLive",
            FromServer::ReadLive(Box::new(ReadLive {
                ticket: [4; 32],
                transfer: transfer(),
                path: path(),
                offset: 5,
                len: 6
            }))
        );
        $visit!("ToMachine::Ask Wake", ask(Ask::Wake(vec![[1, 2, 3, 4, 5, 6]])));
        $visit!("ToMachine::Ask Order", ask(Ask::Order(Box::new(signed_order()))));
        $visit!(
            "FromMachine::Opened",
            FromMachine::Opened {
                statement: None,
                platform: Platform::Unix
            }
        );
        $visit!(
            "FromMachine::Reply Roots",
            answer(Ok(Answer::Roots(vec![root_view()])))
        );
        $visit!("FromMachine::Reply Page", answer(Ok(Answer::Page(page()))));
        $visit!(
            "FromMachine::Reply Bytes",
            answer(Ok(Answer::Bytes(vec![1, 2, 3])))
        );
        $visit!(
            "FromMachine::Reply States",
            answer(Ok(Answer::States(vec![InDrive::Safe, InDrive::Unknown])))
        );
        $visit!("FromMachine::Reply Done", answer(Ok(Answer::Done)));
        $visit!("FromMachine::Reply refused", answer(Err(refusal())));
        $visit!("Order", order());
        $visit!("Commit", commit());
        $visit!(
            "Change::Put",
            Change::Put {
                path: path(),
                manifest: Hash([3; 32])
            }
        );
        $visit!("Change::Remove", Change::Remove { path: path() });
        $visit!("Manifest of a file", file_manifest());
        $visit!(
            "Manifest of a folder",
            Manifest {
                suite: 0,
                mode: 0o755,
                mtime_ns: 5,
                content: Content::Folder
            }
        );
        $visit!(
            "Manifest of a symlink",
            Manifest {
                suite: 0,
                mode: 0o777,
                mtime_ns: -5,
                content: Content::Symlink(b"../x".to_vec())
            }
        );
        $visit!(
            "HaveRequest",
            HaveRequest {
                chunks: vec![ChunkId([1; 32])]
            }
        );
        $visit!("CommitUpload", commit_upload());
        $visit!(
            "CommitReply::Committed",
            CommitReply::Committed(ChainHead {
                number: 2,
                hash: Hash([4; 32])
            })
        );
        $visit!("CommitReply::Behind", CommitReply::Behind(ChainHead::EMPTY));
        $visit!(
            "CommitReply::Missing",
            CommitReply::Missing(vec![ChunkId([1; 32])])
        );
    };
}

#[test]
fn the_bytes_of_every_frame_and_signed_value_are_pinned() {
    let mut lines = String::new();
    let mut visit = |name: &str, bytes: Vec<u8>| lines.push_str(&format!("{name}: {}\n", hex::encode(bytes)));
    macro_rules! pin {
        ($name:expr, $value:expr) => {
            visit($name, encode(&$value))
        };
    }
    for_each_sample!(pin);
    insta::assert_snapshot!(lines);
}

#[test]
fn every_frame_comes_back_the_same_and_with_bytes_left_over_not_at_all() {
    macro_rules! check {
        ($name:expr, $value:expr) => {
            check_round_trip($name, $value)
        };
    }
    for_each_sample!(check);
}

fn check_round_trip<T: Serialize + DeserializeOwned + PartialEq + Debug>(name: &str, value: T) {
    let mut bytes = encode(&value);
    assert_eq!(decode::<T>(&bytes).as_ref(), Ok(&value), "{name}");
    bytes.push(0);
    assert_eq!(decode::<T>(&bytes), Err(Malformed), "{name}");
}

#[test]
fn every_control_frame_keeps_to_its_limit() {
    assert!(encode(&ToServer::Auth(Box::new(auth()))).len() < FRAME_MAX);
    let rows: Vec<_> = (0..500).map(|_| device_view()).collect();
    let parts = snapshot_parts(rows.clone());
    assert!(parts.len() > 2);
    assert!(
        parts
            .iter()
            .all(|part| encode(&FromServer::Devices(part.clone())).len() <= FRAME_MAX)
    );
    assert_eq!(parts.first().map(|part| part.place), Some(Place::First));
    assert_eq!(parts.last().map(|part| part.place), Some(Place::Last));
    assert_eq!(parts.into_iter().flat_map(|part| part.rows).collect::<Vec<_>>(), rows);
    assert_eq!(snapshot_parts::<DeviceView>(vec![])[0].place, Place::Whole);
}

#[test]
fn only_a_version_that_both_ends_speak_is_chosen() {
    assert_eq!(
        negotiate("beckon.control.v9, beckon.control.v1"),
        Some(("beckon.control.v1", ControlVersion::V1))
    );
    assert_eq!(negotiate("beckon.control.v10"), None);
    assert_eq!(negotiate(""), None);
}

proptest! {
    #[test]
    fn damaged_bytes_never_panic(flip in any::<prop::sample::Index>(), value in any::<u8>(), cut in any::<prop::sample::Index>()) {
        macro_rules! damage {
            ($name:expr, $value:expr) => {
                damage_it($value, flip, value, cut)
            };
        }
        for_each_sample!(damage);
    }

    #[test]
    fn bytes_of_a_stranger_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = decode::<ToServer>(&bytes);
        let _ = decode::<FromServer>(&bytes);
        let _ = decode::<ToMachine>(&bytes);
        let _ = decode::<FromMachine>(&bytes);
        let _ = decode::<SignedOrder>(&bytes);
        let _ = Manifest::parse(&bytes);
    }
}

fn damage_it<T: Serialize + DeserializeOwned>(
    sample: T,
    flip: prop::sample::Index,
    value: u8,
    cut: prop::sample::Index,
) {
    let mut bytes = encode(&sample);
    let at = flip.index(bytes.len());
    bytes[at] = value;
    let _ = decode::<T>(&bytes);
    bytes.truncate(cut.index(bytes.len()));
    let _ = decode::<T>(&bytes);
}

fn account() -> AccountKey {
    AccountKey::from_bytes(&[1; 32])
}

fn controller() -> DeviceKeys {
    DeviceKeys::from_bytes(&[2; 64])
}

fn machine() -> DeviceKeys {
    DeviceKeys::from_bytes(&[3; 64])
}

fn chain(keys: &DeviceKeys, kind: DeviceKind, role: Role) -> Chain {
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

fn transfer() -> TransferId {
    TransferId::new(Timestamp(1_700_000_000_000), [8; 10])
}

fn space() -> SpaceId {
    SpaceId::new(Timestamp(1_600_000_000_000), [4; 10])
}

fn root() -> RootId {
    RootId([0x11; 16])
}

fn path() -> RootPath {
    RootPath::new(&b"Tender/\xff\n2026"[..]).unwrap()
}

fn label(text: &str) -> Label {
    Label::new(text).unwrap()
}

fn refusal() -> Refusal {
    Refusal::new(ErrorCode::Away, "office-pc is away")
}

fn request(body: Request) -> ToServer {
    ToServer::Request {
        id: 7,
        body: Box::new(body),
    }
}

fn ask(body: Ask) -> ToMachine {
    ToMachine::Ask { id: 7, body }
}

fn answer(result: Result<Answer, Refusal>) -> FromMachine {
    FromMachine::Reply { id: 7, result }
}

fn problem() -> Problem {
    Problem {
        path: path(),
        code: ErrorCode::NotReadable,
        message: "give the right".into(),
    }
}

fn progress() -> Progress {
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
    }
}

fn root_view() -> RootView {
    RootView {
        id: root(),
        name: label("Documents"),
        writable: false,
    }
}

fn hello() -> Hello {
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

fn address() -> NetAddress {
    NetAddress {
        address: "192.168.1.7".into(),
        prefix: 24,
        interface: "eth0".into(),
        kind: InterfaceKind::Ethernet,
        mac: Some("aa:bb:cc:dd:ee:ff".into()),
    }
}

fn auth() -> Auth {
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

fn statement() -> Signed<Statement> {
    let revocation: Revocation = Standing::default()
        .revoke(&account().public(), &[controller().id()], Timestamp(2_000))
        .unwrap();
    Signed::sign(&Statement::Revocation(revocation), account().signing())
}

fn welcome() -> Welcome {
    Welcome {
        account: account().id(),
        account_key: account().public(),
        space: space(),
        name: label("office-pc"),
        now: Timestamp(1_700_000_000_000),
        statement: Some(statement()),
    }
}

fn order() -> Order {
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

fn signed_order() -> SignedOrder {
    SignedOrder {
        order: Signed::sign(&order(), controller().signing()),
        signer: chain(&controller(), DeviceKind::Cli, Role::Controller),
    }
}

fn transfer_view() -> TransferView {
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
    }
}

fn grant() -> UploadGrant {
    UploadGrant {
        ticket: [7; 32],
        space: space(),
        chunk_key: ChunkKey([8; 32]),
        head: ChainHead::EMPTY,
        epoch: 4,
    }
}

fn device_view() -> DeviceView {
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

fn limits() -> Limits {
    Limits {
        rate: Some(1 << 20),
        full_speed: Some(Hours { from: 1320, to: 420 }),
    }
}

fn list_ask() -> ListAsk {
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

fn stamp() -> SourceStamp {
    SourceStamp {
        size: 5,
        mtime_ns: -6,
        ctime_ns: 7,
        file_id: 8,
    }
}

fn page() -> Page {
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

fn file_manifest() -> Manifest {
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

fn commit() -> Commit {
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

fn changes() -> Vec<Change> {
    vec![Change::Put {
        path: path(),
        manifest: Hash::of(&encode(&file_manifest())),
    }]
}

fn commit_upload() -> CommitUpload {
    CommitUpload {
        commit: Signed::sign(&commit(), machine().signing()),
        changes: encode(&changes()),
        manifests: vec![encode(&file_manifest())],
    }
}
