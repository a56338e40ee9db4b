//! What GoReleaser gives the linker (its documentation, "Builds", "Name templates"): release configurations of most
//! published programs of Go. Its templates are filled in as far as the source decides; a template that asks for more
//! is told, not guessed. Nothing that a configuration runs is run.

use std::collections::BTreeMap;

use remint_model::{EntryPath, SourceTree};
use serde_json::Value;

use crate::yaml;

mod left_out;

/// Where the configuration lies, the likeliest first.
pub(super) const FILES: [&str; 6] = [
    ".goreleaser.yaml",
    ".goreleaser.yml",
    "goreleaser.yaml",
    "goreleaser.yml",
    ".config/goreleaser.yaml",
    ".config/goreleaser.yml",
];
/// What the linker is given where nothing else is said.
const USUAL: &str = "-s -w -X main.version={{.Version}} -X main.commit={{.Commit}} -X main.date={{.Date}} -X main.builtBy=goreleaser";
/// Nobody releases more programs of one repository.
const MOST_BUILDS: usize = 64;
/// Nor sets more variables.
const MOST_VARIABLES: usize = 64;
const LONGEST: usize = 8 << 10;

/// What templates are filled in with.
#[derive(Debug, Clone, Default)]
pub(super) struct Fields {
    /// By name: `Version`, `Commit`, …
    pub(super) values: BTreeMap<&'static str, String>,
    /// The moments that may be when the release was made.
    pub(super) dates: Vec<String>,
}

/// The flags of one build of a configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Stated {
    /// The file.
    pub(super) file: &'static str,
    /// The flags, filled in: more than one list where the source leaves the date open. An `Err` names the template that
    /// the source does not decide.
    pub(super) flags: Result<Vec<Filled>, String>,
}

/// Flags with nothing left open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Filled {
    /// As they follow `-ldflags=`.
    pub(super) text: String,
    /// The date that they hold and the source does not tell.
    pub(super) date: Option<String>,
}

/// A release configuration.
pub(super) struct Configuration {
    file: &'static str,
    document: Value,
}

impl Configuration {
    /// The one of the source, if it has one.
    pub(super) fn read(tree: &SourceTree) -> Result<Option<Self>, String> {
        let Some((file, text)) = FILES
            .into_iter()
            .find_map(|file| Some((file, tree.text(file)?)))
        else {
            return Ok(None);
        };
        let document =
            yaml::parse(text).map_err(|error| format!("`{file}` cannot be read: {error}"))?;
        Ok(Some(Self { file, document }))
    }

    /// What it gives the linker for the main package in this folder of the repository (`None` is its root); where no
    /// build of it names that folder, what it gives for all.
    pub(super) fn flags(&self, package: Option<&EntryPath>, fields: &Fields) -> Vec<Stated> {
        let mut all: Vec<Stated> = Vec::new();
        for build in self.builds_of(package) {
            let mut variables = BTreeMap::new();
            for section in [&self.document, build] {
                add_variables(section, fields, &mut variables);
            }
            let stated = Stated {
                file: self.file,
                flags: fill(&template(build), fields, &variables),
            };
            if !all.contains(&stated) {
                all.push(stated);
            }
        }
        all
    }

    fn builds_of(&self, package: Option<&EntryPath>) -> Vec<&Value> {
        let builds: Vec<&Value> = match self.document.get("builds") {
            Some(Value::Array(builds)) => builds.iter().take(MOST_BUILDS).collect(),
            _ => vec![&Value::Null],
        };
        let own: Vec<&Value> = builds
            .iter()
            .copied()
            .filter(|build| is_of(build, package))
            .collect();
        if own.is_empty() { builds } else { own }
    }
}

/// Whether a build is of the package in this folder. A `main` that names a file is of the folder that it lies in.
fn is_of(build: &Value, package: Option<&EntryPath>) -> bool {
    let text = |key| build.get(key).and_then(Value::as_str).unwrap_or(".");
    let joined = format!("{}/{}", text("dir"), text("main"));
    let mut parts: Vec<&str> = joined
        .split('/')
        .filter(|part| !matches!(*part, "" | "."))
        .collect();
    if parts.last().is_some_and(|last| last.ends_with(".go")) {
        parts.pop();
    }
    parts.join("/") == package.map_or("", EntryPath::as_str)
}

