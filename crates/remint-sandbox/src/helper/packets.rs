//! Reads what programs send: IP headers and name queries, from hostile bytes, as far as they say where to.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::finished::Protocol;

const TCP: u8 = 6;
const UDP: u8 = 17;
const ICMP: u8 = 1;
const ICMPV6: u8 = 58;
const NAME_SERVICE: u16 = 53;
/// More than any name of the domain name system as text, with room for escapes.
const LONGEST_NAME: usize = 1024;

/// What a packet asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Asked {
    pub(super) destination: String,
    pub(super) protocol: Protocol,
}

/// What the packet asks for outside: a name, an address, or both. Nothing for answers and for what stays at home.
pub(super) fn asked(packet: &[u8]) -> Vec<Asked> {
    let Some(header) = Header::read(packet) else {
        return Vec::new();
    };
    let mut all = Vec::new();
    let port = header.payload.get(2..4).map(be16);
    if header.protocol == UDP && port == Some(NAME_SERVICE) {
        let name = header
            .payload
            .get(8..)
            .and_then(Question::read)
            .map(|question| question.name);
        all.extend(name.filter(|name| !is_own_name(name)).map(|name| Asked {
            destination: name,
            protocol: Protocol::Dns,
        }));
    }
    if header.destination.is_loopback() {
        return all;
    }
    let address = |port| SocketAddr::new(header.destination, port).to_string();
    match (header.protocol, port) {
        (TCP, Some(port)) => {
            let flags = header.payload.get(13).copied().unwrap_or_default();
            const SYN_AND_ACK: u8 = 0x12;
            const SYN: u8 = 0x02;
            if flags & SYN_AND_ACK == SYN {
                all.push(Asked {
                    destination: address(port),
                    protocol: Protocol::Tcp,
                });
            }
        }
        (UDP, Some(port)) => {
            all.push(Asked {
                destination: address(port),
                protocol: Protocol::Udp,
            });
        }
        // Of these the kernel itself sends many; only an echo request is somebody's wish.
        (ICMP, _) if header.payload.first() != Some(&8) => {}
        (ICMPV6, _) if header.payload.first() != Some(&128) => {}
        (other, _) => all.push(Asked {
            destination: header.destination.to_string(),
            protocol: Protocol::Other(other),
        }),
    }
    all
}

/// Names that every machine answers for itself.
fn is_own_name(name: &str) -> bool {
    name == "localhost" || name.ends_with(".localhost") || name == super::mounts::HOST_NAME
}

struct Header<'packet> {
    destination: IpAddr,
    protocol: u8,
    payload: &'packet [u8],
}

impl<'packet> Header<'packet> {
    fn read(packet: &'packet [u8]) -> Option<Self> {
        match packet.first()? >> 4 {
            4 => {
                let length = usize::from(packet.first()? & 0xf) * 4;
                let fragment_offset = be16(packet.get(6..8)?) & 0x1fff;
                let destination: [u8; 4] = packet.get(16..20)?.try_into().ok()?;
                Some(Self {
                    destination: Ipv4Addr::from(destination).into(),
                    protocol: *packet.get(9)?,
                    // Later pieces have no ports, and follow a first one that has.
                    payload: if fragment_offset == 0 {
                        packet.get(length..)?
                    } else {
                        return None;
                    },
                })
            }
            6 => {
                let destination: [u8; 16] = packet.get(24..40)?.try_into().ok()?;
                Some(Self {
                    destination: Ipv6Addr::from(destination).into(),
                    protocol: *packet.get(6)?,
                    payload: packet.get(40..)?,
                })
            }
            _ => None,
        }
    }
}

/// The first question of a name query.
struct Question {
    name: String,
    end: usize,
}

impl Question {
    fn read(message: &[u8]) -> Option<Self> {
        let is_answer = message.get(2)? & 0x80 != 0;
        if is_answer || be16(message.get(4..6)?) == 0 {
            return None;
        }
        let mut name = String::new();
        let mut position = 12;
        loop {
            let length = usize::from(*message.get(position)?);
            position += 1;
            // A pointer has no place in a question, which has nothing before it to point at.
            if length > 63 || name.len() > LONGEST_NAME {
                return None;
            }
            if length == 0 {
                break;
            }
            let label = message.get(position..position + length)?;
            position += length;
            if !name.is_empty() {
                name.push('.');
            }
            for byte in label {
                match byte.to_ascii_lowercase() {
                    plain @ (b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_') => {
                        name.push(char::from(plain));
                    }
                    other => name.extend(char::from(other).escape_unicode()),
                }
            }
        }
        (!name.is_empty()).then_some(Self {
            name,
            end: position + 4,
        })
    }
}

/// The answer that there is no such name, to a message that asks for one.
pub(super) fn no_such_name(query: &[u8]) -> Option<Vec<u8>> {
    let question = Question::read(query)?;
    let mut answer = query.get(..question.end)?.to_vec();
    let recursion_wished = query.get(2)? & 0x01;
    let header = [0x84 | recursion_wished, 0x83, 0, 1, 0, 0, 0, 0, 0, 0];
    answer.get_mut(2..12)?.copy_from_slice(&header);
    Some(answer)
}

