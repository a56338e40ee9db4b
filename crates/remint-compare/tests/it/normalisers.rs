//! Every normaliser: a pair that it makes equal, by its own name, and pairs that it must not.

use std::collections::BTreeSet;
use std::io::Cursor;

use remint_compare::normalise::ALL;
use remint_compare::{Erasing, Options, compare};
use remint_model::ArtifactFormat::{self, Mcpb, NpmTarball, Sdist, Wheel};
use remint_model::Comparison;

use crate::making::*;

/// Two archives and what their comparison must say.
struct Pair {
    normaliser: &'static str,
    format: ArtifactFormat,
    published: Vec<u8>,
    rebuilt: Vec<u8>,
}

fn pair(
    normaliser: &'static str,
    format: ArtifactFormat,
    published: Vec<u8>,
    rebuilt: Vec<u8>,
) -> Pair {
    Pair {
        normaliser,
        format,
        published,
        rebuilt,
    }
}

fn compared(pair: &Pair) -> Comparison {
    compare(
        pair.format,
        &mut Cursor::new(&pair.published),
        &mut Cursor::new(&pair.rebuilt),
        &Options::default(),
    )
    .unwrap()
    .comparison
}

fn npm(files: &[TarEntry]) -> Vec<u8> {
    tgz(files)
}

fn index() -> TarEntry {
    file("package/index.js", b"run()")
}

fn manifest() -> TarEntry {
    file("package/package.json", b"{}")
}

fn map(content: &str) -> Vec<u8> {
    npm(&[file("package/dist/a.js.map", content.as_bytes())])
}

fn wheel_file(content: &str) -> Vec<u8> {
    wheel(vec![stored("x-1.dist-info/WHEEL", content.as_bytes())])
}

fn sdist(path: &str, content: &str) -> Vec<u8> {
    tgz(&[file(&format!("x-1/{path}"), content.as_bytes())])
}

