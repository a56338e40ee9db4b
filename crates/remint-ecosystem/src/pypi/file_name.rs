//! What the names of an index's files say (PEP 427 wheels, PEP 625 and older source archives), and which file an
//! installer would take.

use std::cmp::Reverse;

use pep440_rs::Version;
use remint_model::{ArtifactFormat, Ecosystem, PackageName};

use crate::pypi::versions;
use crate::request::{Interpreter, Platform};

/// A file of an index, read from its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PythonFile {
    pub(crate) format: ArtifactFormat,
    /// As spelled in the name.
    pub(crate) version_text: String,
    pub(crate) version: Version,
    /// A wheel's compatibility tags; empty for source archives.
    pub(crate) tags: Vec<Tag>,
    /// A wheel's build number, which breaks ties.
    build: Option<u64>,
}

/// One compatibility tag (PEP 425).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Tag {
    pub(crate) python: String,
    pub(crate) abi: String,
    pub(crate) platform: String,
}

impl PythonFile {
    /// Reads a file name; `None` where it belongs to another project or is of no kind that can be judged.
    pub(crate) fn parse(project: &PackageName, name: &str) -> Option<Self> {
        if name.len() > 255 {
            return None;
        }
        if let Some(stem) = name.strip_suffix(".whl") {
            return Self::wheel(project, stem);
        }
        for (ending, format) in [
            (".tar.gz", ArtifactFormat::Sdist),
            (".zip", ArtifactFormat::SdistZip),
        ] {
            if let Some(stem) = name.strip_suffix(ending) {
                return Self::sdist(project, stem, format);
            }
        }
        None
    }

    fn wheel(project: &PackageName, stem: &str) -> Option<Self> {
        let parts: Vec<&str> = stem.split('-').collect();
        let (name, version_text, build, pythons, abis, platforms) = match *parts.as_slice() {
            [name, version, python, abi, platform] => (name, version, None, python, abi, platform),
            [name, version, build, python, abi, platform] => {
                (name, version, Some(build), python, abi, platform)
            }
            _ => return None,
        };
        let build = match build {
            None => None,
            Some(build) => {
                let digits: String = build.chars().take_while(char::is_ascii_digit).collect();
                Some(digits.parse().ok()?)
            }
        };
        if !is(project, name) {
            return None;
        }
        let mut tags = Vec::new();
        for python in pythons.split('.') {
            for abi in abis.split('.') {
                for platform in platforms.split('.') {
                    tags.push(Tag {
                        python: python.to_ascii_lowercase(),
                        abi: abi.to_ascii_lowercase(),
                        platform: platform.to_ascii_lowercase(),
                    });
                }
            }
        }
        Some(Self {
            format: ArtifactFormat::Wheel,
            version: versions::parse(&version_text.replace('_', "-"))?,
            version_text: version_text.to_owned(),
            tags,
            build,
        })
    }

    /// Old source archives may have dashes in both name and version, so every dash is tried as the border.
    fn sdist(project: &PackageName, stem: &str, format: ArtifactFormat) -> Option<Self> {
        stem.match_indices('-').find_map(|(at, _)| {
            let name = stem.get(..at)?;
            let version_text = stem.get(at.checked_add(1)?..)?;
            if !is(project, name) {
                return None;
            }
            Some(Self {
                format,
                version: versions::parse(version_text)?,
                version_text: version_text.to_owned(),
                tags: Vec::new(),
                build: None,
            })
        })
    }

    /// Sorts ascending into the order in which files are judged: the wheel that an installer here would pick,
    /// then source archives, then what no interpreter of this machine installs.
    pub(crate) fn order(
        &self,
        platform: Platform,
        interpreters: &[Interpreter],
    ) -> impl Ord + use<> {
        let fit = self
            .tags
            .iter()
            .filter_map(|tag| tag.fit(platform, interpreters))
            .max();
        let group = match (self.format, fit) {
            (ArtifactFormat::Wheel, Some(_)) => 0,
            (ArtifactFormat::Sdist, _) => 1,
            (
                ArtifactFormat::SdistZip
                | ArtifactFormat::NpmTarball
                | ArtifactFormat::Crate
                | ArtifactFormat::Mcpb
                | ArtifactFormat::GoModule
                | ArtifactFormat::GoProgram
                | ArtifactFormat::ImageFiles,
                _,
            ) => 2,
            (ArtifactFormat::Wheel, None) => 3,
        };
        (group, Reverse(fit), Reverse(self.build))
    }
}

impl Tag {
    /// How specifically the tag fits the newest interpreter that takes it; `None` where none does.
    fn fit(&self, platform: Platform, interpreters: &[Interpreter]) -> Option<(u64, u8, u8)> {
        let native = self.platform != "any";
        if native && !self.runs_on(platform) {
            return None;
        }
        if interpreters.is_empty() {
            // Nothing is known about this machine: what runs on any Python 3 is what people install.
            return (self.python == "py3").then_some((3, 0, u8::from(native)));
        }
        interpreters
            .iter()
            .filter_map(|interpreter| {
                let minor = minor_version(&interpreter.version)?;
                let specific = self.specificity(minor)?;
                Some((minor, specific, u8::from(native)))
            })
            .max()
    }

