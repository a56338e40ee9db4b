//! What a build finds around it that should make no difference: where its tree lies, the time, who it is, and so on.
//!
//! The default is what every build gets. Whoever wants to know whether it matters gives another one; only `build`
//! and `pack` steps see it, since installing runs no foreign code, and the place of the tree, which all steps share.

use std::collections::BTreeMap;
use std::path::PathBuf;

use remint_model::{Action, BuildPlan};
use remint_sandbox::{GeneratedFile, Surroundings};

/// Loaded into every program of Node.js by `--require`.
const FOR_NODE: &str = include_str!("conditions/conditions.cjs");
const FOR_NODE_AT: &str = "/etc/remint/conditions.cjs";
/// Imported by every Python interpreter at its start.
const FOR_PYTHON: &str = include_str!("conditions/sitecustomize.py");
const FOR_PYTHON_IN: &str = "/etc/remint/python";

/// The conditions of one build.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Conditions {
    /// Where the tree lies, in place of where the plan has it.
    pub(crate) build_path: Option<String>,
    /// By how many seconds programs of Node.js and Python take the time for later than it is.
    pub(crate) clock: i64,
    /// User, host, umask, processors.
    pub(crate) surroundings: Surroundings,
    /// `LC_ALL`, in place of `LANG=C.UTF-8`.
    pub(crate) locale: Option<String>,
    /// `TZ`, in place of `UTC`.
    pub(crate) time_zone: Option<String>,
    /// In which order directories list what is committed.
    pub(crate) directory_order: DirectoryOrder,
}

/// In which order directories list their entries.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum DirectoryOrder {
    /// As the file system has it.
    #[default]
    AsItIs,
    /// The later files first.
    LaterFirst,
}

impl Conditions {
    /// The plan with its tree at another place, if there is to be another.
    pub(super) fn place(&self, plan: &BuildPlan) -> Option<BuildPlan> {
        let to = self.build_path.as_ref()?;
        let from = plan.build_path.clone();
        let mut placed = plan.clone();
        placed.build_path.clone_from(to);
        let change = |text: &mut String| *text = moved(text, &from, to);
        placed.environment.values_mut().for_each(change);
        for step in &mut placed.steps {
            step.environment.values_mut().for_each(change);
            let (Action::Run { argv } | Action::InstallListed { argv, .. }) = &mut step.action;
            argv.iter_mut().for_each(change);
        }
        Some(placed)
    }

    /// The variables that come before those of the plan.
    pub(super) fn set_variables(&self, all: &mut BTreeMap<String, String>) {
        let mut set = |name: &str, value: &str| {
            all.insert(name.to_owned(), value.to_owned());
        };
        if let Some(locale) = &self.locale {
            set("LC_ALL", locale);
            set("LANG", locale);
        }
        if let Some(zone) = &self.time_zone {
            set("TZ", zone);
        }
        let Surroundings {
            user_name, home, ..
        } = &self.surroundings;
        set("USER", user_name);
        set("LOGNAME", user_name);
        set("HOME", home);
    }

    /// The variables that come after those of the plan, whose own values stay in effect.
    pub(super) fn amend_variables(&self, all: &mut BTreeMap<String, String>) {
        let usual = Surroundings::default().home;
        for value in all.values_mut() {
            *value = moved(value, &usual, &self.surroundings.home);
        }
        if !self.needs_files() {
            return;
        }
        let node = all.entry("NODE_OPTIONS".to_owned()).or_default();
        if !node.is_empty() {
            node.push(' ');
        }
        node.push_str("--require ");
        node.push_str(FOR_NODE_AT);
        let python = all.entry("PYTHONPATH".to_owned()).or_default();
        *python = match python.as_str() {
            "" => FOR_PYTHON_IN.to_owned(),
            more => format!("{FOR_PYTHON_IN}:{more}"),
        };
    }

    /// A command's words, for the home directory that it has.
    pub(super) fn words(&self, argv: &[String]) -> Vec<String> {
        let usual = Surroundings::default().home;
        argv.iter()
            .map(|word| moved(word, &usual, &self.surroundings.home))
            .collect()
    }

    /// The files that go with the variables.
    pub(super) fn files(&self) -> Vec<GeneratedFile> {
        if !self.needs_files() {
            return Vec::new();
        }
        let processors = self.surroundings.processors.unwrap_or_default().to_string();
        let clock = self.clock.to_string();
        let file = |inside: PathBuf, template: &str| GeneratedFile {
            inside,
            content: template
                .replace("@clock@", &clock)
                .replace("@processors@", &processors)
                .into_bytes(),
        };
        vec![
            file(PathBuf::from(FOR_NODE_AT), FOR_NODE),
            file(
                PathBuf::from(FOR_PYTHON_IN).join("sitecustomize.py"),
                FOR_PYTHON,
            ),
        ]
    }

    fn needs_files(&self) -> bool {
        self.clock != 0 || self.surroundings.processors.is_some()
    }
}

/// Another path in the place of this one, wherever it stands as such: not as the end of another path, nor as the
/// beginning of another name.
fn moved(text: &str, from: &str, to: &str) -> String {
    if from == to || !text.contains(from) {
        return text.to_owned();
    }
    let is_name = |c: char| c.is_alphanumeric() || "_-.+@~".contains(c);
    let mut result = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once(from) {
        result.push_str(before);
        let begins = !result.ends_with(|c| is_name(c) || "/}".contains(c));
        let ends = !after.starts_with(is_name);
        result.push_str(if begins && ends { to } else { from });
        rest = after;
    }
    result.push_str(rest);
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_move_where_they_stand_as_such() {
        for (text, expected) in [
            ("/remint", "/srv/other"),
            ("/remint/a:/remint/b", "/srv/other/a:/srv/other/b"),
            ("--prefix=/remint", "--prefix=/srv/other"),
            ("cd '/remint' && ls", "cd '/srv/other' && ls"),
            (
                "/reminted /remint-2 x/remint ${X}/remint",
                "/reminted /remint-2 x/remint ${X}/remint",
            ),
            ("", ""),
        ] {
            assert_eq!(moved(text, "/remint", "/srv/other"), expected, "{text}");
        }
    }

    #[test]
    fn the_usual_conditions_change_nothing() {
        let conditions = Conditions::default();
        let mut variables: BTreeMap<String, String> = remint_sandbox::base_environment()
            .into_iter()
            .map(|(name, value)| (name.into_string().unwrap(), value.into_string().unwrap()))
            .collect();
        let before = variables.clone();
        conditions.set_variables(&mut variables);
        conditions.amend_variables(&mut variables);
        assert_eq!(variables, before);
        assert!(conditions.files().is_empty());
        let words = ["ls".to_owned(), "/home/build".to_owned()];
        assert_eq!(conditions.words(&words), words);
    }

    #[test]
    fn what_a_plan_sets_stays_in_effect() {
        let conditions = Conditions {
            clock: 60,
            ..Conditions::default()
        };
        let mut variables = BTreeMap::from([
            (
                "NODE_OPTIONS".to_owned(),
                "--max-old-space-size=4096".to_owned(),
            ),
            ("PYTHONPATH".to_owned(), "src".to_owned()),
        ]);
        conditions.amend_variables(&mut variables);
        assert_eq!(
            variables["NODE_OPTIONS"],
            "--max-old-space-size=4096 --require /etc/remint/conditions.cjs"
        );
        assert_eq!(variables["PYTHONPATH"], "/etc/remint/python:src");
    }
}
