//! `beckon run`: keeps the machine reachable until it is told to stop.

mod backoff;

use std::{path::PathBuf, sync::Arc, time::Duration};

use beckon_shared::{
    api::transfer::Act,
    device::Hello,
    error::{ErrorCode, Refusal},
    id::{DeviceId, TransferId},
    order::SignedOrder,
    path::Label,
    signature::Signed,
    statement::Statement,
    transfer::Priority,
    wire::{FromServer, Welcome},
};
use tokio::sync::mpsc;

use crate::{
    agent::Agent,
    clock,
    connection::{ConnectError, Connection, LinkEnd},
    hello,
    lan::{Endpoint, mdns},
    live,
    local::{Listener, LocalAsk, Status},
    server::Server,
    session,
    state::StateDir,
};
use backoff::{Backoff, Cause};

/// How long what is under way may take to end, once the agent is to stop.
const WIND_DOWN: Duration = Duration::from_secs(5);
/// Pushed orders, and what is wanted of them, that wait to be looked at.
const PUSHED: usize = 64;

/// What `beckon run` was told.
#[derive(Debug)]
pub(crate) struct Options {
    /// Where its state is.
    pub(crate) state: StateDir,
    /// A certificate authority to trust besides the system's.
    pub(crate) ca: Option<PathBuf>,
    /// What its owner lets all uploads together send. Bytes a second.
    pub(crate) limit: Option<u64>,
}

/// Runs the agent until it is told to stop. `on_online` hears each time when the server let it in.
///
/// # Errors
///
/// [`ErrorCode::Revoked`] once the account ended this machine; otherwise what kept it from starting.
pub(crate) async fn run(options: Options, on_online: impl Fn(&Label, &DeviceId)) -> Result<(), Refusal> {
    let Options { state, ca, limit } = options;
    let _lock = state.lock_run()?;
    let machine = state.machine()?.ok_or_else(|| {
        Refusal::new(
            ErrorCode::NotSignedIn,
            "this device is no machine yet; use: beckon join URL CODE --root NAME=PATH",
        )
    })?;
    let server = Server::new(machine.server.clone(), ca.as_deref())?;
    let (link_end, link) = LinkEnd::new();
    let agent = Arc::new(Agent::open(state.clone(), &machine, server, link)?);
    let listener = Listener::open(&state).await?;
    let endpoint = Endpoint::open(&agent).await;
    agent.tasks.spawn(endpoint.follow());
    agent.tasks.spawn(mdns::announce(Arc::clone(&agent)));
    let ended = tokio::select! {
        ended = stay_connected(&agent, &link_end, &on_online) => ended,
        () = revoked(&agent) => Err(revocation()),
        never = agent.obey_limits(limit) => match never {},
        asker = serve_locally(&agent, &listener) => {
            wind_down(&agent, &link_end).await;
            drop(asker);
            return Ok(());
        }
        () = signalled() => Ok(()),
    };
    wind_down(&agent, &link_end).await;
    ended
}

async fn wind_down(agent: &Agent, link: &LinkEnd) {
    tracing::info!("stopping");
    agent.stop.cancel();
    link.close().await;
    agent.tasks.close();
    if tokio::time::timeout(WIND_DOWN, agent.tasks.wait()).await.is_err() {
        tracing::warn!("not everything ended in time; it goes on when the agent runs again");
    } else {
        agent.book.close();
    }
}

