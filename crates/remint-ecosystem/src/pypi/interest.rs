//! Which files of a source tree planning wants to read.

use remint_model::EntryPath;

use crate::workflow;

/// Manifests, settings, version files and workflows.
pub(crate) fn is_of_interest(path: &EntryPath) -> bool {
    let name = path.file_name();
    let vendored = path
        .as_str()
        .split('/')
        .any(|part| matches!(part, "node_modules" | "site-packages" | ".venv"));
    if vendored {
        return false;
    }
    let version_file = matches!(
        name.to_ascii_lowercase().as_str(),
        "version"
            | "version.txt"
            | "version.py"
            | "_version.py"
            | "__version__.py"
            | "__about__.py"
            | "_about.py"
            | "about.py"
            | "__init__.py"
            | "__main__.py"
            | "server.py"
            | "main.py"
            | "const.py"
            | "constants.py"
            | "config.py"
    );
    version_file
        || matches!(
            name,
            "pyproject.toml"
                | "setup.cfg"
                | "setup.py"
                | "package.json"
                | "server.json"
                | "manifest.json"
                | ".python-version"
                | "MANIFEST.in"
                | "pdm_build.py"
                | "Makefile"
                | "makefile"
                | "GNUmakefile"
                | "justfile"
                | "Justfile"
                | ".justfile"
                | "Taskfile.yml"
                | "Taskfile.yaml"
                | ".nvmrc"
                | ".node-version"
                | ".tool-versions"
                | "package-lock.json"
                | "pnpm-lock.yaml"
                | "pnpm-workspace.yaml"
                | "yarn.lock"
                | "bun.lock"
                | "uv.lock"
                | "rust-toolchain"
                | "rust-toolchain.toml"
        )
        || (path.extension() == Some("txt") && name.contains("requirements"))
        || workflow::is_of_interest(path)
}
