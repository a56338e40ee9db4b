#![no_main]

use std::io::Cursor;

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use remint_attest::verify_bundle;
use remint_compare::{Limits, survey};
use remint_ecosystem::mcpb::bundled::{Answer, bundled_with_aliases};
use remint_ecosystem::mcpb::{locate, server_json};
use remint_model::{ArtifactFormat, BundleSignature, SignatureBlock, Survey};

#[derive(Debug, Arbitrary)]
enum Input {
    /// What stands after an empty zip.
    Suffix(Vec<u8>),
    Signature(Vec<u8>),
    Texts(Vec<(Place, Vec<u8>)>),
    ServerJson(Vec<u8>),
}

#[derive(Debug, Arbitrary)]
enum Place {
    Manifest,
    Lock,
    Package(u8),
    Nested(u8),
    Metadata(u8),
    Record(u8),
}

impl Place {
    fn path(&self) -> String {
        match self {
            Self::Manifest => "manifest.json".to_owned(),
            Self::Lock => "uv.lock".to_owned(),
            Self::Package(n) => format!("node_modules/p{n}/package.json"),
            Self::Nested(n) => format!("node_modules/p{n}/node_modules/@s/p{n}/package.json"),
            Self::Metadata(n) => format!("lib/p{n}-1.dist-info/METADATA"),
            Self::Record(n) => format!("lib/p{n}-1.dist-info/RECORD"),
        }
    }
}

const EMPTY: &[u8] = b"PK\x05\x06\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0";

fuzz_target!(|input: Input| {
    match input {
        Input::Suffix(suffix) => {
            let file = [EMPTY, &suffix].concat();
            let mut reader = Cursor::new(&file);
            let Ok(survey) = survey(ArtifactFormat::Mcpb, &mut reader, &Limits::default()) else {
                return;
            };
            match survey.signature {
                SignatureBlock::Present(found) => {
                    assert_eq!(found.signed + found.length, file.len() as u64);
                    assert_eq!(found.pkcs7.len() + 27, found.length as usize);
                }
                SignatureBlock::Absent | SignatureBlock::Malformed(_) => {
                    assert!(suffix.is_empty() || !survey.anomalies.is_empty());
                }
            }
        }
        Input::Signature(bytes) => {
            let found = verify_bundle(&bytes, |_| Ok(Vec::new())).expect("nothing is read");
            assert!(!matches!(found, BundleSignature::Valid(_)));
        }
        Input::Texts(texts) => {
            let mut survey = Survey::default();
            for (place, text) in texts {
                survey
                    .texts
                    .push((place.path().parse().expect("a path"), text));
            }
            if let Ok(facts) = locate::facts(&survey) {
                assert!(facts.tools.len() <= 1000);
            }
            let bundled = bundled_with_aliases(&survey);
            let answers = vec![Answer::BeyondLimits; bundled.packages.len()];
            let found = bundled.attribute(&survey, &answers);
            assert!(found.packages.is_empty());
        }
        Input::ServerJson(bytes) => {
            // Whatever is declared is a digest.
            let _declared = server_json::declared_digest(&bytes, "a.mcpb");
        }
    }
});
