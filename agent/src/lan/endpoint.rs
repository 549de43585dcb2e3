//! One connection that came to the machine directly: from a stranger to a session, or to nothing.

use std::{net::IpAddr, sync::Arc, time::Duration};

use beckon_shared::{
    browse::Route,
    session::{HANDSHAKE_MAX, RECORD_MAX},
};
use bytes::Bytes;
use futures_util::StreamExt;
use ipnet::IpNet;
use socket2::{SockRef, TcpKeepalive};
use tokio::net::TcpStream;
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        Message,
        protocol::{Role, WebSocketConfig},
    },
};
use tokio_util::sync::CancellationToken;

use super::{
    gate::Place,
    greeting::{self, Guests},
    policy::{Reach, is_private},
};
use crate::{agent::Agent, session::Visit};

/// How long a stranger may take for all that it says before it is answered, and again for what proves that it is there.
const STRANGER_TIMEOUT: Duration = Duration::from_secs(3);
/// A line on which nobody answers for so long is dead: a pulled cable says nothing.
const DEAD_AFTER: Duration = Duration::from_secs(30);
const PROBE_EVERY: Duration = Duration::from_secs(5);

/// An address at which the machine listens, and who may come there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Door {
    /// The address.
    pub(super) address: IpAddr,
    /// The interface that has it.
    pub(super) interface: String,
    /// The networks of that interface in which the machine may be reached.
    pub(super) networks: Vec<IpNet>,
    /// Who may come.
    pub(super) reach: Reach,
    /// Whether they may come by this interface only, for which others could be mistaken: whoever is in the same café can send
    /// to all addresses of this machine, whatever interface has them.
    pub(super) only_here: bool,
    /// As far as HTTP can tell.
    pub(super) guests: Guests,
}

impl Door {
    /// Whether whoever may come by the other one may come by this one too.
    pub(super) fn is_as_wide_as(&self, other: &Self) -> bool {
        let same = |door: &Self| (door.address, door.interface.clone(), door.reach, door.only_here);
        let is_same = same(self) == same(other);
        let has = |network: &IpNet| self.networks.contains(network);
        is_same && self.guests == other.guests && other.networks.iter().all(has)
    }

    /// Which way somebody came from this address; nothing if nobody may come from there.
    pub(super) fn route(&self, from: IpAddr) -> Option<Route> {
        let from = from.to_canonical();
        let is_near = self.networks.iter().any(|network| network.contains(&from));
        match self.reach {
            Reach::OnLink => is_near.then_some(Route::Lan),
            Reach::Vpn => (is_near || is_private(from)).then_some(Route::Direct),
        }
    }
}

/// Serves whoever proves to be a controller of the account. To others nothing is said, whatever they say. Cancelling `end`
/// ends it.
pub(super) async fn serve(
    stream: TcpStream,
    door: Arc<Door>,
    route: Route,
    place: Place,
    agent: Arc<Agent>,
    end: CancellationToken,
) {
    let met = tokio::select! {
        () = end.cancelled() => None,
        met = meet(stream, &door.guests, &agent, &end) => met,
    };
    let Some(visit) = met else { return };
    let Ok(_permit) = Arc::clone(&agent.lan.sessions).try_acquire_owned() else {
        tracing::warn!("too many sessions at once; one is not served");
        return;
    };
    drop(place);
    if let Err(refusal) = visit.serve(agent, route).await {
        tracing::warn!(%refusal, "a session ends");
    }
}

async fn meet(
    stream: TcpStream,
    guests: &Guests,
    agent: &Agent,
    end: &CancellationToken,
) -> Option<Visit<WebSocketStream<TcpStream>>> {
    // Only what makes dead lines seen later is lost without them.
    let _ = stream.set_nodelay(true).and_then(|()| watch(&stream));
    let (stream, first) = tokio::time::timeout(STRANGER_TIMEOUT, first_message(stream, guests))
        .await
        .ok()??;
    let socket = WebSocketStream::from_raw_socket(stream, Role::Server, Some(config(RECORD_MAX))).await;
    let met = Visit::meet(socket, &first, agent, STRANGER_TIMEOUT, end.child_token()).await;
    met.inspect_err(|refusal| tracing::debug!(%refusal, "a stranger is left"))
        .ok()
}

/// Greets, and takes the one message that a stranger may send. It says nothing behind it before it is answered, so nothing
/// is lost with the buffer.
async fn first_message(mut stream: TcpStream, guests: &Guests) -> Option<(TcpStream, Bytes)> {
    let local = stream.local_addr().ok()?;
    greeting::greet(&mut stream, guests, local).await?;
    let mut socket = WebSocketStream::from_raw_socket(stream, Role::Server, Some(config(HANDSHAKE_MAX))).await;
    match socket.next().await? {
        Ok(Message::Binary(first)) => Some((socket.into_inner(), first)),
        _ => None,
    }
}

/// A small buffer: an idle connection costs its size for as long as it stands.
fn config(message_max: usize) -> WebSocketConfig {
    WebSocketConfig::default()
        .read_buffer_size(4096)
        .write_buffer_size(0)
        .max_message_size(Some(message_max))
        .max_frame_size(Some(message_max))
}

/// Has the system find out when nobody is at the other end any more.
fn watch(stream: &TcpStream) -> std::io::Result<()> {
    let socket = SockRef::from(stream);
    #[cfg(target_os = "linux")]
    socket.set_tcp_user_timeout(Some(DEAD_AFTER))?;
    let probes = TcpKeepalive::new().with_time(DEAD_AFTER / 2).with_interval(PROBE_EVERY);
    socket.set_tcp_keepalive(&probes)
}

#[cfg(test)]
pub(super) mod tests;
