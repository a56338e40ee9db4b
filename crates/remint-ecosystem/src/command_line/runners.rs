//! The programs that fetch a package and run it, with the options that may stand before the package.
//!
//! A table lists what people write in configurations, not all that a program knows: an option that is missing here
//! makes a server inconclusive, never wrong.

use remint_model::Ecosystem;

use super::options::{Effect, Opt, Options, matters, mode, switch, value};

/// A program that fetches a package and runs it.
#[derive(Debug)]
pub(super) struct Runner {
    pub(super) ecosystem: Ecosystem,
    /// Its name, as people write it, and its options.
    pub(super) options: Options,
    /// Whether options behind the package are the runner's too.
    pub(super) options_anywhere: bool,
    /// Whether `name@1.2.3` is a version for PyPI.
    pub(super) at_is_version: bool,
}

impl Runner {
    /// As people write it.
    pub(super) const fn name(&self) -> &'static str {
        self.options.name
    }
}

pub(super) static NPX: Runner = NPX_LIKE;

pub(super) static NPM_EXEC: Runner = Runner {
    options: Options {
        name: "npm exec",
        known: NPM_OPTIONS,
    },
    options_anywhere: true,
    ..NPX_LIKE
};

pub(super) static PNPM_DLX: Runner = Runner {
    options: Options {
        name: "pnpm dlx",
        known: PNPM_OPTIONS,
    },
    ..NPX_LIKE
};

pub(super) static YARN_DLX: Runner = Runner {
    options: Options {
        name: "yarn dlx",
        known: YARN_OPTIONS,
    },
    ..NPX_LIKE
};

pub(super) static BUNX: Runner = Runner {
    options: Options {
        name: "bunx",
        known: BUN_OPTIONS,
    },
    ..NPX_LIKE
};

pub(super) static UVX: Runner = Runner {
    ecosystem: Ecosystem::Pypi,
    options: Options {
        name: "uvx",
        known: UV_OPTIONS,
    },
    options_anywhere: false,
    at_is_version: true,
};

pub(super) static PIPX_RUN: Runner = Runner {
    ecosystem: Ecosystem::Pypi,
    options: Options {
        name: "pipx run",
        known: PIPX_OPTIONS,
    },
    options_anywhere: false,
    at_is_version: false,
};

pub(super) static GO_RUN: Runner = Runner {
    ecosystem: Ecosystem::Golang,
    options: Options {
        name: "go run",
        known: GO_OPTIONS,
    },
    options_anywhere: false,
    at_is_version: true,
};

const NPX_LIKE: Runner = Runner {
    ecosystem: Ecosystem::Npm,
    options: Options {
        name: "npx",
        known: NPM_OPTIONS,
    },
    options_anywhere: false,
    at_is_version: true,
};

const NPM_OPTIONS: &[Opt] = &[
    switch(&["-y", "--yes"]),
    switch(&["--no", "--no-install"]),
    switch(&["-q", "--quiet", "-s", "--silent"]),
    switch(&["--verbose", "-d", "-dd", "-ddd"]),
    switch(&["-f", "--force"]),
    switch(&["--prefer-online", "--prefer-offline", "--offline"]),
    switch(&["--ignore-scripts", "--foreground-scripts"]),
    switch(&["--audit", "--no-audit", "--fund", "--no-fund"]),
    switch(&["--progress", "--no-progress", "--color", "--no-color"]),
    switch(&["--update-notifier", "--no-update-notifier"]),
    switch(&["--legacy-peer-deps"]),
    switch(&["--package-lock", "--no-package-lock", "--save", "--no-save"]),
    value(&["--cache", "--loglevel"]),
    value(&["--proxy", "--https-proxy", "--noproxy"]),
    value(&["--fetch-retries", "--fetch-timeout"]),
    matters(&["--package", "-p"], Effect::Package),
    matters(&["--registry"], Effect::Elsewhere),
    matters(&["--userconfig"], Effect::Elsewhere),
    matters(&["--globalconfig"], Effect::Elsewhere),
    // Whoever answers without a certificate of the registry is another registry.
    matters(&["--cafile"], Effect::Elsewhere),
    mode(&["--strict-ssl"], Effect::Elsewhere),
    mode(&["--no-strict-ssl"], Effect::Elsewhere),
    matters(&["--node-options"], Effect::Runs),
    matters(&["--script-shell"], Effect::Runs),
    matters(&["--shell"], Effect::Runs),
    matters(&["--tag"], Effect::Chooses),
    matters(&["--before"], Effect::Chooses),
    matters(&["--min-release-age"], Effect::Chooses),
    matters(&["--prefix", "-C"], Effect::Local),
    matters(&["--workspace", "-w"], Effect::Local),
    mode(&["--workspaces", "--ws"], Effect::Local),
    matters(&["--call", "-c"], Effect::Shell),
];

const PNPM_OPTIONS: &[Opt] = &[
    switch(&["-y", "--yes"]),
    switch(&["-s", "--silent", "--color", "--no-color"]),
    switch(&["--prefer-offline", "--offline", "--ignore-scripts"]),
    value(&["--reporter", "--loglevel", "--allow-build"]),
    matters(&["--package"], Effect::Package),
    matters(&["--registry"], Effect::Elsewhere),
    matters(&["--config.registry"], Effect::Elsewhere),
    matters(&["--dir", "-C"], Effect::Local),
    matters(&["--filter", "-F"], Effect::Local),
    mode(&["--recursive", "-r"], Effect::Local),
    mode(&["--workspace-root", "-w"], Effect::Local),
    mode(&["--shell-mode", "-c"], Effect::Shell),
];

