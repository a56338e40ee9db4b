//! What installers do in different ways, or by what no content shows: never equivalent to an honest archive.

use std::io::Cursor;

use remint_compare::{ArchiveError, Options, compare};
use remint_model::ArtifactFormat::{self, Crate, Mcpb, NpmTarball, Sdist, Wheel};
use remint_model::{Class, Comparison, Difference};

use crate::making::*;

fn held(
    format: ArtifactFormat,
    published: &[u8],
    rebuilt: &[u8],
) -> Result<Comparison, ArchiveError> {
    let (mut published, mut rebuilt) = (Cursor::new(published), Cursor::new(rebuilt));
    let options = Options::default();
    compare(format, &mut published, &mut rebuilt, &options).map(|compared| compared.comparison)
}

/// What differs, whichever of the two is the published one.
fn differ(format: ArtifactFormat, one: &[u8], other: &[u8]) -> Vec<Difference> {
    let of = |published, rebuilt| match held(format, published, rebuilt).unwrap() {
        Comparison::Different { differences, .. } => differences,
        other => panic!("{other:#?}"),
    };
    assert!(!of(other, one).is_empty());
    of(one, other)
}

fn equal(format: ArtifactFormat, one: &[u8], other: &[u8]) {
    let found = held(format, one, other).unwrap();
    assert!(matches!(found, Comparison::Equivalent { .. }), "{found:#?}");
}

#[test]
fn numbers_in_tars_stand_behind_spaces_alone() {
    let entry = file("package/a.js", b"run()");
    let blank = |blank: u8| {
        let size = [&[blank], &b"0000000005\0"[..]].concat();
        tgz(&[entry.clone().put(124, &size)])
    };
    equal(NpmTarball, &blank(b' '), &tgz(std::slice::from_ref(&entry)));
    for white_space in *b"\t\r\n\x0c" {
        let found = held(
            NpmTarball,
            &blank(white_space),
            &tgz(std::slice::from_ref(&entry)),
        );
        assert!(
            matches!(found, Err(ArchiveError::Malformed { .. })),
            "{found:?}"
        );
    }
}

#[test]
fn a_zip64_field_says_no_more_than_it_has_to() {
    let plain = stored("a.py", b"pass");
    let zip64 = |values: &[u64]| {
        let length = u16::try_from(8 * values.len()).unwrap();
        let mut field = [1_u16.to_le_bytes(), length.to_le_bytes()].concat();
        field.extend(values.iter().flat_map(|value| value.to_le_bytes()));
        ZipEntry {
            size: u32::MAX,
            extra: field,
            ..plain.clone()
        }
    };
    let honest = zip(std::slice::from_ref(&plain));
    // Libraries write it so, and installers of wheels read it; the unpacker of bundles does not.
    equal(Wheel, &zip(&[zip64(&[4])]), &honest);
    differ(Mcpb, &zip(&[zip64(&[4])]), &honest);
    // The rest is size and place to some.
    differ(Wheel, &zip(&[zip64(&[4, 7, 30])]), &honest);
}

#[test]
fn a_name_is_its_plain_path_or_another_name() {
    let named = |name: &str| tgz(&[file("package/b.js", b""), file(name, b"run()")]);
    for (one, other) in [
        ("package/index.js", "package/./index.js"),
        ("package/index.js", "package//index.js"),
        ("package/x/index.js", "package///x/index.js"),
        ("package/%5Cindex.js", "package/\\index.js"),
        ("package/C%3Aindex.js", "package/C:index.js"),
        ("package/x%0A.js", "package/x\n.js"),
        ("other/index.js", "package\\dist/index.js"),
    ] {
        let differences = differ(NpmTarball, &named(one), &named(other));
        let class = differences.first().map(|difference| difference.class);
        assert_eq!(class, Some(Class::Executable), "{differences:#?}");
    }
    let wheel = |name: &str| zip(&[stored(name, b"import x"), stored("a.py", b"")]);
    let name = "a-1.data/purelib/x.pth";
    let differences = differ(Wheel, &wheel(name), &wheel(&format!("./{name}")));
    assert_eq!(differences[0].class, Class::Startup);
    // A directory may end with its slash or without.
    let folder = |name: &str| tgz(&[directory(name), file("package/a/b.js", b"")]);
    equal(NpmTarball, &folder("package/a/"), &folder("package/a"));
}

