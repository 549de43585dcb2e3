//! A machine carries out an order: begins or goes on, reports what it could not store, ends.

use beckon_shared::{
    bulk::{CopyGrant, UploadGrant},
    certificate::Chain,
    commit::ChainHead,
    error::{ErrorCode, Refusal},
    id::{AccountId, DeviceId, TransferId},
    order::CLOCK_GRACE,
    path::Label,
    transfer::{Hold, Problem, Progress, Task, TransferState, TransferView},
    wire::Reply,
};

use super::{conclude, presence::lapsed, push::push, record, supersede::supersede};
use crate::{
    access::{Opens, TransferAccess},
    app::App,
    clock::random,
    error::not_found,
    fault,
    store::{
        Error, UploadStart,
        meta::{
            self,
            device::Device,
            transfer::{Transfer, problem},
        },
    },
};

/// How a transfer ended, as its machine says.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// Over.
    pub(crate) state: TransferState,
    /// The final counts.
    pub(crate) progress: Progress,
    /// What went wrong with the whole of it.
    pub(crate) error: Option<Refusal>,
}

/// A machine begins an order or goes on with it, or a controller with what it sends; also renews its ticket.
pub(crate) async fn begin(app: &App, account: &AccountId, device: &DeviceId, id: &TransferId) -> Result<Reply, Error> {
    let transfer = meta::transfer::find(app.meta().read(), account, id).await?;
    let is_sender = transfer.view.task == Task::Send && transfer.signer == *device;
    if transfer.view.device != *device && !is_sender {
        return Err(not_found().into());
    }
    meta::transfer::must_be_open(&transfer.view)?;
    let is_late = app.clock.now() > transfer.view.expires + CLOCK_GRACE;
    if transfer.view.state == TransferState::Queued && is_late {
        return Err(lapsed());
    }
    // Once more, for a server that was ended between recording a watch and ending the one before.
    supersede(app, &transfer).await?;
    let start = Start {
        app,
        transfer: &transfer,
        machine: meta::device::find(app.meta().read(), account, &transfer.view.device).await?,
    };
    match transfer.view.task {
        Task::Upload => start.upload(Opens::Upload).await,
        Task::Watch => start.upload(Opens::Watch).await,
        Task::Follow | Task::Copy => start.copy().await,
        Task::Send if is_sender => start.send().await,
        Task::Send => start.receive().await,
    }
}

/// A transfer that somebody begins to work on.
struct Start<'a> {
    app: &'a App,
    transfer: &'a Transfer,
    machine: Device,
}

impl Start<'_> {
    /// The machine stores what it holds.
    async fn upload(self, opens: Opens) -> Result<Reply, Error> {
        let (access, root_name) = (self.access(self.machine.id, opens), self.root_name()?);
        let start = UploadStart {
            space: access.granted(),
            device: access.device,
            machine: self.machine.name.clone(),
            root: access.root,
            root_name,
        };
        let begun = self.app.store.begin_upload(start).await?;
        let ticket = self.ticket(&access).await?;
        self.run().await?;
        Ok(Reply::Grant(Box::new(UploadGrant {
            ticket,
            space: access.space,
            chunk_key: begun.chunk_key,
            head: begun.head,
            epoch: begun.epoch,
        })))
    }

    /// The machine writes what another device stored.
    async fn copy(self) -> Result<Reply, Error> {
        let origin = self.transfer.origin.ok_or_else(|| Error::bad_row("origin"))?;
        let device = meta::device::find(self.app.meta().read(), &self.transfer.account, &origin.device).await?;
        if device.revoked && self.transfer.trusts_origin() {
            return Err(Error::refused(
                ErrorCode::Revoked,
                "the device that this is copied from was revoked; restore what it stored from the drive instead",
            ));
        }
        self.read(Opens::Copy(origin), Some(device.certificate)).await
    }

    /// The machine writes what a controller sends.
    async fn receive(self) -> Result<Reply, Error> {
        self.read(Opens::Receive, None).await
    }

    async fn read(self, opens: Opens, origin: Option<Chain>) -> Result<Reply, Error> {
        let access = self.access(self.machine.id, opens);
        let chunk_key = self.app.store.chunk_key(&access.granted()).await?;
        let ticket = self.ticket(&access).await?;
        self.run().await?;
        Ok(Reply::CopyGrant(Box::new(CopyGrant {
            ticket,
            chunk_key,
            origin,
        })))
    }

    /// A controller stores what the machine is to write. Whether the machine has begun is not its business.
    async fn send(self) -> Result<Reply, Error> {
        let access = self.access(self.transfer.signer, Opens::Send);
        let chunk_key = self.app.store.chunk_key(&access.granted()).await?;
        Ok(Reply::Grant(Box::new(UploadGrant {
            ticket: self.ticket(&access).await?,
            space: access.space,
            chunk_key,
            head: ChainHead::EMPTY,
            epoch: 0,
        })))
    }

    fn access(&self, device: DeviceId, opens: Opens) -> TransferAccess {
        TransferAccess {
            account: self.transfer.account,
            device,
            transfer: self.transfer.id(),
            space: self.transfer.space,
            root: self.transfer.root,
            opens,
        }
    }

    fn root_name(&self) -> Result<Label, Error> {
        self.machine.root_name(&self.transfer.root)
    }

    async fn ticket(&self, access: &TransferAccess) -> Result<[u8; 32], Error> {
        let ticket = random(&*self.app.clock);
        let txn = self.app.meta().write().await?;
        meta::ticket::add_bulk(&txn, &ticket, access, self.app.clock.now()).await?;
        txn.commit().await?;
        Ok(ticket)
    }

    /// Records that its machine works on it.
    async fn run(&self) -> Result<(), Error> {
        fault::point("transfer-begun");
        let (app, account, id) = (self.app, &self.transfer.account, self.transfer.id());
        let root = self.root_name()?.to_string();
        let view = record(app, account, &id, |view| running(view, &root)).await?;
        // Cancelled in between?
        meta::transfer::must_be_open(&view)?;
        if view.hold == Hold::User {
            // It was shown the order by somebody else, or has not heard of the pause.
            push(app, account, &id).await?;
        }
        Ok(())
    }
}

