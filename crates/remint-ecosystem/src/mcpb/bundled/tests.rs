use std::sync::Arc;

use proptest::prelude::*;
use remint_model::{CommitId, SurveyEntry};

use super::*;

fn survey(files: &[(&str, &str)]) -> Survey {
    let mut survey = Survey::default();
    for (path, content) in files {
        let path: EntryPath = path.parse().unwrap();
        survey.entries.push(SurveyEntry {
            path: path.clone(),
            size: content.len() as u64,
            mode: 0o644,
            modified: 0,
            sha256: Sha256::of(content.as_bytes()),
            blob: CommitId::of_blob(content.as_bytes()),
            lf_blob: None,
        });
        survey.texts.push((path, content.as_bytes().to_vec()));
    }
    survey
}

fn registry(files: &[(&str, &str)]) -> Answer {
    let manifest = files.iter().find(|(path, _)| *path == "package.json");
    Answer::Files(vec![RegistryFile {
        integrity: None,
        contents: files
            .iter()
            .map(|(path, content)| (path.parse().unwrap(), Sha256::of(content.as_bytes())))
            .collect(),
        manifest: manifest.map(|(_, content)| content.as_bytes().to_vec()),
    }])
}

/// `path reason` of every file that is not accounted for.
fn check(files: &[(&str, &str)], answers: &[Answer], expect: &[&str]) -> Attribution {
    let survey = survey(files);
    let attribution = bundled(&survey).attribute(&survey, answers);
    let found: Vec<String> = attribution
        .unattributed
        .iter()
        .map(|file| format!("{} {:?}", file.path, file.reason))
        .collect();
    assert_eq!(found, expect);
    attribution
}

/// The same where names that are given count.
fn check_named(files: &[(&str, &str)], answers: &[Answer], expect: &[&str]) -> Attribution {
    let survey = survey(files);
    let attribution = bundled_with_aliases(&survey).attribute(&survey, answers);
    let found: Vec<String> = attribution
        .unattributed
        .iter()
        .map(|file| format!("{} {:?}", file.path, file.reason))
        .collect();
    assert_eq!(found, expect);
    attribution
}

const A: &str = r#"{"name":"a","version":"1.0.0"}"#;
const B: &str = r#"{"name":"@s/b","version":"2.0.0"}"#;

#[test]
fn files_are_the_registrys_byte_for_byte() {
    let honest = [
        ("manifest.json", "{}"),
        ("node_modules/.package-lock.json", "{}"),
        ("node_modules/@s/b/package.json", B),
        ("node_modules/a/index.js", "a"),
        ("node_modules/a/lib/package.json", "{}"),
        ("node_modules/a/package.json", A),
        ("server/index.js", "x"),
    ];
    let a = registry(&[
        ("package.json", A),
        ("index.js", "a"),
        ("lib/package.json", "{}"),
        ("x.d.ts", ""),
        ("y.js", ""),
    ]);
    let b = registry(&[("package.json", B)]);
    let attribution = check(&honest, &[b.clone(), a.clone()], &[]);
    let own: Vec<&str> = attribution.own.iter().map(EntryPath::as_str).collect();
    assert_eq!(own, ["manifest.json", "server/index.js"]);
    assert_eq!(attribution.records, 1);
    let counts: Vec<(usize, usize)> = attribution
        .packages
        .iter()
        .map(|package| (package.files, package.left_out))
        .collect();
    assert_eq!(counts, [(1, 0), (3, 1)]);

    let mut changed = honest;
    changed[3].1 = "evil";
    check(
        &changed,
        &[b.clone(), a.clone()],
        &["node_modules/a/index.js Differs"],
    );
    let mut added = honest.to_vec();
    added.push(("node_modules/a/more.js", "evil"));
    check(
        &added,
        &[b.clone(), a.clone()],
        &["node_modules/a/more.js Extra"],
    );
    let unknown = Answer::Unknown("no such package".to_owned());
    check(
        &honest,
        &[unknown, a.clone()],
        &["node_modules/@s/b/package.json UnknownPackage"],
    );
    let silent = Answer::Unreachable("no answer".to_owned());
    check(
        &honest,
        &[silent, a],
        &["node_modules/@s/b/package.json Unreachable"],
    );
}

