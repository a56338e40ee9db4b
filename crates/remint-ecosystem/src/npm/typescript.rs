//! Where the TypeScript compiler writes, as far as its command line and `tsconfig.json` say so without doubt.

use std::collections::BTreeSet;

use jsonc_parser::ParseOptions;
use serde_json::Value;

use crate::npm::folder::Folder;
use crate::npm::project::Project;
use crate::workflow::script::Command;

/// How many settings files may extend each other.
const DEEPEST: usize = 8;
/// How many settings files are read for one run, each as often as it is extended.
const MOST: usize = 100;

/// Where a compiler run writes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Writes {
    /// Nowhere.
    Nothing,
    /// Below these folders only.
    Below(BTreeSet<Folder>),
    /// It cannot be told.
    Anywhere,
}

/// Where this command writes, run in the package's folder.
pub(crate) fn writes(project: &Project<'_>, command: &Command) -> Writes {
    let mut arguments = command
        .words
        .iter()
        .skip_while(|word| matches!(word.as_str(), "npx" | "tsc"));
    let compiler = command.words.iter().any(|word| word == "tsc")
        && command.text == command.words.join(" ")
        && !command.text.contains(['$', '`', '*']);
    if !compiler {
        return Writes::Anywhere;
    }
    let mut settings = "tsconfig.json".to_owned();
    let mut silent = false;
    while let Some(argument) = arguments.next() {
        match (argument.as_str(), arguments.clone().next()) {
            ("--noEmit", None) => silent = true,
            ("--noEmit", Some(next)) if next.starts_with('-') => silent = true,
            ("-p" | "--project", Some(path)) => {
                path.clone_into(&mut settings);
                arguments.next();
            }
            ("--pretty" | "--strict" | "--skipLibCheck", _) => {}
            _ => return Writes::Anywhere,
        }
    }
    if silent {
        return Writes::Nothing;
    }
    let mut found = Settings::default();
    if found
        .read(project, &project.folder, &settings, DEEPEST)
        .is_none()
    {
        return Writes::Anywhere;
    }
    match found {
        Settings {
            silent: Some(true), ..
        } => Writes::Nothing,
        Settings {
            output: Some(output),
            types,
            elsewhere: false,
            ..
        } => Writes::Below([output].into_iter().chain(types).collect()),
        _ => Writes::Anywhere,
    }
}

/// The settings that decide where output goes; the first file to state one wins over those that it extends.
#[derive(Debug, Default)]
struct Settings {
    silent: Option<bool>,
    output: Option<Folder>,
    types: Option<Folder>,
    /// A setting that sends some output to a place of its own.
    elsewhere: bool,
    /// Settings files that have been read.
    read: usize,
}

impl Settings {
    /// Reads a settings file and those that it extends; `None` when one of those that matter is out of reach.
    fn read(
        &mut self,
        project: &Project<'_>,
        from: &Folder,
        path: &str,
        depth: usize,
    ) -> Option<()> {
        self.read += 1;
        if self.read > MOST {
            return None;
        }
        let (folder, name) = match path.rsplit_once('/') {
            Some((folder, name)) => (from.join(folder)?, name),
            None => (from.clone(), path),
        };
        let text = [
            name.to_owned(),
            format!("{name}.json"),
            format!("{name}/tsconfig.json"),
        ]
        .iter()
        .find_map(|name| project.tree.text(&folder.path(name)))?;
        let value = parse(text)?;
        let options = value.get("compilerOptions");
        let option = |name: &str| options.and_then(|options| options.get(name));
        if self.silent.is_none() {
            self.silent = option("noEmit").and_then(Value::as_bool);
        }
        let directory = |name: &str| folder.join(option(name)?.as_str()?);
        if self.output.is_none() {
            self.output = directory("outDir");
        }
        if self.types.is_none() {
            self.types = directory("declarationDir");
        }
        self.elsewhere |= ["outFile", "out", "tsBuildInfoFile", "plugins"]
            .iter()
            .any(|name| option(name).is_some());
        // The outermost file has decided already.
        if self.silent == Some(true) {
            return Some(());
        }
        let depth = depth.checked_sub(1)?;
        let parents: Vec<&str> = match value.get("extends") {
            None => Vec::new(),
            Some(Value::String(path)) => vec![path],
            Some(Value::Array(paths)) => paths.iter().rev().filter_map(Value::as_str).collect(),
            Some(Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_)) => {
                return None;
            }
        };
        for parent in parents {
            // Settings from a package are not at hand; they could say anything.
            if !parent.starts_with('.') {
                return None;
            }
            self.read(project, &folder, parent, depth)?;
        }
        Some(())
    }
}

