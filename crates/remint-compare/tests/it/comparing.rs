//! What a comparison says about archives that differ.

use std::io::Cursor;
use std::sync::{Arc, Mutex};

use remint_compare::{
    ArchiveError, Compared, Options, PythonLikeness, PythonSyntax, Side, compare,
};
use remint_model::ArtifactFormat::{self, GoProgram, NpmTarball, Wheel};
use remint_model::{AnomalyKind, Change, Class, Comparison, Difference};

use crate::making::*;

fn compared(format: ArtifactFormat, published: &[u8], rebuilt: &[u8]) -> Compared {
    compare(
        format,
        &mut Cursor::new(published),
        &mut Cursor::new(rebuilt),
        &Options::default(),
    )
    .unwrap()
}

fn differences(compared: Compared) -> Vec<Difference> {
    match compared.comparison {
        Comparison::Different { differences, .. } => differences,
        other @ (Comparison::Identical | Comparison::Equivalent { .. }) => panic!("{other:?}"),
    }
}

fn package(index: &str) -> Vec<TarEntry> {
    vec![
        file("package/package.json", b"{}"),
        file("package/dist/index.js", index.as_bytes()),
        file("package/README.md", b"# x"),
    ]
}

#[test]
fn equal_bytes_are_identical_and_their_anomalies_are_told_all_the_same() {
    let mut entries = package("run()");
    entries.push(file("package/dist/index.js", b"steal()"));
    let bytes = tgz(&entries);
    let compared = compared(NpmTarball, &bytes, &bytes);
    assert_eq!(compared.comparison, Comparison::Identical);
    assert_eq!(
        compared.published_anomalies.first().map(|a| a.kind),
        Some(AnomalyKind::DuplicateEntry)
    );
    assert_eq!(compared.entries.equal, 3);
}

#[test]
fn of_a_program_every_byte_counts() {
    let honest = b"\x7fELF\x02\x01 one\ntwo\n".as_slice();
    let same = compared(GoProgram, honest, honest);
    assert_eq!(same.comparison, Comparison::Identical);
    assert_eq!(same.entries.equal, 1);
    for other in [
        &b"\x7fELF\x02\x01 one\r\ntwo\r\n"[..],
        b"\x7fELF\x02\x01 one\ntwo\n\0",
        b"\x7fELF\x02\x01 one\ntw",
        b"one\r\ntwo\r\n",
        b"",
    ] {
        let found = compared(GoProgram, other, honest);
        assert_eq!(found.traced.traced_bytes, 0);
        let [difference] = differences(found).try_into().unwrap();
        assert_eq!(difference.path.as_str(), "program");
        assert_eq!(difference.change, Change::Changed);
        assert!(matches!(
            difference.class,
            Class::Native | Class::Executable
        ));
    }
}

#[test]
fn one_planted_line_is_shown() {
    let honest = tgz(&package("to: message.to,\nsubject: message.subject,\n"));
    let planted = tgz(&package(
        "to: message.to,\nbcc: 'archive@canary.invalid',\nsubject: message.subject,\n",
    ));
    let compared = compared(NpmTarball, &planted, &honest);
    assert_eq!(compared.entries.equal, 2);
    let [difference] = differences(compared).try_into().unwrap();
    assert_eq!(difference.path.as_str(), "dist/index.js");
    assert_eq!(difference.change, Change::Changed);
    assert_eq!(difference.class, Class::Executable);
    assert_eq!(difference.lines, (1, 0));
    assert_eq!(difference.explanation, None);
    assert_eq!(
        difference.hunks,
        [
            "@@ -1,2 +1,3 @@\n to: message.to,\n+bcc: 'archive@canary.invalid',\n subject: message.subject,"
        ]
    );
}

#[test]
fn differences_are_ranked_and_directed() {
    let published = wheel(vec![
        stored("x/__init__.py", b"import os"),
        stored("evil.pth", b"import x"),
        stored("README", b"new"),
        stored("x/data.bin", b"\x7fELF\x02\x01\x01\0"),
    ]);
    let rebuilt = wheel(vec![
        stored("x/__init__.py", b"import sys"),
        stored("x/gone.py", b""),
        stored("README", b"old"),
    ]);
    let found: Vec<_> = differences(compared(Wheel, &published, &rebuilt))
        .into_iter()
        .map(|d| (d.path.to_string(), d.change, d.class))
        .collect();
    let expect = [
        ("evil.pth", Change::Added, Class::Startup),
        ("x/data.bin", Change::Added, Class::Native),
        ("x/__init__.py", Change::Changed, Class::Executable),
        ("x/gone.py", Change::Removed, Class::Executable),
        ("README", Change::Changed, Class::Documentation),
    ];
    assert_eq!(
        found,
        expect.map(|(path, change, class)| (path.to_owned(), change, class))
    );
}

