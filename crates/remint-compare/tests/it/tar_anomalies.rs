//! Every anomaly of a tar, and the honest archive that it was made from.

use std::io::Cursor;

use remint_compare::{ArchiveError, Limits};
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
            file("package/?", b"x"),
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
    for kind in [b'3', b'4', b'6', b'Z'] {
        let entry = TarEntry::new(kind, b"package/x", b"");
        check(NpmTarball, &[entry], &[SpecialFile]);
    }
    // A long name for the next entry to some, an entry to others.
    let old = TarEntry::new(b'N', b"package/x", b"");
    check(NpmTarball, &[old], &[SpecialFile, HeaderDisagreement]);
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

/// Each archive has a header disagreement for the reason that stands beside it.
fn disagree(cases: Vec<(&str, Vec<TarEntry>)>) {
    for (reason, entries) in cases {
        let anomalies = surveyed(NpmTarball, &tgz(&entries)).unwrap().anomalies;
        assert!(
            anomalies.iter().any(|anomaly| {
                anomaly.kind == HeaderDisagreement && anomaly.detail.contains(reason)
            }),
            "{reason}: {anomalies:?}"
        );
    }
}

#[test]
fn numbers_that_npm_refuses_with_their_header() {
    let refused = "a number that npm's reader refuses";
    let x = || file("package/x", b"x");
    let comment = || pax(b'x', &[("comment", b"a")]);
    let long = |kind| TarEntry::new(kind, b"././@LongLink", b"package/x\0");
    // Beyond 2^53 - 1, another first byte, negative.
    let ids: [&[u8; 8]; 3] = [
        b"\x80\x20\0\0\0\0\0\0",
        b"\x81\0\0\0\0\0\0\0",
        b"\xff\xff\xff\xff\xff\xff\xff\xff",
    ];
    let times: [&[u8; 12]; 2] = [
        b"\x80\0\0\0\0\x20\0\0\0\0\0\0",
        b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff",
    ];
    for id in ids {
        for at in [108, 116] {
            disagree(vec![
                (refused, vec![x().put(at, id)]),
                (refused, vec![comment().put(at, id), x()]),
                (refused, vec![pax(b'g', &[]).put(at, id), x()]),
                (refused, vec![long(b'L').put(at, id), x()]),
                (refused, vec![long(b'K').put(at, id), x()]),
            ]);
        }
        disagree(vec![
            ("a device number", vec![x().put(329, id)]),
            ("a device number", vec![x().put(337, id)]),
        ]);
    }
    for time in times {
        disagree(vec![
            (refused, vec![x().put(136, time)]),
            (
                "bytes after the end of the name prefix",
                vec![x().put(476, time)],
            ),
        ]);
    }
    check(
        NpmTarball,
        &[x()
            .put(108, b"\x80\x1f\xff\xff\xff\xff\xff\xff")
            .put(136, b"\x80\0\0\0\0\0\0\0\x65\0\0\0")
            .put(329, b"0000000\0")
            .put(337, b"0000000\0")],
        &[],
    );
    disagree(vec![
        ("a device number", vec![x().put(329, b"none")]),
        (
            "a mode or size in base 256",
            vec![x().put(124, b"\x80\0\0\0\0\0\0\0\0\0\0\x01")],
        ),
        (
            "a mode or size in base 256",
            vec![x().put(100, b"\x80\0\0\0\0\0\x01\xa4")],
        ),
    ]);
}

#[test]
fn headers_that_some_readers_skip() {
    let x = || file("package/x", b"x");
    let mut unended = x();
    let sum = String::from_utf8(unended.header[148..154].to_vec()).unwrap();
    unended.header[148..156].copy_from_slice(format!("00{sum}").as_bytes());
    let unended_message = "a checksum that does not end within its field";
    let target = "a link target in the header of what is no link";
    let no_name = "a header without a name";
    disagree(vec![
        (unended_message, vec![unended]),
        (target, vec![x().put(157, b"y")]),
        (
            target,
            vec![
                TarEntry::new(b'L', b"././@LongLink", b"package/y\0").put(157, b"y"),
                x(),
            ],
        ),
        (no_name, vec![file("", b"").put(345, b"package/x")]),
        (
            no_name,
            vec![pax(b'x', &[("comment", b"a")]).put(0, &[0; 11]), x()],
        ),
    ]);
    // Some packers name a link in the extended header of a link.
    let extended = pax(b'x', &[("comment", b"a")]).put(157, b"PaxHeader");
    check(NpmTarball, &[extended, x()], &[]);
}

