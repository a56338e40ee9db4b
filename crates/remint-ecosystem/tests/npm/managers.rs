//! Which package manager installs and packs, from which lockfile, with which settings.

use crate::project::{MOMENT, Project, lock, tools};
use remint_ecosystem::PlanError;
use remint_model::Worth;

const BUILDS: &str = r#"{"name":"a","version":"1.2.3","scripts":{"build":"tsc"},"devDependencies":{"typescript":"^5"}}"#;

const PACKAGE_LOCK: &str = r#"{"lockfileVersion":3,"packages":{"":{"devDependencies":{"typescript":"^5"}},"node_modules/typescript":{"version":"5.0.0"}}}"#;

const PNPM_LOCK: &str = "lockfileVersion: '9.0'
importers: {.: {devDependencies: {typescript: {specifier: ^5, version: 5.0.0}}}}
packages: {typescript@5.0.0: {resolution: {}}}
";

const YARN_LOCK: &str = "typescript@^5:\n  version \"5.0.0\"\n";

const BERRY_LOCK: &str = "__metadata:
  version: 8
\"typescript@npm:^5\":
  version: 5.0.0
  resolution: \"typescript@npm:5.0.0\"
";

const BUN_LOCK: &str = r#"{"lockfileVersion":1,"workspaces":{"":{"devDependencies":{"typescript":"^5"},},},"packages":{"typescript":["typescript@5.0.0","",{},""],},}"#;

#[test]
fn each_lockfile_names_its_manager() {
    for (file, text, install, run, allowed) in [
        (
            "package-lock.json",
            PACKAGE_LOCK,
            "npm ci --ignore-scripts --no-audit --no-fund",
            "npm run build",
            "1 of package-lock.json",
        ),
        (
            "pnpm-lock.yaml",
            PNPM_LOCK,
            "pnpm install --frozen-lockfile --ignore-scripts --ignore-pnpmfile",
            "pnpm run build",
            "1 of pnpm-lock.yaml",
        ),
        (
            "yarn.lock",
            YARN_LOCK,
            "yarn install --frozen-lockfile --ignore-scripts --non-interactive",
            "yarn run build",
            "1 of yarn.lock",
        ),
        (
            "yarn.lock",
            BERRY_LOCK,
            "yarn install --immutable --mode=skip-build",
            "yarn run build",
            "1 of yarn.lock",
        ),
        (
            "bun.lock",
            BUN_LOCK,
            "bun install --frozen-lockfile --ignore-scripts",
            "bun run build",
            "1 of bun.lock",
        ),
        (
            "bun.lockb",
            "\0",
            "bun install --frozen-lockfile --ignore-scripts",
            "bun run build",
            "whatever bun.lockb says",
        ),
    ] {
        let project = Project::new(&[("package.json", BUILDS), (file, text)]);
        project.check(&[
            &format!("install .: {install}"),
            &format!("build .: {run}"),
            "pack .: npm pack --pack-destination /out",
        ]);
        assert_eq!(lock(&project.best()), allowed);
    }
}

#[test]
fn without_a_lockfile_the_registry_of_that_day_is_asked() {
    let project = Project::new(&[("package.json", BUILDS)]);
    project.check(&[
        "install .: npm install --no-save --no-package-lock --ignore-scripts --no-audit --no-fund",
        "build .: npm run build",
        "pack .: npm pack --pack-destination /out",
    ]);
    assert_eq!(lock(&project.best()), "as of then");
}

#[test]
fn of_two_lockfiles_the_one_in_step_counts() {
    let behind = PACKAGE_LOCK.replace("^5", "^4");
    let project = Project::new(&[
        ("package.json", BUILDS),
        ("package-lock.json", &behind),
        ("pnpm-lock.yaml", PNPM_LOCK),
    ]);
    assert_eq!(lock(&project.best()), "1 of pnpm-lock.yaml");
    let project = Project::new(&[
        ("package.json", BUILDS),
        ("package-lock.json", PACKAGE_LOCK),
        ("pnpm-lock.yaml", PNPM_LOCK),
    ]);
    assert_eq!(lock(&project.best()), "1 of package-lock.json");
    let project = Project::new(&[("package.json", BUILDS), ("package-lock.json", &behind)]);
    assert_eq!(lock(&project.best()), "as of then");
}

#[test]
fn the_published_file_tells_who_packed_it() {
    let project = Project::new(&[
        ("package.json", BUILDS),
        ("package-lock.json", PACKAGE_LOCK),
    ])
    .packed_by_pnpm();
    project.check(&[
        "install .: npm ci --ignore-scripts --no-audit --no-fund",
        "build .: npm run build",
        "pack .: pnpm pack --pack-destination /out",
    ]);
    assert_eq!(tools(&project.best()), ["node 24", "npm ^11", "pnpm ^10"]);
}