#[test]
fn order_counts_where_an_entry_leads_others_elsewhere() {
    let both = |format, entries: [TarEntry; 3]| {
        let [first, one, other] = entries;
        let ordered = [first.clone(), one.clone(), other.clone()];
        (format, tgz(&ordered), tgz(&[first, other, one]))
    };
    let cases = [
        both(
            NpmTarball,
            [
                file("package/a", b""),
                file("package/lib", b"evil()"),
                file("package/lib/index.js", b"good()"),
            ],
        ),
        both(
            Sdist,
            [
                file("v-1/x/__init__.py", b"good()"),
                link(b'2', "v-1/s", "x"),
                file("v-1/s/__init__.py", b"evil()"),
            ],
        ),
        both(
            Crate,
            [
                file("v-1/lib.rs", b"good()"),
                link(b'1', "v-1/x.rs", "v-1/lib.rs"),
                file("v-1/y.rs", b"evil()"),
            ],
        ),
        both(
            NpmTarball,
            [
                file("package/a", b""),
                TarEntry::new(b'N', b"package/long", b"package/index.js"),
                file("package/index.js", b"run()"),
            ],
        ),
    ];
    for (format, one, other) in cases {
        differ(format, &one, &other);
    }
    let (format, one, other) = both(
        NpmTarball,
        [
            file("package/a", b""),
            file("package/b", b""),
            file("package/c", b""),
        ],
    );
    equal(format, &one, &other);
}

#[test]
fn times_count_where_a_build_before_is_brought_along() {
    let sdist = |built: &str, time: u64| {
        tgz(&[
            file("v-1/v/__init__.py", b"good()").mtime(1000),
            file(built, b"evil()").mtime(time),
        ])
    };
    let left = "v-1/build/lib/v/__init__.py";
    let differences = differ(Sdist, &sdist(left, 2000), &sdist(left, 500));
    assert_eq!(differences[0].class, Class::Executable);
    let kept = "v-1/build/release.py";
    equal(Sdist, &sdist(kept, 2000), &sdist(kept, 500));
}

#[test]
fn who_may_execute_is_kept_where_installers_differ() {
    let program = |mode: u32| tgz(&[file("v-1/configure", b"#!/bin/sh").mode(mode)]);
    equal(Sdist, &program(0o755), &program(0o700));
    differ(Sdist, &program(0o755), &program(0o645));
    let of_type = |external: u32| {
        zip(&[ZipEntry {
            external: external << 16,
            ..stored("v/tool", b"#!/bin/sh")
        }])
    };
    differ(Wheel, &of_type(0o100_755), &of_type(0o755));
    equal(Wheel, &of_type(0o100_644), &of_type(0o644));
}

#[test]
fn the_checksum_of_a_gzip_header_has_to_be_right() {
    let honest = tgz(&[file("package/a.js", b"run()")]);
    let with = |wrong: u8| {
        let mut header = honest[..10].to_vec();
        header[3] |= 2;
        let mut crc = flate2::Crc::new();
        crc.update(&header);
        let [low, high, ..] = crc.sum().to_le_bytes();
        [&header[..], &[low ^ wrong, high], &honest[10..]].concat()
    };
    equal(NpmTarball, &with(0), &honest);
    let found = held(NpmTarball, &with(1), &honest);
    assert!(
        matches!(found, Err(ArchiveError::Malformed { .. })),
        "{found:?}"
    );
}

#[test]
fn an_archive_in_an_archive_is_no_second_archive() {
    let inner = zip(&[stored("x", b"x")]);
    let outer = |time: u16, content: &[u8]| {
        zip(&[ZipEntry {
            time,
            ..stored("lib/inner.whl", content)
        }])
    };
    equal(Mcpb, &outer(1, &inner), &outer(0, &inner));
    // One that claims all of the rest as its comment is.
    let rest = outer(0, &inner).len() - 30 - "lib/inner.whl".len() - inner.len();
    let mut claiming = inner;
    let comment = u16::try_from(rest).unwrap().to_le_bytes();
    let end = claiming.len();
    claiming[end - 2..].copy_from_slice(&comment);
    differ(Mcpb, &outer(1, &claiming), &outer(0, &claiming));
}
