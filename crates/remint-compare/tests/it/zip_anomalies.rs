//! Every anomaly of a zip, and the honest wheel that it was made from.

use remint_compare::ArchiveError;
use remint_model::AnomalyKind::{self, *};
use remint_model::ArtifactFormat::{Mcpb, Wheel};
use remint_model::SignatureBlock;

use crate::making::*;

fn check(bytes: &[u8], expect: &[AnomalyKind]) {
    assert_eq!(kinds(Wheel, bytes), expect);
}

fn malformed(bytes: &[u8], reason: &str) {
    match surveyed(Wheel, bytes) {
        Err(error @ ArchiveError::Malformed { .. }) => {
            assert!(error.to_string().contains(reason), "{error}");
        }
        other => panic!("{other:?}"),
    }
}

fn honest() -> Vec<ZipEntry> {
    vec![
        deflated("x/__init__.py", b"import os\n"),
        stored("x/data", b"1"),
    ]
}

fn changed(change: impl FnOnce(&mut ZipEntry)) -> Vec<u8> {
    let mut entries = recorded(honest());
    change(&mut entries[0]);
    zip(&entries)
}

#[test]
fn honest_wheels_have_none() {
    check(&wheel(honest()), &[]);
    check(&zip_with_comment(&recorded(honest()), b"made by hand"), &[]);
    // Sizes after the content, as streaming writers put them.
    let mut entries = recorded(honest());
    let entry = &mut entries[0];
    (entry.flags, entry.local_flags) = (8, 8);
    (entry.local_crc, entry.local_size) = (0, 0);
    let mut descriptor = b"PK\x07\x08".to_vec();
    descriptor.extend(entry.crc.to_le_bytes());
    descriptor.extend(u32::try_from(entry.packed.len()).unwrap().to_le_bytes());
    descriptor.extend(entry.size.to_le_bytes());
    entry.after = descriptor;
    check(&zip(&entries), &[]);
}

#[test]
fn bytes_around_the_entries() {
    let whole = wheel(honest());
    check(
        &[b"#!/bin/sh\n".to_vec(), whole.clone()].concat(),
        &[PrefixBytes],
    );
    check(&[whole, b"more".to_vec()].concat(), &[SuffixBytes]);
    check(&changed(|entry| entry.after = b"gap".to_vec()), &[GapBytes]);
    // A local entry that the central directory does not list.
    let mut hidden = wheel(vec![stored("evil.py", b"evil()")]);
    hidden.truncate(30 + 7 + 6);
    check(&changed(|entry| entry.after = hidden), &[GapBytes]);
}

#[test]
fn an_archive_in_the_comment_of_another() {
    let inner = wheel(vec![stored("evil.py", b"evil()")]);
    let found = kinds(Wheel, &zip_with_comment(&recorded(honest()), &inner));
    assert!(found.contains(&HeaderDisagreement), "{found:?}");
}

#[test]
fn two_archives_in_one_file() {
    let two = [wheel(honest()), wheel(vec![stored("evil.py", b"evil()")])].concat();
    let found = kinds(Wheel, &two);
    assert!(found.contains(&PrefixBytes), "{found:?}");
}

#[test]
fn local_headers_that_say_something_else() {
    check(
        &changed(|entry| entry.local_name = b"x/__evil__.py".to_vec()),
        &[HeaderDisagreement],
    );
    check(
        &changed(|entry| entry.local_size = 3),
        &[HeaderDisagreement],
    );
    check(&changed(|entry| entry.local_crc = 3), &[HeaderDisagreement]);
    check(
        &changed(|entry| entry.local_flags = 1 << 11),
        &[HeaderDisagreement],
    );
}

#[test]
fn contents_that_are_not_as_stated() {
    check(
        &changed(|entry| (entry.crc, entry.local_crc) = (7, 7)),
        &[HeaderDisagreement],
    );
    check(
        &changed(|entry| (entry.size, entry.local_size) = (5, 5)),
        &[HeaderDisagreement],
    );
    check(
        &changed(|entry| entry.packed.extend(b"behind the stream")),
        &[GapBytes],
    );
}

