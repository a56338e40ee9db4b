//! A second lock on the file system, from Landlock where the kernel has it: should a mount ever be writable that was
//! meant not to be, this refuses all the same.

use std::path::Path;

use landlock::{
    ABI, Access as _, AccessFs, PathBeneath, PathFd, Ruleset, RulesetAttr as _,
    RulesetCreatedAttr as _,
};

use super::{During as _, Step};
use crate::command::Access;
use crate::wire::Orders;

/// The rights as of Linux 6.2. The one that came later, on `ioctl`s of devices, would make harmless questions fail
/// in a way that programs do not expect.
const RIGHTS: ABI = ABI::V3;

/// Directories and devices that every command may write to.
const WRITABLE: &[&str] = &[
    "/tmp",
    "/home/build",
    "/dev/shm",
    "/dev/null",
    "/dev/zero",
    "/dev/full",
    "/dev/random",
    "/dev/urandom",
];

/// Restricts this process, and whatever it becomes or starts. Does nothing where there is no Landlock.
pub(super) fn apply(orders: &Orders) -> Step {
    let layers = orders.layers.iter().map(|layer| &layer.inside);
    let binds = orders
        .binds
        .iter()
        .filter(|bind| bind.access == Access::Writable);
    let writable = WRITABLE
        .iter()
        .map(Path::new)
        .chain(layers.chain(binds.map(|bind| &bind.inside)).map(Path::new));
    let restrict = || -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        let all = AccessFs::from_all(RIGHTS);
        let root = PathBeneath::new(PathFd::new("/")?, AccessFs::from_read(RIGHTS));
        let mut rules = Ruleset::default()
            .handle_access(all)?
            .create()?
            .add_rule(root)?;
        for path in writable {
            // Where a machine lacks a device there is nothing to allow.
            let Ok(opened) = PathFd::new(path) else {
                continue;
            };
            let is_directory = path.is_dir();
            let rights = if is_directory {
                all
            } else {
                AccessFs::from_file(RIGHTS)
            };
            rules = rules.add_rule(PathBeneath::new(opened, rights))?;
        }
        rules.restrict_self()?;
        Ok(())
    };
    restrict()
        .map_err(std::io::Error::other)
        .during("restrict access to files")
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
