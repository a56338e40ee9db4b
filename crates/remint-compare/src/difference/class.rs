//! What a file is for, told from its path and first bytes: how much a difference in it matters.

use remint_model::{ArtifactFormat, Class, EntryPath};

/// What a file is for, as far as its path tells.
#[must_use]
pub fn class_of_path(format: ArtifactFormat, path: &EntryPath) -> Class {
    classify(format, path, &[], false)
}

/// Ranks a file. Where two classes fit, the more serious one counts.
pub(crate) fn classify(
    format: ArtifactFormat,
    path: &EntryPath,
    head: &[u8],
    executable: bool,
) -> Class {
    let file = FileFacts {
        format,
        path: path.as_str().to_ascii_lowercase(),
        head,
    };
    let rules: [(Class, bool); 10] = [
        (Class::Startup, file.is_startup()),
        (Class::InstallScript, file.is_install_script()),
        (Class::Native, file.is_native()),
        (Class::DependencyList, file.is_dependency_list()),
        (Class::Manifest, file.is_manifest()),
        (Class::Types, file.is_types()),
        (Class::Sourcemap, file.is_source_map()),
        (Class::Metadata, file.is_metadata()),
        (Class::Executable, file.is_code() || executable),
        (Class::Licence, file.is_licence()),
    ];
    rules
        .into_iter()
        .find_map(|(class, applies)| applies.then_some(class))
        .unwrap_or(if file.is_documentation() {
            Class::Documentation
        } else {
            Class::Data
        })
}

struct FileFacts<'a> {
    format: ArtifactFormat,
    /// In lower case.
    path: String,
    head: &'a [u8],
}

