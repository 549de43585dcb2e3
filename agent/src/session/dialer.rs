//! Opens lines from a controller to one machine: tickets for the relay over its control socket, and its addresses for the
//! direct way.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use beckon_shared::{
    browse::Route,
    device::{DeviceKind, DeviceView},
    error::{ErrorCode, Refusal},
    neighbour::{self, Hint, Reachable, Site},
    path::Label,
    signature::Signed,
    statement::{Acceptance, Standing, Statement},
    wire::{Reply, Request},
};
use futures_util::{
    FutureExt,
    future::{BoxFuture, select_ok},
};
use tokio::sync::watch;

use super::{Dial, Session, Way, dial_relay, direct};
use crate::{
    clock,
    connection::{Connection, RequestError},
    hello,
    identity::Identity,
    lan::mdns,
    server::Server,
};

/// An attempt over the relay takes no longer; the machine has to dial it too.
const RELAY_DEADLINE: Duration = Duration::from_secs(45);

/// What is done with news of revocations that a machine has.
pub(crate) type Learn = dyn Fn(&Signed<Statement>) -> Result<(), Refusal> + Send + Sync;

/// Opens lines to one machine.
pub(crate) struct Dialer {
    pub(crate) server: Server,
    pub(crate) identity: Arc<Identity>,
    /// This device's name in the account.
    pub(crate) name: Label,
    /// What is known of the account's statements, by whomever it is learnt.
    pub(crate) standing: Arc<watch::Sender<Standing>>,
    pub(crate) learn: Box<Learn>,
    /// Whom to reach.
    pub(crate) machine: DeviceView,
    /// Where the server last saw this device.
    pub(crate) seen_at: String,
    /// Whether addresses are tried of which nothing says that they are near: there is no other way.
    pub(crate) is_last_resort: bool,
    /// The connection that is asked for tickets; another one is made when it ends.
    pub(crate) control: tokio::sync::Mutex<Option<Connection>>,
}

impl Dial for Dialer {
    fn dial(&self, way: Way) -> BoxFuture<'_, Result<(Session, Route), Refusal>> {
        async move {
            self.check_standing()?;
            match way {
                Way::Relay => self.over_the_relay().await,
                Way::Direct => self.straight().await,
            }
        }
        .boxed()
    }
}

impl Dialer {
    /// Whether the machine may be reached straight, and where.
    pub(crate) fn judge(&self) -> Reachable {
        let addresses = hello::addresses();
        let me = Site {
            seen_at: &self.seen_at,
            addresses: &addresses,
        };
        neighbour::reachable(me, &self.machine)
    }

    async fn over_the_relay(&self) -> Result<(Session, Route), Refusal> {
        let opened = tokio::time::timeout(RELAY_DEADLINE, self.relayed()).await;
        let session = opened.unwrap_or_else(|_| {
            Err(Refusal::new(
                ErrorCode::Away,
                "the machine did not come to the relay in time; check that it is online, then try again",
            ))
        })?;
        self.take(session, Route::Relay)
    }

    async fn relayed(&self) -> Result<Session, Refusal> {
        let ticket = self.ticket().await?;
        let socket = dial_relay(&self.server, &ticket).await?;
        let standing = self.standing.borrow().clone();
        Session::initiate(socket, &self.identity, &self.machine, &standing).await
    }

    async fn ticket(&self) -> Result<[u8; 32], Refusal> {
        let ask = Request::OpenSession {
            device: self.machine.id,
        };
        let connection = self.connection().await?;
        match connection.request(ask.clone()).await {
            Ok(reply) => ticket_of(reply),
            Err(RequestError::Refused(refusal)) => Err(refusal),
            // It broke at this very moment.
            Err(RequestError::Lost) => ticket_of(self.connection().await?.request(ask).await?),
        }
    }

