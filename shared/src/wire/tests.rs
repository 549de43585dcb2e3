//! Every frame and every signed value: its bytes are pinned, it comes back the same, and damaged bytes never panic.

mod sample;

use std::fmt::Debug;

use proptest::prelude::*;

use super::*;
use crate::{
    api::drive::{Outdated, OutdatedPlace},
    browse::{Answer, Ask, Choice, FromMachine, ToMachine},
    bulk::{
        ChunkParts, CommitRecord, CommitReply, HaveRequest, ManifestsRequest, Outline, OutlineRequest, PartsRequest,
        ReadRequest,
    },
    chunk::ChunkKey,
    commit::{ChainHead, Change},
    device::Platform,
    entry::InDrive,
    id::{ChunkId, Hash},
    manifest::{Content, Manifest},
    order::SentFile,
    path::Name,
};
use sample::*;

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
            "ToServer::Request ShowOrder",
            request(Request::ShowOrder {
                order: Box::new(signed_order()),
                what: "Tender".into()
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
            "ToMachine::Ask Fetch",
            ask(Ask::Fetch {
                root: root(),
                path: path(),
                stamp: stamp(),
                offset: 1 << 33,
                len: 4096
            })
        );
        $visit!("ToMachine::Ask Route", ask(Ask::Route));
        $visit!(
            "ToMachine::Ask OrderWith",
            ask(Ask::OrderWith {
                order: Box::new(signed_order()),
                selection: vec![1, 2, 3]
            })
        );
        $visit!(
            "ToMachine::Ask Modes",
            ask(Ask::Modes {
                root: root(),
                path: path(),
                names: vec![Name::new("a").unwrap()]
            })
        );
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
        $visit!(
            "FromMachine::Reply Fetched",
            answer(Ok(Answer::Fetched {
                bytes: vec![1, 2, 3],
                hash: Hash::of(&[1, 2, 3])
            }))
        );
        $visit!(
            "FromMachine::Reply Route",
            answer(Ok(Answer::Route(crate::browse::Route::Lan)))
        );
        $visit!(
            "FromMachine::Reply Modes",
            answer(Ok(Answer::Modes(vec![0o644, 0])))
        );
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
        $visit!(
            "ToServer::Request Holders",
            request(Request::Holders { transfer: transfer() })
        );
        $visit!(
            "ToServer::Request IsOpen",
            request(Request::IsOpen { transfer: transfer() })
        );
        $visit!(
            "ToServer::Request ChunkKey",
            request(Request::ChunkKey { space: space() })
        );
        $visit!(
            "FromServer::Reply ChunkKey",
            FromServer::Reply {
                id: 7,
                result: Ok(Box::new(Reply::ChunkKey(ChunkKey([8; 32]))))
            }
        );
        $visit!(
            "FromServer::Reply CopyGrant",
            FromServer::Reply {
                id: 7,
                result: Ok(Box::new(Reply::CopyGrant(Box::new(copy_grant()))))
            }
        );
        $visit!(
            "FromServer::Reply Holders",
            FromServer::Reply {
                id: 7,
                result: Ok(Box::new(Reply::Holders {
                    holders: vec![holder()],
                    own_address: "203.0.113.8".into()
                }))
            }
        );
        $visit!("FromServer::News", FromServer::News { transfer: transfer() });
        $visit!("ToMachine::Ask Ignore", ask(Ask::Ignore { root: root() }));
        $visit!(
            "ToMachine::Ask SetIgnore",
            ask(Ask::SetIgnore {
                root: root(),
                patterns: "*.tmp".into()
            })
        );
        $visit!(
            "ToMachine::Ask PreviewIgnore",
            ask(Ask::PreviewIgnore {
                root: root(),
                patterns: "*.tmp".into()
            })
        );
        $visit!(
            "ToMachine::Ask Conflicts",
            ask(Ask::Conflicts {
                root: Some(root()),
                after: 3
            })
        );
        $visit!(
            "ToMachine::Ask Resolve",
            ask(Ask::Resolve {
                transfer: transfer(),
                path: path(),
                choice: Choice::Ours
            })
        );
        $visit!(
            "ToMachine::Ask Present",
            ask(Ask::Present(Box::new(signed_order())))
        );
        $visit!(
            "ToMachine::Ask Piece",
            ask(Ask::Piece {
                transfer: transfer(),
                path: path(),
                manifest: Hash([3; 32]),
                stamp: stamp(),
                offset: 1 << 33,
                len: 4096
            })
        );
        $visit!(
            "FromMachine::Reply Ignore",
            answer(Ok(Answer::Ignore("*.tmp".into())))
        );
        $visit!(
            "FromMachine::Reply Skipped",
            answer(Ok(Answer::Skipped {
                files: 2,
                bytes: 300,
                first: vec![path()],
                is_whole: true
            }))
        );
        $visit!(
            "FromMachine::Reply Conflicts",
            answer(Ok(Answer::Conflicts {
                conflicts: vec![conflict()],
                total: 1
            }))
        );
        $visit!("Order to watch", watched());
        $visit!("Order to follow", followed());
        $visit!("Order to receive", received());
        $visit!(
            "SentFile",
            SentFile {
                path: path(),
                manifest: vec![1, 2]
            }
        );
        $visit!(
            "Change::Move",
            Change::Move {
                from: path(),
                to: path()
            }
        );
        $visit!(
            "CommitRecord",
            CommitRecord {
                commit: commit_upload().commit,
                changes: vec![1, 2]
            }
        );
        $visit!(
            "ManifestsRequest",
            ManifestsRequest {
                manifests: vec![Hash([3; 32])]
            }
        );
        $visit!(
            "ReadRequest",
            ReadRequest {
                chunks: vec![ChunkId([1; 32])],
                bases: vec![ChunkId([2; 32])]
            }
        );
        $visit!("OutlineRequest", OutlineRequest { path: path() });
        $visit!(
            "Outline",
            Outline {
                chunks: vec![([1; 8], 300_000)]
            }
        );
        $visit!(
            "PartsRequest",
            PartsRequest {
                path: path(),
                chunks: vec![0, 300]
            }
        );
        $visit!(
            "ChunkParts",
            ChunkParts {
                id: ChunkId([1; 32]),
                parts: vec![crate::delta::Part {
                    hint: [2; 8],
                    len: 2048
                }]
            }
        );
        $visit!("Recipe", recipe());
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
