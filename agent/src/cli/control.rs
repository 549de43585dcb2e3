//! The control socket as a command uses it: the control list and the transfers as they are now, and what changes.

mod alone;
mod known;
mod list;
mod name;
mod news;

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use beckon_shared::{
    device::{DeviceKind, DeviceView},
    error::{ErrorCode, Refusal},
    id::{DeviceId, SpaceId, TransferId},
    neighbour::Hint,
    path::Label,
    signature::Signed,
    statement::{Acceptance, Standing, Statement},
    time::Timestamp,
    transfer::TransferView,
    wire::{FromServer, Reply, Request},
};
use tokio::sync::{mpsc, watch};

use super::Here;
use crate::{
    connection::{ConnectError, Connection, Link, LinkEnd, RequestError},
    hello,
    identity::Identity,
    output::{Failure, remark, visible},
    server::Server,
    session::{Dialer, Reach, Use},
    state::Controller,
};
use list::List;
use name::{named, usable};
pub(crate) use name::{not_found, root_name, root_of};
pub(super) use news::keep_statement;

/// How long the server may take to tell the control list.
const SNAPSHOT_TIMEOUT: Duration = Duration::from_secs(30);
/// Pauses between two attempts to connect.
const SHORTEST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// An open control socket of a controller, which follows what it is told.
pub(crate) struct Control<'a> {
    here: &'a Here,
    server: Server,
    identity: Arc<Identity>,
    name: Label,
    /// What is known of the account's statements; the sessions with machines follow it.
    standing: Arc<watch::Sender<Standing>>,
    connection: Result<Connection, Failure>,
    link: (LinkEnd, Link),
    events: mpsc::Receiver<FromServer>,
    devices: List<DeviceId, DeviceView>,
    transfers: List<TransferId, TransferView>,
    /// A machine that answered before it was asked for.
    reached: Mutex<Option<(DeviceId, Reach)>>,
}

/// What changed.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum News {
    /// The connection was opened anew: read everything again.
    Again,
    /// These rows of the control list.
    Devices(Vec<DeviceView>),
    /// These transfers.
    Transfers(Vec<TransferView>),
    /// Something in the drive.
    Drive {
        /// The space.
        space: SpaceId,
        /// Grows with every change.
        revision: u64,
    },
}

impl<'a> Control<'a> {
    /// Connects, and waits until control list and transfers are known.
    pub(crate) async fn open(here: &'a Here, controller: &Controller) -> Result<Self, Failure> {
        let mut control = Self::closed(here, controller)?;
        control.connect().await.map_err(connect_failure)??;
        Ok(control)
    }

    fn closed(here: &'a Here, controller: &Controller) -> Result<Self, Failure> {
        let server = here.server(controller.server.clone())?;
        let identity = controller.identity().ok_or_else(Failure::not_signed_in)?;
        let name = Label::new(controller.device_name.clone()).unwrap_or_else(|_| hello::default_name());
        let (_, no_events) = mpsc::channel(1);
        Ok(Self {
            here,
            connection: Err(Failure::unreachable(server.origin.as_str(), "no connection")),
            server,
            identity: Arc::new(identity),
            name,
            standing: Arc::new(watch::Sender::new(controller.standing.clone())),
            link: LinkEnd::new(),
            events: no_events,
            devices: List::default(),
            transfers: List::default(),
            reached: Mutex::default(),
        })
    }

    /// The control list: first those that still count, each part by name.
    pub(crate) fn devices(&self) -> Vec<&DeviceView> {
        let mut devices: Vec<_> = self.devices.rows.values().collect();
        devices.sort_by_cached_key(|device| (device.revoked, device.name.as_str().to_lowercase(), device.id));
        devices
    }

    /// The transfers, newest first.
    pub(crate) fn transfers(&self) -> Vec<&TransferView> {
        self.transfers.rows.values().rev().collect()
    }

    /// One transfer.
    pub(crate) fn transfer(&self, id: TransferId) -> Option<&TransferView> {
        self.transfers.rows.get(&id)
    }

    /// When a device was here last, if it is known.
    pub(crate) fn last_seen(&self, device: DeviceId) -> Option<Timestamp> {
        self.devices.rows.get(&device).map(|device| device.last_seen)
    }

    /// The device of this name or id. A name that a revoked device had may be another's by now, who then is meant.
    pub(crate) fn device(&self, name: &str) -> Result<&DeviceView, Failure> {
        named(&self.devices(), name)
            .ok_or_else(|| not_found("no device of this name or id is in the control list; see: beckon devices"))
    }

