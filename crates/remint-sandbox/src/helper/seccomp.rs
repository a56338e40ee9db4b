//! The system calls that a build has no use for, and an attacker would. Everything else is allowed: the kernel
//! keeps changing, and the namespaces are the wall; this takes away the tools to dig through it.

use std::collections::BTreeMap;
use std::io;

use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule, TargetArch,
};

use super::{During as _, Step};
use crate::command::{Isolation, Network};

/// Refused with `EPERM`.
const REFUSED: &[libc::c_long] = &[
    // another view of the file system
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_pivot_root,
    libc::SYS_chroot,
    libc::SYS_move_mount,
    libc::SYS_open_tree,
    libc::SYS_mount_setattr,
    libc::SYS_fsopen,
    libc::SYS_fsconfig,
    libc::SYS_fsmount,
    libc::SYS_fspick,
    libc::SYS_open_by_handle_at,
    libc::SYS_quotactl,
    libc::SYS_quotactl_fd,
    libc::SYS_swapon,
    libc::SYS_swapoff,
    libc::SYS_acct,
    libc::SYS_fanotify_init,
    // other namespaces
    libc::SYS_unshare,
    libc::SYS_setns,
    // other processes
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_pidfd_getfd,
    libc::SYS_kcmp,
    // large and often broken parts of the kernel
    libc::SYS_bpf,
    libc::SYS_perf_event_open,
    libc::SYS_userfaultfd,
    libc::SYS_keyctl,
    libc::SYS_add_key,
    libc::SYS_request_key,
    // the machine
    libc::SYS_kexec_load,
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_delete_module,
    libc::SYS_reboot,
    libc::SYS_settimeofday,
    libc::SYS_clock_settime,
    libc::SYS_clock_adjtime,
    libc::SYS_adjtimex,
    libc::SYS_sethostname,
    libc::SYS_setdomainname,
    libc::SYS_syslog,
    libc::SYS_vhangup,
    libc::SYS_nfsservctl,
    libc::SYS_lookup_dcookie,
    // memory of other nodes' pages
    libc::SYS_move_pages,
    libc::SYS_migrate_pages,
    SYS_KEXEC_FILE_LOAD,
    SYS_OPEN_TREE_ATTR,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_iopl,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_ioperm,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_modify_ldt,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_uselib,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_ustat,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_sysfs,
];

/// Answered as an older kernel would, so that programs take the way that can be watched: `clone3` hides its flags
/// in memory, and the others hold memory that nobody counts.
const UNKNOWN: &[libc::c_long] = &[
    libc::SYS_clone3,
    libc::SYS_io_uring_setup,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
    libc::SYS_memfd_create,
    libc::SYS_memfd_secret,
    libc::SYS_shmget,
    libc::SYS_shmat,
];

#[cfg(target_arch = "x86_64")]
const SYS_KEXEC_FILE_LOAD: libc::c_long = 320;
#[cfg(target_arch = "aarch64")]
const SYS_KEXEC_FILE_LOAD: libc::c_long = 294;
const SYS_OPEN_TREE_ATTR: libc::c_long = 467;

/// The newest call that was looked at; later ones are answered like unknown ones. Covers the x32 calls too, whose
/// numbers start at 2³⁰.
const NEWEST: libc::c_long = SYS_OPEN_TREE_ATTR;

/// Every flag of `clone` that asks for a namespace, but for time, which `clone` cannot ask for.
const NAMESPACE_FLAGS: &[libc::c_int] = &[
    libc::CLONE_NEWUSER,
    libc::CLONE_NEWNS,
    libc::CLONE_NEWPID,
    libc::CLONE_NEWNET,
    libc::CLONE_NEWIPC,
    libc::CLONE_NEWUTS,
    libc::CLONE_NEWCGROUP,
];

const SOCKET_FAMILIES: &[libc::c_int] = &[
    libc::AF_UNIX,
    libc::AF_INET,
    libc::AF_INET6,
    libc::AF_NETLINK,
];

/// The old way to packet sockets.
const SOCK_PACKET: libc::c_int = 10;

/// Protocols over IP. The observer sees these; others are seldom used, and seldom looked after.
const PROTOCOLS: &[libc::c_int] = &[
    libc::IPPROTO_IP,
    libc::IPPROTO_TCP,
    libc::IPPROTO_UDP,
    libc::IPPROTO_MPTCP,
];

