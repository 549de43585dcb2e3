//! The control socket as a command uses it: the control list and the transfers as they are now, and what changes.

use std::{collections::BTreeMap, time::Duration};

use beckon_shared::{
    device::{DeviceKind, DeviceView},
    error::{ErrorCode, Refusal},
    id::{DeviceId, RootId, SpaceId, TransferId},
    path::Label,
    signature::Signed,
    statement::{Acceptance, Standing, Statement},
    time::Timestamp,
    transfer::TransferView,
    wire::{FromServer, Part, Place, Reply, Request},
};
use tokio::sync::mpsc;

use super::Here;
use crate::{
    connection::{ConnectError, Connection, Link, LinkEnd, RequestError},
    hello,
    identity::Identity,
    output::Failure,
    server::Server,
    session::{self, Session},
    state::Controller,
};

/// How long the server may take to tell the control list.
const SNAPSHOT_TIMEOUT: Duration = Duration::from_secs(30);
/// Pauses between two attempts to connect.
const SHORTEST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// An open control socket of a controller, which follows what it is told.
pub(crate) struct Control<'a> {
    here: &'a Here,
    server: Server,
    identity: Identity,
    name: Label,
    standing: Standing,
    connection: Connection,
    link: (LinkEnd, Link),
    events: mpsc::Receiver<FromServer>,
    devices: List<DeviceId, DeviceView>,
    transfers: List<TransferId, TransferView>,
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
        let server = here.server(controller.server.clone())?;
        let identity = controller.identity().ok_or_else(Failure::not_signed_in)?;
        let name = Label::new(controller.device_name.clone()).unwrap_or_else(|_| hello::default_name());
        let (connection, statement, events) = dial(&server, &identity, &name, &controller.standing)
            .await
            .map_err(connect_failure)?;
        let mut control = Self {
            here,
            server,
            identity,
            name,
            standing: controller.standing.clone(),
            link: LinkEnd::new(),
            connection,
            events,
            devices: List::default(),
            transfers: List::default(),
        };
        control.learn(statement.as_ref())?;
        control.read_snapshots().await?;
        Ok(control)
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

    /// Whether a device carries out its orders by itself, as far as it is known; a browser or a command needs somebody there.
    pub(crate) fn is_agent(&self, device: DeviceId) -> bool {
        let known = self.devices.rows.get(&device);
        known.is_none_or(|device| device.kind == DeviceKind::Agent)
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

    /// A private channel to a machine, which must be online.
    pub(crate) async fn session(&self, machine: &DeviceView) -> Result<Session, Failure> {
        if !machine.online {
            let advice = format!(
                "{} is away; start it and see that beckon run runs there, then try again",
                machine.name
            );
            return Err(Refusal::new(ErrorCode::Away, advice).into());
        }
        let ticket = match self
            .connection
            .request(Request::OpenSession { device: machine.id })
            .await
        {
            Ok(Reply::Ticket(ticket)) => ticket,
            Ok(_) => return Err(Failure::internal("the server answered something else than a ticket")),
            Err(error) => return Err(Refusal::from(error).into()),
        };
        let socket = session::dial_relay(&self.server, &ticket)
            .await
            .map_err(connect_failure)?;
        let session = Session::initiate(socket, &self.identity, machine, &self.standing).await?;
        if let Some(news) = &session.statement {
            keep_statement(self.here, &self.identity, news)?;
        }
        Ok(session)
    }

    /// Places an order, on as many connections as it takes: the same order twice is one transfer.
    pub(crate) async fn place(&mut self, request: Request) -> Result<TransferView, Failure> {
        loop {
            match self.connection.request(request.clone()).await {
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
        end.set(Some(self.connection.clone()));
        link.clone()
    }

    /// Asks for something on the connection that stands, once.
    pub(crate) async fn ask(&self, request: Request) -> Result<Reply, RequestError> {
        self.connection.request(request).await
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

    /// Says good-bye.
    pub(crate) async fn close(&self) {
        self.connection.close().await;
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
        keep_statement(self.here, &self.identity, statement)?;
        let _ = self.standing.accept(statement, &self.identity.account_key);
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
            .unwrap_or_else(|_| Err(silent()))
    }

    fn lost(&self) -> Failure {
        Failure::unreachable(self.server.origin.as_str(), "the connection broke")
    }

    async fn reconnect(&mut self) -> Result<(), Failure> {
        let mut pause = SHORTEST_PAUSE;
        loop {
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
            match dial(&self.server, &self.identity, &self.name, &self.standing).await {
                Ok((connection, statement, events)) => {
                    (self.connection, self.events) = (connection, events);
                    self.link.0.set(Some(self.connection.clone()));
                    self.devices.whole = false;
                    self.transfers.whole = false;
                    self.learn(statement.as_ref())?;
                    match self.read_snapshots().await {
                        Err(failure) if failure.retry => {}
                        result => return result,
                    }
                }
                Err(error) if error.may_retry() => tracing::debug!(%error, "connecting again"),
                Err(error) => return Err(connect_failure(error)),
            }
        }
    }
}

type Dialled = (Connection, Option<Signed<Statement>>, mpsc::Receiver<FromServer>);

async fn dial(
    server: &Server,
    identity: &Identity,
    name: &Label,
    standing: &Standing,
) -> Result<Dialled, ConnectError> {
    let hello = hello::hello(name.clone(), DeviceKind::Cli, Vec::new(), standing.number());
    let (connection, welcome, events) = Connection::open(server, identity, hello).await?;
    Ok((connection, welcome.statement, events))
}

/// Checks a statement and keeps it for the commands to come.
fn keep_statement(here: &Here, identity: &Identity, statement: &Signed<Statement>) -> Result<(), Failure> {
    let not_genuine = |cause: &dyn std::fmt::Display| Refusal::new(ErrorCode::NotAllowed, cause.to_string());
    let known = here.state.controller()?.map(|known| known.standing).unwrap_or_default();
    let mut standing = known;
    match standing
        .accept(statement, &identity.account_key)
        .map_err(|cause| not_genuine(&cause))?
    {
        Acceptance::Stale => Ok(()),
        Acceptance::Accepted => {
            here.state
                .update_controller(|controller| controller.standing = standing)?;
            Ok(())
        }
    }
}

/// A list that came as a snapshot and is kept by changes.
struct List<K, V> {
    rows: BTreeMap<K, V>,
    whole: bool,
}

impl<K, V> Default for List<K, V> {
    fn default() -> Self {
        Self {
            rows: BTreeMap::new(),
            whole: false,
        }
    }
}

impl<K: Ord, V: Clone> List<K, V> {
    /// Takes a part in; gives the changed rows back, unless it belongs to a snapshot.
    fn take(&mut self, part: Part<V>, key: impl Fn(&V) -> K, is_news: impl Fn(&V, &V) -> bool) -> Option<Vec<V>> {
        if matches!(part.place, Place::First | Place::Whole) {
            self.rows.clear();
        }
        let news: Vec<V> = part
            .rows
            .into_iter()
            .filter(|row| self.rows.get(&key(row)).is_none_or(|old| is_news(old, row)))
            .collect();
        self.rows.extend(news.iter().map(|row| (key(row), row.clone())));
        match part.place {
            Place::Last | Place::Whole => self.whole = true,
            Place::First | Place::Middle => {}
            Place::Change => return Some(news).filter(|news| !news.is_empty()),
        }
        None
    }
}

/// Among devices of which those that still count come first.
fn named<'a>(devices: &[&'a DeviceView], name: &str) -> Option<&'a DeviceView> {
    let (id, folded) = (name.parse::<DeviceId>().ok(), name.to_lowercase());
    let find = |is: &dyn Fn(&DeviceView) -> bool| devices.iter().copied().find(|device| is(device));
    find(&|device| id == Some(device.id))
        .or_else(|| find(&|device| !device.revoked && device.name.as_str() == name))
        .or_else(|| find(&|device| device.name.as_str().to_lowercase() == folded))
}

