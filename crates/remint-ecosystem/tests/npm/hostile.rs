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

/// Each calls the next one many times over: followed call by call, this would not end.
#[test]
fn scripts_and_settings_that_call_each_other_are_read_once() {
    let scripts: serde_json::Map<_, _> = (0..12)
        .map(|at| {
            let next = format!("npm run s{} && ", (at + 1) % 12).repeat(200);
            (format!("s{at}"), format!("{next}echo").into())
        })
        .chain(
            ["prepare", "prepack", "prepublishOnly", "release"]
                .map(|name| (name.to_owned(), "npm run s0".into())),
        )
        .chain([("build".to_owned(), "tsc".into())])
        .collect();
    let manifest = serde_json::json!({"name": "a", "version": "1.2.3", "scripts": scripts});
    let workflow = "on: push\njobs: {x: {steps: [{run: npm run s0}, {run: npm run release}, {run: npm publish}]}}";
    let settings: Vec<(String, String)> = (0..7)
        .map(|at| {
            let name = |at: usize| match at {
                0 => "tsconfig.json".to_owned(),
                at => format!("tsconfig.{at}.json"),
            };
            let parents: Vec<String> = vec![format!("./{}", name(at + 1)); 200];
            (
                name(at),
                serde_json::json!({"extends": parents}).to_string(),
            )
        })
        .chain([("tsconfig.7.json".to_owned(), "{}".to_owned())])
        .collect();
    let manifest = manifest.to_string();
    let mut files = vec![
        ("package.json", manifest.as_str()),
        (".github/workflows/publish.yml", workflow),
    ];
    files.extend(
        settings
            .iter()
            .map(|(name, text)| (name.as_str(), text.as_str())),
    );
    assert!(!Project::new(&files).plans().unwrap().is_empty());
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
