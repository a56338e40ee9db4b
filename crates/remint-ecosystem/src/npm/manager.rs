//! Package managers: which one installs, which one packs, and how each is told what to do.

use remint_model::{EntryPath, GzipHeader, Survey};
use serde_json::Value;

use crate::npm::folder::Folder;
use crate::npm::lockfile::{self, Format};
use crate::npm::project::{Project, manifest_in};
use crate::npm::recipe::{Publisher, Recipe};

/// A program that installs dependencies, runs scripts and packs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Manager {
    /// npm.
    Npm,
    /// pnpm.
    Pnpm,
    /// yarn 1.
    YarnClassic,
    /// yarn 2 and later.
    YarnBerry,
    /// bun.
    Bun,
}

/// The modification time that npm, pnpm and bun write on every entry (1985-10-26T08:15:00Z).
const NPM_MTIME: i64 = 499_162_500;
/// The one that yarn 2 and later write (1984-06-22T21:50:00Z).
const BERRY_MTIME: i64 = 456_789_000;

impl Manager {
    /// The command's name.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Npm => "npm",
            Self::Pnpm => "pnpm",
            Self::YarnClassic | Self::YarnBerry => "yarn",
            Self::Bun => "bun",
        }
    }

    /// The command that runs a script of the manifest in the current directory.
    pub(crate) fn run(self, script: &str) -> Vec<String> {
        words(&[self.name(), "run", script])
    }

    /// The name as scripts and manifests write it; yarn's two generations are told apart by version.
    pub(crate) fn named(name: &str, version: Option<&str>) -> Option<Self> {
        match name {
            "npm" => Some(Self::Npm),
            "pnpm" => Some(Self::Pnpm),
            "bun" => Some(Self::Bun),
            "yarn" => Some(
                match version.map(|v| v.trim_start_matches(['^', '~', 'v', '='])) {
                    Some(version) if !version.starts_with("1.") && version != "1" => {
                        Self::YarnBerry
                    }
                    Some(_) | None => Self::YarnClassic,
                },
            ),
            _ => None,
        }
    }
}

/// A package manager and the reason for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Chosen {
    /// Which.
    pub(crate) manager: Manager,
    /// What named it.
    pub(crate) because: String,
    /// Its lockfile, where there is one.
    pub(crate) lockfile: Option<EntryPath>,
    /// Whether the published file alone names it.
    pub(crate) guessed: bool,
}

/// The package manager that installs: what the manifest says, then the publish workflow, then the lockfile; never
/// one whose lockfile is missing while another's is there.
pub(crate) fn installer(project: &Project<'_>, recipe: Option<&Recipe>, survey: &Survey) -> Chosen {
    let found = lockfiles(project);
    let lockfile = |manager: Manager| {
        found
            .iter()
            .find(|(other, _)| *other == manager)
            .map(|(_, path)| path.clone())
    };
    let fits = |manager: Manager| found.is_empty() || lockfile(manager).is_some();
    let chosen = |manager: Manager, because: &str| Chosen {
        manager,
        because: because.to_owned(),
        guessed: false,
        lockfile: lockfile(manager),
    };
    if let Some((manager, because)) = declared(project)
        && fits(manager)
    {
        return chosen(manager, &because);
    }
    if let Some(recipe) = recipe
        && let Some(install) = recipe.installs.first()
    {
        // A workflow says `yarn` for both generations.
        let manager = match install.manager {
            Manager::YarnClassic if lockfile(Manager::YarnBerry).is_some() => Manager::YarnBerry,
            named @ (Manager::Npm
            | Manager::Pnpm
            | Manager::YarnClassic
            | Manager::YarnBerry
            | Manager::Bun) => named,
        };
        if fits(manager) {
            return chosen(manager, recipe.path.as_str());
        }
    }
    // Of several, one that is in step with the manifest; of those, the packer's.
    let packer = by_fingerprint(survey);
    let best = found.iter().max_by_key(|(manager, path)| {
        (
            is_in_step(project, &project.root, path),
            Some(*manager) == packer,
        )
    });
    match best {
        Some((manager, path)) => chosen(*manager, path.as_str()),
        None => chosen(Manager::Npm, "no lockfile"),
    }
}

