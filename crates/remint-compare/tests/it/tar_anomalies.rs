//! Every anomaly of a tar, and the honest archive that it was made from.

use remint_compare::ArchiveError;
use remint_model::AnomalyKind::{self, *};
use remint_model::ArtifactFormat::{self, NpmTarball, Sdist};

use crate::making::*;

fn check(format: ArtifactFormat, entries: &[TarEntry], expect: &[AnomalyKind]) {
    assert_eq!(kinds(format, &tgz(entries)), expect);
}

fn malformed(bytes: &[u8], reason: &str) {
    match surveyed(NpmTarball, bytes) {
        Err(error @ ArchiveError::Malformed { .. }) => {
            assert!(error.to_string().contains(reason), "{error}");
        }
        other => panic!("{other:?}"),
    }
}

fn honest() -> Vec<TarEntry> {
    vec![
        file("package/package.json", b"{}"),
        file("package/index.js", b"run()").mode(0o755),
    ]
}

#[test]
fn honest_archives_have_none() {
    check(NpmTarball, &honest(), &[]);
    check(
        NpmTarball,
        &[
            pax(b'g', &[("comment", b"9a96ea6e5913")]),
            pax(b'x', &[("path", "package/é".as_bytes()), ("mtime", b"1.5")]),
            file("package/cut", b"x"),
            TarEntry::new(b'L', b"././@LongLink", b"package/long\0"),
            file("package/lon", b"x"),
        ],
        &[],
    );
    let times = file("package/x", b"").put(476, b"15123456701 15123456701 ");
    check(NpmTarball, &[times], &[]);
    check(
        Sdist,
        &[
            directory("x-1/").mode(0o2755),
            file("x-1/PKG-INFO", b"Name: x\nVersion: 1\n"),
            directory("x-1/a"),
            file("x-1/a/b", b""),
            link(b'2', "x-1/a/c", "b"),
            link(b'2', "x-1/a/d", "../PKG-INFO"),
            link(b'1', "x-1/a/e", "x-1/a/b"),
        ],
        &[],
    );
}

#[test]
fn one_path_twice() {
    let mut entries = honest();
    entries.push(file("package/index.js", b"steal()"));
    check(NpmTarball, &entries, &[DuplicateEntry]);
    entries.pop();
    entries.push(file("package/./index.js", b"steal()"));
    check(NpmTarball, &entries, &[DuplicateEntry]);
}

#[test]
fn entries_of_different_top_folders_meet_in_npm() {
    let mut entries = honest();
    entries.push(file("other/index.js", b"steal()"));
    check(NpmTarball, &entries, &[DuplicateEntry, ForeignTopFolder]);
    entries.pop();
    entries.push(file("stray.js", b"steal()"));
    check(NpmTarball, &entries, &[ForeignTopFolder]);
}

#[test]
fn an_npm_tarball_may_have_any_one_folder_and_an_sdist_only_its_own() {
    check(NpmTarball, &[file("node-x/package.json", b"{}")], &[]);
    check(
        Sdist,
        &[
            file("x-1/PKG-INFO", b"Name: x\nVersion: 1\n"),
            file("x-1/a", b""),
            file("y/a", b""),
        ],
        &[ForeignTopFolder],
    );
    check(
        Sdist,
        &[file("y-1/PKG-INFO", b"Name: x\nVersion: 1\n")],
        &[ForeignTopFolder],
    );
}

#[test]
fn paths_that_lead_elsewhere() {
    for name in [
        "package/../../x",
        "package/..",
        "/package/x",
        "./package/x",
        "package/a\\b",
        "package/a\nb",
        "package/C:/x",
    ] {
        let found = kinds(NpmTarball, &tgz(&[file(name, b"")]));
        assert!(found.contains(&PathTraversal), "{name}: {found:?}");
    }
    let long = pax(b'x', &[("path", b"package/../../x")]);
    check(
        NpmTarball,
        &[long, file("package/x", b"")],
        &[PathTraversal],
    );
    let name = b"package/\xff";
    check(
        NpmTarball,
        &[TarEntry::new(b'0', name, b"")],
        &[PathTraversal],
    );
}

#[test]
fn names_that_collide_on_some_file_systems() {
    for (one, other) in [("a.js", "A.js"), ("é", "e\u{301}"), ("straße", "STRASSE")] {
        let entries = [
            file(&format!("package/{one}"), b"1"),
            file(&format!("package/{other}"), b"2"),
        ];
        check(NpmTarball, &entries, &[CaseTwins]);
    }
}

