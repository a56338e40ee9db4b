//! Which network addresses a URL from metadata may lead to: public ones, whatever is fetched from there.
//!
//! Metadata is written by strangers; without this, a package could make remint talk to a router, a cloud's
//! metadata service or a database on the same machine.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, ToSocketAddrs as _};

/// Who chose a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Will {
    /// A stranger, in metadata: public addresses only.
    Metadata,
    /// The user.
    User,
}

/// Why a host is not contacted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Unfit {
    /// It resolves to an address that is not public.
    Private(IpAddr),
    /// It does not resolve.
    Unresolved(String),
}

/// The addresses of a host, when every one of them is public.
pub(crate) fn public_addresses(host: &str, port: u16) -> Result<Vec<IpAddr>, Unfit> {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let addresses: Vec<IpAddr> = match bare.parse() {
        Ok(address) => vec![address],
        Err(_) => (bare, port)
            .to_socket_addrs()
            .map_err(|error| Unfit::Unresolved(error.to_string()))?
            .map(|address| address.ip())
            .collect(),
    };
    if addresses.is_empty() {
        return Err(Unfit::Unresolved("no address".to_owned()));
    }
    match addresses.iter().find(|address| !is_public(**address)) {
        Some(address) => Err(Unfit::Private(*address)),
        None => Ok(addresses),
    }
}

/// Whether an address belongs to the public internet (IANA's special-purpose registries, RFC 6890).
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let shared = a == 100 && (64..128).contains(&b);
    let benchmark = a == 198 && (18..20).contains(&b);
    let protocol_assignments = a == 192 && b == 0 && c == 0;
    !(a == 0
        || a >= 224
        || address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_documentation()
        || shared
        || benchmark
        || protocol_assignments)
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let [first, second, third, fourth, fifth, sixth, seventh, eighth] = address.segments();
    let embedded = |high: u16, low: u16| {
        let [a, b] = high.to_be_bytes();
        let [c, d] = low.to_be_bytes();
        Ipv4Addr::new(a, b, c, d)
    };
    if let Some(mapped) = address.to_ipv4_mapped() {
        return is_public_v4(mapped);
    }
    match first {
        // NAT64 and 6to4 carry an IPv4 address that is what is really reached.
        0x0064 if [second, third, fourth, fifth, sixth] == [0xff9b, 0, 0, 0, 0] => {
            is_public_v4(embedded(seventh, eighth))
        }
        0x2002 => is_public_v4(embedded(second, third)),
        // Teredo, ORCHID and the other protocol assignments; documentation.
        0x2001 if second < 0x0200 || second == 0x0db8 => false,
        0x3fff if second < 0x1000 => false,
        // Global unicast is 2000::/3; all else is local, reserved or multicast.
        _ => first & 0xe000 == 0x2000,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_that_are_not_public_are_told_apart() {
        for text in [
            "0.0.0.0",
            "10.1.2.3",
            "100.64.0.1",
            "127.0.0.1",
            "169.254.169.254",
            "172.16.0.1",
            "192.168.1.1",
            "192.0.0.8",
            "198.18.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "64:ff9b::7f00:1",
            // For local use, whatever is embedded.
            "64:ff9b:1::1",
            "64:ff9b:1::8c52:7003",
            "64:ff9b:0:1::8c52:7003",
            "2002:7f00:1::",
            "2001::1",
            "2001:db8::1",
            "3fff::1",
            "3fff:fff::1",
            "fc00::1",
            "fe80::1",
            "ff02::1",
            "::7f00:1",
        ] {
            assert!(!is_public(text.parse().unwrap()), "{text}");
        }
        for text in [
            "140.82.112.3",
            "1.1.1.1",
            "172.32.0.1",
            "100.128.0.1",
            "2606:50c0::1",
            "3fff:1000::1",
            "64:ff9b::8c52:7003",
            "::ffff:140.82.112.3",
        ] {
            assert!(is_public(text.parse().unwrap()), "{text}");
        }
    }

    #[test]
    fn a_literal_address_needs_no_name_service() {
        assert_eq!(
            public_addresses("127.0.0.1", 443),
            Err(Unfit::Private(Ipv4Addr::LOCALHOST.into()))
        );
        assert_eq!(
            public_addresses("[::1]", 443),
            Err(Unfit::Private(Ipv6Addr::LOCALHOST.into()))
        );
        assert!(public_addresses("1.1.1.1", 443).is_ok());
    }

    #[test]
    fn spellings_that_only_some_resolvers_read_as_loopback_stay_out() {
        // The system resolver decides; whatever it makes of them must not be public.
        for host in ["localhost", "0x7f000001", "2130706433", "127.1"] {
            assert!(public_addresses(host, 443).is_err(), "{host}");
        }
    }
}
