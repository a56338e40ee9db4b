//! The inside's network: a loopback to which every address of the world leads, so that whatever is asked for
//! arrives there, is seen, and is refused.

use std::io;
use std::net::TcpListener;
use std::os::fd::{AsFd as _, OwnedFd};

use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType};

use super::{During as _, Step};
use crate::command::{Network, PROXY_ADDRESS};

/// The loopback is the first interface of every network namespace.
const LOOPBACK: u32 = 1;

/// Brings the loopback up, and opens the proxy's socket if there is to be one.
pub(super) fn prepare(network: Network) -> Step<Option<TcpListener>> {
    let socket = rustix::net::socket_with(
        AddressFamily::NETLINK,
        SocketType::RAW,
        SocketFlags::CLOEXEC,
        None,
    )
    .during("open the kernel's network settings")?;
    exchange(&socket, &loopback_up()).during("bring the loopback up")?;
    exchange(&socket, &everything_is_local(libc::AF_INET))
        .during("lead all addresses to the loopback")?;
    // A kernel without IPv6 has nothing to lead.
    let _without_ipv6 = exchange(&socket, &everything_is_local(libc::AF_INET6));
    match network {
        Network::None => Ok(None),
        Network::Proxy => TcpListener::bind(PROXY_ADDRESS)
            .during("listen for the proxy")
            .map(Some),
    }
}

fn loopback_up() -> Vec<u8> {
    let up = libc::IFF_UP.cast_unsigned();
    let mut body = vec![0; 4];
    body.extend(LOOPBACK.to_ne_bytes());
    body.extend(up.to_ne_bytes());
    body.extend(up.to_ne_bytes());
    request(libc::RTM_NEWLINK, 0, &body)
}

/// `ip route add local default dev lo table local`
fn everything_is_local(family: i32) -> Vec<u8> {
    let mut body = vec![
        u8::try_from(family).unwrap_or_default(),
        0, // any destination
        0, // any source
        0, // any service
        libc::RT_TABLE_LOCAL,
        libc::RTPROT_STATIC,
        libc::RT_SCOPE_HOST,
        libc::RTN_LOCAL,
    ];
    body.extend(0_u32.to_ne_bytes());
    body.extend(8_u16.to_ne_bytes());
    body.extend(libc::RTA_OIF.to_ne_bytes());
    body.extend(LOOPBACK.to_ne_bytes());
    request(
        libc::RTM_NEWROUTE,
        libc::NLM_F_CREATE | libc::NLM_F_EXCL,
        &body,
    )
}

/// A netlink message that asks for an answer: header, then body.
fn request(kind: u16, flags: i32, body: &[u8]) -> Vec<u8> {
    let flags = libc::NLM_F_REQUEST | libc::NLM_F_ACK | flags;
    let mut message = Vec::with_capacity(16 + body.len());
    message.extend(
        u32::try_from(16 + body.len())
            .unwrap_or_default()
            .to_ne_bytes(),
    );
    message.extend(kind.to_ne_bytes());
    message.extend(u16::try_from(flags).unwrap_or_default().to_ne_bytes());
    message.extend(1_u32.to_ne_bytes());
    message.extend(0_u32.to_ne_bytes());
    message.extend(body);
    message
}

fn exchange(socket: &OwnedFd, message: &[u8]) -> io::Result<()> {
    rustix::net::send(socket.as_fd(), message, SendFlags::empty())?;
    let mut answer = [0; 1024];
    let (_, length) = rustix::net::recv(socket.as_fd(), &mut answer, RecvFlags::empty())?;
    let word = answer
        .get(..length)
        .and_then(|answer| answer.get(16..20))
        .and_then(|word| word.try_into().ok())
        .map(i32::from_ne_bytes)
        .ok_or(io::ErrorKind::InvalidData)?;
    if word == 0 {
        Ok(())
    } else {
        Err(io::Error::from_raw_os_error(-word))
    }
}
