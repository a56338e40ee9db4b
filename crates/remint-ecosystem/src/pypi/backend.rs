//! Which build backend a project uses, what it needs, and which version of it made the published file.

use remint_model::{Assumption, AssumptionKind, Survey};

use crate::pypi::pyproject::Pyproject;
use crate::pypi::requirement::{Requirement, Source};
use crate::pypi::{metadata, versions};
use crate::release::{MetadataError, ToolHints};
use crate::request::PlanError;

/// How a project is built (PEP 517, PEP 518).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BuildSystem {
    /// The backend's object reference.
    pub(crate) backend: String,
    /// Directories of the project in which the backend itself lies.
    pub(crate) path: Vec<String>,
    /// What has to be installed before any hook is called.
    pub(crate) requires: Vec<String>,
    pub(crate) family: Family,
}

/// The backends whose habits are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Family {
    Hatchling,
    Setuptools,
    PoetryCore,
    Flit,
    Pdm,
    UvBuild,
    /// Compiles a crate, into an extension module or a program.
    Maturin,
    Other,
}

/// Backends that compile with toolchains which are not provided here.
const NATIVE: &[(&str, &str)] = &[
    ("setuptools_rust", "a Rust toolchain"),
    ("scikit_build_core", "a C++ toolchain and CMake"),
    ("skbuild", "a C++ toolchain and CMake"),
    ("mesonpy", "Meson and a C toolchain"),
];

/// Build requirements that compute the version from git.
const FROM_GIT: &[&str] = &[
    "setuptools-scm",
    "setuptools-git-versioning",
    "setuptools-git",
    "setuptools-vcs-versioning",
    "vcs-versioning",
    "hatch-vcs",
    "uv-dynamic-versioning",
    "poetry-dynamic-versioning",
    "poetry-version-plugin",
    "versioningit",
    "versioneer",
    "dunamai",
    "pbr",
    "flit-scm",
    "flit-gettext",
    "miniver",
    "better-setuptools-git-version",
    "autosemver",
];

