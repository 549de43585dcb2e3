//! A TCP proxy that a test can hold up and cut, so that a connection breaks at a known byte.

use std::{
    fs,
    io::{Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    sync::{Arc, Condvar, Mutex, MutexGuard},
    thread,
    time::Duration,
};

use crate::wait_until;

/// How much of the beginning of each connection towards the server is kept for [`Proxy::heard`].
const HEARD: usize = 4096;

/// Passes bytes between its clients and one server. Dropping it cuts all connections.
pub struct Proxy {
    address: String,
    state: Arc<State>,
}

/// Which way bytes go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// From clients to the server.
    Up,
    /// From the server to its clients.
    Down,
}

#[derive(Default)]
struct State {
    gates: Mutex<Gates>,
    changed: Condvar,
}

#[derive(Default)]
struct Gates {
    up: Gate,
    down: Gate,
    open: Vec<TcpStream>,
    heard: Vec<Vec<u8>>,
    /// The ports of our ends and of the server's ends of the connections to it.
    ports: Vec<(u16, u16)>,
    /// Counts the cuts: a pump of an earlier count ends.
    cut: u64,
    over: bool,
}

#[derive(Default)]
struct Gate {
    passed: u64,
    /// No byte after this one passes.
    limit: Option<u64>,
}

impl Proxy {
    /// Starts a proxy on a free port before `target`, an `ADDRESS:PORT`.
    pub fn to(target: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener
            .local_addr()
            .expect("a bound socket has an address")
            .to_string();
        let state = Arc::new(State::default());
        let (target, shared) = (target.to_owned(), Arc::clone(&state));
        thread::spawn(move || accept(&listener, &target, &shared));
        Self { address, state }
    }

    /// `http://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// How many bytes went this way.
    pub fn passed(&self, way: Way) -> u64 {
        self.lock().gate(way).passed
    }

    /// Lets `bytes` more through this way, over all connections together, and then holds everything up.
    pub fn allow(&self, way: Way, bytes: u64) {
        let mut gates = self.lock();
        let gate = gates.gate(way);
        gate.limit = Some(gate.passed + bytes);
        drop(gates);
        self.state.changed.notify_all();
    }

    /// Waits until what was allowed is used up.
    #[track_caller]
    pub fn wait_held_up(&self, way: Way, limit: Duration) {
        let what = format!("so many bytes went {way:?} that the rest is held up");
        wait_until(&what, limit, || self.lock().gate(way).is_held_up());
    }

    /// Lets everything through again.
    pub fn open(&self) {
        let mut gates = self.lock();
        gates.up.limit = None;
        gates.down.limit = None;
        drop(gates);
        self.state.changed.notify_all();
    }

    /// Breaks every connection. New ones are taken.
    pub fn cut(&self) {
        self.lock().cut();
        self.state.changed.notify_all();
    }

    /// The first bytes that each connection, oldest first, sent to the server: the heads of requests.
    pub fn heard(&self) -> Vec<Vec<u8>> {
        self.lock().heard.clone()
    }

    /// How many of its connections the server has not closed yet, by what the kernel says of the server's ends.
    pub fn open_at_server(&self) -> usize {
        let table = fs::read_to_string("/proc/net/tcp").expect("the kernel lists its sockets");
        let rows: Vec<_> = table.lines().filter_map(established).collect();
        let ports = self.lock().ports.clone();
        let is_open = |(own, servers)| rows.contains(&(servers, own));
        ports.into_iter().filter(|ports| is_open(*ports)).count()
    }

    fn lock(&self) -> MutexGuard<'_, Gates> {
        self.state.lock()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let mut gates = self.lock();
        gates.over = true;
        gates.cut();
        drop(gates);
        self.state.changed.notify_all();
        // Wakes the thread that accepts, so that it ends; if it has ended already, nothing is to be done.
        let _ = TcpStream::connect(&self.address);
    }
}

impl State {
    fn lock(&self) -> MutexGuard<'_, Gates> {
        self.gates.lock().expect("no holder panics")
    }

    /// Takes up to `wanted` bytes off what may go this way, waiting for some; nothing once the connection was cut.
    fn take(&self, way: Way, wanted: usize, cut: u64) -> Option<usize> {
        let mut gates = self.lock();
        loop {
            if gates.cut != cut {
                return None;
            }
            let taken = gates.gate(way).take(wanted as u64);
            if taken > 0 {
                return Some(taken as usize);
            }
            gates = self.changed.wait(gates).expect("no holder panics");
        }
    }
}

impl Gates {
    fn gate(&mut self, way: Way) -> &mut Gate {
        match way {
            Way::Up => &mut self.up,
            Way::Down => &mut self.down,
        }
    }

