//! Refuses commands that could not mean anything sensible, before any process is started.

use std::ffi::OsString;
use std::path::{Component, Path};

use crate::command::{Command, Isolation};
use crate::error::SandboxError;
use crate::helper::{LANDLOCK_NEEDED_ALONE, landlock_version};
use crate::obstacle::Obstacle;
use crate::owner::Owner;

impl Command {
    pub(crate) fn check(&self) -> Result<(), SandboxError> {
        let refuse = |reason: &'static str, path: &Path| {
            Err(SandboxError::Malformed {
                reason,
                value: path.display().to_string(),
            })
        };
        if self.argv.first().is_none_or(|program| program.is_empty()) {
            return refuse("a command needs a program", Path::new(""));
        }
        let contains_nul = |text: &OsString| text.as_encoded_bytes().contains(&0);
        if let Some(word) = self.argv.iter().find(|word| contains_nul(word)) {
            return refuse("an argument contains a NUL byte", Path::new(word));
        }
        for (name, value) in &self.environment {
            let name_bytes = name.as_encoded_bytes();
            if name_bytes.is_empty() || name_bytes.contains(&b'=') || contains_nul(name) {
                return refuse("not the name of an environment variable", Path::new(name));
            }
            if contains_nul(value) {
                return refuse(
                    "an environment variable contains a NUL byte",
                    Path::new(name),
                );
            }
        }
        let inside = self
            .layers
            .iter()
            .map(|layer| &layer.inside)
            .chain(self.binds.iter().map(|bind| &bind.inside))
            .chain(self.files.iter().map(|file| &file.inside));
        for path in inside {
            if !is_plain_absolute(path) || path == Path::new("/") {
                return refuse(
                    "a path inside must be absolute, below `/`, without `.` or `..`",
                    path,
                );
            }
        }
        if !is_plain_absolute(&self.directory) {
            return refuse(
                "the working directory must be absolute, without `.` or `..`",
                &self.directory,
            );
        }
        let host = self
            .layers
            .iter()
            .flat_map(|layer| layer.lowers.iter().chain([&layer.upper, &layer.work]))
            .chain(self.binds.iter().map(|bind| &bind.host));
        for path in host {
            if !path.is_absolute() {
                return refuse("a host path must be absolute", path);
            }
        }
        for layer in &self.layers {
            if layer.lowers.is_empty() {
                return refuse("a layer needs something below it", &layer.inside);
            }
            let plain = |path: &Path| path.file_name().is_some_and(is_plain_name);
            if !plain(&layer.upper) || !plain(&layer.work) {
                return refuse(
                    "the names of `upper` and `work` may have letters, digits and `-_.` only",
                    &layer.upper,
                );
            }
            if layer.upper.parent() != layer.work.parent() || layer.upper == layer.work {
                return refuse(
                    "`upper` and `work` of a layer must lie side by side",
                    &layer.upper,
                );
            }
        }
        self.check_surroundings()?;
        if self.isolation == Isolation::Landlock {
            self.check_in_place()?;
        }
        Ok(())
    }

    /// They end up in files whose lines and colons mean something.
    fn check_surroundings(&self) -> Result<(), SandboxError> {
        let refuse = |reason, value: &dyn std::fmt::Display| {
            Err(SandboxError::Malformed {
                reason,
                value: value.to_string(),
            })
        };
        let surroundings = &self.surroundings;
        if !(1000..60_000).contains(&surroundings.user) {
            return refuse("a user inside is an ordinary one", &surroundings.user);
        }
        let is_name = |text: &str| {
            !text.is_empty()
                && text.len() <= 32
                && text
                    .bytes()
                    .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
        };
        if let Some(name) = [&surroundings.user_name, &surroundings.host_name]
            .into_iter()
            .find(|name| !is_name(name))
        {
            return refuse("not a name of a user or host", name);
        }
        let home = &surroundings.home;
        let plain = is_plain_absolute(Path::new(home))
            && home
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"/-_.".contains(&byte));
        if !plain {
            return refuse("not a home directory", home);
        }
        if surroundings.umask & !0o077 != 0 {
            return refuse(
                "a mask must leave its owner every right",
                &surroundings.umask,
            );
        }
        if surroundings.processors == Some(0) {
            return refuse("a command needs a processor", &0);
        }
        Ok(())
    }

    /// What can be had without namespaces.
    fn check_in_place(&self) -> Result<(), SandboxError> {
        let refuse = |reason, value: &dyn std::fmt::Display| {
            Err(SandboxError::Malformed {
                reason,
                value: value.to_string(),
            })
        };
        if let Some(layer) = self.layers.first() {
            return refuse("overlays need namespaces", &layer.inside.display());
        }
        match self.owner {
            Owner::Caller { .. } => {}
            Owner::Throwaway { uid, .. } => {
                return refuse(
                    "`landlock` isolation is for ordinary users, root has namespaces",
                    &uid,
                );
            }
        }
        if landlock_version().is_none_or(|version| version < LANDLOCK_NEEDED_ALONE) {
            return Err(SandboxError::Refused {
                obstacle: Obstacle::Landlock,
                step: "look for Landlock".to_owned(),
                source: std::io::ErrorKind::Unsupported.into(),
            });
        }
        Ok(())
    }
}