fn be16(bytes: &[u8]) -> u16 {
    match bytes {
        [high, low] => u16::from_be_bytes([*high, *low]),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(labels: &[&[u8]]) -> Vec<u8> {
        let mut message = vec![0xab, 0xcd, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
        for label in labels {
            message.push(u8::try_from(label.len()).unwrap());
            message.extend(*label);
        }
        message.extend([0, 0, 1, 0, 1]);
        message
    }

    fn ipv4(destination: [u8; 4], protocol: u8, payload: &[u8]) -> Vec<u8> {
        let mut packet = vec![0x45, 0, 0, 0, 0, 0, 0, 0, 64, protocol, 0, 0, 10, 0, 0, 1];
        packet.extend(destination);
        packet.extend(payload);
        packet
    }

    fn ipv6(destination: Ipv6Addr, protocol: u8, payload: &[u8]) -> Vec<u8> {
        let mut packet = vec![0x60, 0, 0, 0, 0, 0, protocol, 64];
        packet.extend([0; 16]);
        packet.extend(destination.octets());
        packet.extend(payload);
        packet
    }

    fn tcp(port: u16, flags: u8) -> Vec<u8> {
        let mut segment = vec![0x80, 0];
        segment.extend(port.to_be_bytes());
        segment.extend([0; 8]);
        segment.extend([0x50, flags, 0, 0, 0, 0, 0, 0]);
        segment
    }

    fn udp(port: u16, payload: &[u8]) -> Vec<u8> {
        let mut datagram = vec![0x80, 0];
        datagram.extend(port.to_be_bytes());
        datagram.extend([0; 4]);
        datagram.extend(payload);
        datagram
    }

    fn seen(packet: &[u8]) -> Vec<String> {
        asked(packet)
            .into_iter()
            .map(|asked| format!("{} {}", asked.protocol, asked.destination))
            .collect()
    }

    #[test]
    fn opened_connections_are_seen_and_answers_are_not() {
        const SYN: u8 = 2;
        assert_eq!(
            seen(&ipv4([8, 8, 8, 8], TCP, &tcp(443, SYN))),
            ["tcp 8.8.8.8:443"]
        );
        let far = "2001:db8::7".parse().unwrap();
        assert_eq!(
            seen(&ipv6(far, TCP, &tcp(80, SYN))),
            ["tcp [2001:db8::7]:80"]
        );
        for flags in [0x12, 0x10, 0x14, 0x04, 0x11] {
            assert_eq!(
                seen(&ipv4([8, 8, 8, 8], TCP, &tcp(443, flags))),
                [""; 0],
                "{flags:#x}"
            );
        }
    }

    #[test]
    fn what_stays_at_home_is_nobodys_business() {
        assert_eq!(seen(&ipv4([127, 0, 0, 1], TCP, &tcp(4873, 2))), [""; 0]);
        assert_eq!(seen(&ipv4([127, 3, 2, 1], UDP, &udp(9, b"x"))), [""; 0]);
        assert_eq!(
            seen(&ipv6(Ipv6Addr::LOCALHOST, TCP, &tcp(8080, 2))),
            [""; 0]
        );
        let own = query(&[b"localhost"]);
        assert_eq!(seen(&ipv4([127, 0, 0, 1], UDP, &udp(53, &own))), [""; 0]);
    }

    #[test]
    fn names_are_seen_whomever_they_are_asked_of() {
        let message = query(&[b"Registry", b"npmjs", b"org"]);
        let home = ipv4([127, 0, 0, 1], UDP, &udp(53, &message));
        assert_eq!(seen(&home), ["dns registry.npmjs.org"]);
        let away = ipv4([8, 8, 4, 4], UDP, &udp(53, &message));
        assert_eq!(seen(&away), ["dns registry.npmjs.org", "udp 8.8.4.4:53"]);
    }

    #[test]
    fn hostile_names_are_made_harmless() {
        let escape = query(&[b"\x1b[31m", b"a.b\0"]);
        assert_eq!(
            seen(&ipv4([127, 0, 0, 1], UDP, &udp(53, &escape))),
            [r"dns \u{1b}\u{5b}31m.a\u{2e}b\u{0}"]
        );
    }

    #[test]
    fn datagrams_and_pings_are_seen() {
        assert_eq!(
            seen(&ipv4([1, 2, 3, 4], UDP, &udp(123, b"time?"))),
            ["udp 1.2.3.4:123"]
        );
        assert_eq!(seen(&ipv4([1, 2, 3, 4], ICMP, &[8, 0])), ["ip-1 1.2.3.4"]);
        assert_eq!(seen(&ipv4([1, 2, 3, 4], ICMP, &[3, 3])), [""; 0]);
        assert_eq!(seen(&ipv4([1, 2, 3, 4], 132, &[])), ["ip-132 1.2.3.4"]);
    }

    #[test]
    fn a_query_is_answered_with_no_such_name() {
        let message = query(&[b"example", b"org"]);
        let answer = no_such_name(&message).unwrap();
        assert_eq!(answer[..2], message[..2], "identifier");
        assert_eq!(answer[2] & 0x80, 0x80, "is an answer");
        assert_eq!(answer[3] & 0x0f, 3, "NXDOMAIN");
        assert_eq!(answer[12..], message[12..], "question");
        assert_eq!(no_such_name(&answer), None, "an answer is not answered");
    }

    #[test]
    fn no_bytes_whatever_cause_a_panic() {
        let whole = ipv4([8, 8, 8, 8], UDP, &udp(53, &query(&[b"example", b"org"])));
        for cut in 0..whole.len() {
            asked(&whole[..cut]);
            no_such_name(&whole[cut..]);
            for value in [0, 0x3f, 0x40, 0xc0, 0xff] {
                let mut changed = whole.clone();
                changed[cut] = value;
                asked(&changed);
                no_such_name(&changed[28..]);
            }
        }
    }
}
