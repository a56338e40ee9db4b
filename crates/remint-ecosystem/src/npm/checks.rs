//! Which scripts of a manifest only check: by their name, and by doing nothing but what is known to leave published files
//! alone. What is not known here is done again by a rebuild.

use std::collections::BTreeSet;

use crate::npm::lifecycle::build_script;
use crate::npm::manifest::Manifest;
use crate::npm::recipe::{Kind, classify, is_check, keeps_to_itself};
use crate::workflow::script::{Command, Script, split};

/// Whether a script is called a check and nothing of it, of what it calls and of what runs around it may make files. The
/// build script may be called: it is run anyway.
pub(crate) fn only_checks(manifest: &Manifest, name: &str) -> bool {
    if !is_check(name) {
        return false;
    }
    let build = build_script(manifest);
    let mut seen = BTreeSet::new();
    let mut called = vec![name.to_owned()];
    while let Some(name) = called.pop() {
        if build == Some(name.as_str()) || !seen.insert(name.clone()) {
            continue;
        }
        let around = [format!("pre{name}"), name.clone(), format!("post{name}")];
        for text in around.iter().filter_map(|name| manifest.script(name)) {
            let Script::Commands(commands) = split(text) else {
                return false;
            };
            if !commands
                .iter()
                .all(|command| is_known_to_check(manifest, command, &mut called))
            {
                return false;
            }
        }
    }
    true
}

/// Whether a command leaves published files alone; scripts that it calls are added to the list.
fn is_known_to_check(manifest: &Manifest, command: &Command, called: &mut Vec<String>) -> bool {
    match classify(command) {
        Kind::Script(name) if keeps_to_itself(command) => {
            called.push(name);
            true
        }
        Kind::Directory(_)
        | Kind::Install(_)
        | Kind::Tool(..)
        | Kind::Publish(_)
        | Kind::Nothing => true,
        Kind::Script(_) | Kind::Stamp => false,
        Kind::Other => {
            command.writes.is_empty()
                && command
                    .substitutions()
                    .is_some_and(|inside| inside.is_empty())
                && [&command.words]
                    .into_iter()
                    .chain(&command.beside)
                    .all(|words| checks(manifest, words, called))
        }
    }
}

fn checks(manifest: &Manifest, words: &[String], called: &mut Vec<String>) -> bool {
    const RUNNERS: [&str; 13] = [
        "npx",
        "bunx",
        "pnpx",
        "cross-env",
        "env",
        "dotenv",
        "dotenvx",
        "c8",
        "nyc",
        "time",
        "is-ci",
        "exec",
        "--",
    ];
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let words: Vec<&str> = words
        .iter()
        .skip_while(|word| RUNNERS.contains(word) || word.starts_with('-') || word.contains('='))
        .copied()
        .collect();
    let Some((program, rest)) = words.split_first() else {
        return true;
    };
    let named_checks = || {
        let mut named = rest.iter().filter(|word| {
            !word.starts_with('-') && !matches!(**word, "run" | "run-many" | "affected")
        });
        let mut any = false;
        named.all(|word| {
            any = true;
            word.split(',').all(is_check)
        }) && any
    };
    match *program {
        "tsc" | "vue-tsc" => compiles_aside(rest),
        "jsr" => rest.contains(&"--dry-run"),
        "node" | "tsx" | "ts-node" | "deno" | "bun" | "bash" | "sh" | "python" | "python3" => {
            runs_a_check(rest)
        }
        "turbo" | "nx" | "lerna" => named_checks(),
        "cargo" | "go" | "astro" | "react-scripts" | "gts" | "ng" => named_checks(),
        "run-s" | "run-p" | "npm-run-all" | "npm-run-all2" => rest
            .iter()
            .filter(|word| !word.starts_with('-'))
            .all(|name| call(manifest, name, called)),
        "concurrently" => rest
            .iter()
            .filter(|word| !word.starts_with('-'))
            .all(|word| {
                word.strip_prefix("npm:")
                    .is_some_and(|name| call(manifest, name, called))
            }),
        "rm" | "rimraf" => rest
            .iter()
            .all(|word| word.starts_with('-') || is_left_by_checks(word)),
        program => CHECKERS.contains(&program) && !fixes(rest),
    }
}

