//! What publish workflows tell.

use remint_model::{AssumptionKind, BuildPlan};

use crate::project::{Project, steps, tools};

const MANIFEST: (&str, &str) = (
    "package.json",
    r#"{"name":"a","version":"1.2.3","scripts":{"build":"tsc","stamp":"node s.js","test":"vitest","release":"npm run build && npm publish"}}"#,
);

fn with(workflow: &str) -> Project {
    Project::new(&[MANIFEST, (".github/workflows/publish.yml", workflow)])
}

fn job(steps: &str) -> Project {
    with(&format!(
        "on: {{release: {{}}}}\njobs:\n  publish:\n    steps:\n{steps}"
    ))
}

#[test]
fn steps_are_repeated_without_checks_and_talk() {
    job("      - run: npm ci
      - run: npm test
      - run: npm run stamp
      - run: echo done
      - run: npm run build
      - run: git push
      - run: npm publish --provenance
      - run: node after.js
")
    .check(&[
        "build? .: npm run stamp",
        "build .: npm run build",
        "pack .: npm pack --pack-destination /out",
    ]);
}

#[test]
fn a_script_that_publishes_is_looked_into() {
    job("      - run: npm ci\n      - run: npm run release\n").check(&[
        "build .: npm run build",
        "pack .: npm pack --pack-destination /out",
    ]);
}

#[test]
fn known_expressions_are_filled_in_and_secrets_never() {
    let project = job("      - run: npm ci
      - run: sed -i s/0/${{ github.ref_name }}/ src/v.ts
      - run: node a.js ${{ secrets.KEY }}
      - run: npm run build
        env: {MODE: production, KEY: '${{ secrets.KEY }}', API_TOKEN: x}
      - run: npm publish
");
    project.check(&[
        "build? .: sed -i s/0/v1.2.3/ src/v.ts",
        "build .: npm run build",
        "pack .: npm pack --pack-destination /out",
    ]);
    let plan = project.best();
    let build = &plan.steps[1];
    assert_eq!(
        build.environment.get("MODE").map(String::as_str),
        Some("production")
    );
    assert_eq!(build.environment.get("KEY"), None);
    assert_eq!(build.environment.get("API_TOKEN"), None);
}

#[test]
fn a_step_that_needs_a_secret_is_never_repeated() {
    job("      - run: npm ci
      - run: sed -i s/KEY/$KEY/ src/v.ts
        env: {KEY: '${{ secrets.KEY }}'}
      - run: |
          if [ -n \"${KEY:-}\" ]; then sed -i s/KEY/x/ src/v.ts; fi
        env: {KEY: '${{ secrets.KEY }}'}
      - run: npm run build
      - run: npm publish
")
    .check(&[
        "build .: npm run build",
        "pack .: npm pack --pack-destination /out",
    ]);
}

#[test]
fn steps_for_another_kind_of_release_are_passed_over() {
    job("      - run: npm ci
      - run: npm run stamp
        if: inputs.tag == 'beta'
      - run: npm run build
        if: inputs.tag != 'beta'
      - run: npm publish
")
    .check(&[
        "build .: npm run build",
        "pack .: npm pack --pack-destination /out",
    ]);
}

#[test]
fn tool_versions_come_from_the_workflow() {
    let project = job("      - uses: actions/setup-node@v4
        with: {node-version: 22}
      - run: npm install -g npm@^11.5.1
      - run: npm ci
      - run: npm publish
");
    assert_eq!(tools(&project.best()), ["node 22", "npm ^11.5.1"]);
}

#[test]
fn scripts_that_the_publisher_switched_off_stay_off() {
    job("      - run: npm ci
      - run: npm run build
      - run: npm publish --ignore-scripts
")
    .check(&[
        "build .: npm run build",
        "pack .: npm pack --pack-destination /out --ignore-scripts",
    ]);
}

#[test]
fn the_release_is_preferred_to_the_nightly() {
    let project = with(
        "on: {release: {}}
jobs:
  publish-canary:
    steps:
      - run: npm ci
      - run: npm run stamp
      - run: npm publish --tag canary
  publish:
    steps:
      - run: npm ci
      - run: npm run build
      - run: npm publish
",
    );
    assert!(
        !steps(&project.best())
            .iter()
            .any(|step| step.contains("stamp"))
    );
}

#[test]
fn what_an_earlier_job_built_is_built() {
    with(
        "on: {release: {}}
jobs:
  build:
    steps:
      - run: npm ci
      - run: npm run stamp
      - run: npm run build
      - uses: actions/upload-artifact@v4
  publish:
    needs: build
    steps:
      - uses: actions/download-artifact@v4
      - run: npm publish
",
    )
    .check(&[
        "build? .: npm run stamp",
        "build .: npm run build",
        "pack .: npm pack --pack-destination /out",
    ]);
}

#[test]
fn a_workflow_that_is_none_or_publishes_elsewhere_is_no_witness() {
    let without: &[&str] = &[
        "build .: npm run build",
        "pack .: npm pack --pack-destination /out",
    ];
    with("[").check(without);
    with("jobs: {x: {steps: 7}}").check(without);
    job("      - run: npm run stamp\n      - run: npm publish --dry-run\n").check(without);
    job("      - run: npm run stamp\n      - run: npm publish\n        working-directory: other\n")
        .check(without);
}

#[test]
fn what_the_packer_runs_again_is_run_once_and_twice_only_later() {
    let manifest = (
        "package.json",
        r#"{"name":"a","version":"1.2.3","scripts":{"build":"tsc","prepare":"npm run build"}}"#,
    );
    let workflow = (
        ".github/workflows/publish.yml",
        "jobs: {publish: {steps: [{run: npm ci}, {run: npm run build}, {run: npm publish}]}}",
    );
    let project = Project::new(&[manifest, workflow]);
    project.check(&["pack .: npm pack --pack-destination /out"]);
    let plans = project.plans().unwrap();
    let twice = plans
        .iter()
        .find(|plan| plan.variant == "every build repeated")
        .unwrap();
    assert_eq!(
        steps(twice),
        [
            "build .: npm run build",
            "pack .: npm pack --pack-destination /out"
        ]
    );
}

#[test]
fn a_committed_result_is_built_again_wherever_it_lies_and_whoever_publishes_without_a_build() {
    let manifest = |build: &str| {
        format!(
            r#"{{"name":"a","version":"1.2.3","files":["app"],"scripts":{{"build":"{build}"}}}}"#
        )
    };
    let workflow = "on: release
jobs:
  release:
    steps:
      - run: npm publish
";
    let plans = |build: &str, workflow: Option<&str>| {
        let manifest = manifest(build);
        let committed = [
            ("package.json", manifest.as_str()),
            ("app/index.js", "made"),
        ];
        let mut files = committed.to_vec();
        files.extend(workflow.map(|text| (".github/workflows/release.yml", text)));
        Project::new(&files)
            .publishing_only(&committed)
            .plans()
            .unwrap()
    };
    let builds = |plan: &BuildPlan| steps(plan).contains(&"build .: npm run build".to_owned());
    for workflow in [None, Some(workflow)] {
        assert!(plans("tsc --outDir app", workflow).iter().all(builds));
        assert!(!builds(plans("echo no", workflow).first().unwrap()));
    }
}

#[test]
fn what_makes_files_under_a_condition_is_done_again_and_talk_is_not() {
    let run = |script: &str| {
        let indented = script.replace('\n', "\n          ");
        let project = job(&format!(
            "      - run: |\n          {indented}\n      - run: npm run build\n      - run: npm publish\n"
        ));
        let plan = project.best();
        let left_out = plan
            .assumptions
            .iter()
            .any(|made| made.kind == AssumptionKind::ReleaseSteps);
        (steps(&plan).len() > 2, left_out)
    };
    let (repeated, left_out, neither) = ((true, false), (false, true), (false, false));
    for (script, expect) in [
        (
            "if [ -d r ]; then\n  echo \"walk through r\"\n  cp r/server.js server.js\nfi",
            repeated,
        ),
        ("for f in r/*; do node $f; done", repeated),
        (
            "if [ ! -d r ]; then exit 1; fi\ncp r/server.js server.js",
            repeated,
        ),
        (
            "if curl -s https://h; then cp r/server.js server.js; fi",
            repeated,
        ),
        ("if true; then echo x > server.js; fi", repeated),
        (
            "case $X in\n  a) mv r/server.js server.js ;;\nesac",
            repeated,
        ),
        ("if curl -s https://h; then node r.js; fi", left_out),
        ("if true; then cp ${{ secrets.X }} server.js; fi", left_out),
        (
            "if npm view a@1 version; then echo exists; exit 0; fi",
            neither,
        ),
        (
            "if [ \"$(node -p \"require('./package.json').version\")\" != 1.2.3 ]; then exit 1; fi",
            neither,
        ),
        (
            "for i in 1 2 3; do curl -s https://h && break; sleep 1; done",
            neither,
        ),
        ("if true; then npm test; npm ci; git push; fi", neither),
        (
            "if [[ $V == *-* ]]; then T=next; else T=latest; fi\necho t=$T >> $GITHUB_OUTPUT",
            neither,
        ),
    ] {
        assert_eq!(run(script), expect, "{script}");
    }
}

#[test]
fn what_runs_before_a_publish_under_a_condition_is_done_again_without_it() {
    let project = job(
        "      - run: |\n          if [ -d r ]; then\n            cp r/server.js server.js\n            npm publish\n          fi\n",
    );
    let plan = project.best();
    let written = format!("{:?}", plan.steps);
    assert!(written.contains("cp r/server.js server.js"), "{written}");
    assert!(!written.contains("npm publish"), "{written}");
}

#[test]
fn what_cannot_be_repeated_is_said_to_be_left_out() {
    let project = job(
        "      - run: npm config set x ${{ secrets.KEY }}\n      - run: sed -i s/KEY/${{ secrets.KEY }}/ src/v.ts\n      - run: npm run build\n      - run: npm publish\n",
    );
    for plan in project.plans().unwrap() {
        let said: Vec<&str> = plan
            .assumptions
            .iter()
            .filter(|made| made.kind == AssumptionKind::ReleaseSteps)
            .map(|made| made.value.as_str())
            .collect();
        assert_eq!(
            said,
            ["left out: sed -i s/KEY/${{ secrets.KEY }}/ src/v.ts"]
        );
    }
}

#[test]
fn checks_and_talk_of_a_usual_workflow_are_not_done_again() {
    let project = job("      - run: corepack enable
      - run: npm ci || npm install
      - run: npm run lint && npm test -- --coverage
      - run: npx tsc --version 2>&1 | head -1 > /dev/null
        if: failure()
      - run: npm audit --omit=dev || true
      - run: |
          git config user.name \"${{ github.actor }}\"
          git config user.email bot@example.org
          git fetch --tags --force
      - run: |
          VERSION=$(node -p \"require('./package.json').version\")
          echo \"version=$VERSION\" >> $GITHUB_OUTPUT
          echo \"## v$VERSION `date`\" >> \"$GITHUB_STEP_SUMMARY\"
      - run: |
          if [ \"v$(node -p \"require('./package.json').version\")\" != \"$GITHUB_REF_NAME\" ]; then
            echo \"::error::wrong version\"
            exit 1
          fi
      - run: docker build -t a . && docker push a
      - run: gh release create v1 --notes \"$(git log -1 --format=%B)\"
        env: {GH_TOKEN: '${{ secrets.GITHUB_TOKEN }}'}
      - run: curl -fsSL https://h/x | tar xz mcp-publisher
      - run: echo \"//registry.npmjs.org/:_authToken=${{ secrets.NPM_TOKEN }}\" > ~/.npmrc
      - run: npm run build
      - run: npm publish --provenance --access public
        env: {NODE_AUTH_TOKEN: '${{ secrets.NPM_TOKEN }}'}
");
    project.check(&[
        "build .: npm run build",
        "pack .: npm pack --pack-destination /out",
    ]);
    let plan = project.best();
    let said = |made: &remint_model::Assumption| made.kind == AssumptionKind::ReleaseSteps;
    assert!(!plan.assumptions.iter().any(said), "{:?}", plan.assumptions);
}
