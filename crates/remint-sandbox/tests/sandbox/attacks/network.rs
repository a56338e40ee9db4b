//! Attacks on the network, and through sockets.

use std::os::unix::net::{SocketAddr, UnixStream};

use super::{call, gained, not_refused_with};

pub(super) fn open_a_strange_socket(_: &[&str]) -> Vec<String> {
    let mut gains = Vec::new();
    let stream = libc::SOCK_STREAM;
    for (name, family, kind, protocol) in [
        ("vsock", libc::AF_VSOCK, stream, 0),
        ("alg", libc::AF_ALG, libc::SOCK_SEQPACKET, 0),
        ("packet", libc::AF_PACKET, libc::SOCK_RAW, 0x300),
        ("key", libc::AF_KEY, libc::SOCK_RAW, 2),
        ("bluetooth", libc::AF_BLUETOOTH, libc::SOCK_RAW, 1),
        ("xdp", libc::AF_XDP, libc::SOCK_RAW, 0),
        ("tipc", libc::AF_TIPC, stream, 0),
        ("can", libc::AF_CAN, libc::SOCK_RAW, 1),
        ("raw", libc::AF_INET, libc::SOCK_RAW, libc::IPPROTO_ICMP),
        (
            "raw, close on exec",
            libc::AF_INET6,
            libc::SOCK_RAW | libc::SOCK_CLOEXEC,
            58,
        ),
        ("ping", libc::AF_INET, libc::SOCK_DGRAM, libc::IPPROTO_ICMP),
        ("sctp", libc::AF_INET, stream, libc::IPPROTO_SCTP),
        ("sctp unnamed", libc::AF_INET6, libc::SOCK_SEQPACKET, 0),
        (
            "udplite",
            libc::AF_INET,
            libc::SOCK_DGRAM,
            libc::IPPROTO_UDPLITE,
        ),
        ("old packet", libc::AF_INET, 10, 0x300),
        ("audit", libc::AF_NETLINK, libc::SOCK_RAW, 9),
        ("netfilter", libc::AF_NETLINK, libc::SOCK_RAW, 12),
        ("uevent", libc::AF_NETLINK, libc::SOCK_RAW, 15),
    ] {
        let words = [family, kind, protocol].map(libc::c_long::from);
        let opened = call(libc::SYS_socket, [words[0], words[1], words[2], 0, 0]);
        gains.extend(not_refused_with(libc::EAFNOSUPPORT, name, opened));
    }
    let mut ends = [0; 2];
    // SAFETY: there is room for two descriptors.
    let pair = unsafe { libc::socketpair(libc::AF_TIPC, stream, 0, ends.as_mut_ptr()) };
    gains.extend((pair == 0).then(|| "pair of tipc".to_owned()));
    gains
}

/// Words: a TCP port on the host's loopback, an abstract name, and the path of a socket.
pub(super) fn reach_the_host_s_services(words: &[&str]) -> Vec<String> {
    use std::os::linux::net::SocketAddrExt as _;
    let [port, name, path] = words else {
        panic!("which services?");
    };
    let mut gains = Vec::new();
    for host in [
        "127.0.0.1",
        "[::1]",
        "0.0.0.0",
        "169.254.169.254",
        "10.0.2.2",
        "172.17.0.1",
    ] {
        let address = format!("{host}:{port}");
        gains.extend(gained(&address, std::net::TcpStream::connect(&address)));
    }
    let address = SocketAddr::from_abstract_name(name).unwrap();
    gains.extend(gained(
        "the abstract socket",
        UnixStream::connect_addr(&address),
    ));
    gains.extend(gained("the socket", UnixStream::connect(path)));
    gains
}

pub(super) fn change_the_network(_: &[&str]) -> Vec<String> {
    let mut gains = Vec::new();
    let interfaces = fs_err::read_to_string("/proc/net/dev").unwrap();
    gains.extend((interfaces.lines().count() != 3).then_some(interfaces));
    // SAFETY: all-zero is a valid `ifreq`.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    for (place, byte) in request.ifr_name.iter_mut().zip(b"lo") {
        *place = *byte as libc::c_char;
    }
    // SAFETY: a plain socket.
    let socket = unsafe { libc::socket(libc::AF_INET, libc::SOCK_DGRAM, 0) };
    assert!(socket >= 0);
    // SAFETY: the request outlives the call, and names an interface and no flags: down.
    let down = unsafe { libc::ioctl(socket, libc::SIOCSIFFLAGS, &raw mut request) };
    gains.extend((down == 0).then(|| "the loopback is down".to_owned()));
    gains
}