/// JSON with comments and trailing commas, nested no deeper than settings are.
fn parse(text: &str) -> Option<Value> {
    let depth = text
        .bytes()
        .filter(|byte| matches!(byte, b'{' | b'['))
        .count();
    if depth > 1000 || text.len() > 1 << 20 {
        return None;
    }
    jsonc_parser::parse_to_serde_value::<Value>(text, &ParseOptions::default()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::npm::testing::{pin, tree};
    use crate::workflow::script::{Script, split};

    fn check(files: &[(&str, &str)], command: &str, expect: &str) {
        let mut files = files.to_vec();
        files.push(("packages/a/package.json", "{}"));
        let tree = tree(&files);
        let project = Project::find(&tree, &pin(Some("packages/a"))).unwrap();
        let Script::Commands(commands) = split(command) else {
            panic!("{command} is compound");
        };
        let found = match writes(&project, commands.first().unwrap()) {
            Writes::Nothing => "nothing".to_owned(),
            Writes::Anywhere => "anywhere".to_owned(),
            Writes::Below(folders) => folders
                .iter()
                .map(ToString::to_string)
                .collect::<Vec<_>>()
                .join(" "),
        };
        assert_eq!(found, expect, "{command} {files:?}");
    }

    #[test]
    fn settings_are_followed_as_the_compiler_does() {
        let base = (
            "tsconfig.base.json",
            r#"{"compilerOptions":{"outDir":"out","noEmit":true}}"#,
        );
        let own = |text| ("packages/a/tsconfig.json", text);
        for (text, expect) in [
            (r#"{"compilerOptions":{"noEmit":true,}} // c"#, "nothing"),
            (r#"{"extends":"../../tsconfig.base.json"}"#, "nothing"),
            (
                r#"{"extends":"../../tsconfig.base","compilerOptions":{"noEmit":false}}"#,
                "out",
            ),
            (
                r#"{"extends":"../../tsconfig.base","compilerOptions":{"noEmit":false,"outDir":"./dist","declarationDir":"types"}}"#,
                "packages/a/dist packages/a/types",
            ),
            (
                r#"{"extends":"@tsconfig/node20/tsconfig.json","compilerOptions":{"noEmit":true}}"#,
                "nothing",
            ),
            (
                r#"{"extends":"@tsconfig/node20/tsconfig.json","compilerOptions":{"outDir":"dist"}}"#,
                "anywhere",
            ),
            (
                r#"{"compilerOptions":{"outDir":"dist","outFile":"src/x.js"}}"#,
                "anywhere",
            ),
            (r#"{"compilerOptions":{"outDir":"../../../x"}}"#, "anywhere"),
            (r#"{"extends":"./tsconfig.json"}"#, "anywhere"),
            ("{}", "anywhere"),
            ("{", "anywhere"),
        ] {
            check(&[base, own(text)], "tsc", expect);
        }
    }

    #[test]
    fn only_a_plain_call_of_the_compiler_is_believed() {
        let own = (
            "packages/a/tsconfig.json",
            r#"{"compilerOptions":{"noEmit":true}}"#,
        );
        let other = (
            "packages/a/tsconfig.build.json",
            r#"{"compilerOptions":{"outDir":"dist"}}"#,
        );
        for (command, expect) in [
            ("tsc", "nothing"),
            ("npx tsc --noEmit", "nothing"),
            ("tsc -p tsconfig.build.json", "packages/a/dist"),
            ("tsc -p tsconfig.build.json --noEmit", "nothing"),
            ("tsc --noEmit false", "anywhere"),
            ("tsc --outDir src", "anywhere"),
            ("tsc --build", "anywhere"),
            ("tsc | node x", "anywhere"),
            ("tsc > src/x.js", "anywhere"),
            ("node tsc", "anywhere"),
            ("./tsc", "anywhere"),
        ] {
            check(&[own, other], command, expect);
        }
    }
}
