//! Recipes of makefiles, justfiles and taskfiles, as far as a rebuild needs them: what `make build` stands for. No
//! patterns or conditions, and of variables only those that the same file gives a plain value.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::yaml;

/// Prerequisites are followed so deep.
const DEEPEST: usize = 6;
/// No release takes more commands, or more targets.
const MOST: usize = 200;
/// No line of a recipe is longer, with its variables filled in.
const LONGEST: usize = 64 * 1024;
/// Variables that name variables.
const DEEPEST_VALUE: usize = 4;
/// Stands in a command where a value is not known.
pub(crate) const UNKNOWN: &str = "REMINT_UNKNOWN_VALUE";

/// Where the recipes of a program lie, each with its reader.
pub(crate) fn files(program: &str) -> &'static [(&'static str, Reader)] {
    match program {
        "make" => &[
            ("Makefile", makefile),
            ("makefile", makefile),
            ("GNUmakefile", makefile),
        ],
        "just" => &[
            ("justfile", justfile),
            ("Justfile", justfile),
            (".justfile", justfile),
        ],
        "task" => &[("Taskfile.yml", taskfile), ("Taskfile.yaml", taskfile)],
        _ => &[],
    }
}

/// Gives the commands of a target and of what it needs, in order; none where there is no such target. Last, the variables
/// that whoever calls it gives a value of their own.
pub(crate) type Reader = fn(&str, &str, &[&str]) -> Vec<String>;

/// Reads a makefile.
fn makefile(text: &str, target: &str, given: &[&str]) -> Vec<String> {
    let variables = Variables {
        values: assigned(text, given),
        opened_by: &[("$(", ")"), ("${", "}"), ("$", "")],
    };
    let lines = lined(text, target);
    let literal = |line: String| line.replace("$$", "\u{0}");
    let filled = |line: String| variables.fill(&literal(line)).replace('\u{0}', "$");
    lines.into_iter().map(filled).collect()
}

/// Reads a justfile.
fn justfile(text: &str, target: &str, given: &[&str]) -> Vec<String> {
    let variables = Variables {
        values: assigned(text, given),
        opened_by: &[("{{", "}}")],
    };
    let lines = lined(text, target);
    lines.iter().map(|line| variables.fill(line)).collect()
}

/// The plain values that variables of a makefile or justfile are given. What is assigned twice has none, or below a
/// condition, or from outside; nor has anything where other files may have a say.
fn assigned<'a>(text: &'a str, given: &[&'a str]) -> BTreeMap<&'a str, Option<&'a str>> {
    const ELSEWHERE: [&str; 9] = [
        "-include", "define", "export", "import", "include", "mod", "override", "set", "sinclude",
    ];
    let mut values = BTreeMap::from([("MAKE", Some("make"))]);
    values.extend(given.iter().map(|name| (*name, None)));
    for line in text.lines() {
        let first = line.split_whitespace().next().unwrap_or_default();
        if ELSEWHERE.contains(&first.trim_end_matches('?')) || line.contains("$(eval") {
            return BTreeMap::new();
        }
        let Some((name, value)) = line.split_once('=') else {
            continue;
        };
        let name = name.trim_end_matches([':', '?', '+', '!', ' ', '\t']);
        let name = name.rsplit([' ', '\t']).next().unwrap_or(name);
        let value = value.split(" #").next().unwrap_or("").trim();
        let value = value.trim_matches(['"', '\'']);
        let once = line.starts_with(name) && !values.contains_key(name);
        values.insert(name, once.then_some(value));
    }
    values
}

/// The variables of a file of recipes.
struct Variables<'a> {
    values: BTreeMap<&'a str, Option<&'a str>>,
    /// What stands before and behind their names.
    opened_by: &'static [(&'static str, &'static str)],
}

