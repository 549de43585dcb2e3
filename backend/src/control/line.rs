//! The life of a control socket from when its device is let in.

use std::time::{Duration, Instant};

use beckon_shared::{
    device::DeviceKind,
    error::ErrorCode,
    id::{AccountId, DeviceId, TransferId, VisitId},
    time::Timestamp,
    transfer::{Hold, Progress},
    wire::{self, FromServer, ToServer, Welcome},
};
use bytes::Bytes;
use tokio_util::sync::CancellationToken;

use super::{
    End, Visitor,
    auth::{self, Guest},
    publish_device, request, snapshot,
};
use crate::{
    app::App,
    clock::random,
    hub::{Connection, Ends},
    order,
    socket::{Close, Incoming, Outgoing, Socket},
    store::{Error, meta},
};

/// How often a sign of life is recorded.
const SEEN_EVERY: Duration = Duration::from_secs(300);

/// An open control socket.
pub(super) struct Line<'a> {
    pub(super) app: &'a App,
    pub(super) guest: Guest,
    socket: &'a mut Socket,
    connection: Connection,
}

/// Registers the device, lets its account see it, and serves it until it goes.
pub(super) async fn stay(app: &App, socket: &mut Socket, visitor: &Visitor, guest: Guest) -> End {
    let (account, device, kind) = (guest.account.id, guest.device, guest.kind);
    if app.limits.visit.count(&device).is_err() {
        return End::soon(
            ErrorCode::TooMany,
            "this device comes and goes too often; it comes back by itself",
            5000,
        );
    }
    let connection = app.hub.connect(account, device, kind);
    let epoch = connection.epoch;
    let visit = VisitId::new(app.clock.now(), random(&*app.clock));
    let mut line = Line {
        app,
        guest,
        socket,
        connection,
    };
    let end = match Box::pin(line.arrive(visit, visitor)).await {
        Ok(()) => line.serve().await,
        Err(end) => Err(end),
    };
    Box::pin(depart(app, &account, &device, epoch, visit)).await;
    end.err().unwrap_or(End::Gone)
}

async fn depart(app: &App, account: &AccountId, device: &DeviceId, epoch: u64, visit: VisitId) {
    let begun = app.hub.disconnect(account, device, epoch);
    if let Err(error) = left(app, account, device, visit).await {
        tracing::error!(cause = %error, "the end of a visit was not recorded");
    }
    publish_device(app, *account, device).await;
    if !begun.is_empty() || !app.hub.is_online(account, device) {
        order::machine_went(app, account, device, &begun).await;
    }
}

async fn left(app: &App, account: &AccountId, device: &DeviceId, visit: VisitId) -> Result<(), Error> {
    let now = app.clock.now();
    let txn = app.meta().write().await?;
    meta::visit::end(&txn, visit, now).await?;
    meta::device::seen(&txn, account, device, now).await?;
    Ok(txn.commit().await?)
}

/// The server goes down; devices come back spread over some seconds.
pub(super) fn going_away(app: &App) -> End {
    let [spread] = random::<1>(&*app.clock);
    End::soon(
        ErrorCode::GoingAway,
        "the server is restarting; this device comes back by itself",
        1000 + u32::from(spread) * 8,
    )
}

