#![no_main]

use std::io::Cursor;

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use remint_compare::{Limits, Options, compare, survey};
use remint_fuzz::{Text, wheel};
use remint_model::ArtifactFormat::SdistZip;
use remint_model::Comparison;

/// The kinds of file whose content is looked into.
#[derive(Debug, Clone, Copy, Arbitrary)]
enum Kind {
    Map,
    Script,
    Manifest,
    Sources,
    SetupCfg,
    Metadata,
    Other,
}

impl Kind {
    fn path(self) -> &'static str {
        match self {
            Self::Map => "x-1.0/dist/a.js.map",
            Self::Script => "x-1.0/dist/a.js",
            Self::Manifest => "x-1.0/package.json",
            Self::Sources => "x-1.0/x.egg-info/SOURCES.txt",
            Self::SetupCfg => "x-1.0/setup.cfg",
            Self::Metadata => "x-1.0/PKG-INFO",
            Self::Other => "x-1.0/other",
        }
    }
}

const WORDS: &[&str] = &[
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "\"",
    "\"version\":3",
    "\"mappings\":\"",
    "AAAA",
    ";",
    "\"sources\":[",
    "\"file\":",
    "\"sourceRoot\":",
    "\"sourcesContent\":[",
    "\"sections\":[",
    "\"names\":[]",
    "/home/x/p/dist/a.js",
    "file://",
    "../",
    "null",
    "\n",
    "\r\n",
    "//# sourceMappingURL=a.js.map",
    "import ",
    "require(",
    "'",
    "`",
    "/*",
    "*/",
    "//",
    "\\u0061",
    "[egg_info]\n",
    "tag_build = \n",
    "tag_date = 0\n",
    "Metadata-Version: 2.1\n",
    "Name: x\n",
    "Version: 1.0\n",
    "\"scripts\":{",
    "\"postinstall\":",
    "a",
    " ",
    "\t",
    "1",
];

fuzz_target!(|input: (Kind, Text, Text, Text, Text)| {
    let (kind, before, one, other, after) = input;
    let made = |text: &Text| {
        let content = [
            before.spelled(WORDS),
            text.spelled(WORDS),
            after.spelled(WORDS),
        ]
        .concat();
        wheel(&[
            (
                "x-1.0/pyproject.toml",
                b"[project]\nname='x'\nversion='1.0'\n",
            ),
            (kind.path(), content.as_bytes()),
        ])
    };
    let (one, other) = (made(&one), made(&other));
    let _ =
        survey(SdistZip, &mut Cursor::new(&one), &Limits::default()).expect("the zip is in order");
    let compared = |one: &[u8], other: &[u8]| {
        compare(
            SdistZip,
            &mut Cursor::new(one),
            &mut Cursor::new(other),
            &Options::default(),
        )
        .expect("was surveyed")
        .comparison
    };
    let (there, back) = (compared(&one, &other), compared(&other, &one));
    match (&there, &back) {
        (Comparison::Identical, Comparison::Identical) => assert_eq!(one, other),
        (Comparison::Equivalent { erased }, Comparison::Equivalent { .. }) => {
            assert!(!erased.is_empty());
            assert!(
                !matches!(kind, Kind::Script | Kind::Manifest | Kind::Other),
                "{erased:?}"
            );
        }
        (Comparison::Different { differences, .. }, Comparison::Different { .. }) => {
            assert!(!differences.is_empty());
        }
        _ => panic!("there {there:?}, back {back:?}"),
    }
});