#[test]
fn a_file_that_became_executable_is_a_difference_of_metadata() {
    let entries = |mode| tgz(&[file("package/cli", b"x").mode(mode)]);
    let [difference] = differences(compared(NpmTarball, &entries(0o755), &entries(0o644)))
        .try_into()
        .unwrap();
    assert_eq!(difference.change, Change::Metadata);
    assert_eq!(difference.class, Class::Executable);
    assert_eq!(
        difference.explanation.as_deref(),
        Some("executable published, not executable rebuilt")
    );
}

#[test]
fn a_second_entry_of_a_path_is_a_difference_even_when_equal() {
    let mut twice = package("run()");
    twice.push(file("package/dist/index.js", b"run()"));
    let [difference] = differences(compared(NpmTarball, &tgz(&twice), &tgz(&package("run()"))))
        .try_into()
        .unwrap();
    assert_eq!(
        difference.explanation.as_deref(),
        Some("2 entries of this path published, 1 rebuilt")
    );
}

#[test]
fn a_version_stamp_is_explained_and_stays_a_difference() {
    let [difference] = differences(compared(
        NpmTarball,
        &tgz(&package("const version = \"1.2.4\";\n")),
        &tgz(&package("const version = \"1.2.3\";\n")),
    ))
    .try_into()
    .unwrap();
    assert_eq!(
        difference.explanation.as_deref(),
        Some("only an embedded version differs: `1.2.4` published, `1.2.3` rebuilt")
    );
}

#[test]
fn a_path_that_cannot_be_one_is_listed_where_it_can_do_no_harm() {
    let mut entries = package("run()");
    entries.push(file("package/../../evil.js", b"steal()"));
    let [evil, archive] = differences(compared(
        NpmTarball,
        &tgz(&entries),
        &tgz(&package("run()")),
    ))
    .try_into()
    .unwrap();
    assert_eq!(evil.path.as_str(), "%2E%2E/%2E%2E/evil.js");
    assert_eq!(archive.path.as_str(), "(archive)");
}

#[test]
fn an_archive_that_cannot_be_read_is_named() {
    let good = tgz(&package("run()"));
    let bad = &good[..good.len() - 1];
    let side = |published: &[u8], rebuilt: &[u8]| {
        let error = compare(
            NpmTarball,
            &mut Cursor::new(published),
            &mut Cursor::new(rebuilt),
            &Options::default(),
        )
        .unwrap_err();
        match error {
            ArchiveError::Malformed { side, .. } => side,
            other => panic!("{other}"),
        }
    };
    assert_eq!(side(bad, &good), Side::Published);
    assert_eq!(side(&good, bad), Side::Rebuilt);
    assert_eq!(side(bad, bad), Side::Published);
}

#[test]
fn libraries_write_what_the_reader_takes_for_honest() {
    let mut builder = tar::Builder::new(Vec::new());
    let long = format!("package/{}/index.js", "d".repeat(120));
    for path in ["package/package.json", &long] {
        let mut header = tar::Header::new_gnu();
        header.set_size(2);
        header.set_mode(0o644);
        header.set_cksum();
        builder.append_data(&mut header, path, &b"{}"[..]).unwrap();
    }
    let by_library = gzip(&builder.into_inner().unwrap());
    let by_hand = tgz(&[
        file("package/package.json", b"{}"),
        pax(b'x', &[("path", long.as_bytes())]),
        file("package/cut", b"{}"),
    ]);
    let compared = compared(NpmTarball, &by_library, &by_hand);
    assert!(
        matches!(compared.comparison, Comparison::Equivalent { .. }),
        "{compared:#?}"
    );
    assert_eq!(compared.published_anomalies, []);
}

#[test]
fn zips_of_a_library_are_read_as_honest() {
    use std::io::Write as _;
    let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
    let entries = vec![stored("x.py", b"pass"), stored("y.py", b"")];
    let record = record(&entries);
    for (name, content) in [
        ("x.py", b"pass".as_slice()),
        ("y.py", b""),
        (RECORD, record.as_bytes()),
    ] {
        let options = zip::write::SimpleFileOptions::default()
            .large_file(name == "y.py")
            .unix_permissions(0o644);
        writer.start_file(name, options).unwrap();
        writer.write_all(content).unwrap();
    }
    let by_library = writer.finish().unwrap().into_inner();
    let compared = compared(Wheel, &by_library, &wheel(entries));
    assert!(
        matches!(compared.comparison, Comparison::Equivalent { .. }),
        "{compared:#?}"
    );
    assert_eq!(compared.published_anomalies, []);
}