/// Connects, and connects again, until the account has ended this machine.
async fn stay_connected(
    agent: &Arc<Agent>,
    link: &LinkEnd,
    on_online: &impl Fn(&Label, &DeviceId),
) -> Result<(), Refusal> {
    let (pushed, queue) = mpsc::channel(PUSHED);
    agent.tasks.spawn(take_pushed(Arc::clone(agent), queue));
    agent.take_up_unshown();
    agent.forget_old_copies();
    agent.keep_trash_short();
    let mut backoff = Backoff::default();
    loop {
        let hello = agent.hello();
        let cause = match Connection::open(&agent.server, &agent.identity, hello.clone()).await {
            Ok((connection, welcome, events)) => {
                backoff = Backoff::default();
                agent.rename(&welcome.name);
                on_online(&welcome.name, &agent.device());
                let told = Hello {
                    name: welcome.name.clone(),
                    ..hello
                };
                serve_connection(agent, link, &pushed, connection, (welcome, told), events).await
            }
            Err(error) => not_connected(agent, error),
        };
        if agent.is_revoked() {
            return Err(revocation());
        }
        let pause = backoff.next(cause, clock::random());
        tracing::debug!(?pause, "connecting again");
        tokio::time::sleep(pause).await;
    }
}

fn not_connected(agent: &Agent, error: ConnectError) -> Cause {
    match error {
        ConnectError::Refused {
            reason,
            back_in_ms,
            statement,
        } if reason.code == ErrorCode::Revoked || back_in_ms.is_some() => {
            if let Some(statement) = statement {
                learn(agent, &statement);
            }
            sent_away(&reason, back_in_ms)
        }
        error if error.may_retry() => {
            tracing::info!(%error, "not connected");
            Cause::Broken
        }
        error => {
            tracing::error!(%error, "not connected");
            Cause::NeedsSomebody
        }
    }
}

/// Only the account can revoke this machine. It is not for the server to say, which can do no more than to shut it out.
fn sent_away(reason: &Refusal, back_in_ms: Option<u32>) -> Cause {
    match back_in_ms {
        _ if reason.code == ErrorCode::Revoked => {
            tracing::warn!(%reason, "the server says that this machine was revoked");
            Cause::CalledRevoked
        }
        Some(ms) => {
            tracing::info!(%reason, ms, "the server ends the connection");
            Cause::Told(Duration::from_millis(ms.into()))
        }
        None => {
            tracing::info!(%reason, "the server ends the connection");
            Cause::Broken
        }
    }
}

/// Serves one connection to its end; says why it ended.
async fn serve_connection(
    agent: &Arc<Agent>,
    link: &LinkEnd,
    pushed: &mpsc::Sender<Pushed>,
    connection: Connection,
    (welcome, told): (Welcome, Hello),
    events: mpsc::Receiver<FromServer>,
) -> Cause {
    if let Some(statement) = &welcome.statement {
        learn(agent, statement);
    }
    link.set(Some(connection.clone()));
    let cause = tokio::select! {
        cause = take_events(agent, pushed, events) => cause,
        () = tell_changes(agent, &connection, told) => Cause::Broken,
    };
    link.set(None);
    cause
}

async fn take_events(
    agent: &Arc<Agent>,
    pushed: &mpsc::Sender<Pushed>,
    mut events: mpsc::Receiver<FromServer>,
) -> Cause {
    while let Some(event) = events.recv().await {
        match event {
            // What is pushed on waits for its turn, since its order matters; nobody looks at it any more only at the end.
            FromServer::Order(order) => _ = pushed.send(Pushed::Order(order)).await,
            FromServer::Steer { transfer, act } => _ = pushed.send(Pushed::Steer(transfer, act)).await,
            FromServer::Priority { transfer, priority } => {
                _ = pushed.send(Pushed::Priority(transfer, priority)).await;
            }
            FromServer::Limits(limits) => agent.limit(limits),
            FromServer::ReadLive(asked) => live::answer(agent, *asked),
            FromServer::News { transfer } => agent.hear_news(transfer),
            FromServer::Session { ticket } => begin_session(agent, ticket),
            FromServer::Statement(statement) => learn(agent, &statement),
            FromServer::GoAway { reason, back_in_ms } => return sent_away(&reason, back_in_ms),
            _ => {}
        }
    }
    Cause::Broken
}

fn learn(agent: &Agent, statement: &Signed<Statement>) {
    if let Err(refusal) = agent.take_statement(statement) {
        tracing::warn!(%refusal, "a statement is not believed");
    }
}