#[test]
fn records_that_readers_cut_differently() {
    let x = || file("package/x", b"x");
    let raw = |content: &[u8]| vec![TarEntry::new(b'x', b"PaxHeader/x", content), x()];
    disagree(vec![
        ("a leading zero", raw(b"019 path=package/y\n")),
        ("PAX `path` is stated twice", {
            raw(b"18 path=package/y\n18 path=package/z\n")
        }),
        ("PAX `` has no key", raw(b"5 =x\n")),
    ]);
    malformed(&tgz(&raw(b"+18 path=package/y\n")), "has no length");
    malformed(&tgz(&raw(b" 18 path=package/y\n")), "has no length");
    malformed(&tgz(&raw(b"\t18 path=package/y\n")), "has no length");
    malformed(&tgz(&raw(b"18 path=package/y\0")), "line feed");
}

#[test]
fn a_path_that_npm_can_lose_has_its_own_name_behind_it() {
    let long = format!("package/é{}", "d".repeat(120));
    let entries = |path: &str, own: &[u8]| {
        vec![
            pax(b'x', &[("path", path.as_bytes())]),
            TarEntry::new(b'0', own, b"x"),
        ]
    };
    for (path, own) in [
        ("package/é.js", "package/é.js".as_bytes()),
        ("package/é.js", b"package/?.js"),
        ("package/é.js", b"PaxHeader"),
        (&long, &long.as_bytes()[..99]),
        (&long, long.replace('é', "?").as_bytes().get(..100).unwrap()),
        ("package/cut.js", b"package/cu"),
    ] {
        check(NpmTarball, &entries(path, own), &[]);
    }
    let lost = "npm's reader can lose this PAX path";
    disagree(vec![
        (lost, entries("package/docs/é.js", b"package/index.js")),
        (lost, entries("package/index.jsé", b"package/index.js")),
    ]);
}

#[test]
fn records_whose_values_readers_take_differently() {
    let times: [(&str, &[&[u8]]); 4] = [
        ("mtime", &[b"", b"-1", b"1.", b"9007199254740992"]),
        ("atime", &[b"", b"1e3", b"0x10", b" 1", b"Infinity"]),
        ("ctime", &[b"", b"now", b"1.5.5", b"-1.5"]),
        ("LIBARCHIVE.creationtime", &[b"", b"hidden"]),
    ];
    let x = || file("package/x", b"x");
    let one = |kind, key: &str, value: &[u8]| vec![pax(kind, &[(key, value)]), x()];
    for kind in [b'x', b'g'] {
        for (key, values) in times {
            for value in values {
                disagree(vec![(
                    "is no time that all readers take alike",
                    one(kind, key, value),
                )]);
            }
        }
        for (key, value) in [
            ("size", &b""[..]),
            ("uid", b""),
            ("uid", b"9007199254740992"),
            ("gid", b""),
            ("gid", b"9007199254740992"),
        ] {
            disagree(vec![(
                "is no number that all readers take alike",
                one(kind, key, value),
            )]);
        }
        for key in ["path", "linkpath"] {
            disagree(vec![("is empty", one(kind, key, b""))]);
        }
    }
    for value in [&b"0x1"[..], b"1e0", b" 1", b"-1", b"1.0"] {
        malformed(&tgz(&one(b'x', "uid", value)), "is no number");
    }
}

#[test]
fn records_that_nothing_is_compared_with_say_what_their_keys_announce() {
    let x = || file("package/x", b"x");
    let one = |key: &str, value: &[u8]| vec![pax(b'x', &[(key, value)]), x()];
    for key in ["comment", "charset", "uname", "gname", "NODETAR.type"] {
        disagree(vec![
            ("holds a NUL", one(key, b"a\0b")),
            ("is too long", one(key, &[b'a'; 257])),
        ]);
        check(NpmTarball, &one(key, &[b'a'; 256]), &[]);
    }
    for key in ["SCHILY.dev", "SCHILY.ino", "SCHILY.nlink"] {
        disagree(vec![("is no number", one(key, b"hidden"))]);
        check(NpmTarball, &one(key, b"10414574138294810"), &[]);
    }
    for key in [
        "SCHILY.xattr.com.apple.provenance",
        "LIBARCHIVE.xattr.com.apple.quarantine",
    ] {
        disagree(vec![
            ("is too long", one(key, &[0; 257])),
            ("is too long", one(key, &[b'a'; 4097])),
        ]);
        check(NpmTarball, &one(key, b"\x01\x02\0\x9c\xd2"), &[]);
        check(NpmTarball, &one(key, &[b'a'; 600]), &[]);
    }
    disagree(vec![("a character set", one("hdrcharset", b"latin1"))]);
    check(NpmTarball, &one("hdrcharset", b"BINARY"), &[]);
    check(
        NpmTarball,
        &one("hdrcharset", b"ISO-IR 10646 2000 UTF-8"),
        &[],
    );
    check(
        NpmTarball,
        &[
            pax(
                b'x',
                &[
                    ("atime", b"1700000000.123456789"),
                    ("ctime", b"1700000000"),
                    ("LIBARCHIVE.creationtime", b"1700000000.5"),
                    ("uid", b"501"),
                ],
            ),
            x(),
        ],
        &[],
    );
}

