//! What may stand in the way of isolation, and what the user can do about it.

use std::fmt;

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
    /// `landlock` isolation was asked for, and the kernel cannot do enough of it.
    Landlock,
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
            Self::Landlock => {
                "this kernel's Landlock is off, or too old to confine signals (Linux 6.12 and later can)"
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
                 sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0; \
                 or accept the weaker `landlock` isolation: --isolation landlock"
            }
            Self::UnprivilegedSwitch => {
                "allow it until the next start: sudo sysctl -w kernel.unprivileged_userns_clone=1; \
                 or accept the weaker `landlock` isolation: --isolation landlock"
            }
            Self::NoUserNamespaces => {
                "allow it until the next start: sudo sysctl -w user.max_user_namespaces=15000; \
                 or accept, as an ordinary user, the weaker `landlock` isolation: --isolation landlock"
            }
            Self::RootWithoutRights => {
                "run as an ordinary user, or give the container CAP_SYS_ADMIN, CAP_SETUID, \
                 CAP_SETGID, CAP_CHOWN and CAP_DAC_OVERRIDE"
            }
            Self::Container => {
                "run outside of the container, or start it with \
                 `--security-opt seccomp=unconfined --security-opt systempaths=unconfined`"
            }
            Self::Kernel | Self::Landlock => "run on a newer kernel",
            Self::Unknown => {
                "run as another user or on another machine, or accept the weaker `landlock` isolation"
            }
        }
        .to_owned()
    }
}
