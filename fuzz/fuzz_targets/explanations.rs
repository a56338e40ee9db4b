#![no_main]

use std::io::{Cursor, Write as _};

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use remint_compare::{Known, Options, compare};
use remint_fuzz::{Entry, Text, tgz, wheel};
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
    Zip,
    Gzip,
    Tar,
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
            Self::Zip => ["x-1.0/a.zip"; 2],
            Self::Gzip => ["x-1.0/a.gz"; 2],
            Self::Tar => ["x-1.0/a.tgz"; 2],
        }
    }

    /// The file that such text becomes: archives are made of it, and then damaged.
    fn packed(self, content: Vec<u8>, archive: &Archive) -> Vec<u8> {
        let mut packed = match self {
            Self::Zip => {
                let inner = wheel(&[("a.js", &content), ("b", &archive.raw)]);
                wheel(&[("in.zip", &inner), ("in.tgz", &archive.tgz(&content))])
            }
            Self::Gzip => gzip(&wheel(&[("a.js", &content)])),
            Self::Tar => archive.tgz(&content),
            Self::Script
            | Self::Module
            | Self::TypeScript
            | Self::Jsx
            | Self::Json
            | Self::Python
            | Self::Chunk
            | Self::Native => return content,
        };
        for (at, byte) in &archive.damage {
            let length = packed.len();
            if let Some(place) = packed.get_mut(usize::from(*at) % length) {
                *place = *byte;
            }
        }
        packed
    }
}

/// What an archive holds beside the text, and what is broken in it.
#[derive(Debug, Clone, Arbitrary)]
struct Archive {
    raw: Vec<u8>,
    entries: Vec<Entry>,
    damage: Vec<(u16, u8)>,
}

impl Archive {
    fn tgz(&self, after: &[u8]) -> Vec<u8> {
        tgz(&self.entries, after)
    }
}

fn gzip(content: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::new(1));
    encoder.write_all(content).expect("writing to memory");
    encoder.finish().expect("writing to memory")
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

type Input = (Kind, Text, Text, Text, Text, Vec<u8>, [Archive; 2]);

fuzz_target!(|input: Input| {
    let (kind, before, one, other, after, raw, archives) = input;
    let made = |text: &Text, path: &'static str, raw: &[u8], archive: &Archive| {
        let mut content = Vec::new();
        if matches!(kind, Kind::Native) {
            content.extend_from_slice(b"\x7fELF\x02\x01\x01\0");
            content.extend_from_slice(raw);
        }
        for text in [&before, text, &after] {
            content.extend_from_slice(text.spelled(WORDS).as_bytes());
        }
        let content = kind.packed(content, archive);
        wheel(&[
            (
                "x-1.0/pyproject.toml",
                b"[project]\nname='x'\nversion='1.0'\n",
            ),
            (path, &content),
        ])
    };
    let [published_path, rebuilt_path] = kind.paths();
    let published = made(&one, published_path, &raw, &archives[0]);
    let rebuilt = made(&other, rebuilt_path, &raw, &archives[1]);
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
