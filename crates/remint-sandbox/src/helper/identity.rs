//! Who the inside's processes are: an ordinary user in namespaces of their own, and nobody in particular outside.

use std::io;

use rustix::process::{DumpableBehavior, Gid, Uid};
use rustix::thread::{CapabilitySet, CapabilitySets, UnshareFlags};

use super::{During as _, Step, die_with_parent};
use crate::owner::Owner;

/// Gives up being root. Root's own identity must not be mapped into the sandbox: its rights as the owner of
/// kernel files would survive there.
pub(super) fn become_owner(owner: Owner) -> Step {
    let Owner::Throwaway { uid, gid } = owner else {
        return Ok(());
    };
    let (uid, gid) = (Uid::from_raw(uid), Gid::from_raw(gid));
    // The calls for one thread suffice: the helper has no other.
    rustix::thread::set_thread_groups(&[]).during("drop supplementary groups")?;
    rustix::thread::set_thread_res_gid(gid, gid, gid).during("become the build's group")?;
    rustix::thread::set_thread_res_uid(uid, uid, uid).during("become the build's user")?;
    die_with_parent().during("tie the helper to its caller")
}

/// Enters fresh namespaces of every kind but that of processes, and maps this process's user and group to this number
/// there.
pub(super) fn enter_namespaces(inside: u32) -> Step {
    let uid = rustix::process::getuid().as_raw();
    let gid = rustix::process::getgid().as_raw();
    // After a change of user the kernel would keep the maps below from their own process.
    rustix::process::set_dumpable_behavior(DumpableBehavior::Dumpable)
        .during("open the helper's own files in `/proc`")?;
    let all = UnshareFlags::NEWUSER
        | UnshareFlags::NEWNS
        | UnshareFlags::NEWNET
        | UnshareFlags::NEWIPC
        | UnshareFlags::NEWUTS
        | UnshareFlags::NEWCGROUP;
    // SAFETY: `UnshareFlags::FILES`, the flag that can break other threads, is not among them.
    unsafe { rustix::thread::unshare_unsafe(all) }.during("create namespaces")?;
    write_own("setgroups", "deny").during("give up setting groups")?;
    write_own("uid_map", &format!("{inside} {uid} 1")).during("map the user")?;
    write_own("gid_map", &format!("{inside} {gid} 1")).during("map the group")?;
    rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable)
        .during("close the helper's own files in `/proc`")?;
    die_with_parent().during("tie the helper to its caller")?;
    forgo_capabilities()
}

/// Lets the next child be process 1 of a namespace of its own. No thread can be started from then on.
pub(super) fn enter_process_namespace() -> Step {
    // SAFETY: `UnshareFlags::FILES`, the flag that can break other threads, is not given.
    unsafe { rustix::thread::unshare_unsafe(UnshareFlags::NEWPID) }.during("create namespaces")
}

fn write_own(name: &str, content: &str) -> io::Result<()> {
    fs_err::write(format!("/proc/self/{name}"), content)
}

/// Makes sure that no program that this process or its children execute gets any capability.
fn forgo_capabilities() -> Step {
    for capability in 0..64 {
        let one = CapabilitySet::from_bits_retain(1 << capability);
        match rustix::thread::remove_capability_from_bounding_set(one) {
            Ok(()) => {}
            // The kernel knows no more of them.
            Err(rustix::io::Errno::INVAL) => break,
            Err(error) => return Err(error).during("drop capabilities for good"),
        }
    }
    rustix::thread::clear_ambient_capability_set().during("drop ambient capabilities")
}

/// Keeps only these of the capabilities that this process has in its own user namespace.
pub(super) fn keep_capabilities(kept: CapabilitySet) -> Step {
    let sets = CapabilitySets {
        effective: kept,
        permitted: kept,
        inheritable: CapabilitySet::empty(),
    };
    rustix::thread::set_capabilities(None, sets).during("drop capabilities")
}