impl BuildSystem {
    /// Reads `[build-system]`; without one, setuptools is meant (PEP 517).
    pub(crate) fn of(manifest: &Pyproject) -> Result<Self, PlanError> {
        let has_table = manifest.table(&["build-system"]).is_some();
        let backend = manifest
            .build_backend()
            .unwrap_or("setuptools.build_meta:__legacy__")
            .to_owned();
        let plain = backend
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"._:".contains(&b));
        if !plain || backend.len() > 200 {
            return Err(PlanError::Manifest(MetadataError::Malformed {
                what: "pyproject.toml".to_owned(),
                reason: "its `build-backend` is no object reference".to_owned(),
            }));
        }
        let module = backend.split(['.', ':']).next().unwrap_or("");
        if let Some((_, needs)) = NATIVE.iter().find(|(native, _)| *native == module) {
            return Err(PlanError::Unsupported(format!(
                "the project is built with `{module}`, which needs {needs}"
            )));
        }
        let requires: Vec<String> = if has_table {
            manifest
                .texts(&["build-system", "requires"])
                .map(str::to_owned)
                .collect()
        } else {
            vec!["setuptools>=40.8.0".to_owned()]
        };
        for text in &requires {
            match Requirement::parse(text) {
                Some(Requirement {
                    source: Source::Versions(_),
                    ..
                }) => {}
                Some(_) | None => {
                    return Err(PlanError::Unsupported(format!(
                        "the build requirement `{}` is not one that a registry serves",
                        text.chars().take(200).collect::<String>()
                    )));
                }
            }
        }
        let path: Vec<String> = manifest
            .texts(&["build-system", "backend-path"])
            .map(str::to_owned)
            .collect();
        if path.iter().any(|path| path.contains(':')) {
            return Err(PlanError::Unsupported(
                "its `backend-path` has a colon in a name".to_owned(),
            ));
        }
        let family = match module {
            _ if !path.is_empty() => Family::Other,
            "hatchling" => Family::Hatchling,
            "setuptools" => Family::Setuptools,
            "poetry" | "poetry_dynamic_versioning" => Family::PoetryCore,
            "flit_core" | "flit" | "flit_scm" => Family::Flit,
            "pdm" => Family::Pdm,
            "uv_build" => Family::UvBuild,
            "maturin" => Family::Maturin,
            _ => Family::Other,
        };
        Ok(Self {
            backend,
            path,
            requires,
            family,
        })
    }

    /// What is pinned because a published file names it: the backend's version, where the project allows it. A
    /// source archive names none, so a wheel of the same release speaks for it.
    pub(crate) fn pins(&self, survey: &Survey, hints: &ToolHints) -> Vec<Pin> {
        let own = generator_line(survey);
        let whose = if own.is_some() {
            "the published file's"
        } else {
            "a wheel of the same release:"
        };
        let Some(generator) = own
            .as_ref()
            .or(hints.generator.as_ref())
            .and_then(|line| Generator::parse(line))
        else {
            return Vec::new();
        };
        let from = format!("{whose} `Generator: {}`", generator.line);
        let version = &generator.version;
        let pin = |project: &str| Pin {
            requirement: format!("{project}=={version}"),
            assumption: Some(Assumption {
                kind: AssumptionKind::BackendVersion,
                value: format!("{project} {version}"),
                from: from.clone(),
            }),
        };
        match generator.name.as_str() {
            "hatchling" | "poetry-core" | "poetry" | "pdm-backend" | "pdm-pep517" | "maturin"
                if self.requires_allow(&generator.name, version) == Some(true) =>
            {
                vec![pin(&generator.name)]
            }
            "flit" if self.requires_allow("flit-core", version) == Some(true) => {
                vec![pin("flit-core")]
            }
            "uv" if self.requires_allow("uv-build", version) == Some(true) => vec![pin("uv-build")],
            // The hooks ask for these two by themselves, so they need not be listed.
            "setuptools" if self.requires_allow("setuptools", version) != Some(false) => {
                vec![pin("setuptools")]
            }
            "bdist_wheel" if self.requires_allow("wheel", version) != Some(false) => vec![
                pin("wheel"),
                // From 70.1 on setuptools makes wheels itself and says so.
                Pin {
                    requirement: "setuptools<70.1".to_owned(),
                    assumption: None,
                },
            ],
            _ => Vec::new(),
        }
    }

    /// Whether the static requirements allow this version of a project; `None` where they do not name it.
    fn requires_allow(&self, project: &str, version: &pep440_rs::Version) -> Option<bool> {
        let mut named = None;
        for requirement in self
            .requires
            .iter()
            .filter_map(|text| Requirement::parse(text))
        {
            if requirement.name == project
                && let Source::Versions(specifiers) = &requirement.source
            {
                let allowed = specifiers
                    .iter()
                    .all(|specifier| specifier.contains(version));
                named = Some(allowed && named != Some(false));
            }
        }
        named
    }

    /// Whether the version, or the list of files, may come from git.
    pub(crate) fn looks_at_git(&self, manifest: &Pyproject, setup_py: Option<&str>) -> bool {
        let required = self
            .requires
            .iter()
            .filter_map(|text| crate::pypi::requirement::name_of(text))
            .any(|name| FROM_GIT.contains(&name.as_str()));
        let pdm = manifest.text(&["tool", "pdm", "version", "source"]) == Some("scm")
            || manifest
                .get(&["tool", "pdm", "version", "use_scm"])
                .is_some();
        let in_setup_py = setup_py.is_some_and(|text| {
            [
                "use_scm_version",
                "versioneer",
                "pbr",
                "git describe",
                "setuptools_scm",
            ]
            .iter()
            .any(|word| text.contains(word))
        });
        required || pdm || in_setup_py
    }
}

/// A requirement added to the build's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pin {
    pub(crate) requirement: String,
    pub(crate) assumption: Option<Assumption>,
}

/// The `Generator` of a wheel: `hatchling 1.27.0`, `setuptools (75.8.0)`.
struct Generator {
    name: String,
    version: pep440_rs::Version,
    line: String,
}