    fn cut(&mut self) {
        self.cut += 1;
        for stream in self.open.drain(..) {
            // An error means that it was closed already.
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

impl Gate {
    fn take(&mut self, wanted: u64) -> u64 {
        let free = self.limit.map_or(u64::MAX, |limit| limit - self.passed);
        let taken = wanted.min(free);
        self.passed += taken;
        taken
    }

    fn is_held_up(&self) -> bool {
        self.limit.is_some_and(|limit| limit <= self.passed)
    }
}

fn accept(listener: &TcpListener, target: &str, state: &Arc<State>) {
    for client in listener.incoming() {
        if state.lock().over {
            return;
        }
        // A client whose server is away sees its connection closed, as behind a real proxy.
        let (Ok(client), Ok(server)) = (client, TcpStream::connect(target)) else {
            continue;
        };
        join(client, server, state);
    }
}

fn join(client: TcpStream, server: TcpStream, state: &Arc<State>) {
    for stream in [&client, &server] {
        stream.set_nodelay(true).expect("a TCP socket");
    }
    let mut gates = state.lock();
    let cut = gates.cut;
    let number = gates.heard.len();
    gates.heard.push(Vec::new());
    gates.ports.push(ports(&server));
    gates.open.extend([copy(&client), copy(&server)]);
    drop(gates);
    let up = (copy(&client), copy(&server), Way::Up);
    for (from, to, way) in [up, (server, client, Way::Down)] {
        let state = Arc::clone(state);
        thread::spawn(move || pump(from, to, way, number, cut, &state));
    }
}

fn ports(server: &TcpStream) -> (u16, u16) {
    let own = server.local_addr().map(|address| address.port());
    let servers = server.peer_addr().map(|address| address.port());
    // A connection that is over already has no address; then no row is like this one.
    (own.unwrap_or(0), servers.unwrap_or(0))
}

/// The local and the remote port of an established socket, of a row of `/proc/net/tcp`.
fn established(row: &str) -> Option<(u16, u16)> {
    let mut words = row.split_ascii_whitespace().skip(1);
    let port = |address: &str| u16::from_str_radix(address.rsplit_once(':')?.1, 16).ok();
    let (local, remote) = (port(words.next()?)?, port(words.next()?)?);
    (words.next()? == "01").then_some((local, remote))
}

fn copy(stream: &TcpStream) -> TcpStream {
    stream.try_clone().expect("room for a handle")
}

fn pump(mut from: TcpStream, mut to: TcpStream, way: Way, number: usize, cut: u64, state: &State) {
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(length @ 1..) = from.read(&mut buffer) {
        if way == Way::Up {
            keep(&mut state.lock().heard[number], &buffer[..length]);
        }
        let mut rest = &buffer[..length];
        while !rest.is_empty() {
            let Some(taken) = state.take(way, rest.len(), cut) else {
                return;
            };
            if to.write_all(&rest[..taken]).is_err() {
                // The other side of this connection went away; what it still says is of no use.
                let _ = from.shutdown(Shutdown::Both);
                return;
            }
            rest = &rest[taken..];
        }
    }
    // An error means that it was closed already.
    let _ = to.shutdown(Shutdown::Write);
}

fn keep(heard: &mut Vec<u8>, bytes: &[u8]) {
    let room = HEARD - heard.len().min(HEARD);
    heard.extend_from_slice(&bytes[..bytes.len().min(room)]);
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_secs(10);

    /// A server that sends back what it hears.
    fn echo() -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                thread::spawn(move || std::io::copy(&mut &stream, &mut &stream));
            }
        });
        address
    }

    #[test]
    fn bytes_are_held_up_at_the_limit_and_go_on_when_it_is_lifted() {
        let proxy = Proxy::to(&echo());
        let mut client = TcpStream::connect(&proxy.address).unwrap();
        proxy.allow(Way::Down, 4);
        client.write_all(b"abcdefgh").unwrap();
        proxy.wait_held_up(Way::Down, LIMIT);
        let mut bytes = [0; 4];
        client.read_exact(&mut bytes).unwrap();
        assert_eq!((&bytes, proxy.passed(Way::Down)), (b"abcd", 4));
        proxy.open();
        client.read_exact(&mut bytes).unwrap();
        assert_eq!((&bytes, proxy.passed(Way::Up)), (b"efgh", 8));
        assert_eq!(proxy.heard(), [b"abcdefgh"]);
        assert_eq!(proxy.open_at_server(), 1);
    }

    #[test]
    fn a_cut_ends_what_is_open_and_what_is_held_up() {
        let proxy = Proxy::to(&echo());
        let mut client = TcpStream::connect(&proxy.address).unwrap();
        proxy.allow(Way::Down, 1);
        client.write_all(b"ab").unwrap();
        proxy.wait_held_up(Way::Down, LIMIT);
        proxy.cut();
        let mut bytes = Vec::new();
        let _ = client.read_to_end(&mut bytes);
        assert!(bytes.len() <= 1, "{bytes:?}");
        wait_until("the server has closed its end", LIMIT, || proxy.open_at_server() == 0);
        proxy.open();
        let mut client = TcpStream::connect(&proxy.address).unwrap();
        client.write_all(b"c").unwrap();
        let mut byte = [0];
        client.read_exact(&mut byte).unwrap();
        assert_eq!(&byte, b"c");
    }
}
