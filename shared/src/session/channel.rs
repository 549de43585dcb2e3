//! The records of a session: messages of up to 1 MiB, cut to Noise transport messages.

use std::fmt;

use snow::TransportState;

use crate::browse::READ_MAX;

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

/// A message of several records is about so long, if it is a piece of a file: room for it at once spares growing. Bytes.
const LONG: usize = READ_MAX as usize + PIECE_MAX;

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
        [Self::More, Self::Last, Self::Close]
            .into_iter()
            .find(|tag| *tag as u8 == byte)
            .ok_or(BadRecord::Damaged)
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
    /// A piece and its tag, before they are sealed.
    plaintext: Vec<u8>,
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
            plaintext: Vec::new(),
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
        self.plaintext.clear();
        self.plaintext.extend_from_slice(piece);
        self.plaintext.push(tag as u8);
        let mut record = vec![0; self.plaintext.len() + MAC_LEN];
        let Ok(_) = noise.write_message(&self.plaintext, &mut record) else {
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
        // Opened where it is to stay: at the end of what came of its message before.
        let start = self.partial.len();
        self.partial.resize(start + record.len(), 0);
        let len = noise
            .read_message(record, &mut self.partial[start..])
            .map_err(|_| BadRecord::Damaged)?;
        self.received += 1;
        if self.received.is_multiple_of(self.rekey_every) {
            noise.rekey_incoming();
        }
        self.partial.truncate(start + len);
        let tag = self.partial[start..].last().copied().ok_or(BadRecord::Damaged)?;
        self.partial.pop();
        self.take(Tag::of(tag)?, start)
    }

    /// The message has grown by what stands behind `start`.
    fn take(&mut self, tag: Tag, start: usize) -> Result<Opened, BadRecord> {
        if self.partial.len() > MESSAGE_MAX {
            return Err(BadRecord::TooLarge);
        }
        let is_empty = self.partial.len() == start;
        match tag {
            // An empty piece would let a peer keep this end busy for ever with one message.
            Tag::More if is_empty => Err(BadRecord::Damaged),
            Tag::More => {
                if start == 0 {
                    self.partial.reserve_exact(LONG);
                }
                Ok(Opened::Partial)
            }
            Tag::Last => Ok(Opened::Message(std::mem::take(&mut self.partial))),
            Tag::Close if self.partial.is_empty() => {
                self.closed_by_peer = true;
                Ok(Opened::Closed)
            }
            Tag::Close => Err(BadRecord::Damaged),
        }
    }

    fn fail(&mut self) {
        self.noise = None;
        self.partial = Vec::new();
        self.plaintext = Vec::new();
    }
}