impl Generator {
    fn parse(line: &str) -> Option<Self> {
        let (name, version) = line.split_once(' ')?;
        let version = version
            .trim()
            .trim_start_matches('(')
            .trim_end_matches(')')
            .split(' ')
            .next()?;
        Some(Self {
            name: name.to_ascii_lowercase(),
            version: versions::parse(version)?,
            line: line.chars().take(100).collect(),
        })
    }
}

/// The `Generator` line of a surveyed wheel.
pub(crate) fn generator_line(survey: &Survey) -> Option<String> {
    let (path, content) = survey.texts.iter().find(|(path, _)| {
        path.as_str()
            .strip_suffix("/WHEEL")
            .is_some_and(|directory| directory.ends_with(".dist-info") && !directory.contains('/'))
    })?;
    let wheel = metadata::Metadata::parse(path.as_str(), content).ok()?;
    wheel.all("Generator").next().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn system(manifest: &str) -> Result<BuildSystem, PlanError> {
        BuildSystem::of(&Pyproject::parse("pyproject.toml", manifest.as_bytes()).unwrap())
    }

    fn requires(list: &str) -> BuildSystem {
        system(&format!(
            "[build-system]\nrequires={list}\nbuild-backend='x'"
        ))
        .unwrap()
    }

    fn wheel(generator: &str) -> Survey {
        Survey {
            texts: vec![(
                "x-1.dist-info/WHEEL".parse().unwrap(),
                format!("Wheel-Version: 1.0\nGenerator: {generator}\n").into_bytes(),
            )],
            ..Survey::default()
        }
    }

    fn check_pins(list: &str, generator: &str, expect: &[&str]) {
        let pins: Vec<String> = requires(list)
            .pins(&wheel(generator), &ToolHints::default())
            .into_iter()
            .map(|pin| pin.requirement)
            .collect();
        assert_eq!(pins, expect, "{generator}");
    }

    #[test]
    fn the_generator_pins_what_the_project_allows() {
        check_pins("['hatchling']", "hatchling 1.27.0", &["hatchling==1.27.0"]);
        check_pins("['uv_build>=0.8,<0.9']", "uv 0.8.15", &["uv-build==0.8.15"]);
        check_pins(
            "['flit_core >=3.2,<4']",
            "flit 3.9.0",
            &["flit-core==3.9.0"],
        );
        check_pins(
            "['setuptools>=61']",
            "setuptools (75.8.0)",
            &["setuptools==75.8.0"],
        );
        check_pins(
            "['setuptools']",
            "bdist_wheel (0.43.0)",
            &["wheel==0.43.0", "setuptools<70.1"],
        );
    }

    #[test]
    fn a_generator_out_of_range_or_unknown_pins_nothing() {
        check_pins("['hatchling<1.20']", "hatchling 1.27.0", &[]);
        check_pins("['setuptools<60']", "setuptools (75.8.0)", &[]);
        check_pins("['hatchling']", "poetry-core 1.9.0", &[]);
        check_pins("['hatchling']", "hatchling @ https://example.org", &[]);
        check_pins("['hatchling']", "hatchling", &[]);
    }

    #[test]
    fn projects_without_a_build_system_use_setuptools() {
        let system = system("").unwrap();
        assert_eq!(system.backend, "setuptools.build_meta:__legacy__");
        assert_eq!(system.requires, ["setuptools>=40.8.0"]);
    }

    #[test]
    fn what_cannot_be_built_here_is_said() {
        for manifest in [
            "[build-system]\nrequires=['setuptools-rust']\nbuild-backend='setuptools_rust'",
            "[build-system]\nrequires=['x @ https://example.org/x.whl']\nbuild-backend='x'",
            "[build-system]\nrequires=['-r requirements.txt']\nbuild-backend='x'",
            "[build-system]\nrequires=[]\nbuild-backend='os; import evil'",
        ] {
            assert!(system(manifest).is_err(), "{manifest}");
        }
    }
}
