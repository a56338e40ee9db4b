//! Whatever a project holds, planning ends with plans or a reason, and never names a path outside of the tree.

use proptest::prelude::*;

use crate::project::Project;

/// Text that looks like shell, paths and expressions often enough to get somewhere.
fn text() -> impl Strategy<Value = String> {
    prop::collection::vec(
        prop_oneof![
            Just("cd ".to_owned()),
            Just("../".to_owned()),
            Just("npm run ".to_owned()),
            Just("npm publish".to_owned()),
            Just(" && ".to_owned()),
            Just("${{ ".to_owned()),
            Just(" }}".to_owned()),
            Just("$(".to_owned()),
            Just("'".to_owned()),
            Just("\n".to_owned()),
            Just("build".to_owned()),
            Just("--prefix ".to_owned()),
            "\\PC{0,6}",
        ],
        0..12,
    )
    .prop_map(|parts| parts.concat())
}

proptest! {
    #[test]
    fn scripts_and_workflows_of_any_text_are_planned_or_refused(
        build in text(),
        prepare in text(),
        run in text(),
        directory in text(),
        version in text(),
    ) {
        let manifest = serde_json::json!({
            "name": "a",
            "version": "1.2.3",
            "packageManager": version,
            "engines": { "node": version },
            "workspaces": [directory],
            "bin": directory,
            "scripts": { "build": build, "prepare": prepare, "prepublishOnly": build },
            "dependencies": { "x": version },
        })
        .to_string();
        let workflow = serde_json::json!({
            "on": "push",
            "jobs": { "publish": { "steps": [
                { "run": run, "working-directory": directory },
                { "uses": "actions/setup-node@v4", "with": { "node-version": version } },
                { "run": build },
                { "run": "npm publish" },
            ] } },
        })
        .to_string();
        let project = Project::new(&[
            ("package.json", &manifest),
            (".github/workflows/publish.yml", &workflow),
            (".npmrc", &run),
            (".nvmrc", &version),
            ("tsconfig.json", &build),
        ])
        .built_at(&directory)
        .stamped("0.0.0");
        for plan in project.plans().unwrap_or_default() {
            let place = plan.build_path.as_str();
            prop_assert!(place == "/remint" || place.starts_with("/home/") || place.starts_with("/Users/"), "{place}");
        }
    }

    #[test]
    fn manifests_and_lockfiles_of_any_text_are_planned_or_refused(
        manifest in "\\PC{0,60}",
        lock in "\\PC{0,60}",
    ) {
        for file in ["package-lock.json", "pnpm-lock.yaml", "yarn.lock", "bun.lock", "pnpm-workspace.yaml"] {
            drop(Project::new(&[("package.json", &manifest), (file, &lock)]).plans());
            drop(Project::new(&[("package.json", "{}"), (file, &lock)]).plans());
        }
    }
}