/// Types of sockets over IP that speak other protocols without naming them.
const REFUSED_SOCKET_TYPES: &[libc::c_int] = &[
    libc::SOCK_RAW,
    libc::SOCK_RDM,
    libc::SOCK_SEQPACKET,
    libc::SOCK_DCCP,
    SOCK_PACKET,
];

/// `ioctl`s that type into a terminal as if somebody had.
const REFUSED_IOCTLS: &[u64] = &[0x5412, 0x541c];

/// Installs the filters, for this process and whatever it becomes or starts.
pub(super) fn apply(isolation: Isolation, network: Network) -> Step {
    let programs = programs(isolation, network).during("make the system call filter")?;
    for program in &programs {
        seccompiler::apply_filter(program)
            .map_err(io::Error::other)
            .during("install the system call filter")?;
    }
    Ok(())
}

fn programs(isolation: Isolation, network: Network) -> io::Result<Vec<BpfProgram>> {
    let refuse = |number: i32| SeccompAction::Errno(number.cast_unsigned());
    let mut programs = match isolation {
        Isolation::Namespaces => Vec::new(),
        Isolation::Landlock => vec![compile(
            without_own_network(network)?,
            refuse(libc::EACCES),
        )?],
    };
    programs.extend([
        newer_is_unknown(),
        compile(unconditionally(UNKNOWN), refuse(libc::ENOSYS))?,
        compile(sockets()?, refuse(libc::EAFNOSUPPORT))?,
        // The last one installed is asked first.
        compile(refused()?, refuse(libc::EPERM))?,
    ]);
    Ok(programs)
}

type Rules = BTreeMap<i64, Vec<SeccompRule>>;

fn unconditionally(calls: &[libc::c_long]) -> Rules {
    calls.iter().map(|call| (*call, Vec::new())).collect()
}

fn refused() -> io::Result<Rules> {
    let mut rules = unconditionally(REFUSED);
    let clone = NAMESPACE_FLAGS.iter().map(|flag| {
        let flag = u64::from(flag.cast_unsigned());
        all(vec![argument(0, SeccompCmpOp::MaskedEq(flag), flag)?])
    });
    rules.insert(libc::SYS_clone, clone.collect::<io::Result<_>>()?);
    let ioctl = REFUSED_IOCTLS
        .iter()
        .map(|request| all(vec![argument(1, SeccompCmpOp::Eq, *request)?]));
    rules.insert(libc::SYS_ioctl, ioctl.collect::<io::Result<_>>()?);
    // Who may change this limit may have the host's program for crashes started.
    let core = u64::from(libc::RLIMIT_CORE);
    let set = all(vec![argument(0, SeccompCmpOp::Eq, core)?])?;
    rules.insert(libc::SYS_setrlimit, vec![set]);
    let set = all(vec![argument(1, SeccompCmpOp::Eq, core)?, not_null(2)?])?;
    // Process 1 has the same user, and must keep its limits.
    let others = all(vec![argument(0, SeccompCmpOp::Ne, 0)?])?;
    rules.insert(libc::SYS_prlimit64, vec![set, others]);
    Ok(rules)
}

fn sockets() -> io::Result<Rules> {
    let is = |position, value: libc::c_int| {
        argument(position, SeccompCmpOp::Eq, u64::from(value.cast_unsigned()))
    };
    let is_not = |position, value: libc::c_int| {
        argument(position, SeccompCmpOp::Ne, u64::from(value.cast_unsigned()))
    };
    let families = SOCKET_FAMILIES.iter().map(|family| is_not(0, *family));
    let strange = all(families.collect::<io::Result<_>>()?)?;
    let netlink = all(vec![
        is(0, libc::AF_NETLINK)?,
        is_not(2, libc::NETLINK_ROUTE)?,
    ])?;
    let mut socket = vec![strange, netlink];
    for family in [libc::AF_INET, libc::AF_INET6] {
        let mut conditions = vec![is(0, family)?];
        for protocol in PROTOCOLS {
            conditions.push(is_not(2, *protocol)?);
        }
        socket.push(all(conditions)?);
    }
    for kind in REFUSED_SOCKET_TYPES {
        for family in [libc::AF_INET, libc::AF_INET6] {
            // The upper bits of the type are flags.
            let kind = u64::from(kind.cast_unsigned());
            let kind = argument(1, SeccompCmpOp::MaskedEq(0xf), kind)?;
            socket.push(all(vec![is(0, family)?, kind])?);
        }
    }
    let pair = all(vec![is_not(0, libc::AF_UNIX)?])?;
    Ok(BTreeMap::from([
        (libc::SYS_socket, socket),
        (libc::SYS_socketpair, vec![pair]),
    ]))
}

