#![no_main]

use std::io::Cursor;
use std::mem::discriminant;

use libfuzzer_sys::fuzz_target;
use remint_compare::{Limits, Options, compare, survey};
use remint_fuzz::{Entry, tgz};
use remint_model::ArtifactFormat::{NpmTarball, Sdist};
use remint_model::Comparison;

fuzz_target!(|input: (Vec<Entry>, Vec<Entry>, Vec<Entry>, bool)| {
    let (common, ours, theirs, npm) = input;
    let format = if npm { NpmTarball } else { Sdist };
    let published = tgz(&[common.clone(), ours].concat(), b"");
    let rebuilt = tgz(&[common, theirs].concat(), b"");
    let compared = |one: &[u8], other: &[u8]| {
        compare(
            format,
            &mut Cursor::new(one),
            &mut Cursor::new(other),
            &Options::default(),
        )
    };
    let (Ok(there), Ok(back)) = (
        compared(&published, &rebuilt),
        compared(&rebuilt, &published),
    ) else {
        return;
    };
    assert_eq!(
        discriminant(&there.comparison),
        discriminant(&back.comparison)
    );
    match &there.comparison {
        Comparison::Identical => assert_eq!(published, rebuilt),
        Comparison::Different { differences, .. } => assert!(!differences.is_empty()),
        Comparison::Equivalent { erased } => {
            assert!(!erased.is_empty());
            // An independent look: the same files with the same contents, but for source maps.
            let files = |bytes: &[u8]| {
                survey(format, &mut Cursor::new(bytes), &Limits::default())
                    .expect("was compared")
                    .entries
                    .into_iter()
                    .map(|entry| {
                        let content = (!entry.path.as_str().ends_with(".map")
                            && !matches!(entry.path.file_name(), "SOURCES.txt" | "setup.cfg"))
                        .then_some(entry.sha256);
                        (
                            entry.path,
                            content,
                            entry.mode & 0o111 != 0,
                            entry.mode & 0o7000,
                        )
                    })
                    .collect::<Vec<_>>()
            };
            assert_eq!(files(&published), files(&rebuilt));
        }
    }
});