fn usable(device: &DeviceView) -> Result<&DeviceView, Failure> {
    if device.kind != DeviceKind::Agent {
        return Err(not_found(format!(
            "{} is no machine, it only commands others; see: beckon machines",
            device.name
        )));
    }
    if device.revoked {
        return Err(Refusal::new(
            ErrorCode::Revoked,
            format!("{} was revoked; join it again to use it", device.name),
        )
        .into());
    }
    Ok(device)
}

/// The root of this name on a machine, as the server tells it.
pub(crate) fn root_of(machine: &DeviceView, name: &Label) -> Result<RootId, Failure> {
    let root = machine.roots.iter().find(|root| root.name == *name);
    let machine_name = &machine.name;
    root.map(|root| root.id).ok_or_else(|| match machine.roots.as_slice() {
        // Its agent tells them, each time that it comes online.
        [] if !machine.online => not_found(format!(
            "{machine_name} has told no roots yet; start beckon run there, then try again"
        )),
        _ => not_found(format!(
            "{machine_name} has no root called {name}; see: beckon ls {machine_name}"
        )),
    })
}

/// The name of this root on a machine, as the server tells it.
pub(crate) fn root_name(machine: &DeviceView, id: RootId) -> Result<Label, Failure> {
    let root = machine.roots.iter().find(|root| root.id == id);
    root.map(|root| root.name.clone()).ok_or_else(|| {
        not_found(format!(
            "this root of {} is closed; see: beckon ls {}",
            machine.name, machine.name
        ))
    })
}

