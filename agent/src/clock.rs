//! The machine's clock and its source of randomness, read in one place.

use std::time::{SystemTime, UNIX_EPOCH};

use beckon_shared::{id::TransferId, time::Timestamp};
use chrono::Timelike;

/// The machine's clock.
pub(crate) fn now() -> Timestamp {
    Timestamp(now_ns() / 1_000_000)
}

/// The machine's clock in nanoseconds since 1970, as files are stamped.
pub(crate) fn now_ns() -> i64 {
    let passed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(passed.as_nanos()).unwrap_or(i64::MAX)
}

/// Minutes since midnight by the clock on the machine's own wall.
pub(crate) fn minute_of_day() -> u16 {
    let now = chrono::Local::now();
    // At most 1439.
    (now.hour() * 60 + now.minute()) as u16
}

/// Fresh bytes of the operating system's random number generator.
///
/// # Panics
///
/// If the system gives none: keys and nonces cannot be made, so nothing may go on.
pub(crate) fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    if let Err(cause) = getrandom::fill(&mut bytes) {
        panic!("the operating system gives no random bytes: {cause}");
    }
    bytes
}

/// A new id for an order.
pub(crate) fn new_transfer_id() -> TransferId {
    TransferId::new(now(), random())
}
