//! Builds of projects whose lockfile names what registries no longer have: the package manager chooses another version of
//! that alone. Such a build can show what a release was made of only by making the same file.

use remint_model::{
    Action, Assumption, AssumptionKind, BuildPlan, Edit, EntryPath, Lock, LockedFetch, Phase,
    SourceTree, Step, Worth,
};

use crate::npm::lockfile;
use crate::npm::manager::{self, Locking, Manager};

/// What is said of such a plan.
const OTHERWISE: &str = ", with other versions of what is gone";

/// The same plan, with dependencies as of a moment (seconds since 1970) in place of those at these addresses of the npm
/// registry. `None` where no lockfile that the plan installs from has one of them.
pub fn without_gone(
    plan: &BuildPlan,
    tree: &SourceTree,
    gone: &[String],
    moment: i64,
) -> Option<BuildPlan> {
    let gone: Vec<LockedFetch> = gone.iter().filter_map(|url| of_address(url)).collect();
    let mut other = plan.clone();
    let mut relocked = false;
    for step in &mut other.steps {
        relocked |= relock(step, &mut other.edits, tree, &gone).is_some();
    }
    if !relocked {
        return None;
    }
    if !other.variant.ends_with(OTHERWISE) {
        other.variant.push_str(OTHERWISE);
    }
    other.worth = Worth::WhenNothingBuilt;
    other.lock = Lock::AsOf { time: Some(moment) };
    other.snapshot_inputs.clear();
    other
        .assumptions
        .extend(gone.iter().map(|package| Assumption {
            kind: AssumptionKind::SubstituteDependency,
            value: format!("another version than {} {}", package.name, package.version),
            from: "the registry no longer has the one that is locked".to_owned(),
        }));
    Some(other)
}

/// Takes what is gone out of the lockfile that a step installs from, and lets the step choose anew.
fn relock(
    step: &mut Step,
    edits: &mut Vec<Edit>,
    tree: &SourceTree,
    gone: &[LockedFetch],
) -> Option<()> {
    let Action::Run { argv } = &mut step.action else {
        return None;
    };
    let (manager, locking, more) = installs(argv).filter(|_| step.phase == Phase::Install)?;
    // What npm publishes with a package, its shrinkwrap, is none of them.
    let name = match manager {
        Manager::Npm => "package-lock.json",
        Manager::Pnpm => "pnpm-lock.yaml",
        Manager::YarnClassic | Manager::YarnBerry => "yarn.lock",
        Manager::Bun => "bun.lock",
    };
    let path: EntryPath = match &step.directory {
        Some(directory) => format!("{directory}/{name}").parse().ok()?,
        None => name.parse().ok()?,
    };
    let edited = edits.iter().position(|edit| edit.path == path);
    let text = match edited.and_then(|at| edits.get(at)) {
        Some(edit) => std::str::from_utf8(&edit.content).ok()?,
        None => tree.text(path.as_str())?,
    };
    let content = lockfile::without(manager::format(&path)?, text, gone)?.into_bytes();
    if locking == Locking::Whole {
        *argv = [manager::install(manager, Locking::Partly), more].concat();
    }
    if manager == Manager::YarnBerry {
        let immutable = "YARN_ENABLE_IMMUTABLE_INSTALLS".to_owned();
        step.environment.insert(immutable, "0".to_owned());
    }
    edits.retain(|edit| edit.path != path);
    edits.push(Edit {
        path,
        content,
        because: "the registry no longer has what it names".to_owned(),
    });
    Some(())
}

/// The package manager that a command installs with, how far it is bound to its lockfile, and what it is told besides.
fn installs(argv: &[String]) -> Option<(Manager, Locking, Vec<String>)> {
    let managers = [
        Manager::Npm,
        Manager::Pnpm,
        Manager::YarnClassic,
        Manager::YarnBerry,
        Manager::Bun,
    ];
    let mut ways = managers
        .into_iter()
        .flat_map(|manager| [(manager, Locking::Whole), (manager, Locking::Partly)]);
    ways.find_map(|(manager, locking)| {
        let more = argv.strip_prefix(manager::install(manager, locking).as_slice())?;
        Some((manager, locking, more.to_vec()))
    })
}

/// Name and version by the address of a tarball, `https://registry.npmjs.org/@scope/name/-/name-1.0.0.tgz`.
fn of_address(url: &str) -> Option<LockedFetch> {
    let (before, file) = url.split_once("/-/")?;
    let (above, last) = before.rsplit_once('/')?;
    let scope = above
        .rsplit('/')
        .next()
        .filter(|scope| scope.starts_with('@'));
    let name = scope.map_or_else(|| last.to_owned(), |scope| format!("{scope}/{last}"));
    let name = name.replace("%2f", "/").replace("%2F", "/");
    let bare = name.rsplit('/').next()?;
    let version = file
        .strip_suffix(".tgz")?
        .strip_prefix(bare)?
        .strip_prefix('-')?;
    Some(LockedFetch {
        version: version.to_owned(),
        name,
        url: Some(url.to_owned()),
        integrity: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tarballs_address_names_its_package() {
        for (url, expect) in [
            (
                "https://registry.npmjs.org/a/-/a-1.0.0.tgz",
                Some(("a", "1.0.0")),
            ),
            (
                "https://registry.npmjs.org/@s/a-b/-/a-b-1.0.0-rc.1.tgz",
                Some(("@s/a-b", "1.0.0-rc.1")),
            ),
            (
                "https://registry.npmjs.org/@s%2fa/-/a-1.0.0.tgz",
                Some(("@s/a", "1.0.0")),
            ),
            ("https://registry.npmjs.org/a/-/b-1.0.0.tgz", None),
            ("https://registry.npmjs.org/a", None),
            ("/-/", None),
        ] {
            let found = of_address(url);
            let found = found
                .as_ref()
                .map(|found| (found.name.as_str(), found.version.as_str()));
            assert_eq!(found, expect, "{url}");
        }
    }
}
