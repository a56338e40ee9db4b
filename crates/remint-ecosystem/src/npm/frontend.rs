//! JavaScript inside a project of another ecosystem: a user interface that is built before the package is made.

use remint_model::{Assumption, SourcePin, SourceTree, Tool};

use crate::npm::checks;
use crate::npm::manager::{self, Locking, Manager};
use crate::npm::project::{Project, manifest_in};
use crate::npm::toolchain::{self, Circumstances};
use crate::release::ToolHints;

pub(crate) use crate::npm::folder::Folder;
pub(crate) use crate::npm::recipe::{
    Kind, Known, Pieces, classify, is_check, keeps_to_itself, never_holds, pieces, serves,
    writes_plainly,
};

/// Whether a script of a folder's manifest makes nothing.
pub(crate) fn only_checks(tree: &SourceTree, folder: &Folder, name: &str) -> bool {
    match manifest_in(tree, folder) {
        Some(manifest) => checks::only_checks(&manifest, name),
        None => is_check(name),
    }
}

/// What it takes to install the dependencies of a folder and to run its scripts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Frontend {
    /// node first.
    pub(crate) tools: Vec<Tool>,
    /// What of them is a guess.
    pub(crate) assumptions: Vec<Assumption>,
    /// The install command, without scripts of packages.
    pub(crate) install: Vec<String>,
}

/// Looks at a folder; `None` where it has no manifest.
pub(crate) fn look(
    tree: &SourceTree,
    pin: &SourcePin,
    folder: &Folder,
    moment: i64,
) -> Option<Frontend> {
    let mut pin = pin.clone();
    pin.subdirectory = folder.to_directory();
    let project = Project::find(tree, &pin).ok()?;
    let (manager, locking) = match manager::of_folder(&project, folder) {
        Some((manager, lockfile)) => {
            let whole = manager::is_in_step(&project, folder, &lockfile);
            (
                manager,
                if whole {
                    Locking::Whole
                } else {
                    Locking::Partly
                },
            )
        }
        None => (Manager::Npm, Locking::None),
    };
    let (tools, assumptions) = toolchain::tools(
        &Circumstances {
            project: &project,
            recipe: None,
            hints: &ToolHints::default(),
            moment,
            native_pnpm: false,
        },
        &[manager],
        false,
    );
    Some(Frontend {
        tools,
        assumptions,
        install: manager::install(manager, locking),
    })
}
