//! Packages for one platform each, of which an installer takes the one that fits: what runs is then mostly in them,
//! and a verdict on this package says nothing about them.

use remint_model::{Axis, DependencyKind, Finding, Severity};
use serde_json::json;

use super::Check;
use crate::evidence::Evidence;

pub(super) const CHECK: Check = Check {
    ids: &["native-companions"],
    run: native_companions,
};

/// How many packages one finding names.
const SHOWN: usize = 100;
/// What npm calls platforms and processors (`process.platform`, `process.arch`), and what publishers write instead.
const SYSTEMS: [&str; 13] = [
    "linux",
    "darwin",
    "win32",
    "windows",
    "android",
    "freebsd",
    "netbsd",
    "openbsd",
    "sunos",
    "aix",
    "openharmony",
    "macos",
    "linuxmusl",
];
const PROCESSORS: [&str; 14] = [
    "x64",
    "arm64",
    "ia32",
    "arm",
    "armv7",
    "aarch64",
    "x86",
    "amd64",
    "ppc64",
    "ppc64le",
    "s390x",
    "riscv64",
    "loong64",
    "universal",
];

fn native_companions(evidence: &Evidence) -> Vec<Finding> {
    let Some(Ok(published)) = &evidence.manifests.published else {
        return Vec::new();
    };
    let companions: Vec<_> = published
        .dependencies
        .iter()
        .filter(|dependency| {
            dependency.kind == DependencyKind::Optional && names_platform(&dependency.name)
        })
        .collect();
    let Some(first) = companions.first() else {
        return Vec::new();
    };
    let more = match companions.len() {
        1 => String::new(),
        n => format!(" and {} more", n - 1),
    };
    vec![Finding {
        id: "native-companions",
        axis: Axis::Dependencies,
        severity: Severity::Info,
        message: format!(
            "the code for one platform is in packages of its own, which are not judged here: `{}`{more}",
            first.name
        ),
        evidence: json!({
            "count": companions.len(),
            "packages": companions.iter().take(SHOWN).collect::<Vec<_>>(),
        }),
    }]
}

/// Whether a name says for which platform a package is: `@scope/name-linux-x64`, `@scope/darwin-arm64`.
fn names_platform(name: &str) -> bool {
    let words = || name.split(['-', '/', '_', '.', '@']);
    words().any(|word| SYSTEMS.contains(&word))
        && words().any(|word| PROCESSORS.contains(&word) || word.starts_with("armv"))
}
