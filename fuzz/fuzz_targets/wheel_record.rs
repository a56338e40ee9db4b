#![no_main]

use std::io::Cursor;

use libfuzzer_sys::fuzz_target;
use remint_compare::{Limits, Options, compare, survey};
use remint_fuzz::{Text, wheel};
use remint_model::ArtifactFormat::Wheel;
use remint_model::{AnomalyKind, Comparison};

const WORDS: &[&str] = &[
    "x/__init__.py",
    "x-1.0.dist-info/RECORD",
    "x-1.0.dist-info/METADATA",
    "x-1.0.dist-info/WHEEL",
    ",",
    "\"",
    "\"\"",
    "\n",
    "\r\n",
    "sha256=",
    "sha512=",
    "sha384=",
    "md5=",
    "47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU",
    "=",
    "0",
    "7",
    ",,\n",
    "RECORD.jws",
];

fuzz_target!(|input: (Text, Text, Vec<u8>)| {
    let (one, other, content) = input;
    let made = |record: &str| {
        wheel(&[
            ("x/__init__.py", b""),
            ("x/data", &content),
            (
                "x-1.0.dist-info/METADATA",
                b"Metadata-Version: 2.1\nName: x\nVersion: 1.0\n",
            ),
            (
                "x-1.0.dist-info/WHEEL",
                b"Wheel-Version: 1.0\nTag: py3-none-any\n",
            ),
            ("x-1.0.dist-info/RECORD", record.as_bytes()),
        ])
    };
    let one = made(&one.spelled(WORDS));
    let survey =
        survey(Wheel, &mut Cursor::new(&one), &Limits::default()).expect("the zip is in order");
    assert!(
        survey
            .anomalies
            .iter()
            .all(|anomaly| anomaly.kind == AnomalyKind::RecordMismatch),
        "{:?}",
        survey.anomalies
    );
    let other = made(&other.spelled(WORDS));
    let compared = compare(
        Wheel,
        &mut Cursor::new(&one),
        &mut Cursor::new(&other),
        &Options::default(),
    )
    .expect("was surveyed");
    match compared.comparison {
        Comparison::Identical => assert_eq!(one, other),
        Comparison::Different { .. } => {}
        // A RECORD may be spelt otherwise only where it is true.
        Comparison::Equivalent { .. } => assert!(survey.anomalies.is_empty()),
    }
});
