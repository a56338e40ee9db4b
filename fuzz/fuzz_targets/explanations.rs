#![no_main]

use std::io::Cursor;

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use remint_compare::{Known, Options, compare};
use remint_fuzz::{Text, wheel};
use remint_model::ArtifactFormat::SdistZip;
use remint_model::Comparison;

/// The kinds of file whose differences are explained.
#[derive(Debug, Clone, Copy, Arbitrary)]
enum Kind {
    Script,
    Module,
    TypeScript,
    Jsx,
    Json,
    Python,
    Chunk,
    Native,
}

impl Kind {
    fn paths(self) -> [&'static str; 2] {
        match self {
            Self::Script => ["x-1.0/a.js"; 2],
            Self::Module => ["x-1.0/a.mjs"; 2],
            Self::TypeScript => ["x-1.0/a.ts"; 2],
            Self::Jsx => ["x-1.0/a.jsx"; 2],
            Self::Json => ["x-1.0/a.json"; 2],
            Self::Python => ["x-1.0/a.py"; 2],
            Self::Chunk => ["x-1.0/chunk-AAAAAAA1.js", "x-1.0/chunk-BBBBBBB2.js"],
            Self::Native => ["x-1.0/a.node"; 2],
        }
    }
}

const WORDS: &[&str] = &[
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    "`",
    "${",
    "\"",
    "'",
    "\\",
    "/",
    "*",
    "//",
    "/*",
    "*/",
    "<",
    ">",
    "=>",
    "=",
    "==",
    "!",
    "?",
    ":",
    ";",
    ",",
    ".",
    "...",
    "#",
    "@",
    "++",
    "--",
    "-->",
    "<!--",
    "#!",
    "if",
    "else",
    "for",
    "do",
    "while",
    "function",
    "async",
    "await",
    "yield",
    "return",
    "class",
    "new",
    "typeof",
    "import",
    "export",
    "enum",
    "as",
    "a",
    "1",
    "1.0",
    "1n",
    "1.2.3",
    "1.2.4",
    "2026-11-26",
    "12:00:00",
    "aaaaaaaa",
    "/home/x",
    "/build/x",
    "chunk-AAAAAAA1.js",
    "chunk-BBBBBBB2.js",
    "// node_modules/a/b.js\n",
    "// src/b.js\n",
    "\n",
    "\r\n",
    " ",
    "\t",
    "\u{2028}",
    "\u{a0}",
];

fuzz_target!(|input: (Kind, Text, Text, Text, Text, Vec<u8>)| {
    let (kind, before, one, other, after, raw) = input;
    let made = |text: &Text, path: &'static str, raw: &[u8]| {
        let mut content = Vec::new();
        if matches!(kind, Kind::Native) {
            content.extend_from_slice(b"\x7fELF\x02\x01\x01\0");
            content.extend_from_slice(raw);
        }
        for text in [&before, text, &after] {
            content.extend_from_slice(text.spelled(WORDS).as_bytes());
        }
        wheel(&[
            (
                "x-1.0/pyproject.toml",
                b"[project]\nname='x'\nversion='1.0'\n",
            ),
            (path, &content),
        ])
    };
    let [published_path, rebuilt_path] = kind.paths();
    let published = made(&one, published_path, &raw);
    let rebuilt = made(&other, rebuilt_path, &raw);
    let options = Options {
        known: Known {
            versions: vec!["1.2.4".to_owned()],
            commits: vec!["a".repeat(40)],
            build_paths: vec!["/build/x".to_owned()],
        },
        ..Options::default()
    };
    let compared = compare(
        SdistZip,
        &mut Cursor::new(&published),
        &mut Cursor::new(&rebuilt),
        &options,
    )
    .expect("the zips are in order");
    assert!(compared.traced.traced_bytes <= compared.traced.executable_bytes);
    // An explanation never makes a difference disappear.
    match compared.comparison {
        Comparison::Identical => assert_eq!(published, rebuilt),
        Comparison::Equivalent { erased } => panic!("erased {erased:?}"),
        Comparison::Different { differences, .. } => {
            assert!(!differences.is_empty());
            for difference in differences {
                if let Some(words) = difference.explanation {
                    assert!(
                        !words
                            .chars()
                            .any(|character| character.is_control() && character != '\t')
                    );
                }
            }
        }
    }
});
