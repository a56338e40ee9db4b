#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    remint_fetch::fuzzing::git_listing(bytes);
});