    /// The connection that stands, or a new one. What the server tells of itself there nobody needs.
    async fn connection(&self) -> Result<Connection, Refusal> {
        let mut control = self.control.lock().await;
        if let Some(connection) = control.as_ref().filter(|one| !one.is_over()) {
            return Ok(connection.clone());
        }
        let statement = self.standing.borrow().number();
        let hello = hello::hello(self.name.clone(), DeviceKind::Cli, Vec::new(), statement);
        let (connection, welcome, _) = Connection::open(&self.server, &self.identity, hello).await?;
        if let Some(news) = &welcome.statement {
            self.hear(news)?;
        }
        Ok(control.insert(connection).clone())
    }

    async fn straight(&self) -> Result<(Session, Route), Refusal> {
        let reachable = self.judge();
        let is_worth_it = reachable.hint == Hint::Near || self.is_last_resort;
        let candidates = reachable.candidates.iter().filter(|_| is_worth_it);
        let listed: Vec<SocketAddr> = candidates.map(|at| SocketAddr::new(at.address, at.port)).collect();
        let opened = match self.is_last_resort {
            // The list may be old, and there is nothing else to begin with.
            true => {
                let either = select_ok([self.at(listed).boxed(), self.by_name().boxed()]);
                either.await.map(|(opened, _)| opened)
            }
            false => match self.at(listed).await {
                Err(_) if is_worth_it && self.machine.online => self.by_name().await,
                opened => opened,
            },
        };
        let (session, route) = opened?;
        self.take(session, route)
    }

    /// Where it says itself in this network that it is, if it may have been there.
    async fn by_name(&self) -> Result<(Session, Route), Refusal> {
        let told = self.machine.addresses.iter();
        let known: Vec<_> = told.filter_map(|told| told.address.parse().ok()).collect();
        self.at(mdns::find(&self.machine.id, &known).await).await
    }

    async fn at(&self, addresses: Vec<SocketAddr>) -> Result<(Session, Route), Refusal> {
        let standing = self.standing.borrow().clone();
        direct::dial(&addresses, &self.identity, &self.machine, &standing).await
    }

    /// Learns what the machine knew; it may be news of this very machine.
    fn take(&self, session: Session, route: Route) -> Result<(Session, Route), Refusal> {
        if let Some(news) = &session.statement {
            self.hear(news)?;
        }
        self.check_standing()?;
        self.close_when_revoked(&session);
        Ok((session, route))
    }

    fn check_standing(&self) -> Result<(), Refusal> {
        if !self.standing.borrow().is_revoked(&self.machine.id) {
            return Ok(());
        }
        let advice = format!("{} was revoked; join it again to use it", self.machine.name);
        Err(Refusal::new(ErrorCode::Revoked, advice))
    }

    /// A session does not outlast the machine's place in the account.
    fn close_when_revoked(&self, session: &Session) {
        let (machine, account_key) = (self.machine.clone(), self.identity.account_key);
        let (mut standing, end) = (self.standing.subscribe(), session.end());
        let is_over = move |now: &Standing| {
            let verified = machine
                .certificate
                .verify(&account_key, Some(&machine.id), clock::now(), now);
            verified.is_err()
        };
        tokio::spawn(async move {
            let revoked = end.run_until_cancelled(standing.wait_for(is_over)).await;
            // Nobody learns anything any more when the sender is gone.
            if matches!(revoked, Some(Ok(_))) {
                end.cancel();
            }
        });
    }

    fn hear(&self, news: &Signed<Statement>) -> Result<(), Refusal> {
        (self.learn)(news)?;
        let account_key = &self.identity.account_key;
        // What is not news is not taken.
        self.standing
            .send_if_modified(|standing| standing.accept(news, account_key) == Ok(Acceptance::Accepted));
        Ok(())
    }
}

fn ticket_of(reply: Reply) -> Result<[u8; 32], Refusal> {
    match reply {
        Reply::Ticket(ticket) => Ok(ticket),
        _ => Err(Refusal::new(
            ErrorCode::BadVersion,
            "the server answered something else than a ticket; update the older of both programs",
        )),
    }
}

#[cfg(test)]
mod tests;
