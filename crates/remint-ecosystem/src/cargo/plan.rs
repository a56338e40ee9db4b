//! Turns a source tree into build plans: `cargo package` twice, first to fetch what it asks the index for, then
//! without network to pack.
//!
//! Packing compiles nothing and runs no build script. What a tree can make it run all the same stands in the tree's
//! own `.cargo/config.toml` (`build.rustc`, `build.rustc-wrapper`, credential providers), so it is started in the
//! root directory with the manifest's path, where cargo does not look for that file.

use std::collections::BTreeMap;

use remint_model::{
    Action, Assumption, AssumptionKind, BuildPlan, CloneShape, Edit, EntryPath, Lock, OnFailure,
    Output, Phase, Step, Worth,
};

use crate::cargo::manifest::is_manifest;
use crate::cargo::toolchain::{self, Choice};
use crate::cargo::workspace::Member;
use crate::cargo::{lockfile, stamp};
use crate::request::{PlanError, PlanRequest};

/// Where the tree lies: no ignore file has a pattern for it.
const TREE: &str = "/remint";
const OUT: &str = "/out";
/// Written to while installing, read-only while packing.
const HOME: &str = "/env/cargo";
/// What is packed while only the index is wanted.
const UNUSED: &str = "/env/unused";
/// Below the place of the artifact, since nothing else can be written to while packing.
const TARGET: &str = "/out/target";

/// Proposes builds: with each toolchain that may have packed the file; where a lockfile turns out to leave something
/// open, with what the index had at the time.
pub(crate) fn plan(request: &PlanRequest<'_>) -> Result<Vec<BuildPlan>, PlanError> {
    let member = Member::read(request.tree, request.pin.subdirectory.as_ref())?;
    let choices = toolchain::choose(request);
    if choices.is_empty() {
        return Err(PlanError::Unsupported(
            "no Rust toolchain was found on this machine; rustup can install one".to_owned(),
        ));
    }
    let locking = Locking::of(request, &member)?;
    let mut edits: Vec<Edit> = locking.edit.clone().into_iter().collect();
    let mut assumptions: Vec<Assumption> = locking.assumption.clone().into_iter().collect();
    if let Some((edit, assumption)) = stamp::edit(request, &member) {
        edits.push(edit);
        assumptions.push(assumption);
    }
    let ways = choices.iter().flat_map(|choice| {
        let (edits, assumptions, member) = (&edits, &assumptions, &member);
        locking.locks.iter().map(move |way| {
            let mut assumptions = assumptions.clone();
            assumptions.extend(choice.guess.clone());
            assumptions.extend(way.assumption.clone());
            BuildPlan {
                variant: format!(
                    "cargo {} package{}",
                    choice.tool.version.as_deref().unwrap_or_default(),
                    way.words
                ),
                worth: way.worth,
                tools: vec![choice.tool.clone()],
                build_path: TREE.to_owned(),
                clone_shape: CloneShape::Tip,
                edits: edits.clone(),
                crlf: Vec::new(),
                steps: steps(request, member, choice),
                environment: environment(),
                lock: way.lock.clone(),
                snapshot_inputs: Vec::new(),
                output: Output {
                    directory: OUT.to_owned(),
                    ending: ".crate".to_owned(),
                },
                assumptions,
            }
        })
    });
    Ok(ways.collect())
}

/// One way to decide what the index may be asked for.
struct Way {
    lock: Lock,
    worth: Worth,
    words: &'static str,
    assumption: Option<Assumption>,
}

/// Which lockfile the build sees.
struct Locking {
    edit: Option<Edit>,
    assumption: Option<Assumption>,
    locks: Vec<Way>,
}

