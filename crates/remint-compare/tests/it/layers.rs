//! Layers of container images: the same tar however it is packed, and nothing of hostile ones but a reason.

use std::io::{Read as _, Write as _};

use proptest::prelude::*;
use remint_compare::{ArchiveError, Layer, LayerKind, Limits, layer};
use remint_model::{AnomalyKind, Sha256};
use ruzstd::encoding::{CompressionLevel, compress_to_vec};

use crate::making::{self, TarEntry, directory, file, link, pax};

fn tar() -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (path, content) in [("a/b", &b"content"[..]), ("a/.wh.c", b"")] {
        let mut header = tar::Header::new_ustar();
        header.set_size(content.len() as u64);
        header.set_mode(0o4755);
        header.set_path(path).unwrap();
        header.set_cksum();
        builder.append(&header, content).unwrap();
    }
    let mut header = tar::Header::new_ustar();
    header.set_entry_type(tar::EntryType::Link);
    header.set_size(0);
    header.set_mode(0o644);
    header.set_path("d").unwrap();
    header.set_link_name("a/b").unwrap();
    header.set_cksum();
    builder.append(&header, &b""[..]).unwrap();
    builder.into_inner().unwrap()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    compress_to_vec(bytes, CompressionLevel::Fastest)
}

fn read(bytes: &[u8], limits: &Limits) -> Result<(Layer, Vec<String>), ArchiveError> {
    let mut seen = Vec::new();
    let read = layer(bytes, limits, &mut |entry, content| {
        let mut text = Vec::new();
        content.read_to_end(&mut text)?;
        assert_eq!(text.len() as u64, entry.size);
        seen.push(format!(
            "{:?} {:o} {} {} {}",
            entry.kind,
            entry.mode,
            entry.name.escape_ascii(),
            entry.link.escape_ascii(),
            text.escape_ascii()
        ));
        Ok(())
    })?;
    Ok((read, seen))
}

#[test]
fn a_layer_is_the_same_however_it_is_packed() {
    let tar = tar();
    let skipped = [
        &[0x50, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3][..],
        &zstd(&tar),
    ]
    .concat();
    let (front, back) = tar.split_at(700);
    for (name, packed) in [
        ("plain", tar.clone()),
        ("gzip", gzip(&tar)),
        ("gzip in members", [gzip(front), gzip(back)].concat()),
        ("zstd", zstd(&tar)),
        ("zstd in frames", [zstd(front), zstd(back)].concat()),
        ("zstd after a skipped frame", skipped),
    ] {
        let (read, seen) =
            read(&packed, &Limits::default()).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(read.diff_id, Sha256::of(&tar), "{name}");
        assert_eq!(read.unpacked, tar.len() as u64, "{name}");
        assert_eq!(read.anomalies, [], "{name}");
        assert_eq!(
            seen,
            [
                "File 4755 a/b  content",
                "File 4755 a/.wh.c  ",
                "HardLink 644 d a/b "
            ],
            "{name}"
        );
    }
}

#[test]
fn a_layer_without_anything_is_one() {
    for packed in [gzip(b""), gzip(&[0; 1024]), vec![0; 1024]] {
        let (_, seen) = read(&packed, &Limits::default()).unwrap();
        assert!(seen.is_empty());
    }
}

#[test]
fn what_unpacks_to_too_much_is_refused_in_every_packing() {
    // One file of zeros, far larger than its packed bytes.
    let mut header = tar::Header::new_ustar();
    header.set_size(8 << 20);
    header.set_path("zeros").unwrap();
    header.set_cksum();
    let bomb = [header.as_bytes(), &*vec![0; (8 << 20) + 1024]].concat();
    let limits = Limits {
        unpacked: 1 << 20,
        ..Limits::default()
    };
    for packed in [bomb.clone(), gzip(&bomb), zstd(&bomb)] {
        let error = read(&packed, &limits).unwrap_err();
        assert!(matches!(error, ArchiveError::TooLarge { .. }), "{error}");
    }
    let entries = Limits {
        entries: 2,
        ..Limits::default()
    };
    let error = read(&tar(), &entries).unwrap_err();
    assert!(
        matches!(error, ArchiveError::TooManyEntries { .. }),
        "{error}"
    );
}

#[test]
fn broken_layers_are_malformed() {
    let packed = gzip(&tar());
    let mut damaged = zstd(&tar());
    let middle = damaged.len() / 2;
    damaged.truncate(middle);
    for broken in [
        &packed[..packed.len() - 9],
        &damaged,
        &tar()[..300],
        b"no layer",
    ] {
        let error = read(broken, &Limits::default()).unwrap_err();
        assert!(matches!(error, ArchiveError::Malformed { .. }), "{error}");
    }
}

