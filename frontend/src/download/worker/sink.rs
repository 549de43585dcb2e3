//! What takes the bytes: the browser's own download by way of the service worker, a file that a person chose, or memory.

mod disk;
mod memory;
mod port;

use std::{cell::Cell, rc::Rc};

use beckon_shared::error::{ErrorCode, Refusal};
use wasm_bindgen::JsValue;

use self::{disk::Disk, memory::Memory, port::Port};
use crate::{download::message::Into, format, text::download as words};

/// Small writes are gathered to this many bytes, as each costs a message.
const GATHERED: usize = 512 << 10;

/// Why it takes no more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Broken {
    /// A person ended it in the browser.
    Cancelled,
    /// More than the memory that may be used, in bytes.
    Full(u64),
    /// The file cannot be written, as on a full disk.
    NotWritten,
    /// The browser never asked for the first byte.
    Silent,
    /// The browser ended what saves it.
    Gone,
}

impl Broken {
    /// What to tell a person.
    pub(super) fn refusal(self) -> Refusal {
        match self {
            Self::Full(limit) => Refusal::new(ErrorCode::TooLarge, words::too_large(&format::bytes(limit))),
            Self::NotWritten => Refusal::new(ErrorCode::NoRoom, words::not_written()),
            Self::Silent => Refusal::new(ErrorCode::Internal, words::browser_silent()),
            Self::Cancelled | Self::Gone => Refusal::new(ErrorCode::Internal, words::browser_gone()),
        }
    }
}

/// What takes the bytes. Dropped before it was closed it lets the browser know that what it has is not whole.
pub(super) struct Sink {
    to: To,
    gathered: Vec<u8>,
    is_open: bool,
}

enum To {
    Port(Port),
    Disk(Disk),
    Memory(Memory),
    #[cfg(test)]
    Test(std::rc::Rc<std::cell::RefCell<Vec<u8>>>),
}

impl Sink {
    /// Of what lies beside the job. `is_cancelled` becomes true when a person ends it in the browser.
    pub(super) fn new(into: Into, beside: JsValue, is_cancelled: Rc<Cell<bool>>) -> Result<Self, Broken> {
        Ok(Self::to(match into {
            Into::Stream => To::Port(Port::new(beside, is_cancelled).ok_or(Broken::Silent)?),
            Into::Disk => To::Disk(Disk::new(beside)),
            Into::Memory(limit) => To::Memory(Memory::new(limit)),
        }))
    }

    /// What is written is seen by the test.
    #[cfg(test)]
    pub(super) fn test(seen: std::rc::Rc<std::cell::RefCell<Vec<u8>>>) -> Self {
        Self::to(To::Test(seen))
    }

    fn to(to: To) -> Self {
        Self {
            to,
            gathered: Vec::new(),
            is_open: false,
        }
    }

    /// Begins, with the length if that is known. Again is nothing.
    pub(super) async fn open(&mut self, size: Option<u64>) -> Result<(), Broken> {
        if std::mem::replace(&mut self.is_open, true) {
            return Ok(());
        }
        match &mut self.to {
            To::Port(port) => port.open(size).await,
            To::Disk(disk) => disk.open().await,
            To::Memory(memory) => memory.open(size),
            #[cfg(test)]
            To::Test(_) => Ok(()),
        }
    }

    /// Takes bytes; waits until there is room for them.
    pub(super) async fn write(&mut self, bytes: &[u8]) -> Result<(), Broken> {
        if self.gathered.is_empty() && bytes.len() >= GATHERED {
            return self.to.write(bytes).await;
        }
        self.gathered.extend_from_slice(bytes);
        if self.gathered.len() >= GATHERED {
            self.flush().await?;
        }
        Ok(())
    }

    async fn flush(&mut self) -> Result<(), Broken> {
        if !self.gathered.is_empty() {
            self.to.write(&self.gathered).await?;
            self.gathered.clear();
        }
        Ok(())
    }

    /// That was all. What was kept in memory comes back as a `Blob`.
    pub(super) async fn close(mut self) -> Result<JsValue, Broken> {
        self.flush().await?;
        match self.to {
            To::Port(port) => {
                port.close();
                Ok(JsValue::NULL)
            }
            To::Disk(disk) => disk.close().await.map(|()| JsValue::NULL),
            To::Memory(memory) => memory.close(),
            #[cfg(test)]
            To::Test(_) => Ok(JsValue::NULL),
        }
    }
}

impl To {
    async fn write(&mut self, bytes: &[u8]) -> Result<(), Broken> {
        match self {
            Self::Port(port) => port.write(bytes).await,
            Self::Disk(disk) => disk.write(bytes).await,
            Self::Memory(memory) => memory.write(bytes),
            #[cfg(test)]
            Self::Test(seen) => {
                seen.borrow_mut().extend_from_slice(bytes);
                Ok(())
            }
        }
    }
}
