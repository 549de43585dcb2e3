//! The records of a session: messages of up to 1 MiB, cut to Noise transport messages.

use std::fmt;

use snow::TransportState;

/// The largest record, in bytes (Noise specification, section 3).
pub const RECORD_MAX: usize = 65_535;
/// The largest message, in bytes.
pub const MESSAGE_MAX: usize = 1 << 20;
/// Each direction takes a new key after so many records, long before ChaCha20-Poly1305 wears out.
pub const REKEY_EVERY: u64 = 1 << 20;

/// What authenticates a record.
const MAC_LEN: usize = 16;
/// What a record can hold of a message: all but the MAC and the tag.
const PIECE_MAX: usize = RECORD_MAX - MAC_LEN - 1;

/// The last byte of a record's plaintext. Numbers are never used again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
enum Tag {
    /// The message goes on in the next record.
    More = 0,
    /// The message ends here.
    Last = 1,
    /// Nothing follows: the end was meant, and nobody cut the line.
    Close = 2,
}

impl Tag {
    fn of(byte: u8) -> Result<Self, BadRecord> {
        [Self::More, Self::Last, Self::Close].into_iter().find(|tag| *tag as u8 == byte).ok_or(BadRecord::Damaged)
    }
}

/// What a record opened to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Opened {
    /// A message began or went on.
    Partial,
    /// A whole message.
    Message(Vec<u8>),
    /// The other end is done. A line that ends without this was cut.
    Closed,
}

/// Why a channel does not go on. All but [`BadRecord::TooLarge`] on sealing end it for good.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadRecord {
    /// A record was altered, left out, played again or is of another session.
    #[error("the connection was damaged; open it again")]
    Damaged,
    /// A message has over [`MESSAGE_MAX`] bytes.
    #[error("a message is larger than 1 MiB; ask for less at once")]
    TooLarge,
    /// This direction was closed, or the channel failed before.
    #[error("the connection is closed; open it again")]
    Closed,
}

/// A session after its handshake: seals what goes out, opens what comes in, in order.
pub struct Channel {
    /// Gone once anything failed.
    noise: Option<TransportState>,
    rekey_every: u64,
    sent: u64,
    received: u64,
    partial: Vec<u8>,
    closed_by_me: bool,
    closed_by_peer: bool,
}

impl Channel {
    pub(super) fn new(noise: TransportState, rekey_every: u64) -> Self {
        Self {
            noise: Some(noise),
            rekey_every,
            sent: 0,
            received: 0,
            partial: Vec::new(),
            closed_by_me: false,
            closed_by_peer: false,
        }
    }

    /// Makes the records of a message, to be sent in this order. A message that is too large leaves the channel as it was.
    pub fn seal(&mut self, message: &[u8]) -> Result<Vec<Vec<u8>>, BadRecord> {
        if message.len() > MESSAGE_MAX {
            return Err(BadRecord::TooLarge);
        }
        let mut pieces: Vec<&[u8]> = message.chunks(PIECE_MAX).collect();
        let last = pieces.pop().unwrap_or_default();
        let mut records = Vec::with_capacity(pieces.len() + 1);
        for piece in pieces {
            records.push(self.seal_record(piece, Tag::More)?);
        }
        records.push(self.seal_record(last, Tag::Last)?);
        Ok(records)
    }

    /// Makes the record that says that nothing follows.
    pub fn close(&mut self) -> Result<Vec<u8>, BadRecord> {
        let record = self.seal_record(&[], Tag::Close)?;
        self.closed_by_me = true;
        Ok(record)
    }

    /// Opens the next record. Any failure ends the channel.
    pub fn open(&mut self, record: &[u8]) -> Result<Opened, BadRecord> {
        let opened = self.open_record(record);
        if opened.is_err() {
            self.fail();
        }
        opened
    }

    /// Whether the other end has said that nothing follows.
    pub fn is_closed_by_peer(&self) -> bool {
        self.closed_by_peer
    }

    fn seal_record(&mut self, piece: &[u8], tag: Tag) -> Result<Vec<u8>, BadRecord> {
        let Some(noise) = self.noise.as_mut().filter(|_| !self.closed_by_me) else {
            return Err(BadRecord::Closed);
        };
        let plaintext = [piece, &[tag as u8]].concat();
        let mut record = vec![0; plaintext.len() + MAC_LEN];
        let Ok(_) = noise.write_message(&plaintext, &mut record) else {
            self.fail();
            return Err(BadRecord::Damaged);
        };
        self.sent += 1;
        if self.sent.is_multiple_of(self.rekey_every) {
            noise.rekey_outgoing();
        }
        Ok(record)
    }

    fn open_record(&mut self, record: &[u8]) -> Result<Opened, BadRecord> {
        let Some(noise) = self.noise.as_mut().filter(|_| !self.closed_by_peer) else {
            return Err(BadRecord::Closed);
        };
        if record.len() > RECORD_MAX {
            return Err(BadRecord::Damaged);
        }
        let mut plaintext = vec![0; record.len()];
        let len = noise.read_message(record, &mut plaintext).map_err(|_| BadRecord::Damaged)?;
        self.received += 1;
        if self.received.is_multiple_of(self.rekey_every) {
            noise.rekey_incoming();
        }
        let (tag, piece) = plaintext[..len].split_last().ok_or(BadRecord::Damaged)?;
        self.take(Tag::of(*tag)?, piece)
    }

    fn take(&mut self, tag: Tag, piece: &[u8]) -> Result<Opened, BadRecord> {
        if self.partial.len() + piece.len() > MESSAGE_MAX {
            return Err(BadRecord::TooLarge);
        }
        match tag {
            // An empty piece would let a peer keep this end busy for ever with one message.
            Tag::More if piece.is_empty() => Err(BadRecord::Damaged),
            Tag::More => {
                self.partial.extend_from_slice(piece);
                Ok(Opened::Partial)
            }
            Tag::Last => {
                self.partial.extend_from_slice(piece);
                Ok(Opened::Message(std::mem::take(&mut self.partial)))
            }
            Tag::Close if piece.is_empty() && self.partial.is_empty() => {
                self.closed_by_peer = true;
                Ok(Opened::Closed)
            }
            Tag::Close => Err(BadRecord::Damaged),
        }
    }

    fn fail(&mut self) {
        self.noise = None;
        self.partial = Vec::new();
    }
}

impl fmt::Debug for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Channel").field("sent", &self.sent).field("received", &self.received).finish_non_exhaustive()
    }
}