#[test]
fn links_in_npm_and_links_out_of_an_sdist() {
    check(
        NpmTarball,
        &[
            file("package/a", b""),
            link(b'2', "package/b", "a"),
            link(b'1', "package/c", "package/a"),
        ],
        &[LinkEntry],
    );
    for (kind, target) in [
        (b'2', "/etc/passwd"),
        (b'2', "../../x"),
        (b'2', "a/../../../x"),
        (b'1', "/etc/passwd"),
        (b'1', "../x"),
        (b'1', "y/x"),
    ] {
        let entries = [file("x-1/a/z", b""), link(kind, "x-1/a/b", target)];
        check(Sdist, &entries, &[LinkEntry]);
    }
    check(
        Sdist,
        &[
            link(b'2', "x-1/a", "b"),
            file("x-1/a/c", b"through the link"),
        ],
        &[LinkEntry],
    );
}

#[test]
fn special_files_and_types_nobody_knows() {
    for kind in [b'3', b'4', b'6', b'Z', b'N'] {
        let entry = TarEntry::new(kind, b"package/x", b"");
        check(NpmTarball, &[entry], &[SpecialFile]);
    }
    let sparse = TarEntry::new(b'S', b"package/x", b"");
    check(NpmTarball, &[sparse], &[UnreadableEntry]);
}

#[test]
fn special_mode_bits() {
    for mode in [0o4755, 0o2755, 0o1755] {
        check(
            NpmTarball,
            &[file("package/x", b"").mode(mode)],
            &[SpecialModeBits],
        );
    }
    check(
        Sdist,
        &[file("x-1/a/b", b""), directory("x-1/a").mode(0o4755)],
        &[SpecialModeBits],
    );
}

#[test]
fn a_file_that_is_a_directory_too() {
    check(
        NpmTarball,
        &[file("package/a", b""), file("package/a/b", b"")],
        &[FileDirectoryClash],
    );
    check(
        Sdist,
        &[file("x-1/a", b""), directory("x-1/a")],
        &[FileDirectoryClash],
    );
}

#[test]
fn bytes_after_the_end() {
    let mut bytes = tar(&honest());
    bytes.extend_from_slice(&[0; 8192]);
    assert_eq!(kinds(NpmTarball, &gzip(&bytes)), []);
    bytes.extend_from_slice(b"hidden");
    assert_eq!(kinds(NpmTarball, &gzip(&bytes)), [SuffixBytes]);
    bytes.extend(tar(&honest()));
    assert_eq!(kinds(NpmTarball, &gzip(&bytes)), [SuffixBytes]);

    let mut bytes = tgz(&honest());
    bytes.extend_from_slice(b"hidden");
    assert_eq!(kinds(NpmTarball, &bytes), [SuffixBytes]);
}

#[test]
fn a_second_gzip_member() {
    let whole = tar(&honest());
    let mut bytes = gzip(&whole);
    bytes.extend(gzip(b""));
    assert_eq!(kinds(NpmTarball, &bytes), [TrailingGzipMember]);
    // Readers that know only one member would see half of the tar.
    let (one, other) = whole.split_at(1024);
    let bytes = [gzip(one), gzip(other)].concat();
    assert_eq!(kinds(NpmTarball, &bytes), [TrailingGzipMember]);
    assert_eq!(surveyed(NpmTarball, &bytes).unwrap().entries.len(), 2);
}

#[test]
fn bytes_that_no_entry_owns() {
    let mut entry = file("package/x", b"x");
    entry.padding = b'!';
    check(NpmTarball, &[entry], &[GapBytes]);

    let [one, other] = honest().try_into().unwrap_or_else(|_| panic!());
    let zeros = {
        let mut bytes = tar(&[one]);
        bytes.truncate(bytes.len() - 512);
        bytes
    };
    let bytes = [zeros, tar(&[other])].concat();
    assert_eq!(kinds(NpmTarball, &gzip(&bytes)), [GapBytes]);
}