#[test]
fn bytes_that_no_entry_owns_are_never_erased() {
    let entries = package("run()");
    let honest = tgz(&entries);
    let hidden = [
        [honest.clone(), b"hidden".to_vec()].concat(),
        [honest.clone(), gzip(b"")].concat(),
        gzip(&[tar(&entries), b"hidden".to_vec()].concat()),
    ];
    for hidden in hidden {
        for (published, rebuilt) in [(&hidden, &honest), (&honest, &hidden)] {
            let [difference] = differences(compared(NpmTarball, published, rebuilt))
                .try_into()
                .unwrap();
            assert_eq!(difference.path.as_str(), "(archive)");
        }
    }
    let honest = wheel(vec![stored("x.py", b"pass")]);
    let hidden = [b"#!/bin/sh\n".to_vec(), honest.clone()].concat();
    let [difference] = differences(compared(Wheel, &hidden, &honest))
        .try_into()
        .unwrap();
    assert!(difference.explanation.unwrap().contains("10 bytes"));
}

#[test]
fn a_file_that_an_install_hook_runs_ranks_above_code() {
    let entries = |script: &str| {
        tgz(&[
            file(
                "package/package.json",
                br#"{"scripts":{"postinstall":"node scripts/setup.js"}}"#,
            ),
            file("package/index.js", script.as_bytes()),
            file("package/scripts/setup.js", script.as_bytes()),
        ])
    };
    let found: Vec<_> = differences(compared(NpmTarball, &entries("steal()"), &entries("run()")))
        .into_iter()
        .map(|difference| (difference.path.to_string(), difference.class))
        .collect();
    assert_eq!(
        found,
        [
            ("scripts/setup.js".to_owned(), Class::InstallScript),
            ("index.js".to_owned(), Class::Executable),
        ]
    );
}

#[test]
fn within_a_class_what_nothing_explains_comes_first() {
    let entries = |a: &str, b: &str, version: &str| {
        tgz(&[
            file("package/package.json", b"{}"),
            file("package/a.js", a.as_bytes()),
            file("package/b.js", b.as_bytes()),
            file("package/README.md", version.as_bytes()),
        ])
    };
    let differences = differences(compared(
        NpmTarball,
        &entries("f( 'a' )", "evil()", "# y"),
        &entries("f(\"a\");", "good()", "# x"),
    ));
    let found: Vec<_> = differences
        .iter()
        .map(|one| (one.path.as_str(), one.explanation.as_deref()))
        .collect();
    assert_eq!(
        found,
        [
            ("b.js", None),
            ("a.js", Some("formatted differently: the same syntax tree")),
            ("README.md", None),
        ]
    );
}

#[test]
fn files_under_other_hashed_names_are_explained_and_stay_differences() {
    let entries = |chunk: &str, code: &str| {
        tgz(&[
            file("package/package.json", b"{}"),
            file("package/index.js", format!("import './{chunk}'").as_bytes()),
            file(&format!("package/{chunk}"), code.as_bytes()),
        ])
    };
    let explanations = |published: &[u8]| -> Vec<(String, Change, bool)> {
        differences(compared(
            NpmTarball,
            published,
            &entries("chunk-AAAAAAA1.js", "run()"),
        ))
        .into_iter()
        .map(|one| {
            (
                one.path.as_str().to_owned(),
                one.change,
                one.explanation.is_some(),
            )
        })
        .collect()
    };
    let expect = |explained| {
        [
            ("chunk-AAAAAAA1.js".to_owned(), Change::Removed, explained),
            ("chunk-BBBBBBB2.js".to_owned(), Change::Added, explained),
            ("index.js".to_owned(), Change::Changed, explained),
        ]
    };
    assert_eq!(
        explanations(&entries("chunk-BBBBBBB2.js", "run()")),
        expect(true)
    );
    assert_eq!(
        explanations(&entries("chunk-BBBBBBB2.js", "evil()")),
        expect(false)
    );
}