impl Line<'_> {
    /// Fires when the device of this line is revoked or its session ends.
    pub(super) fn cut(&self) -> CancellationToken {
        self.connection.ends.cut.clone()
    }

    /// Names this connection among all of this run.
    pub(super) fn epoch(&self) -> u64 {
        self.connection.epoch
    }

    /// Records the visit, tells the account, and sends what the device is to begin with.
    async fn arrive(&mut self, visit: VisitId, visitor: &Visitor) -> Result<(), End> {
        let (app, account, device) = (self.app, self.guest.account.id, self.guest.device);
        let now = app.clock.now();
        let txn = app.meta().write().await?;
        // Revoked or signed out since its proof was checked, before the connection could be cut?
        let row = meta::device::find(&txn, &account, &device).await?;
        meta::device::hello(&txn, &account, &device, &self.guest.hello).await?;
        meta::device::visited(&txn, &account, &device, visitor.from, now).await?;
        meta::visit::begin(
            &txn,
            &account,
            &device,
            visit,
            visitor.from,
            &self.guest.hello.version,
            now,
        )
        .await?;
        txn.commit().await.map_err(Error::from)?;
        self.check_still_in(&row).await?;
        let welcome = Welcome {
            account,
            account_key: self.guest.account.key,
            space: self.guest.account.space,
            name: row.name,
            now,
            statement: self.guest.account.standing.newest().cloned(),
        };
        self.send(&FromServer::Welcome(Box::new(welcome))).await?;
        if self.guest.kind == DeviceKind::Agent {
            self.send(&FromServer::Limits(row.limits)).await?;
        }
        publish_device(app, account, &device).await;
        self.send_beginning().await
    }

    async fn check_still_in(&self, row: &meta::device::Device) -> Result<(), End> {
        let certificate = row
            .certificate
            .device
            .peek()
            .map_err(|_| Error::bad_row("certificate"))?;
        auth::lasts(self.app, &self.guest.account.id, &self.guest.device, &certificate)
            .await
            .map(drop)
    }

    async fn send_beginning(&mut self) -> Result<(), End> {
        let frames = match self.guest.kind {
            DeviceKind::Agent => order::machine_came(self.app, &self.guest.account.id, &self.guest.device).await?,
            DeviceKind::Browser | DeviceKind::Cli => snapshot::frames(self.app, &self.guest.account.id).await?,
        };
        for frame in frames {
            self.send(&frame).await?;
        }
        Ok(())
    }

    /// Passes frames in both directions. Changes that came since the connection was registered wait in its queue, so
    /// they follow the snapshot.
    ///
    /// What is done now and then is boxed: thousands wait here, each with as much memory as the largest of what is not.
    async fn serve(&mut self) -> Result<(), End> {
        let mut seen = tokio::time::interval_at((Instant::now() + SEEN_EVERY).into(), SEEN_EVERY);
        let lasts = self.guest.until.map(|until| until.since(self.app.clock.now()));
        let deadline = Instant::now() + lasts.unwrap_or(Duration::from_secs(365 * 24 * 3600));
        loop {
            tokio::select! {
                incoming = self.socket.incoming.recv() => Box::pin(self.take(incoming)).await?,
                frame = self.connection.frames.recv() => {
                    let Some(frame) = frame else { return Ok(()) };
                    self.send_bytes(frame).await?;
                }
                end = interrupted(self.app, &self.connection.ends, &self.guest) => return Err(end),
                _ = seen.tick() => Box::pin(self.record_life()).await?,
                () = tokio::time::sleep_until(deadline.into()) => {
                    return Err(End::refused(ErrorCode::NotSignedIn, "the sign-in of this device has expired; sign in again"));
                }
            }
        }
    }

    async fn take(&mut self, incoming: Option<Incoming>) -> Result<(), End> {
        let bytes = match incoming {
            None => return Err(End::Gone),
            Some(Incoming::Broken(close)) => return Err(End::broken(close)),
            Some(Incoming::Frame(bytes)) => bytes,
        };
        match wire::decode(&bytes) {
            Ok(ToServer::Request { id, body }) => {
                let result = request::answer(self, *body).await.map(Box::new);
                self.send(&FromServer::Reply { id, result }).await
            }
            Ok(ToServer::Progress {
                transfer,
                hold,
                progress,
            }) => {
                self.take_progress(&transfer, hold, progress).await;
                Ok(())
            }
            Ok(ToServer::Hello(hello)) => self.take_hello(*hello).await,
            Ok(ToServer::Auth(_)) | Err(_) => Err(End::broken(Close::Malformed)),
        }
    }

    async fn take_progress(&self, transfer: &TransferId, hold: Hold, progress: Progress) {
        let (app, account, device) = (self.app, &self.guest.account.id, &self.guest.device);
        match hold {
            // A page lacks the files; a machine has a question of its own.
            Hold::Question if self.guest.kind != DeviceKind::Agent => {
                order::files_are_gone(app, account, device, transfer).await
            }
            hold => app
                .live
                .note(account, device, transfer, hold, progress, app.clock.now()),
        }
    }

    async fn take_hello(&mut self, hello: beckon_shared::device::Hello) -> Result<(), End> {
        auth::bounded(&hello)?;
        let (account, device) = (self.guest.account.id, self.guest.device);
        let txn = self.app.meta().write().await?;
        meta::device::hello(&txn, &account, &device, &hello).await?;
        txn.commit().await.map_err(Error::from)?;
        publish_device(self.app, account, &device).await;
        Ok(())
    }

    async fn record_life(&self) -> Result<(), End> {
        let now: Timestamp = self.app.clock.now();
        let txn = self.app.meta().write().await?;
        meta::device::seen(&txn, &self.guest.account.id, &self.guest.device, now).await?;
        Ok(txn.commit().await.map_err(Error::from)?)
    }

    async fn send(&mut self, frame: &FromServer) -> Result<(), End> {
        self.send_bytes(wire::encode(frame).into()).await
    }

    async fn send_bytes(&mut self, bytes: Bytes) -> Result<(), End> {
        tokio::select! {
            sent = self.socket.outgoing.send(Outgoing::Frame(bytes)) => sent.map_err(|_| End::Gone),
            end = interrupted(self.app, &self.connection.ends, &self.guest) => Err(end),
        }
    }
}

/// Waits for whatever ends a connection from our side.
async fn interrupted(app: &App, ends: &Ends, guest: &Guest) -> End {
    tokio::select! {
        () = ends.cut.cancelled() => {
            let why = auth::why_cut(app, &guest.account.id, &guest.device);
            Box::pin(why).await.unwrap_or_else(End::from)
        }
        () = ends.overflow.cancelled() => {
            End::soon(ErrorCode::TooMany, "this device read too slowly; it comes back by itself", 1000)
        }
        () = app.hub.stopping().cancelled() => going_away(app),
    }
}
