//! The commands that build a program again, and the variables that they see.

use std::collections::BTreeMap;

use remint_model::{Action, EntryPath, Lock, OnFailure, Phase, SourceTree, Step};

use super::{MODULES, OUT, Program, is_for_this_machine, uncommitted};
use crate::golang::linking::Linking;
use crate::request::PlanRequest;

impl Program<'_> {
    pub(super) fn environment(&self, lock: &Lock) -> BTreeMap<String, String> {
        let mut all = self.settings.environment.clone();
        let proxy = match lock {
            Lock::Modules(_) => format!("file://{MODULES}"),
            Lock::Nothing | Lock::Locked { .. } | Lock::Opaque { .. } | Lock::AsOf { .. } => {
                "off".to_owned()
            }
        };
        for (name, value) in [
            ("GOENV", "off"),
            ("GOTOOLCHAIN", "local"),
            ("GOPROXY", proxy.as_str()),
            // Each digest was checked when the modules were fetched, and go checks them against `go.sum` again.
            ("GOSUMDB", "off"),
            // The machine's own settings are not there, or cannot be read, which git takes for an error.
            ("GIT_CONFIG_NOSYSTEM", "1"),
            // Elsewhere temporary files are kept in memory.
            ("GOTMPDIR", OUT),
            (
                "GOFLAGS",
                if self.vendored {
                    "-mod=vendor"
                } else {
                    "-mod=readonly"
                },
            ),
        ] {
            all.insert(name.to_owned(), value.to_owned());
        }
        if self.outside_workspace {
            all.insert("GOWORK".to_owned(), "off".to_owned());
        }
        if self.is_installed() {
            // There is no main module to which the flag could refer.
            all.insert("GOFLAGS".to_owned(), String::new());
            all.insert("GOPATH".to_owned(), format!("{OUT}/go"));
        }
        all
    }

    pub(super) fn steps(&self, request: &PlanRequest<'_>, linking: &Linking) -> Vec<Step> {
        let mut flags = self.settings.flags.clone();
        // A profile beside the main package is taken without being asked for.
        let profile = SourceTree::path_in(self.package.as_ref(), "default.pgo");
        if !self.settings.profile && request.tree.has(&profile) {
            flags.push("-pgo=off".to_owned());
        }
        if !linking.flags.is_empty() {
            flags.push(format!("-ldflags={}", linking.flags));
        }
        let step = |directory: Option<EntryPath>, argv: Vec<String>| Step {
            phase: Phase::Build,
            directory,
            action: Action::Run { argv },
            environment: BTreeMap::new(),
            on_failure: OnFailure::Ends,
        };
        let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
        let result = format!("{OUT}/{}", request.file_name);
        if self.is_installed() {
            let package = format!("{}@{}", self.info.package, self.main.version);
            let mut install: Vec<String> = words(&["go", "install"]);
            install.extend(flags);
            install.push(package);
            // `go install` takes no place for a program of another system.
            let copy = words(&["cp", &self.installed(request), &result]);
            return vec![step(None, install), step(None, copy)];
        }
        let mut build: Vec<String> = words(&["go", "build"]);
        build.extend(flags);
        build.push(format!("-buildvcs={}", self.settings.stamp.is_some()));
        build.extend(["-o".to_owned(), result]);
        build.push(match &self.package_in_module {
            Some(package) => format!("./{package}"),
            None => ".".to_owned(),
        });
        let mut steps = Vec::new();
        if self
            .settings
            .stamp
            .as_ref()
            .is_some_and(|stamp| stamp.modified)
        {
            steps.push(step(None, uncommitted::command()));
        }
        steps.push(step(request.pin.subdirectory.clone(), build));
        steps
    }

    /// Where `go install` leaves the program (`go help install`).
    fn installed(&self, request: &PlanRequest<'_>) -> String {
        let mut parts = self.info.package.rsplit('/');
        let last = parts.next().unwrap_or_default();
        let is_major = last
            .strip_prefix('v')
            .is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()));
        let name = if is_major {
            parts.next().unwrap_or(last)
        } else {
            last
        };
        let of = |key: &str| {
            self.settings
                .environment
                .get(key)
                .map_or("", String::as_str)
        };
        let (system, processor) = (of("GOOS"), of("GOARCH"));
        let folder = if is_for_this_machine(request, &self.settings) {
            String::new()
        } else {
            format!("{system}_{processor}/")
        };
        let ending = if system == "windows" { ".exe" } else { "" };
        format!("{OUT}/go/bin/{folder}{name}{ending}")
    }
}