impl FileFacts<'_> {
    fn name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or(&self.path)
    }

    fn extension(&self) -> &str {
        self.name()
            .rsplit_once('.')
            .map_or("", |(_, extension)| extension)
    }

    fn directory(&self) -> &str {
        self.path
            .rsplit_once('/')
            .map_or("", |(directory, _)| directory)
    }

    fn is_npm(&self) -> bool {
        self.format == ArtifactFormat::NpmTarball
    }

    fn is_sdist(&self) -> bool {
        matches!(
            self.format,
            ArtifactFormat::Sdist | ArtifactFormat::SdistZip
        )
    }

    fn is_go_module(&self) -> bool {
        self.format == ArtifactFormat::GoModule
    }

    fn is_crate(&self) -> bool {
        self.format == ArtifactFormat::Crate
    }

    /// Python reads `.pth` files where packages are installed to, not inside packages (where weights of models
    /// bear that ending).
    fn is_startup(&self) -> bool {
        let in_site_packages = match self.format {
            ArtifactFormat::Wheel => {
                self.directory().is_empty()
                    || self.directory().ends_with(".data/purelib")
                    || self.directory().ends_with(".data/platlib")
                    || self.directory().ends_with(".data/data")
                    // Wherever the data of a wheel goes, it may go to such a folder.
                    || matches!(
                        self.directory().rsplit('/').next(),
                        Some("site-packages" | "dist-packages")
                    )
            }
            ArtifactFormat::Sdist | ArtifactFormat::SdistZip => true,
            ArtifactFormat::NpmTarball
            | ArtifactFormat::Crate
            | ArtifactFormat::GoModule
            | ArtifactFormat::GoProgram => false,
            ArtifactFormat::Mcpb => matches!(
                self.directory().rsplit('/').next(),
                Some("site-packages" | "lib" | "libs")
            ),
            ArtifactFormat::ImageFiles => matches!(
                self.directory().rsplit('/').next(),
                Some("site-packages" | "dist-packages")
            ),
        };
        let stem = self
            .path
            .strip_suffix(".py")
            .or_else(|| self.path.strip_suffix(".pyc"));
        (in_site_packages && self.extension() == "pth")
            || stem.is_some_and(|stem| {
                let module = stem.strip_suffix("/__init__").unwrap_or(stem);
                matches!(
                    module.rsplit('/').next(),
                    Some("sitecustomize" | "usercustomize")
                )
            })
            || (self.is_npm() && self.path == "binding.gyp")
    }

    fn is_install_script(&self) -> bool {
        (self.is_sdist() && matches!(&*self.path, "setup.py" | "hatch_build.py"))
            || (self.is_crate() && self.path == "build.rs")
    }

    fn is_native(&self) -> bool {
        const MAGIC: &[&[u8]] = &[
            b"\x7fELF",
            b"\0asm",
            b"\xfe\xed\xfa\xce",
            b"\xfe\xed\xfa\xcf",
            b"\xce\xfa\xed\xfe",
            b"\xcf\xfa\xed\xfe",
            b"\xca\xfe\xba\xbe",
            b"!<arch>\n",
        ];
        MAGIC.iter().any(|magic| self.head.starts_with(magic))
            // Two letters alone are too common at the start of text.
            || (self.head.starts_with(b"MZ") && self.head.get(2).is_some_and(|b| !b.is_ascii_graphic()))
            || matches!(
                self.extension(),
                "node" | "so" | "dll" | "dylib" | "pyd" | "exe" | "wasm" | "lib" | "o" | "jnilib"
            )
            || self.name().contains(".so.")
    }

    fn is_dependency_list(&self) -> bool {
        matches!(
            self.name(),
            "npm-shrinkwrap.json"
                | "package-lock.json"
                | ".package-lock.json"
                | "yarn.lock"
                | "pnpm-lock.yaml"
                | "bun.lock"
                | "bun.lockb"
                | "deno.lock"
                | "uv.lock"
                | "poetry.lock"
                | "pdm.lock"
                | "pylock.toml"
                | "pipfile.lock"
                | "cargo.lock"
                | "go.sum"
        ) || (self.name() == "requires.txt" && self.directory().ends_with(".egg-info"))
            || (self.name().starts_with("requirements") && self.extension() == "txt")
    }

    /// A nested `package.json` counts too: it says how the code beside it is loaded.
    fn is_manifest(&self) -> bool {
        match self.format {
            ArtifactFormat::NpmTarball => self.name() == "package.json",
            ArtifactFormat::GoModule => self.path == "go.mod",
            ArtifactFormat::GoProgram => false,
            ArtifactFormat::ImageFiles => {
                self.path == "config.json"
                    || self.name() == "package.json"
                    || (self.directory().ends_with(".dist-info")
                        && matches!(self.name(), "metadata" | "entry_points.txt"))
            }
            ArtifactFormat::Crate => matches!(&*self.path, "cargo.toml" | "cargo.toml.orig"),
            ArtifactFormat::Mcpb => {
                self.path == "manifest.json"
                    || self.name() == "package.json"
                    || (self.directory().ends_with(".dist-info")
                        && matches!(self.name(), "metadata" | "entry_points.txt"))
            }
            ArtifactFormat::Wheel => {
                self.directory().ends_with(".dist-info")
                    && matches!(self.name(), "metadata" | "entry_points.txt")
            }
            ArtifactFormat::Sdist | ArtifactFormat::SdistZip => {
                matches!(
                    &*self.path,
                    "pkg-info" | "pyproject.toml" | "setup.cfg" | "package.json"
                ) || (self.directory().ends_with(".egg-info")
                    && matches!(self.name(), "pkg-info" | "entry_points.txt"))
            }
        }
    }

    fn is_types(&self) -> bool {
        [".d.ts", ".d.mts", ".d.cts", ".pyi", ".js.flow"]
            .iter()
            .any(|ending| self.name().ends_with(ending))
            || self.name() == "py.typed"
    }

    fn is_source_map(&self) -> bool {
        self.extension() == "map" && matches!(self.head.trim_ascii_start(), [b'{' | b')', ..])
    }

    fn is_metadata(&self) -> bool {
        let in_python_metadata = self.directory().ends_with(".dist-info")
            && matches!(
                self.name(),
                "wheel" | "record" | "top_level.txt" | "namespace_packages.txt" | "zip-safe"
            )
            || self.directory().ends_with(".egg-info")
                && matches!(
                    self.name(),
                    "sources.txt"
                        | "top_level.txt"
                        | "dependency_links.txt"
                        | "not-zip-safe"
                        | "zip-safe"
                );
        in_python_metadata
            || matches!(
                self.name(),
                ".npmignore" | ".gitignore" | ".gitattributes" | ".editorconfig" | ".ds_store"
            )
            || self.path == "manifest.in"
            || (self.is_crate() && self.path == ".cargo_vcs_info.json")
            // Digests of what is compared itself.
            || (self.format == ArtifactFormat::ImageFiles && self.path == "manifest.json")
    }

    fn is_code(&self) -> bool {
        self.head.starts_with(b"#!")
            || (self.is_compiled_on_installing() && self.is_source_of_native_code())
            || (self.is_sdist() && self.is_step_of_a_native_build())
            || (self.is_npm() && matches!(self.extension(), "gyp" | "gypi"))
            || (self.is_go_module()
                && matches!(
                    self.extension(),
                    "go" | "c"
                        | "cc"
                        | "cpp"
                        | "cxx"
                        | "m"
                        | "h"
                        | "hh"
                        | "hpp"
                        | "s"
                        | "syso"
                        | "swig"
                ))
            || matches!(
                self.extension(),
                "js" | "mjs"
                    | "cjs"
                    | "jsx"
                    | "ts"
                    | "mts"
                    | "cts"
                    | "tsx"
                    | "py"
                    | "pyc"
                    | "pyo"
                    | "pyw"
                    | "pyx"
                    | "sh"
                    | "bash"
                    | "zsh"
                    | "fish"
                    | "ps1"
                    | "psm1"
                    | "bat"
                    | "cmd"
                    | "vbs"
                    | "rb"
                    | "pl"
                    | "pm"
                    | "lua"
                    | "php"
                    | "vue"
                    | "svelte"
                    | "jar"
                    | "class"
                    | "applescript"
            )
    }

    /// npm runs node-gyp where there is a `binding.gyp`.
    fn is_compiled_on_installing(&self) -> bool {
        self.is_crate() || self.is_sdist() || self.is_npm()
    }

    fn is_source_of_native_code(&self) -> bool {
        matches!(
            self.extension(),
            "c" | "cc"
                | "cpp"
                | "cxx"
                | "c++"
                | "h"
                | "hh"
                | "hpp"
                | "hxx"
                | "inc"
                | "m"
                | "mm"
                | "s"
                | "asm"
                | "cu"
                | "rs"
                | "f"
                | "for"
                | "f77"
                | "f90"
                | "f95"
                | "f03"
                | "f08"
                | "pyx"
                | "pxd"
                | "pxi"
        )
    }

    fn is_step_of_a_native_build(&self) -> bool {
        matches!(
            self.name(),
            "cmakelists.txt"
                | "meson.build"
                | "makefile"
                | "gnumakefile"
                | "makefile.in"
                | "makefile.am"
                | "configure"
                | "configure.ac"
        ) || matches!(self.extension(), "cmake" | "mk")
    }

    fn is_licence(&self) -> bool {
        let stem = self
            .name()
            .split(['.', '-', '_'])
            .next()
            .unwrap_or_default();
        self.is_prose()
            && matches!(
                stem,
                "license"
                    | "licence"
                    | "licenses"
                    | "copying"
                    | "copyright"
                    | "notice"
                    | "unlicense"
                    | "authors"
                    | "patents"
            )
    }

    /// Prose elsewhere may be a prompt that code reads.
    fn is_documentation(&self) -> bool {
        let stem = self
            .name()
            .split(['.', '-', '_'])
            .next()
            .unwrap_or_default();
        let known = matches!(
            stem,
            "readme"
                | "changelog"
                | "changes"
                | "history"
                | "news"
                | "contributing"
                | "security"
                | "authors"
                | "contributors"
                | "code"
        ) && (self.directory().is_empty() || matches!(stem, "readme" | "changelog"));
        let in_docs = ["docs/", "doc/"]
            .iter()
            .any(|directory| self.path.starts_with(directory));
        self.is_prose() && (known || in_docs)
    }

    fn is_prose(&self) -> bool {
        matches!(self.extension(), "md" | "markdown" | "rst" | "adoc" | "txt")
            || !self.name().contains('.')
            || self.is_licence_version()
    }

    /// `LICENSE-2.0`, `LICENSE.MIT` and the like.
    fn is_licence_version(&self) -> bool {
        self.name().starts_with("licen")
            && !matches!(self.extension(), "json" | "html" | "yaml" | "yml" | "toml")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ArtifactFormat::{Crate, NpmTarball, Sdist, Wheel};

    fn check(format: ArtifactFormat, path: &str, head: &[u8], expect: Class) {
        assert_eq!(
            classify(format, &path.parse().unwrap(), head, false),
            expect,
            "{path}"
        );
    }

    #[test]
    fn what_runs_by_itself_comes_first() {
        check(Wheel, "evil.pth", b"import os", Class::Startup);
        check(Wheel, "x-1.data/purelib/evil.pth", b"", Class::Startup);
        check(Wheel, "model/weights.pth", b"\x80\x02", Class::Data);
        check(Wheel, "sitecustomize.py", b"", Class::Startup);
        check(NpmTarball, "binding.gyp", b"{", Class::Startup);
        check(NpmTarball, "deps/binding.gyp", b"{", Class::Executable);
        for folder in ["lib/python3.12/site-packages", "Lib/site-packages"] {
            let path = format!("x-1.data/data/{folder}/evil.pth");
            check(Wheel, &path, b"import os", Class::Startup);
        }
        check(Wheel, "sitecustomize/__init__.py", b"", Class::Startup);
        check(Wheel, "usercustomize/__init__.pyc", b"", Class::Startup);
        check(Wheel, "x/sitecustomize/other.py", b"", Class::Executable);
        check(Sdist, "setup.py", b"", Class::InstallScript);
        check(Crate, "build.rs", b"", Class::InstallScript);
        check(Crate, "src/build.rs", b"", Class::Executable);
        check(Wheel, "pkg/setup.py", b"", Class::Executable);
    }

    #[test]
    fn machine_code_is_known_by_its_first_bytes() {
        check(NpmTarball, "data.bin", b"\x7fELF\x02\x01", Class::Native);
        check(NpmTarball, "readme.md", b"MZ\x90\0", Class::Native);
        check(NpmTarball, "MZ.txt", b"MZabcd", Class::Data);
        check(NpmTarball, "a.node", b"", Class::Native);
        check(Wheel, "lib/x.so.6", b"", Class::Native);
    }

    #[test]
    fn code_is_known_by_its_ending_or_first_line() {
        check(NpmTarball, "dist/index.js", b"", Class::Executable);
        check(NpmTarball, "bin/tool", b"#!/usr/bin", Class::Executable);
        check(NpmTarball, "src/a.ts", b"", Class::Executable);
        check(NpmTarball, "dist/a.d.ts", b"", Class::Types);
        check(NpmTarball, "dist/a.js.map", b"{\"versio", Class::Sourcemap);
        check(NpmTarball, "dist/a.map", b"level 1", Class::Data);
    }

    #[test]
    fn what_installing_compiles_is_code() {
        for path in [
            "src/a.c",
            "src/a.CC",
            "a.cpp",
            "a.cxx",
            "a.h",
            "a.hpp",
            "a.hh",
            "a.inc",
            "a.f",
            "a.f90",
            "a.rs",
            "a.pxd",
            "a.pyx",
            "a.pxi",
            "rust/build.rs",
            "CMakeLists.txt",
            "sub/meson.build",
            "Makefile",
        ] {
            check(Sdist, path, b"", Class::Executable);
        }
        for path in [
            "src/a.cc",
            "a.h",
            "a.hpp",
            "a.inc",
            "common.gypi",
            "deps/x.gyp",
        ] {
            check(NpmTarball, path, b"", Class::Executable);
        }
        for path in ["src/a.cxx", "src/a.hpp", "src/a.inc"] {
            check(Crate, path, b"", Class::Executable);
        }
        // What is in a wheel is compiled no more.
        check(Wheel, "pkg/a.c", b"", Class::Data);
        check(Wheel, "pkg/CMakeLists.txt", b"", Class::Data);
    }

    #[test]
    fn prose_is_documentation_only_where_code_has_no_use_for_it() {
        check(NpmTarball, "README.md", b"# x", Class::Documentation);
        check(NpmTarball, "prompts/system.md", b"You", Class::Data);
        check(NpmTarball, "LICENSE", b"MIT", Class::Licence);
        check(NpmTarball, "LICENSE.js", b"x", Class::Executable);
        check(NpmTarball, "README", b"#!/bin/s", Class::Executable);
    }

    #[test]
    fn manifests_and_lists_of_dependencies_are_told_apart() {
        check(NpmTarball, "package.json", b"{", Class::Manifest);
        check(
            NpmTarball,
            "npm-shrinkwrap.json",
            b"{",
            Class::DependencyList,
        );
        check(Wheel, "x-1.dist-info/METADATA", b"", Class::Manifest);
        check(Wheel, "x-1.dist-info/RECORD", b"", Class::Metadata);
        check(Sdist, "x.egg-info/requires.txt", b"", Class::DependencyList);
        check(Sdist, "PKG-INFO", b"", Class::Manifest);
        check(Crate, "Cargo.toml", b"", Class::Manifest);
        check(Crate, "Cargo.toml.orig", b"", Class::Manifest);
        check(Crate, "tests/x/Cargo.toml", b"", Class::Data);
        check(Crate, "Cargo.lock", b"", Class::DependencyList);
        check(Crate, ".cargo_vcs_info.json", b"{", Class::Metadata);
    }
}