/// Programs that read the tree, or run its tests.
const CHECKERS: [&str; 44] = [
    "actionlint",
    "ava",
    "biome",
    "bundlesize",
    "commitlint",
    "cspell",
    "cypress",
    "depcheck",
    "dpdm",
    "eslint",
    "hadolint",
    "jasmine",
    "jest",
    "karma",
    "knip",
    "license-checker",
    "lint-staged",
    "madge",
    "markdownlint",
    "markdownlint-cli2",
    "mocha",
    "oxlint",
    "playwright",
    "prettier",
    "publint",
    "pytest",
    "semistandard",
    "shellcheck",
    "size-limit",
    "standard",
    "stryker",
    "stylelint",
    "svelte-check",
    "tap",
    "tape",
    "tsd",
    "ultracite",
    "uvu",
    "vitest",
    "web-test-runner",
    "wtr",
    "xo",
    "yamllint",
    "zizmor",
];

fn fixes(rest: &[&str]) -> bool {
    rest.iter().any(|word| {
        *word == "-w"
            || ["--fix", "--write", "--apply", "--unsafe", "--output", "-o"]
                .iter()
                .any(|option| word.starts_with(option))
    })
}

/// Takes up scripts by name, or all whose names begin so.
fn call(manifest: &Manifest, name: &str, called: &mut Vec<String>) -> bool {
    match name.split_once('*') {
        None => called.push(name.to_owned()),
        Some((beginning, _)) => {
            let scripts = manifest.object("scripts").into_iter().flatten();
            called.extend(
                scripts
                    .map(|(name, _)| name.clone())
                    .filter(|name| name.starts_with(beginning)),
            );
        }
    }
    true
}

/// Whether the compiler writes nothing, or what the build writes as well, or is told to compile tests.
fn compiles_aside(rest: &[&str]) -> bool {
    let project = rest
        .iter()
        .position(|word| matches!(*word, "-p" | "--project"))
        .map(|at| rest.get(at.saturating_add(1)).copied().unwrap_or_default());
    let aside = rest
        .iter()
        .any(|word| word.eq_ignore_ascii_case("--noEmit") || word.eq_ignore_ascii_case("-noEmit"));
    aside
        || (!rest
            .iter()
            .any(|word| word.to_ascii_lowercase().contains("out"))
            && project.is_none_or(|project| {
                matches!(project, "." | "./" | "tsconfig.json" | "./tsconfig.json")
                    || is_named_for_a_check(project)
            }))
}

/// Whether an interpreter runs tests by itself, or programs that are all named for a check.
fn runs_a_check(rest: &[&str]) -> bool {
    const ENDINGS: [&str; 8] = [".js", ".mjs", ".cjs", ".ts", ".mts", ".cts", ".py", ".sh"];
    let tests = match rest {
        ["-m", module, ..] => matches!(*module, "unittest" | "pytest"),
        ["test" | "lint" | "check", ..] => true,
        _ => rest.contains(&"--test"),
    };
    let inline = rest
        .iter()
        .any(|word| matches!(*word, "-e" | "--eval" | "-p" | "--print" | "-pe" | "-c"));
    let mut programs = rest
        .iter()
        .filter(|word| ENDINGS.iter().any(|ending| word.ends_with(ending)))
        .peekable();
    !inline
        && (tests || (programs.peek().is_some() && programs.all(|word| is_named_for_a_check(word))))
}

fn is_named_for_a_check(path: &str) -> bool {
    const CHECKS: [&str; 18] = [
        "audit",
        "ava",
        "bench",
        "c8",
        "coverage",
        "cypress",
        "e2e",
        "inspect",
        "jest",
        "knip",
        "mocha",
        "nyc",
        "playwright",
        "prettier",
        "size",
        "smoke",
        "tap",
        "tsc",
    ];
    const BEGINNINGS: [&str; 9] = [
        "test",
        "lint",
        "check",
        "verif",
        "valid",
        "spec",
        "typecheck",
        "vitest",
        "eslint",
    ];
    let path = path.to_ascii_lowercase();
    path.split(|c: char| !c.is_ascii_alphanumeric())
        .any(|part| {
            CHECKS.contains(&part)
                || BEGINNINGS
                    .iter()
                    .any(|beginning| part.starts_with(beginning))
        })
}