/// What the server pushes to be worked on.
enum Pushed {
    Order(Box<SignedOrder>),
    Steer(TransferId, Act),
    Priority(TransferId, Priority),
}

/// Takes what is pushed, over all connections, one after the other.
async fn take_pushed(agent: Arc<Agent>, mut queue: mpsc::Receiver<Pushed>) {
    while let Some(pushed) = queue.recv().await {
        match pushed {
            Pushed::Order(order) => agent.take_pushed_order(*order).await,
            Pushed::Steer(transfer, act) => agent.steer(transfer, act).await,
            Pushed::Priority(transfer, priority) => agent.prioritise(transfer, priority),
        }
    }
}

/// Tells the server when addresses, roots or the port of direct sessions are no longer those of the last hello.
async fn tell_changes(agent: &Agent, connection: &Connection, mut told: Hello) {
    let (mut roots, mut lan) = (agent.watch_roots(), agent.lan.watch());
    loop {
        let now = agent.hello();
        if now != told {
            connection.send_hello(now.clone()).await;
            told = now;
        }
        let changed = tokio::select! {
            changed = roots.changed() => changed,
            changed = lan.changed() => changed,
        };
        if changed.is_err() {
            return;
        }
    }
}

fn begin_session(agent: &Arc<Agent>, ticket: [u8; 32]) {
    let Ok(permit) = Arc::clone(&agent.sessions).try_acquire_owned() else {
        tracing::warn!("too many sessions at once; one is not served");
        return;
    };
    let agent = Arc::clone(agent);
    agent.tasks.clone().spawn(async move {
        let served = match session::dial_relay(&agent.server, &ticket).await {
            Ok(socket) => session::serve(socket, Arc::clone(&agent)).await,
            Err(error) => Err(error.refusal()),
        };
        if let Err(refusal) = served {
            tracing::warn!(%refusal, "a session ends");
        }
        drop(permit);
    });
}

/// Ends once the account says that this machine counts no more.
async fn revoked(agent: &Agent) {
    let mut standing = agent.standing();
    while !agent.is_revoked() {
        if standing.changed().await.is_err() {
            return;
        }
    }
}

fn revocation() -> Refusal {
    Refusal::new(
        ErrorCode::Revoked,
        "this machine was revoked: it belongs to the account no more. If that was a mistake, make a new code with beckon join-code and join again",
    )
}

/// Answers other processes of the user, until one of them asks for the end; it learns of it when the asker is dropped.
async fn serve_locally(agent: &Agent, listener: &Listener) -> crate::local::Asker {
    let started = clock::now();
    loop {
        let (asked, mut asker) = listener.next().await;
        match asked {
            LocalAsk::Stop => {
                asker.answer(&Ok(())).await;
                return asker;
            }
            LocalAsk::Reload => {
                let reloaded = agent.reload();
                agent.lan.settled().await;
                asker.answer(&reloaded).await;
            }
            LocalAsk::Lan => asker.answer(&Ok(agent.lan.seen())).await,
            LocalAsk::Status => {
                let status = Status {
                    pid: std::process::id(),
                    version: hello::VERSION.to_owned(),
                    server: agent.server.origin.to_string(),
                    id: agent.device().to_string(),
                    name: agent.name(),
                    online: agent.link.is_up(),
                    roots: agent.roots().iter().map(|root| root.name.clone()).collect(),
                    orders: agent.open_orders(),
                    notes: agent.notes(),
                    started,
                    lan_port: agent.lan.port(),
                };
                asker.answer(&Ok(status)).await;
            }
        }
    }
}

/// Ends when the system asks this process to end.
#[cfg(unix)]
async fn signalled() {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut terminate), Ok(mut interrupt)) = (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
    else {
        tracing::warn!("signals cannot be listened to; end the agent with: beckon stop");
        return std::future::pending().await;
    };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
}

/// Ends when the system asks this process to end.
#[cfg(not(unix))]
async fn signalled() {
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending::<()>().await;
    }
}

#[cfg(test)]
mod tests;
