//! Packages among siblings.

use remint_model::{AssumptionKind, OnFailure};

use crate::project::{Project, lock as lock_words, steps};

const ROOT: (&str, &str) = (
    "package.json",
    r#"{"name":"root","private":true,"workspaces":["packages/*"],"scripts":{"build":"turbo run build"}}"#,
);
const PACKAGE: (&str, &str) = (
    "packages/a/package.json",
    r#"{"name":"a","version":"1.2.3","scripts":{"build":"tsup"},"dependencies":{"b":"^1.0.0"}}"#,
);
const SIBLING: (&str, &str) = (
    "packages/b/package.json",
    r#"{"name":"b","version":"1.0.0","scripts":{"build":"tsc"},"dependencies":{"c":"*"}}"#,
);
const UNBUILT: (&str, &str) = (
    "packages/c/package.json",
    r#"{"name":"c","version":"1.0.0"}"#,
);
const STRANGER: (&str, &str) = (
    "packages/d/package.json",
    r#"{"name":"d","version":"1.0.0","scripts":{"build":"tsc"}}"#,
);
const LOCK: (&str, &str) = ("package-lock.json", r#"{"lockfileVersion":1}"#);

#[test]
fn needed_siblings_are_built_first_and_others_are_not() {
    Project::new(&[ROOT, PACKAGE, SIBLING, UNBUILT, STRANGER, LOCK])
        .at("packages/a")
        .check(&[
            "install .: npm ci --ignore-scripts --no-audit --no-fund",
            "build packages/b: npm run build",
            "build packages/a: npm run build",
            "pack packages/a: npm pack --pack-destination /out",
        ]);
}

#[test]
fn a_build_of_the_whole_workspace_is_narrowed_first() {
    let workflow = (
        ".github/workflows/publish.yml",
        "on: {release: {}}
jobs:
  publish:
    steps:
      - run: npm ci
      - run: npm run build
      - run: npm publish -w packages/a
",
    );
    let project = Project::new(&[ROOT, PACKAGE, SIBLING, LOCK, workflow]).at("packages/a");
    project.check(&[
        "install .: npm ci --ignore-scripts --no-audit --no-fund",
        "build packages/b: npm run build",
        "build packages/a: npm run build",
        "pack packages/a: npm pack --pack-destination /out",
    ]);
    project.check_variants(&[
        "as inferred",
        "the whole workspace built",
        "lockfile behind its manifest",
        "built, then packed without scripts",
    ]);
}

#[test]
fn a_package_with_a_lockfile_of_its_own_stands_alone() {
    let lone = (
        "other/package.json",
        r#"{"name":"a","version":"1.2.3","scripts":{"build":"tsc"},"dependencies":{"b":"*"}}"#,
    );
    let lock = ("other/package-lock.json", r#"{"lockfileVersion":1}"#);
    Project::new(&[ROOT, SIBLING, LOCK, lone, lock])
        .at("other")
        .check(&[
            "install other: npm ci --ignore-scripts --no-audit --no-fund",
            "build other: npm run build",
            "pack other: npm pack --pack-destination /out",
        ]);
}

#[test]
fn hooks_that_prepare_a_build_run_and_others_do_not() {
    for (hook, expect) in [
        ("patch-package", true),
        ("husky", false),
        ("npx only-allow npm && patch-package", false),
        ("node scripts/telemetry.js", false),
    ] {
        let manifest = serde_json::json!({
            "name": "a",
            "version": "1.2.3",
            "scripts": { "postinstall": hook, "build": "tsc" },
            "dependencies": { "x": "1" },
        })
        .to_string();
        let plan = Project::new(&[("package.json", &manifest), LOCK]).best();
        let found = steps(&plan).contains(&"build? .: npm run postinstall".to_owned());
        assert_eq!(found, expect, "{hook}");
    }
}

#[test]
fn projects_that_the_build_steps_into_are_installed_too() {
    let manifest = (
        "package.json",
        r#"{"name":"a","version":"1.2.3","scripts":{"build":"cd web && npm run build && cd .. && tsc"},"dependencies":{"x":"1"}}"#,
    );
    let web = (
        "web/package.json",
        r#"{"name":"web","scripts":{"build":"vite build"},"dependencies":{"y":"1"}}"#,
    );
    let web_lock = ("web/yarn.lock", "y@1:\n  version \"1.0.0\"\n");
    let project = Project::new(&[manifest, LOCK, web, web_lock]);
    project.check(&[
        "install .: npm ci --ignore-scripts --no-audit --no-fund",
        "install web: yarn install --frozen-lockfile --ignore-scripts --non-interactive",
        "build .: npm run build",
        "pack .: npm pack --pack-destination /out",
    ]);
    let inputs: Vec<String> = project
        .best()
        .snapshot_inputs
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(
        inputs,
        [
            "package-lock.json",
            "package.json",
            "web/package.json",
            "web/yarn.lock"
        ]
    );
}

#[test]
fn where_members_have_lockfiles_of_their_own_all_of_them_count() {
    let manifest =
        |name: &str, more: &str| format!(r#"{{"name":"{name}","version":"1.2.3"{more}}}"#);
    let lock = |package: &str| {
        format!("lockfileVersion: '9.0'\npackages: {{{package}@1.0.0: {{resolution: {{}}}}}}\n")
    };
    let a = manifest(
        "a",
        r#","scripts":{"build":"tsc"},"dependencies":{"x":"1"}"#,
    );
    let (x, y) = (lock("x"), lock("y"));
    let project = |setting: &'static str| {
        Project::new(&[
            ("package.json", "{}"),
            ("pnpm-workspace.yaml", "packages: ['packages/*']"),
            (".npmrc", setting),
            ("pnpm-lock.yaml", "lockfileVersion: '9.0'\n"),
            ("packages/a/package.json", &a),
            ("packages/a/pnpm-lock.yaml", &x),
            ("packages/b/package.json", &manifest("b", "")),
            ("packages/b/pnpm-lock.yaml", &y),
        ])
        .at("packages/a")
        .best()
    };
    assert_eq!(lock_words(&project("hoist=true\n")), "0 of pnpm-lock.yaml");
    let own = project("shared-workspace-lockfile=false\n");
    assert_eq!(lock_words(&own), "2 of pnpm-lock.yaml");
    assert!(steps(&own)[0].ends_with("--filter a... --filter {.}"));
}

#[test]
fn what_the_tree_itself_brings_is_kept_for_no_other_build() {
    let manifest = |more: &str| {
        format!(
            r#"{{"name":"a","version":"1.2.3","scripts":{{"build":"tsc"}},"dependencies":{{"x":"1"{more}}}}}"#
        )
    };
    let check = |files: &[(&str, &str)], expect: bool| {
        let is_kept = !Project::new(files).best().snapshot_inputs.is_empty();
        assert_eq!(is_kept, expect, "{files:?}");
    };
    let plain = manifest("");
    check(&[("package.json", &plain), LOCK], true);
    check(
        &[
            ("package.json", &plain),
            LOCK,
            ("src/node_modules/is-number/index.js", "1"),
        ],
        false,
    );
    let local = manifest(r#","foo":"file:./foo""#);
    let foo = [("foo/package.json", "{}"), ("foo/index.js", "1")];
    let yarn = "x@1:\n  version \"1.0.0\"\n\"foo@file:./foo\":\n  version \"1.0.0\"\n";
    let pnpm = "lockfileVersion: '9.0'\nimporters:\n  .:\n    dependencies:\n      x: {specifier: '1', version: 1.0.0}\n      foo: {specifier: file:./foo, version: file:foo}\npackages:\n  x@1.0.0: {resolution: {}}\n  foo@file:foo: {resolution: {type: directory, directory: foo}}\n";
    let npm = |foo: &str| {
        format!(
            r#"{{"lockfileVersion":3,"packages":{{"":{{"dependencies":{{"x":"1","foo":"file:./foo"}}}},"node_modules/x":{{"version":"1.0.0"}},"node_modules/foo":{foo}}}}}"#
        )
    };
    let copied = npm(r#"{"version":"1.0.0","resolved":"file:foo"}"#);
    let linked = npm(r#"{"resolved":"foo","link":true}"#);
    for (lockfile, text, expect) in [
        ("yarn.lock", yarn, false),
        ("pnpm-lock.yaml", pnpm, false),
        ("package-lock.json", copied.as_str(), false),
        ("package-lock.json", linked.as_str(), true),
    ] {
        check(
            &[("package.json", &local), (lockfile, text), foo[0], foo[1]],
            expect,
        );
    }
}

#[test]
fn a_hook_that_may_rewrite_what_is_published_runs_and_is_in_doubt() {
    let manifest = (
        "package.json",
        r#"{"name":"a","version":"1.2.3","scripts":{"postinstall":"cp r/server.js server.js"},"dependencies":{"x":"1"}}"#,
    );
    let code = ("server.js", "x");
    let hook = "build? .: npm run postinstall".to_owned();
    let committed = Project::new(&[manifest, code, LOCK]).publishing_only(&[manifest, code]);
    for plan in committed.plans().unwrap() {
        assert!(steps(&plan).contains(&hook), "{}", plan.variant);
        let in_doubt = |step: &remint_model::Step| step.on_failure == OnFailure::GoesOnInDoubt;
        assert!(plan.steps.iter().any(in_doubt));
    }
    let built = ("server.js", "made");
    let plan = Project::new(&[manifest, code, LOCK])
        .publishing_only(&[manifest, built])
        .best();
    assert!(!steps(&plan).contains(&hook));
    assert!(plan.assumptions.iter().any(|made| {
        made.kind == AssumptionKind::ReleaseSteps && made.value == "left out: npm run postinstall"
    }));
}
