//! What the server says over HTTP. Every password is right, every chunk is stored, every commit is taken.

use super::{
    account::{DAY, now},
    http::{Request, Response},
    server::State,
};
use beckon_shared::{
    api::{
        account::{SignInFinish, SignedIn},
        drive::{Heads, Outdated},
        join::{Join, Joined},
    },
    bulk::{Bitmap, ChunkHeader, CommitReply, CommitUpload, Encoding, HaveRequest, ManifestsRequest, ReadRequest},
    commit::{ChainHead, commit_hash},
    error::{ErrorCode, Refusal},
    id::{ChunkId, SignInId},
    keys::account_id,
    wire,
};

const JSON: &str = "content-type: application/json\r\n";
const JSON_AND_COOKIE: &str =
    "content-type: application/json\r\nset-cookie: beckon_session=0; Path=/; HttpOnly; SameSite=Strict\r\n";

pub(super) fn answer(state: &State, request: &Request) -> Response {
    let path = request.path.split('?').next().unwrap_or_default();
    state.seen().http.push(format!("{} {path}", request.method));
    let parts: Vec<_> = path.trim_start_matches('/').split('/').collect();
    match (request.method.as_str(), parts.as_slice()) {
        ("POST", ["api", "join-codes"]) => {
            let code = serde_json::from_slice(&request.body).unwrap();
            state.seen().join_codes.push(code);
            bytes(Vec::new())
        }
        ("GET", ["api", "join", _]) => json(&state.lies().offer),
        ("POST", ["api", "join", _]) => json(&joined(state, &request.body)),
        ("POST", ["api", "sign-in", "start"]) => json(&state.lies().sign_in),
        ("POST", ["api", "sign-in"]) => json(&state.lies().proved),
        ("POST", ["api", "sign-in", "finish"]) => Response {
            headers: JSON_AND_COOKIE,
            ..json(&signed_in(state, &request.body))
        },
        ("GET" | "POST", ["api", "drive", "heads"]) => json(&Heads {
            heads: Vec::new(),
            next: None,
        }),
        ("POST", ["api", "drive", "outdated"]) => json(&Outdated {
            epoch: 1,
            places: Vec::new(),
        }),
        ("GET", ["bulk", _, "commits"]) => bytes(commits(state, &request.path)),
        ("POST", ["bulk", _, "manifests"]) => bytes(manifests(state, &request.body)),
        ("POST", ["bulk", _, "read"]) => bytes(chunks(state, &request.body)),
        ("GET", ["bulk", _, "selection"]) => bytes(state.lies().selection.clone()),
        ("POST", ["bulk", _, "have"]) => bytes(nothing_missing(&request.body)),
        ("POST", ["bulk", _, "chunks"]) => bytes(Vec::new()),
        ("POST", ["bulk", _, "commit"]) => bytes(commit(state, &request.body)),
        _ => not_found(),
    }
}

fn json(value: &impl serde::Serialize) -> Response {
    Response {
        status: 200,
        headers: JSON,
        body: serde_json::to_vec(value).unwrap(),
    }
}

fn bytes(body: Vec<u8>) -> Response {
    Response {
        status: 200,
        headers: "content-type: application/octet-stream\r\n",
        body,
    }
}

fn not_found() -> Response {
    let refusal = Refusal::new(ErrorCode::NotFound, "this server knows nothing of that");
    Response {
        status: refusal.code.status(),
        ..json(&refusal)
    }
}

fn joined(state: &State, body: &[u8]) -> Joined {
    let join: Join = serde_json::from_slice(body).unwrap();
    let claim = join.device.certificate.0.peek().unwrap();
    Joined {
        account: claim.account,
        space: state.space,
        device: claim.device,
        name: join.device.name.to_string(),
    }
}

fn signed_in(state: &State, body: &[u8]) -> SignedIn {
    let finish: SignInFinish = serde_json::from_slice(body).unwrap();
    state.seen().finishes.push(finish.clone());
    let claim = finish.device.certificate.0.peek().unwrap();
    SignedIn {
        account: account_id(&state.lies().account_key),
        account_name: "ann".to_owned(),
        admin: true,
        space: state.space,
        device: claim.device,
        device_name: finish.device.name.to_string(),
        session: SignInId::new(now(), [1; 10]),
        expires: now() + 30 * DAY,
    }
}

fn nothing_missing(body: &[u8]) -> Vec<u8> {
    let have: HaveRequest = wire::decode(body).unwrap();
    wire::encode(&Bitmap::of(have.chunks.iter().map(|_| false)))
}

fn commits(state: &State, path: &str) -> Vec<u8> {
    let after: usize = path.split("after=").nth(1).unwrap().parse().unwrap();
    let lies = state.lies();
    let Some(copies) = &lies.copies else { return Vec::new() };
    let after = if copies.from_the_start { 0 } else { after };
    let some = copies.commits.iter().skip(after);
    some.flat_map(|record| counted(&wire::encode(record))).collect()
}

fn manifests(state: &State, body: &[u8]) -> Vec<u8> {
    let asked: ManifestsRequest = wire::decode(body).unwrap();
    let lies = state.lies();
    let manifest = |hash| lies.copies.as_ref()?.manifests.get(hash);
    let answered = asked.manifests.iter();
    answered
        .flat_map(|hash| counted(manifest(hash).map_or(&[], Vec::as_slice)))
        .collect()
}

fn counted(bytes: &[u8]) -> Vec<u8> {
    let len = u32::try_from(bytes.len()).unwrap();
    [&len.to_le_bytes(), bytes].concat()
}

/// Under the name that was asked for stands whatever the server has there.
fn chunks(state: &State, body: &[u8]) -> Vec<u8> {
    let asked: ReadRequest = wire::decode(body).unwrap();
    let lies = state.lies();
    let chunk = |id: &ChunkId| {
        let bytes = lies.copies.as_ref()?.chunks.get(id)?;
        let len = u32::try_from(bytes.len()).unwrap();
        let header = ChunkHeader {
            id: *id,
            encoding: Encoding::Plain,
            len,
            stored_len: len,
        };
        Some([header.to_bytes().as_slice(), bytes].concat())
    };
    asked.chunks.iter().filter_map(chunk).flatten().collect()
}

fn commit(state: &State, body: &[u8]) -> Vec<u8> {
    let upload: CommitUpload = wire::decode(body).unwrap();
    let number = upload.commit.peek().unwrap().number;
    let head = ChainHead {
        number,
        hash: commit_hash(&upload.commit),
    };
    state.wiring().head = head;
    wire::encode(&CommitReply::Committed(head))
}