pub(crate) fn not_found(message: impl Into<String>) -> Failure {
    Refusal::new(ErrorCode::NotFound, message).into()
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

#[cfg(test)]
mod tests {
    use beckon_shared::device::Platform;

    use super::*;
    use crate::orders::tests::Family;

    /// A row of the control list in which nothing matters but name, id and whether it still counts.
    fn row(name: &str, seed: u8, revoked: bool) -> DeviceView {
        let family = Family::new(seed);
        DeviceView {
            id: family.machine.device(),
            name: Label::new(name).unwrap(),
            kind: DeviceKind::Agent,
            os: String::new(),
            version: String::new(),
            platform: Platform::here(),
            online: false,
            address: String::new(),
            port: 0,
            addresses: Vec::new(),
            lan_port: None,
            roots: Vec::new(),
            first_seen: Timestamp(0),
            last_seen: Timestamp(0),
            revoked,
            joined_by_code: false,
            certificate: family.machine.chain,
            limits: beckon_shared::limits::Limits::default(),
        }
    }

    #[test]
    fn a_name_means_the_machine_that_has_it_now_and_an_id_means_the_one_with_that_id() {
        let (now, other, before) = (row("desk", 10, false), row("Desk2", 20, false), row("desk", 30, true));
        let devices = [&now, &other, &before];
        let id = |name: &str| named(&devices, name).map(|device| device.id);
        assert_eq!(
            (id("desk"), id("DESK"), id("desk2"), id("absent")),
            (Some(now.id), Some(now.id), Some(other.id), None)
        );
        assert_eq!(id(&before.id.to_string()), Some(before.id));
        assert_eq!(
            named(&[&other, &before], "desk").map(|device| device.id),
            Some(before.id)
        );
    }

    #[test]
    fn a_machine_that_was_never_online_is_to_be_started_first() {
        let name = Label::new("Documents").unwrap();
        let machine = row("desk", 10, false);
        assert!(
            root_of(&machine, &name)
                .unwrap_err()
                .message
                .contains("start beckon run there")
        );
        let online = DeviceView {
            online: true,
            ..machine
        };
        assert!(
            root_of(&online, &name)
                .unwrap_err()
                .message
                .contains("no root called Documents")
        );
    }

    fn part(place: Place, rows: &[(u8, u64)]) -> Part<(u8, u64)> {
        Part {
            place,
            rows: rows.to_vec(),
        }
    }

    fn take(list: &mut List<u8, (u8, u64)>, part: Part<(u8, u64)>) -> Option<Vec<(u8, u64)>> {
        list.take(part, |row| row.0, |old, new| new.1 >= old.1)
    }

    #[test]
    fn a_list_is_whole_after_the_last_part_and_then_takes_changes() {
        let mut list = List::default();
        assert_eq!(take(&mut list, part(Place::First, &[(1, 1)])), None);
        assert!(!list.whole);
        assert_eq!(take(&mut list, part(Place::Last, &[(2, 1)])), None);
        assert!(list.whole);
        assert_eq!(take(&mut list, part(Place::Change, &[(2, 2)])), Some(vec![(2, 2)]));
        assert_eq!(take(&mut list, part(Place::Change, &[(2, 1)])), None, "old news");
        assert_eq!(list.rows.into_values().collect::<Vec<_>>(), [(1, 1), (2, 2)]);
    }

    #[test]
    fn a_new_snapshot_forgets_what_it_does_not_name() {
        let mut list = List::default();
        take(&mut list, part(Place::Whole, &[(1, 5), (2, 5)]));
        take(&mut list, part(Place::Whole, &[(2, 1)]));
        assert_eq!(list.rows.into_values().collect::<Vec<_>>(), [(2, 1)]);
    }
}