#[test]
fn a_header_inside_a_comment() {
    // What node-tar takes for the next header as soon as it refuses the one of these records.
    let inner = tar(&[file("package/index.js", b"steal()")]);
    let mut comment = vec![b' '; 512 - "1549 comment=".len()];
    comment.extend_from_slice(&inner[..1024]);
    let header = pax(b'x', &[("comment", &comment)]);
    assert_eq!(header.content[512..600], inner[..88]);
    disagree(vec![
        (
            "PAX `comment` holds a NUL",
            [vec![header.clone()], honest()].concat(),
        ),
        ("a number that npm's reader refuses", {
            let header = header.put(108, b"\x81\0\0\0\0\0\0\0");
            [vec![header], honest()].concat()
        }),
    ]);
}

#[test]
fn headers_that_stand_between_an_entry_and_its_description() {
    let x = || file("package/x", b"x");
    let long = |kind| TarEntry::new(kind, b"././@LongLink", b"package/y\0");
    let records = || pax(b'x', &[("size", b"1")]);
    let mixed = "PAX and GNU headers for one entry";
    let global = "a global PAX header between";
    disagree(vec![
        (mixed, vec![records(), long(b'L'), x()]),
        (mixed, vec![records(), long(b'K'), x()]),
        (mixed, vec![long(b'L'), records(), x()]),
        (global, vec![records(), pax(b'g', &[]), x()]),
        (global, vec![long(b'L'), pax(b'g', &[]), x()]),
        ("an extended header without an entry", vec![x(), long(b'K')]),
    ]);
    check(NpmTarball, &[long(b'K'), long(b'L'), x()], &[]);
    // Readers in Rust write these as files, and then the next entry under its own name.
    let file_to_some = "that some readers take for a file";
    for magic in [[0; 8], *b"ustar\0\0\0"] {
        disagree(vec![
            (file_to_some, vec![records().put(257, &magic), x()]),
            (file_to_some, vec![long(b'L').put(257, &magic), x()]),
            (file_to_some, vec![long(b'K').put(257, &magic), x()]),
            (file_to_some, vec![pax(b'g', &[]).put(257, &magic), x()]),
        ]);
    }
    disagree(vec![(
        file_to_some,
        vec![pax(b'X', &[("size", b"1")]), x()],
    )]);
    check(NpmTarball, &[records().put(257, b"ustar  \0"), x()], &[]);
    for content in [&b""[..], b"\0", b"package/y\0/z\0"] {
        let entry = TarEntry::new(b'K', b"././@LongLink", content);
        disagree(vec![(
            "a long name that is empty or holds a NUL",
            vec![entry, x()],
        )]);
    }
}

#[test]
fn names_that_make_a_directory_for_some_readers() {
    let named = |kind, name: &[u8]| TarEntry::new(kind, name, b"");
    let path = |path: &[u8]| pax(b'x', &[("path", path)]);
    let clash = "a directory by one of its names, a file by another";
    disagree(vec![
        (clash, vec![path(b"package/x/"), named(0, b"package/x")]),
        (clash, vec![path(b"package/x"), named(0, b"package/x/")]),
        ("but it is no directory", vec![named(b'7', b"package/x/")]),
        ("but it is no directory", vec![named(b'2', b"package/x/")]),
    ]);
    check(
        NpmTarball,
        &[
            named(0, b"package/d/"),
            named(0, b"package/x"),
            named(b'7', b"package/y"),
        ],
        &[],
    );
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
    let limits = |change: fn(&mut Limits)| {
        let mut limits = Limits::default();
        change(&mut limits);
        let bytes = tgz(&[
            file("package/a", &[0; 5000]),
            file("package/b", b""),
            pax(b'x', &[("path", &[b'a'; 300])]),
            file("package/c", b""),
        ]);
        remint_compare::survey(NpmTarball, &mut Cursor::new(bytes), &limits)
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

#[test]
fn what_describes_entries_is_bounded_for_one_and_for_all() {
    let x = || file("package/x", b"x");
    let records = |size: usize| pax(b'x', &[("comment", &vec![b'c'; size])]);
    let survey = |entries: &[TarEntry], limits: &Limits| {
        remint_compare::survey(NpmTarball, &mut Cursor::new(tgz(entries)), limits)
    };
    let limits = Limits {
        extended_header: 3000,
        extended_headers: 5000,
        ..Limits::default()
    };
    let fits = [records(2000), x(), records(2000), x()];
    assert!(survey(&fits, &limits).is_ok());
    for (entries, why) in [
        (vec![records(2000), records(2000), x()], "one entry"),
        (
            vec![records(2000), x(), records(2000), x(), records(2000), x()],
            "all PAX headers together",
        ),
        (
            [vec![TarEntry::new(b'L', b"l", b"package/y"); 17], vec![x()]].concat(),
            "describe one entry",
        ),
    ] {
        let error = survey(&entries, &limits).unwrap_err();
        assert!(error.to_string().contains(why), "{error}");
    }
}
