//! What devices ask on their control sockets.

use beckon_shared::{
    device::DeviceKind,
    error::{ErrorCode, Refusal},
    id::{DeviceId, TransferId},
    wire::{FromServer, Reply, Request},
};

use super::line::Line;
use crate::{
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
                key: line.guest.key,
            };
            order::place(line.app, &by, *order, &what)
                .await
                .map(|view| Reply::Transfer(Box::new(view)))
        }
        Request::BeginTransfer { transfer } => begin(line, transfer).await,
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
    begun.map(|grant| Reply::Grant(Box::new(grant)))
}

/// Machines command nobody. Controllers may also work, on the orders that they gave to themselves.
fn check_kind(kind: DeviceKind, request: &Request) -> Result<(), Refusal> {
    let commands = matches!(request, Request::OpenSession { .. } | Request::PlaceOrder { .. });
    if !commands || kind != DeviceKind::Agent {
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