#[test]
fn a_folder_of_another_name_is_no_package() {
    let files = [
        ("node_modules/wanted/index.js", "a"),
        ("node_modules/wanted/package.json", A),
    ];
    check(
        &files,
        &[],
        &[
            "node_modules/wanted/index.js UnknownPackage",
            "node_modules/wanted/package.json UnknownPackage",
        ],
    );
    check(
        &[
            ("node_modules/stray.js", "x"),
            ("x/node_modules/a/y.js", "x"),
        ],
        &[],
        &[
            "node_modules/stray.js UnknownPackage",
            "x/node_modules/a/y.js UnknownPackage",
        ],
    );
}

#[test]
fn a_name_that_the_project_or_a_package_of_the_registry_gives_is_one() {
    let wanted = r#"{"dependencies":{"wanted":"npm:a@^1"}}"#;
    let lies = |place: &'static str, content: &'static str| {
        [
            ("node_modules/wanted/index.js", "a"),
            ("node_modules/wanted/package.json", A),
            (place, content),
        ]
    };
    let a = registry(&[("package.json", A), ("index.js", "a")]);
    let refused = [
        "node_modules/wanted/index.js UnknownPackage",
        "node_modules/wanted/package.json UnknownPackage",
    ];
    let answers = std::slice::from_ref(&a);
    let found = check_named(&lies("package.json", wanted), answers, &[]);
    assert_eq!(found.packages[0].name.as_str(), "a");
    assert_eq!(found.packages[0].folder.as_str(), "node_modules/wanted");
    check_named(&lies("server/package.json", wanted), answers, &[]);
    // Without the names that are given, as in images.
    check(&lies("package.json", wanted), answers, &refused);
    for other in [
        "{}",
        r#"{"dependencies":{"wanted":"^1"}}"#,
        r#"{"dependencies":{"wanted":"npm:@s/a@1"}}"#,
        r#"{"dependencies":{"wanted":"npm:b@1"}}"#,
        r#"{"dependencies":{"other":"npm:a@1"}}"#,
        r#"{"scripts":{"wanted":"npm:a@1"}}"#,
        "no json",
    ] {
        check_named(&lies("package.json", other), answers, &refused);
    }
    for same in [
        r#"{"devDependencies":{"wanted":"npm:a"}}"#,
        r#"{"optionalDependencies":{"wanted":"npm:a@latest"}}"#,
    ] {
        check_named(&lies("package.json", same), answers, &[]);
    }
    // It is held against the registry nevertheless.
    let mut changed = lies("package.json", wanted);
    changed[0].1 = "evil";
    check_named(&changed, answers, &["node_modules/wanted/index.js Differs"]);
}

