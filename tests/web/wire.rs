//! The wire between a browser and a server, with an ear at it.

use std::{
    io::{Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
};

/// Passes on what a browser and a server say to each other, and keeps all that the browser says.
pub(crate) struct Wire {
    address: String,
    sent: Arc<Mutex<Vec<u8>>>,
}

impl Wire {
    /// Starts on a free port of `ip`, before `target`, an `ADDRESS:PORT`.
    pub(crate) fn to(ip: &str, target: &str) -> Self {
        let listener = TcpListener::bind((ip, 0)).expect("a free port");
        let address = listener.local_addr().expect("an address").to_string();
        let (sent, target) = (Arc::new(Mutex::new(Vec::new())), target.to_owned());
        let kept = Arc::clone(&sent);
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let Ok(server) = TcpStream::connect(&target) else {
                    continue;
                };
                let (up, down) = ((client.try_clone(), server.try_clone()), (server, client));
                let (Ok(from), Ok(to)) = up else { continue };
                let kept = Arc::clone(&kept);
                thread::spawn(move || pump(from, to, |bytes| kept.lock().expect("bytes").extend_from_slice(bytes)));
                thread::spawn(move || pump(down.0, down.1, |_| {}));
            }
        });
        Self { address, sent }
    }

    /// `http://IP:PORT`.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// All that browsers said so far.
    pub(crate) fn sent(&self) -> Vec<u8> {
        self.sent.lock().expect("bytes").clone()
    }
}

fn pump(mut from: TcpStream, mut to: TcpStream, hear: impl Fn(&[u8])) {
    let mut buffer = [0; 16 * 1024];
    while let Ok(count) = from.read(&mut buffer) {
        hear(&buffer[..count]);
        if count == 0 || to.write_all(&buffer[..count]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Both);
    let _ = from.shutdown(Shutdown::Both);
}