/// How a transfer stands that its machine works on. A renewed ticket changes nothing that people see.
fn running(view: &TransferView, root: &str) -> Option<TransferView> {
    let hold = match view.hold {
        Hold::User => Hold::User,
        // What a device was to read was chosen in it again.
        Hold::Away | Hold::Question => Hold::None,
        _ if view.state == TransferState::Queued => Hold::None,
        other => other,
    };
    let next = TransferView {
        state: TransferState::Running,
        hold,
        root: root.to_owned(),
        ..view.clone()
    };
    (next != *view).then_some(next)
}

/// A machine lists entries that it could not store.
pub(crate) async fn report(
    app: &App,
    account: &AccountId,
    device: &DeviceId,
    id: &TransferId,
    offset: u64,
    problems: &[Problem],
) -> Result<(), Error> {
    let transfer = meta::transfer::find_of(app.meta().read(), account, device, id).await?;
    meta::transfer::must_be_open(&transfer.view)?;
    let txn = app.meta().write().await?;
    problem::add(&txn, id, offset, problems).await?;
    Ok(txn.commit().await?)
}

/// A machine has ended a transfer; recorded when this returns. Saying so twice is the same as once.
pub(crate) async fn end(
    app: &App,
    account: &AccountId,
    device: &DeviceId,
    id: &TransferId,
    outcome: Outcome,
) -> Result<(), Error> {
    if !outcome.state.is_over() {
        return Err(Error::refused(
            ErrorCode::BadRequest,
            "a transfer ends as done, partly, failed or cancelled",
        ));
    }
    let transfer = meta::transfer::find_of(app.meta().read(), account, device, id).await?;
    if transfer.view.state.is_over() {
        return heard(app, &transfer).await;
    }
    if is_of_an_earlier_run(&transfer.view, &outcome.progress) {
        return Ok(());
    }
    if transfer.view.state == TransferState::Queued && transfer.unheard {
        return ask_again(app, &transfer).await;
    }
    let error: Option<String> = outcome.error.map(|error| error.message.chars().take(300).collect());
    let ended = Some(app.clock.now());
    conclude(app, &transfer, |view| {
        Some(TransferView {
            state: outcome.state,
            hold: Hold::None,
            progress: outcome.progress,
            error: error.clone(),
            ended,
            ..view.clone()
        })
    })
    .await
}

/// A machine that speaks of the end knows that the transfer was cancelled, or is to run again.
async fn heard(app: &App, transfer: &Transfer) -> Result<(), Error> {
    if transfer.unheard {
        let txn = app.meta().write().await?;
        meta::transfer::set_unheard(&txn, &transfer.id(), false).await?;
        txn.commit().await?;
    }
    Ok(())
}

/// A run that failed at once looks like the one before the retry, told again. So it is shown the retry once more: whoever
/// runs by then goes on, and the next word of an end counts.
async fn ask_again(app: &App, transfer: &Transfer) -> Result<(), Error> {
    push(app, &transfer.account, &transfer.id()).await?;
    heard(app, transfer).await
}

/// Whether a machine tells again how the run before a retry ended, because it heard no answer: a run that has not begun has
/// found no files.
fn is_of_an_earlier_run(view: &TransferView, progress: &Progress) -> bool {
    view.state == TransferState::Queued && (progress.walked || progress.files_total > 0)
}