/// A text, or several with a space between them.
fn template(build: &Value) -> String {
    match build.get("ldflags") {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Array(lines)) => {
            let lines: Vec<&str> = lines.iter().filter_map(Value::as_str).collect();
            lines.join(" ")
        }
        _ => USUAL.to_owned(),
    }
}

/// The variables that a section of the configuration itself sets; those of a build count before those of all.
fn add_variables(section: &Value, fields: &Fields, variables: &mut BTreeMap<String, String>) {
    for line in lines_of(section).filter_map(Value::as_str) {
        if let Some((name, value)) = line.split_once('=')
            && let Ok((value, false)) = fill_once(value, fields, None, variables)
        {
            variables.insert(name.trim().to_owned(), value);
        }
    }
}

/// What stands for the variables of a section.
fn lines_of(section: &Value) -> impl Iterator<Item = &Value> {
    let lines = section.get("env").and_then(Value::as_array);
    lines.into_iter().flatten().take(MOST_VARIABLES)
}

fn fill(
    template: &str,
    fields: &Fields,
    variables: &BTreeMap<String, String>,
) -> Result<Vec<Filled>, String> {
    let (text, needs_date) = fill_once(template, fields, Some(""), variables)?;
    if !needs_date {
        return Ok(vec![Filled { text, date: None }]);
    }
    if fields.dates.is_empty() {
        return Err("{{.Date}}".to_owned());
    }
    fields
        .dates
        .iter()
        .map(|date| {
            let (text, _) = fill_once(template, fields, Some(date), variables)?;
            Ok(Filled {
                text,
                date: Some(date.clone()),
            })
        })
        .collect()
}

