//! The memory that files are read into: a fixed number of large buffers, used again and again by all uploads of the process.
//! Who wants one waits until one is free, so a slow server slows the reading and nothing piles up.

use std::sync::{Arc, Condvar, Mutex, PoisonError};

use bytes::Bytes;

/// Size of a buffer, and so the most that one batch holds. Bytes.
pub(super) const BUFFER_LEN: usize = 8 << 20;
/// Two that are being filled and four on their way to the server.
const BUFFERS: usize = 6;

/// The buffers of a process.
#[derive(Debug, Default)]
pub(super) struct Buffers {
    free: Mutex<Free>,
    returned: Condvar,
}

#[derive(Debug, Default)]
struct Free {
    made: usize,
    idle: Vec<Vec<u8>>,
}

/// A buffer that goes back when it is dropped.
#[derive(Debug)]
pub(super) struct Buffer {
    bytes: Vec<u8>,
    home: Arc<Buffers>,
}

impl Buffers {
    /// Waits for a free buffer; blocks the thread.
    pub(super) fn take(self: &Arc<Self>) -> Buffer {
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if let Some(bytes) = free.idle.pop() {
                return Buffer {
                    bytes,
                    home: Arc::clone(self),
                };
            }
            if free.made < BUFFERS {
                free.made += 1;
                return Buffer {
                    bytes: vec![0; BUFFER_LEN],
                    home: Arc::clone(self),
                };
            }
            free = self.returned.wait(free).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Gives the memory of idle buffers back to the system.
    pub(super) fn shrink(&self) {
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        free.made -= free.idle.len();
        free.idle = Vec::new();
    }
}

impl Buffer {
    /// All of it.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// All of it, to be written.
    pub(super) fn bytes_mut(&mut self) -> &mut [u8] {
        &mut self.bytes
    }

    /// Shared and read-only from now on; it goes back when the last part of it is dropped.
    pub(super) fn freeze(self) -> Bytes {
        Bytes::from_owner(self)
    }
}

impl AsRef<[u8]> for Buffer {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        let bytes = std::mem::take(&mut self.bytes);
        let mut free = self.home.free.lock().unwrap_or_else(PoisonError::into_inner);
        free.idle.push(bytes);
        self.home.returned.notify_one();
    }
}
