//! Gives an unpacked tool a `bin` directory, the way its package client would on installing it.

use std::collections::BTreeMap;
use std::path::Path;

use remint_model::{Ecosystem, EntryPath, PackageName};
use serde_json::Value;

use crate::error::FetchError;
use crate::tools::unpack::ArchiveKind;
use crate::tools::{damaged, go_toolchain};

/// Part of the name of a stored tool: raised whenever what is made here changes.
pub(crate) const VERSION: u32 = 2;

/// Arranges what was unpacked into `root`. What it writes works wherever the tool appears: without namespaces that
/// is the store itself.
pub(crate) fn arrange(root: &Path, kind: ArchiveKind, name: &str) -> Result<(), FetchError> {
    match kind {
        ArchiveKind::NpmTarball => arrange_npm(root, name),
        ArchiveKind::Wheel => arrange_wheel(root),
        ArchiveKind::GoToolchain => go_toolchain::arrange(root),
    }
}

/// A program written for node needs a wrapper; a native one stays where its package has it, because it may look
/// for its own files beside itself.
fn arrange_npm(root: &Path, name: &str) -> Result<(), FetchError> {
    let commands = commands(root, name)?;
    let scripted = commands
        .values()
        .any(|target| matches!(target.extension(), Some("js" | "cjs" | "mjs")));
    if scripted {
        // The package moves below `lib`, so that its own `bin` does not get on `PATH`.
        let package = root.with_file_name("package");
        fs_err::rename(root, &package)?;
        fs_err::create_dir_all(root.join("bin"))?;
        fs_err::rename(&package, root.join("lib"))?;
        for (command, target) in &commands {
            write_wrapper(root, command, &format!("node \"{BESIDE}/lib/{target}\""))?;
        }
        return Ok(());
    }
    fs_err::create_dir_all(root.join("bin"))?;
    for (command, target) in &commands {
        crate::cache::set_mode(&root.join(target.as_str()), 0o755)?;
        if !root.join("bin").join(command).exists() {
            write_wrapper(root, command, &format!("\"{BESIDE}/{target}\""))?;
        }
    }
    // Bun tells by its name which of the two it is; its own installer makes a link.
    if name == "bun" && !root.join("bin/bunx").exists() {
        write_wrapper(root, "bunx", &format!("\"{BESIDE}/bin/bun\" x"))?;
    }
    Ok(())
}

/// The commands of a package: its manifest's `bin`, or else the program that bears the tool's name.
fn commands(root: &Path, name: &str) -> Result<BTreeMap<String, EntryPath>, FetchError> {
    let path = root.join("package.json");
    let manifest: Value =
        serde_json::from_slice(&fs_err::read(&path)?).map_err(|error| damaged(&path, error))?;
    let mut commands = BTreeMap::new();
    let mut add = |command: &str, target: &str| -> Result<(), FetchError> {
        let plain = !command.is_empty()
            && !command.starts_with(['.', '-'])
            && command
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b));
        let target: EntryPath = target
            .parse()
            .map_err(|error| damaged(&path, format!("`{target}`: {error}")))?;
        let shell_safe = !target.as_str().contains(['"', '$', '`', '\n']);
        if plain && shell_safe && root.join(target.as_str()).is_file() {
            commands.insert(command.to_owned(), target);
        }
        Ok(())
    };
    match manifest.get("bin") {
        Some(Value::Object(map)) => {
            for (command, target) in map {
                if let Some(target) = target.as_str() {
                    add(command, target)?;
                }
            }
        }
        Some(Value::String(target)) => {
            let package = manifest.get("name").and_then(Value::as_str).unwrap_or(name);
            let command = PackageName::parse(Ecosystem::Npm, package)
                .map_or_else(|_| name.to_owned(), |name| name.unscoped().to_owned());
            add(&command, target)?;
        }
        Some(Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_)) | None => {}
    }
    for target in [format!("bin/{name}"), name.to_owned()] {
        if commands.is_empty() && root.join(&target).is_file() {
            commands.insert(
                name.to_owned(),
                target
                    .parse()
                    .map_err(|error| damaged(&path, format!("`{target}`: {error}")))?,
            );
        }
    }
    if commands.is_empty() {
        return Err(damaged(&path, "the package has no program"));
    }
    Ok(commands)
}