/// Folders in which checks leave reports.
fn is_left_by_checks(place: &str) -> bool {
    matches!(
        place.trim_start_matches("./").trim_end_matches('/'),
        "coverage"
            | ".nyc_output"
            | ".cache"
            | ".eslintcache"
            | "node_modules/.cache"
            | "playwright-report"
            | "reports"
            | "test-results"
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(scripts: &serde_json::Value, name: &str, expect: bool) {
        let text = json!({ "scripts": scripts }).to_string();
        let manifest = Manifest::parse("package.json", text.as_bytes()).unwrap();
        assert_eq!(only_checks(&manifest, name), expect, "{scripts}");
    }

    #[test]
    fn a_check_is_named_for_it_and_does_nothing_else() {
        for (script, expect) in [
            ("eslint .", true),
            ("tsc --noEmit", true),
            ("tsc", true),
            ("tsc -p tsconfig.test.json && node --test dist", true),
            ("npm run build && vitest run", true),
            ("node --test", true),
            ("node scripts/lint-docs.mjs", true),
            (
                "node --experimental-vm-modules node_modules/jest/bin/jest.js",
                true,
            ),
            ("python3 -m unittest tests", true),
            ("cross-env NODE_ENV=test jest --coverage", true),
            ("c8 mocha", true),
            ("rimraf coverage && jest", true),
            ("turbo run lint test", true),
            ("node --test | tap", true),
            ("npm pack --dry-run && publint", true),
            ("vitest run && jsr publish --dry-run --allow-dirty", true),
            ("jsr publish", false),
            ("node scripts/generate.js", false),
            ("node scripts/harden.js test.js", false),
            ("node -e \"require('./test')\"", false),
            ("eslint . && node scripts/generate.js", false),
            ("eslint . || node scripts/generate.js", false),
            ("eslint . --fix", false),
            ("prettier --write .", false),
            ("cp honest.js server.js", false),
            ("cp release/test.js server.js", false),
            ("sed -i s/a/b/ server.js", false),
            ("cat release/server.js > server.js", false),
            ("echo $(cp release/server.js server.js)", false),
            ("make dist", false),
            ("make test && make harden", false),
            ("npm version 1.0.0", false),
            ("tsc -p release", false),
            ("tsc --outDir .", false),
            ("turbo run harden", false),
            ("rm -rf dist && jest", false),
            ("if true; then cp a server.js; fi", false),
            ("an-unknown-program", false),
        ] {
            let scripts = json!({ "lint": script, "build": script });
            check(&scripts, "lint", expect);
            check(&scripts, "build", false);
        }
        check(&json!({}), "lint", true);
    }

    #[test]
    fn what_a_check_calls_and_what_runs_around_it_counts() {
        for (scripts, expect) in [
            (json!({ "test": "npm run unit", "unit": "vitest" }), true),
            (json!({ "test": "npm run x", "x": "cp a server.js" }), false),
            (
                json!({ "test": "jest", "pretest": "npm run build", "build": "tsup" }),
                true,
            ),
            (
                json!({ "test": "jest", "pretest": "cp a server.js" }),
                false,
            ),
            (
                json!({ "test": "jest", "posttest": "cp a server.js" }),
                false,
            ),
            (
                json!({ "test": "run-s test:*", "test:a": "jest", "test:b": "mocha" }),
                true,
            ),
            (
                json!({ "test": "run-s test:*", "test:a": "jest", "test:b": "cp a b" }),
                false,
            ),
            (
                json!({ "test": "concurrently npm:lint", "lint": "eslint ." }),
                true,
            ),
            (json!({ "test": "concurrently 'cp a b'" }), false),
            (json!({ "test": "npm run test" }), true),
        ] {
            check(&scripts, "test", expect);
        }
    }
}
