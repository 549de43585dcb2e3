//! What devices ask on their control sockets.

use beckon_shared::{
    device::DeviceKind,
    error::{ErrorCode, Refusal},
    id::{DeviceId, SpaceId, TransferId},
    wire::{FromServer, Reply, Request},
};

use super::line::Line;
use crate::{
    access::{Access, Right},
    error::{not_found, refusal_of},
    order,
    store::{Error, meta},
};

/// Does what is asked.
pub(super) async fn answer(line: &Line<'_>, request: Request) -> Result<Reply, Refusal> {
    check_kind(line.guest.kind, &request)?;
    let answer = match request {
        Request::OpenSession { device } => open_session(line, &device).await.map(Reply::Ticket),
        Request::PlaceOrder { order, what } => {
            let by = order::Signer {
                account: &line.guest.account,
                device: line.guest.device,
            };
            order::place(line.app, &by, *order, &what)
                .await
                .map(|view| Reply::Transfer(Box::new(view)))
        }
        Request::ShowOrder { order, what } => {
            let (app, account) = (line.app, &line.guest.account.id);
            order::show(app, account, &line.guest.device, *order, &what)
                .await
                .map(|view| Reply::Transfer(Box::new(view)))
        }
        Request::BeginTransfer { transfer } => begin(line, transfer).await,
        Request::ChunkKey { space } => chunk_key(line, &space).await,
        Request::Holders { transfer } => {
            order::holders(line.app, &line.guest.account.id, &line.guest.device, &transfer).await
        }
        Request::IsOpen { transfer } => order::is_open(line.app, &line.guest.account.id, &line.guest.device, &transfer)
            .await
            .map(|()| Reply::Done),
        Request::ReportProblems {
            transfer,
            offset,
            problems,
        } => order::report(
            line.app,
            &line.guest.account.id,
            &line.guest.device,
            &transfer,
            offset,
            &problems,
        )
        .await
        .map(|()| Reply::Done),
        Request::EndTransfer {
            transfer,
            state,
            progress,
            error,
        } => {
            let outcome = order::Outcome { state, progress, error };
            line.app.hub.end(&line.guest.account.id, &line.guest.device, &transfer);
            order::end(line.app, &line.guest.account.id, &line.guest.device, &transfer, outcome)
                .await
                .map(|()| Reply::Done)
        }
    };
    answer.map_err(|error| refusal_of(&error))
}

/// Noted before it is recorded: a tab that closes at this moment must not leave it waiting for somebody.
async fn begin(line: &Line<'_>, transfer: TransferId) -> Result<Reply, Error> {
    let (app, account, device) = (line.app, &line.guest.account.id, &line.guest.device);
    app.hub.begin(account, device, line.epoch(), transfer);
    let begun = order::begin(app, account, device, &transfer).await;
    if begun.is_err() {
        app.hub.end(account, device, &transfer);
    }
    begun
}

/// The key of the account's space, for a controller that makes ids of chunks before it orders something.
async fn chunk_key(line: &Line<'_>, space: &SpaceId) -> Result<Reply, Error> {
    let account = &line.guest.account;
    let access = Access {
        account: account.id,
        admin: false,
        spaces: vec![(account.space, Right::Write)],
    };
    let granted = access.space(*space, Right::Read)?;
    line.app.store.chunk_key(&granted).await.map(Reply::ChunkKey)
}

/// Machines command nobody, and only they are given orders. Controllers may also work, on the orders that they gave to
/// themselves.
fn check_kind(kind: DeviceKind, request: &Request) -> Result<(), Refusal> {
    let is_machine = kind == DeviceKind::Agent;
    let may = match request {
        Request::OpenSession { .. } | Request::PlaceOrder { .. } | Request::ChunkKey { .. } => !is_machine,
        Request::ShowOrder { .. } | Request::Holders { .. } | Request::IsOpen { .. } => is_machine,
        Request::BeginTransfer { .. } | Request::ReportProblems { .. } | Request::EndTransfer { .. } => true,
    };
    if may {
        return Ok(());
    }
    Err(Refusal::new(
        ErrorCode::NotAllowed,
        "this device is not of the kind that may ask this",
    ))
}

/// Makes the two tickets of a session and hands the machine its own.
async fn open_session(line: &Line<'_>, device: &DeviceId) -> Result<[u8; 32], Error> {
    let (app, account) = (line.app, line.guest.account.id);
    // Before the look-up: whoever is revoked from here on is cut off from the session too.
    let cuts = [line.cut(), app.hub.cut_token(account, *device)];
    let machine = meta::device::find(app.meta().read(), &account, device).await?;
    if machine.kind != DeviceKind::Agent {
        return Err(not_found().into());
    }
    if machine.revoked {
        return Err(Refusal::new(ErrorCode::Revoked, "this machine was revoked; join it again").into());
    }
    let [own, theirs] = app.relays.open(app, cuts);
    if !app
        .hub
        .to_device(&account, device, &FromServer::Session { ticket: theirs })
    {
        return Err(Refusal::new(
            ErrorCode::Away,
            "this machine is away; start `beckon run` on it or wait until it is back",
        )
        .into());
    }
    Ok(own)
}