/// Native programs of a wheel lie in `<name>-<version>.data/scripts/`.
fn arrange_wheel(root: &Path) -> Result<(), FetchError> {
    let bin = root.join("bin");
    fs_err::create_dir_all(&bin)?;
    let mut found = false;
    for entry in fs_err::read_dir(root)? {
        let scripts = entry?.path().join("scripts");
        let data = scripts
            .parent()
            .and_then(Path::extension)
            .is_some_and(|extension| extension == "data");
        if !data || !scripts.is_dir() {
            continue;
        }
        for program in fs_err::read_dir(&scripts)? {
            let program = program?;
            let place = bin.join(program.file_name());
            fs_err::rename(program.path(), &place)?;
            crate::cache::set_mode(&place, 0o755)?;
            found = true;
        }
    }
    if found {
        Ok(())
    } else {
        Err(damaged(root, "the wheel has no native program"))
    }
}

/// The tool's directory, as its programs in `bin` find it: a kernel hands a script its own path.
const BESIDE: &str = "${0%/*}/..";

/// Writes a program into `bin` that runs another one in its place.
fn write_wrapper(root: &Path, command: &str, program: &str) -> Result<(), FetchError> {
    let path = root.join("bin").join(command);
    fs_err::write(&path, format!("#!/bin/sh\nexec {program} \"$@\"\n"))?;
    crate::cache::set_mode(&path, 0o755)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package(files: &[(&str, &str)]) -> tempfile::TempDir {
        let place = tempfile::tempdir().unwrap();
        for (path, content) in files {
            let path = place.path().join("root").join(path);
            fs_err::create_dir_all(path.parent().unwrap()).unwrap();
            fs_err::write(path, content).unwrap();
        }
        place
    }

    #[test]
    fn scripts_get_wrappers_and_native_programs_stay() {
        let place = package(&[
            (
                "package.json",
                r#"{"name":"npm","bin":{"npm":"./bin/npm-cli.js","npx":"bin/npx-cli.js"}}"#,
            ),
            ("bin/npm-cli.js", ""),
            ("bin/npx-cli.js", ""),
            ("bin/npm", "not this one"),
        ]);
        let root = place.path().join("root");
        arrange(&root, ArchiveKind::NpmTarball, "npm").unwrap();
        assert_eq!(
            fs_err::read_to_string(root.join("bin/npm")).unwrap(),
            "#!/bin/sh\nexec node \"${0%/*}/../lib/bin/npm-cli.js\" \"$@\"\n"
        );
        assert!(root.join("bin/npx").is_file());

        let place = package(&[
            ("package.json", r#"{"name":"@oven/bun-linux-x64"}"#),
            ("bin/bun", "ELF"),
        ]);
        let root = place.path().join("root");
        arrange(&root, ArchiveKind::NpmTarball, "bun").unwrap();
        assert_eq!(fs_err::read_to_string(root.join("bin/bun")).unwrap(), "ELF");
        assert!(root.join("bin/bunx").is_file());
    }

    #[test]
    fn programs_outside_the_package_are_refused() {
        for manifest in [
            r#"{"bin":{"x":"../../../bin/sh"}}"#,
            r#"{"bin":{"x":"/bin/sh"}}"#,
            r#"{"bin":{"../x":"a.js"}}"#,
            r#"{"bin":{"x":"missing.js"}}"#,
            "{}",
            "not json",
        ] {
            let place = package(&[("package.json", manifest), ("a.js", "")]);
            let outcome = arrange(&place.path().join("root"), ArchiveKind::NpmTarball, "x");
            assert!(
                matches!(outcome, Err(FetchError::Tool { .. })),
                "{manifest}"
            );
        }
    }
}