#[test]
fn who_gives_a_name_is_held_against_something_itself() {
    const GIVES: &str = r#"{"name":"c","version":"1.0.0","dependencies":{"wanted":"npm:a@1"}}"#;
    const RENAMED: &str = r#"{"name":"d","version":"1.0.0","dependencies":{"wanted":"npm:a@1"}}"#;
    let a = registry(&[("package.json", A)]);
    let c = registry(&[("package.json", GIVES)]);
    let files = [
        ("node_modules/c/package.json", GIVES),
        ("node_modules/wanted/package.json", A),
    ];
    check_named(&files, &[c.clone(), a.clone()], &[]);
    let refused = "node_modules/wanted/package.json UnknownPackage";
    // Its own package.json was changed, or is of nobody, or is only said to be one.
    let other = registry(&[("package.json", r#"{"name":"c","version":"1.0.0"}"#)]);
    check_named(
        &files,
        &[other, a.clone()],
        &["node_modules/c/package.json Differs", refused],
    );
    let unknown = Answer::Unknown("no such package".to_owned());
    check_named(
        &files,
        &[unknown, a.clone()],
        &["node_modules/c/package.json UnknownPackage", refused],
    );
    check_named(
        &[
            ("node_modules/stray/lib/package.json", GIVES),
            ("node_modules/wanted/package.json", A),
        ],
        std::slice::from_ref(&a),
        &[
            "node_modules/stray/lib/package.json UnknownPackage",
            refused,
        ],
    );
    // It does not look there.
    let elsewhere = [
        ("package.json", "{}"),
        ("server/node_modules/wanted/package.json", A),
        ("serverless/package.json", GIVES),
    ];
    check_named(
        &elsewhere,
        std::slice::from_ref(&a),
        &["server/node_modules/wanted/package.json UnknownPackage"],
    );
    // What lies under another name gives none, not even to itself.
    let chain = [
        ("node_modules/e/package.json", RENAMED),
        ("node_modules/wanted/package.json", A),
        ("package.json", r#"{"dependencies":{"e":"npm:d@1"}}"#),
    ];
    let d = registry(&[("package.json", RENAMED)]);
    check_named(&chain, &[d, a], &[refused]);
}

#[test]
fn names_that_one_file_gives_to_many_take_time_by_their_number() {
    let named: Vec<String> = (0..5000)
        .map(|number| format!("\"w{number}\":\"npm:a@1\""))
        .collect();
    let root = format!("{{\"dependencies\":{{{}}}}}", named.join(","));
    let gives = format!("{{\"name\":\"c\",\"version\":\"1.0.0\",{}", &root[1..]);
    let mut paths: Vec<(String, &str)> = (0..5000)
        .map(|number| (format!("node_modules/w{number}/package.json"), A))
        .collect();
    paths.push(("node_modules/c/package.json".to_owned(), &gives));
    let files: Vec<(&str, &str)> = paths
        .iter()
        .map(|(path, content)| (&**path, *content))
        .collect();
    let survey = survey(&files);
    let begun = std::time::Instant::now();
    let bundled = bundled_with_aliases(&survey);
    // Each file has to be read as JSON to be refused.
    let other = Arc::new(registry(&[("package.json", &root)]));
    let answers = vec![other; bundled.packages.len()];
    let found = bundled.attribute(&survey, &answers);
    assert_eq!((bundled.packages.len(), found.held.len()), (5001, 0));
    assert!(begun.elapsed().as_secs() < 60, "{:?}", begun.elapsed());
}

#[test]
fn of_compiled_python_is_said_why_it_is_not_accounted_for() {
    let metadata = "Metadata-Version: 2.1\nName: x\nVersion: 1.0\n";
    let record = "x/a.py,,\nx/__pycache__/a.cpython-312.pyc,,\nx-1.0.dist-info/METADATA,,\n";
    let files = [
        ("lib/site-packages/x-1.0.dist-info/METADATA", metadata),
        ("lib/site-packages/x-1.0.dist-info/RECORD", record),
        ("lib/site-packages/x/__pycache__/a.cpython-312.pyc", "c"),
        ("lib/site-packages/x/__pycache__/b.cpython-312.pyc", "c"),
        ("lib/site-packages/x/a.py", "a"),
    ];
    let answer = registry(&[("x/a.py", "a"), ("x-1.0.dist-info/METADATA", metadata)]);
    let found = check(
        &files,
        &[answer],
        &[
            "lib/site-packages/x/__pycache__/a.cpython-312.pyc Extra",
            "lib/site-packages/x/__pycache__/b.cpython-312.pyc UnknownPackage",
        ],
    );
    for file in found.unattributed {
        assert!(file.detail.contains("leave it out of the bundle"));
    }
}

#[test]
fn nested_packages_are_looked_up_and_bundled_ones_belong_to_the_outer() {
    let files = [
        ("node_modules/@s/b/node_modules/a/package.json", A),
        ("node_modules/@s/b/package.json", B),
    ];
    let outer = registry(&[("package.json", B), ("node_modules/a/package.json", A)]);
    let other = registry(&[("package.json", "{}")]);
    check(&files, &[outer, other.clone()], &[]);
    check(
        &files,
        &[registry(&[("package.json", B)]), other],
        &["node_modules/@s/b/node_modules/a/package.json Differs"],
    );
}

#[test]
fn what_node_loads_is_not_changed_by_notes() {
    let published = r#"{"name":"a","version":"1.0.0","exports":{".":{"node":"./n.js","default":"./d.js"}},"scripts":{"b":"1","a":"2"}}"#;
    let a = [registry(&[("package.json", published)])];
    let differs = ["node_modules/a/package.json Differs"];
    for (bundled, expect) in [
        // As npm writes it: its names sorted at the top and in lists, nowhere else.
        (
            r#"{"_id":"a@1.0.0","exports":{".":{"node":"./n.js","default":"./d.js"}},"name":"a","scripts":{"a":"2","b":"1"},"version":"1.0.0"}"#,
            &[][..],
        ),
        (
            r#"{"_id":"a@1.0.0","name":"a","version":"1.0.0","exports":{".":{"default":"./d.js","node":"./n.js"}},"scripts":{"b":"1","a":"2"}}"#,
            &differs,
        ),
        // Nobody's notes, so somebody else wrote it.
        (
            r#"{"version":"1.0.0","name":"a","exports":{".":{"node":"./n.js","default":"./d.js"}},"scripts":{"b":"1","a":"2"}}"#,
            &differs,
        ),
    ] {
        check(&[("node_modules/a/package.json", bundled)], &a, expect);
    }
}

#[test]
fn notes_of_old_npm_are_explained_and_nothing_else_is() {
    let noted = r#"{"_id":"a@1.0.0","version":"1.0.0","name":"a","deprecated":false}"#;
    let answer = registry(&[("package.json", A)]);
    check(
        &[("node_modules/a/package.json", noted)],
        std::slice::from_ref(&answer),
        &[],
    );
    let tampered = r#"{"_id":"a@1.0.0","version":"1.0.0","name":"a","main":"evil.js"}"#;
    check(
        &[("node_modules/a/package.json", tampered)],
        &[answer],
        &["node_modules/a/package.json Differs"],
    );
}

#[test]
fn commands_are_copies_of_files_of_packages() {
    let files = [
        ("node_modules/a/cli.js", "cli"),
        ("node_modules/a/package.json", A),
        ("server/node_modules/.bin/a", "cli"),
        ("server/node_modules/.bin/b", "evil"),
    ];
    let answer = registry(&[("package.json", A), ("cli.js", "cli")]);
    check(
        &files,
        &[answer],
        &["server/node_modules/.bin/b UnknownPackage"],
    );
}

#[test]
fn python_packages_are_known_by_their_record() {
    let metadata = "Metadata-Version: 2.1\nName: some-name\nVersion: 1.0\n";
    let record = "some_name/__init__.py,,\nsome_name-1.0.dist-info/METADATA,,\n../../bin/x,,\n";
    let honest = [
        ("server/lib/some_name-1.0.dist-info/METADATA", metadata),
        ("server/lib/some_name-1.0.dist-info/RECORD", record),
        (
            "server/lib/some_name-1.0.dist-info/WHEEL",
            "Tag: py3-none-any\n",
        ),
        ("server/lib/some_name/__init__.py", "x"),
        ("server/main.py", "own"),
    ];
    let wheel = [
        ("some_name/__init__.py", "x"),
        ("some_name-1.0.dist-info/METADATA", metadata),
    ];
    let other = registry(&[("some_name/__init__.py", "for another platform")]);
    let (Answer::Files(mut files), Answer::Files(right)) = (other, registry(&wheel)) else {
        unreachable!("registry files are files");
    };
    files.extend(right);
    let answer = Answer::Files(files);
    let unlisted = "server/lib/some_name-1.0.dist-info/WHEEL UnknownPackage";
    check(&honest, std::slice::from_ref(&answer), &[unlisted]);
    let mut added = honest.to_vec();
    added.push(("server/lib/some_name/evil.py", "x"));
    check(
        &added,
        &[answer],
        &[unlisted, "server/lib/some_name/evil.py UnknownPackage"],
    );
}

#[test]
fn notes_of_installers_are_looked_into() {
    let folder = "lib/site-packages/x-1.0.dist-info";
    let with = |installer: &str, expect: &[&str]| {
        let files = [
            (format!("{folder}/INSTALLER"), installer),
            (
                format!("{folder}/METADATA"),
                "Metadata-Version: 2.1\nName: x\nVersion: 1.0\n",
            ),
            (
                format!("{folder}/RECORD"),
                "\"x/a, b.py\",,\nx-1.0.dist-info/METADATA,,\n",
            ),
            ("lib/site-packages/x/a, b.py".to_owned(), "x"),
        ];
        let files: Vec<(&str, &str)> = files
            .iter()
            .map(|(path, content)| (&**path, *content))
            .collect();
        let metadata = files[1].1;
        let answer = registry(&[("x/a, b.py", "x"), ("x-1.0.dist-info/METADATA", metadata)]);
        check(&files, &[answer], expect);
    };
    with("pip\n", &[]);
    let refused = format!("{folder}/INSTALLER UnknownPackage");
    with("#!/bin/sh\n", &[&refused]);
}

#[test]
fn one_release_in_many_folders_is_looked_for_within_limits() {
    let folders: Vec<String> = (0..4)
        .map(|number| format!("d{number}/node_modules/a"))
        .collect();
    let paths: Vec<(String, &str)> = folders
        .iter()
        .flat_map(|folder| {
            [
                (format!("{folder}/index.js"), "a"),
                (format!("{folder}/package.json"), A),
            ]
        })
        .collect();
    let files: Vec<(&str, &str)> = paths
        .iter()
        .map(|(path, content)| (&**path, *content))
        .collect();
    let survey = survey(&files);
    let answer = Arc::new(registry(&[("package.json", A), ("index.js", "a")]));
    let answers = vec![answer; folders.len()];
    let check = |packages: usize, work: u64, accounted: usize| {
        let limits = Limits { packages, work };
        let found = bundled(&survey).attribute_within(&survey, &answers, limits);
        assert_eq!(found.packages.len(), accounted, "{packages} {work}");
        assert_eq!(found.held.len(), 2 * accounted);
        // What there was no room for is told file by file.
        assert_eq!(found.unattributed.len(), files.len() - 2 * accounted);
        for file in found.unattributed {
            assert_eq!(file.reason, Unattributed::BeyondLimits);
        }
    };
    check(4, 1000, 4);
    check(3, 1000, 3);
    // Each takes five: two files twice, and one for itself.
    check(4, 20, 4);
    check(4, 19, 3);
    check(4, 0, 0);
}

#[test]
fn many_copies_of_a_large_release_take_little_time() {
    let contents: Vec<(String, &str)> = (0..5000)
        .map(|number| (format!("lib/some/path/module{number}.js"), "x"))
        .collect();
    let mut contents: Vec<(&str, &str)> = contents
        .iter()
        .map(|(path, content)| (&**path, *content))
        .collect();
    contents.push(("package.json", A));
    let answer = Arc::new(registry(&contents));
    let paths: Vec<String> = (0..200)
        .map(|number| format!("d{number}/node_modules/a/package.json"))
        .collect();
    let files: Vec<(&str, &str)> = paths.iter().map(|path| (&**path, A)).collect();
    let survey = survey(&files);
    let begun = std::time::Instant::now();
    let found = bundled(&survey).attribute(&survey, &vec![answer; files.len()]);
    assert_eq!(
        (found.packages.len(), found.packages[0].left_out),
        (200, 5000)
    );
    // Going by the rules of the packer for each copy takes minutes.
    assert!(begun.elapsed().as_secs() < 30, "{:?}", begun.elapsed());
}

#[test]
fn many_packages_take_time_by_their_number_and_not_its_square() {
    let mut survey = Survey::default();
    for number in 0..40_000 {
        let folder = format!("lib/site-packages/n{number}-1.dist-info");
        for (name, text) in [
            ("METADATA", format!("Name: n{number}\nVersion: 1\n")),
            ("RECORD", format!("n{number}.py,,\n")),
        ] {
            let path = format!("{folder}/{name}").parse().unwrap();
            survey.texts.push((path, text.into_bytes()));
        }
    }
    let begun = std::time::Instant::now();
    assert_eq!(bundled(&survey).packages.len(), 40_000);
    // The square takes minutes.
    assert!(begun.elapsed().as_secs() < 30, "{:?}", begun.elapsed());
}

proptest! {
    #[test]
    fn any_paths_and_texts_are_read(
        files in prop::collection::vec(
            ("((node_modules|@s|a|lib|x\\.dist-info)/){0,4}(package\\.json|METADATA|RECORD|WHEEL|b\\.js)", ".{0,40}"),
            0..6,
        ),
        named: bool,
    ) {
        let mut unique = BTreeMap::new();
        for (path, content) in &files {
            unique.insert(path.as_str(), if named { A } else { content.as_str() });
        }
        let files: Vec<(&str, &str)> = unique.into_iter().collect();
        let survey = survey(&files);
        let bundled = bundled_with_aliases(&survey);
        let answers = vec![registry(&[("package.json", A)]); bundled.packages.len()];
        let found = bundled.attribute(&survey, &answers);
        let attributed: usize = found.packages.iter().map(|package| package.files).sum();
        // Every file is counted once.
        prop_assert_eq!(
            attributed + found.unattributed.len() + found.records + found.own.len(),
            files.len()
        );
    }
}