#[test]
fn nothing_to_install_needs_no_install() {
    let manifest = r#"{"name":"a","version":"1.2.3"}"#;
    let project = Project::new(&[("package.json", manifest), ("index.js", "x")])
        .publishing_only(&[("package.json", manifest), ("index.js", "x")]);
    project.check(&["pack .: npm pack --pack-destination /out --ignore-scripts"]);
    assert_eq!(lock(&project.best()), "nothing");
}

#[test]
fn a_dependency_from_git_is_said_to_be_out_of_reach() {
    let text = PACKAGE_LOCK.replace(
        r#""version":"5.0.0""#,
        r#""version":"5.0.0","resolved":"git+ssh://git@github.com/o/t.git#0123""#,
    );
    let error = Project::new(&[("package.json", BUILDS), ("package-lock.json", &text)])
        .plans()
        .unwrap_err();
    assert!(matches!(&error, PlanError::Unsupported(reason) if reason.contains("git+ssh://")));
}

#[test]
fn an_unreadable_lockfile_or_manifest_is_no_absent_one() {
    for (manifest, text) in [(BUILDS, "{"), ("[]", PACKAGE_LOCK)] {
        let error = Project::new(&[("package.json", manifest), ("package-lock.json", text)])
            .plans()
            .unwrap_err();
        assert!(matches!(error, PlanError::Manifest(_)), "{text}");
    }
}

#[test]
fn settings_that_reach_out_are_edited() {
    let project = Project::new(&[
        ("package.json", BUILDS),
        ("package-lock.json", PACKAGE_LOCK),
        (
            ".npmrc",
            "registry=https://evil.example\nlegacy-peer-deps=true\n",
        ),
    ]);
    let plan = project.best();
    let edit = plan.edits.first().unwrap();
    assert_eq!(edit.path.as_str(), ".npmrc");
    assert_eq!(edit.content, b"legacy-peer-deps=true\n");
}

#[test]
fn the_path_in_published_source_maps_is_built_at() {
    let files = [
        ("package.json", BUILDS),
        ("package-lock.json", PACKAGE_LOCK),
        ("src/index.ts", ""),
    ];
    let project = Project::new(&files).built_at("/Users/me/code/a/src");
    assert_eq!(project.best().build_path, "/Users/me/code/a");
    let hostile = Project::new(&files).built_at("/usr/lib/src");
    assert_eq!(hostile.best().build_path, "/remint");
}

#[test]
fn a_release_long_after_its_commit_may_have_been_made_by_the_bun_of_that_time() {
    for (lockfile, text, days, expect) in [
        ("bun.lock", BUN_LOCK, 3, None),
        ("bun.lock", BUN_LOCK, 90, Some(MOMENT)),
        ("package-lock.json", PACKAGE_LOCK, 90, None),
    ] {
        let plans = Project::new(&[("package.json", BUILDS), (lockfile, text)])
            .published_after(days)
            .plans()
            .unwrap();
        let found = plans
            .iter()
            .find(|plan| plan.variant == "with the newest bun of the commit's time")
            .map(|plan| plan.tools.iter().find(|tool| tool.name == "bun").unwrap());
        assert_eq!(found.map(|tool| tool.as_of), expect.map(Some), "{lockfile}");
        if let Some(tool) = found {
            assert_eq!(tool.version.as_deref(), Some("latest"));
        }
    }
}

#[test]
fn a_plan_that_leaves_out_a_step_that_may_write_is_a_shortcut() {
    let worth = |scripts: &str| {
        let manifest = format!(r#"{{"name":"a","version":"1.2.3","scripts":{scripts}}}"#);
        Project::new(&[("package.json", &manifest)])
            .plans()
            .unwrap()
            .into_iter()
            .find(|plan| plan.variant == "built, then packed without scripts")
            .map(|plan| plan.worth)
    };
    let build = r#""build":"tsc","test":"vitest""#;
    for (more, expect) in [
        (r#""prepack":"node make.js""#, Worth::Shortcut),
        (r#""prepare":"husky && node make.js""#, Worth::Shortcut),
        (
            r#""prepack":"npm run build","preprepack":"node make.js""#,
            Worth::Shortcut,
        ),
        (
            r#""prepublishOnly":"npm run other","other":"node make.js""#,
            Worth::Shortcut,
        ),
        (r#""prepare":"npm run build""#, Worth::Always),
        (
            r#""prepublishOnly":"npm run test && npm run build","prepare":"husky""#,
            Worth::Always,
        ),
    ] {
        assert_eq!(
            worth(&format!("{{{build},{more}}}")),
            Some(expect),
            "{more}"
        );
    }
}
