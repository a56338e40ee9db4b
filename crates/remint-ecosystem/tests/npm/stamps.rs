//! Versions that the source does not carry, and what release tooling leaves behind.

use crate::project::{Project, steps};
use remint_model::{AssumptionKind, CloneShape};

const MANIFEST: &str = "{\n  \"name\": \"a\",\n  \"version\": \"0.0.0\",\n  \"scripts\": {\n    \"build\": \"tsc\"\n  }\n}\n";

#[test]
fn a_stamp_is_an_edit_of_the_version_alone_and_an_assumption() {
    let plan = Project::new(&[("package.json", MANIFEST)])
        .stamped("0.0.0")
        .best();
    let edit = plan.edits.first().unwrap();
    assert_eq!(edit.path.as_str(), "package.json");
    assert_eq!(edit.content, MANIFEST.replace("0.0.0", "1.2.3").as_bytes());
    let assumption = plan.assumptions.first().unwrap();
    assert_eq!(assumption.kind, AssumptionKind::VersionStamp);
    assert_eq!(assumption.value, "1.2.3");
    assert_eq!(assumption.from, "tag v1.2.3");
}

#[test]
fn without_need_nothing_is_stamped() {
    let plan = Project::new(&[("package.json", &MANIFEST.replace("0.0.0", "1.2.3"))]).best();
    assert_eq!(plan.edits, []);
}

#[test]
fn a_release_tool_that_runs_after_the_build_stamps_after_the_build() {
    let workflow = "on: push
jobs:
  release:
    steps:
      - run: npm ci
      - run: npm run build
      - run: npx semantic-release
        env: {NPM_TOKEN: '${{ secrets.NPM_TOKEN }}'}
";
    let project = Project::new(&[
        ("package.json", MANIFEST),
        (".github/workflows/release.yml", workflow),
    ])
    .stamped("0.0.0");
    project.check(&[
        "build .: npm run build",
        "build? .: npm version 1.2.3 --no-git-tag-version --allow-same-version",
        "pack .: npm pack --pack-destination /out",
    ]);
    project.check_variants(&[
        "as inferred",
        "version written at another moment",
        "by the manifest's scripts alone",
        "built, then packed without scripts",
    ]);
}

#[test]
fn files_named_for_the_version_are_a_later_try() {
    for (content, expect) in [
        ("const version = '0.0.0';", Some("const version = '1.2.3';")),
        ("const v = '0.0.0';", Some("const v = '1.2.3';")),
        // Not the version that the manifest states, so it may be that of anything.
        ("exports.oldestTrustedPeer = \"2.5.0\";", None),
        ("[\"0.1.0\", \"0.2.0\"]", None),
        ("export default 'unknown';", None),
    ] {
        let project = Project::new(&[("package.json", MANIFEST), ("src/version.ts", content)])
            .stamped("0.0.0");
        let plans = project.plans().unwrap();
        let edited = |variant: &str| {
            let plan = plans.iter().find(|plan| plan.variant == variant)?;
            let edit = plan
                .edits
                .iter()
                .find(|edit| edit.path.as_str() == "src/version.ts")?;
            Some(String::from_utf8(edit.content.clone()).unwrap())
        };
        assert_eq!(edited("as inferred"), None, "{content}");
        let found = edited("version written into version files as well");
        assert_eq!(found.as_deref(), expect, "{content}");
    }
}

#[test]
fn a_workflow_that_tells_releases_from_dispatches_writes_the_version_of_the_release() {
    let workflow = "on:
  release:
    types: [published]
  workflow_dispatch:
jobs:
  release:
    steps:
      - run: |
          if [ \"${{ github.event_name }}\" == \"workflow_dispatch\" ]; then
            VERSION=${{ github.event.inputs.version }}
          else
            VERSION=${{ github.event.release.tag_name }}
          fi
          node .github/scripts/write-version.mjs ${VERSION#v}
      - run: npm ci
      - run: npm publish
";
    let project = Project::new(&[
        ("package.json", MANIFEST),
        (".github/workflows/release.yml", workflow),
    ])
    .stamped("0.0.0");
    let written = steps(&project.best())
        .into_iter()
        .find(|step| step.contains("write-version.mjs"))
        .unwrap();
    assert!(
        written.contains("\"release\" == \"workflow_dispatch\""),
        "{written}"
    );
    assert!(written.contains("VERSION=v1.2.3"), "{written}");
}

#[test]
fn a_build_that_asks_git_sees_history_with_and_without_the_tag() {
    let project = Project::new(&[
        ("package.json", MANIFEST),
        ("scripts/version.mjs", "execSync('git describe --tags')"),
    ]);
    let shapes: Vec<CloneShape> = project
        .plans()
        .unwrap()
        .iter()
        .map(|plan| plan.clone_shape)
        .take(2)
        .collect();
    assert_eq!(shapes, [CloneShape::History, CloneShape::HistoryWithoutTag]);
    let plain = Project::new(&[("package.json", MANIFEST)]);
    assert_eq!(plain.best().clone_shape, CloneShape::Tip);
}

#[test]
fn a_script_deleted_before_publishing_is_deleted_again() {
    let source = MANIFEST.replace("\"tsc\"", "\"tsc\",\n    \"prepare\": \"husky\"");
    let plan = Project::new(&[("package.json", &source)])
        .publishing(&[("package.json", MANIFEST)])
        .best();
    // The version is the released one on neither side, so nothing is explained.
    assert!(
        !steps(&plan)
            .iter()
            .any(|step| step.contains("npm pkg delete"))
    );
    let released = |text: &str| text.replace("0.0.0", "1.2.3");
    let plan = Project::new(&[("package.json", &released(&source))])
        .publishing(&[("package.json", &released(MANIFEST))])
        .best();
    assert!(steps(&plan).contains(&"build .: npm pkg delete scripts.prepare".to_owned()));
    assert!(
        plan.assumptions
            .iter()
            .any(|assumption| assumption.kind == AssumptionKind::WorkflowStep)
    );
}

#[test]
fn a_scope_is_written_into_the_manifest_and_listed() {
    let source = MANIFEST.replace("0.0.0", "1.2.3");
    let project = Project::new(&[("package.json", &source)]).renamed("a", "@scope/thing");
    let plan = project.best();
    let edit = plan
        .edits
        .iter()
        .find(|edit| edit.path.as_str() == "package.json")
        .unwrap();
    let written = String::from_utf8(edit.content.clone()).unwrap();
    assert!(written.contains("\"name\": \"@scope/thing\""), "{written}");
    assert!(written.contains("\"version\": \"1.2.3\""), "{written}");
    let assumption = plan
        .assumptions
        .iter()
        .find(|assumption| assumption.kind == AssumptionKind::NameStamp)
        .unwrap();
    assert_eq!(assumption.value, "@scope/thing");
}