fn is_plain_absolute(path: &Path) -> bool {
    path.is_absolute()
        && !path.as_os_str().as_encoded_bytes().contains(&0)
        && path
            .components()
            .all(|part| matches!(part, Component::RootDir | Component::Normal(_)))
}

/// The kernel reads these names from a text in which commas and colons mean something.
fn is_plain_name(name: &std::ffi::OsStr) -> bool {
    name.as_encoded_bytes()
        .iter()
        .all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(byte))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::{Access, Bind, Layer};

    fn sound() -> Command {
        let mut command = Command::new(["/usr/bin/true"], Owner::for_test());
        command.layers.push(Layer {
            inside: "/build".into(),
            lowers: vec!["/source".into()],
            upper: "/state/upper".into(),
            work: "/state/work".into(),
        });
        command.binds.push(Bind {
            host: "/tool".into(),
            inside: "/opt/tool".into(),
            access: Access::ReadOnly,
        });
        command
    }

    fn refused(change: impl FnOnce(&mut Command)) -> &'static str {
        let mut command = sound();
        change(&mut command);
        match command.check() {
            Err(SandboxError::Malformed { reason, .. }) => reason,
            other => panic!("expected a refusal, found {other:?}"),
        }
    }

    #[test]
    fn a_sound_command_is_accepted() {
        sound().check().unwrap();
    }

    #[test]
    fn commands_that_mean_nothing_are_refused() {
        assert_eq!(refused(|c| c.argv.clear()), "a command needs a program");
        assert_eq!(
            refused(|c| c.argv.push("a\0b".into())),
            "an argument contains a NUL byte"
        );
        assert_eq!(
            refused(|c| {
                c.environment.insert("A=B".into(), "".into());
            }),
            "not the name of an environment variable"
        );
        assert_eq!(
            refused(|c| {
                c.environment.insert("A".into(), "x\0".into());
            }),
            "an environment variable contains a NUL byte"
        );
    }

    #[test]
    fn paths_that_could_lead_elsewhere_are_refused() {
        let inside = "a path inside must be absolute, below `/`, without `.` or `..`";
        for path in ["/", "build", "/build/../etc", ""] {
            assert_eq!(
                refused(|c| c.layers[0].inside = path.into()),
                inside,
                "{path}"
            );
            assert_eq!(
                refused(|c| c.binds[0].inside = path.into()),
                inside,
                "{path}"
            );
        }
        assert_eq!(
            refused(|c| c.binds[0].host = "tool".into()),
            "a host path must be absolute"
        );
        assert_eq!(
            refused(|c| c.directory = "/build/..".into()),
            "the working directory must be absolute, without `.` or `..`"
        );
    }

    #[test]
    fn surroundings_that_would_say_something_else_are_refused() {
        let user = "a user inside is an ordinary one";
        for number in [0, 999, 65_534, u32::MAX] {
            assert_eq!(refused(|c| c.surroundings.user = number), user, "{number}");
        }
        let name = "not a name of a user or host";
        for text in ["", "a:b", "a\nroot", "Upper", "a b"] {
            assert_eq!(refused(|c| c.surroundings.user_name = text.into()), name);
            assert_eq!(refused(|c| c.surroundings.host_name = text.into()), name);
        }
        for text in ["", "home", "/home/../root", "/home/a:/bin/sh"] {
            assert_eq!(
                refused(|c| c.surroundings.home = text.into()),
                "not a home directory"
            );
        }
        assert_eq!(
            refused(|c| c.surroundings.umask = 0o777),
            "a mask must leave its owner every right"
        );
        assert_eq!(
            refused(|c| c.surroundings.processors = Some(0)),
            "a command needs a processor"
        );
    }

    #[test]
    fn overlay_directories_must_be_neighbours() {
        let reason = "`upper` and `work` of a layer must lie side by side";
        assert_eq!(
            refused(|c| c.layers[0].work = "/elsewhere/work".into()),
            reason
        );
        assert_eq!(
            refused(|c| c.layers[0].work = "/state/upper".into()),
            reason
        );
        assert_eq!(
            refused(|c| c.layers[0].work = "/state/a,lowerdir=b".into()),
            "the names of `upper` and `work` may have letters, digits and `-_.` only"
        );
        assert_eq!(
            refused(|c| c.layers[0].lowers.clear()),
            "a layer needs something below it"
        );
    }
}
