//! The addresses at which the machine listens, each by itself and all with one port.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::{
    net::{TcpListener, TcpSocket},
    sync::watch,
    task::JoinHandle,
};
use tokio_util::sync::CancellationToken;

use super::{
    PORT,
    endpoint::{self, Door},
    gate::Gate,
    policy::Policy,
};
use crate::agent::Agent;

/// How long to wait when the system gives no connection out, since it has no files left for instance.
const PAUSE: Duration = Duration::from_millis(200);
/// So many connections wait to be looked at.
const BACKLOG: u32 = 64;

/// Where the machine listens.
#[derive(Debug, Default)]
pub(super) struct Listeners {
    gate: Arc<Gate>,
    open: Vec<Open>,
    port: Option<u16>,
}

/// An address at which it listens until this is shut.
#[derive(Debug)]
struct Open {
    door: watch::Sender<Arc<Door>>,
    end: CancellationToken,
    accepting: JoinHandle<()>,
}

/// An address at which the machine cannot listen, though it should.
#[derive(Debug)]
pub(super) struct Failed {
    /// The address.
    pub(super) address: IpAddr,
    /// Why, and what to do about it.
    pub(super) advice: String,
}

impl Listeners {
    /// The port at all addresses; nothing while it listens at none.
    pub(super) fn port(&self) -> Option<u16> {
        self.port
    }

    /// Where it listens.
    pub(super) fn addresses(&self) -> Vec<IpAddr> {
        self.open.iter().map(Open::address).collect()
    }

    /// Listens at these doors and at no others. Sessions through a door that is gone, or that was made narrower, end.
    pub(super) async fn keep(&mut self, agent: &Arc<Agent>, policy: &Policy, doors: Vec<Door>) -> Vec<Failed> {
        let is_port_right = self.port == Some(wanted_port(policy));
        let (kept, shut) = std::mem::take(&mut self.open)
            .into_iter()
            .partition(|open: &Open| is_port_right && doors.iter().any(|door| open.becomes(door)));
        self.open = kept;
        for open in shut {
            open.shut().await;
        }
        if self.open.is_empty() {
            self.port = None;
        }
        let mut failed = Vec::new();
        for door in doors {
            let address = door.address;
            if self.open.iter().any(|open| open.address() == address) {
                continue;
            }
            if let Err((port, cause)) = self.add(agent, policy, door).await {
                let advice = advice(policy, port, &cause);
                failed.push(Failed { address, advice });
            }
        }
        failed
    }

    async fn add(&mut self, agent: &Arc<Agent>, policy: &Policy, door: Door) -> Result<(), (u16, io::Error)> {
        let (tcp, port) = bind(&door, &ports(policy, self.port)).await?;
        tracing::info!(%port, "listening for direct sessions");
        self.port = Some(port);
        let (door, end) = (watch::Sender::new(Arc::new(door)), agent.stop.child_token());
        let accepting = tokio::spawn(accept(
            tcp,
            door.subscribe(),
            Arc::clone(&self.gate),
            Arc::clone(agent),
            end.clone(),
        ));
        self.open.push(Open { door, end, accepting });
        Ok(())
    }
}

impl Open {
    fn address(&self) -> IpAddr {
        self.door.borrow().address
    }

    /// Becomes this door, if whoever came so far may come by it as well.
    fn becomes(&self, door: &Door) -> bool {
        let is_one = !self.accepting.is_finished() && door.is_as_wide_as(&self.door.borrow());
        if is_one {
            self.door.send_replace(Arc::new(door.clone()));
        }
        is_one
    }

    async fn shut(self) {
        self.end.cancel();
        // The address is free once this has ended.
        let _ = self.accepting.await;
    }
}

/// The port as it should be.
fn wanted_port(policy: &Policy) -> u16 {
    policy.port.or(policy.found_port).unwrap_or(PORT)
}

/// The ports to try: one for all addresses, the owner's if there is one.
fn ports(policy: &Policy, current: Option<u16>) -> Vec<u16> {
    match (current, policy.port) {
        (Some(current), _) => vec![current],
        (None, Some(chosen)) => vec![chosen],
        (None, None) => policy.found_port.into_iter().chain([PORT, 0]).collect(),
    }
}

