//! The readers of foreign bytes that only this crate uses, for the targets in `fuzz/`; there in no other build.

use remint_model::{Ecosystem, PackageName};
use url::Url;

/// A git host's listing of refs.
pub fn git_listing(bytes: &[u8]) {
    crate::git::check_listing(bytes);
}

/// An index's page about a project.
pub fn index_page(bytes: &[u8]) {
    if let (Ok(url), Ok(project)) = (
        "https://index.example/simple/x/".parse(),
        PackageName::parse(Ecosystem::Pypi, "x"),
    ) {
        crate::registry::simple::check_page(bytes, &url, &project);
    }
}

/// An npm registry's document about a package, as builds are shown it.
pub fn packument(bytes: &[u8]) {
    if let Ok(name) = PackageName::parse(Ecosystem::Npm, "@a/b") {
        crate::proxy::check_packument(bytes, &name);
    }
}

/// What a build asks the proxy for.
pub fn address(text: &str) {
    for host in [
        "registry.npmjs.org",
        "pypi.org",
        "files.pythonhosted.org",
        "index.crates.io",
        "index.example",
    ] {
        if let Ok(url) = format!("https://{host}/{text}").parse::<Url>() {
            crate::proxy::check_address(&url);
        }
    }
}

/// The archive of a tool.
///
/// # Errors
/// This machine has no room for temporary files.
pub fn tool_archive(bytes: &[u8]) -> std::io::Result<()> {
    crate::tools::check_archive(bytes)
}
