//! Sees and counts what the inside asks of the world, and answers name queries with "no such name".
//!
//! It stands outside of the inside's process namespace, so that nothing there can disturb it.

use std::collections::HashMap;
use std::io;
use std::net::UdpSocket;
use std::os::fd::{AsFd as _, BorrowedFd};

use rustix::net::AddressFamily;

use super::packets::{Asked, asked, no_such_name};
use super::raw_socket::RawSocket;
use super::{Caller, During as _, Step};
use crate::finished::{NetworkAttempt, Protocol};
use crate::wire::Report;

/// A program that asks for more destinations than this is not described better by a longer list.
const MOST_DESTINATIONS: usize = 512;
/// How many packets are read from one socket before the others get their turn.
const BATCH: usize = 256;
/// Longer ones do not come over UDP from programs that mean it.
const LONGEST_QUERY: usize = 2048;

pub(super) struct Observer {
    arrivals: Vec<RawSocket>,
    name_servers: Vec<UdpSocket>,
    seen: HashMap<(String, Protocol), Count>,
    unlisted: Count,
}

#[derive(Default)]
struct Count {
    now: u64,
    reported: u64,
}

impl Observer {
    /// Starts to look. Needs the rights over the network namespace, which can be given up afterwards.
    pub(super) fn start() -> Step<Self> {
        let mut arrivals = Vec::new();
        let mut name_servers = Vec::new();
        for (family, address) in [
            (AddressFamily::INET, "127.0.0.1:53"),
            (AddressFamily::INET6, "[::1]:53"),
        ] {
            let open = || -> io::Result<_> {
                let name_server = UdpSocket::bind(address)?;
                name_server.set_nonblocking(true)?;
                let tcp = RawSocket::open(family, Protocol::Tcp)?;
                let udp = RawSocket::open(family, Protocol::Udp)?;
                Ok((name_server, [tcp, udp]))
            };
            match open() {
                Ok((name_server, sockets)) => {
                    name_servers.push(name_server);
                    arrivals.extend(sockets);
                }
                // A kernel without IPv6: then nobody can ask for it either.
                Err(error) if family == AddressFamily::INET6 && is_unknown(&error) => {}
                Err(error) => return Err(error).during("observe the network"),
            }
        }
        let unlisted = Count::default();
        Ok(Self {
            arrivals,
            name_servers,
            seen: HashMap::new(),
            unlisted,
        })
    }

    pub(super) fn sockets(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        let arrivals = self.arrivals.iter().map(|socket| socket.as_fd());
        arrivals.chain(self.name_servers.iter().map(|socket| socket.as_fd()))
    }

    /// Reads what has arrived, and tells the caller about destinations that are new. False if there was nothing.
    pub(super) fn look(&mut self, caller: &Caller) -> bool {
        let mut has_come = false;
        for index in 0..self.arrivals.len() {
            for _ in 0..BATCH {
                let Some(packet) = self.arrivals.get(index).and_then(RawSocket::receive) else {
                    break;
                };
                has_come = true;
                for asked in asked(packet.destination, packet.protocol, packet.payload()) {
                    self.note(asked, caller);
                }
            }
        }
        let mut query = [0; LONGEST_QUERY];
        for socket in &self.name_servers {
            for _ in 0..BATCH {
                let Ok((length, from)) = socket.recv_from(&mut query) else {
                    break;
                };
                has_come = true;
                if let Some(answer) = query.get(..length).and_then(no_such_name) {
                    // Who asks and does not take the answer has nothing to complain about.
                    let _unanswered = socket.send_to(&answer, from);
                }
            }
        }
        has_come
    }

    fn note(&mut self, asked: Asked, caller: &Caller) {
        let is_full = self.seen.len() >= MOST_DESTINATIONS;
        let key = (asked.destination, asked.protocol);
        let count = match self.seen.get_mut(&key) {
            Some(count) => count,
            None if is_full => &mut self.unlisted,
            None => {
                let (destination, protocol) = key.clone();
                caller.report(&Report::Attempt(NetworkAttempt {
                    destination,
                    protocol,
                    count: 1,
                }));
                self.seen.entry(key).or_insert(Count {
                    now: 0,
                    reported: 1,
                })
            }
        };
        count.now = count.now.saturating_add(1);
    }

    /// Reads the rest, and tells the caller how often everything was asked for.
    pub(super) fn finish(mut self, caller: &Caller) {
        // Nobody is left who could ask for more.
        while self.look(caller) {}
        for socket in &self.arrivals {
            self.unlisted.now = self.unlisted.now.saturating_add(socket.lost());
        }
        for ((destination, protocol), count) in self.seen {
            if count.now != count.reported {
                let count = count.now;
                caller.report(&Report::Attempt(NetworkAttempt {
                    destination,
                    protocol,
                    count,
                }));
            }
        }
        if self.unlisted.now > 0 {
            caller.report(&Report::Unlisted(self.unlisted.now));
        }
    }
}

fn is_unknown(error: &io::Error) -> bool {
    matches!(
        error.raw_os_error(),
        Some(libc::EAFNOSUPPORT | libc::EADDRNOTAVAIL)
    )
}
