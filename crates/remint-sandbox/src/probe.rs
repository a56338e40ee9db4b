//! What this machine allows, found out by trying, and what stands in the way if it does not.

use std::fmt;

use crate::SandboxError;

/// What can be had on this machine.
#[derive(Debug)]
pub struct Probe {
    /// Whether a command was run in namespaces just now, and if not, why not.
    pub namespaces: Result<(), SandboxError>,
    /// The version of Landlock's interface that the kernel offers, if any.
    pub landlock: Option<u32>,
    /// The kernel's release.
    pub kernel: String,
}

/// Tries everything that isolation needs: namespaces, mounts, an overlay, the network's observer, a program.
#[must_use]
pub fn probe() -> Probe {
    platform::probe()
}

/// What refuses to isolate commands here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Obstacle {
    /// Ubuntu's restriction on user namespaces of programs without a profile.
    AppArmor,
    /// Debian's older switch for user namespaces.
    UnprivilegedSwitch,
    /// No user namespace may be made, by number.
    NoUserNamespaces,
    /// The process is root, yet without the rights of root, as in most containers.
    RootWithoutRights,
    /// A container's filter on system calls, or its masked `/proc`.
    Container,
    /// The kernel is too old, or lacks a feature.
    Kernel,
    /// Refused, by nobody in particular.
    Unknown,
}

impl fmt::Display for Obstacle {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::AppArmor => {
                "this kernel refuses user namespaces to ordinary users \
                 (kernel.apparmor_restrict_unprivileged_userns = 1, Ubuntu 24.04 and later)"
            }
            Self::UnprivilegedSwitch => {
                "this kernel refuses user namespaces to ordinary users \
                 (kernel.unprivileged_userns_clone = 0)"
            }
            Self::NoUserNamespaces => {
                "this machine allows no more user namespaces (user.max_user_namespaces)"
            }
            Self::RootWithoutRights => {
                "this process is root without the rights of root, as in most containers"
            }
            Self::Container => {
                "this container refuses namespaces, mounts, or a `/proc` of one's own"
            }
            Self::Kernel => {
                "this kernel lacks something that isolation needs (Linux 5.12 and later have it, \
                 unless built without)"
            }
            Self::Unknown => "this machine refuses namespaces or mounts to this user",
        })
    }
}

impl Obstacle {
    /// What the user can do about it.
    #[must_use]
    pub fn hint(self) -> String {
        match self {
            Self::AppArmor => {
                "allow it until the next start: \
                 sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0"
            }
            Self::UnprivilegedSwitch => {
                "allow it until the next start: sudo sysctl -w kernel.unprivileged_userns_clone=1"
            }
            Self::NoUserNamespaces => {
                "allow it until the next start: sudo sysctl -w user.max_user_namespaces=15000"
            }
            Self::RootWithoutRights => {
                "run as an ordinary user, or give the container CAP_SYS_ADMIN, CAP_SETUID, \
                 CAP_SETGID, CAP_CHOWN and CAP_DAC_OVERRIDE"
            }
            Self::Container => {
                "run outside of the container, or start it with \
                 `--security-opt seccomp=unconfined --security-opt systempaths=unconfined`"
            }
            Self::Kernel => "run on a newer kernel",
            Self::Unknown => {
                "run as another user or on another machine, or accept the weaker `landlock` isolation"
            }
        }
        .to_owned()
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
    /// Which of them explains that the step failed with this error, if it is an explanation at all.
    fn explain(self, step: &str, error: i32) -> Option<Obstacle> {
        use errno::{EACCES, EINVAL, ENODEV, ENOSPC, ENOSYS, EOPNOTSUPP, EPERM, EUSERS};
        if !NEEDS_PERMISSION.contains(&step) {
            return None;
        }
        match error {
            ENOSYS | ENODEV | EOPNOTSUPP => Some(Obstacle::Kernel),
            EINVAL if step == "create namespaces" => Some(Obstacle::Kernel),
            ENOSPC | EUSERS if step == "create namespaces" => Some(Obstacle::NoUserNamespaces),
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

/// The same on every Linux architecture that is supported; named here so that other systems compile the table.
mod errno {
    pub(super) const EPERM: i32 = 1;
    pub(super) const EACCES: i32 = 13;
    pub(super) const ENODEV: i32 = 19;
    pub(super) const EINVAL: i32 = 22;
    pub(super) const ENOSPC: i32 = 28;
    pub(super) const ENOSYS: i32 = 38;
    pub(super) const EUSERS: i32 = 87;
    pub(super) const EOPNOTSUPP: i32 = 95;
}

#[cfg(target_os = "linux")]
pub(crate) use platform::explain;

#[cfg(target_os = "linux")]
mod platform {
    use std::path::PathBuf;
    use std::sync::atomic::AtomicBool;

    use super::{Probe, Restrictions};
    use crate::{Command, Layer, Owner, SandboxError, remove_tree};

    pub(super) fn probe() -> Probe {
        Probe {
            namespaces: try_namespaces(),
            landlock: crate::helper::landlock_version(),
            kernel: rustix::system::uname()
                .release()
                .to_string_lossy()
                .into_owned(),
        }
    }

    fn try_namespaces() -> Result<(), SandboxError> {
        let owner = Owner::of_this_process()?;
        let unprepared = |source| SandboxError::Setup {
            step: "make a temporary directory".to_owned(),
            path: None,
            source,
        };
        let place = tempfile::Builder::new()
            .prefix("remint-probe-")
            .tempdir()
            .map_err(unprepared)?;
        let name = |name: &str| place.path().join(name);
        for directory in ["lower", "upper", "work"] {
            fs_err::create_dir(name(directory)).map_err(unprepared)?;
        }
        owner.give(place.path())?;
        let mut command = Command::new(["true"], owner);
        command.layers.push(Layer {
            inside: "/build".into(),
            lowers: vec![name("lower")],
            upper: name("upper"),
            work: name("work"),
        });
        let mut log = Vec::new();
        let finished = crate::run(&command, &mut log, &AtomicBool::new(false), |_| ());
        // The kernel leaves a directory that nobody may enter.
        remove_tree(place.path())?;
        let finished = finished?;
        if finished.ending.is_success() {
            Ok(())
        } else {
            Err(SandboxError::HelperLost {
                status: format!("`true` {}", finished.ending),
            })
        }
    }

    /// Tells a machine that refuses from a step that merely failed.
    pub(crate) fn explain(
        step: String,
        path: Option<PathBuf>,
        source: std::io::Error,
    ) -> SandboxError {
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
    }
}

#[cfg(not(target_os = "linux"))]
mod platform {
    use super::Probe;
    use crate::SandboxError;

    pub(super) fn probe() -> Probe {
        Probe {
            namespaces: Err(SandboxError::Unsupported),
            landlock: None,
            kernel: std::env::consts::OS.to_owned(),
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
        use errno::{EACCES, EINVAL, ENOSPC, ENOSYS, EPERM};
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
        assert_eq!(ubuntu.explain("make the directory", errno::EACCES), None);
        const ENOENT: i32 = 2;
        assert_eq!(ubuntu.explain("bind", ENOENT), None);
        assert_eq!(ubuntu.explain("mount the overlay", errno::EINVAL), None);
    }
}