#[test]
fn what_is_hidden_behind_the_layer_is_named() {
    let packed = [gzip(&tar()), b"more".to_vec()].concat();
    let (read, _) = read(&packed, &Limits::default()).unwrap();
    assert_eq!(read.anomalies[0].kind, AnomalyKind::SuffixBytes);
}

#[test]
fn what_the_visitor_says_ends_it() {
    let error = layer(&*tar(), &Limits::default(), &mut |entry, _| {
        assert_eq!(entry.kind, LayerKind::File);
        Err(std::io::Error::other("enough"))
    })
    .unwrap_err();
    assert!(matches!(error, ArchiveError::Io { .. }), "{error}");
}

proptest! {
    #[test]
    fn any_bytes_are_a_layer_or_not(bytes: Vec<u8>, at in 0..1024_usize, with: u8, packing in 0..3) {
        let limits = Limits { unpacked: 1 << 20, ..Limits::default() };
        let _refused = layer(&*bytes, &limits, &mut |_, _| Ok(()));
        let mut tar = tar();
        tar[at] = with;
        let mut packed = match packing {
            0 => tar,
            1 => gzip(&tar),
            _ => zstd(&tar),
        };
        let _refused = layer(&*packed, &limits, &mut |_, _| Ok(()));
        let at = at % packed.len();
        packed[at] ^= with;
        let _refused = layer(&*packed, &limits, &mut |_, _| Ok(()));
    }
}

/// What runtimes make of a tar, and what is noted about it.
fn check_runtime(name: &str, entries: &[TarEntry], expect: &[&str], noted: &[AnomalyKind]) {
    let (read, seen) = read(&making::tar(entries), &Limits::default())
        .unwrap_or_else(|error| panic!("{name}: {error}"));
    assert_eq!(seen, expect, "{name}");
    let kinds: Vec<AnomalyKind> = read.anomalies.iter().map(|found| found.kind).collect();
    assert_eq!(kinds, noted, "{name}: {:?}", read.anomalies);
}

#[test]
fn layers_are_read_as_runtimes_read_them() {
    use AnomalyKind::{HeaderDisagreement, UnreadableEntry};
    let long = |kind: u8, name: &str| TarEntry::new(kind, b"././@LongLink", name.as_bytes());
    let code = |name: &str| file(name, b"code");
    let odd_version = |name: &str| code(name).put(263, b"01").put(345, b"bin");
    let star = code("a").put(508, b"tar\0");
    check_runtime(
        "a global header is for no other entry",
        &[
            pax(b'g', &[("path", b"decoy"), ("size", b"0")]),
            code("real"),
        ],
        &["File 644 real  code"],
        &[HeaderDisagreement],
    );
    check_runtime(
        "a global header ends what is said before it",
        &[
            pax(b'x', &[("path", b"decoy")]),
            pax(b'g', &[("comment", b"x")]),
            code("real"),
        ],
        &["File 644 real  code"],
        &[HeaderDisagreement; 2],
    );
    check_runtime(
        "GNU's name stands before that of PAX",
        &[
            pax(b'x', &[("path", b"decoy"), ("linkpath", b"decoy")]),
            long(b'L', "real"),
            long(b'K', "target"),
            link(b'2', "own", "own"),
        ],
        &["SymbolicLink 644 real target "],
        &[HeaderDisagreement],
    );
    check_runtime(
        "the last PAX header stands for itself",
        &[
            pax(b'x', &[("path", b"decoy")]),
            pax(b'x', &[("comment", b"x")]),
            code("real"),
        ],
        &["File 644 real  code"],
        &[HeaderDisagreement],
    );
    check_runtime(
        "a slash makes no directory of a file",
        &[code("a/")],
        &["File 644 a/  code"],
        &[HeaderDisagreement],
    );
    check_runtime(
        "but of one of the old type",
        &[
            TarEntry::new(0, b"a/", b""),
            TarEntry::new(0, b"b", b"code"),
        ],
        &["Directory 644 a/  ", "File 644 b  code"],
        &[],
    );
    check_runtime(
        "the version says nothing of the prefix",
        &[odd_version("sh")],
        &["File 644 bin/sh  code"],
        &[HeaderDisagreement],
    );
    check_runtime(
        "star's prefix is shorter",
        &[star.clone().put(345, &[b'p'; 140])],
        &[&format!("File 644 {}/a  code", "p".repeat(131))],
        &[HeaderDisagreement],
    );
    check_runtime(
        "a prefix where GNU has times",
        &[code("a").put(257, b"ustar  \0").put(345, b"bin")],
        &["File 644 bin/a  code"],
        &[HeaderDisagreement],
    );
    check_runtime(
        "a sparse file's own name",
        &[
            pax(
                b'x',
                &[
                    ("GNU.sparse.major", b"1"),
                    ("GNU.sparse.minor", b"0"),
                    ("GNU.sparse.name", b"real"),
                ],
            ),
            code("decoy"),
        ],
        &["Unreadable 644 real  code"],
        &[UnreadableEntry],
    );
    let sparse = |name: &[u8]| {
        pax(
            b'x',
            &[
                ("GNU.sparse.major", b"1"),
                ("GNU.sparse.minor", b"0"),
                ("GNU.sparse.name", name),
            ],
        )
    };
    check_runtime(
        "a sparse file's own name makes no directory of it",
        &[
            sparse(b"real/"),
            TarEntry::new(0, b"decoy", b"code"),
            code("b"),
        ],
        &["Unreadable 644 real/  code", "File 644 b  code"],
        &[HeaderDisagreement, UnreadableEntry],
    );
    check_runtime(
        "nor a file of a directory",
        &[
            sparse(b"real"),
            TarEntry::new(0, b"decoy/", b"").size(512),
            code("b"),
        ],
        &["Directory 644 real  ", "File 644 b  code"],
        &[HeaderDisagreement; 2],
    );
    let mut pieces = vec![0; 512];
    pieces[0] = b'0';
    let old_sparse = TarEntry::new(b'S', b"a", b"")
        .put(257, b"ustar  \0")
        .put(482, &[1]);
    let mut tar = making::tar(&[old_sparse, code("b")]);
    tar.splice(512..512, pieces);
    let (_, seen) = read(&tar, &Limits::default()).unwrap();
    assert_eq!(seen, ["Unreadable 644 a  ", "File 644 b  code"]);
    check_runtime(
        "what no runtime knows is no file",
        &[
            TarEntry::new(b'7', b"a", b"code"),
            TarEntry::new(b'X', b"b", b""),
        ],
        &["Special 644 a  code", "Special 644 b  "],
        &[],
    );
    check_runtime(
        "an entry without content has none",
        &[link(b'1', "a", "b").size(512), code("b")],
        &["HardLink 644 a b ", "File 644 b  code"],
        &[HeaderDisagreement],
    );
}

