//! A filter in the kernel that lets only packets to elsewhere, and name queries, reach the observer: what
//! programs inside send to each other may be much.

use std::io;
use std::os::fd::{AsRawFd as _, BorrowedFd};

/// The most that is looked at of a packet.
pub(super) const PACKET_SIZE: u32 = 2048;

const ACCEPT: libc::sock_filter = statement(libc::BPF_RET | libc::BPF_K, PACKET_SIZE);
const DROP: libc::sock_filter = statement(libc::BPF_RET | libc::BPF_K, 0);
const UDP: u32 = 17;
const NAME_SERVICE: u32 = 53;

/// For packets that begin with an IPv4 header.
pub(super) const IPV4: &[libc::sock_filter] = &[
    word_at(16),
    statement(libc::BPF_ALU | libc::BPF_AND | libc::BPF_K, 0xff00_0000),
    unless_equal(0x7f00_0000, 5),
    byte_at(9),
    unless_equal(UDP, 4),
    statement(libc::BPF_LDX | libc::BPF_B | libc::BPF_MSH, 0),
    statement(libc::BPF_LD | libc::BPF_H | libc::BPF_IND, 2),
    unless_equal(NAME_SERVICE, 1),
    ACCEPT,
    DROP,
];

/// For packets that begin with an IPv6 header.
pub(super) const IPV6: &[libc::sock_filter] = &[
    word_at(24),
    unless_equal(0, 10),
    word_at(28),
    unless_equal(0, 8),
    word_at(32),
    unless_equal(0, 6),
    word_at(36),
    unless_equal(1, 4),
    byte_at(6),
    unless_equal(UDP, 3),
    half_word_at(42),
    unless_equal(NAME_SERVICE, 1),
    ACCEPT,
    DROP,
];

pub(super) fn attach(socket: BorrowedFd<'_>, filter: &[libc::sock_filter]) -> io::Result<()> {
    let program = libc::sock_fprog {
        len: u16::try_from(filter.len()).map_err(|_| io::ErrorKind::InvalidInput)?,
        filter: filter.as_ptr().cast_mut(),
    };
    let size = libc::socklen_t::try_from(size_of::<libc::sock_fprog>())
        .map_err(|_| io::ErrorKind::InvalidInput)?;
    // SAFETY: `program` and the instructions it points to outlive the call, which only reads them.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_ATTACH_FILTER,
            (&raw const program).cast(),
            size,
        )
    };
    if result == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

const fn statement(code: u32, operand: u32) -> libc::sock_filter {
    libc::sock_filter {
        code: code as u16,
        jt: 0,
        jf: 0,
        k: operand,
    }
}

const fn word_at(offset: u32) -> libc::sock_filter {
    statement(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, offset)
}

const fn half_word_at(offset: u32) -> libc::sock_filter {
    statement(libc::BPF_LD | libc::BPF_H | libc::BPF_ABS, offset)
}

const fn byte_at(offset: u32) -> libc::sock_filter {
    statement(libc::BPF_LD | libc::BPF_B | libc::BPF_ABS, offset)
}

/// Goes on if equal, else leaves out so many instructions.
const fn unless_equal(value: u32, otherwise: u8) -> libc::sock_filter {
    libc::sock_filter {
        code: (libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K) as u16,
        jt: 0,
        jf: otherwise,
        k: value,
    }
}

/// What the kernel counted since it was asked last.
pub(super) fn statistics(socket: BorrowedFd<'_>) -> io::Result<libc::tpacket_stats> {
    let mut statistics = libc::tpacket_stats {
        tp_packets: 0,
        tp_drops: 0,
    };
    let mut size = libc::socklen_t::try_from(size_of::<libc::tpacket_stats>())
        .map_err(|_| io::ErrorKind::InvalidInput)?;
    // SAFETY: the kernel writes at most `size` bytes to `statistics`, which is that large, plain numbers, and alive.
    let result = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::SOL_PACKET,
            libc::PACKET_STATISTICS,
            (&raw mut statistics).cast(),
            &raw mut size,
        )
    };
    if result == 0 {
        Ok(statistics)
    } else {
        Err(io::Error::last_os_error())
    }
}
