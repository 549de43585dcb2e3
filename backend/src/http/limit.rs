//! Rate limits for whoever is not signed in yet: by address and by account name, in bounded memory.

use std::{
    hash::Hash,
    net::{IpAddr, Ipv6Addr},
    num::NonZeroU32,
    time::Duration,
};

use governor::{
    Quota, RateLimiter,
    clock::{Clock, DefaultClock},
    state::keyed::DashMapStateStore,
};

use crate::error::Failure;

/// From here on keys that are as good as new are forgotten.
const KEYS_SWEPT: usize = 10_000;
/// With more keys than this in use, new ones are refused: only an attack has so many.
const KEYS_MAX: usize = 100_000;

/// What is limited.
#[derive(Debug)]
pub(crate) struct Limits {
    /// Signing up, signing in and recovering, by address.
    pub(crate) sign_in: Limit<IpAddr>,
    /// Guesses of a password or recovery key, by account name.
    pub(crate) guess: Limit<String>,
    /// Looking up and using join codes, by address. The codes have 128 bits, so this only saves work.
    pub(crate) join: Limit<IpAddr>,
    /// Control sockets that are opened, by address; many machines may come back at once from behind one.
    pub(crate) connect: Limit<IpAddr>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            sign_in: Limit::new(60, Duration::from_secs(1)),
            guess: Limit::new(20, Duration::from_secs(3)),
            join: Limit::new(200, Duration::from_millis(500)),
            connect: Limit::new(1000, Duration::from_millis(20)),
        }
    }
}

/// A number of attempts at once, and one more after each span of time.
#[derive(Debug)]
pub(crate) struct Limit<K: Hash + Eq + Clone> {
    limiter: RateLimiter<K, DashMapStateStore<K>, DefaultClock>,
}

impl<K: Hash + Eq + Clone> Limit<K> {
    fn new(burst: u32, one_per: Duration) -> Self {
        let burst = NonZeroU32::new(burst).unwrap_or(NonZeroU32::MIN);
        let quota = Quota::with_period(one_per).unwrap_or(Quota::per_second(burst)).allow_burst(burst);
        Self { limiter: RateLimiter::dashmap(quota) }
    }

    /// Counts an attempt, or says how long to wait.
    pub(crate) fn count(&self, key: &K) -> Result<(), Failure> {
        if self.limiter.len() > KEYS_SWEPT {
            self.limiter.retain_recent();
        }
        if self.limiter.len() > KEYS_MAX {
            return Err(Failure::too_many(Duration::from_secs(60)));
        }
        let now = DefaultClock::default().now();
        self.limiter.check_key(key).map_err(|until| Failure::too_many(until.wait_time_from(now)))
    }
}

/// What counts as one address: of IPv6 the network of 64 bits, since anyone who has one address has them all.
pub(crate) fn address_key(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(six) => Ipv6Addr::from_bits(six.to_bits() >> 64 << 64).into(),
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
    fn neighbours_in_an_ipv6_network_count_as_one() {
        let key = |text: &str| address_key(text.parse().unwrap());
        assert_eq!(key("2001:db8::1"), key("2001:db8::ffff"));
        assert_ne!(key("2001:db8::1"), key("2001:db8:0:1::1"));
        assert_eq!(key("::ffff:10.0.0.1"), key("10.0.0.1"));
    }
}