impl Variables<'_> {
    /// The text with its variables filled in, and a sign where the value of one is not known.
    fn fill(&self, text: &str) -> String {
        let mut filled = text.to_owned();
        for _ in 0..DEEPEST_VALUE {
            let next = self.once(&filled, |name| {
                let value = self.values.get(name).copied().flatten();
                value.unwrap_or(UNKNOWN).to_owned()
            });
            if next == filled || next.len() > LONGEST {
                break;
            }
            filled = next;
        }
        self.once(&filled, |_| UNKNOWN.to_owned())
    }

    fn once(&self, text: &str, value: impl Fn(&str) -> String) -> String {
        let mut filled = String::with_capacity(text.len());
        let mut rest = text;
        let next = |rest: &str| {
            let found = self
                .opened_by
                .iter()
                .filter_map(|(open, close)| Some((rest.find(open)?, *open, *close)));
            found.min_by_key(|(at, open, _)| (*at, std::cmp::Reverse(open.len())))
        };
        while let Some((at, open, close)) = next(rest) {
            let (before, after) = rest.split_at(at);
            filled.push_str(before);
            let after = after.get(open.len()..).unwrap_or_default();
            // A letter alone, as in `$@`.
            let alone = after
                .char_indices()
                .nth(1)
                .map_or(after.len(), |(at, _)| at);
            let (name, behind) = if close.is_empty() {
                after.split_at(alone)
            } else {
                after.split_once(close).unwrap_or((after, ""))
            };
            filled.push_str(&value(name.trim()));
            rest = behind;
        }
        filled.push_str(rest);
        filled
    }
}

/// The lines of a target of a makefile or justfile, and of what it needs.
fn lined(text: &str, target: &str) -> Vec<String> {
    let mut found = Vec::new();
    let joined = text.replace("\\\n", " ");
    rules(&joined, target, DEEPEST, &mut BTreeSet::new(), &mut found);
    found
}

fn rules(
    text: &str,
    target: &str,
    depth: usize,
    visited: &mut BTreeSet<String>,
    found: &mut Vec<String>,
) {
    let Some(deeper) = depth.checked_sub(1) else {
        return;
    };
    if visited.len() >= MOST || !visited.insert(target.to_owned()) {
        return;
    }
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        let Some((targets, rest)) = rule(line) else {
            continue;
        };
        if !targets.split_whitespace().any(|name| name == target) {
            continue;
        }
        let (needed, inline) = rest.split_once(';').unwrap_or((rest, ""));
        for needed in needed.split('#').next().unwrap_or("").split_whitespace() {
            rules(text, needed, deeper, visited, found);
        }
        push(inline, found);
        let belongs = |line: &&str| line.starts_with(['\t', ' ']) || line.trim().is_empty();
        while let Some(recipe) = lines.next_if(belongs) {
            push(recipe, found);
        }
    }
}

/// `targets: prerequisites`, which is neither an assignment nor a recipe.
fn rule(line: &str) -> Option<(&str, &str)> {
    if line.starts_with(['\t', ' ', '#', '.']) {
        return None;
    }
    let (targets, rest) = line.split_once(':')?;
    (!rest.starts_with('=') && !targets.contains('='))
        .then_some((targets.trim_start_matches('@'), rest))
}

fn push(line: &str, found: &mut Vec<String>) {
    let line = line.trim().trim_start_matches(['@', '-', '+']).trim();
    if !line.is_empty() && !line.starts_with('#') && found.len() < MOST {
        found.push(line.to_owned());
    }
}

/// Reads a taskfile (go-task).
fn taskfile(text: &str, target: &str, _given: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    let Ok(document) = yaml::parse(text) else {
        return found;
    };
    let mut left = MOST;
    tasks(&document, target, DEEPEST, &mut left, &mut found);
    // Some of its variables are given by whoever calls a task, so that none has one value.
    let variables = Variables {
        values: BTreeMap::new(),
        opened_by: &[("{{", "}}")],
    };
    found.iter().map(|line| variables.fill(line)).collect()
}