    /// The machine of this name, which may be away.
    pub(crate) fn machine(&self, name: &Label) -> Result<&DeviceView, Failure> {
        let device = self
            .device(name.as_str())
            .map_err(|_| not_found(format!("no machine is called {name}; see: beckon machines")))?;
        usable(device)
    }

    /// The machine of this id, which may be away.
    pub(crate) fn machine_of(&self, id: DeviceId) -> Result<&DeviceView, Failure> {
        let device = self.devices.rows.get(&id);
        usable(device.ok_or_else(|| not_found("the machine of this ref is gone; list again"))?)
    }

    /// A machine over whichever way there is to it: the relay if it is online, straight if it may be near.
    pub(crate) async fn reach(&self, machine: &DeviceView) -> Result<Reach, Failure> {
        let found = self.take_reached(machine.id);
        let reach = found.unwrap_or_else(|| self.begin(machine));
        let Err(refusal) = reach.ready().await else {
            if self.is_alone() {
                let name = visible(machine.name.as_str().as_bytes());
                remark(
                    self.here.out,
                    &format!("server not reachable; {name} answers on the LAN"),
                );
            }
            return Ok(reach);
        };
        Err(match &self.connection {
            Err(failure) if self.here.is_relay_only => failure.clone(),
            Err(failure) if refusal.code == ErrorCode::Away => alone(failure, machine),
            Ok(_) if refusal.code == ErrorCode::Away && !machine.online => away(machine),
            _ => refusal.into(),
        })
    }

    fn begin(&self, machine: &DeviceView) -> Reach {
        let dialer = self.dialer(machine);
        let is_near = dialer.is_last_resort || dialer.judge().hint == Hint::Near;
        let direct = match is_near && !self.here.is_relay_only {
            true => Use::AtOnce,
            false => Use::Never,
        };
        let relay = match machine.online {
            _ if self.is_alone() => Use::Never,
            true => Use::AtOnce,
            // It may be back at any time; the server says whether it is.
            false => Use::OnDemand,
        };
        Reach::begin(Arc::new(dialer), relay, direct)
    }

    fn dialer(&self, machine: &DeviceView) -> Dialer {
        let (state, account_key) = (self.here.state.clone(), self.identity.account_key);
        let me = self.devices.rows.get(&self.identity.device());
        Dialer {
            server: self.server.clone(),
            identity: Arc::clone(&self.identity),
            name: self.name.clone(),
            standing: Arc::clone(&self.standing),
            learn: Box::new(move |news| keep_statement(&state, &account_key, news)),
            machine: machine.clone(),
            seen_at: me.map(|me| me.address.clone()).unwrap_or_default(),
            is_last_resort: self.is_alone(),
            control: tokio::sync::Mutex::new(self.connection.as_ref().ok().cloned()),
        }
    }

    /// Places an order, on as many connections as it takes: the same order twice is one transfer.
    pub(crate) async fn place(&mut self, request: Request) -> Result<TransferView, Failure> {
        loop {
            match self.connected()?.request(request.clone()).await {
                Ok(Reply::Transfer(transfer)) => return Ok(*transfer),
                Ok(_) => {
                    return Err(Failure::internal(
                        "the server answered something else than the transfer",
                    ));
                }
                Err(RequestError::Lost) => self.reconnect().await?,
                Err(RequestError::Refused(refusal)) => return Err(refusal.into()),
            }
        }
    }

    /// Reaches the server over whichever connection stands, as long as [`Control::next`] is asked for.
    pub(crate) fn link(&self) -> Link {
        let (end, link) = &self.link;
        end.set(self.connection.as_ref().ok().cloned());
        link.clone()
    }

    /// Asks for something on the connection that stands, once.
    pub(crate) async fn ask(&self, request: Request) -> Result<Reply, RequestError> {
        match &self.connection {
            Ok(connection) => connection.request(request).await,
            Err(_) => Err(RequestError::Lost),
        }
    }

    /// Waits for the next change, and connects anew as often as it takes.
    pub(crate) async fn next(&mut self) -> Result<News, Failure> {
        loop {
            let Some(frame) = self.events.recv().await else {
                self.reconnect().await?;
                return Ok(News::Again);
            };
            if let Some(news) = self.take(frame)? {
                return Ok(news);
            }
        }
    }

    /// Takes what the server tells while something else is done, so that it does not wait in the way of what is asked; ends only
    /// if this device may not ask any more.
    pub(crate) async fn listen(&mut self) -> Failure {
        loop {
            match self.next().await {
                Ok(_) => {}
                Err(failure) if failure.is(ErrorCode::Revoked) || failure.is(ErrorCode::NotSignedIn) => return failure,
                // What is done may do without the server.
                Err(_) => std::future::pending().await,
            }
        }
    }

