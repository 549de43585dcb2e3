//! A TCP relay that holds every byte back for half a round trip, as a distance does; it does not limit the rate.

use std::{
    io::{Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

/// Listens on a free port of loopback and passes everything to `target`, each way `one_way` late; says where it listens.
pub(crate) fn relay(target: String, one_way: Duration) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("a bound address").to_string();
    thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let target = target.clone();
            thread::spawn(move || join(client, &target, one_way));
        }
    });
    address
}

fn join(client: TcpStream, target: &str, one_way: Duration) {
    // A connection costs its own round trip before the first byte can travel.
    thread::sleep(one_way * 2);
    let Ok(server) = TcpStream::connect(target) else { return };
    let (Ok(back), Ok(forth)) = (server.try_clone(), client.try_clone()) else {
        return;
    };
    thread::spawn(move || pass(back, client, one_way));
    pass(forth, server, one_way);
}

/// At most 64 MiB are on the way at once.
fn pass(mut from: TcpStream, mut to: TcpStream, one_way: Duration) {
    let (sender, receiver) = mpsc::sync_channel::<(Instant, Vec<u8>)>(1024);
    let _ = to.set_nodelay(true);
    thread::spawn(move || {
        for (due, bytes) in receiver {
            thread::sleep(due.saturating_duration_since(Instant::now()));
            if to.write_all(&bytes).is_err() {
                break;
            }
        }
        let _ = to.shutdown(Shutdown::Write);
    });
    let mut buffer = vec![0; 64 << 10];
    while let Ok(len @ 1..) = from.read(&mut buffer) {
        if sender.send((Instant::now() + one_way, buffer[..len].to_vec())).is_err() {
            break;
        }
    }
}
