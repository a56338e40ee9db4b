//! Projects inside the project that are no members of its workspace: folders with a manifest of their own that a
//! build steps into, and whose dependencies have to be installed as well.

use std::collections::BTreeSet;

use crate::npm::folder::Folder;
use crate::npm::lifecycle::{self, PACK_SCRIPTS};
use crate::npm::project::{Project, manifest_in};
use crate::npm::recipe::{Kind, Replay, classify, is_check};
use crate::workflow::script::{Command, Script, split};

/// How deep scripts may call each other while being read.
const DEEPEST: usize = 8;
/// How many scripts and folders are looked into.
const MOST: usize = 500;

/// The folders that the package's build steps into, in path order.
pub(crate) fn stepped_into(project: &Project<'_>, steps: &[Replay]) -> Vec<Folder> {
    let mut walk = Walk {
        project,
        seen: BTreeSet::new(),
        noted: BTreeSet::new(),
        found: BTreeSet::new(),
    };
    let names = lifecycle::build_script(&project.manifest)
        .into_iter()
        .chain(["prepublishOnly", "prepublish"])
        .chain(PACK_SCRIPTS);
    for name in names {
        walk.script(&project.folder, name, DEEPEST);
    }
    for step in steps {
        if let Replay::Run { folder, script, .. } = step {
            walk.text(folder, script, DEEPEST);
        }
    }
    walk.found.into_iter().collect()
}

struct Walk<'a> {
    project: &'a Project<'a>,
    /// Scripts that have been read, by folder and name.
    seen: BTreeSet<(Folder, String)>,
    /// Folders that commands work in.
    noted: BTreeSet<Folder>,
    found: BTreeSet<Folder>,
}

impl Walk<'_> {
    fn script(&mut self, folder: &Folder, name: &str, depth: usize) {
        for name in [format!("pre{name}"), name.to_owned(), format!("post{name}")] {
            if self.seen.len() >= MOST || !self.seen.insert((folder.clone(), name.clone())) {
                continue;
            }
            if let Some(text) = manifest_in(self.project.tree, folder)
                .and_then(|manifest| manifest.script(&name).map(str::to_owned))
            {
                self.text(folder, &text, depth);
            }
        }
    }

    fn text(&mut self, folder: &Folder, text: &str, depth: usize) {
        let (Script::Commands(commands), Some(depth)) = (split(text), depth.checked_sub(1)) else {
            return;
        };
        let mut here = folder.clone();
        for command in &commands {
            let kind = classify(command);
            if let Kind::Directory(directory) = &kind {
                here = here.join(directory).unwrap_or(here);
                continue;
            }
            let place = place(command, &here);
            if let Kind::Script(name) = &kind {
                if is_check(name) {
                    continue;
                }
                self.script(&place, name, depth);
            }
            if matches!(kind, Kind::Script(_) | Kind::Other) {
                self.note(&place);
            }
        }
    }

    /// Keeps a folder that is a project of its own and has something to install.
    fn note(&mut self, folder: &Folder) {
        let own = *folder != self.project.root
            && *folder != self.project.folder
            && self.project.member_in(folder).is_none();
        if own
            && self.noted.len() < MOST
            && self.noted.insert(folder.clone())
            && manifest_in(self.project.tree, folder)
                .is_some_and(|manifest| manifest.has_dependencies())
        {
            self.found.insert(folder.clone());
        }
    }
}

/// The folder in which a command works.
fn place(command: &Command, here: &Folder) -> Folder {
    ["--prefix", "-C", "--dir", "--cwd"]
        .iter()
        .find_map(|option| command.option(option))
        .and_then(|directory| here.join(directory))
        .unwrap_or_else(|| here.clone())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::npm::testing::{pin, tree};

    fn check(scripts: &str, expect: &[&str]) {
        let manifest = format!(r#"{{"name":"a","workspaces":["packages/*"],"scripts":{scripts}}}"#);
        let needs =
            r#"{"name":"x","dependencies":{"y":"1"},"scripts":{"build":"cd inner && make"}}"#;
        let tree = tree(&[
            ("package.json", &manifest),
            ("web/package.json", needs),
            ("web/inner/package.json", needs),
            ("docs/package.json", needs),
            ("plain/package.json", "{}"),
            ("packages/b/package.json", needs),
        ]);
        let project = Project::find(&tree, &pin(None)).unwrap();
        let found: Vec<String> = stepped_into(&project, &[])
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(found, expect, "{scripts}");
    }

    #[test]
    fn only_folders_that_the_build_enters_are_found() {
        check(
            r#"{"build":"npm run build:web && tsc","build:web":"cd web && npm run build","docs":"cd docs && vite"}"#,
            &["web", "web/inner"],
        );
        check(r#"{"prepack":"npm --prefix web run x"}"#, &["web"]);
        check(
            r#"{"build":"npm test && tsc","test":"cd web && vitest"}"#,
            &[],
        );
        check(
            r#"{"build":"cd plain && tsc && cd ../packages/b && tsc"}"#,
            &[],
        );
        check(r#"{"build":"cd ../.. && tsc; cd $HOME && tsc"}"#, &[]);
        check(r#"{"build":"npm run build"}"#, &[]);
    }
}
