//! Landlock's rules on files: in namespaces a second lock, should a mount ever be writable that was meant not to be;
//! without namespaces the only one, together with rules on connections and signals.

use std::path::Path;

use landlock::{
    ABI, Access as _, AccessFs, AccessNet, BitFlags, CompatLevel, Compatible as _, NetPort,
    PathBeneath, PathFd, Ruleset, RulesetAttr as _, RulesetCreated, RulesetCreatedAttr as _, Scope,
};

use super::{During as _, Step};
use crate::command::{Access, Isolation, Network};
use crate::wire::Orders;

/// The rights on files as of Linux 6.2. The one that came later, on `ioctl`s of devices, would make harmless questions
/// fail in a way that programs do not expect.
const RIGHTS: ABI = ABI::V3;

/// The first version that can confine signals and abstract sockets.
pub(crate) const NEEDED_ALONE: u32 = 6;

const DEVICES: &[&str] = &[
    "/dev/null",
    "/dev/zero",
    "/dev/full",
    "/dev/random",
    "/dev/urandom",
];

/// Made for each sandbox, where there are namespaces.
const SCRATCH: &[&str] = &["/tmp", "/home/build", "/dev/shm"];

/// What of the host a command needs to see to run at all. No directory in `/etc` as a whole.
const HOST: &[&str] = &[
    "/usr",
    "/bin",
    "/sbin",
    "/lib",
    "/lib32",
    "/lib64",
    "/libx32",
    "/proc",
    "/etc/alternatives",
    "/etc/group",
    "/etc/host.conf",
    "/etc/hosts",
    "/etc/ld.so.cache",
    "/etc/ld.so.conf",
    "/etc/ld.so.conf.d",
    "/etc/localtime",
    "/etc/nsswitch.conf",
    "/etc/os-release",
    "/etc/passwd",
    "/etc/resolv.conf",
];

type Outcome<Value> = Result<Value, Box<dyn std::error::Error + Send + Sync>>;

/// Restricts this process, and whatever it becomes or starts.
pub(super) fn apply(orders: &Orders) -> Step {
    let restricted = match orders.isolation {
        Isolation::Namespaces => as_second_lock(orders),
        Isolation::Landlock => alone(orders),
    };
    restricted
        .map_err(std::io::Error::other)
        .during("restrict access to files")
}

/// Does nothing where the kernel has no Landlock.
fn as_second_lock(orders: &Orders) -> Outcome<()> {
    let mut rules = Ruleset::default()
        .handle_access(AccessFs::from_all(RIGHTS))?
        .create()?;
    rules = allow(rules, "/", AccessFs::from_read(RIGHTS))?;
    for path in DEVICES.iter().chain(SCRATCH) {
        rules = allow(rules, path, AccessFs::from_all(RIGHTS))?;
    }
    for layer in &orders.layers {
        rules = allow(rules, &layer.inside, AccessFs::from_all(RIGHTS))?;
    }
    for bind in orders
        .binds
        .iter()
        .filter(|bind| bind.access == Access::Writable)
    {
        rules = allow(rules, &bind.inside, AccessFs::from_all(RIGHTS))?;
    }
    rules.restrict_self()?;
    Ok(())
}

/// Fails where any of it cannot be had.
fn alone(orders: &Orders) -> Outcome<()> {
    let mut rules = Ruleset::default()
        .set_compatibility(CompatLevel::HardRequirement)
        .handle_access(AccessFs::from_all(RIGHTS))?
        .handle_access(AccessNet::BindTcp | AccessNet::ConnectTcp)?
        .scope(Scope::AbstractUnixSocket | Scope::Signal)?
        .create()?;
    for path in HOST {
        rules = allow(rules, path, AccessFs::from_read(RIGHTS))?;
    }
    for path in DEVICES {
        rules = allow(rules, path, AccessFs::from_all(RIGHTS))?;
    }
    for bind in &orders.binds {
        let rights = match bind.access {
            Access::ReadOnly => AccessFs::from_read(RIGHTS),
            Access::Writable => AccessFs::from_all(RIGHTS),
        };
        rules = allow(rules, &bind.inside, rights)?;
    }
    if orders.network == Network::Proxy {
        rules = rules.add_rule(NetPort::new(orders.proxy_port, AccessNet::ConnectTcp))?;
    }
    rules.restrict_self()?;
    Ok(())
}

/// Where a path does not exist there is nothing to allow.
fn allow(
    rules: RulesetCreated,
    path: impl AsRef<Path>,
    rights: BitFlags<AccessFs>,
) -> Outcome<RulesetCreated> {
    let path = path.as_ref();
    let Ok(opened) = PathFd::new(path) else {
        return Ok(rules);
    };
    let rights = if path.is_dir() {
        rights
    } else {
        rights & AccessFs::from_file(RIGHTS)
    };
    Ok(rules.add_rule(PathBeneath::new(opened, rights))?)
}

/// The version of Landlock's interface that the kernel offers.
pub(crate) fn landlock_version() -> Option<u32> {
    const ASK_FOR_VERSION: u32 = 1;
    // SAFETY: with this flag the kernel reads no memory, and answers with a number.
    let version = unsafe {
        libc::syscall(
            libc::SYS_landlock_create_ruleset,
            std::ptr::null::<u8>(),
            0,
            ASK_FOR_VERSION,
        )
    };
    u32::try_from(version).ok().filter(|version| *version > 0)
}
