//! Tools that the machine has: Python interpreters, Rust toolchains, and what lies in `/usr/bin`.

use std::path::{Path, PathBuf};

use pep440_rs::{Version as PythonVersion, VersionSpecifiers};
use remint_ecosystem::Interpreter;
use remint_model::Tool;

use crate::error::FetchError;
use crate::registry::Registries;
use crate::tools::{ProvidedTool, plain, refuse};

/// Finds a tool on this machine.
pub(crate) fn provide(registries: &Registries, tool: &Tool) -> Result<ProvidedTool, FetchError> {
    match &*tool.name {
        "python" => python(registries, tool),
        "cargo" => cargo(registries, tool),
        _ => program(tool),
    }
}

fn program(tool: &Tool) -> Result<ProvidedTool, FetchError> {
    let known = Path::new("/usr/bin").join(plain(&tool.name));
    if !known.is_file() {
        return Err(refuse(tool, "this machine does not have it in `/usr/bin`"));
    }
    Ok(ProvidedTool {
        name: tool.name.clone(),
        version: tool.version.clone().unwrap_or_else(|| "system".to_owned()),
        host: PathBuf::from("/usr"),
        inside: "/usr".to_owned(),
        bin: vec!["/usr/bin".to_owned()],
    })
}

/// A toolchain finds its own files beside itself, so it can appear anywhere.
fn cargo(registries: &Registries, tool: &Tool) -> Result<ProvidedTool, FetchError> {
    let known = registries.toolchains();
    let found = known
        .iter()
        .find(|found| {
            tool.version
                .as_ref()
                .is_none_or(|version| *version == found.version)
        })
        .ok_or_else(|| {
            let known: Vec<&str> = known.iter().map(|found| found.version.as_str()).collect();
            let known = match known.as_slice() {
                [] => "no Rust toolchain at all".to_owned(),
                known => known.join(", "),
            };
            refuse(
                tool,
                &format!("toolchain unavailable: this machine has {known}"),
            )
        })?;
    let inside = if found.prefix == Path::new("/usr") {
        "/usr".to_owned()
    } else {
        format!("/opt/cargo-{}", plain(&found.version))
    };
    Ok(ProvidedTool {
        name: "cargo".to_owned(),
        version: found.version.clone(),
        host: found.prefix.clone(),
        bin: vec![format!("{inside}/bin")],
        inside,
    })
}

fn python(registries: &Registries, tool: &Tool) -> Result<ProvidedTool, FetchError> {
    let known = registries.interpreters();
    let found = choose(known, tool).ok_or_else(|| {
        let known: Vec<&str> = known.iter().map(|found| found.version.as_str()).collect();
        let known = match known.as_slice() {
            [] => "no Python at all".to_owned(),
            known => known.join(", "),
        };
        refuse(
            tool,
            &format!("interpreter unavailable: this machine has {known}"),
        )
    })?;
    let prefix = found
        .path
        .parent()
        .and_then(Path::parent)
        .filter(|prefix| prefix.parent().is_some())
        .ok_or_else(|| refuse(tool, "the interpreter lies outside any prefix"))?;
    if prefix == Path::new("/usr") {
        return from_usr(registries, found);
    }
    let place = prefix
        .to_str()
        .ok_or_else(|| refuse(tool, "the interpreter's path is not UTF-8"))?;
    // One that loads its own library from an absolute path works nowhere else than where it was installed.
    let inside = if has_shared_library(&prefix.join("lib")) {
        place.to_owned()
    } else {
        format!("/opt/python-{}", plain(&found.version))
    };
    Ok(ProvidedTool {
        name: "python".to_owned(),
        version: found.version.clone(),
        host: prefix.to_owned(),
        bin: vec![format!("{inside}/bin")],
        inside,
    })
}

/// Several interpreters share `/usr/bin`, and none of them is called `python` everywhere: wrappers name the one
/// that is meant.
fn from_usr(registries: &Registries, found: &Interpreter) -> Result<ProvidedTool, FetchError> {
    let version = plain(&found.version);
    let root = registries
        .cache
        .tools()
        .join(format!("python-{version}-usr"))
        .join("root");
    let bin = root.join("bin");
    fs_err::create_dir_all(&bin)?;
    let minor: Vec<&str> = found.version.split('.').take(2).collect();
    let text = format!("#!/bin/sh\nexec \"{}\" \"$@\"\n", found.path.display());
    for name in ["python", "python3", &format!("python{}", minor.join("."))] {
        let place = bin.join(name);
        if fs_err::read(&place).is_ok_and(|known| known == text.as_bytes()) {
            continue;
        }
        let file = registries.cache.temporary_file()?;
        fs_err::write(file.path(), &text)?;
        crate::cache::set_mode(file.path(), 0o755)?;
        file.persist(&place).map_err(|error| error.error)?;
    }
    let inside = format!("/opt/python-{version}");
    Ok(ProvidedTool {
        name: "python".to_owned(),
        version: found.version.clone(),
        host: root,
        bin: vec![format!("{inside}/bin")],
        inside,
    })
}

/// An exact version, a line such as `3.12`, a PEP 440 specifier, or anything at all.
fn choose<'a>(known: &'a [Interpreter], tool: &Tool) -> Option<&'a Interpreter> {
    let wanted = match tool.version.as_deref().map(str::trim) {
        None | Some("" | "latest" | "*") => return known.first(),
        Some(wanted) => wanted,
    };
    if let Some(found) = known.iter().find(|found| found.version == wanted) {
        return Some(found);
    }
    let line = format!("{wanted}.");
    if wanted.bytes().all(|b| b.is_ascii_digit() || b == b'.') {
        return known.iter().find(|found| found.version.starts_with(&line));
    }
    let range: VersionSpecifiers = wanted.parse().ok()?;
    known.iter().find(|found| {
        found
            .version
            .parse::<PythonVersion>()
            .is_ok_and(|version| range.contains(&version))
    })
}

fn has_shared_library(directory: &Path) -> bool {
    fs_err::read_dir(directory).is_ok_and(|entries| {
        entries.flatten().any(|entry| {
            let name = entry.file_name();
            let name = name.to_string_lossy();
            name.starts_with("libpython") && (name.contains(".so") || name.ends_with(".dylib"))
        })
    })
}

#[cfg(test)]
mod tests {
    use remint_model::ToolOrigin;

    use super::*;

    #[test]
    fn an_interpreter_is_chosen_by_version_line_or_range() {
        let known: Vec<Interpreter> = ["3.13.0", "3.12.1", "3.11.7", "3.1.5"]
            .iter()
            .map(|version| Interpreter {
                version: (*version).to_owned(),
                path: PathBuf::from("/x"),
            })
            .collect();
        let check = |wanted: Option<&str>, expect: Option<&str>| {
            let tool = Tool {
                name: "python".to_owned(),
                version: wanted.map(str::to_owned),
                as_of: None,
                origin: ToolOrigin::System,
                because: String::new(),
            };
            let found = choose(&known, &tool).map(|found| found.version.as_str());
            assert_eq!(found, expect, "{wanted:?}");
        };
        check(None, Some("3.13.0"));
        check(Some("3.12"), Some("3.12.1"));
        check(Some("3.1"), Some("3.1.5"));
        check(Some("3.11.7"), Some("3.11.7"));
        check(Some("3.11.9"), None);
        check(Some(">=3.10,<3.12"), Some("3.11.7"));
        check(Some("~=3.12.0"), Some("3.12.1"));
        check(Some(">=3.14"), None);
        check(Some("pypy"), None);
    }
}