fn equal_pairs() -> Vec<Pair> {
    let mut other_gzip = npm(&[index()]);
    other_gzip[9] = 19;
    vec![
        pair(
            "entry-order",
            NpmTarball,
            npm(&[index(), manifest()]),
            npm(&[manifest(), index()]),
        ),
        pair(
            "directory-entries",
            Sdist,
            tgz(&[directory("x-1/a"), file("x-1/a/b", b"")]),
            tgz(&[file("x-1/a/b", b"")]),
        ),
        pair(
            "top-folder",
            NpmTarball,
            npm(&[file("node-x/package.json", b"{}")]),
            npm(&[manifest()]),
        ),
        pair(
            "timestamps",
            NpmTarball,
            npm(&[index().mtime(1)]),
            npm(&[index().mtime(2)]),
        ),
        pair(
            "timestamps",
            Wheel,
            zip(&recorded(vec![])),
            zip(&recorded(vec![])
                .into_iter()
                .map(|entry| ZipEntry { time: 99, ..entry })
                .collect::<Vec<_>>()),
        ),
        pair(
            "owners",
            NpmTarball,
            npm(&[index().owner(501, "matt")]),
            npm(&[index()]),
        ),
        pair(
            "mode-bits",
            NpmTarball,
            npm(&[index().mode(0o664)]),
            npm(&[index().mode(0o600)]),
        ),
        pair(
            "mode-bits",
            NpmTarball,
            npm(&[index().mode(0o775)]),
            npm(&[index().mode(0o744)]),
        ),
        pair(
            "tar-header-encoding",
            NpmTarball,
            npm(&[index().put(257, b"ustar  \0")]),
            npm(&[index()]),
        ),
        pair(
            "tar-header-encoding",
            NpmTarball,
            npm(&[pax(b'x', &[("path", b"package/index.js")]), index()]),
            npm(&[index()]),
        ),
        pair(
            "tar-header-encoding",
            NpmTarball,
            npm(&[pax(b'g', &[("comment", b"9a96ea6e")]), index()]),
            npm(&[index()]),
        ),
        pair(
            "tar-header-encoding",
            NpmTarball,
            gzip(&[tar(&[index()]), vec![0; 8192]].concat()),
            npm(&[index()]),
        ),
        pair("gzip-encoding", NpmTarball, other_gzip, npm(&[index()])),
        pair(
            "bundle-signature",
            Mcpb,
            signed(bundle(), b"somebody"),
            bundle(),
        ),
        pair(
            "bundle-signature",
            Mcpb,
            signed(bundle(), b"somebody"),
            signed(bundle(), b"somebody else"),
        ),
        pair(
            "timestamps",
            Mcpb,
            zip(&[ZipEntry {
                time: 12 << 11,
                ..stored("manifest.json", b"{}")
            }]),
            zip(&[stored("manifest.json", b"{}")]),
        ),
        pair(
            "zip-metadata",
            Mcpb,
            zip(&[deflated("manifest.json", b"{}")]),
            zip(&[stored("manifest.json", b"{}")]),
        ),
        pair(
            "zip-metadata",
            Wheel,
            wheel(vec![stored("x.py", b"pass")]),
            wheel(vec![deflated("x.py", b"pass")]),
        ),
        pair(
            "zip-metadata",
            Wheel,
            zip(&recorded(vec![ZipEntry {
                made_by: 0x0014,
                ..stored("x.py", b"pass")
            }])),
            wheel(vec![stored("x.py", b"pass")]),
        ),
        pair(
            "zip-metadata",
            Wheel,
            zip_with_comment(&recorded(vec![]), b"comment"),
            zip(&recorded(vec![])),
        ),
        pair(
            "wheel-record",
            Wheel,
            {
                let entries = vec![stored("a.py", b"1"), stored("b.py", b"2")];
                let record = record(&entries)
                    .lines()
                    .rev()
                    .collect::<Vec<_>>()
                    .join("\r\n");
                zip(&[entries, vec![stored(RECORD, record.as_bytes())]].concat())
            },
            {
                let entries = vec![stored("a.py", b"1"), stored("b.py", b"2")];
                let record = record(&entries);
                zip(&[entries, vec![stored(RECORD, record.as_bytes())]].concat())
            },
        ),
        pair(
            "wheel-generator",
            Wheel,
            wheel_file("Wheel-Version: 1.0\nGenerator: hatchling 1.27.0\nTag: py3-none-any\n"),
            wheel_file("Wheel-Version: 1.0\nGenerator: hatchling 1.28.0\nTag: py3-none-any\n"),
        ),
        pair(
            "wheel-generator",
            Wheel,
            wheel_file("Generator: setuptools (75.8.0)\n"),
            wheel_file("Generator: setuptools (80.9.0)\n"),
        ),
        pair(
            "setuptools-sdist-metadata",
            Sdist,
            sdist("x.egg-info/SOURCES.txt", "b.py\r\na.py\r\n"),
            sdist("x.egg-info/SOURCES.txt", "a.py\nb.py\n"),
        ),
        pair(
            "setuptools-sdist-metadata",
            Sdist,
            sdist(
                "setup.cfg",
                "[metadata]\nname = x\n\n[egg_info]\ntag_build = \ntag_date = 0\n\n",
            ),
            sdist("setup.cfg", "[metadata]\nname = x\n"),
        ),
        pair(
            "source-map-paths",
            NpmTarball,
            map(
                r#"{"version":3,"file":"/Users/m/p/dist/a.js","sources":["/Users/m/p/src/a.ts"],"mappings":"AAAA"}"#,
            ),
            map(
                r#"{"version":3,"file":"/build/dist/a.js","sources":["/build/src/a.ts"],"mappings":"AAAA"}"#,
            ),
        ),
        pair(
            "source-map-paths",
            NpmTarball,
            map(
                r#"{"version":3,"sourceRoot":"file:///Users/m/p/src","sources":["/Users/m/p/src/b/a.ts"],"mappings":"AAAA"}"#,
            ),
            map(
                r#"{"version":3,"sourceRoot":"file:///build/src","sources":["/build/src/b/a.ts"],"mappings":"AAAA"}"#,
            ),
        ),
    ]
}

/// A bundle of one file.
fn bundle() -> Vec<u8> {
    zip(&[stored("manifest.json", b"{}")])
}

fn signed(zip: Vec<u8>, signature: &[u8]) -> Vec<u8> {
    [zip, signature_block(signature)].concat()
}

