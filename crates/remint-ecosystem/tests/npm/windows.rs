//! Releases that were packed from a checkout on Windows.

use crate::project::Project;
use remint_model::AssumptionKind;

const MANIFEST: &str = "{\n  \"name\": \"a\",\n  \"version\": \"1.2.3\"\n}\n";

fn crlf(project: &Project) -> (Vec<String>, Vec<String>) {
    let plan = project.best();
    let assumed = plan
        .assumptions
        .iter()
        .filter(|made| made.kind == AssumptionKind::WindowsLineEnds)
        .map(|made| made.value.clone())
        .collect();
    let paths = plan.crlf.iter().map(ToString::to_string).collect();
    (paths, assumed)
}

#[test]
fn only_what_the_published_file_proves_is_laid_out_with_crlf() {
    let project = Project::new(&[
        ("package.json", MANIFEST),
        ("README.md", "one\ntwo\n"),
        ("LICENSE", "MIT\n"),
        ("lib/index.js", "run();\n"),
        ("lib/other.js", "run();\n"),
    ])
    .publishing_only(&[
        ("package.json", &MANIFEST.replace('\n', "\r\n")),
        ("README.md", "one\r\ntwo, and more\r\n"),
        ("LICENSE", "MIT\n"),
        ("dist/index.js", "run();\r\n"),
    ]);
    assert_eq!(
        crlf(&project),
        (
            vec!["lib/index.js".to_owned(), "package.json".to_owned()],
            vec!["CRLF in lib/index.js and 1 more".to_owned()]
        )
    );
}

#[test]
fn a_written_version_is_laid_out_so_too() {
    let project = Project::new(&[("package.json", &MANIFEST.replace("1.2.3", "0.0.0"))])
        .stamped("0.0.0")
        .publishing_only(&[("package.json", &MANIFEST.replace('\n', "\r\n"))]);
    assert_eq!(
        crlf(&project),
        (
            vec!["package.json".to_owned()],
            vec!["CRLF in package.json".to_owned()]
        )
    );
}

#[test]
fn without_a_sign_of_windows_nothing_is_assumed() {
    let project = Project::new(&[("package.json", MANIFEST), ("README.md", "one\r\n")])
        .publishing(&[("package.json", MANIFEST), ("README.md", "one\r\n")]);
    assert_eq!(crlf(&project), (Vec::new(), Vec::new()));
}
