//! Sees and counts what the inside asks of the world, and answers name queries with "no such name".
//!
//! It stands outside of the inside's process namespace, so that nothing there can disturb it.

use std::collections::HashMap;
use std::io;
use std::net::UdpSocket;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};

use rustix::net::{AddressFamily, Protocol as LinkProtocol, RecvFlags, SocketFlags, SocketType};

use super::packets::{Asked, asked, no_such_name};
use super::socket_filter::{self, PACKET_SIZE};
use super::{Caller, During as _, Step};
use crate::finished::NetworkAttempt;
use crate::wire::Report;

/// A program that asks for more destinations than this is not described better by a longer list.
const MOST_DESTINATIONS: usize = 512;
/// How many packets are read from one socket before the others get their turn.
const BATCH: usize = 256;
const RECEIVE_BUFFER: usize = 4 << 20;

pub(super) struct Observer {
    sniffers: Vec<OwnedFd>,
    name_servers: Vec<UdpSocket>,
    seen: HashMap<(String, crate::finished::Protocol), Count>,
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
        let mut sniffers = Vec::new();
        for (kind, filter) in [
            (libc::ETH_P_IP, socket_filter::IPV4),
            (libc::ETH_P_IPV6, socket_filter::IPV6),
        ] {
            sniffers.push(sniffer(kind, filter).during("observe the network")?);
        }
        let mut name_servers = Vec::new();
        for address in ["127.0.0.1:53", "[::1]:53"] {
            match UdpSocket::bind(address) {
                Ok(socket) => {
                    socket.set_nonblocking(true).during("answer name queries")?;
                    name_servers.push(socket);
                }
                // A kernel without IPv6: then nobody can ask there either.
                Err(_) if address.starts_with('[') => {}
                Err(error) => return Err(error).during("answer name queries"),
            }
        }
        let unlisted = Count::default();
        Ok(Self {
            sniffers,
            name_servers,
            seen: HashMap::new(),
            unlisted,
        })
    }

    pub(super) fn sockets(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        let sniffers = self.sniffers.iter().map(|socket| socket.as_fd());
        sniffers.chain(self.name_servers.iter().map(|socket| socket.as_fd()))
    }

    /// Reads what has arrived, and tells the caller about destinations that are new.
    pub(super) fn look(&mut self, caller: &Caller) {
        let mut packet = [0; PACKET_SIZE as usize];
        for index in 0..self.sniffers.len() {
            for _ in 0..BATCH {
                let Some(socket) = self.sniffers.get(index) else {
                    break;
                };
                let Ok((_, length)) =
                    rustix::net::recv(socket, &mut packet, RecvFlags::DONTWAIT | RecvFlags::TRUNC)
                else {
                    break;
                };
                for asked in asked(packet.get(..length).unwrap_or(&packet)) {
                    self.note(asked, caller);
                }
            }
        }
        for socket in &self.name_servers {
            for _ in 0..BATCH {
                let Ok((length, from)) = socket.recv_from(&mut packet) else {
                    break;
                };
                if let Some(answer) = packet.get(..length).and_then(no_such_name) {
                    // Who asks and does not take the answer has nothing to complain about.
                    let _unanswered = socket.send_to(&answer, from);
                }
            }
        }
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
        // The kernel's queue is bounded, and nobody is left to fill it.
        for _ in 0..64 {
            self.look(caller);
        }
        for socket in &self.sniffers {
            self.unlisted.now = self.unlisted.now.saturating_add(lost(socket.as_fd()));
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

fn sniffer(kind: i32, filter: &[libc::sock_filter]) -> io::Result<OwnedFd> {
    let network_order = u32::from(u16::try_from(kind).unwrap_or_default().to_be());
    let protocol = std::num::NonZeroU32::new(network_order).map(LinkProtocol::from_raw);
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket =
        rustix::net::socket_with(AddressFamily::PACKET, SocketType::DGRAM, flags, protocol)?;
    rustix::net::sockopt::set_socket_recv_buffer_size_force(&socket, RECEIVE_BUFFER)
        .or_else(|_| rustix::net::sockopt::set_socket_recv_buffer_size(&socket, RECEIVE_BUFFER))?;
    socket_filter::attach(socket.as_fd(), filter)?;
    Ok(socket)
}

/// Packets that came while the queue was full.
fn lost(socket: BorrowedFd<'_>) -> u64 {
    socket_filter::statistics(socket).map_or(0, |statistics| u64::from(statistics.tp_drops))
}
