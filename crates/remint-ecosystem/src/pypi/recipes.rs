//! Recipes of makefiles, justfiles and taskfiles, as far as a rebuild needs them: what `make build` stands for. No
//! variables, patterns or conditions; a line that has some is left out.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::yaml;

/// Prerequisites are followed so deep.
const DEEPEST: usize = 6;
/// No release takes more commands, or more targets.
const MOST: usize = 200;

/// Where the recipes of a program lie, each with its reader.
pub(crate) fn files(program: &str) -> &'static [(&'static str, Reader)] {
    match program {
        "make" => &[
            ("Makefile", lined),
            ("makefile", lined),
            ("GNUmakefile", lined),
        ],
        "just" => &[
            ("justfile", lined),
            ("Justfile", lined),
            (".justfile", lined),
        ],
        "task" => &[("Taskfile.yml", taskfile), ("Taskfile.yaml", taskfile)],
        _ => &[],
    }
}

/// Gives the commands of a target and of what it needs, in order; none where there is no such target.
pub(crate) type Reader = fn(&str, &str) -> Vec<String>;

/// Reads a makefile or justfile.
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
    let line = line.replace("$$", "\u{0}");
    // What is left of a dollar sign, and braces in pairs, are variables of the recipe's own language.
    let open = line.contains('$') || line.contains("{{");
    if line.is_empty() || line.starts_with('#') || open || found.len() >= MOST {
        return;
    }
    found.push(line.replace('\u{0}', "$"));
}

/// Reads a taskfile (go-task).
fn taskfile(text: &str, target: &str) -> Vec<String> {
    let mut found = Vec::new();
    if let Ok(document) = yaml::parse(text) {
        let mut left = MOST;
        tasks(&document, target, DEEPEST, &mut left, &mut found);
    }
    found
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
            Value::String(text) => push(&text.replace('$', "$$"), found),
            Value::Object(fields) => {
                if let Some(name) = fields.get("task").and_then(Value::as_str) {
                    tasks(document, name, deeper, left, found);
                } else if let Some(text) = fields.get("cmd").and_then(Value::as_str)
                    && !std::ptr::eq(command, task)
                {
                    push(&text.replace('$', "$$"), found);
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
        assert_eq!(reader(text, target), expect, "{target}");
    }

    #[test]
    fn a_target_stands_for_its_commands_and_those_it_needs() {
        let makefile = ".PHONY: build\nPYTHON := python\nclean: ## Clean\n\trm -rf dist\n\nbuild: clean ui # all\n\t@uv run gen.py && \\\n\t  echo $$HOME\n\t$(PYTHON) x.py\n\nui: build\n\tnpm ci\ntest:\n\tpytest\n";
        check(
            "make",
            makefile,
            "build",
            &["rm -rf dist", "npm ci", "uv run gen.py &&  \t  echo $HOME"],
        );
        check("make", makefile, "release", &[]);
        let justfile = "default:\n    @just --list\n\nbuild: ui\n    uv build\nui:\n    cd ui && npm ci\n    echo {{x}}\n";
        check("just", justfile, "build", &["cd ui && npm ci", "uv build"]);
    }

    #[test]
    fn tasks_stand_for_their_commands_and_dependencies() {
        let taskfile = "version: 3\ntasks:\n  build:\n    deps: [ui]\n    cmds:\n      - uv build\n      - task: sign\n      - cmd: echo {{.X}}\n  ui: (cd ui && pnpm build)\n  sign:\n    cmd: echo $X\n  loop:\n    cmds: [{task: loop}, a]\n";
        check(
            "task",
            taskfile,
            "build",
            &["(cd ui && pnpm build)", "uv build", "echo $X"],
        );
        check("task", taskfile, "ui", &["(cd ui && pnpm build)"]);
        check("task", taskfile, "loop", &["a", "a", "a", "a", "a", "a"]);
        check("task", "[", "build", &[]);
    }
}