/// On the host's network, where Landlock confines connections of TCP to a port and nothing else: no datagrams, no
/// sockets with names in the file system, no data with the first packet; and nothing at all without a proxy.
fn without_own_network(network: Network) -> io::Result<Rules> {
    let is = |position, value: libc::c_int| {
        argument(position, SeccompCmpOp::Eq, u64::from(value.cast_unsigned()))
    };
    let mut socket = vec![all(vec![is(0, libc::AF_UNIX)?])?];
    for family in [libc::AF_INET, libc::AF_INET6] {
        match network {
            Network::None => socket.push(all(vec![is(0, family)?])?),
            Network::Proxy => {
                let datagrams = u64::from(libc::SOCK_DGRAM.cast_unsigned());
                let datagrams = argument(1, SeccompCmpOp::MaskedEq(0xf), datagrams)?;
                socket.push(all(vec![is(0, family)?, datagrams])?);
                socket.push(all(vec![is(0, family)?, is(2, libc::IPPROTO_MPTCP)?])?);
            }
        }
    }
    let fast_open = u64::from(libc::MSG_FASTOPEN.cast_unsigned());
    let mut rules = BTreeMap::from([(libc::SYS_socket, socket)]);
    for (call, flags) in [
        (libc::SYS_sendto, 3),
        (libc::SYS_sendmsg, 2),
        (libc::SYS_sendmmsg, 3),
    ] {
        let fast = argument(flags, SeccompCmpOp::MaskedEq(fast_open), fast_open)?;
        rules.insert(call, vec![all(vec![fast])?]);
    }
    Ok(rules)
}

/// Holds when all conditions hold.
fn all(conditions: Vec<SeccompCondition>) -> io::Result<SeccompRule> {
    SeccompRule::new(conditions).map_err(io::Error::other)
}

/// Compares an argument of 32 bits; the kernel ignores the upper half.
fn argument(position: u8, operator: SeccompCmpOp, value: u64) -> io::Result<SeccompCondition> {
    SeccompCondition::new(position, SeccompCmpArgLen::Dword, operator, value)
        .map_err(io::Error::other)
}

fn not_null(position: u8) -> io::Result<SeccompCondition> {
    SeccompCondition::new(position, SeccompCmpArgLen::Qword, SeccompCmpOp::Ne, 0)
        .map_err(io::Error::other)
}

/// Calls that match a rule get `answer`, others pass. A foreign architecture is killed.
fn compile(rules: Rules, answer: SeccompAction) -> io::Result<BpfProgram> {
    let architecture = TargetArch::try_from(std::env::consts::ARCH).map_err(io::Error::other)?;
    SeccompFilter::new(rules, SeccompAction::Allow, answer, architecture)
        .and_then(BpfProgram::try_from)
        .map_err(io::Error::other)
}

/// No filter library of use here compares call numbers other than one by one.
fn newer_is_unknown() -> BpfProgram {
    let instruction = |code: u32, then: u8, otherwise: u8, operand: u32| seccompiler::sock_filter {
        code: u16::try_from(code).unwrap_or_default(),
        jt: then,
        jf: otherwise,
        k: operand,
    };
    let newest = u32::try_from(NEWEST).unwrap_or_default();
    let unknown = libc::SECCOMP_RET_ERRNO | libc::ENOSYS.cast_unsigned();
    vec![
        // The number is the first field of what the kernel lets filters see.
        instruction(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0, 0),
        instruction(libc::BPF_JMP | libc::BPF_JGT | libc::BPF_K, 0, 1, newest),
        instruction(libc::BPF_RET | libc::BPF_K, 0, 0, unknown),
        instruction(libc::BPF_RET | libc::BPF_K, 0, 0, libc::SECCOMP_RET_ALLOW),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_filter_compiles() {
        let programs = programs(Isolation::Landlock, Network::Proxy).unwrap();
        assert_eq!(programs.len(), 5);
        assert!(
            programs
                .iter()
                .all(|program| !program.is_empty() && program.len() < 4096)
        );
    }

    #[test]
    fn no_call_is_listed_twice() {
        let mut all: Vec<_> = REFUSED.iter().chain(UNKNOWN).collect();
        let count = all.len();
        all.sort();
        all.dedup();
        assert_eq!(all.len(), count);
    }
}
