#![no_main]

use std::io::Cursor;

use libfuzzer_sys::fuzz_target;
use remint_compare::{Limits, survey};
use remint_fuzz::{Entry, tgz};
use remint_model::ArtifactFormat::{Crate, NpmTarball, Sdist};

fuzz_target!(|input: (Vec<Entry>, Vec<u8>)| {
    let bytes = tgz(&input.0, &input.1);
    for format in [NpmTarball, Sdist, Crate] {
        if let Ok(survey) = survey(format, &mut Cursor::new(&bytes), &Limits::default()) {
            // Nothing that looks like one path to an installer may be listed twice without being named.
            let twice = survey
                .entries
                .windows(2)
                .any(|pair| pair[0].path == pair[1].path);
            assert!(!twice || !survey.anomalies.is_empty());
        }
        let _ = survey(format, &mut Cursor::new(&input.1), &Limits::default());
    }
});
