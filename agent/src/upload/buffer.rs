//! The memory that files are read into: a fixed number of large buffers, used again and again by all uploads of the process.
//! Who wants one waits until one is free, so a slow server slows the reading and nothing piles up.

use std::sync::{Arc, Condvar, Mutex, PoisonError};

use bytes::{Bytes, BytesMut};

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
    is_made: bool,
    idle: Vec<BytesMut>,
}

/// A buffer that goes back when it is dropped.
#[derive(Debug)]
pub(super) struct Buffer {
    bytes: BytesMut,
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
            if !free.is_made {
                free.make();
                continue;
            }
            free = self.returned.wait(free).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Gives the memory back to the system, if all of it is idle.
    pub(super) fn shrink(&self) {
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        if free.idle.len() == BUFFERS {
            *free = Free::default();
        }
    }
}

impl Free {
    /// All of it at once: so much the allocator asks the system for by itself and gives back when it is dropped, and only what
    /// is written to takes memory. Of single buffers it would keep some after the first were dropped.
    fn make(&mut self) {
        let mut all = BytesMut::zeroed(BUFFERS * BUFFER_LEN);
        self.idle = (0..BUFFERS).map(|_| all.split_to(BUFFER_LEN)).collect();
        self.is_made = true;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_memory_goes_back_once_all_of_it_is_idle_and_comes_again() {
        let buffers = Arc::<Buffers>::default();
        let is_made = || buffers.free.lock().unwrap().is_made;
        let all: Vec<_> = (0..BUFFERS).map(|_| buffers.take()).collect();
        assert!(all.iter().all(|buffer| buffer.bytes().len() == BUFFER_LEN));
        buffers.shrink();
        assert!(is_made());
        drop(all);
        buffers.shrink();
        assert!(!is_made());
        assert_eq!(buffers.take().bytes().len(), BUFFER_LEN);
    }
}