#[test]
fn names_with_two_readings() {
    let mut extra = 0x7075_u16.to_le_bytes().to_vec();
    extra.extend(12_u16.to_le_bytes());
    extra.extend(b"\x01....evil.py");
    check(&changed(|entry| entry.extra = extra), &[HeaderDisagreement]);
    check(
        &changed(|entry| entry.extra = b"\x01".to_vec()),
        &[HeaderDisagreement],
    );
    let entry = ZipEntry {
        name: b"x/\x82".to_vec(),
        local_name: b"x/\x82".to_vec(),
        ..stored("", b"")
    };
    let found = kinds(Wheel, &zip(&[entry]));
    assert!(found.contains(&HeaderDisagreement), "{found:?}");
}

#[test]
fn local_extra_fields_are_held_to_the_name_too() {
    let unicode_path = |name: &[u8]| {
        let mut extra = 0x7075_u16.to_le_bytes().to_vec();
        extra.extend(u16::try_from(name.len() + 5).unwrap().to_le_bytes());
        extra.extend(b"\x01....");
        extra.extend(name);
        extra
    };
    let with = |extra: Vec<u8>| changed(|entry| entry.local_extra = extra);
    check(&with(unicode_path(b"x/__init__.py")), &[]);
    check(&with(unicode_path(b"evil.py")), &[HeaderDisagreement]);
    check(&with(b"\x01".to_vec()), &[HeaderDisagreement]);
}

#[test]
fn paths_that_lead_elsewhere_collide_or_repeat() {
    let with = |name: &str| {
        let mut entries = honest();
        entries.push(stored(name, b"evil()"));
        wheel(entries)
    };
    for name in ["../x.py", "/x.py", "a/../../x.py", "a\\..\\x.py", "C:x"] {
        let found = kinds(Wheel, &with(name));
        assert!(found.contains(&PathTraversal), "{name}: {found:?}");
    }
    check(&with("X/data"), &[CaseTwins]);
    check(&with("x/data/y"), &[FileDirectoryClash]);
    let found = kinds(Wheel, &with("x/data"));
    assert!(found.contains(&DuplicateEntry), "{found:?}");
}

#[test]
fn modes_and_kinds_that_wheels_do_not_have() {
    let mode = |mode: u32| changed(|entry| entry.external = mode << 16);
    check(&mode(0o100_755), &[]);
    check(&mode(0), &[]);
    check(&mode(0o104_755), &[SpecialModeBits]);
    check(&mode(0o120_777), &[LinkEntry]);
    check(&mode(0o020_644), &[SpecialFile]);
    check(&mode(0o040_755), &[HeaderDisagreement]);
}

#[test]
fn entries_that_installers_cannot_read() {
    check(
        &changed(|entry| (entry.flags, entry.local_flags) = (1, 1)),
        &[RecordMismatch, UnreadableEntry],
    );
    check(
        &changed(|entry| entry.method = 12),
        &[RecordMismatch, UnreadableEntry],
    );
}

#[test]
fn a_record_that_lies() {
    let with_record = |record: String| {
        let mut entries = honest();
        entries.push(stored(RECORD, record.as_bytes()));
        zip(&entries)
    };
    let record = record(&honest());
    check(&with_record(record.clone()), &[]);
    check(&with_record(record.replace('\n', "\r\n")), &[]);
    let lies = [
        record.replacen("x/data", "x/date", 1),
        record.replacen(",1\n", ",2\n", 1),
        record.replacen("sha256=", "sha256=A", 1),
        record.replacen("sha256=", "md5=", 1),
        record.replacen("sha256=", "sha512=", 1),
        record.lines().skip(1).collect::<Vec<_>>().join("\n"),
        format!("{record}x/absent,sha256=AAAA,1\n"),
        format!("{record}\"x"),
        format!("{record}x/data,,\n"),
    ];
    for lie in lies {
        check(&with_record(lie), &[RecordMismatch]);
    }
    check(&zip(&honest()), &[RecordMismatch]);
    let two = recorded(recorded(honest()));
    let found = kinds(Wheel, &zip(&two));
    assert!(found.contains(&RecordMismatch), "{found:?}");
}

#[test]
fn a_record_may_use_longer_digests() {
    use base64::Engine as _;
    use sha2::Digest as _;
    let entries = honest();
    let lines: String = entries
        .iter()
        .map(|entry| {
            let digest = base64::engine::general_purpose::URL_SAFE_NO_PAD
                .encode(sha2::Sha512::digest(&entry.content));
            let name = String::from_utf8(entry.name.clone()).unwrap();
            format!("{name},sha512={digest},\n")
        })
        .collect();
    let mut entries = entries;
    entries.push(stored(RECORD, format!("{lines}{RECORD},,\n").as_bytes()));
    check(&zip(&entries), &[]);
}