    /// 3 for this interpreter's own ABI, 2 for the stable ABI, 1 for pure Python, 0 for any Python 3.
    fn specificity(&self, minor: u64) -> Option<u8> {
        let numbered = |prefix: &str| {
            self.python
                .strip_prefix(prefix)
                .and_then(|digits| digits.parse::<u64>().ok())
        };
        match (self.python.as_str(), self.abi.as_str()) {
            ("py3", "none") => Some(0),
            (_, "none") if numbered("py3").is_some_and(|tagged| tagged <= minor) => Some(1),
            (_, "none") if numbered("cp3") == Some(minor) => Some(1),
            (_, "abi3") if numbered("cp3").is_some_and(|tagged| tagged <= minor) => Some(2),
            (python, abi) if numbered("cp3") == Some(minor) && abi == python => Some(3),
            _ => None,
        }
    }

    /// Whether it is for this platform and not for any.
    pub(crate) fn runs_on(&self, platform: Platform) -> bool {
        let processor = match platform.processor {
            "x64" => ["x86_64", "amd64"],
            "arm64" => ["aarch64", "arm64"],
            _ => return false,
        };
        let system = match platform.system {
            "linux" => self.platform.starts_with("manylinux") || self.platform.starts_with("linux"),
            "darwin" => self.platform.starts_with("macosx"),
            "win32" => self.platform.starts_with("win"),
            _ => false,
        };
        let universal = platform.system == "darwin" && self.platform.ends_with("universal2");
        system && (universal || processor.iter().any(|name| self.platform.ends_with(name)))
    }
}

/// The `12` of `3.12.1`; `None` for anything but Python 3.
pub(crate) fn minor_version(version: &str) -> Option<u64> {
    let mut parts = version.split('.');
    if parts.next() != Some("3") {
        return None;
    }
    parts.next()?.parse().ok()
}

fn is(project: &PackageName, name: &str) -> bool {
    PackageName::parse(Ecosystem::Pypi, name).is_ok_and(|name| name == *project)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LINUX: Platform = Platform {
        system: "linux",
        processor: "x64",
    };

    fn project(name: &str) -> PackageName {
        PackageName::parse(Ecosystem::Pypi, name).unwrap()
    }

    fn version_of(project_name: &str, file: &str) -> Option<String> {
        PythonFile::parse(&project(project_name), file).map(|file| file.version.to_string())
    }

    #[test]
    fn names_old_and_new_tell_the_version() {
        for (file, version) in [
            ("mcp_server.git-2026.07.10-py3-none-any.whl", "2026.7.10"),
            ("mcp-server-git-1.0-beta.1.tar.gz", "1.0b1"),
            ("mcp_server_git-1.0.tar.gz", "1.0"),
            ("mcp_server_git-1.0.zip", "1.0"),
            ("mcp_server_git-1.0-2-py2.py3-none-any.whl", "1.0"),
        ] {
            assert_eq!(
                version_of("mcp-server-git", file).as_deref(),
                Some(version),
                "{file}"
            );
        }
    }

    #[test]
    fn other_projects_and_other_kinds_are_passed_over() {
        for file in [
            "mcp_server-1.0.tar.gz",
            "mcp_server_git_extra-1.0.tar.gz",
            "mcp_server_git-1.0.tar.bz2",
            "mcp_server_git-1.0.tgz",
            "mcp_server_git-1.0-py3.egg",
            "mcp_server_git-1.0-any.whl",
            "mcp_server_git-latest.tar.gz",
            "mcp_server_git-1.0-x2-py3-none-any.whl",
            ".whl",
            "-.tar.gz",
        ] {
            assert_eq!(version_of("mcp-server-git", file), None, "{file}");
        }
    }

    #[test]
    fn the_installers_choice_comes_first_and_the_sdist_second() {
        let interpreters: Vec<_> = ["3.12.1", "3.11.7"]
            .map(|version| Interpreter {
                version: version.to_owned(),
                path: "/python".into(),
            })
            .into();
        let check = |mut files: Vec<&str>, expect: &[&str]| {
            files.sort_by_key(|file| {
                PythonFile::parse(&project("x"), file)
                    .unwrap()
                    .order(LINUX, &interpreters)
            });
            assert_eq!(files, expect);
        };
        check(
            vec![
                "x-1-cp313-cp313-manylinux_2_28_x86_64.whl",
                "x-1.tar.gz",
                "x-1-py3-none-any.whl",
                "x-1-cp311-cp311-manylinux_2_28_x86_64.whl",
                "x-1-cp312-cp312-macosx_11_0_arm64.whl",
                "x-1-cp312-cp312-manylinux_2_28_x86_64.whl",
            ],
            &[
                "x-1-cp312-cp312-manylinux_2_28_x86_64.whl",
                "x-1-py3-none-any.whl",
                "x-1-cp311-cp311-manylinux_2_28_x86_64.whl",
                "x-1.tar.gz",
                "x-1-cp313-cp313-manylinux_2_28_x86_64.whl",
                "x-1-cp312-cp312-macosx_11_0_arm64.whl",
            ],
        );
        check(
            vec!["x-1-py2-none-any.whl", "x-1.zip", "x-1-py3-none-any.whl"],
            &["x-1-py3-none-any.whl", "x-1.zip", "x-1-py2-none-any.whl"],
        );
    }

    proptest! {
        #[test]
        fn no_name_panics_and_its_version_is_in_it(
            any: String,
            shaped in "(x|X_|mcp)?(-[0-9a-z.!+_]{0,6}){0,6}(\\.whl|\\.tar\\.gz|\\.zip)",
        ) {
            for name in [any, shaped] {
                if let Some(file) = PythonFile::parse(&project("x"), &name) {
                    prop_assert!(name.contains(&file.version_text));
                    prop_assert_eq!(file.format == ArtifactFormat::Wheel, !file.tags.is_empty());
                    let _order = file.order(LINUX, &[]);
                }
            }
        }
    }
}