#[test]
fn honest_layers_raise_nothing() {
    let long = format!("{}/file", "long".repeat(40));
    let own = format!("{}/", "long".repeat(24));
    check_runtime(
        "as Go writes long names, attributes and names that are not of ASCII",
        &[
            pax(
                b'x',
                &[
                    ("path", long.as_bytes()),
                    ("mtime", b"1700000000.123456789"),
                    (
                        "SCHILY.xattr.security.capability",
                        b"\x01\0\0\x02\0\x04\0\0",
                    ),
                ],
            ),
            file(&own, b"code"),
            pax(b'x', &[("path", "目录".as_bytes())]),
            file("", b"code"),
            directory("a/"),
            link(b'2', "b", "a/c"),
            pax(b'x', &[("linkpath", long.as_bytes())]),
            link(b'1', "c", &own),
        ],
        &[
            &format!("File 644 {long}  code"),
            r"File 644 \xe7\x9b\xae\xe5\xbd\x95  code",
            "Directory 755 a/  ",
            "SymbolicLink 644 b a/c ",
            &format!("HardLink 644 c {long} "),
        ],
        &[],
    );
    check_runtime(
        "as git archive begins",
        &[
            TarEntry {
                header: TarEntry::new(b'g', b"pax_global_header", &[0; 52]).header,
                ..pax(b'g', &[("comment", &[b'0'; 40])])
            },
            file("a", b"code"),
        ],
        &["File 644 a  code"],
        &[],
    );
}

#[test]
fn a_path_that_runtimes_refuse_is_malformed() {
    let tar = making::tar(&[pax(b'x', &[("path", b"a\0b")]), file("c", b"code")]);
    let error = read(&tar, &Limits::default()).unwrap_err();
    assert!(matches!(error, ArchiveError::Malformed { .. }), "{error}");
}

#[test]
fn attributes_that_say_more_than_modes_are_told() {
    let check = |key: &str, expect: (bool, bool)| {
        let tar = making::tar(&[
            pax(b'x', &[(key, b"/evil")]),
            file("a", b"x"),
            file("b", b"x"),
        ]);
        let mut found = Vec::new();
        layer(&*tar, &Limits::default(), &mut |entry, _| {
            found.push((entry.has_capabilities, entry.steers_overlay));
            Ok(())
        })
        .unwrap();
        assert_eq!(found, [expect, (false, false)], "{key}");
    };
    check("SCHILY.xattr.security.capability", (true, false));
    check("SCHILY.xattr.trusted.overlay.redirect", (false, true));
    check("SCHILY.xattr.trusted.overlay.opaque", (false, true));
    check("SCHILY.xattr.user.overlay.redirect", (false, true));
    check("LIBARCHIVE.xattr.trusted.overlay.redirect", (false, true));
    check("SCHILY.xattr.user.comment", (false, false));
    check("SCHILY.xattr.security.selinux", (false, false));
    check("comment", (false, false));
}
