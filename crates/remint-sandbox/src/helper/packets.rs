//! Reads what programs send, from hostile bytes, as far as it says where to: ports, and the names in name queries.

use std::net::{IpAddr, SocketAddr};

use crate::finished::Protocol;

const NAME_SERVICE: u16 = 53;
/// More than any name of the domain name system as text, with room for escapes.
const LONGEST_NAME: usize = 1024;

/// What a packet asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Asked {
    pub(super) destination: String,
    pub(super) protocol: Protocol,
}

/// What a packet to this address asks for outside: a name, an address, or both. Nothing for answers and for what stays
/// at home. The payload begins with the header of the protocol, which is that of TCP or UDP.
pub(super) fn asked(destination: IpAddr, protocol: Protocol, payload: &[u8]) -> Vec<Asked> {
    let mut all = Vec::new();
    let Some(port) = payload.get(2..4).map(be16) else {
        return all;
    };
    if protocol == Protocol::Udp && port == NAME_SERVICE {
        let name = payload
            .get(8..)
            .and_then(Question::read)
            .map(|question| question.name);
        all.extend(name.filter(|name| !is_own_name(name)).map(|name| Asked {
            destination: name,
            protocol: Protocol::Dns,
        }));
    }
    let is_wish = match protocol {
        Protocol::Tcp => {
            const SYN_AND_ACK: u8 = 0x12;
            const SYN: u8 = 0x02;
            payload
                .get(13)
                .is_some_and(|flags| flags & SYN_AND_ACK == SYN)
        }
        Protocol::Udp | Protocol::Dns => true,
    };
    if is_wish && !destination.is_loopback() {
        all.push(Asked {
            destination: SocketAddr::new(destination, port).to_string(),
            protocol,
        });
    }
    all
}

/// Names that every machine answers for itself.
fn is_own_name(name: &str) -> bool {
    name == "localhost" || name.ends_with(".localhost") || name == super::mounts::HOST_NAME
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

/// What holds for any packet of a build's.
#[cfg(any(test, fuzzing))]
pub(crate) fn check_packet(destination: IpAddr, payload: &[u8]) {
    for protocol in [Protocol::Tcp, Protocol::Udp] {
        for asked in asked(destination, protocol, payload) {
            assert!(asked.destination.chars().all(|c| c.is_ascii_graphic()));
            assert!(asked.destination.len() <= 2 * LONGEST_NAME);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn query(labels: &[&[u8]]) -> Vec<u8> {
        let mut message = vec![0xab, 0xcd, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
        for label in labels {
            message.push(u8::try_from(label.len()).unwrap());
            message.extend(*label);
        }
        message.extend([0, 0, 1, 0, 1]);
        message
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

    fn seen(destination: &str, protocol: Protocol, payload: &[u8]) -> Vec<String> {
        asked(destination.parse().unwrap(), protocol, payload)
            .into_iter()
            .map(|asked| format!("{} {}", asked.protocol, asked.destination))
            .collect()
    }

    #[test]
    fn opened_connections_are_seen_and_answers_are_not() {
        const SYN: u8 = 2;
        assert_eq!(
            seen("8.8.8.8", Protocol::Tcp, &tcp(443, SYN)),
            ["tcp 8.8.8.8:443"]
        );
        assert_eq!(
            seen("2001:db8::7", Protocol::Tcp, &tcp(80, SYN)),
            ["tcp [2001:db8::7]:80"]
        );
        for flags in [0x12, 0x10, 0x14, 0x04, 0x11] {
            assert_eq!(
                seen("8.8.8.8", Protocol::Tcp, &tcp(443, flags)),
                [""; 0],
                "{flags:#x}"
            );
        }
    }

    #[test]
    fn what_stays_at_home_is_nobodys_business() {
        assert_eq!(seen("127.0.0.1", Protocol::Tcp, &tcp(4873, 2)), [""; 0]);
        assert_eq!(seen("127.3.2.1", Protocol::Udp, &udp(9, b"x")), [""; 0]);
        assert_eq!(seen("::1", Protocol::Tcp, &tcp(8080, 2)), [""; 0]);
        let own = query(&[b"localhost"]);
        assert_eq!(seen("127.0.0.1", Protocol::Udp, &udp(53, &own)), [""; 0]);
    }

    #[test]
    fn names_are_seen_whomever_they_are_asked_of() {
        let message = query(&[b"Registry", b"npmjs", b"org"]);
        let home = seen("127.0.0.1", Protocol::Udp, &udp(53, &message));
        assert_eq!(home, ["dns registry.npmjs.org"]);
        let away = seen("8.8.4.4", Protocol::Udp, &udp(53, &message));
        assert_eq!(away, ["dns registry.npmjs.org", "udp 8.8.4.4:53"]);
    }

    #[test]
    fn datagrams_are_seen() {
        assert_eq!(
            seen("1.2.3.4", Protocol::Udp, &udp(123, b"time?")),
            ["udp 1.2.3.4:123"]
        );
    }

    #[test]
    fn hostile_names_are_made_harmless() {
        let escape = query(&[b"\x1b[31m", b"a.b\0"]);
        assert_eq!(
            seen("127.0.0.1", Protocol::Udp, &udp(53, &escape)),
            [r"dns \u{1b}\u{5b}31m.a\u{2e}b\u{0}"]
        );
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
        let address = "8.8.8.8".parse().unwrap();
        let whole = udp(53, &query(&[b"example", b"org"]));
        for cut in 0..whole.len() {
            asked(address, Protocol::Udp, &whole[..cut]);
            asked(address, Protocol::Tcp, &whole[..cut]);
            no_such_name(&whole[cut..]);
            for value in [0, 0x3f, 0x40, 0xc0, 0xff] {
                let mut changed = whole.clone();
                changed[cut] = value;
                asked(address, Protocol::Udp, &changed);
                no_such_name(&changed[8..]);
            }
        }
    }

    proptest! {
        #[test]
        fn no_packet_panics_and_no_name_hides_what_it_is(
            bytes: Vec<u8>,
            labels in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..64), 0..5),
            destination: IpAddr,
        ) {
            let labels: Vec<&[u8]> = labels.iter().map(Vec::as_slice).collect();
            let message = query(&labels);
            for payload in [bytes.clone(), udp(53, &bytes), udp(53, &message), tcp(53, 2)] {
                check_packet(destination, &payload);
            }
            for message in [bytes, message] {
                if let Some(answer) = no_such_name(&message) {
                    prop_assert!(answer.len() <= message.len());
                    prop_assert_eq!(no_such_name(&answer), None);
                }
            }
        }
    }
}
