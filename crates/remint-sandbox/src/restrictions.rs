//! Tells a machine that refuses isolation from a step that merely failed.

use std::io;
use std::path::PathBuf;

use crate::error::SandboxError;
use crate::obstacle::Obstacle;

/// The error for a step that failed, with what stands in its way if that can be found out.
pub(crate) fn explain(step: String, path: Option<PathBuf>, source: io::Error) -> SandboxError {
    let error = source.raw_os_error().unwrap_or(0);
    match Restrictions::of_this_machine().explain(&step, error) {
        Some(obstacle) => SandboxError::Refused {
            obstacle,
            step,
            source,
        },
        None => SandboxError::Setup { step, path, source },
    }
}

/// What the kernel says about the restrictions that are known to get in the way.
#[derive(Debug, Clone, Copy, Default)]
struct Restrictions {
    is_root: bool,
    /// Ubuntu's, from the first file below.
    apparmor: Option<u64>,
    unprivileged: Option<u64>,
    most_user_namespaces: Option<u64>,
    /// This process is itself under a system call filter.
    is_filtered: bool,
}

/// The steps that a machine refuses on purpose. In any other an error is just an error.
const NEEDS_PERMISSION: &[&str] = &[
    "create namespaces",
    "give up setting groups",
    "map the user",
    "map the group",
    "cut off the host's mounts",
    "make the root directory",
    "mount the root directory",
    "bind",
    "restrict the mount of",
    "mount a fresh",
    "mount the overlay",
    "mount",
    "open the kernel's network settings",
    "bring the loopback up",
    "observe the network",
];

impl Restrictions {
    fn of_this_machine() -> Self {
        let number = |path: &str| {
            let text = fs_err::read_to_string(path).ok()?;
            text.trim().parse().ok()
        };
        let status = fs_err::read_to_string("/proc/self/status").unwrap_or_default();
        let filter = status
            .lines()
            .find_map(|line| line.strip_prefix("Seccomp:"));
        Self {
            is_root: rustix::process::geteuid().is_root(),
            apparmor: number("/proc/sys/kernel/apparmor_restrict_unprivileged_userns"),
            unprivileged: number("/proc/sys/kernel/unprivileged_userns_clone"),
            most_user_namespaces: number("/proc/sys/user/max_user_namespaces"),
            is_filtered: filter.is_some_and(|mode| mode.trim() != "0"),
        }
    }

    /// Which of them explains that the step failed with this error, if it is an explanation at all.
    fn explain(self, step: &str, error: i32) -> Option<Obstacle> {
        use libc::{EACCES, EINVAL, ENODEV, ENOSPC, ENOSYS, EOPNOTSUPP, EPERM, EUSERS};
        if !NEEDS_PERMISSION.contains(&step) {
            return None;
        }
        match error {
            ENOSYS | ENODEV | EOPNOTSUPP => Some(Obstacle::Kernel),
            EINVAL if step == "create namespaces" => Some(Obstacle::Kernel),
            ENOSPC | EUSERS if step == "create namespaces" => Some(Obstacle::NoUserNamespaces),
            // A path that this user may not reach is the caller's mistake.
            EACCES if step == "bind" => None,
            EPERM | EACCES => Some(if !self.is_root && self.apparmor == Some(1) {
                Obstacle::AppArmor
            } else if !self.is_root && self.unprivileged == Some(0) {
                Obstacle::UnprivilegedSwitch
            } else if self.most_user_namespaces == Some(0) {
                Obstacle::NoUserNamespaces
            } else if self.is_filtered || step == "mount a fresh" {
                Obstacle::Container
            } else {
                Obstacle::Unknown
            }),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OPEN: Restrictions = Restrictions {
        is_root: false,
        apparmor: None,
        unprivileged: None,
        most_user_namespaces: Some(1000),
        is_filtered: false,
    };

    #[test]
    fn each_known_restriction_is_named() {
        use libc::{EACCES, EINVAL, ENOSPC, ENOSYS, EPERM};
        let ubuntu = Restrictions {
            apparmor: Some(1),
            ..OPEN
        };
        let debian = Restrictions {
            unprivileged: Some(0),
            ..OPEN
        };
        let none = Restrictions {
            most_user_namespaces: Some(0),
            ..OPEN
        };
        let docker = Restrictions {
            is_filtered: true,
            is_root: true,
            ..OPEN
        };
        for (restrictions, step, error, expected) in [
            // Ubuntu lets the namespace be made, and then refuses everything in it.
            (
                ubuntu,
                "cut off the host's mounts",
                EACCES,
                Obstacle::AppArmor,
            ),
            (ubuntu, "create namespaces", EPERM, Obstacle::AppArmor),
            (
                debian,
                "create namespaces",
                EPERM,
                Obstacle::UnprivilegedSwitch,
            ),
            (
                none,
                "create namespaces",
                ENOSPC,
                Obstacle::NoUserNamespaces,
            ),
            (docker, "create namespaces", EPERM, Obstacle::Container),
            (OPEN, "mount a fresh", EPERM, Obstacle::Container),
            (OPEN, "create namespaces", EINVAL, Obstacle::Kernel),
            (OPEN, "restrict the mount of", ENOSYS, Obstacle::Kernel),
            (OPEN, "create namespaces", EPERM, Obstacle::Unknown),
        ] {
            assert_eq!(
                restrictions.explain(step, error),
                Some(expected),
                "{step} {error}"
            );
        }
    }

    #[test]
    fn a_caller_s_mistake_is_no_restriction() {
        let ubuntu = Restrictions {
            apparmor: Some(1),
            ..OPEN
        };
        assert_eq!(ubuntu.explain("make the directory", libc::EACCES), None);
        assert_eq!(ubuntu.explain("bind", libc::EACCES), None);
        assert_eq!(
            ubuntu.explain("bind", libc::EPERM),
            Some(Obstacle::AppArmor)
        );
        assert_eq!(ubuntu.explain("bind", libc::ENOENT), None);
        assert_eq!(ubuntu.explain("mount the overlay", libc::EINVAL), None);
    }
}