#[test]
fn broken_zips_are_errors_with_a_reason() {
    malformed(b"", "no zip end record");
    let whole = wheel(honest());
    malformed(&whole[..whole.len() - 1], "no zip end record");
    let mut wrong = whole.clone();
    wrong[0] = b'Q';
    malformed(&wrong, "no local header");
    let mut wrong = whole.clone();
    let end = whole.len() - 22;
    wrong[end + 10] = 9;
    wrong[end + 8] = 9;
    malformed(&wrong, "fewer records than stated");
    let mut wrong = whole.clone();
    wrong[end + 12..end + 16].copy_from_slice(&u32::MAX.to_le_bytes());
    malformed(&wrong, "no zip64 end record");
    let mut wrong = whole;
    wrong[end + 4] = 1;
    malformed(&wrong, "several volumes");
    malformed(&changed(|entry| entry.packed.truncate(3)), "deflate stream");
}

#[test]
fn overlapping_entries_are_not_multiplied() {
    // Two central records for one local entry.
    let entries = vec![stored("a.py", &[0; 100])];
    let one = zip(&entries);
    let directory = one.len() - 22 - (46 + 4);
    let mut two = one[..directory].to_vec();
    for _ in 0..2 {
        two.extend_from_slice(&one[directory..directory + 50]);
    }
    let mut end = one[one.len() - 22..].to_vec();
    end[8] = 2;
    end[10] = 2;
    end[12] = 100;
    two.extend(end);
    malformed(&two, "more packed bytes than there are");
}

#[test]
fn a_signature_after_a_bundle_is_read_as_one_or_is_an_anomaly() {
    let whole = zip(&honest());
    let block = signature_block(b"a signature");
    let check = |bytes: &[u8], anomalies: &[AnomalyKind]| {
        assert_eq!(kinds(Mcpb, bytes), anomalies);
        surveyed(Mcpb, bytes).unwrap().signature
    };
    let after = |suffix: &[u8]| [&whole[..], suffix].concat();
    let SignatureBlock::Present(found) = check(&after(&block), &[]) else {
        panic!("there is a block");
    };
    assert_eq!(found.pkcs7, b"a signature");
    assert_eq!((found.signed, found.counted_at), (whole.len() as u64, None));
    assert_eq!(check(&whole, &[]), SignatureBlock::Absent);
    assert_eq!(
        check(&after(b"more"), &[SuffixBytes]),
        SignatureBlock::Absent
    );

    // Newer signers count the block as the comment of the zip.
    let counted = zip_with_comment(&honest(), &block);
    let SignatureBlock::Present(found) = check(&counted, &[]) else {
        panic!("there is a block");
    };
    assert_eq!(found.counted_at, Some(whole.len() as u64 - 2));

    for malformed in [
        &block[..block.len() - 1],
        &block[1..],
        &[&block[..], b"more"].concat(),
        &[&block[..], &block].concat(),
        &[b"MCPB_SIG_V1\xff\xff\xff\xff", &block[15..]].concat(),
    ] {
        let found = check(&after(malformed), &[SuffixBytes]);
        assert!(matches!(found, SignatureBlock::Malformed(_)), "{found:?}");
    }
    // What stands between a zip and a block is part of neither.
    let found = check(&after(&[b"more", &block[..]].concat()), &[SuffixBytes]);
    assert!(matches!(found, SignatureBlock::Present(_)), "{found:?}");
    // A wheel knows no signatures.
    let signed = [wheel(honest()), block].concat();
    assert_eq!(kinds(Wheel, &signed), [SuffixBytes]);
    assert_eq!(
        surveyed(Wheel, &signed).unwrap().signature,
        SignatureBlock::Absent
    );
}

#[test]
fn a_bundle_has_plain_names() {
    let found = |name: &str| kinds(Mcpb, &zip(&[stored(name, b"")]));
    assert_eq!(found("server/a.js"), []);
    for name in ["./server/a.js", "server//a.js"] {
        assert_eq!(found(name), [HeaderDisagreement]);
    }
}
