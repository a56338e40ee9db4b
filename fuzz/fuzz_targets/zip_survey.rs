#![no_main]

use std::io::Cursor;

use libfuzzer_sys::fuzz_target;
use remint_compare::{Limits, Options, compare, survey};
use remint_model::ArtifactFormat::{GoModule, Mcpb, SdistZip, Wheel};
use remint_model::Comparison;

fuzz_target!(|bytes: &[u8]| {
    for format in [Wheel, SdistZip, Mcpb, GoModule] {
        if survey(format, &mut Cursor::new(bytes), &Limits::default()).is_ok() {
            let same = compare(
                format,
                &mut Cursor::new(bytes),
                &mut Cursor::new(bytes),
                &Options::default(),
            );
            assert_eq!(
                same.expect("was surveyed").comparison,
                Comparison::Identical
            );
            let longer = [bytes, b"x"].concat();
            if let Ok(longer) = compare(
                format,
                &mut Cursor::new(&longer),
                &mut Cursor::new(bytes),
                &Options::default(),
            ) {
                assert!(matches!(longer.comparison, Comparison::Different { .. }));
            }
        }
    }
});