fn tasks(document: &Value, target: &str, depth: usize, left: &mut usize, found: &mut Vec<String>) {
    let (Some(deeper), Some(fewer)) = (depth.checked_sub(1), left.checked_sub(1)) else {
        return;
    };
    *left = fewer;
    let Some(task) = document.get("tasks").and_then(|tasks| tasks.get(target)) else {
        return;
    };
    let list = |key: &str| {
        task.get(key)
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
    };
    for needed in list("deps") {
        if let Some(name) = needed.as_str().or_else(|| needed.get("task")?.as_str()) {
            tasks(document, name, deeper, left, found);
        }
    }
    let alone = [task, task.get("cmd").unwrap_or(&Value::Null)];
    for command in alone.into_iter().chain(list("cmds")) {
        match command {
            Value::String(text) => push(text, found),
            Value::Object(fields) => {
                if let Some(name) = fields.get("task").and_then(Value::as_str) {
                    tasks(document, name, deeper, left, found);
                } else if let Some(text) = fields.get("cmd").and_then(Value::as_str)
                    && !std::ptr::eq(command, task)
                {
                    push(text, found);
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(program: &str, text: &str, target: &str, expect: &[&str]) {
        let (_, reader) = files(program).first().unwrap();
        assert_eq!(reader(text, target, &["GIVEN"]), expect, "{target}");
    }

    #[test]
    fn a_target_stands_for_its_commands_and_those_it_needs() {
        let makefile = ".PHONY: build\nPYTHON := python\nBASE=dist\nOUT ?= $(BASE)\nclean: ## Clean\n\trm -rf dist\n\nbuild: clean ui # all\n\t@uv run gen.py && \\\n\t  echo $$HOME\n\t$(PYTHON) x.py --to=${OUT} $@ $(shell date)\n\nui: build\n\tnpm ci\n\t$(MAKE) test\ntest:\n\tpytest\n";
        check(
            "make",
            makefile,
            "build",
            &[
                "rm -rf dist",
                "npm ci",
                "make test",
                "uv run gen.py &&  \t  echo $HOME",
                "python x.py --to=dist REMINT_UNKNOWN_VALUE REMINT_UNKNOWN_VALUE",
            ],
        );
        check("make", makefile, "release", &[]);
        for unclear in [
            "X=a\nifdef Y\n  X = b\nendif\n",
            "X=a\nt: X=b\n",
            "X=a\ninclude more.mk\n",
            "-include more.mk\nX ?= a\n",
            "X=a\n$(eval X=b)\n",
            "GIVEN=a\nX=$(GIVEN)\n",
            "",
        ] {
            let text = format!("{unclear}\nu:\n\techo $(X)\n");
            check("make", &text, "u", &["echo REMINT_UNKNOWN_VALUE"]);
        }
        check("make", "X=a\nu:\n\techo $(X)\n", "u", &["echo a"]);
        // Which of two values it has depends on more than the text.
        check(
            "make",
            "X=a\nX=b\nY=$(Y)\nt:\n\techo $X$(Y)$",
            "t",
            &["echo REMINT_UNKNOWN_VALUEREMINT_UNKNOWN_VALUEREMINT_UNKNOWN_VALUE"],
        );
        let justfile = "y := 'z'\ndefault:\n    @just --list\n\nbuild: ui\n    uv build\nui:\n    cd ui && npm ci\n    echo $HOME {{x}} {{ y }}\n";
        check(
            "just",
            justfile,
            "build",
            &[
                "cd ui && npm ci",
                "echo $HOME REMINT_UNKNOWN_VALUE z",
                "uv build",
            ],
        );
    }

    #[test]
    fn tasks_stand_for_their_commands_and_dependencies() {
        let taskfile = "version: 3\ntasks:\n  build:\n    deps: [ui]\n    cmds:\n      - uv build\n      - task: sign\n      - cmd: echo {{.X}}\n  ui: (cd ui && pnpm build)\n  sign:\n    cmd: echo $X\n  loop:\n    cmds: [{task: loop}, a]\n";
        check(
            "task",
            taskfile,
            "build",
            &[
                "(cd ui && pnpm build)",
                "uv build",
                "echo $X",
                "echo REMINT_UNKNOWN_VALUE",
            ],
        );
        check("task", taskfile, "ui", &["(cd ui && pnpm build)"]);
        check("task", taskfile, "loop", &["a", "a", "a", "a", "a", "a"]);
        check("task", "[", "build", &[]);
    }
}
