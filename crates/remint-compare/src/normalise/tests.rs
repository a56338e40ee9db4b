//! Properties that hold for every normaliser there is.

use std::sync::Arc;

use proptest::prelude::*;
use remint_model::{
    ArtifactFormat, DetachedSignature, EntryPath, GzipHeader, Sha256, SignatureBlock,
};

use super::{ALL, ALL_AND_BUNDLES, Erasures, File, Pairs, Subject, Wrapping, erase_headers};
use crate::archive::{Encoding, Entry, Kind, Listing, Owner, Written};

fn sha256() -> impl Strategy<Value = Sha256> {
    (0_u8..2).prop_map(|byte| Sha256::from_bytes([byte; 32]))
}

fn encoding() -> impl Strategy<Value = Encoding> {
    use sha2::Digest as _;
    (0_u8..2).prop_map(|byte| sha2::Sha256::new_with_prefix([byte]).into())
}

fn kind() -> impl Strategy<Value = Kind> {
    prop_oneof![
        4 => Just(Kind::File),
        2 => Just(Kind::Directory),
        1 => Just(Kind::SymbolicLink),
        1 => Just(Kind::HardLink),
        1 => Just(Kind::Special(b'3')),
        1 => Just(Kind::Unreadable),
    ]
}

fn entry() -> impl Strategy<Value = Entry> {
    let path = prop::sample::select(vec!["a", "b", "a/b", "a/c", "a-b", "d/e/f", "d"]);
    let mode = prop::sample::select(vec![0o644, 0o664, 0o755, 0o700, 0o4755, 0o2755, 0]);
    let written = (
        0_i64..2,
        0_u64..2,
        prop::option::of(sha256().prop_map(Arc::new)),
        encoding(),
        0_u32..2,
    );
    (path, kind(), mode, sha256(), written).prop_map(
        |(path, kind, mode, sha256, (mtime, user, attributes, encoding, packed))| Entry {
            path: path.parse().unwrap(),
            index: 0,
            kind,
            mode,
            size: 1,
            sha256,
            head: [0; 8],
            written: Written {
                mtime: (mtime, 0),
                owner: Arc::new(Owner {
                    user,
                    ..Owner::default()
                }),
                attributes,
                encoding,
                packed: (1, packed),
            },
        },
    )
}

fn gzip() -> impl Strategy<Value = GzipHeader> {
    (0_u8..2).prop_map(|os| GzipHeader {
        extra_flags: 0,
        os,
        mtime: 0,
        named: false,
    })
}

fn listing() -> impl Strategy<Value = Listing> {
    let entries = prop::collection::vec(entry(), 0..5);
    let top = prop::option::of(prop::sample::select(vec!["package", "x-1"]));
    let gzip = prop::option::of(gzip());
    (entries, top, gzip, signature()).prop_map(|(mut entries, top, gzip, signature)| {
        for (index, entry) in (0_u32..).zip(&mut entries) {
            entry.index = index;
        }
        Listing {
            entries,
            anomalies: Vec::new(),
            top_folder: top.map(str::to_owned),
            gzip,
            framing: Sha256::from_bytes([0; 32]),
            signature,
        }
    })
}

fn signature() -> impl Strategy<Value = SignatureBlock> {
    prop::option::of(prop::collection::vec(any::<u8>(), 1..3)).prop_map(|pkcs7| match pkcs7 {
        Some(pkcs7) => SignatureBlock::Present(DetachedSignature {
            pkcs7,
            signed: 22,
            counted_at: None,
            length: 28,
        }),
        None => SignatureBlock::Absent,
    })
}

fn format() -> impl Strategy<Value = ArtifactFormat> {
    prop::sample::select(ALL_AND_BUNDLES.to_vec())
}

/// Contents between noise and what a normaliser wants to see.
fn content() -> impl Strategy<Value = Vec<u8>> {
    let pieces = prop::sample::select(vec![
        "Generator: hatchling 1.0\n",
        "Generator: x (1.2)\r\n",
        "Tag: py3\n",
        "a.py\n",
        "b.py\r\n",
        "[egg_info]\ntag_build = \ntag_date = 0\n\n",
        "{\"version\":3,\"mappings\":\"A\",\"sources\":[\"/a/b.ts\",\"file:///a/c.ts\",null]}",
        "{\"version\":3,\"file\":\"/x/dist/a.js\",\"mappings\":\"\",\"sourceRoot\":\"/x\"}",
        "\"",
        "\u{e9}",
        "\n",
    ]);
    prop_oneof![
        prop::collection::vec(pieces, 0..4).prop_map(|pieces| pieces.concat().into_bytes()),
        prop::collection::vec(any::<u8>(), 0..64),
    ]
}

