//! Copies of the packets that arrive in the inside's network, with where they were sent to.
//!
//! Raw sockets, not packet sockets, though those would see it all at once: the kernel lets whoever closes one of those
//! wait for 8 to 16 ms, more than everything else about a sandbox takes.

use std::io;
use std::mem::MaybeUninit;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::{AsFd, AsRawFd as _, BorrowedFd, OwnedFd};

use rustix::net::{AddressFamily, SocketFlags, SocketType, ipproto, sockopt};

use crate::finished::Protocol;

/// The most that is looked at of a packet.
const PACKET_SIZE: usize = 2048;
const RECEIVE_BUFFER: usize = 4 << 20;
/// Room for one address with its interface.
const CONTROL_SIZE: usize = 64;

/// One protocol over one version of IP.
pub(super) struct RawSocket {
    socket: OwnedFd,
    protocol: Protocol,
    is_version_6: bool,
}

/// What was received, from the header of TCP or UDP on.
pub(super) struct Packet {
    pub(super) destination: IpAddr,
    pub(super) protocol: Protocol,
    buffer: [u8; PACKET_SIZE],
    start: usize,
    end: usize,
}

impl RawSocket {
    /// Needs the right to, which can be given up afterwards.
    pub(super) fn open(family: AddressFamily, protocol: Protocol) -> io::Result<Self> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let number = match protocol {
            Protocol::Tcp => ipproto::TCP,
            Protocol::Udp | Protocol::Dns => ipproto::UDP,
        };
        let socket = rustix::net::socket_with(family, SocketType::RAW, flags, Some(number))?;
        sockopt::set_socket_recv_buffer_size_force(&socket, RECEIVE_BUFFER)
            .or_else(|_| sockopt::set_socket_recv_buffer_size(&socket, RECEIVE_BUFFER))?;
        let is_version_6 = family == AddressFamily::INET6;
        if is_version_6 {
            // The data of these sockets begin after the header that has the destination.
            set_option(
                socket.as_fd(),
                libc::IPPROTO_IPV6,
                libc::IPV6_RECVPKTINFO,
                &1_i32,
            )?;
            filter(socket.as_fd(), NOT_AT_HOME_6)?;
        } else {
            filter(socket.as_fd(), NOT_AT_HOME_4)?;
        }
        Ok(Self {
            socket,
            protocol,
            is_version_6,
        })
    }

    /// The next packet, if there is one.
    pub(super) fn receive(&self) -> Option<Packet> {
        let mut buffer = [0; PACKET_SIZE];
        let (length, destination_6) = receive(self.socket.as_fd(), &mut buffer).ok()?;
        let (destination, start) = if self.is_version_6 {
            (IpAddr::from(destination_6?), 0)
        } else {
            let header = usize::from(buffer.first()? & 0xf) * 4;
            let destination: [u8; 4] = buffer.get(16..20)?.try_into().ok()?;
            (
                IpAddr::from(Ipv4Addr::from(destination)),
                header.min(length),
            )
        };
        Some(Packet {
            destination,
            protocol: self.protocol,
            buffer,
            start,
            end: length,
        })
    }

    /// How many packets came while the queue was full.
    pub(super) fn lost(&self) -> u64 {
        memory_information(self.socket.as_fd()).map_or(0, |information| {
            u64::from(
                information
                    .get(libc::SK_MEMINFO_DROPS as usize)
                    .copied()
                    .unwrap_or(0),
            )
        })
    }
}

impl AsFd for RawSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl Packet {
    /// The header of TCP or UDP, and what follows it.
    pub(super) fn payload(&self) -> &[u8] {
        self.buffer.get(self.start..self.end).unwrap_or_default()
    }
}