#[test]
fn what_runs_is_traced_file_by_file_and_explanations_trace_nothing() {
    let entries = |a: &str, hook: &str| {
        tgz(&[
            file(
                "package/package.json",
                br#"{"scripts":{"postinstall":"sh hook"}}"#,
            ),
            file("package/a.js", a.as_bytes()),
            file("package/b.js", b"12345"),
            file("package/hook", hook.as_bytes()),
            file("package/README.md", b"many words that do not run"),
        ])
    };
    let traced = |published: &[u8], rebuilt: &[u8]| {
        let traced = compared(NpmTarball, published, rebuilt).traced;
        (traced.traced_bytes, traced.executable_bytes)
    };
    let honest = entries("f(1);", "exit 0");
    assert_eq!(traced(&honest, &honest), (16, 16));
    assert_eq!(traced(&honest, &entries("f(1)", "exit 0")), (11, 16));
    assert_eq!(traced(&entries("f(1)", "exit 1"), &honest), (5, 15));
    let more = tgz(&[
        file("package/package.json", b"{}"),
        file("package/evil.js", b"1234567890"),
    ]);
    assert_eq!(traced(&more, &honest), (0, 10));
}

#[test]
fn an_interpreter_is_prepared_where_python_differs_and_asked_about_what_may_be_one_program() {
    let said = |name: &str, published: &str, rebuilt: &str| {
        let events = Arc::new(Mutex::new(Vec::new()));
        let (asked, prepared) = (Arc::clone(&events), Arc::clone(&events));
        let python = PythonSyntax::new(move |_, _| {
            asked.lock().unwrap().push("asked");
            Some(PythonLikeness::SameTree)
        })
        .prepared_by(move || prepared.lock().unwrap().push("prepared"));
        let files = |text: &str| {
            wheel(vec![
                stored(&format!("x/a.{name}"), text.as_bytes()),
                stored(&format!("x/b.{name}"), text.as_bytes()),
                stored("x/c.js", text.as_bytes()),
            ])
        };
        let compared = compare(
            Wheel,
            &mut Cursor::new(files(published)),
            &mut Cursor::new(files(rebuilt)),
            &Options {
                python: Some(python),
                ..Options::default()
            },
        )
        .unwrap();
        assert_eq!(differences(compared).len(), 3);
        let mut events = events.lock().unwrap().clone();
        events.sort_unstable();
        events
    };
    let comments = ("x = 1  # one\n", "x = 1  # two\n");
    assert_eq!(
        said("py", comments.0, comments.1),
        ["asked", "asked", "prepared"]
    );
    assert_eq!(said("rb", comments.0, comments.1), [""; 0]);
    for other in ["y = 1\n", "x = -1\n", "x = 1; z = 'a'\n"] {
        assert_eq!(said("py", "x = 1\n", other), ["prepared"], "{other}");
    }
    assert_eq!(said("py", "x = 'a'\n", "x = 'b'\n"), ["prepared"]);
    let crlf = "x = 1  # one\r\ny = 2\r\n";
    assert_eq!(said("py", crlf, &crlf.replace("\r\n", "\n")), ["prepared"]);
}

#[test]
fn attributes_for_all_entries_are_those_of_each() {
    let attribute = |value: &'static [u8]| pax(b'g', &[("SCHILY.xattr.user.x", value)]);
    let package = |headers: &[TarEntry]| {
        let mut entries = headers.to_vec();
        entries.extend(package("run()"));
        tgz(&entries)
    };
    let once = package(&[attribute(b"1")]);
    for (other, different) in [
        (package(&[attribute(b"1"), attribute(b"1")]), false),
        (package(&[attribute(b"2")]), true),
        (package(&[attribute(b"1"), attribute(b"2")]), true),
        (package(&[]), true),
    ] {
        let found = compared(NpmTarball, &other, &once).comparison;
        assert_eq!(matches!(found, Comparison::Different { .. }), different);
        if different {
            let differences = differences(compared(NpmTarball, &other, &once));
            assert_eq!(differences.len(), 3);
            assert!(differences.iter().all(|difference| {
                difference.explanation.as_deref()
                    == Some("attributes beside permissions differ, which some installers apply")
            }));
        }
    }
}

#[test]
fn records_for_all_entries_cost_nothing_with_each_entry_and_are_bounded_together() {
    // Hashed for each entry, this would be more than ten gigabytes.
    let large = vec![b'x'; 1_000_000];
    let mut entries = vec![pax(b'g', &[("x", &large)])];
    entries.extend((0..10_000).map(|number| file(&format!("package/{number}"), b"")));
    let other = entries.split_last().unwrap().1;
    let found = compared(NpmTarball, &tgz(&entries), &tgz(other));
    assert_eq!(found.entries.equal, 9_999);
    let twice = [pax(b'g', &[("y", &large)]), entries[0].clone()];
    match surveyed(NpmTarball, &tgz(&twice)) {
        Err(error @ ArchiveError::TooLarge { .. }) => {
            assert!(
                error
                    .to_string()
                    .contains("all global PAX headers together")
            );
        }
        other => panic!("{other:?}"),
    }
}