fn path() -> impl Strategy<Value = EntryPath> {
    prop::sample::select(vec![
        "x-1.dist-info/WHEEL",
        "x-1.dist-info/RECORD",
        "x.egg-info/SOURCES.txt",
        "setup.cfg",
        "dist/a.js.map",
        "index.js",
    ])
    .prop_map(|path| path.parse().unwrap())
}

/// What no normaliser of headers may touch.
fn what_counts(entry: &Entry) -> impl PartialEq + std::fmt::Debug + use<> {
    let is_link = matches!(entry.kind, Kind::SymbolicLink | Kind::HardLink);
    let is_directory = entry.kind == Kind::Directory;
    (
        entry.path.clone(),
        entry.kind,
        entry.size,
        entry.sha256,
        entry.written.attributes.clone(),
        (!is_link && !is_directory).then(|| entry.is_executable()),
        (!is_link && !is_directory).then_some(entry.mode & 0o7000),
        is_directory.then_some(entry.mode & 0o5000),
    )
}

proptest! {
    #[test]
    fn canonical_forms_are_their_own(
        entry in entry(),
        top in prop::option::of("[a-z]{1,8}"),
        order in prop::collection::vec(0_u32..9, 0..5),
        gzip in prop::option::of(gzip()),
        signature in prop::option::of(any::<[u8; 32]>()),
    ) {
        let wrapping = Wrapping {
            order,
            implied_directories: vec![entry.path.clone()],
            top_folder: top,
            gzip,
            signature: signature.map(Sha256::from_bytes),
        };
        for normaliser in ALL {
            match normaliser.subject {
                Subject::Entry(normalise) => {
                    let mut once = entry.clone();
                    normalise(&mut once);
                    let mut twice = once.clone();
                    normalise(&mut twice);
                    prop_assert_eq!(&once, &twice, "{}", normaliser.id);
                    prop_assert_eq!(what_counts(&once), what_counts(&entry), "{}", normaliser.id);
                }
                Subject::Archive(normalise) => {
                    let mut once = wrapping.clone();
                    normalise(&mut once);
                    let mut twice = once.clone();
                    normalise(&mut twice);
                    prop_assert_eq!(once, twice, "{}", normaliser.id);
                }
                Subject::Content(_) => {}
            }
        }
    }

    #[test]
    fn canonical_contents_are_their_own(
        format in format(),
        path in path(),
        content in content(),
        record_is_true: bool,
    ) {
        let canonical = |normalise: fn(&File<'_>) -> Option<Vec<u8>>, content: &[u8]| {
            normalise(&File { format, path: &path, content, record_is_true })
                .unwrap_or_else(|| content.to_vec())
        };
        for normaliser in ALL {
            if let Subject::Content(normalise) = normaliser.subject {
                let once = canonical(normalise, &content);
                let twice = canonical(normalise, &once);
                prop_assert_eq!(&once, &twice, "{}", normaliser.id);
                if path.as_str() == "index.js" {
                    prop_assert_eq!(&once, &content, "{}", normaliser.id);
                }
            }
        }
    }

    #[test]
    fn different_lists_never_become_equal_without_an_erasure(
        format in format(),
        published in listing(),
        rebuilt in listing(),
    ) {
        let before = Pairs::new(format, published.clone(), rebuilt.clone());
        let differed = !before.archive_facets().is_empty()
            || before.rows.iter().any(|row| !row.facets().is_empty());
        let mut after = before;
        let mut erasures = Erasures::default();
        erase_headers(&mut after, &mut erasures);
        let differs = !after.archive_facets().is_empty()
            || after.rows.iter().any(|row| !row.facets().is_empty());
        prop_assert_eq!(differed, differs || !erasures.is_empty());

        // What counts is told apart with or without normalisers.
        for row in &after.rows {
            if row.facets().is_empty() {
                let counted = |listing: &Listing| {
                    listing
                        .entries
                        .iter()
                        .filter(|entry| entry.path == row.path)
                        .map(what_counts)
                        .collect::<Vec<_>>()
                };
                prop_assert_eq!(counted(&published), counted(&rebuilt));
            }
        }
    }

    #[test]
    fn equal_lists_have_no_erasures(format in format(), listing in listing()) {
        let mut pairs = Pairs::new(format, listing.clone(), listing);
        let mut erasures = Erasures::default();
        erase_headers(&mut pairs, &mut erasures);
        prop_assert!(erasures.is_empty());
        prop_assert!(pairs.rows.iter().all(|row| row.facets().is_empty()));
    }
}
