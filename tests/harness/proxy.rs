//! A TCP proxy that a test can hold up and cut, so that a connection breaks at a known byte.

use std::{
    fs,
    io::{ErrorKind, Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    ops::Range,
    sync::{
        Arc, Condvar, Mutex, MutexGuard,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    thread,
    time::Duration,
};

use socket2::SockRef;

use crate::{Chance, wait_until};

/// What a connection that is to be dropped passes at the most. Bytes.
const DROPPED_AFTER: u64 = 8 << 10;

/// Pieces in which a slow line passes bytes, so that they flow.
const PIECE: usize = 4 << 10;

/// How often a connection looks whether it was reset.
const LOOK_EVERY: Duration = Duration::from_millis(50);

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

/// What happens to what passes.
#[derive(Clone, Debug, Default)]
pub struct Weather {
    /// Each piece that is read comes so late, in milliseconds.
    pub delay: Option<Range<u64>>,
    /// So many connections of a hundred break after a few bytes.
    pub drops: u64,
    /// Bytes a second that pass each way, over all connections together.
    pub rate: Option<u64>,
    /// Connections are taken and nothing passes; what was open then is dead for good, and nobody is told.
    pub hole: bool,
}

#[derive(Default)]
struct State {
    gates: Mutex<Gates>,
    changed: Condvar,
    /// Held while a piece passes on a slow line.
    lines: [Mutex<()>; 2],
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
    weather: Weather,
    chance: Option<Chance>,
    /// Connections with a lower number are in a hole.
    lost: usize,
    /// How many were dropped.
    dropped: u64,
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

    /// Breaks every connection as a router does that was started anew: both ends get a reset, no good-bye.
    pub fn reset(&self) {
        let mut gates = self.lock();
        for stream in gates.open.drain(..) {
            // An error means that it was closed already.
            let _ = SockRef::from(&stream).set_linger(Some(Duration::ZERO));
        }
        gates.cut += 1;
        drop(gates);
        self.state.changed.notify_all();
    }

    /// Changes what happens to what passes from now on; `chance` says what happens to whom.
    pub fn weather(&self, weather: Weather, chance: Chance) {
        let mut gates = self.lock();
        if gates.weather.hole {
            gates.lost = gates.heard.len();
        }
        gates.weather = weather;
        gates.chance = Some(chance);
    }

    /// How many connections were dropped by the weather.
    pub fn dropped(&self) -> u64 {
        self.lock().dropped
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
    /// Whether what a connection says goes nowhere.
    fn is_lost(&self, number: usize) -> bool {
        self.weather.hole || number < self.lost
    }

    /// After how many bytes a new connection breaks.
    fn breaks_after(&mut self) -> Option<u64> {
        let (chance, drops) = (self.chance.as_mut()?, self.weather.drops);
        chance.percent(drops).then(|| chance.number(1..DROPPED_AFTER))
    }

    fn late_by(&mut self) -> Option<Duration> {
        let delay = self.weather.delay.clone()?;
        Some(self.chance.as_mut()?.millis(delay))
    }

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
    let left = gates.breaks_after().map(|bytes| Arc::new(AtomicU64::new(bytes)));
    drop(gates);
    let up = (copy(&client), copy(&server), Way::Up);
    for (from, to, way) in [up, (server, client, Way::Down)] {
        from.set_read_timeout(Some(LOOK_EVERY)).expect("a TCP socket");
        let (state, left) = (Arc::clone(state), left.clone());
        let pump = Pump {
            from,
            to,
            way,
            number,
            cut,
            left,
            state,
        };
        thread::spawn(move || pump.run());
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

/// One way of a connection.
struct Pump {
    from: TcpStream,
    to: TcpStream,
    way: Way,
    number: usize,
    cut: u64,
    /// Bytes after which it breaks, both ways together.
    left: Option<Arc<AtomicU64>>,
    state: Arc<State>,
}

impl Pump {
    fn run(mut self) {
        let mut buffer = vec![0; 64 * 1024];
        while let Some(length) = self.read(&mut buffer) {
            if self.way == Way::Up {
                keep(&mut self.state.lock().heard[self.number], &buffer[..length]);
            }
            if self.state.lock().is_lost(self.number) {
                continue;
            }
            if !self.is_spared(length) || !self.pass(&buffer[..length]) {
                return;
            }
        }
        let gates = self.state.lock();
        // A reset comes out of the closing of a connection that nobody said good-bye on; out of a hole comes nothing.
        if gates.cut == self.cut && !gates.is_lost(self.number) {
            // An error means that it was closed already.
            let _ = self.to.shutdown(Shutdown::Write);
        }
    }

    /// Nothing at the end of what is said, or of the connection.
    fn read(&mut self, buffer: &mut [u8]) -> Option<usize> {
        loop {
            match self.from.read(buffer) {
                Ok(0) => return None,
                Ok(length) => return Some(length),
                Err(error) if [ErrorKind::WouldBlock, ErrorKind::TimedOut].contains(&error.kind()) => {
                    if self.state.lock().cut != self.cut {
                        return None;
                    }
                }
                Err(_) => return None,
            }
        }
    }

    /// Counts bytes against those after which the connection breaks.
    fn is_spared(&self, length: usize) -> bool {
        let Some(left) = &self.left else { return true };
        let take = |left: u64| Some(left.saturating_sub(length as u64));
        let before = left.fetch_update(Relaxed, Relaxed, take).unwrap_or_else(|left| left);
        if before > length as u64 {
            return true;
        }
        // Counted before anybody can see it.
        self.state.lock().dropped += u64::from(before > 0);
        for stream in [&self.from, &self.to] {
            // An error means that it was closed already.
            let _ = stream.shutdown(Shutdown::Both);
        }
        false
    }

    /// Passes bytes on, as late and as slowly as the weather wants; false once that is over.
    fn pass(&mut self, mut rest: &[u8]) -> bool {
        let late = self.state.lock().late_by();
        thread::sleep(late.unwrap_or_default());
        while !rest.is_empty() {
            let rate = self.state.lock().weather.rate;
            let piece = if rate.is_some() {
                rest.len().min(PIECE)
            } else {
                rest.len()
            };
            let Some(taken) = self.state.take(self.way, piece, self.cut) else {
                return false;
            };
            if let Some(rate) = rate {
                let _line = self.state.lines[usize::from(self.way == Way::Up)].lock();
                thread::sleep(Duration::from_secs_f64(taken as f64 / rate as f64));
            }
            if self.to.write_all(&rest[..taken]).is_err() {
                // The other side of this connection went away; what it still says is of no use.
                let _ = self.from.shutdown(Shutdown::Both);
                return false;
            }
            rest = &rest[taken..];
        }
        true
    }
}

fn keep(heard: &mut Vec<u8>, bytes: &[u8]) {
    let room = HEARD - heard.len().min(HEARD);
    heard.extend_from_slice(&bytes[..bytes.len().min(room)]);
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

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
    fn what_a_hole_has_taken_stays_dead_and_is_not_told_and_later_connections_live() {
        let proxy = Proxy::to(&echo());
        let dead = [0, 1].map(|at| {
            if at == 1 {
                let hole = true;
                proxy.weather(
                    Weather {
                        hole,
                        ..Weather::default()
                    },
                    Chance::of(1),
                );
            }
            let mut client = TcpStream::connect(&proxy.address).unwrap();
            client.write_all(b"a").unwrap();
            client.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
            client
        });
        wait_until("the second one is heard", LIMIT, || proxy.heard().len() == 2);
        proxy.weather(Weather::default(), Chance::of(1));
        let mut client = TcpStream::connect(&proxy.address).unwrap();
        client.write_all(b"b").unwrap();
        let mut byte = [0];
        client.read_exact(&mut byte).unwrap();
        assert_eq!(&byte, b"b");
        let [mut first, mut second] = dead;
        // The first one may have had its echo before the hole came.
        let _ = first.read(&mut byte);
        for client in [&mut first, &mut second] {
            client.write_all(b"c").unwrap();
            assert_eq!(client.read(&mut byte).unwrap_err().kind(), ErrorKind::WouldBlock);
        }
    }

    #[test]
    fn a_reset_is_one_and_not_an_end() {
        let proxy = Proxy::to(&echo());
        let mut client = TcpStream::connect(&proxy.address).unwrap();
        let mut byte = [0];
        client.write_all(b"a").unwrap();
        client.read_exact(&mut byte).unwrap();
        proxy.reset();
        assert_eq!(client.read(&mut byte).unwrap_err().kind(), ErrorKind::ConnectionReset);
    }

    #[test]
    fn bad_weather_drops_delays_and_slows() {
        let proxy = Proxy::to(&echo());
        let exchange = |length: usize| {
            let mut client = TcpStream::connect(&proxy.address).unwrap();
            let begun = Instant::now();
            client.write_all(&vec![7; length]).unwrap();
            let whole = client.read_exact(&mut vec![0; length]).is_ok();
            (whole, begun.elapsed())
        };
        let drops = Weather {
            drops: 100,
            ..Weather::default()
        };
        proxy.weather(drops, Chance::of(1));
        assert!(!exchange(DROPPED_AFTER as usize).0);
        assert_eq!(proxy.dropped(), 1);
        let delay = Some(100..150);
        proxy.weather(
            Weather {
                delay,
                ..Weather::default()
            },
            Chance::of(1),
        );
        let (whole, took) = exchange(1);
        assert!(whole && took >= Duration::from_millis(200), "{took:?}");
        let rate = Some(100_000);
        proxy.weather(
            Weather {
                rate,
                ..Weather::default()
            },
            Chance::of(1),
        );
        let (whole, took) = exchange(30_000);
        assert!(whole && took >= Duration::from_millis(300), "{took:?}");
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