/// The package manager that packed: the marks in the published file, as far as they tell, then the workflow.
pub(crate) fn packer(
    project: &Project<'_>,
    recipe: Option<&Recipe>,
    survey: &Survey,
    installer: Manager,
) -> Chosen {
    let publisher = recipe.map(|recipe| match recipe.publish.by {
        Publisher::Manager(manager) => manager,
        Publisher::Npm => Manager::Npm,
        // It hands over to pnpm where pnpm installs, and to npm everywhere else.
        Publisher::Changesets if installer == Manager::Pnpm => Manager::Pnpm,
        Publisher::Changesets => Manager::Npm,
    });
    let chosen = |manager: Manager, because: String| Chosen {
        manager,
        because,
        lockfile: None,
        guessed: false,
    };
    let in_the_source = match publisher {
        Some(publisher) => chosen(
            publisher,
            recipe.map_or_else(String::new, |recipe| recipe.path.to_string()),
        ),
        None if project.manifest.get("publishConfig").is_some() => {
            chosen(installer, "the package manager that installs".to_owned())
        }
        None => chosen(Manager::Npm, "nothing says otherwise".to_owned()),
    };
    match by_fingerprint(survey) {
        // npm and bun leave the same marks.
        Some(Manager::Npm) if publisher == Some(Manager::Bun) => in_the_source,
        Some(marked) if marked != in_the_source.manager => Chosen {
            guessed: true,
            ..chosen(
                marked,
                "gzip header and times of the published file".to_owned(),
            )
        },
        Some(_) | None => in_the_source,
    }
}

/// What the published file's gzip header and entry times say.
fn by_fingerprint(survey: &Survey) -> Option<Manager> {
    let GzipHeader {
        extra_flags,
        os,
        mtime: _,
        named: _,
    } = survey.gzip?;
    match (extra_flags, os, survey.newest_entry) {
        (2, 255, _) => Some(Manager::Npm),
        (_, _, Some(BERRY_MTIME)) => Some(Manager::YarnBerry),
        (0, _, Some(NPM_MTIME) | None) => Some(Manager::Pnpm),
        // yarn 1 keeps the files' own times.
        (0, 3 | 10 | 19, Some(_)) => Some(Manager::YarnClassic),
        _ => None,
    }
}

/// `packageManager`, `devEngines.packageManager` and `volta`, of the root and then of the package.
fn declared(project: &Project<'_>) -> Option<(Manager, String)> {
    for (manifest, folder) in [
        (&project.root_manifest, &project.root),
        (&project.manifest, &project.folder),
    ] {
        if let Some(field) = manifest.text("packageManager") {
            let (name, version) = field.split_once('@').unwrap_or((field, ""));
            if let Some(manager) = Manager::named(name, Some(version).filter(|v| !v.is_empty())) {
                let because = format!("packageManager in {}", folder.path("package.json"));
                return Some((manager, because));
            }
        }
        let engine = manifest
            .get("devEngines")
            .and_then(|engines| engines.get("packageManager"))
            .map(|engine| engine.get(0).unwrap_or(engine));
        if let Some(engine) = engine {
            let text = |field: &str| engine.get(field).and_then(Value::as_str);
            if let Some(manager) =
                text("name").and_then(|name| Manager::named(name, text("version")))
            {
                let because = format!("devEngines in {}", folder.path("package.json"));
                return Some((manager, because));
            }
        }
    }
    None
}

/// The lockfiles in the workspace root.
fn lockfiles(project: &Project<'_>) -> Vec<(Manager, EntryPath)> {
    [
        ("pnpm-lock.yaml", Manager::Pnpm),
        ("package-lock.json", Manager::Npm),
        ("npm-shrinkwrap.json", Manager::Npm),
        ("yarn.lock", Manager::YarnClassic),
        ("bun.lock", Manager::Bun),
        ("bun.lockb", Manager::Bun),
    ]
    .into_iter()
    .filter_map(|(name, manager)| {
        let path: EntryPath = project.root.path(name).parse().ok()?;
        project.tree.has(path.as_str()).then(|| {
            let berry = manager == Manager::YarnClassic
                && project
                    .tree
                    .text(path.as_str())
                    .is_some_and(lockfile::is_berry);
            (if berry { Manager::YarnBerry } else { manager }, path)
        })
    })
    .collect()
}

/// Whether a lockfile describes the manifests of its own folder and of the package, as far as it tells.
pub(crate) fn is_in_step(project: &Project<'_>, root: &Folder, lockfile: &EntryPath) -> bool {
    let (Some(format), Some(text)) = (format(lockfile), project.tree.text(lockfile.as_str()))
    else {
        return true;
    };
    [root, &project.folder].into_iter().all(|folder| {
        match (folder.below(root), manifest_in(project.tree, folder)) {
            (Some(below), Some(manifest)) => {
                lockfile::is_in_step(format, text, below, &manifest, &|name| {
                    project.members.contains_key(name)
                })
            }
            _ => true,
        }
    })
}