#[test]
fn headers_that_readers_understand_differently() {
    let x = || file("package/x", b"x");
    let cases: Vec<(&str, Vec<TarEntry>)> = vec![
        (
            "size in PAX and header",
            vec![pax(b'x', &[("size", b"1")]), x().size(0)],
        ),
        (
            "two PAX headers",
            vec![
                pax(b'x', &[("path", b"package/y")]),
                pax(b'x', &[("mtime", b"1")]),
                x(),
            ],
        ),
        (
            "PAX against GNU",
            vec![
                pax(b'x', &[("path", b"package/y")]),
                TarEntry::new(b'L', b"././@LongLink", b"package/z\0"),
                x(),
            ],
        ),
        (
            "two long names",
            vec![
                TarEntry::new(b'L', b"././@LongLink", b"package/y\0"),
                TarEntry::new(b'L', b"././@LongLink", b"package/z\0"),
                x(),
            ],
        ),
        (
            "global path",
            vec![pax(b'g', &[("path", b"package/y")]), x()],
        ),
        (
            "line feed in a record",
            vec![pax(b'x', &[("comment", b"a\n18 path=package/y")]), x()],
        ),
        ("hidden bytes after the name", vec![x().put(20, b"/y")]),
        (
            "prefix in a GNU header",
            vec![x().put(257, b"ustar  \0").put(345, b"evil")],
        ),
        ("hidden bytes after the prefix", vec![x().put(480, b"/y")]),
        ("directory with a size", {
            vec![directory("package/d/").size(5)]
        }),
        (
            "regular file named as directory",
            vec![file("package/d/", b"")],
        ),
        (
            "header for nothing",
            vec![x(), pax(b'x', &[("path", b"package/y")])],
        ),
    ];
    for (name, entries) in cases {
        let found = kinds(NpmTarball, &tgz(&entries));
        assert!(found.contains(&HeaderDisagreement), "{name}: {found:?}");
    }
}

#[test]
fn broken_archives_are_errors_with_a_reason() {
    malformed(b"", "gzip header is cut off");
    malformed(b"PK\x03\x04........", "not a gzip stream");
    let whole = tgz(&honest());
    malformed(&whole[..whole.len() / 2], "cut off");
    malformed(&whole[..whole.len() - 4], "gzip trailer is cut off");
    let mut wrong = whole.clone();
    let at = wrong.len() - 8;
    wrong[at] ^= 1;
    malformed(&wrong, "checksum does not match");

    let mut entry = file("package/x", b"x");
    entry.header[0] = b'q';
    malformed(&tgz(&[entry]), "checksum does not match");
    malformed(
        &tgz(&[file("package/x", b"x").size(9999)]),
        "entry is cut off",
    );
    malformed(&gzip(&[1; 100]), "tar header is cut off");
    malformed(
        &tgz(&[file("package/x", b"x").put(124, b"-1")]),
        "no valid size",
    );
    let entry = TarEntry::new(b'x', b"x", b"no records");
    malformed(&tgz(&[entry, file("package/x", b"")]), "PAX record");
}

#[test]
fn limits_are_errors_too() {
    let limits = |change: fn(&mut remint_compare::Limits)| {
        let mut limits = remint_compare::Limits::default();
        change(&mut limits);
        let bytes = tgz(&[
            file("package/a", &[0; 5000]),
            file("package/b", b""),
            pax(b'x', &[("path", &[b'a'; 300])]),
            file("package/c", b""),
        ]);
        remint_compare::survey(NpmTarball, &mut std::io::Cursor::new(bytes), &limits)
            .map(|_| ())
            .map_err(|error| error.to_string())
    };
    assert!(
        limits(|l| l.unpacked = 4000)
            .unwrap_err()
            .contains("exceeds 4000")
    );
    assert!(
        limits(|l| l.entries = 2)
            .unwrap_err()
            .contains("more than 2 entries")
    );
    assert!(
        limits(|l| l.name = 200)
            .unwrap_err()
            .contains("an entry's name")
    );
    assert!(limits(|l| l.names = 20).unwrap_err().contains("all names"));
    assert!(
        limits(|l| l.extended_header = 99)
            .unwrap_err()
            .contains("PAX header")
    );
    assert_eq!(limits(|_| ()), Ok(()));
    let deep = format!("package/{}", "d/".repeat(40) + &"e/".repeat(5));
    let deep = pax(b'x', &[("path", deep.repeat(6).as_bytes())]);
    malformed(&tgz(&[deep, file("package/x", b"")]), "directories deep");
}