/// The text, and whether it holds the date of the release. An `Err` is the first template that is not known.
fn fill_once(
    template: &str,
    fields: &Fields,
    date: Option<&str>,
    variables: &BTreeMap<String, String>,
) -> Result<(String, bool), String> {
    // What is filled in can hold what was filled in before: each text is bounded, not only the templates.
    let bounded = |text: &str| match text.len() {
        0..=LONGEST => Ok(()),
        _ => Err("flags that are longer than any".to_owned()),
    };
    bounded(template)?;
    let mut text = String::new();
    let mut needs_date = false;
    let mut rest = template;
    while let Some((before, after)) = rest.split_once("{{") {
        let (inside, after) = after.split_once("}}").unwrap_or((after, ""));
        let name = inside.trim();
        text.push_str(before);
        rest = after;
        let known = match name.strip_prefix('.') {
            Some("Date") => {
                needs_date = true;
                date.map(str::to_owned)
            }
            Some(field) => match field.strip_prefix("Env.") {
                Some(variable) => variables.get(variable).cloned(),
                None => fields.values.get(field).cloned(),
            },
            None => None,
        };
        match known {
            Some(value) => {
                text.push_str(&value);
                bounded(&text)?;
            }
            None => {
                return Err(format!(
                    "{{{{{}}}}}",
                    inside.chars().take(60).collect::<String>()
                ));
            }
        }
    }
    text.push_str(rest);
    bounded(&text)?;
    Ok((text, needs_date))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn fields() -> Fields {
        Fields {
            values: BTreeMap::from([
                ("Version", "1.0.0".to_owned()),
                ("Tag", "v1.0.0".to_owned()),
                ("Commit", "9c2b0ed".to_owned()),
            ]),
            dates: vec!["2026-05-28T20:30:00Z".to_owned()],
        }
    }

    fn read(text: &str) -> Result<Configuration, String> {
        let mut tree = SourceTree::default();
        tree.texts
            .insert(".goreleaser.yaml".parse().unwrap(), text.into());
        Configuration::read(&tree).map(Option::unwrap)
    }

    fn check(text: &str, package: &str, expect: &[Result<&str, &str>]) {
        let package = package.parse().ok();
        let found = read(text).unwrap().flags(package.as_ref(), &fields());
        let found: Vec<Result<String, String>> = found
            .into_iter()
            .map(|stated| stated.flags.map(|filled| filled[0].text.clone()))
            .collect();
        let expect: Vec<Result<String, String>> = expect
            .iter()
            .map(|one| match one {
                Ok(text) => Ok((*text).to_owned()),
                Err(text) => Err((*text).to_owned()),
            })
            .collect();
        assert_eq!(found, expect, "{text}");
    }

    #[test]
    fn flags_are_filled_in_as_far_as_the_source_decides() {
        check(
            "builds:\n- ldflags:\n  - -s -w\n  - -X main.v={{ .Version }} -X main.c={{.Commit}}\n",
            "",
            &[Ok("-s -w -X main.v=1.0.0 -X main.c=9c2b0ed")],
        );
        check(
            "builds:\n- ldflags: -X main.v={{.Tag}}\n",
            "",
            &[Ok("-X main.v=v1.0.0")],
        );
        check(
            "version: 2\n",
            "",
            &[Ok(
                "-s -w -X main.version=1.0.0 -X main.commit=9c2b0ed -X main.date=2026-05-28T20:30:00Z -X main.builtBy=goreleaser",
            )],
        );
        check(
            "env:\n- PKG=example.org/{{.Tag}}\nbuilds:\n- ldflags: -X {{ .Env.PKG }}.v=1\n",
            "",
            &[Ok("-X example.org/v1.0.0.v=1")],
        );
        check(
            "env: [A=all, B=all]\nbuilds:\n- {env: ['B={{.Env.A}}-own'], ldflags: '-X main.v={{.Env.A}}{{.Env.B}}'}\n",
            "",
            &[Ok("-X main.v=allall-own")],
        );
        for unknown in [
            "{{.Env.SECRET}}",
            "{{.Version | upper}}",
            "{{if .IsSnapshot}}",
            "{{.Branch",
        ] {
            let text = format!("builds:\n- ldflags: '-X main.v={unknown}'\n");
            let inside = unknown.trim_start_matches("{{").trim_end_matches("}}");
            check(&text, "", &[Err(&format!("{{{{{inside}}}}}"))]);
        }
    }

    #[test]
    fn the_build_of_the_package_counts_or_else_all() {
        let text = "builds:\n- {main: ./cmd/one, ldflags: -s}\n- {dir: cmd/two, ldflags: -w}\n- {main: cmd/three/main.go, ldflags: -s -w}\n";
        check(text, "cmd/one", &[Ok("-s")]);
        check(text, "cmd/two", &[Ok("-w")]);
        check(text, "cmd/three", &[Ok("-s -w")]);
        check(text, "cmd/four", &[Ok("-s"), Ok("-w"), Ok("-s -w")]);
    }

    #[test]
    fn what_refers_to_what_was_filled_in_does_not_grow_without_a_bound() {
        let doubled = |times: usize| {
            let lines: Vec<String> = (1..=times)
                .map(|n| format!("- V{n}={0}{0}\n", format_args!("{{{{.Env.V{}}}}}", n - 1)))
                .collect();
            [
                "env:\n- V0=0123456789abcdef\n",
                &lines.concat(),
                &format!("builds:\n- ldflags: -X main.v={{{{.Env.V{times}}}}}\n"),
            ]
            .concat()
        };
        let four = format!("-X main.v={}", "0123456789abcdef".repeat(4));
        check(&doubled(2), "", &[Ok(&four)]);
        check(&doubled(60), "", &[Err("{{.Env.V60}}")]);
        check(&doubled(2000), "", &[Err("{{.Env.V2000}}")]);
    }

    #[test]
    fn a_date_that_nothing_tells_leaves_the_flags_open() {
        let none = Fields {
            dates: Vec::new(),
            ..fields()
        };
        let found = read("version: 2\n").unwrap().flags(None, &none);
        assert_eq!(found[0].flags, Err("{{.Date}}".to_owned()));
        assert!(matches!(
            Configuration::read(&SourceTree::default()),
            Ok(None)
        ));
        assert!(read("builds: [\n").is_err());
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "(builds|env|ldflags|main|dir|:|-| |\n|\\{\\{|\\}\\}|\\.Date|\\.Env\\.X|é){0,30}") {
            if let Ok(configuration) = read(&text) {
                drop(configuration.flags(None, &fields()));
            }
            drop(fill(&text, &fields(), &BTreeMap::new()));
        }
    }
}
