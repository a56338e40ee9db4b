//! Wheels with compiled code: for which machine and interpreter they are, what compiles them here, and the platform
//! tags that a repair tool writes after the build. It adds tools and steps to a plan, and leaves out how a backend is
//! called.
//!
//! Compilers are this machine's. Nothing of a source pins them, so a difference in what they made proves little, and
//! the plan says so by an assumption of its own.

use remint_model::{
    ArtifactFormat, Assumption, AssumptionKind, EntryPath, SourceTree, Tool, ToolOrigin,
};

use crate::cargo::toolchain;
use crate::pypi::backend::Family;
use crate::pypi::file_name::{PythonFile, Tag, minor_version};
use crate::pypi::pyproject::Pyproject;
use crate::request::{Interpreter, PlanError, PlanRequest};

/// Rewrites the platform tags of a wheel; see there.
const RETAG: &str = include_str!("retag.py");
/// Written to while installing, read-only afterwards.
pub(crate) const CARGO_HOME: &str = "/env/cargo";

/// What a published wheel with compiled code asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NativeWheel {
    /// The platforms that its name lists, joined by dots.
    platforms: String,
    /// The interpreters of this machine that make such a wheel.
    pub(crate) interpreters: Vec<Interpreter>,
}

/// What the published file asks for; `None` where it holds no compiled code by its name.
pub(crate) fn of(request: &PlanRequest<'_>) -> Result<Option<NativeWheel>, PlanError> {
    let Some(file) = PythonFile::parse(&request.target.name, request.file_name) else {
        return Ok(None);
    };
    let Some(first) = file
        .tags
        .iter()
        .find(|tag| tag.platform != "any" || tag.abi != "none")
    else {
        return Ok(None);
    };
    let shown = format!("{}-{}-{}", first.python, first.abi, first.platform);
    if !file.tags.iter().any(|tag| tag.runs_on(request.platform)) {
        return Err(PlanError::Unsupported(format!(
            "the wheel is for {shown}, and this machine is {}-{}: compiled code is rebuilt on a machine of its platform",
            request.platform.system, request.platform.processor
        )));
    }
    let interpreters: Vec<Interpreter> = request
        .interpreters
        .iter()
        .filter(|interpreter| {
            minor_version(&interpreter.version)
                .is_some_and(|minor| file.tags.iter().any(|tag| makes(tag, minor)))
        })
        .cloned()
        .collect();
    if interpreters.is_empty() {
        let known: Vec<&str> = request
            .interpreters
            .iter()
            .map(|interpreter| interpreter.version.as_str())
            .collect();
        return Err(PlanError::Unsupported(format!(
            "interpreter unavailable: the wheel is for {shown}; this machine has Python {}",
            if known.is_empty() {
                "in no version".to_owned()
            } else {
                known.join(", ")
            }
        )));
    }
    let platforms = request
        .file_name
        .strip_suffix(".whl")
        .and_then(|stem| stem.rsplit_once('-'))
        .map(|(_, platforms)| platforms.to_owned())
        .unwrap_or_default();
    Ok(Some(NativeWheel {
        platforms,
        interpreters,
    }))
}

/// Whether an interpreter of this minor version makes wheels with this tag.
fn makes(tag: &Tag, minor: u64) -> bool {
    let tagged = tag
        .python
        .strip_prefix("cp3")
        .and_then(|digits| digits.parse::<u64>().ok());
    match (tagged, tag.abi.as_str()) {
        (Some(tagged), "abi3") => tagged <= minor,
        (Some(tagged), _) => tagged == minor && !tag.abi.ends_with('t'),
        // For any interpreter: programs, and libraries that are loaded by name.
        (None, "none") => tag.python.starts_with("py3") || tag.python == "py2",
        (None, _) => false,
    }
}

impl NativeWheel {
    /// What the plan assumes because of it.
    pub(crate) fn assumptions(&self) -> [Assumption; 2] {
        [
            Assumption {
                kind: AssumptionKind::NativeToolchain,
                value: "this machine's compiler".to_owned(),
                from: "nothing in the source says which one the publisher had".to_owned(),
            },
            Assumption {
                kind: AssumptionKind::WorkflowStep,
                value: format!("platform tags {}", self.platforms),
                from: "the published file's name: repair tools write them after the build"
                    .to_owned(),
            },
        ]
    }

    /// The command that writes the tags.
    pub(crate) fn retag(&self, python: &str, out: &str) -> Vec<String> {
        [python, "-c", RETAG, out, &self.platforms]
            .map(str::to_owned)
            .into()
    }
}

/// The compilers of a build.
pub(crate) struct Compilers {
    pub(crate) tools: Vec<Tool>,
    pub(crate) assumptions: Vec<Assumption>,
    /// What fetches the crates, before anything is compiled.
    pub(crate) fetch: Option<Vec<String>>,
    /// Variables for every step.
    pub(crate) variables: Vec<(&'static str, &'static str)>,
}

/// What the backend compiles with.
pub(crate) fn compilers(
    request: &PlanRequest<'_>,
    manifest: &Pyproject,
    family: Family,
    tree: &str,
) -> Result<Compilers, PlanError> {
    let mut compilers = Compilers {
        tools: Vec::new(),
        assumptions: Vec::new(),
        fetch: None,
        variables: Vec::new(),
    };
    if request.format == ArtifactFormat::Wheel {
        compilers.tools.push(Tool {
            name: "cc".to_owned(),
            version: None,
            as_of: None,
            origin: ToolOrigin::System,
            because: "the wheel holds compiled code".to_owned(),
        });
    }
    if family != Family::Maturin {
        return Ok(compilers);
    }
    let Some(choice) = toolchain::choose(request).into_iter().next() else {
        return Err(PlanError::Unsupported(
            "the project is built with `maturin`, which needs a Rust toolchain, and this machine has none; rustup can install one"
                .to_owned(),
        ));
    };
    compilers.tools.push(choice.tool);
    compilers.assumptions.extend(choice.guess);
    let crate_manifest = crate_manifest(request, manifest)?;
    let mut fetch: Vec<String> = ["env", "--chdir=/", "cargo", "fetch", "--manifest-path"]
        .map(str::to_owned)
        .into();
    fetch.push(format!("{tree}/{crate_manifest}"));
    compilers.fetch = Some(fetch);
    compilers.variables = vec![
        ("CARGO_HOME", CARGO_HOME),
        ("CARGO_TARGET_DIR", "/out/target"),
        ("CARGO_NET_RETRY", "0"),
        ("CARGO_TERM_COLOR", "never"),
        ("MATURIN_NO_INSTALL_RUST", "1"),
    ];
    Ok(compilers)
}

/// Where the crate's manifest lies in the tree: where the project says, or where maturin looks for it.
fn crate_manifest(request: &PlanRequest<'_>, manifest: &Pyproject) -> Result<EntryPath, PlanError> {
    let stated = manifest.text(&["tool", "maturin", "manifest-path"]);
    let candidates = match stated {
        Some(path) => vec![path],
        None => vec!["Cargo.toml", "rust/Cargo.toml"],
    };
    candidates
        .into_iter()
        .filter_map(|path| {
            SourceTree::path_in(request.pin.subdirectory.as_ref(), path)
                .parse::<EntryPath>()
                .ok()
        })
        .find(|path| request.tree.entries.contains_key(path))
        .ok_or_else(|| {
            PlanError::Unsupported(
                "the project is built with `maturin`, and its crate's manifest is not where it should be"
                    .to_owned(),
            )
        })
}