impl fmt::Debug for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Channel")
            .field("sent", &self.sent)
            .field("received", &self.received)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::session::handshake::tests::pair;

    fn rekeying_pair(here: u64, there: u64) -> (Channel, Channel) {
        let (mut first, mut second) = pair();
        (first.rekey_every, second.rekey_every) = (here, there);
        (first, second)
    }

    fn transmit(from: &mut Channel, to: &mut Channel, message: &[u8]) -> Result<Opened, BadRecord> {
        let mut opened = Opened::Partial;
        for record in from.seal(message)? {
            assert_eq!(opened, Opened::Partial);
            assert!(record.len() <= RECORD_MAX);
            opened = to.open(&record)?;
        }
        Ok(opened)
    }

    #[test]
    fn limits_and_tags_never_change() {
        assert_eq!(
            (RECORD_MAX, PIECE_MAX, MESSAGE_MAX, REKEY_EVERY),
            (65_535, 65_518, 1_048_576, 1_048_576)
        );
        assert_eq!([Tag::More as u8, Tag::Last as u8, Tag::Close as u8], [0, 1, 2]);
    }

    #[test]
    fn messages_of_every_size_arrive() {
        let (mut here, mut there) = pair();
        for len in [
            0,
            1,
            PIECE_MAX - 1,
            PIECE_MAX,
            PIECE_MAX + 1,
            2 * PIECE_MAX,
            MESSAGE_MAX,
        ] {
            let message: Vec<u8> = (0..len).map(|at| at as u8).collect();
            assert!(
                transmit(&mut here, &mut there, &message) == Ok(Opened::Message(message)),
                "{len}"
            );
        }
    }

    #[test]
    fn a_message_that_is_too_large_is_refused_and_harms_nothing() {
        let (mut here, mut there) = pair();
        assert_eq!(here.seal(&vec![0; MESSAGE_MAX + 1]), Err(BadRecord::TooLarge));
        assert_eq!(
            transmit(&mut here, &mut there, b"less"),
            Ok(Opened::Message(b"less".to_vec()))
        );
    }

    #[test]
    fn a_peer_cannot_fill_the_memory() {
        let (mut here, mut there) = pair();
        let piece = vec![0; PIECE_MAX];
        for _ in 0..MESSAGE_MAX / PIECE_MAX {
            let record = here.seal_record(&piece, Tag::More).unwrap();
            assert_eq!(there.open(&record), Ok(Opened::Partial));
        }
        let record = here.seal_record(&piece, Tag::More).unwrap();
        assert_eq!(there.open(&record), Err(BadRecord::TooLarge));
        assert!(there.partial.is_empty());
    }

    #[test]
    fn malformed_records_of_a_peer_are_refused() {
        for (piece, tag) in [(&b""[..], Tag::More), (b"x", Tag::Close)] {
            let (mut here, mut there) = pair();
            let record = here.seal_record(piece, tag).unwrap();
            assert_eq!(there.open(&record), Err(BadRecord::Damaged));
        }
        let (mut here, mut there) = pair();
        there.open(&here.seal_record(b"x", Tag::More).unwrap()).unwrap();
        assert_eq!(there.open(&here.close().unwrap()), Err(BadRecord::Damaged));
    }

    type Damage = fn(&[Vec<u8>]) -> Vec<&[u8]>;

    #[test]
    fn lost_repeated_swapped_and_reflected_records_end_the_channel() {
        let damage: [Damage; 3] = [
            |sent| vec![&sent[1]],
            |sent| vec![&sent[0], &sent[0]],
            |sent| vec![&sent[1], &sent[0]],
        ];
        for damage in damage {
            let (mut here, mut there) = pair();
            let sent: Vec<Vec<u8>> = [b"a", b"b"]
                .iter()
                .map(|text| here.seal(*text).unwrap().remove(0))
                .collect();
            let result = damage(&sent)
                .into_iter()
                .map(|record| there.open(record))
                .find(Result::is_err);
            assert_eq!(result, Some(Err(BadRecord::Damaged)));
        }
        let (mut here, _) = pair();
        let record = here.seal(b"a").unwrap().remove(0);
        assert_eq!(here.open(&record), Err(BadRecord::Damaged));
    }

    #[test]
    fn after_a_failure_nothing_goes_either_way() {
        let (mut here, mut there) = pair();
        let record = here.seal(b"a").unwrap().remove(0);
        assert_eq!(there.open(b"noise"), Err(BadRecord::Damaged));
        assert_eq!(there.open(&record), Err(BadRecord::Closed));
        assert_eq!(there.seal(b"a"), Err(BadRecord::Closed));
        assert_eq!(there.close(), Err(BadRecord::Closed));
    }

    #[test]
    fn each_direction_is_closed_by_itself_and_once() {
        let (mut here, mut there) = pair();
        assert_eq!(there.open(&here.close().unwrap()), Ok(Opened::Closed));
        assert!(there.is_closed_by_peer() && !here.is_closed_by_peer());
        assert_eq!(here.seal(b"more"), Err(BadRecord::Closed));
        assert_eq!(here.close(), Err(BadRecord::Closed));
        assert_eq!(
            transmit(&mut there, &mut here, b"answer"),
            Ok(Opened::Message(b"answer".to_vec()))
        );
        assert_eq!(there.open(b"more"), Err(BadRecord::Closed));
    }

    #[test]
    fn both_directions_take_new_keys_at_the_same_record() {
        let (mut here, mut there) = rekeying_pair(3, 3);
        for count in 0..10_u8 {
            assert_eq!(
                transmit(&mut here, &mut there, &[count]),
                Ok(Opened::Message(vec![count]))
            );
            assert_eq!(
                transmit(&mut there, &mut here, &[count]),
                Ok(Opened::Message(vec![count]))
            );
        }
        let (mut here, mut there) = rekeying_pair(3, 4);
        for _ in 0..3 {
            assert!(transmit(&mut here, &mut there, b"old key").is_ok());
        }
        assert_eq!(transmit(&mut here, &mut there, b"new key"), Err(BadRecord::Damaged));
    }

    #[test]
    fn debug_output_holds_no_message() {
        let (mut here, mut there) = pair();
        there.open(&here.seal_record(b"secret", Tag::More).unwrap()).unwrap();
        assert_eq!(format!("{there:?}"), "Channel { sent: 0, received: 1, .. }");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        #[test]
        fn a_changed_bit_or_length_never_opens(at in any::<prop::sample::Index>(), bit in 0..8_u8, cut in any::<prop::sample::Index>()) {
            let (mut here, mut there) = pair();
            let (_, mut also_there) = pair();
            let record = here.seal(b"some message").unwrap().remove(0);
            let mut changed = record.clone();
            let at = at.index(record.len());
            changed[at] ^= 1 << bit;
            prop_assert_eq!(there.open(&changed), Err(BadRecord::Damaged));
            prop_assert_eq!(also_there.open(&record[..cut.index(record.len())]), Err(BadRecord::Damaged));
        }
    }
}
