//! Values that settings have: sizes, spans of time, origins and networks, each with the text that people write.

use std::{
    fmt,
    net::{IpAddr, Ipv6Addr},
    str::FromStr,
    time::Duration,
};

/// Why a text is no such value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadValue {
    /// Not a size.
    #[error("write a size as 4096, 256MiB or 2GiB")]
    Size,
    /// Not a span of time.
    #[error("write a time as 90s, 15m, 12h or 30d")]
    Span,
    /// Not an origin.
    #[error("write an address as https://beckon.example.org or http://192.168.1.5:8440, without a path")]
    Origin,
    /// Not a network.
    #[error("write a network as 10.0.0.0/8, fd00::/8 or a single address")]
    Network,
}

/// Splits `12MiB` into 12 and `MiB`.
fn number_and_unit(text: &str) -> Option<(u64, &str)> {
    let text = text.trim();
    let at = text.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(at);
    Some((number.parse().ok()?, unit.trim()))
}

/// A number of bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size(pub u64);

impl FromStr for Size {
    type Err = BadValue;
    fn from_str(text: &str) -> Result<Self, BadValue> {
        let (number, unit) = number_and_unit(text).ok_or(BadValue::Size)?;
        let power = match unit {
            "" | "B" => 0,
            "K" | "KiB" => 10,
            "M" | "MiB" => 20,
            "G" | "GiB" => 30,
            "T" | "TiB" => 40,
            _ => return Err(BadValue::Size),
        };
        number.checked_mul(1 << power).map(Self).ok_or(BadValue::Size)
    }
}

/// A span of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span(pub Duration);

impl FromStr for Span {
    type Err = BadValue;
    fn from_str(text: &str) -> Result<Self, BadValue> {
        let (number, unit) = number_and_unit(text).ok_or(BadValue::Span)?;
        let seconds = match unit {
            "" | "s" => 1,
            "m" => 60,
            "h" => 3600,
            "d" => 24 * 3600,
            _ => return Err(BadValue::Span),
        };
        number
            .checked_mul(seconds)
            .map(|seconds| Self(Duration::from_secs(seconds)))
            .ok_or(BadValue::Span)
    }
}

/// `scheme://host[:port]`, lower case, the scheme's own port left out (RFC 6454).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Origin {
    text: String,
    secure: bool,
}

impl Origin {
    /// From a scheme and what stands in a `Host` header.
    pub fn new(secure: bool, authority: &str) -> Result<Self, BadValue> {
        let authority = authority.to_ascii_lowercase();
        let letters = |letter: char| letter.is_ascii_alphanumeric() || ".-_:[]".contains(letter);
        if authority.is_empty() || authority.starts_with(':') || !authority.chars().all(letters) {
            return Err(BadValue::Origin);
        }
        let (scheme, own_port) = if secure { ("https", ":443") } else { ("http", ":80") };
        let authority = authority.strip_suffix(own_port).unwrap_or(&authority);
        Ok(Self {
            text: format!("{scheme}://{authority}"),
            secure,
        })
    }

    /// As it stands in an `Origin` header.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether it is reached over TLS.
    pub fn is_secure(&self) -> bool {
        self.secure
    }

    /// Whether it is this very machine: browsers trust the way to it without TLS, since nobody stands on it.
    pub fn is_this_machine(&self) -> bool {
        let authority = self.text.split_once("://").map_or("", |(_, authority)| authority);
        let host = match authority.rsplit_once(':') {
            Some((host, port)) if port.bytes().all(|digit| digit.is_ascii_digit()) => host,
            _ => authority,
        };
        let address = host.trim_matches(['[', ']']).parse::<IpAddr>();
        host == "localhost" || address.is_ok_and(|address| address.is_loopback())
    }
}

impl FromStr for Origin {
    type Err = BadValue;
    fn from_str(text: &str) -> Result<Self, BadValue> {
        let text = text.trim().trim_end_matches('/');
        match text.split_once("://") {
            Some((scheme, authority)) if scheme.eq_ignore_ascii_case("https") => Self::new(true, authority),
            Some((scheme, authority)) if scheme.eq_ignore_ascii_case("http") => Self::new(false, authority),
            _ => Err(BadValue::Origin),
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// A network in CIDR notation (RFC 4632).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    base: u128,
    mask: u128,
}

impl Network {
    /// Whether the address lies in it; IPv4 and IPv4-mapped IPv6 are the same.
    pub fn holds(&self, address: IpAddr) -> bool {
        bits(address) & self.mask == self.base
    }
}

fn bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(four) => four.to_ipv6_mapped().to_bits(),
        IpAddr::V6(six) => Ipv6Addr::to_bits(six),
    }
}

impl FromStr for Network {
    type Err = BadValue;
    fn from_str(text: &str) -> Result<Self, BadValue> {
        let (address, prefix) = text
            .trim()
            .split_once('/')
            .map_or((text.trim(), None), |(a, b)| (a, Some(b)));
        let address: IpAddr = address.parse().map_err(|_| BadValue::Network)?;
        let (width, offset) = if address.is_ipv4() { (32, 96) } else { (128, 0) };
        let prefix: u32 = prefix.map_or(Ok(width), str::parse).map_err(|_| BadValue::Network)?;
        if prefix > width {
            return Err(BadValue::Network);
        }
        let mask = u128::MAX.checked_shl(128 - (prefix + offset)).unwrap_or(0);
        Ok(Self {
            base: bits(address) & mask,
            mask,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_times_are_read_with_their_units() {
        assert_eq!("256MiB".parse(), Ok(Size(256 << 20)));
        assert_eq!("12h".parse(), Ok(Span(Duration::from_secs(43_200))));
        assert_eq!("much".parse::<Size>(), Err(BadValue::Size));
        assert_eq!("5 weeks".parse::<Span>(), Err(BadValue::Span));
    }

    #[test]
    fn an_origin_is_lower_case_and_leaves_out_its_own_port() {
        assert_eq!(
            "HTTPS://Beckon.Example:443/".parse::<Origin>().unwrap().as_str(),
            "https://beckon.example"
        );
        assert_eq!(
            "http://[::1]:8440".parse::<Origin>().unwrap().as_str(),
            "http://[::1]:8440"
        );
        for bad in ["beckon.example", "ftp://x", "http://", "http://a/b", "http://a@b"] {
            assert_eq!(bad.parse::<Origin>(), Err(BadValue::Origin), "{bad}");
        }
    }

    #[test]
    fn a_network_holds_what_lies_in_it() {
        let ten: Network = "10.0.0.0/8".parse().unwrap();
        assert!(ten.holds("10.1.2.3".parse().unwrap()));
        assert!(ten.holds("::ffff:10.1.2.3".parse().unwrap()));
        assert!(!ten.holds("11.0.0.1".parse().unwrap()));
        assert!("::/0".parse::<Network>().unwrap().holds("fe80::1".parse().unwrap()));
        assert!("10.0.0.0/33".parse::<Network>().is_err());
    }
}