/// The first of these ports that is free there; else the first one and why not.
async fn bind(door: &Door, ports: &[u16]) -> Result<(TcpListener, u16), (u16, io::Error)> {
    let mut failed = None;
    for port in ports {
        match listen(door, *port).and_then(|tcp| Ok((tcp.local_addr()?.port(), tcp))) {
            Ok((port, tcp)) => return Ok((tcp, port)),
            Err(cause) => _ = failed.get_or_insert((*port, cause)),
        }
    }
    Err(failed.unwrap_or_else(|| (0, io::ErrorKind::AddrNotAvailable.into())))
}

fn listen(door: &Door, port: u16) -> io::Result<TcpListener> {
    let socket = match door.address {
        IpAddr::V4(_) => TcpSocket::new_v4()?,
        IpAddr::V6(_) => TcpSocket::new_v6()?,
    };
    // So that the port can be had again at once. On Windows it would mean that two programs can have it.
    #[cfg(not(windows))]
    socket.set_reuseaddr(true)?;
    #[cfg(target_os = "linux")]
    if door.only_here {
        socket.bind_device(Some(door.interface.as_bytes()))?;
    }
    socket.bind(SocketAddr::new(door.address, port))?;
    socket.listen(BACKLOG)
}

fn advice(policy: &Policy, port: u16, cause: &io::Error) -> String {
    match cause.kind() {
        io::ErrorKind::AddrInUse if policy.port.is_none() => {
            format!("another program has port {port} at this address; choose one: beckon lan port N")
        }
        io::ErrorKind::AddrInUse => format!("another program has port {port}; choose another one: beckon lan port N"),
        io::ErrorKind::AddrNotAvailable => "the system does not give the address out yet".to_owned(),
        _ => format!("port {port} cannot be opened: {cause}"),
    }
}

async fn accept(
    tcp: TcpListener,
    door: watch::Receiver<Arc<Door>>,
    gate: Arc<Gate>,
    agent: Arc<Agent>,
    end: CancellationToken,
) {
    loop {
        let accepted = tokio::select! {
            () = end.cancelled() => return,
            accepted = tcp.accept() => accepted,
        };
        let (stream, from) = match accepted {
            Ok(accepted) => accepted,
            Err(cause) => {
                tracing::debug!(%cause, "a direct connection failed");
                tokio::time::sleep(PAUSE).await;
                continue;
            }
        };
        let (from, door) = (from.ip().to_canonical(), Arc::clone(&door.borrow()));
        let Some(route) = door.route(from) else { continue };
        let Some(place) = gate.enter(from, Instant::now()) else {
            continue;
        };
        let serving = endpoint::serve(stream, door, route, place, Arc::clone(&agent), end.clone());
        agent.tasks.spawn(serving);
    }
}

#[cfg(test)]
mod tests {
    use super::{super::endpoint::tests::loopback, *};

    #[test]
    fn one_port_serves_all_addresses_and_the_owners_word_goes_before() {
        let mut policy = Policy::default();
        assert_eq!(ports(&policy, None), [PORT, 0]);
        policy.found_port = Some(50_000);
        assert_eq!(ports(&policy, None), [50_000, PORT, 0]);
        assert_eq!(ports(&policy, Some(4)), [4]);
        policy.port = Some(8000);
        assert_eq!(ports(&policy, None), [8000]);
    }

    #[tokio::test]
    async fn a_port_that_is_taken_is_passed_over_unless_it_is_the_only_one() {
        let door = loopback();
        let (taken, port) = bind(&door, &[0]).await.unwrap();
        let (_other, free) = bind(&door, &[port, 0]).await.unwrap();
        assert_ne!(free, port);
        let (named, cause) = bind(&door, &[port]).await.unwrap_err();
        assert_eq!((named, cause.kind()), (port, io::ErrorKind::AddrInUse));
        let policy = Policy {
            port: Some(port),
            ..Policy::default()
        };
        let advice = advice(&policy, port, &cause);
        assert!(
            advice.contains(&port.to_string()) && advice.contains("beckon lan port"),
            "{advice}"
        );
        drop(taken);
        assert!(bind(&door, &[port]).await.is_ok());
    }
}