fn adversarial_pairs() -> Vec<Pair> {
    vec![
        // Bytes that no block accounts for, beside one that is well-formed.
        pair(
            "bundle-signature",
            Mcpb,
            signed([bundle(), b"more".to_vec()].concat(), b"somebody"),
            bundle(),
        ),
        pair(
            "bundle-signature",
            Mcpb,
            signed(signed(bundle(), b"somebody"), b"somebody"),
            signed(bundle(), b"somebody"),
        ),
        pair(
            "bundle-signature",
            Wheel,
            signed(wheel(vec![]), b"somebody"),
            wheel(vec![]),
        ),
        // Nothing else is erased from bundles.
        pair(
            "mode-bits",
            Mcpb,
            zip(&[ZipEntry {
                external: 0o100_600 << 16,
                ..stored("manifest.json", b"{}")
            }]),
            bundle(),
        ),
        pair(
            "source-map-paths",
            Mcpb,
            zip(&[stored(
                "a.js.map",
                br#"{"version":3,"sources":["/home/a/x.ts"]}"#,
            )]),
            zip(&[stored(
                "a.js.map",
                br#"{"version":3,"sources":["/home/b/x.ts"]}"#,
            )]),
        ),
        // The last of two entries wins on disk.
        pair(
            "entry-order",
            NpmTarball,
            npm(&[index(), file("package/index.js", b"steal()")]),
            npm(&[file("package/index.js", b"steal()"), index()]),
        ),
        pair(
            "directory-entries",
            Sdist,
            tgz(&[directory("x-1/a"), file("x-1/b", b"")]),
            tgz(&[file("x-1/b", b"")]),
        ),
        pair(
            "directory-entries",
            Sdist,
            tgz(&[directory("x-1/a"), file("x-1/ab", b"")]),
            tgz(&[file("x-1/ab", b"")]),
        ),
        // npm cuts one folder off, so what lies below differs.
        pair(
            "top-folder",
            NpmTarball,
            npm(&[file("package/package/package.json", b"{}")]),
            npm(&[manifest()]),
        ),
        pair(
            "top-folder",
            Sdist,
            tgz(&[file("x-1/PKG-INFO", b"Name: x\n")]),
            tgz(&[file("x-2/PKG-INFO", b"Name: x\n")]),
        ),
        pair(
            "timestamps",
            NpmTarball,
            npm(&[index().mtime(1)]),
            npm(&[file("package/index.js", b"run(1)").mtime(1)]),
        ),
        pair(
            "owners",
            NpmTarball,
            npm(&[index().owner(0, "root").mode(0o4755)]),
            npm(&[index().mode(0o755)]),
        ),
        pair(
            "mode-bits",
            NpmTarball,
            npm(&[index().mode(0o755)]),
            npm(&[index().mode(0o644)]),
        ),
        pair(
            "mode-bits",
            NpmTarball,
            npm(&[index().mode(0o645)]),
            npm(&[index().mode(0o644)]),
        ),
        pair(
            "mode-bits",
            NpmTarball,
            npm(&[index().mode(0o2755)]),
            npm(&[index().mode(0o755)]),
        ),
        // Another dialect of the header may carry another name.
        pair(
            "tar-header-encoding",
            NpmTarball,
            npm(&[pax(b'x', &[("path", b"package/index.mjs")]), index()]),
            npm(&[index()]),
        ),
        pair(
            "tar-header-encoding",
            NpmTarball,
            npm(&[
                pax(b'x', &[("SCHILY.xattr.security.capability", b"\x01")]),
                index(),
            ]),
            npm(&[index()]),
        ),
        pair(
            "tar-header-encoding",
            Sdist,
            tgz(&[link(b'2', "x-1/a", "b")]),
            tgz(&[link(b'1', "x-1/a", "b")]),
        ),
        pair(
            "gzip-encoding",
            NpmTarball,
            [npm(&[index()]), gzip(&tar(&[manifest()]))].concat(),
            npm(&[index(), manifest(), manifest()]),
        ),
        pair(
            "zip-metadata",
            Wheel,
            zip(&recorded(vec![ZipEntry {
                external: 0o100_755 << 16,
                ..stored("x.py", b"pass")
            }])),
            wheel(vec![stored("x.py", b"pass")]),
        ),
        pair(
            "zip-metadata",
            Wheel,
            zip(&recorded(vec![ZipEntry {
                flags: 1,
                local_flags: 1,
                ..stored("x.py", b"pass")
            }])),
            wheel(vec![stored("x.py", b"pass")]),
        ),
        // A RECORD that lies keeps every byte.
        pair(
            "wheel-record",
            Wheel,
            {
                let entries = vec![stored("a.py", b"1")];
                let record = record(&entries).replace("sha256=", "sha256=A");
                zip(&[entries, vec![stored(RECORD, record.as_bytes())]].concat())
            },
            wheel(vec![deflated("a.py", b"1")]),
        ),
        pair(
            "wheel-record",
            Wheel,
            {
                let entries = vec![stored("a.py", b"1")];
                let record = format!("{}evil.pth,,\n", record(&entries));
                zip(&[entries, vec![stored(RECORD, record.as_bytes())]].concat())
            },
            wheel(vec![deflated("a.py", b"1")]),
        ),
        pair(
            "wheel-generator",
            Wheel,
            wheel_file("Generator: hatchling 1.27.0\nRoot-Is-Purelib: false\n"),
            wheel_file("Generator: hatchling 1.27.0\nRoot-Is-Purelib: true\n"),
        ),
        pair(
            "wheel-generator",
            Wheel,
            wheel_file("Generator: poetry-core 1.27.0\n"),
            wheel_file("Generator: hatchling 1.27.0\n"),
        ),
        pair(
            "wheel-generator",
            Wheel,
            wheel_file("Generator: hatchling 1.27.0\nGenerator: hatchling 1.0\n"),
            wheel_file("Generator: hatchling 1.27.0\n"),
        ),
        pair(
            "wheel-generator",
            Wheel,
            wheel_file("Generator: hatchling 1.27.0 or later\n"),
            wheel_file("Generator: hatchling 1.27.0\n"),
        ),
        pair(
            "wheel-generator",
            Wheel,
            wheel(vec![stored("x/WHEEL", b"Generator: hatchling 1.0\n")]),
            wheel(vec![stored("x/WHEEL", b"Generator: hatchling 2.0\n")]),
        ),
        // A file that is listed becomes package data.
        pair(
            "setuptools-sdist-metadata",
            Sdist,
            sdist("x.egg-info/SOURCES.txt", "a.py\nb.py\n"),
            sdist("x.egg-info/SOURCES.txt", "a.py\n"),
        ),
        pair(
            "setuptools-sdist-metadata",
            Sdist,
            sdist(
                "setup.cfg",
                "[egg_info]\ntag_build = evil\ntag_date = 0\n\n",
            ),
            sdist("setup.cfg", ""),
        ),
        // Python refuses to read the section twice.
        pair(
            "setuptools-sdist-metadata",
            Sdist,
            sdist(
                "setup.cfg",
                "[egg_info]\ntag_build = \ntag_date = 0\n\n[egg_info]\ntag_build = \ntag_date = 0\n\n",
            ),
            sdist("setup.cfg", "[egg_info]\ntag_build = \ntag_date = 0\n\n"),
        ),
        pair(
            "setuptools-sdist-metadata",
            Sdist,
            sdist("x.egg-info/requires.txt", "b\na\n"),
            sdist("x.egg-info/requires.txt", "a\nb\n"),
        ),
        pair(
            "source-map-paths",
            NpmTarball,
            map(r#"{"version":3,"sources":["/Users/m/p/a.ts"],"mappings":"AAAA"}"#),
            map(r#"{"version":3,"sources":["/build/a.ts"],"mappings":"AAAB"}"#),
        ),
        pair(
            "source-map-paths",
            NpmTarball,
            map(r#"{"version":3,"sources":["/b/a.ts"],"sourcesContent":["x"],"mappings":""}"#),
            map(r#"{"version":3,"sources":["/c/a.ts"],"sourcesContent":["y"],"mappings":""}"#),
        ),
        pair(
            "source-map-paths",
            NpmTarball,
            map(r#"{"version":3,"sources":["../src/a.ts"],"mappings":""}"#),
            map(r#"{"version":3,"sources":["../lib/a.ts"],"mappings":""}"#),
        ),
        pair(
            "source-map-paths",
            NpmTarball,
            map(r#"{"version":3,"sources":["/b/a.ts"],"mappings":"","evil":1}"#),
            map(r#"{"version":3,"sources":["/c/a.ts"],"mappings":""}"#),
        ),
        // Code may read a file that only looks like a map.
        pair(
            "source-map-paths",
            NpmTarball,
            npm(&[file("package/level.map", br#"{"sources":["/b/a"]}"#)]),
            npm(&[file("package/level.map", br#"{"sources":["/c/a"]}"#)]),
        ),
        pair(
            "source-map-paths",
            NpmTarball,
            npm(&[file(
                "package/a.json",
                br#"{"version":3,"sources":["/b/a"],"mappings":""}"#,
            )]),
            npm(&[file(
                "package/a.json",
                br#"{"version":3,"sources":["/c/a"],"mappings":""}"#,
            )]),
        ),
    ]
}

#[test]
fn each_erases_what_it_is_named_for_and_says_so() {
    for pair in equal_pairs() {
        for pair in [
            Pair {
                published: pair.rebuilt.clone(),
                rebuilt: pair.published.clone(),
                ..pair
            },
            pair,
        ] {
            let Comparison::Equivalent { erased } = compared(&pair) else {
                panic!("{}: {:#?}", pair.normaliser, compared(&pair));
            };
            let names: Vec<_> = erased.iter().map(|erasure| erasure.normaliser).collect();
            assert!(
                names.contains(&pair.normaliser),
                "{names:?} without {}",
                pair.normaliser
            );
            // RECORD itself is packed after the files that it lists, so it may differ with them.
            let others = names
                .iter()
                .filter(|name| **name != pair.normaliser && **name != "wheel-record")
                .count();
            let allowed = usize::from(pair.normaliser == "wheel-record");
            assert!(others <= allowed, "{}: {names:?}", pair.normaliser);
        }
    }
}

#[test]
fn contents_stay_different_where_only_archives_may_be_erased() {
    let options = Options {
        erasing: Erasing::ArchivesOnly,
        ..Options::default()
    };
    for pair in equal_pairs() {
        let comparison = compare(
            pair.format,
            &mut Cursor::new(&pair.published),
            &mut Cursor::new(&pair.rebuilt),
            &options,
        )
        .unwrap()
        .comparison;
        let concerns_contents = ALL
            .iter()
            .any(|normaliser| normaliser.id == pair.normaliser && normaliser.concerns_contents());
        assert_eq!(
            matches!(comparison, Comparison::Different { .. }),
            concerns_contents,
            "{}: {comparison:#?}",
            pair.normaliser
        );
    }
}

#[test]
fn none_erases_what_only_looks_like_it() {
    for (number, pair) in adversarial_pairs().iter().enumerate() {
        let comparison = compared(pair);
        assert!(
            matches!(comparison, Comparison::Different { .. }),
            "pair {number} of {}: {comparison:#?}",
            pair.normaliser
        );
    }
}

#[test]
fn every_normaliser_is_put_to_both_tests() {
    let named = |pairs: Vec<Pair>| -> BTreeSet<&str> {
        pairs.into_iter().map(|pair| pair.normaliser).collect()
    };
    let all: BTreeSet<&str> = ALL.iter().map(|normaliser| normaliser.id).collect();
    assert_eq!(all.len(), ALL.len(), "two normalisers of one name");
    assert_eq!(named(equal_pairs()), all);
    assert_eq!(named(adversarial_pairs()), all);
}

#[test]
fn every_normaliser_is_documented_with_its_version() {
    let documented: BTreeSet<&str> = include_str!("../../../../docs/erasures.md")
        .lines()
        .filter_map(|line| line.strip_prefix("### "))
        .collect();
    let all: Vec<String> = ALL
        .iter()
        .map(|normaliser| format!("`{}` {}", normaliser.id, normaliser.version))
        .collect();
    assert_eq!(documented, all.iter().map(String::as_str).collect());
}