impl Locking {
    /// The repository's own, or the published one where there is none: what stands in that is no content of the
    /// source, and a match with it is told apart.
    fn of(request: &PlanRequest<'_>, member: &Member) -> Result<Self, PlanError> {
        let path: EntryPath = member.lockfile().parse().map_err(|_| {
            PlanError::Unsupported("the workspace lies outside of the repository".to_owned())
        })?;
        let open = |worth, words| Way {
            lock: Lock::AsOf {
                time: request.uploaded,
            },
            worth,
            words,
            assumption: request.uploaded.map(|time| Assumption {
                kind: AssumptionKind::ResolvedAsOf,
                value: jiff::Timestamp::from_second(time)
                    .map_or_else(|_| time.to_string(), |time| time.to_string()),
                from: "when the file was uploaded: the lockfile does not pin everything".to_owned(),
            }),
        };
        if let Some(content) = request.tree.texts.get(&path) {
            let locked = Way {
                lock: Lock::Locked {
                    fetches: lockfile::fetches(content)?,
                    file: path,
                },
                worth: Worth::Always,
                words: "",
                assumption: None,
            };
            return Ok(Self {
                edit: None,
                assumption: None,
                locks: vec![
                    locked,
                    open(Worth::WhenNothingBuilt, ", lockfile brought up to date"),
                ],
            });
        }
        let published = request.survey.text("Cargo.lock");
        Ok(Self {
            edit: published.map(|content| Edit {
                content: content.to_vec(),
                because: "the repository has no Cargo.lock; this is the published one".to_owned(),
                path: path.clone(),
            }),
            assumption: published.map(|_| Assumption {
                kind: AssumptionKind::SeededLockfile,
                value: path.to_string(),
                from: "the published file, because the repository has none".to_owned(),
            }),
            locks: vec![open(Worth::Always, "")],
        })
    }
}

fn steps(request: &PlanRequest<'_>, member: &Member, choice: &Choice) -> Vec<Step> {
    let package = |target: &str, more: &[&str]| {
        let mut argv = vec![
            "env".to_owned(),
            "--chdir=/".to_owned(),
            "cargo".to_owned(),
            "package".to_owned(),
            // What is compiled to see whether it compiles is no part of the file.
            "--no-verify".to_owned(),
            // What differs from the commit is written into the file; a lockfile that is laid beside it must not stop
            // the packing.
            "--allow-dirty".to_owned(),
            "--manifest-path".to_owned(),
            format!("{TREE}/{}", member.path),
            "--target-dir".to_owned(),
            target.to_owned(),
        ];
        if choice.can_exclude_lockfile && request.survey.text("Cargo.lock").is_none() {
            argv.push("--exclude-lockfile".to_owned());
        }
        argv.extend(more.iter().map(|word| (*word).to_owned()));
        argv
    };
    let step = |phase, argv| Step {
        phase,
        directory: None,
        action: Action::Run { argv },
        environment: BTreeMap::new(),
        on_failure: OnFailure::Ends,
    };
    let name = request.target.name.as_str();
    let version = request.target.version.as_str();
    vec![
        step(Phase::Install, package(UNUSED, &[])),
        step(Phase::Pack, package(TARGET, &["--offline"])),
        step(
            Phase::Pack,
            vec![
                "cp".to_owned(),
                format!("{TARGET}/package/{name}-{version}.crate"),
                format!("{OUT}/"),
            ],
        ),
    ]
}

fn environment() -> BTreeMap<String, String> {
    [
        ("CARGO_HOME", HOME),
        ("CARGO_TERM_COLOR", "never"),
        // Before 1.70 another protocol was the usual one, and that one needs git.
        ("CARGO_REGISTRIES_CRATES_IO_PROTOCOL", "sparse"),
        // The proxy has tried often enough.
        ("CARGO_NET_RETRY", "0"),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .collect()
}

/// Manifests, lockfiles, and what names a toolchain.
pub(crate) fn is_of_interest(path: &EntryPath) -> bool {
    is_manifest(path)
        || path.file_name() == "Cargo.lock"
        || (path.parent().is_none() && toolchain::is_of_interest(path.file_name()))
}