/// Reads a packet, and the address it was sent to if the kernel adds it.
fn receive(socket: BorrowedFd<'_>, buffer: &mut [u8]) -> io::Result<(usize, Option<Ipv6Addr>)> {
    let mut control = ControlBuffer([0; CONTROL_SIZE]);
    let mut part = libc::iovec {
        iov_base: buffer.as_mut_ptr().cast(),
        iov_len: buffer.len(),
    };
    // SAFETY: all-zero is a valid empty `msghdr`.
    let mut message: libc::msghdr = unsafe { MaybeUninit::zeroed().assume_init() };
    message.msg_iov = &raw mut part;
    message.msg_iovlen = 1;
    message.msg_control = (&raw mut control).cast();
    message.msg_controllen = CONTROL_SIZE;
    // SAFETY: the message describes two buffers that are alive, writable, and as large as it says.
    let length = unsafe { libc::recvmsg(socket.as_raw_fd(), &raw mut message, libc::MSG_DONTWAIT) };
    let length = usize::try_from(length).map_err(|_| io::Error::last_os_error())?;
    let mut address = None;
    // SAFETY: the kernel has filled the control buffer, and set its length, as these functions expect; the buffer is
    // aligned. What is read lies within the entry, whose length is checked, and is copied bytewise.
    unsafe {
        let mut entry = libc::CMSG_FIRSTHDR(&raw const message);
        while !entry.is_null() {
            let header = &*entry;
            let size = size_of::<libc::in6_pktinfo>();
            if header.cmsg_level == libc::IPPROTO_IPV6
                && header.cmsg_type == libc::IPV6_PKTINFO
                && header.cmsg_len as usize >= libc::CMSG_LEN(size as u32) as usize
            {
                let data = libc::CMSG_DATA(entry).cast::<libc::in6_pktinfo>();
                address = Some(Ipv6Addr::from(data.read_unaligned().ipi6_addr.s6_addr));
            }
            entry = libc::CMSG_NXTHDR(&raw const message, entry);
        }
    }
    Ok((length, address))
}

/// As the kernel wants it aligned.
#[repr(C, align(8))]
struct ControlBuffer([u8; CONTROL_SIZE]);

fn memory_information(socket: BorrowedFd<'_>) -> io::Result<[u32; 16]> {
    let mut information = [0_u32; 16];
    let mut size = libc::socklen_t::try_from(size_of_val(&information))
        .map_err(|_| io::ErrorKind::InvalidInput)?;
    // SAFETY: the kernel writes at most `size` bytes of plain numbers to the array, which is that large and alive.
    let result = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_MEMINFO,
            information.as_mut_ptr().cast(),
            &raw mut size,
        )
    };
    if result == 0 {
        Ok(information)
    } else {
        Err(io::Error::last_os_error())
    }
}

/// A filter in the kernel that keeps away what programs inside send to each other, which may be much.
fn filter(socket: BorrowedFd<'_>, filter: &[libc::sock_filter]) -> io::Result<()> {
    let program = libc::sock_fprog {
        len: u16::try_from(filter.len()).map_err(|_| io::ErrorKind::InvalidInput)?,
        filter: filter.as_ptr().cast_mut(),
    };
    set_option(socket, libc::SOL_SOCKET, libc::SO_ATTACH_FILTER, &program)
}

fn set_option<T>(socket: BorrowedFd<'_>, level: i32, name: i32, value: &T) -> io::Result<()> {
    let size =
        libc::socklen_t::try_from(size_of::<T>()).map_err(|_| io::ErrorKind::InvalidInput)?;
    let value = std::ptr::from_ref(value).cast();
    // SAFETY: the kernel only reads `size` bytes of the value, and whatever a filter program points to; both live.
    let result = unsafe { libc::setsockopt(socket.as_raw_fd(), level, name, value, size) };
    if result == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

const UDP: u32 = 17;
const NAME_SERVICE: u32 = 53;
/// Offsets from the beginning of the IP header, wherever the data begin.
const FROM_HEADER: u32 = libc::SKF_NET_OFF.cast_unsigned();
const ACCEPT: libc::sock_filter = statement(libc::BPF_RET | libc::BPF_K, u32::MAX);
const DROP: libc::sock_filter = statement(libc::BPF_RET | libc::BPF_K, 0);

/// Everything to elsewhere, and name queries.
const NOT_AT_HOME_4: &[libc::sock_filter] = &[
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

const NOT_AT_HOME_6: &[libc::sock_filter] = &[
    word_at(FROM_HEADER + 24),
    unless_equal(0, 10),
    word_at(FROM_HEADER + 28),
    unless_equal(0, 8),
    word_at(FROM_HEADER + 32),
    unless_equal(0, 6),
    word_at(FROM_HEADER + 36),
    unless_equal(1, 4),
    byte_at(FROM_HEADER + 6),
    unless_equal(UDP, 3),
    half_word_at(FROM_HEADER + 42),
    unless_equal(NAME_SERVICE, 1),
    ACCEPT,
    DROP,
];

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