const YARN_OPTIONS: &[Opt] = &[
    switch(&["-q", "--quiet", "-s", "--silent", "-y", "--yes"]),
    matters(&["--package", "-p"], Effect::Package),
    matters(&["--registry"], Effect::Elsewhere),
    matters(&["--cwd"], Effect::Local),
];

const BUN_OPTIONS: &[Opt] = &[
    switch(&["--bun", "-b", "-y", "--yes"]),
    switch(&["--silent", "--verbose", "--no-install", "--no-cache"]),
    matters(&["--package", "-p"], Effect::Package),
    matters(&["--registry"], Effect::Elsewhere),
    matters(&["--config", "-c"], Effect::Elsewhere),
    matters(&["--cwd"], Effect::Local),
];

const UV_OPTIONS: &[Opt] = &[
    switch(&["-q", "--quiet", "-v", "--verbose", "--no-progress"]),
    switch(&["--isolated", "-U", "--upgrade", "--refresh"]),
    switch(&["--reinstall", "--force-reinstall"]),
    switch(&["-n", "--no-cache", "--no-cache-dir", "--offline"]),
    switch(&["--no-env-file", "--no-sources", "--lfs"]),
    switch(&["--compile-bytecode", "--compile", "--no-build-isolation"]),
    switch(&["--no-build", "--no-binary"]),
    switch(&["--managed-python", "--no-managed-python"]),
    switch(&["--no-python-downloads", "--allow-python-downloads"]),
    switch(&["--native-tls", "--system-certs"]),
    value(&["--python-preference", "--python-platform"]),
    matters(&["--python", "-p"], Effect::Interpreter),
    value(&["--refresh-package", "--reinstall-package"]),
    value(&["--upgrade-package", "-P"]),
    value(&["--no-build-package", "--no-binary-package"]),
    value(&["--cache-dir", "--color", "--link-mode"]),
    value(&["--keyring-provider"]),
    matters(&["--env-file"], Effect::Runs),
    matters(&["--allow-insecure-host"], Effect::Elsewhere),
    matters(&["--trusted-host"], Effect::Elsewhere),
    value(&[
        "--torch-backend",
        "--config-setting",
        "--config-settings",
        "-C",
    ]),
    matters(&["--from"], Effect::Package),
    matters(&["--with", "-w"], Effect::Beside),
    matters(&["--with-requirements"], Effect::Files),
    matters(&["--with-editable"], Effect::Files),
    matters(&["--index"], Effect::Elsewhere),
    matters(&["--default-index"], Effect::Elsewhere),
    matters(&["--index-url", "-i"], Effect::Elsewhere),
    matters(&["--extra-index-url"], Effect::Elsewhere),
    matters(&["--find-links", "-f"], Effect::Elsewhere),
    matters(&["--config-file"], Effect::Elsewhere),
    mode(&["--no-index"], Effect::Elsewhere),
    mode(&["--no-config"], Effect::Elsewhere),
    matters(&["--index-strategy"], Effect::Chooses),
    matters(&["--resolution"], Effect::Chooses),
    matters(&["--prerelease"], Effect::Chooses),
    matters(&["--exclude-newer"], Effect::Chooses),
    matters(&["--exclude-newer-package"], Effect::Chooses),
    matters(&["--constraints", "--constraint", "-c"], Effect::Chooses),
    matters(&["--overrides", "--override"], Effect::Local),
    matters(&["--directory"], Effect::Local),
    matters(&["--project"], Effect::Local),
];

const PIPX_OPTIONS: &[Opt] = &[
    switch(&["-q", "--quiet", "-v", "--verbose"]),
    switch(&["--no-cache", "--no-path-check", "--pypackages"]),
    switch(&["--fetch-missing-python", "--system-site-packages"]),
    value(&["--backend"]),
    matters(&["--python"], Effect::Interpreter),
    matters(&["--spec"], Effect::Package),
    matters(&["--with"], Effect::Beside),
    matters(&["--index-url", "-i"], Effect::Elsewhere),
    matters(&["--pip-args"], Effect::Elsewhere),
    mode(&["--path"], Effect::Local),
    mode(&["--editable", "-e"], Effect::Local),
];

const GO_OPTIONS: &[Opt] = &[
    switch(&["-a", "-v", "-x", "-race", "-trimpath", "-buildvcs=false"]),
    value(&["-p", "-tags", "-gcflags"]),
    // The linker can be another program.
    matters(&["-ldflags"], Effect::Runs),
    matters(&["-C"], Effect::Local),
    matters(&["-exec"], Effect::Local),
    matters(&["-modfile"], Effect::Local),
    matters(&["-overlay"], Effect::Local),
    matters(&["-toolexec"], Effect::Local),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn no_option_has_two_meanings() {
        for runner in [
            &NPX, &NPM_EXEC, &PNPM_DLX, &YARN_DLX, &BUNX, &UVX, &PIPX_RUN, &GO_RUN,
        ] {
            let mut seen = BTreeSet::new();
            for name in runner
                .options
                .known
                .iter()
                .flat_map(|option| option.names.iter())
            {
                assert!(name.starts_with('-'), "{name}");
                assert!(seen.insert(name), "{} has {name} twice", runner.name());
            }
        }
    }
}