/// The format of a lockfile by its name; `None` for the one that cannot be read.
pub(crate) fn format(lockfile: &EntryPath) -> Option<Format> {
    match lockfile.file_name() {
        "package-lock.json" | "npm-shrinkwrap.json" => Some(Format::PackageLock),
        "pnpm-lock.yaml" => Some(Format::Pnpm),
        "yarn.lock" => Some(Format::Yarn),
        "bun.lock" => Some(Format::Bun),
        _ => None,
    }
}

/// How far a lockfile pins an install.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Locking {
    /// Everything.
    Whole,
    /// It is behind its manifest, and pins what it still can.
    Partly,
    /// There is none.
    None,
}

/// The install command, without scripts of packages or of the repository.
pub(crate) fn install(manager: Manager, locking: Locking) -> Vec<String> {
    use Locking::{None, Partly, Whole};

    let (command, more): (&[&str], &[&str]) = match manager {
        Manager::Npm => (
            match locking {
                Whole => &["npm", "ci"],
                Partly => &["npm", "install", "--no-save"],
                None => &["npm", "install", "--no-save", "--no-package-lock"],
            },
            &["--ignore-scripts", "--no-audit", "--no-fund"],
        ),
        Manager::Pnpm => (
            match locking {
                Whole => &["pnpm", "install", "--frozen-lockfile"],
                Partly => &["pnpm", "install", "--no-frozen-lockfile"],
                None => &["pnpm", "install", "--no-frozen-lockfile", "--no-lockfile"],
            },
            match locking {
                Whole => &["--ignore-scripts", "--ignore-pnpmfile"],
                // A sibling of a version that is published by now is built here, not fetched.
                Partly | None => &[
                    "--ignore-scripts",
                    "--ignore-pnpmfile",
                    "--config.link-workspace-packages=true",
                ],
            },
        ),
        Manager::YarnClassic => (
            match locking {
                Whole => &["yarn", "install", "--frozen-lockfile"],
                Partly => &["yarn", "install", "--pure-lockfile"],
                None => &["yarn", "install", "--no-lockfile"],
            },
            &["--ignore-scripts", "--non-interactive"],
        ),
        Manager::YarnBerry => (
            match locking {
                Whole => &["yarn", "install", "--immutable"],
                Partly | None => &["yarn", "install"],
            },
            &["--mode=skip-build"],
        ),
        Manager::Bun => (
            match locking {
                Whole => &["bun", "install", "--frozen-lockfile"],
                Partly | None => &["bun", "install", "--no-save"],
            },
            &["--ignore-scripts"],
        ),
    };
    words(&[command, more].concat())
}

/// The pack command, run in the package's folder; `run_scripts` says whether the lifecycle runs.
pub(crate) fn pack(manager: Manager, directory: &str, run_scripts: bool) -> Vec<String> {
    let mut command = match manager {
        Manager::Npm => words(&["npm", "pack", "--pack-destination", directory]),
        Manager::Pnpm => words(&["pnpm", "pack", "--pack-destination", directory]),
        Manager::YarnClassic => {
            let file = format!("{directory}/package.tgz");
            words(&["yarn", "pack", "--filename", &file])
        }
        Manager::YarnBerry => {
            let file = format!("{directory}/%s-%v.tgz");
            words(&["yarn", "pack", "--out", &file])
        }
        Manager::Bun => words(&["bun", "pm", "pack", "--destination", directory]),
    };
    if !run_scripts {
        match manager {
            Manager::Npm | Manager::Bun => command.push("--ignore-scripts".to_owned()),
            // Neither command has the flag; both read the setting.
            Manager::Pnpm => command.push("--config.ignore-scripts=true".to_owned()),
            Manager::YarnClassic => command.push("--ignore-scripts".to_owned()),
            Manager::YarnBerry => {}
        }
    }
    command
}

/// Texts as owned words.
pub(crate) fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

/// Which manager a folder of the tree is installed with, by the lockfile that lies there.
pub(crate) fn of_folder(project: &Project<'_>, folder: &Folder) -> Option<(Manager, EntryPath)> {
    let elsewhere = Project {
        root: folder.clone(),
        ..project.clone()
    };
    lockfiles(&elsewhere).into_iter().next()
}