    /// Says good-bye.
    pub(crate) async fn close(&self) {
        if let Ok(connection) = &self.connection {
            connection.close().await;
        }
    }

    fn connected(&self) -> Result<&Connection, Failure> {
        self.connection.as_ref().map_err(Failure::clone)
    }

    /// Connects anew, and waits until control list and transfers are known. What is wrong with the connection itself and
    /// what the server told over it are two things.
    async fn connect(&mut self) -> Result<Result<(), Failure>, ConnectError> {
        let known = self.standing.borrow().number();
        let (connection, statement, events) = dial(&self.server, &self.identity, &self.name, known).await?;
        self.link.0.set(Some(connection.clone()));
        (self.connection, self.events) = (Ok(connection), events);
        self.devices.whole = false;
        self.transfers.whole = false;
        if let Err(failure) = self.learn(statement.as_ref()) {
            return Ok(Err(failure));
        }
        Ok(self.read_snapshots().await)
    }

    fn take(&mut self, frame: FromServer) -> Result<Option<News>, Failure> {
        match frame {
            FromServer::Devices(part) => Ok(self.devices.take(part, |row| row.id, |_, _| true).map(News::Devices)),
            FromServer::Transfers(part) => {
                let is_news = |old: &TransferView, new: &TransferView| new.revision >= old.revision;
                Ok(self.transfers.take(part, |row| row.id, is_news).map(News::Transfers))
            }
            FromServer::DriveChanged { space, revision } => Ok(Some(News::Drive { space, revision })),
            FromServer::Statement(statement) => self.learn(Some(&*statement)).map(|()| None),
            FromServer::GoAway {
                reason,
                back_in_ms: None,
            } => Err(reason.into()),
            _ => Ok(None),
        }
    }

    fn learn(&mut self, statement: Option<&Signed<Statement>>) -> Result<(), Failure> {
        let Some(statement) = statement else { return Ok(()) };
        let account_key = &self.identity.account_key;
        keep_statement(&self.here.state, account_key, statement)?;
        // What is not news is not taken.
        self.standing
            .send_if_modified(|standing| standing.accept(statement, account_key) == Ok(Acceptance::Accepted));
        Ok(())
    }

    async fn read_snapshots(&mut self) -> Result<(), Failure> {
        let read = async {
            while !(self.devices.whole && self.transfers.whole) {
                let frame = self.events.recv().await.ok_or_else(|| self.lost())?;
                self.take(frame)?;
            }
            Ok(())
        };
        tokio::time::timeout(SNAPSHOT_TIMEOUT, read)
            .await
            .unwrap_or_else(|_| Err(silent()))?;
        let devices = self.devices.rows.values().cloned().collect();
        known::keep(
            &self.here.state,
            self.server.origin.clone(),
            self.identity.account(),
            devices,
        );
        Ok(())
    }

    fn lost(&self) -> Failure {
        Failure::unreachable(self.server.origin.as_str(), "the connection broke")
    }

    async fn reconnect(&mut self) -> Result<(), Failure> {
        let mut pause = SHORTEST_PAUSE;
        loop {
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
            match self.connect().await {
                Ok(Err(failure)) if failure.retry => {}
                Ok(result) => return result,
                Err(error) if error.may_retry() => tracing::debug!(%error, "connecting again"),
                Err(error) => return Err(connect_failure(error)),
            }
        }
    }
}

type Dialled = (Connection, Option<Signed<Statement>>, mpsc::Receiver<FromServer>);

async fn dial(server: &Server, identity: &Identity, name: &Label, known: u64) -> Result<Dialled, ConnectError> {
    let hello = hello::hello(name.clone(), DeviceKind::Cli, Vec::new(), known);
    let (connection, welcome, events) = Connection::open(server, identity, hello).await?;
    Ok((connection, welcome.statement, events))
}

fn away(machine: &DeviceView) -> Failure {
    let advice = format!(
        "{} is away; start it and see that beckon run runs there, then try again",
        machine.name
    );
    Refusal::new(ErrorCode::Away, advice).into()
}

/// Neither the server nor the machine can be reached.
fn alone(failure: &Failure, machine: &DeviceView) -> Failure {
    Failure {
        message: format!(
            "{}; nor does {} answer in this network, where the server would not be needed",
            failure.message, machine.name
        ),
        ..failure.clone()
    }
}

fn silent() -> Failure {
    Refusal::new(
        ErrorCode::GoingAway,
        "the server did not tell its list of devices in time; try again",
    )
    .into()
}

/// In the words of the command line.
pub(crate) fn connect_failure(error: ConnectError) -> Failure {
    match &error {
        ConnectError::Unreachable(origin) => Failure::unreachable(origin.as_str(), "no connection"),
        _ => error.refusal().into(),
    }
}
