#![no_main]

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use remint_ecosystem::npm::substitute::without_gone;
use remint_fuzz::{Project, Text};
use remint_model::{Ecosystem, Lock};

#[derive(Debug, Arbitrary)]
struct Input {
    format: Format,
    lockfile: Text,
    workspace: bool,
}

#[derive(Debug, Clone, Copy, Arbitrary)]
enum Format {
    Npm,
    Pnpm,
    Yarn,
    Berry,
    Bun,
}

const WORDS: &[&str] = &[
    "{",
    "}",
    "[",
    "]",
    ":",
    ",",
    "\"",
    "\n",
    "\n  ",
    "\n    ",
    "'",
    "- ",
    "# ",
    "---\n",
    "\"packages\":{",
    "\"dependencies\":{",
    "\"lockfileVersion\":3",
    "lockfileVersion: '9.0'\n",
    "packages:\n",
    "importers:\n",
    "specifiers:\n",
    "\"node_modules/a\":{",
    "\"version\":",
    "\"resolved\":",
    "\"integrity\":",
    "\"link\":true",
    "  resolution: {",
    "integrity: sha512-",
    "tarball: ",
    "  version ",
    "  resolved ",
    "  resolution: ",
    "__metadata:\n",
    "\"workspaces\":{\"\":{",
    "a@1.0.0",
    "/a/1.0.0",
    "@s/a@^1",
    "a@npm:b@1",
    "https://registry.npmjs.org/a/-/a-1.0.0.tgz",
    "git+ssh://git@x.invalid/a.git#0",
    "file:../a",
    "workspace:.",
    "patch:",
    "::__archiveUrl=",
    "%3A",
    "(b@2)",
    "_b@2",
    "&a ",
    "*a",
];

fuzz_target!(|input: Input| {
    let text = input.lockfile.spelled(WORDS);
    let (name, text) = match input.format {
        Format::Npm => ("package-lock.json", text),
        Format::Pnpm => ("pnpm-lock.yaml", text),
        Format::Yarn => ("yarn.lock", text),
        Format::Berry => ("yarn.lock", format!("__metadata:\n  version: 8\n{text}")),
        Format::Bun => ("bun.lock", text),
    };
    let manifest =
        r#"{"name":"x","version":"1.2.3","dependencies":{"a":"^1"},"scripts":{"build":"tsc"}}"#;
    let project = if input.workspace {
        Project::new(&[
            ("package.json", r#"{"workspaces":["p/*"]}"#),
            ("p/x/package.json", manifest),
            (name, &text),
        ])
        .at("p/x")
    } else {
        Project::new(&[("package.json", manifest), (name, &text)])
    };
    let project = project.publishing("dist/index.js", "made");
    let gone = ["https://registry.npmjs.org/a/-/a-1.0.0.tgz".to_owned()];
    for plan in project.plans(Ecosystem::Npm) {
        if let Some(other) = without_gone(&plan, project.tree(), &gone, 0) {
            assert!(matches!(other.lock, Lock::AsOf { .. }));
            assert!(other.edits.iter().any(|edit| edit.path.as_str() == name));
        }
        if let Lock::Locked { file, fetches } = plan.lock {
            assert_eq!(file.as_str(), name);
            for fetch in fetches {
                if let Some(url) = fetch.url {
                    assert!(
                        url.starts_with("https:") || url.starts_with("http:"),
                        "{url}"
                    );
                }
            }
        }
    }
});
