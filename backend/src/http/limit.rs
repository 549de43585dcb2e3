//! Rate limits for whoever is not signed in yet: by address and by account name, in bounded memory.

use std::{
    net::{IpAddr, Ipv6Addr},
    num::NonZeroU32,
    time::Duration,
};

use beckon_shared::id::{DeviceId, Hash, SignInId};
use governor::{
    Quota, RateLimiter,
    clock::{Clock, DefaultClock},
    state::keyed::DashMapStateStore,
};

use crate::error::Failure;

/// With more keys than this in use, new ones are refused: only an attack has so many.
const KEYS_MAX: usize = 100_000;

/// What is limited.
#[derive(Debug)]
pub(crate) struct Limits {
    /// Signing up, signing in and recovering, by address.
    pub(crate) sign_in: Limit<IpAddr>,
    /// Guesses of a password, by account name (see [`name_key`]) and address: one stranger does not use up what the owner has.
    pub(crate) guess: Limit<(Hash, IpAddr)>,
    /// Guesses of a password by account name, from addresses where the account has no device: many strangers together.
    pub(crate) strangers: Limit<Hash>,
    /// Looking up and using join codes, by address. The codes have 128 bits, so this only saves work.
    pub(crate) join: Limit<IpAddr>,
    /// Control sockets that are opened, by address; many machines may come back at once from behind one.
    pub(crate) connect: Limit<IpAddr>,
    /// Visits of a device: each is written down.
    pub(crate) visit: Limit<DeviceId>,
    /// Notes of when a session was last used: each is written down too.
    pub(crate) note: Limit<SignInId>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            sign_in: Limit::new(60, Duration::from_secs(1)),
            guess: Limit::new(20, Duration::from_secs(3)),
            strangers: Limit::new(300, Duration::from_secs(1)),
            join: Limit::new(200, Duration::from_millis(500)),
            connect: Limit::new(1000, Duration::from_millis(20)),
            visit: Limit::new(300, Duration::from_millis(500)),
            note: Limit::new(1, Duration::from_secs(60)),
        }
    }
}

impl Limits {
    /// Forgets the keys that are as good as new. To be called every minute or so: it looks at each key.
    pub(crate) fn sweep(&self) {
        self.sign_in.sweep();
        self.guess.sweep();
        self.strangers.sweep();
        self.join.sweep();
        self.connect.sweep();
        self.visit.sweep();
        self.note.sweep();
    }
}

/// What attempts are counted by: of a fixed size, since strangers choose it and it is kept for a while.
pub(crate) trait Key: std::hash::Hash + Eq + Copy {}
impl<K: std::hash::Hash + Eq + Copy> Key for K {}

/// A number of attempts at once, and one more after each span of time.
#[derive(Debug)]
pub(crate) struct Limit<K: Key> {
    limiter: RateLimiter<K, DashMapStateStore<K>, DefaultClock>,
}

impl<K: Key> Limit<K> {
    fn new(burst: u32, one_per: Duration) -> Self {
        let burst = NonZeroU32::new(burst).unwrap_or(NonZeroU32::MIN);
        let quota = Quota::with_period(one_per)
            .unwrap_or(Quota::per_second(burst))
            .allow_burst(burst);
        Self {
            limiter: RateLimiter::dashmap(quota),
        }
    }

    /// Counts an attempt, or says how long to wait.
    pub(crate) fn count(&self, key: &K) -> Result<(), Failure> {
        if self.limiter.len() > KEYS_MAX {
            return Err(Failure::too_many(Duration::from_secs(60)));
        }
        let now = DefaultClock::default().now();
        self.limiter
            .check_key(key)
            .map_err(|until| Failure::too_many(until.wait_time_from(now)))
    }

    fn sweep(&self) {
        self.limiter.retain_recent();
        self.limiter.shrink_to_fit();
    }
}

/// The key of an account name, however long and however written.
pub(crate) fn name_key(name: &str) -> Hash {
    Hash::of(name.to_lowercase().as_bytes())
}

/// What counts as one address: of IPv6 the network of 56 bits, which is what a household gets, with all addresses in it.
pub(crate) fn address_key(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(six) => Ipv6Addr::from_bits(six.to_bits() >> 72 << 72).into(),
        four => four,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_let_through_and_then_told_to_wait() {
        let limit = Limit::new(3, Duration::from_secs(60));
        for _ in 0..3 {
            limit.count(&1).unwrap();
        }
        assert!(limit.count(&1).is_err());
        limit.count(&2).unwrap();
    }

    #[test]
    fn keys_that_are_as_good_as_new_are_forgotten() {
        let limit = Limit::new(1, Duration::from_nanos(1));
        let slow = Limit::new(1, Duration::from_secs(60));
        for key in 0..1000 {
            limit.count(&key).unwrap();
            slow.count(&key).unwrap();
        }
        limit.sweep();
        slow.sweep();
        assert_eq!((limit.limiter.len(), slow.limiter.len()), (0, 1000));
    }

    #[test]
    fn a_name_is_one_key_however_it_is_written() {
        assert_eq!(name_key("Ann"), name_key("aNN"));
        assert_ne!(name_key("Ann"), name_key("Bob"));
    }

    #[test]
    fn neighbours_in_an_ipv6_network_count_as_one() {
        let key = |text: &str| address_key(text.parse().unwrap());
        assert_eq!(key("2001:db8::1"), key("2001:db8:0:ff::ffff"));
        assert_ne!(key("2001:db8::1"), key("2001:db8:0:100::1"));
        assert_eq!(key("::ffff:10.0.0.1"), key("10.0.0.1"));
    }
}
